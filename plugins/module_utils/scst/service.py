# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST's modules, its daemon and its service on this host.

The service loads modules, starts iscsi-scstd and applies scst.conf; with the modules loaded already it does nothing of
it and says that all is well. The daemon has no service of its own. So: nothing loaded, start; loaded and the daemon
dead, restart (all its targets are gone anyway); loaded and a handler missing, modprobe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Callable

from ansible_collections.hospital.continuity.plugins.module_utils.command import (
    CommandTimedOut,
    Completed,
    ProgramMissing,
    Runner,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError, listed
from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstUnavailable
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import MODULES, OPEN, Tree

UNIT = "scst.service"
_TIMEOUT = 600.0
_STAMP = re.compile(r"^\[\s*(\d+\.\d+)\]")
_LOOK = "Look at journalctl -u scst and dmesg."


class Service:
    def __init__(self, run: Runner) -> None:
        self._run = run
        self.writes = 0

    def installed(self) -> bool:
        """Whether this host has SCST's service."""
        return self._asked("cat", UNIT).status == 0

    def problems(self) -> list[str]:
        """What the service lacks to bring everything back after a boot."""
        if not self.installed():
            return [f"{UNIT} is not there: after a reboot nothing is exported. Install the package of SCST's tools."]
        enabled = self._asked("is-enabled", UNIT).output.strip()
        if enabled in ("enabled", "enabled-runtime", "static", "alias"):
            return []
        return [f"{UNIT} is not enabled: after a reboot nothing is exported. Run systemctl enable scst."]

    def ready(self, look: Callable[[], Tree], handlers: Iterable[str], before_start: Callable[[], None]) -> Tree:
        """The tree of an SCST that runs, its daemon too, and has the handlers. `before_start` puts scst.conf in order.
        Raises ScstUnavailable."""
        tree = look()
        if not tree.loaded:
            before_start()
            # One that counts as started would not be started again.
            self._service("restart" if self._asked("is-active", UNIT).status == 0 else "start")
            tree = look()
        modules = sorted({MODULES[name] for name in handlers if name in MODULES and name not in tree.handlers})
        modules += [] if tree.driver else ["iscsi_scst"]
        for module in modules:
            self._modprobe(module)
        tree = look() if modules else tree
        if tree.open_state != OPEN:
            if tree.other_sessions:
                raise ScstUnavailable(
                    "The daemon iscsi-scstd does not run, and restarting SCST would cut "
                    f"{listed(tree.other_sessions)}.",
                    hint="Restart it when these can be spared: systemctl restart scst.",
                )
            before_start()
            if self._asked("is-active", UNIT).status != 0:
                # Modules loaded by hand: only a service that counts as started unloads them when it is restarted.
                self._service("start")
            self._service("restart")
            tree = look()
        lacking = [name for name in handlers if name not in tree.handlers]
        if not tree.loaded or tree.open_state != OPEN or lacking:
            what = f"has no {listed(lacking)}" if lacking and tree.loaded else "does not serve iSCSI"
            raise ScstUnavailable(f"SCST was started and {what} (open_state {tree.open_state}).", hint=_LOOK)
        return tree

    def _service(self, action: str) -> None:
        self.writes += 1
        done = self._systemctl(action, "scst")
        if done.status != 0:
            said = " ".join(done.errors.split())
            hint = "Install SCST (its modules and its tools)." if not self.installed() else _LOOK
            raise ScstUnavailable(
                f"systemctl {action} scst failed: {said or done.status}.".replace("..", "."), hint=hint
            )

    def _modprobe(self, module: str) -> None:
        self.writes += 1
        done = self._run(("modprobe", module), timeout=60.0)
        if done.status != 0:
            said = " ".join(done.errors.split())
            raise ScstUnavailable(
                f"The kernel module {module} cannot be loaded: {said or done.status}.".replace("..", "."),
                hint="Install SCST's modules for the kernel that runs.",
            )

    def _asked(self, *words: str) -> Completed:
        try:
            return self._systemctl(*words)
        except ProgramMissing:
            return Completed(words, 1, "", "")

    def _systemctl(self, *words: str) -> Completed:
        return self._run(("systemctl", *words), timeout=_TIMEOUT)


def kernel_log(run: Runner, uptime: str = "/proc/uptime") -> str:
    """What the kernel last said of an error of SCST's, if that was just now."""
    try:
        now = float(Path(uptime).read_text(encoding="ascii").split()[0])
        lines = run(("dmesg",), timeout=10.0).output.splitlines()
    except (OSError, ValueError, IndexError, CommandTimedOut, SubsystemError):
        return ""
    for line in reversed(lines):
        stamp = _STAMP.match(line)
        if stamp and float(stamp.group(1)) < now - 5:
            return ""
        if stamp and "scst" in line and "ERROR" in line:
            return line.rpartition("***ERROR***: ")[2].strip()
    return ""
