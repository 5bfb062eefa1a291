# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""ha-manager and pvecm of a simulated node: what the API does not offer, at work on a file.

    python lab/pve/programs.py STATE ha-manager status

STATE is a JSON file; corosync.conf stands beside it. An order of ha-manager is only written down: the manager takes it
up in one round and has moved guests in the next, and looking at it is what makes a round go by here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CLOCK = "Sun Nov 22 01:06:37 2026"
FIRST: dict[str, Any] = {
    "nodes": {"pve1": "10.99.0.11", "pve2": "10.99.0.12"},
    "offline": [],
    "maintenance": [],
    "orders": [],
    "services": {"vm:100": "pve1", "vm:101": "pve2"},
    "homes": {"vm:100": "pve1", "vm:101": "pve2"},
    "states": {},
    "qdevice": "",
    "ties": "A,V,NMW",
    # A manager that takes nothing up.
    "idle": False,
}


def conf(state: dict[str, Any]) -> str:
    """corosync.conf."""
    nodes = "".join(
        f"  node {{\n    name: {name}\n    nodeid: {number}\n    quorum_votes: 1\n    ring0_addr: {address}\n  }}\n"
        for number, (name, address) in enumerate(state["nodes"].items(), 1)
    )
    device = (
        "  device {\n    model: net\n    net {\n      algorithm: ffsplit\n"
        f"      host: {state['qdevice']}\n      tls: on\n    }}\n    votes: 1\n  }}\n"
    )
    quorum = (device if state["qdevice"] else "") + "  provider: corosync_votequorum\n"
    totem = "  cluster_name: testcl\n  config_version: 3\n  interface {\n    linknumber: 0\n  }\n  version: 2\n"
    logging = "logging {\n  debug: off\n  to_syslog: yes\n}\n\n"
    return f"{logging}nodelist {{\n{nodes}}}\n\nquorum {{\n{quorum}}}\n\ntotem {{\n{totem}}}\n"


class Refused(Exception):
    """What the program says before it ends with an error."""


class Node:
    def __init__(self, path: Path) -> None:
        self.path, self.state = path, json.loads(path.read_text())

    def keep(self) -> None:
        self.path.write_text(json.dumps(self.state))
        (self.path.parent / "corosync.conf").write_text(conf(self.state))

    @property
    def online(self) -> list[str]:
        return [name for name in self.state["nodes"] if name not in self.state["offline"]]

    @property
    def quorate(self) -> bool:
        votes = len(self.state["nodes"]) + bool(self.state["qdevice"])
        return 2 * (len(self.online) + bool(self.state["qdevice"])) > votes

    # ------------------------------------------------------------ ha-manager

    def _round(self) -> None:
        """One of the manager's."""
        state = self.state
        if state["idle"]:
            return
        for sid, home in state["homes"].items():
            others = [name for name in self.online if name not in state["maintenance"]]
            if state["services"][sid] in state["maintenance"] and others:
                state["services"][sid] = others[0]
            elif home in others:
                state["services"][sid] = home
        for verb, node in state["orders"]:
            state["maintenance"] = [name for name in state["maintenance"] if name != node]
            if verb == "enable":
                state["maintenance"].append(node)
        state["orders"] = []

    def ha_status(self) -> str:
        self._round()
        self.keep()
        state = self.state
        lines = ["quorum OK" if self.quorate else "quorum No quorum on node 'pve1'!", f"master pve1 (active, {CLOCK})"]
        for name in state["nodes"]:
            mood = "maintenance mode" if name in state["maintenance"] else "active"
            if name in state["offline"]:
                mood = "old timestamp - dead?, watchdog standby"
            lines.append(f"lrm {name} ({mood}, {CLOCK})")
        lines += [
            f"service {sid} ({node}, {state['states'].get(sid, 'started')})" for sid, node in state["services"].items()
        ]
        return "\n".join(lines) + "\n"

    def node_maintenance(self, verb: str, node: str) -> str:
        if node not in self.state["nodes"]:
            raise Refused(f"no such node '{node}'")
        self.state["orders"].append([verb, node])
        self.keep()
        return ""

    # ----------------------------------------------------------------- pvecm

    def votes(self) -> str:
        state = self.state
        device = state["qdevice"]
        ties = f"{state['ties'] if device else ''}"
        rows = [
            f"0x{number:08x}          1 {ties:>10} {address}{' (local)' if number == 1 else ''}"
            for number, (name, address) in enumerate(state["nodes"].items(), 1)
            if name in self.online
        ]
        if device:
            rows.append("0x00000000          1            Qdevice")
        return (
            (
                "Cluster information\n-------------------\nName:             testcl\nConfig Version:   3\n\n"
                f"Quorum information\n------------------\nDate:             {CLOCK}\n"
                f"Nodes:            {len(self.online)}\nQuorate:          {'Yes' if self.quorate else 'No'}\n\n"
                "Membership information\n----------------------\n    Nodeid      Votes    Qdevice Name\n"
            )
            + "\n".join(rows)
            + "\n"
        )

    def set_up(self, host: str) -> str:
        self._all_online()
        if self.state["qdevice"]:
            raise Refused("QDevice already configured!")
        if len(self.state["nodes"]) % 2:
            raise Refused("Clusters with an odd node count are not officially supported!")
        self.state["qdevice"] = host
        self.keep()
        return ""

    def take_away(self) -> str:
        if not self.state["qdevice"]:
            raise Refused("No QDevice configured!")
        self._all_online()
        self.state["qdevice"] = ""
        self.keep()
        return ""

    def _all_online(self) -> None:
        for name in self.state["offline"]:
            raise Refused(f"All nodes must be online! Node {name} is offline, aborting.")

    def answer(self, words: list[str]) -> str:
        match words:
            case ["ha-manager", "status"]:
                return self.ha_status()
            case ["ha-manager", "crm-command", "node-maintenance", ("enable" | "disable") as verb, node]:
                return self.node_maintenance(verb, node)
            case ["pvecm", "status"]:
                return self.votes()
            case ["pvecm", "qdevice", "setup", host] | ["pvecm", "qdevice", "setup", host, "--network", _]:
                return self.set_up(host)
            case ["pvecm", "qdevice", "remove"]:
                return self.take_away()
        raise Refused(f"ERROR: unknown command '{' '.join(words)}'")


def main() -> int:
    try:
        print(Node(Path(sys.argv[1])).answer(sys.argv[2:]), end="")
    except Refused as problem:
        print(problem, file=sys.stderr)
        return 255
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
