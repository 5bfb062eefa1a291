# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Files, directories and links that are made when they are looked at, and paths through them."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Union

from lab.scst.state import refuse


@dataclass(frozen=True)
class File:
    """`read` gives the whole text, bytes where it is none; `write` gets what was written without the line's end."""

    mode: int
    read: Callable[[], str | bytes] | None = None
    write: Callable[[str], None] | None = None


@dataclass(frozen=True)
class Link:
    target: str


@dataclass(frozen=True)
class Directory:
    entries: Callable[[], Mapping[str, Node]]


Node = Union[File, Link, Directory]


def constant(text: str, mode: int = 0o444) -> File:
    """Reads the same always. What is 0644 takes writes and ignores them: the recordings never tried."""
    return File(mode, lambda: text, _ignore if mode & 0o200 else None)


def _ignore(text: str) -> None:
    """Nothing happens."""


def directory(entries: Mapping[str, Node]) -> Directory:
    """One whose entries are known now."""
    return Directory(lambda: entries)


def find(root: Node, path: str) -> Node:
    """ENOENT, ENOTDIR. Links are not followed: the real kernel does that."""
    node = root
    for part in path.split("/"):
        if not part:
            continue
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR)
        try:
            node = node.entries()[part]
        except KeyError:
            raise refuse(errno.ENOENT) from None
    return node


class Finder:
    """`find`, remembering what it saw for as long as `version()` says the same."""

    def __init__(self, root: Directory, version: Callable[[], int]) -> None:
        self._root, self._version = root, version
        self._of = -1
        self._entries: dict[str, Mapping[str, Node]] = {}

    def find(self, path: str) -> Node:
        if self._version() != self._of:
            self._of = self._version()
            self._entries.clear()
        return self._find(path.rstrip("/"))

    def entries(self, path: str) -> Mapping[str, Node]:
        """Of a directory; ENOTDIR."""
        node = self.find(path)
        return self._listed(path.rstrip("/"), node)

    def _find(self, path: str) -> Node:
        if not path:
            return self._root
        folder, _slash, name = path.rpartition("/")
        entries = self._entries.get(folder)
        if entries is None:
            entries = self._listed(folder, self._find(folder))
        try:
            return entries[name]
        except KeyError:
            raise refuse(errno.ENOENT) from None

    def _listed(self, path: str, node: Node) -> Mapping[str, Node]:
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR)
        if path not in self._entries:
            self._entries[path] = node.entries()
        return self._entries[path]


def opened(root: Node, path: str, *, writing: bool) -> File:
    """A file as sysfs lets even root open it: EACCES where its mode has no such right at all."""
    return permitted(find(root, path), writing=writing)


def permitted(node: Node, *, writing: bool) -> File:
    if isinstance(node, Directory):
        raise refuse(errno.EISDIR)
    if isinstance(node, Link):
        raise refuse(errno.ELOOP)
    if not node.mode & (0o222 if writing else 0o444):
        raise refuse(errno.EACCES)
    return node
