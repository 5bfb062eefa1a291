# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Files at rest: compressed, and encrypted for whoever has the identity. Written whole or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from databasebackup import durable, records
from databasebackup.processes import PIECE, Chain
from databasebackup.settings import Places, Refused, Settings

_COMPRESS = ("zstd", "--quiet", "--threads=1", "-3")
_EXPAND = ("zstd", "--quiet", "--decompress", "--stdout")


def suffix(settings: Settings) -> str:
    return ".zst.age" if settings.encrypted else ".zst"


def sealing(settings: Settings, places: Places) -> list[Sequence[str]]:
    """The programs that seal what they are fed."""
    if not settings.encrypted:
        return [_COMPRESS]
    return [_COMPRESS, ("age", "--encrypt", "--recipients-file", str(places.recipients))]


def opening(path: Path, places: Places) -> list[Sequence[str]]:
    """The programs that print what was sealed. Raises Refused where it cannot be had here."""
    if path.suffix != ".age":
        return [(*_EXPAND, str(path))]
    if not places.identity.exists():
        raise Refused(f"{path.name} is encrypted, and this host has no identity (database_backup_identity) to read it.")
    return [("age", "--decrypt", "--identity", str(places.identity), str(path)), _EXPAND]


def seal(source: Path, target: Path, settings: Settings, places: Places) -> None:
    """A sealed copy, there for good."""
    unfinished = target.with_name(f".{target.name}")
    try:
        with source.open("rb") as plain, unfinished.open("wb") as file:
            chain = Chain(*sealing(settings, places), stdin=plain, stdout=file)
            try:
                chain.end()
            finally:
                chain.kill()
        unfinished.chmod(0o600)
        records.sync_file(unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    durable.kept(target.parent)


def unseal(source: Path, target: Path, places: Places) -> None:
    with target.open("wb") as file:
        chain = Chain(*opening(source, places), stdout=file)
        try:
            chain.end()
        finally:
            chain.kill()


def checksum(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while True:
            piece = file.read(PIECE)
            if not piece:
                return digest.hexdigest()
            digest.update(piece)
