# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST and a tape library in a container of the lab, with a simulated kernel."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Hosts, why_not
from lab.hosts.host import Host
from tests.contract.host_system import HOME
from tests.contract.module_server import ModuleServer
from tests.contract.scst_system import BARE, CONF, STATE, SYSFS, ScsiDevice, ScstSystem


class LabScst(ScstSystem):
    """A container with a simulated kernel."""

    _INITIATOR = "iqn.1993-08.org.debian:01:hct"

    def __init__(self) -> None:
        if reason := why_not():
            pytest.skip(f"a host in a container cannot be had: {reason}")
        if not Path("/dev/fuse").exists():
            pytest.skip("the simulated SCST needs /dev/fuse")
        from lab.scst.control import SOCKET
        from lab.scst.host import ScstHost

        self._stack = contextlib.ExitStack()
        self._hosts = self._stack.enter_context(Hosts("tape1", image="scst", ssh=True))
        self.host: Host = self._hosts["tape1"]
        self.place = self.host
        self.scst = ScstHost(self.host)
        self.on_replace = {CONF: str(SOCKET)}
        super().__init__()

    def _end(self) -> None:
        self._server.close()
        self._stack.close()

    # What a console would do, without a process for it: the host's files are seen through its root directory.

    def _path(self, path: str) -> Path:
        return Path(f"/proc/{self.host.pid}/root{SYSFS}/{path}")

    def read(self, path: str) -> str:
        try:
            return self._path(path).read_text().strip().removesuffix("[key]").strip()
        except OSError:
            return super().read(path)  # which says what the host says

    def listing(self, path: str) -> list[str]:
        place = self._path(path)
        return sorted(entry.name for entry in place.iterdir() if entry.name != "mgmt") if place.is_dir() else []

    def write(self, path: str, text: str) -> str:
        try:
            handle = os.open(self._path(path), os.O_WRONLY)
            try:
                os.write(handle, f"{text}\n".encode())
            finally:
                os.close(handle)
        except OSError as problem:
            return errno.errorcode[problem.errno or 0]
        return ""

    def start(self) -> None:
        for module in ("scst_tape", "scst_changer", "iscsi_scst"):
            self.lever("load", module=module)
        self.shell("iscsi-scstd")

    def lever(self, name: str, **arguments: Any) -> Any:
        """Of lab.scst.levers."""
        return self.scst.lever(name, **arguments)

    def reset(self) -> None:
        root = Path(f"/proc/{self.host.pid}/root")
        # Only what was loaded or started needs programs, and those are slow.
        loaded = self.lever("loaded")
        self.lever("bare")
        if loaded:
            self.shell("pkill -x iscsi-scstd", check=False)
        if self.shell("systemctl is-active scst", check=False).strip() != "inactive":
            self.shell(BARE)
        shutil.rmtree(root / STATE.lstrip("/"), ignore_errors=True)
        for path in [root / CONF.lstrip("/"), *root.glob("etc/systemd/system/multi-user.target.wants/scst.service")]:
            path.unlink(missing_ok=True)
        self.lever("reset")
        self._mark()
        self.lost = False

    def writes(self) -> int:
        """Those that arrived at the simulated kernel, scst.conf replaced, and units changed."""
        root = Path(f"/proc/{self.host.pid}/root")
        paths = sorted([root / CONF.lstrip("/"), *(root / "etc/systemd/system").rglob("*")])
        now = [(str(path), path.lstat().st_mtime_ns, path.lstat().st_ino) for path in paths if path.is_file()]
        units = [entry for entry in now if "systemd" in entry[0]]
        self._changes += self._seen is not None and units != self._seen
        self._seen = units
        return int(self.lever("writes")) + self._changes

    def inventory(self) -> Any:
        root = Path(f"/proc/{self.host.pid}/root")
        conf = root / CONF.lstrip("/")
        return [
            self.lever("dump"),
            self.lever("loaded"),
            self.lever("library"),
            (conf.read_text(), conf.stat().st_mode) if conf.exists() else None,
            sorted(str(path) for path in root.glob("etc/systemd/system/*/scst.service")),
        ]

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        self.lever("fail_write", number=number, lost=lost)
        self.lost = lost
        try:
            yield
        finally:
            self.lever("fail_write", number=0)
            self.lost = False

    @contextlib.contextmanager
    def queued(self, writes: int = 1000) -> Iterator[None]:
        """Every write is answered EAGAIN and carried out; last_sysfs_mgmt_res tells how it ended."""
        self.lever("queue", writes=writes)
        try:
            yield
        finally:
            self.lever("queue", writes=0)

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """`jam`: the robot moves nothing; `queue`: every write is answered EAGAIN."""
        if name == "queue":
            with self.queued():
                yield
            return
        assert name == "jam"
        self.lever("jam", jammed=True)
        try:
            yield
        finally:
            self.lever("jam", jammed=False)

    def devices(self, kind: int) -> list[ScsiDevice]:
        """As the shell would find them, without fifty processes."""
        hardware = self.lever("hardware")
        nodes = {target: name for name, target in hardware["by_id"].items()}
        found = []
        for one in hardware["devices"]:
            if one["type"] == kind and one["present"]:
                generic = f"sg{one['generic']}"
                names = self.lever("names", device=one["hcil"])
                by_id = next(nodes[name] for name in names if name in nodes)
                found.append(ScsiDevice(one["hcil"], kind, generic, one["serial"].strip(), by_id))
        return sorted(found, key=lambda one: one.serial)

    def come_back(self, device: ScsiDevice, hcil: str = "") -> None:
        if not hcil:
            return super().come_back(device)
        self.lever("come_back", device=device.serial, hcil=hcil)
        return None

    def reboot(self) -> None:
        """Power lost and back; the server for modules starts anew."""
        self._server.close()
        self.host.reset()
        self._server = ModuleServer(self.place.argv, HOME)

    def initiator(self) -> str:
        return self._INITIATOR

    def login(self, target: str, user: str = "", secret: str = "") -> None:
        answer = self.lever("login", target=target, initiator=self._INITIATOR, user=user, secret=secret)
        assert not answer["failed"], answer["why"]

    def logout(self, target: str) -> None:
        self.lever("logout", target=target, initiator=self._INITIATOR)

    def variables(self) -> dict[str, Any]:
        access = self.host.access
        assert access is not None
        return {
            "ansible_connection": "ssh",
            "ansible_host": access.address,
            "ansible_user": "root",
            "ansible_ssh_common_args": " ".join(access.options()),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/root/.ansible/tmp",
        }
