# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A set of hosts as a file says: hosts, cables, and what the switch is configured to.

name: node-network
hosts: {node1: ovs, switch: ovs}             # host: image
ssh: false
links:
  - [node1, eno1, switch, n1p1]              # host, port, partner, partner's port, and its MTU
lan: {node1: 198.19.64.11/24, control: 198.19.64.254/24}       # one network for these hosts, and this machine
control: {port: ctl0, vlan: 10, address: 198.19.10.254/24}   # this machine plugged into the switch; may be left out
switch:
  host: switch
  bonds:
    - {name: n1lan, members: [n1p1, n1p2], vlans: [10, 20]}  # or tag: 200; lacp: active (default), passive, off
  addresses:
    - {vlan: 10, address: 198.19.10.1/24, mtu: 9000}
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.hosts.group import Hosts
from lab.hosts.lan import Lan
from lab.hosts.record import Record
from lab.hosts.switch import Switch


@dataclass(frozen=True)
class Topology:
    """What the file says, unchecked: it is written by who writes the test."""

    name: str
    hosts: dict[str, str]
    links: list[list[Any]] = field(default_factory=list)
    switch: dict[str, Any] = field(default_factory=dict)
    control: dict[str, Any] = field(default_factory=dict)
    lan: dict[str, str] = field(default_factory=dict)
    ssh: bool = False

    @classmethod
    def read(cls, path: Path) -> Topology:
        return cls(**yaml.safe_load(path.read_text()))

    def up(self) -> Hosts:
        """Start and wire the hosts and configure the switch. They stay until `down(name)`."""
        hosts = Hosts(*self.hosts, images=self.hosts, ssh=self.ssh, name=self.name).up()
        try:
            self._equip(hosts)
            for host, port, partner, partner_port, *mtu in self.links:
                hosts.link(host, port, partner, partner_port).carry(*(mtu or [1500]))
            if self.lan:
                self._connect(hosts)
            if self.switch:
                self._configure(hosts)
        except BaseException:
            hosts.down()
            raise
        return hosts

    def _equip(self, hosts: Hosts) -> None:
        """The image `scst` gets its hardware and its kernel modules from lab.scst."""
        for name in [name for name, image in self.hosts.items() if image == "scst"]:
            from lab.scst.host import install  # needs what only that host needs

            install(hosts[name])

    def _connect(self, hosts: Hosts) -> None:
        lan = Lan(hosts)
        for name, address in self.lan.items():
            if name == "control":
                lan.plug_in(address)
            else:
                lan.join(name, address)

    def _configure(self, hosts: Hosts) -> None:
        switch = Switch(hosts[self.switch["host"]])
        for bond in self.switch.get("bonds", []):
            switch.bond(**bond)
        for address in self.switch.get("addresses", []):
            switch.address(**address)
        if self.control:
            hosts.plug_in(self.switch["host"], self.control["port"], self.control["address"])
            switch.access_port(self.control["port"], self.control["vlan"])

    def inventory(self) -> str:
        """For Ansible: into the hosts by nsenter, as root. The process id is read at every task, so a host that is not
        there fails, and is not taken for this machine."""
        hosts = {name: self._variables(name) for name in self.hosts}
        return yaml.safe_dump({"all": {"hosts": hosts}}, explicit_start=True)

    def _variables(self, name: str) -> dict[str, str]:
        pid_file = Record(self.name).directory / f"{name}.pid"
        return {
            "ansible_connection": "community.docker.nsenter",
            "ansible_nsenter_pid": f"{{{{ lookup('ansible.builtin.file', '{pid_file}') }}}}",
            "ansible_python_interpreter": "/usr/bin/python3",
        }
