# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""ZFS under test: programs that answer as the recorded ones did."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import DatasetBackend
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from lab.zfs import ZfsLab
from tests.contract.system import System

# What ZFS itself changes, or what a dataset is as long as it lives.
_VOLATILE = {"used", "available", "referenced", "written", "logicalused", "logicalreferenced", "createtxg", "creation"}
_VOLATILE |= {"guid", "objsetid", "usedbydataset", "usedbysnapshots", "usedbychildren", "usedbyrefreservation"}


class ZfsSystem(System):
    """A pool of its own, tank, in a stand-in for the zfs program."""

    patience = 1
    failure = "the lab lets this write fail"

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.lab = self._stack.enter_context(ZfsLab())

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {}

    def reset(self) -> None:
        self.lab.reset()

    def close(self) -> None:
        self._stack.close()

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
        return {name: (one.type, one.local, one.fixed) for name, one in sorted(self.lab.state.datasets.items())}

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        found = DatasetBackend(CommandLine()).observe(kind, set(keys), {row.name for row in kind.option_rows})
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[None]:
        return self.lab.failing_write(number, lost=lost)
