# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The trees as a file system, with sysfs's manners: files of 4096 bytes whatever they hold, nothing to make or remove.

The only place that knows FUSE."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import threading
import time
from collections.abc import Callable
from typing import Any

import mfusepy

from lab.scst.nodes import Directory, File, Finder, Link, Node, permitted
from lab.scst.state import refuse

# Nothing is remembered by the real kernel: the next look may find something else.
_OPTIONS = {"entry_timeout": 0, "attr_timeout": 0, "negative_timeout": 0, "direct_io": True, "allow_other": True}


class SysFs(mfusepy.Operations):  # type: ignore[misc]
    """`store(path, file, text)` carries out a write. `lock` is held in every operation. `version()` is another after
    every change: each step of each path is looked up at each access, so what was found is worth remembering."""

    use_ns = True

    def __init__(
        self,
        root: Directory,
        version: Callable[[], int],
        store: Callable[[str, File, str], None],
        lock: threading.RLock,
    ) -> None:
        self._finder = Finder(root, version)
        self._store, self._lock = store, lock
        self._open: dict[int, tuple[File, list[bytes]]] = {}
        self._numbers = itertools.count(1)
        self._born = time.time_ns()

    def serve(self, mountpoint: str) -> None:
        """Until it is unmounted."""
        mfusepy.FUSE(self, mountpoint, foreground=True, nothreads=True, fsname="lab-scst", **_OPTIONS)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        with self._lock:
            return self._status(path, self._finder.find(path))

    def _status(self, path: str, node: Node) -> dict[str, Any]:
        if isinstance(node, Directory):
            below = self._finder.entries(path).values()
            mode, size, links = stat.S_IFDIR | 0o755, 0, 2 + sum(isinstance(one, Directory) for one in below)
        elif isinstance(node, Link):
            mode, size, links = stat.S_IFLNK | 0o777, 0, 1
        else:
            mode, size, links = stat.S_IFREG | node.mode, 4096, 1
        times = dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), self._born)
        return {"st_mode": mode, "st_size": size, "st_nlink": links, "st_uid": 0, "st_gid": 0, **times}

    def readdir(self, path: str, fh: int) -> list[str]:
        with self._lock:
            return [".", "..", *self._finder.entries(path)]

    def readlink(self, path: str) -> str:
        with self._lock:
            node = self._finder.find(path)
        if not isinstance(node, Link):
            raise refuse(errno.EINVAL)
        return node.target

    def open(self, path: str, flags: int) -> int:
        access = flags & os.O_ACCMODE
        with self._lock:
            if access != os.O_RDONLY:
                file = permitted(self._finder.find(path), writing=True)
            if access != os.O_WRONLY:
                file = permitted(self._finder.find(path), writing=False)
            number = next(self._numbers)
            self._open[number] = (file, [])
        return number

    def release(self, path: str, fh: int) -> int:
        self._open.pop(fh, None)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        """From the beginning it is looked at afresh."""
        file, held = self._open[fh]
        if offset == 0 or not held:
            with self._lock:
                assert file.read is not None
                text = file.read()
            held[:] = [text.encode() if isinstance(text, str) else text]
        return held[0][offset : offset + size]

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        with self._lock:
            self._store(path, self._open[fh][0], data.decode(errors="replace"))
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        """What a shell's `>` asks first; sysfs ignores it."""
        return 0

    def create(self, path: str, mode: int, flags: int) -> int:
        raise refuse(errno.EACCES)

    def mkdir(self, path: str, mode: int) -> int:
        raise refuse(errno.EPERM)

    def unlink(self, path: str) -> int:
        raise refuse(errno.EPERM)

    def rmdir(self, path: str) -> int:
        raise refuse(errno.EPERM)

    def rename(self, old: str, new: str) -> int:
        raise refuse(errno.EPERM)

    def chmod(self, path: str, mode: int) -> int:
        raise refuse(errno.EPERM)
