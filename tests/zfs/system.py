# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A real OpenZFS as the contract's cases of pools ask for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from tests.contract.system import System, succeeded
from tests.zfs.host import Forwarders, ZfsHost


class RealZfsSystem(System):
    """Blank disks of a host; pools on them, whose names begin with the contract's prefix."""

    is_lab = False
    patience = 5
    failure = "the test lets this write fail"

    def __init__(self, host: ZfsHost) -> None:
        self.host = host
        assert host.forwarders is not None
        self._forwarders: Forwarders = host.forwarders

    @property
    def disks(self) -> list[str]:
        return self.host.disks

    def zpool(self, *words: str) -> str:
        return self.host.sh('exec zpool "$@"', *words)

    def make_filesystem(self, disk: str) -> None:
        self.host.sh(
            'mkfs.ext4 -q -F -L films "$1" || mkfs.xfs -q -f -L films "$1"; udevadm settle', f"/dev/disk/by-id/{disk}"
        )

    def leave_to_another_host(self, pool: str) -> None:
        with self.host.another_identity():
            self.host.sh('zpool export "$1"; zpool import -d /dev/disk/by-id "$1"; zpool export "$1"', pool)

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        return {"timeout": 900}

    def reset(self) -> None:
        self.host.blank()
        self._forwarders.forget()

    def writes(self) -> int:
        return len(self._forwarders.log)

    def command_lines(self) -> str:
        return "\n".join(" ".join(words) for words in self._forwarders.log)

    def inventory(self) -> Any:
        return self.host.sh("zpool status -P 2>&1; zfs list -H -o name; lsblk -no NAME,FSTYPE,PTTYPE,LABEL")

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        config = succeeded(self.run("zfs_info", kinds=[kind])).data["config"]
        return list(config[kind])

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        self._forwarders.let_fail(self.writes() + number, lost=lost)
        try:
            yield
        finally:
            self._forwarders.let_fail(0)
