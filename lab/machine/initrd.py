# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A first RAM disk of a few kernel modules: it mounts the root disk and is gone. Debian's own starts udev, which takes
an emulated processor longer than all the rest."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from pathlib import Path

from lab.machine.programs import run

_MODULES = ("virtio_blk", "ext4")
_FOLDERS = ("dev", "root", "bin", "usr", "usr/lib", "modules")
_INIT = """\
#!/bin/sh
mount -t devtmpfs dev /dev
{insert}
while ! mount -t ext4 -o noatime /dev/vda /root; do sleep 0.1; done
exec run-init /root /sbin/init </root/dev/console >/root/dev/console 2>&1
"""


def make(tree: Path, version: str) -> bytes:
    """The RAM disk for the kernel of that version; its modules and klibc's programs (initramfs-tools) are in tree."""
    files: dict[str, tuple[int, bytes]] = dict.fromkeys(_FOLDERS, (16877, b""))
    for program in ("sh", "mount", "insmod", "sleep", "run-init"):
        files[f"bin/{program}"] = 0o100755, (tree / "usr/lib/klibc/bin" / program).read_bytes()
    for library in (tree / "usr/lib").glob("klibc-*.so"):
        files[f"usr/lib/{library.name}"] = 0o100755, library.read_bytes()
    insert = []
    for module in _needed(tree, version):
        name = module.name.removesuffix(".xz")
        files[f"modules/{name}"] = 0o100644, _unpacked(module)
        insert.append(f"insmod /modules/{name}")
    files["init"] = 0o100755, _INIT.format(insert="\n".join(insert)).encode()
    return _cpio(files)


def _needed(tree: Path, version: str) -> Iterator[Path]:
    seen = set()
    for module in _MODULES:
        for line in run(
            "chroot", str(tree), "modprobe", "--show-depends", "--set-version", version, module
        ).splitlines():
            verb, path = line.split()[:2]
            if verb == "insmod" and path not in seen:
                seen.add(path)
                yield tree / path.lstrip("/")


def _unpacked(module: Path) -> bytes:
    return lzma.decompress(module.read_bytes()) if module.suffix == ".xz" else module.read_bytes()


def _cpio(files: dict[str, tuple[int, bytes]]) -> bytes:
    """The archive the kernel unpacks ("newc"; Documentation/driver-api/early-userspace/buffer-format.rst)."""
    archive = bytearray()
    for number, (name, (mode, content)) in enumerate([*files.items(), ("TRAILER!!!", (0, b""))]):
        path = os.fsencode(name) + b"\0"
        links = 2 if mode & 0o040000 else 1
        fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(path), 0)
        archive += b"070701" + b"".join(b"%08x" % value for value in fields)
        for part in (path, content):
            archive += part + b"\0" * (-(len(archive) + len(part)) % 4)
    return bytes(archive)
