# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_storage. Storages are disabled unless enabling is the point: nothing is mounted on a real node."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}store"
PATH = f"/var/lib/{NAME}"
SERVER, OTHER_SERVER = "192.0.2.10", "192.0.2.11"


def base(kind: str, **options: Any) -> Item:
    return {"storage": NAME, "type": kind, "disable": True, **options}


DIR = base("dir", path=PATH)
BTRFS = base("btrfs", path=PATH)
NFS = base("nfs", server=SERVER, export="/hct")
CIFS = base("cifs", server=SERVER, share="hct")
CEPHFS = base("cephfs", monhost=[SERVER])
ISCSI = base("iscsi", portal=SERVER, target="iqn.2026-01.org.example:hct")
LVM = base("lvm", vgname="hct")
LVMTHIN = base("lvmthin", vgname="hct", thinpool="data")
ZFSPOOL = base("zfspool", pool="hct/guests")
ZFS = base("zfs", pool="hct", portal=SERVER, target="iqn.2026-01.org.example:hct", iscsiprovider="LIO", blocksize="4k")
RBD = base("rbd", pool="hct", monhost=[SERVER])
PBS = base("pbs", server=SERVER, datastore="hct", username="hct@pbs")
ESXI = base("esxi", server=SERVER, username="hct")


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/storage/{item['storage']}"))


def base_storage(system: Any) -> None:
    """An iSCSI storage for a volume group to lie on."""
    system.api.post(
        "/storage",
        storage=f"{PREFIX}base",
        type="iscsi",
        portal=SERVER,
        target="iqn.2026-01.org.example:base",
        disable=1,
        content="images",
    )


def existing(system: Any) -> None:
    system.api.post("/storage", storage=NAME, type="dir", path=PATH, disable=1)


def examples(system: Any) -> None:
    """The examples stand on their own."""


OPTIONS = (
    Option("type", "dir", "lvm", base=DIR),
    Option("content", ["iso", "backup"], ["vztmpl", "iso", "backup"], base=DIR),
    Option("content", ["rootdir"], ["images"], base=LVM, label="lvm"),
    Option("nodes", lambda s: [s.node], lambda s: [s.node, s.other_node], base=DIR, nodes=2),
    Option("disable", True, False, base=DIR, beside={"mkdir": False}),
    Option("shared", True, False, base=DIR),
    Option("shared", True, False, base=LVM, label="lvm"),
    Option("path", PATH, f"{PATH}-2", base=DIR),
    Option("is_mountpoint", "yes", f"{PATH}/mnt", base=DIR),
    Option("is_mountpoint", "/hct", "no", base=BTRFS, label="btrfs"),
    Option("mkdir", False, True, base=DIR),
    Option("create_base_path", False, True, base=DIR),
    Option("create_subdirs", False, True, base=DIR),
    Option("content_dirs", {"iso": "hct/iso"}, {"iso": "hct/images", "backup": "hct/dump"}, base=DIR),
    Option("prune_backups", {"keep-last": 3}, {"keep-last": 3, "keep-weekly": 4}, base=DIR),
    Option("max_protected_backups", 4, 6, base=DIR),
    Option("bwlimit", {"default": 1000}, {"default": 1000, "restore": 2000}, base=DIR),
    Option("preallocation", "off", "full", base=DIR),
    Option("format", "qcow2", "raw", base=DIR),
    Option("snapshot_as_volume_chain", True, False, base=DIR, label="fixed"),
    Option("snapshot_as_volume_chain", True, False, base=LVM, label="lvm"),
    Option("nocow", True, False, base=BTRFS),
    Option("server", SERVER, OTHER_SERVER, base=NFS, label="fixed"),
    Option("server", SERVER, OTHER_SERVER, base=ESXI, label="esxi"),
    Option("export", "/hct", "/other", base=NFS),
    Option("options", "vers=4.2", "vers=3", base=NFS),
    Option("share", "hct", "other", base=CIFS),
    Option("subdir", "/wards", "/icu", base=CIFS),
    Option("smbversion", "3.0", "2.1", base=CIFS),
    Option("username", "hct", "other", base=CIFS),
    Option("domain", "WARD", "LAB", base=CIFS),
    Option("monhost", [SERVER], [SERVER, OTHER_SERVER], base=CEPHFS),
    Option("fs_name", "hct", "other", base=CEPHFS),
    Option("fuse", True, False, base=CEPHFS),
    Option("portal", SERVER, OTHER_SERVER, base=ISCSI),
    Option("target", "iqn.2026-01.org.example:hct", "iqn.2026-01.org.example:other", base=ISCSI),
    Option("iscsiprovider", "LIO", "istgt", base=ZFS),
    Option("blocksize", "4k", "8k", base=ZFS, label="fixed"),
    Option("blocksize", "8k", "16k", base=ZFSPOOL, label="zfspool"),
    Option("nowritecache", True, False, base=ZFS),
    Option("comstar_hg", "hct", "other", base=ZFS),
    Option("comstar_tg", "hct", "other", base=ZFS),
    Option("lio_tpg", "tpg1", "tpg2", base=ZFS),
    Option("zfs_base_path", "/dev/zvol", "/dev/hct", base=ZFS),
    Option("sparse", True, False, base=ZFSPOOL),
    Option("mountpoint", "/hct/guests", "/hct/other", base=ZFSPOOL),
    Option("pool", "hct/guests", "hct/other", base=ZFSPOOL, label="fixed"),
    Option("pool", "hct", "other", base=RBD, label="rbd"),
    Option("vgname", "hct", "other", base=LVM),
    Option("thinpool", "data", "other", base=LVMTHIN),
    Option(
        "base",
        f"{PREFIX}base:0.0.0.scsi-hct",
        f"{PREFIX}base:0.0.1.scsi-hct",
        base=LVM,
        setup=base_storage,
        lab_only="a volume group on iSCSI needs a real target",
    ),
    Option("tagged_only", True, False, base=LVM),
    Option("saferemove", True, False, base=LVM),
    Option("saferemove_throughput", "-1048576", "-2097152", base=LVM),
    Option("saferemove_stepsize", 16, 8, base=LVM),
    Option("data_pool", "hct-data", "other-data", base=RBD),
    Option("namespace", "hct", "other", base=RBD),
    Option("krbd", True, False, base=RBD),
    Option("datastore", "hct", "other", base=PBS),
    Option("port", 8017, 8018, base=PBS),
    Option("fingerprint", ":".join(["AB"] * 32), ":".join(["CD"] * 32), base=PBS),
    Option("skip_cert_verification", True, False, base=ESXI),
)

CASE = Case(
    module="pve_storage",
    subsystem="pve",
    base=DIR,
    options=OPTIONS,
    raw=raw,
    several=lambda s: [
        {**DIR, "storage": f"{PREFIX}dir", "content": ["iso", "backup", "vztmpl"], "prune_backups": {"keep-last": 3}},
        {**LVM, "storage": f"{PREFIX}lvm", "content": ["images", "rootdir"], "shared": True, "nodes": [s.node]},
        {**PBS, "storage": f"{PREFIX}pbs", "password": "hct-several"},
    ],
    changed=lambda s: [
        {"storage": f"{PREFIX}dir", "content": ["iso"], "prune_backups": {"keep-last": 3, "keep-daily": 7}},
        {"storage": f"{PREFIX}lvm", "content": ["images"], "reset": ["nodes"]},
        {"storage": f"{PREFIX}pbs", "namespace": "wards"},
    ],
    removal=tuple(f"remove_storage:{PREFIX}{name}" for name in ("dir", "lvm", "pbs")),
    consents=(
        Scenario(f"remove_storage:{NAME}", {"config": [{"storage": NAME}], "state": "absent"}, NAME, setup=existing),
    ),
    secrets=(
        Secret("password", "pa55 of % the/store", base=CIFS, beside={"username": "hct"}),
        Secret("keyring", "AQBsecretkeyringvalue0123456789abcdefghi==", base=RBD),
        Secret(
            "encryption_key",
            '{"kdf":null,"created":"x","data":"c2VjcmV0LWtleQ=="}',
            base=PBS,
            lab_only="a real server's key is not to be guessed",
        ),
        Secret(
            "master_pubkey",
            "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0=",
            base=PBS,
            beside={"encryption_key": "autogen"},
            lab_only="a real server's key is not to be guessed",
        ),
    ),
    examples=examples,
    info="storage",
)
