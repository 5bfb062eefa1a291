# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_dataset, on programs that answer as recorded."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret

NAME, VOLUME = f"tank/{PREFIX}data", f"tank/{PREFIX}volume"
BASE: Item = {"name": NAME}
VOL: Item = {"name": VOLUME, "type": "volume", "volsize": "1G"}
KEYED = {
    "encryption": "aes-256-gcm",
    "keyformat": "passphrase",
    "keylocation": "prompt",
    "encryption_key": "correct horse battery staple",
}


def raw(system: Any, item: Item) -> Any:
    return system.dataset(item["name"])


def existing(*more: tuple[str, ...]) -> Any:
    def setup(system: Any) -> None:
        system.lab.zfs("create", NAME)
        for words in more:
            system.lab.zfs(*words)

    return setup


ABSENT = {"config": [{"name": NAME}], "state": "absent"}

CASE = Case(
    module="zfs_dataset",
    info="dataset",
    subsystem="zfs",
    base=BASE,
    options=(
        Option("type", "filesystem", "volume"),
        Option("create_parents", True, base={"name": f"tank/{PREFIX}a/b/c"}),
        Option("volsize", "1G", "2G", base=VOL, mode="grows"),
        Option("volblocksize", "16K", "8K", base=VOL),
        Option("volmode", "dev", "none", base=VOL),
        Option("snapdev", "visible", "hidden", base=VOL),
        Option("sparse", True, base=VOL),
        Option("mountpoint", "/srv/hct", "/srv/other"),
        Option("canmount", "noauto", "off"),
        Option("quota", "10G", "20G"),
        Option("refquota", "10G", "20G"),
        Option("recordsize", "1M", "64K"),
        Option("special_small_blocks", "16K", "32K"),
        Option("atime", False, True),
        Option("relatime", False, True),
        Option("exec", False, True),
        Option("setuid", False, True),
        Option("devices", False, True),
        Option("overlay", False, True),
        Option("snapdir", "visible", "hidden"),
        Option("xattr", "dir", "off"),
        Option("acltype", "posix", "nfsv4"),
        Option("aclinherit", "passthrough", "discard"),
        Option("aclmode", "passthrough", "groupmask"),
        Option("dnodesize", "auto", "2k"),
        Option("sharenfs", "rw=192.0.2.0/24", "ro"),
        Option("sharesmb", "on", "guest_ok=y"),
        Option("utf8only", True, False),
        Option("casesensitivity", "insensitive", "mixed"),
        Option("normalization", "formD", "formC"),
        Option("compression", "zstd", "lz4"),
        Option("reservation", "1G", "2G"),
        Option("refreservation", "1G", "2G"),
        Option("readonly", True, False),
        Option("sync", "always", "disabled"),
        Option("logbias", "throughput", "latency"),
        Option("primarycache", "metadata", "none"),
        Option("secondarycache", "metadata", "none"),
        Option("copies", 2, 3),
        Option("checksum", "sha256", "skein"),
        Option("dedup", "on", "verify"),
        Option("redundant_metadata", "most", "some"),
        Option("encryption", "aes-256-gcm", "aes-128-gcm", beside=KEYED),
        Option("keyformat", "passphrase", "hex", beside=KEYED),
        Option("keylocation", "prompt", "file:///root/key", beside=KEYED),
        Option("properties", {"com.hospital:role": "backup"}, {"com.hospital:role": 'archive, of "films"'}),
    ),
    raw=raw,
    several=[
        {**BASE, "compression": "zstd", "quota": "100G", "properties": {"com.hospital:role": "backup"}},
        {"name": f"{NAME}/pacs", "recordsize": "1M", "atime": False, "refquota": "50G"},
        {**VOL, "volblocksize": "16K", "sparse": True},
    ],
    changed=[
        {**BASE, "compression": "lz4", "reset": ["quota"], "properties": {"com.hospital:role": "archive"}},
        {"name": f"{NAME}/pacs", "recordsize": "128K", "atime": True, "reset": ["refquota"]},
        {"name": VOLUME, "volsize": "2G"},
    ],
    removal=(f"destroy_dataset:{NAME}", f"destroy_dataset:{NAME}/pacs", f"destroy_dataset:{VOLUME}"),
    consents=(
        Scenario(f"destroy_dataset:{NAME}", ABSENT, NAME, setup=existing()),
        Scenario(
            f"destroy_dataset:{NAME}/below",
            ABSENT,
            f"{NAME}/below",
            setup=existing(("create", f"{NAME}/below")),
            beside=(f"destroy_dataset:{NAME}",),
            label="destroy_dataset[below]",
        ),
        Scenario(
            f"destroy_snapshot:{NAME}",
            ABSENT,
            "monday",
            setup=existing(("snapshot", f"{NAME}@monday")),
            beside=(f"destroy_dataset:{NAME}",),
        ),
    ),
    secrets=(
        Secret(
            "encryption_key",
            "a pa55phrase % of/the dataset",
            beside={name: value for name, value in KEYED.items() if name != "encryption_key"},
        ),
    ),
)
