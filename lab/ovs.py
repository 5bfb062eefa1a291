# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A private Open vSwitch: its own ovsdb-server and ovs-vswitchd on sockets in a temporary directory.

Neither systemd nor the system's Open vSwitch is touched. It needs the package openvswitch-switch, root for datapaths of
type netdev (network interfaces), and no kernel module. `python -m lab.ovs` starts one and prints its address.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Self

from lab.ovs_writes import FailingWrite

_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_SBIN = "/usr/sbin:/sbin"


def available() -> bool:
    """Whether Debian's openvswitch-switch is installed."""
    path = f"{os.environ.get('PATH', '')}:{_SBIN}"
    return _SCHEMA.exists() and all(shutil.which(name, path=path) for name in ("ovsdb-server", "ovs-vswitchd"))


class OvsLab:
    """`with OvsLab() as lab:` and then `lab.database` is the address of a running Open vSwitch.

    dummy: datapaths of type dummy, which need no network interface, beside those of type netdev.
    pretended_nics: NICs are pretended as well, of any name: no network interface of this host can be touched.
    """

    def __init__(self, *, dummy: bool = True, pretended_nics: bool = False) -> None:
        self._dummy = ["--enable-dummy=system" if pretended_nics else "--enable-dummy"] if dummy else []
        self.directory = Path()
        self.database = ""

    def __enter__(self) -> Self:
        if not available():
            raise RuntimeError("Open vSwitch is not installed: apt-get install openvswitch-switch")
        # A unix socket's path has 107 characters at most: not below a deep working directory.
        self.directory = Path(tempfile.mkdtemp(prefix="ovs-", dir="/tmp"))
        self.database = f"unix:{self.directory / 'db.sock'}"
        try:
            self._program("ovsdb-tool", "create", self._path("conf.db"), str(_SCHEMA))
            self._program(
                "ovsdb-server",
                self._path("conf.db"),
                f"--remote=p{self.database}",
                f"--unixctl={self._path('ovsdb-server.ctl')}",
                *self._daemon("ovsdb-server"),
            )
            self.vsctl("--no-wait", "init")
            self.start_switch()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        with suppress(subprocess.CalledProcessError):
            self.stop_switch()
        self._stop("ovsdb-server")
        shutil.rmtree(self.directory, ignore_errors=True)

    def start_switch(self) -> None:
        """Start ovs-vswitchd (again)."""
        # Its control socket is where programs look for it, in the directory of the database.
        options = ["--disable-system", *self._dummy, *self._daemon("ovs-vswitchd")]
        self._program("ovs-vswitchd", self.database, *options)
        self.vsctl("--no-wait", "init")

    def stop_switch(self) -> None:
        """Stop ovs-vswitchd; with it go its datapaths and their interfaces."""
        if (self.directory / "ovs-vswitchd.pid").exists():
            self.appctl("exit", "--cleanup")
        self._stop("ovs-vswitchd")

    def stop_database(self) -> None:
        self._stop("ovsdb-server")

    def vsctl(self, *words: str) -> str:
        """What somebody at the machine's console does."""
        return self._program("ovs-vsctl", f"--db={self.database}", "--timeout=10", *words)

    def appctl(self, *words: str) -> str:
        """What ovs-vswitchd itself says."""
        return self._program("ovs-appctl", "--timeout=10", "-t", "ovs-vswitchd", *words)

    @property
    def writes(self) -> int:
        """How many transactions have been written to the database since it was made."""
        return len(self.transactions())

    def transactions(self) -> list[str]:
        """Those transactions: the database's file is a log that says which command each was. What ovs-vswitchd writes
        (status, statistics) is not among them."""
        text = self._program("ovsdb-tool", "show-log", self._path("conf.db"))
        records = (line for line in text.splitlines() if line.startswith("record "))
        return [line for line in records if "ovs-vsctl" in line or "hospital.continuity" in line]

    def failing_write(self, number: int, *, lost: bool = False) -> AbstractContextManager[None]:
        """The number-th write (from 1) in the block fails; `lost`: it is carried out, and its answer lost."""
        return FailingWrite(self.directory / "db.sock", number, lost=lost)

    def _path(self, name: str) -> str:
        return str(self.directory / name)

    def _daemon(self, name: str) -> list[str]:
        return [
            f"--pidfile={self._path(name)}.pid",
            f"--log-file={self._path(name)}.log",
            "--detach",
            "-vconsole:off",
        ]

    def _program(self, *argv: str) -> str:
        environment = {
            **os.environ,
            "LC_ALL": "C",
            "PATH": f"{os.environ.get('PATH', '')}:{_SBIN}",
            "OVS_RUNDIR": str(self.directory),
            "OVS_LOGDIR": str(self.directory),
            "OVS_DBDIR": str(self.directory),
        }
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode != 0:
            raise subprocess.CalledProcessError(done.returncode, argv, done.stdout, done.stderr)
        return done.stdout

    def _stop(self, name: str) -> None:
        pid_file = self.directory / f"{name}.pid"
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = int(pid_file.read_text())
            os.kill(pid, signal.SIGTERM)
            for _attempt in range(100):
                os.kill(pid, 0)
                time.sleep(0.02)


def main() -> None:
    with OvsLab() as lab:
        print(f"An Open vSwitch of your own, until you press Ctrl-C.\n\n  database: {lab.database}\n")
        print(f"Look at it:  ovs-vsctl --db={lab.database} show")
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
