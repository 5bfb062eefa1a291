# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""ZFS under test: programs that answer as the recorded ones did."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import SnapshotKind
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import SnapshotBackend
from lab.zfs import ZfsLab
from tests.contract.case import PREFIX
from tests.contract.system import System, succeeded

# What ZFS itself changes, or what a dataset is as long as it lives.
_VOLATILE = {"used", "available", "referenced", "written", "logicalused", "logicalreferenced", "createtxg", "creation"}
_VOLATILE |= {"guid", "objsetid", "usedbydataset", "usedbysnapshots", "usedbychildren", "usedbyrefreservation"}


class ZfsSystem(System):
    """A pool of its own, tank, in a stand-in for the zfs program."""

    patience = 1
    # Each run costs processes.
    nonsense = 50
    failures = 30
    failure = "the lab lets this write fail"

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.lab = self._stack.enter_context(ZfsLab("tank", f"{PREFIX}tank"))

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {}

    def reset(self) -> None:
        self.lab.reset()

    def close(self) -> None:
        self._stack.close()

    def pool(self, name: str) -> None:
        """Another pool."""
        with self.lab.change() as state:
            self.lab.add_pool(state, name)

    # -- disks and pools, as the cases of zfs_pool ask for them on any host ------------------------------------------

    @property
    def disks(self) -> list[str]:
        """Names of blank disks, eight at least."""
        return [disk.ids[0] for disk in self.lab.state.disks.values() if "aff" not in disk.ids[0]]

    def zpool(self, *words: str) -> str:
        return self.lab.zpool(*words)

    def make_filesystem(self, disk: str) -> None:
        """Something on a disk that nobody wants to lose."""
        with self.lab.change() as state:
            state.disks[state.device(f"/dev/disk/by-id/{disk}")[0]].signatures[""] = [("ext4", "films")]

    def leave_to_another_host(self, pool: str) -> None:
        """The pool is not imported, and another host had it last."""
        self.lab.zpool("export", pool)
        with self.lab.change() as state:
            state.pools[pool].hostid, state.pools[pool].hostname = 0x1234567, "other"

    def writes(self) -> int:
        return self.lab.writes

    def command_lines(self) -> str:
        return "\n".join(" ".join(argv) for argv in self.lab.log)

    def dataset(self, name: str) -> dict[str, str]:
        """A dataset as `zfs get` shows it."""
        text = self.lab.zfs("get", "-Hp", "-o", "property,value,source", "all", name)
        rows = [line.split("\t") for line in text.splitlines()]
        return {prop: f"{value} ({source})" for prop, value, source in rows if prop not in _VOLATILE}

    def inventory(self) -> Any:
        """What somebody set, by dataset."""
        datasets = sorted(self.lab.state.datasets.items())
        pools = {
            name: (pool.guid, pool.properties, [leaf.disk for leaf in pool.leaves], pool.imported)
            for name, pool in sorted(self.lab.state.pools.items())
        }
        disks = {name: disk.signatures for name, disk in self.lab.state.disks.items()}
        return (
            pools,
            disks,
            {
                name: (one.type, one.local, one.fixed, {short: snap.guid for short, snap in one.snapshots.items()})
                for name, one in datasets
            },
        )

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        # The labels of snapshot policies are not names: what is read is chosen by the caller.
        config = succeeded(self.run("zfs_info", kinds=[kind])).data["config"]
        return list(config[kind])

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        if isinstance(kind, SnapshotKind):
            policies = SnapshotBackend(CommandLine()).observe(kind, set(keys), ())
            return [kind.config(key, thing.state) for key, thing in policies.items()]
        found = DatasetBackend(CommandLine()).observe(kind, set(keys), {row.name for row in kind.option_rows})
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.lab.failing_write(number, lost=lost)
