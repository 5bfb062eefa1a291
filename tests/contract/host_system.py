# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A whole host under test: a container with a systemd, an Open vSwitch and an ifupdown2 of its own."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ansible
import pytest

from lab.hosts import Hosts, why_not
from tests.contract.discovery import ROOT
from tests.contract.invocation import Result
from tests.contract.system import System

HOME = "/root/contract"
STATE = "/var/lib/hospital.continuity"
CHECKPOINT = f"{STATE}/network-checkpoint"
UNITS = "/etc/systemd/system"
UNIT = "hospital-continuity-network-checkpoint"
SNAPSHOTS = "hospital-continuity-snapshots"
INTERFACES = "/etc/network/interfaces"
FAILURE = "the lab lets this fail"

# What Ansible's own wrapper does: arguments in, the module's main(), its answer out.
_RUN = f"""
import importlib, sys
sys.path.insert(0, {HOME!r})
from ansible.module_utils import basic
basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
basic._ANSIBLE_PROFILE = "legacy"
importlib.import_module("ansible_collections.hospital.continuity.plugins.modules." + sys.argv[1]).main()
"""


class HostSystem(System):
    """Modules run there as they do when Ansible sends them, from a copy of this tree."""

    def __init__(self) -> None:
        if reason := why_not():
            pytest.skip(f"a host in a container cannot be had: {reason}")
        self._stack = contextlib.ExitStack()
        self._hosts = self._stack.enter_context(Hosts("node1", ssh=True))
        self.host = self._hosts["node1"]
        self.host.run("mkdir", "-p", HOME)
        subprocess.run(self.host.argv("tar", "-C", HOME, "-x"), input=_packed(), check=True)
        self._path = "/usr/sbin:/usr/bin:/sbin:/bin"
        self._seen: Any = None
        self._writes = 0
        self._cursor = ""

    def close(self) -> None:
        self._stack.close()

    def reset(self) -> None:
        """No checkpoint, no timer, no bridge, an empty configuration."""
        for unit in self._units():
            self.host.run("systemctl", "stop", unit, check=False)
        ours = [f"{UNIT}.service", f"{SNAPSHOTS}.service", f"{SNAPSHOTS}.timer"]
        links = [f"{UNITS}/sysinit.target.wants/{UNIT}.service", f"{UNITS}/timers.target.wants/{SNAPSHOTS}.timer"]
        self.host.run("rm", "-rf", STATE, *links, *(f"{UNITS}/{name}" for name in ours))
        self.host.run("systemctl", "daemon-reload")
        self.host.write(INTERFACES, "auto lo\niface lo inet loopback\n")
        words = [word for name in self.vsctl("list-br").split() for word in ("--", "del-br", name)]
        if words:
            self.vsctl(*words)

    def vsctl(self, *words: str) -> str:
        """What somebody at the host's console does."""
        return self.host.run("ovs-vsctl", "--timeout=10", *words).stdout

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

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {}

    def run(
        self,
        module: str,
        config: list[Mapping[str, Any]] | None = None,
        *,
        check: bool = False,
        root: bool = False,
        verbosity: int = 0,
        **arguments: Any,
    ) -> Result:
        if config is not None:
            arguments["config"] = config
        internal = {"_ansible_check_mode": check, "_ansible_diff": True, "_ansible_verbosity": verbosity}
        given = json.dumps({"ANSIBLE_MODULE_ARGS": {**arguments, **internal}})
        self._mark()
        words = ["env", f"PATH={self._path}", "python3", "-c", _RUN, module]
        done = self.host.run(*words, stdin=given, check=False, timeout=120)
        try:
            data = json.loads(done.stdout)
        except ValueError:
            data = {}
        crash = "" if data else done.stderr or "no answer"
        return Result(done.returncode, data, done.stdout, done.stderr, "", crash)

    def writes(self) -> int:
        """How often something of ours was found changed."""
        places = [CHECKPOINT, f"{STATE}/snapshots", UNITS, "/etc/network", f"{INTERFACES}.d"]
        places += [f"{UNITS}/{target}.target.wants" for target in ("sysinit", "timers")]
        files = self.host.run("find", *places, "-maxdepth", "1", "-printf", r"%p %i %T@ %s\n", check=False).stdout
        now = (sorted(files.splitlines()), self._units(), self.vsctl("get", "Open_vSwitch", ".", "next_cfg"))
        self._writes += self._seen is not None and now != self._seen
        self._seen = now
        return self._writes

    def inventory(self) -> Any:
        """What could still act, and what it would find."""
        names = [f"{CHECKPOINT}/state.json", f"{CHECKPOINT}/armed", f"{UNITS}/{UNIT}.service"]
        names += [f"{UNITS}/{SNAPSHOTS}.service", f"{UNITS}/{SNAPSHOTS}.timer"]
        return {
            "files": {name: self.host.run("cat", name, check=False).stdout for name in names},
            "units": self._units(),
            "interfaces": self.host.read(INTERFACES),
            "bridges": self.vsctl("list-br"),
        }

    def readable(self) -> str:
        """The log since the last run began, and files written since that others than root may read."""
        log = self.host.run("journalctl", "--no-pager", "--output=cat", f"--after-cursor={self._cursor}").stdout
        places = ["/etc", "/var/lib", "/var/log", "/var/tmp", "/run", "/tmp"]
        words = ["-type", "f", "-newer", f"{HOME}/mark", "-perm", "/o=r", "-exec", "cat", "{}", "+"]
        return log + self.host.run("find", *places, *words, check=False).stdout

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """A program of systemd that fails; else a directory that cannot be written to."""
        if name.startswith("system"):
            self.host.write(f"{HOME}/failing/{name}", f"#!/bin/sh\necho '{FAILURE}' >&2\nexit 1\n", "0755")
            path, self._path = self._path, f"{HOME}/failing:{self._path}"
            try:
                yield
            finally:
                self._path = path
            return
        self.host.run("mkdir", "-p", name)
        self.host.run("mount", "--bind", name, name)
        try:
            self.host.run("mount", "-o", "remount,bind,ro", name)
            yield
        finally:
            self.host.run("umount", name)

    @contextlib.contextmanager
    def out_of_reach(self) -> Iterator[None]:
        """The host lets nobody in by SSH."""
        self.host.run("systemctl", "stop", "ssh.service", "ssh.socket")
        try:
            yield
        finally:
            self.host.run("systemctl", "start", "ssh.service")

    def _units(self) -> list[str]:
        """Ours, as far as they are at work."""
        words = ["systemctl", "list-units", "--plain", "--no-legend", f"{UNIT}*", f"{SNAPSHOTS}*"]
        return sorted(line.split()[0] for line in self.host.run(*words).stdout.splitlines())

    def _mark(self) -> None:
        self.host.run("touch", f"{HOME}/mark")
        shown = self.host.run("journalctl", "--no-pager", "--lines=1", "--show-cursor", "--output=cat").stdout
        self._cursor = shown.rpartition("-- cursor: ")[2].strip()


def _packed() -> bytes:
    """This collection's plugins, and what of Ansible comes with a module to a host."""
    package = Path(ansible.__file__).parent
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as tar:
        tar.add(package / "module_utils", "ansible/module_utils", filter=_sources)
        text = f"__version__ = {ansible.__version__!r}\n".encode()
        entry = tarfile.TarInfo("ansible/__init__.py")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
        tar.add(ROOT / "plugins", "ansible_collections/hospital/continuity/plugins", filter=_sources)
    return buffer.getvalue()


def _sources(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if member.name.endswith("__pycache__") else member
