# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The lab's SCST without a file system in between: what the recordings say the kernel does, as a model of apply."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import Action, Gone
from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import Tree, read
from ansible_collections.hospital.continuity.plugins.module_utils.scst.sysfs import Attribute, Sysfs, attribute
from lab.scst import modules
from lab.scst.levers import Levers, Machine
from lab.scst.nodes import Directory, File, find

CHANGER, DRIVE, OTHER = "7:0:1:1", "7:0:1:0", "7:0:2:0"


class ModelSysfs(Sysfs):
    """Reads and writes the model; `lines` are what was written."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self._machine = machine
        self.lines: list[str] = []

    def _found(self, *parts: str) -> object:
        try:
            return find(self._machine.tree.root(), "/".join(parts))
        except OSError:
            return None

    def exists(self, *parts: str) -> bool:
        return "scst" in self._machine.kernel.modules and self._found(*parts) is not None

    def names(self, *parts: str) -> list[str]:
        found = self._found(*parts)
        return sorted(found.entries()) if isinstance(found, Directory) else []

    def directories(self, *parts: str) -> list[str]:
        return [name for name in self.names(*parts) if isinstance(self._found(*parts, name), Directory)]

    def files(self, *parts: str) -> list[str]:
        found = [(name, self._found(*parts, name)) for name in self.names(*parts)]
        return [name for name, file in found if isinstance(file, File) and file.mode & 0o600 == 0o600]

    def link(self, *parts: str) -> str:
        try:
            return self._machine.tree.link("/".join(parts))
        except OSError:
            return ""

    def read(self, *parts: str) -> Attribute:
        try:
            return attribute(self._machine.tree.read("/".join(parts)))
        except OSError as problem:
            return Attribute("", readable=problem.errno != errno.EINVAL)

    def write(self, parts: Sequence[str], text: str, *, shown: str = "", gone_is_fine: bool = False) -> None:
        self.lines.append(f"{'/'.join(parts)}: {text}")
        try:
            self._machine.tree.write("/".join(parts), f"{text}\n")
        except OSError as problem:
            if not (gone_is_fine and problem.errno == errno.ENOENT):
                raise ScstError(f"{text}: {problem.strerror}", number=problem.errno or 0) from None


class Model:
    """SCST loaded, its daemon running, a changer and two drives."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.levers = Levers(self.machine)
        for module in ("scst", "scst_tape", "scst_changer", "iscsi_scst"):
            modules.load(self.machine.kernel, module)
        modules.daemon_starts(self.machine.kernel, 801)
        self.sysfs = ModelSysfs(self.machine)

    def tree(self) -> Tree:
        return read(self.sysfs)

    def do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Gone):
                assert not self.sysfs.exists(*action.path), f"{action.path} is still open"
            else:
                self.sysfs.write(action.path, action.text, gone_is_fine=action.gone_is_fine)

    def login(self, target: str, initiator: str, user: str = "", secret: str = "") -> bool:
        """Whether the target lets somebody in."""
        answer = self.levers.call("login", {"target": target, "initiator": initiator, "user": user, "secret": secret})
        return not answer["failed"]
