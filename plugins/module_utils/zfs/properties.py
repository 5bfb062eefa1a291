# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The options of a dataset: ZFS's properties by their own names. Source: zfsprops(7) of OpenZFS 2.1 to 2.3."""

from __future__ import annotations

from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Number
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.forms import (
    Bytes,
    Mountpoint,
    UserProperties,
    Word,
)

KIB, MIB = 1024, 1024**2
FILESYSTEM, VOLUME = "filesystem", "volume"

# Properties that `zfs inherit` refuses, and what clears each. Recorded: 'quota' property cannot be inherited.
CLEARED = {
    "quota": "none",
    "refquota": "none",
    "reservation": "none",
    "refreservation": "none",
    "canmount": "on",
}

_COMPRESSION = r"on|off|lzjb|zle|lz4|gzip(-[1-9])?|zstd(-([1-9]|1[0-9]))?|zstd-fast(-([1-9]|[1-9]0|100|500|1000))?"
_SHARE = r"(?!-$)[^\x00-\x1f\x7f]*"
# Different words for the same level, of which ZFS shows one.
_LEVELS = {"gzip-6": "gzip", "zstd-3": "zstd", "zstd-fast-1": "zstd-fast"}


def _word(name: str, *choices: str, **more: Any) -> Field:
    return Field(name, Word(), choices=choices, **more)


def _switch(name: str, **more: Any) -> Field:
    return Field(name, Boolean(true="on", false="off"), type="bool", **more)


def _fixed(name: str, *choices: str, default: str, aliases: Any = None) -> Field:
    return Field(name, Word(aliases or {}), choices=choices, default=default, create_only=True)


# Of both sorts of dataset.
COMMON = (
    Field("compression", Word(_LEVELS, _COMPRESSION, "for example lz4, zstd, zstd-3 or off")),
    Field("reservation", Bytes(limit=True)),
    # A volume's own reservation is made with it; taking it away by not mentioning it would make the volume sparse.
    Field("refreservation", Bytes(limit=True), kept=True),
    _switch("readonly"),
    _word("sync", "standard", "always", "disabled"),
    _word("logbias", "latency", "throughput"),
    _word("primarycache", "all", "none", "metadata"),
    _word("secondarycache", "all", "none", "metadata"),
    Field("copies", Number(), type="int", choices=(1, 2, 3)),
    _word("checksum", "on", "off", "fletcher2", "fletcher4", "sha256", "sha512", "skein", "edonr", "blake3"),
    Field("dedup", Word(pattern=r"(on|off|verify|((sha256|sha512|skein|blake3)(,verify)?)|edonr,verify)")),
    _word("redundant_metadata", "all", "most", "some", "none"),
    _fixed(
        "encryption",
        "off",
        "on",
        "aes-128-ccm",
        "aes-192-ccm",
        "aes-256-ccm",
        "aes-128-gcm",
        "aes-192-gcm",
        "aes-256-gcm",
        default="off",
        aliases={"on": "aes-256-gcm"},
    ),
    _fixed("keyformat", "none", "raw", "hex", "passphrase", default="none"),
    Field(
        "keylocation",
        Word(pattern=r"(none|prompt|(file|https?)://\S+)", example="prompt or file:///path"),
        default="none",
        create_only=True,
    ),
    Field("encryption_key", write_only=True),
)

OF_FILESYSTEMS = (
    Field("mountpoint", Mountpoint()),
    _word("canmount", "on", "off", "noauto", default="on"),
    Field("quota", Bytes(limit=True)),
    Field("refquota", Bytes(limit=True)),
    Field("recordsize", Bytes(least=512, most=16 * MIB)),
    Field("special_small_blocks", Bytes(least=512, most=16 * MIB, zero=True)),
    _switch("atime"),
    _switch("relatime"),
    _switch("exec"),
    _switch("setuid"),
    _switch("devices"),
    _switch("overlay"),
    _word("snapdir", "hidden", "visible", "disabled"),
    _word("xattr", "on", "off", "sa", "dir"),
    Field(
        "acltype",
        Word({"posixacl": "posix", "noacl": "off"}),
        choices=("off", "noacl", "posix", "posixacl", "nfsv4"),
    ),
    _word("aclinherit", "discard", "noallow", "restricted", "passthrough", "passthrough-x"),
    _word("aclmode", "discard", "groupmask", "passthrough", "restricted"),
    _word("dnodesize", "legacy", "auto", "1k", "2k", "4k", "8k", "16k"),
    # A dash is how ZFS shows that there is no value.
    Field("sharenfs", Word(pattern=_SHARE, example="on, off or options")),
    Field("sharesmb", Word(pattern=_SHARE, example="on, off or options")),
    _switch("utf8only", default=False, create_only=True),
    _fixed("casesensitivity", "sensitive", "insensitive", "mixed", default="sensitive"),
    _fixed("normalization", "none", "formC", "formD", "formKC", "formKD", default="none"),
)

OF_VOLUMES = (
    Field("volsize", Bytes(), kept=True),
    Field("volblocksize", Bytes(least=512, most=16 * MIB), create_only=True),
    _word("volmode", "default", "full", "geom", "dev", "none"),
    _word("snapdev", "hidden", "visible"),
    Field("sparse", Boolean(), type="bool", creating=True),
)

# ZFS properties as they stand, all but what only this collection knows.
NATIVE = tuple(row for row in (*COMMON, *OF_FILESYSTEMS, *OF_VOLUMES) if not (row.write_only or row.creating))

FIELDS = (
    Field("name"),
    Field("type", Word(), choices=(FILESYSTEM, VOLUME), create_only=True),
    Field("create_parents", Boolean(), type="bool", creating=True),
    *OF_VOLUMES,
    *OF_FILESYSTEMS,
    *COMMON,
    # Other programs (snapshot and replication tools) keep theirs beside ours: never reset as a whole.
    Field("properties", UserProperties(), type="dict", merged=True, kept=True),
)

ONLY_FOR = {
    **{row.name: FILESYSTEM for row in OF_FILESYSTEMS},
    **{row.name: VOLUME for row in OF_VOLUMES},
}
