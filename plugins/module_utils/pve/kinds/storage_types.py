# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a storage of each type takes, as Proxmox VE 9.1 accepted and refused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COMMON = frozenset({"type", "content", "nodes", "disable"})


@dataclass(frozen=True)
class StorageType:
    """options: what it takes besides COMMON.  required: without these it cannot be created.  fixed: options that other
    types can change and this one cannot.  content: what it holds when nobody says; contents: what it can hold.
    formats: of images, where one can be chosen."""

    options: frozenset[str]
    content: tuple[str, ...]
    contents: tuple[str, ...]
    required: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    formats: tuple[str, ...] = ()


def _type(
    options: str, content: str, contents: str, *, required: str = "", fixed: str = "", formats: str = ""
) -> StorageType:
    return StorageType(
        frozenset(options.split()),
        tuple(content.split()),
        tuple(contents.split()),
        tuple(required.split()),
        frozenset(fixed.split()),
        tuple(formats.split()),
    )


_FILES = "backup images import iso rootdir snippets vztmpl"
_MADE = "mkdir create_base_path create_subdirs content_dirs bwlimit"
_BACKUPS = "prune_backups max_protected_backups"

TYPES: Mapping[str, StorageType] = {
    "dir": _type(
        f"path is_mountpoint shared preallocation format snapshot_as_volume_chain {_MADE} {_BACKUPS}",
        "images rootdir",
        f"{_FILES} none",
        required="path",
        fixed="snapshot_as_volume_chain",
        formats="raw qcow2 subvol vmdk",
    ),
    "btrfs": _type(
        f"path is_mountpoint shared preallocation format nocow {_MADE} {_BACKUPS}",
        "images rootdir",
        f"{_FILES} none",
        required="path",
        formats="raw subvol",
    ),
    "nfs": _type(
        f"path server export options preallocation format snapshot_as_volume_chain {_MADE} {_BACKUPS}",
        "images",
        _FILES,
        required="server export",
        fixed="server snapshot_as_volume_chain",
        formats="raw qcow2 vmdk",
    ),
    "cifs": _type(
        "path server share subdir options smbversion username domain password preallocation format "
        f"snapshot_as_volume_chain {_MADE} {_BACKUPS}",
        "images",
        _FILES,
        required="server share",
        fixed="server snapshot_as_volume_chain",
        formats="raw qcow2 vmdk",
    ),
    "cephfs": _type(
        f"path monhost username keyring subdir fs_name fuse options {_MADE} {_BACKUPS}",
        "backup",
        "backup import iso snippets vztmpl",
    ),
    "iscsi": _type("portal target bwlimit", "images", "images none", required="portal target"),
    "iscsidirect": _type("portal target bwlimit", "images", "images none", required="portal target"),
    "lvm": _type(
        "vgname base shared tagged_only saferemove saferemove_throughput saferemove_stepsize "
        "snapshot_as_volume_chain bwlimit",
        "images",
        "images rootdir",
        required="vgname",
    ),
    "lvmthin": _type("vgname thinpool bwlimit", "images rootdir", "images rootdir", required="vgname thinpool"),
    "zfspool": _type(
        "pool blocksize sparse mountpoint bwlimit", "images rootdir", "images rootdir", required="pool", fixed="pool"
    ),
    "zfs": _type(
        "pool portal target iscsiprovider blocksize sparse nowritecache comstar_hg comstar_tg lio_tpg zfs_base_path "
        "bwlimit",
        "images",
        "images",
        required="pool portal target iscsiprovider",
        fixed="pool blocksize",
    ),
    "rbd": _type("pool monhost username keyring krbd data_pool namespace bwlimit", "images", "images rootdir"),
    "pbs": _type(
        f"server port datastore namespace username password fingerprint encryption_key master_pubkey {_BACKUPS}",
        "backup",
        "backup none",
        required="server datastore",
        fixed="server",
    ),
    "esxi": _type(
        "server port username password skip_cert_verification shared",
        "import",
        "import",
        required="server username",
    ),
}
