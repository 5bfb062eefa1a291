# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The nodes of a simulated cluster as Ansible reaches them: each is this machine, with programs that answer for it.

What a node's ha-manager, apt-get, uname and their like say and do is said and done here, in the process of the lab, to
the same cluster that its API shows. `python` is an interpreter that finds these programs first, so a play whose
ansible_python_interpreter it is touches nothing of this machine.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socketserver
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lab.pve.cluster import Cluster

T = TypeVar("T")
PROGRAMS = ("apt-get", "dpkg", "ha-manager", "lab-reboot", "proxmox-boot-tool", "pve9to10", "uname")
OLD_KERNEL, NEW_KERNEL = "6.17.2-1-pve", "6.17.10-1-pve"
CLOCK = "Sun Nov 22 01:06:37 2026"
_STUB = """#!{python} -IS
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({socket!r})
    line.sendall(json.dumps([os.environ["LAB_NODE"], os.path.basename(sys.argv[0]), *sys.argv[1:]]).encode() + b"\\n")
    answer = json.loads(line.makefile().read())
sys.stdout.write(answer["out"])
sys.stderr.write(answer["err"])
sys.exit(answer["code"])
"""
_PYTHON = """#!/bin/sh
export LAB_NODE='{node}' PATH='{bin}':"$PATH"
exec '{python}' "$@"
"""


@dataclass
class Machine:
    """What a node has. pending: (package, its version, the newer one).  removed: what apt would take away.
    interrupted: dpkg was killed in the middle.  broken: apt fails.  mirrors: they answer.
    returns: from its next reboot."""

    running: str = OLD_KERNEL
    kernels: list[str] = field(default_factory=lambda: [OLD_KERNEL])
    pending: list[tuple[str, str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    interrupted: bool = False
    broken: bool = False
    mirrors: bool = True
    returns: bool = True
    reboots: int = 0


class Refused(Exception):
    """What a program says before it ends with an error."""


class Simulated(Protocol):
    """What it takes of a lab."""

    @property
    def cluster(self) -> Cluster:
        """What is in it."""

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run it where the requests are answered."""

    def node_offline(self, name: str) -> None:
        """The node is off."""

    def node_online(self, name: str) -> None:
        """The node is back."""


class Fleet:
    """round: seconds until the HA manager has taken an order up.  names: the nodes, where they are no cluster yet."""

    def __init__(self, lab: Simulated, round_seconds: float = 0.2, names: Iterable[str] = ()) -> None:
        self.lab, self.round = lab, round_seconds
        self.machines = {name: Machine() for name in tuple(names) or lab.cluster.nodes}
        self.calls: list[tuple[str, ...]] = []
        # Guests that ran on a node when it was rebooted.
        self.lost: list[int] = []
        # Called in the middle of a node's upgrade, with its name.
        self.while_upgrading: Callable[[str], None] = lambda _node: None
        self.checklist = "PASS: all packages up-to-date\n"
        self._homes: dict[int, str] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="lab-fleet-"))
        self._write_programs()
        fleet = self

        class Line(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                node, *argv = json.loads(self.rfile.readline())
                with contextlib.suppress(BrokenPipeError):
                    self.wfile.write(json.dumps(fleet.answer(node, argv)).encode())

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(str(self._folder / "line"), Line)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_why: object) -> None:
        self.close()

    def _write_programs(self) -> None:
        folder = self._folder / "bin"
        folder.mkdir()
        for name in PROGRAMS:
            (folder / name).write_text(_STUB.format(python=sys.executable, socket=str(self._folder / "line")))
        for node in self.machines:
            (self._folder / node).write_text(_PYTHON.format(node=node, bin=folder, python=sys.executable))
        for file in (*folder.iterdir(), *(self._folder / node for node in self.machines)):
            file.chmod(0o755)

    def python(self, node: str) -> str:
        """The interpreter for Ansible's modules on this node."""
        return str(self._folder / node)

    def offer(self, *packages: str, nodes: tuple[str, ...] = (), kernel: bool = False) -> None:
        """Newer packages in the repositories, for these nodes or all."""
        for name in nodes or tuple(self.machines):
            machine = self.machines[name]
            machine.pending += [(package, "1.0", "1.1") for package in packages]
            if kernel:
                machine.pending.append((f"proxmox-kernel-{NEW_KERNEL}-signed", "", NEW_KERNEL))

    def upgrades(self) -> list[str]:
        """The nodes whose packages were installed, in their order."""
        return [call[0] for call in self.calls if call[1] == "apt-get" and call[-1] == "dist-upgrade" and "-o" in call]

    # ------------------------------------------------------------- programs

    def answer(self, node: str, argv: list[str]) -> dict[str, Any]:
        self.calls.append((node, *argv))
        try:
            return {"out": self._does(node, argv), "err": "", "code": 0}
        except Refused as problem:
            return {"out": "", "err": f"{problem}\n", "code": 100}

    def _does(self, node: str, argv: list[str]) -> str:
        machine = self.machines[node]
        match argv:
            case ["uname", "-r"]:
                return f"{machine.running}\n"
            case ["proxmox-boot-tool", "kernel", "list"]:
                kernels = "\n".join(machine.kernels)
                return f"Manually selected kernels:\nNone.\n\nAutomatically selected kernels:\n{kernels}\n"
            case ["apt-get", "update", *_]:
                return self._updated(machine, argv)
            case ["apt-get", "--simulate", "dist-upgrade"]:
                return self._simulated(machine)
            case ["apt-get", "--assume-yes", *_, "dist-upgrade"]:
                return self._upgraded(node, machine)
            case ["dpkg", *_, "--configure", "--pending"]:
                was, machine.interrupted = machine.interrupted, False
                return "Setting up what was interrupted ...\n" if was else ""
            case ["pve9to10", "--full"]:
                return self.checklist
            case ["lab-reboot"]:
                return self._rebooted(node, machine)
            case ["ha-manager", "status"]:
                return self.lab.call(self._ha_status)
            case ["ha-manager", "crm-command", "node-maintenance", ("enable" | "disable") as verb, wanted]:
                return self._ordered(verb, wanted)
        raise Refused(f"the lab knows no {' '.join(argv)}")

    @staticmethod
    def _updated(machine: Machine, argv: list[str]) -> str:
        # Old lists do for apt, unless it is told otherwise.
        if not machine.mirrors and "APT::Update::Error-Mode=any" in argv:
            raise Refused("E: Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease  Could not connect")
        return "Reading package lists...\n"

    @staticmethod
    def _simulated(machine: Machine) -> str:
        lines = [f"Remv {name} [1.0]" for name in machine.removed]
        for name, old, new in machine.pending:
            lines.append(f"Inst {name}{f' [{old}]' if old else ''} ({new} Proxmox Debian repo:stable [amd64])")
        return "\n".join(["Calculating upgrade...", *lines, ""])

    def _upgraded(self, node: str, machine: Machine) -> str:
        if machine.interrupted:
            raise Refused(
                "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."
            )
        if machine.broken:
            raise Refused("E: Sub-process /usr/bin/dpkg returned an error code (1)")
        self.while_upgrading(node)
        for name, _old, new in machine.pending:
            if name.startswith("proxmox-kernel-"):
                machine.kernels.append(new)
        machine.pending, machine.removed = [], []
        return "Setting up ...\n"

    def _rebooted(self, node: str, machine: Machine) -> str:
        def fall() -> None:
            for guest in self.lab.cluster.by_vmid.values():
                if guest.node == node and guest.running:
                    self.lost.append(guest.vmid)
                    self.lab.cluster.mark_stopped(guest)

        self.lab.call(fall)
        self.lab.node_offline(node)
        time.sleep(0.3)
        machine.reboots += 1
        machine.running = machine.kernels[-1]
        if machine.returns:
            self.lab.node_online(node)
        return ""

    # --------------------------------------------------------- the HA manager

    def _ha_status(self) -> str:
        cluster = self.lab.cluster
        first = next(iter(cluster.nodes))
        lines = [
            "quorum OK" if cluster.quorate else f"quorum No quorum on node '{first}'!",
            f"master {first} (active, {CLOCK})",
        ]
        for name in cluster.nodes:
            mood = "maintenance mode" if name in cluster.maintained else "active"
            if not cluster.online(name):
                mood = "old timestamp - dead?, watchdog standby"
            lines.append(f"lrm {name} ({mood}, {CLOCK})")
        for sid in cluster.ha_resources:
            guest = cluster.guest_of_sid(sid)
            if guest is not None:
                lines.append(f"service {sid} ({guest.node}, {cluster.ha_state_of(guest)})")
        return "\n".join(lines) + "\n"

    def _ordered(self, verb: str, node: str) -> str:
        if node not in self.machines:
            raise Refused(f"no such node '{node}'")
        if not self.lab.cluster.quorate:
            raise Refused("cfs-lock 'domain-ha' error: no quorum!")
        timer = threading.Timer(self.round, lambda: self.lab.call(self._taken_up, verb, node))
        timer.daemon = True
        timer.start()
        return ""

    def _taken_up(self, verb: str, node: str) -> None:
        cluster = self.lab.cluster
        if verb == "enable":
            cluster.maintained.add(node)
        else:
            cluster.maintained.discard(node)
        for sid in cluster.ha_resources:
            guest = cluster.guest_of_sid(sid)
            if guest is None or cluster.ha_state_of(guest) == "ignored":
                continue
            if verb == "enable" and guest.node == node:
                self._homes[guest.vmid] = node
                cluster.move(guest, self._refuge(node))
            elif verb == "disable" and self._homes.get(guest.vmid) == node:
                cluster.move(guest, self._homes.pop(guest.vmid))

    def _refuge(self, node: str) -> str:
        """The other node with the fewest services, as the manager counts."""
        cluster = self.lab.cluster
        at = [guest.node for sid in cluster.ha_resources if (guest := cluster.guest_of_sid(sid)) is not None]
        others = [
            name for name in cluster.nodes if name != node and cluster.online(name) and name not in cluster.maintained
        ]
        return min(others, key=lambda name: (at.count(name), name))
