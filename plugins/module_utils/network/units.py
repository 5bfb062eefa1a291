# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The two ways a rollback comes by itself: a timer of systemd, and a unit that runs before networking after a reset."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.durable import kept, replaced

NAME = "hospital-continuity-network-checkpoint"
DIRECTORY = "/etc/systemd/system"
_TARGET = "sysinit.target.wants"
_SECONDS = 30.0

# Open vSwitch's database has to be there, and nothing may have read the configuration yet. It must not be ordered
# before network-pre.target, which the database itself waits for.
_BOOT_UNIT = """\
[Unit]
Description=Undo the network change that nobody confirmed before this host was reset
DefaultDependencies=no
ConditionPathExists={marker}
RequiresMountsFor={directory}
After=local-fs.target ovsdb-server.service
Before=ovs-vswitchd.service openvswitch-switch.service networking.service systemd-networkd.service \
NetworkManager.service network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
ExecStart={python} -I {program} boot {identifier}
TimeoutStartSec=120

[Install]
WantedBy=sysinit.target
"""


@dataclass(frozen=True)
class Units:
    """systemd of this host. directory: where an administrator's units are."""

    run: Runner
    directory: Path = Path(DIRECTORY)

    @property
    def boot_unit(self) -> Path:
        return self.directory / f"{NAME}.service"

    @property
    def _link(self) -> Path:
        return self.directory / _TARGET / f"{NAME}.service"

    def write_boot_unit(self, *, python: str, program: Path, marker: Path, identifier: str) -> None:
        """The unit, enabled, and on the disk: the next start of the host is the first to read it. Raises OSError."""
        text = _BOOT_UNIT.format(
            python=python, program=program, marker=marker, directory=program.parent, identifier=identifier
        )
        replaced(self.boot_unit, text.encode(), mode=0o644)
        self._link.parent.mkdir(exist_ok=True)
        with contextlib.suppress(FileExistsError):
            self._link.symlink_to(f"../{self.boot_unit.name}")
        kept(self._link.parent)
        kept(self.directory)

    def remove_boot_unit(self) -> None:
        for path in (self._link, self.boot_unit):
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                kept(path.parent)

    def boot_unit_enabled(self) -> bool:
        return self._link.exists()

    def start_timer(self, *, python: str, program: Path, identifier: str, seconds: int) -> None:
        """Let systemd run the program after that many seconds. Raises SubsystemError."""
        self._systemd_run(
            [
                f"--unit={timer(identifier)}",
                f"--on-active={seconds}s",
                "--timer-property=AccuracySec=100ms",
                "--description=Undo the network change that nobody has confirmed",
                "--",
                *(python, "-I", str(program), "timer", identifier),
            ],
            _SECONDS,
        )

    def run_now(self, *, python: str, program: Path, identifier: str, reason: str, seconds: float) -> None:
        """Let systemd run the program and wait: it goes on when this session is cut off. Raises SubsystemError."""
        words = ["--wait", f"--unit={timer(identifier)}-now", "--description=Undo the network change", "--"]
        self._systemd_run([*words, python, "-I", str(program), "now", identifier, reason], seconds)

    def stop_timer(self, identifier: str) -> None:
        """The timer need not exist any more."""
        self.run(["systemctl", "stop", f"{timer(identifier)}.timer"], timeout=_SECONDS)

    def timer_runs(self, identifier: str) -> bool:
        return bool(self.active([f"{timer(identifier)}.timer"]))

    def active(self, names: list[str]) -> list[str]:
        """Those of the units that are active."""
        done = self.run(["systemctl", "is-active", *names], timeout=_SECONDS)
        return [name for name, said in zip(names, done.output.split()) if said == "active"]

    def _systemd_run(self, words: list[str], seconds: float) -> None:
        done = self.run(["systemd-run", "--quiet", "--collect", *words], timeout=seconds)
        if done.status != 0:
            said = done.errors.strip() or f"exit code {done.status}"
            raise SubsystemError(f"systemd-run said: {said}.", hint="Look at systemctl status and the journal.")


def timer(identifier: str) -> str:
    """The timer's name. Every checkpoint has its own, so that an old one never ends a new checkpoint."""
    return f"{NAME}-{identifier}"
