# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One network for all hosts: a Linux bridge in a namespace of its own, for tests that are not about the switch.

lan = Lan(hosts)
lan.join("a", "198.19.60.11/24")             # the host's eth0; the address is there again after a restart
lan.plug_in("198.19.60.254/24")              # this machine
lan.isolate("a")                             # it is cut from everybody, and not told; lan.rejoin("a")
"""

from __future__ import annotations

from lab.hosts.group import Hosts
from lab.hosts.links import Link
from lab.hosts.namespaces import Port, wire

PORT = "eth0"
_BRIDGE = "lan"
_UNIT = """[Unit]
Description=Address in the lab's network
Before=network.target network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/ip address replace {address} dev {port}
ExecStart=/usr/sbin/ip link set {port} up

[Install]
WantedBy=multi-user.target network-online.target
"""


class Lan:
    """`cables` has the cable of each host that joined, `isolated` who is cut at the moment."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self.namespace = hosts.namespace("lan")
        self.namespace.ip("link", "add", _BRIDGE, "type", "bridge")
        self.namespace.ip("link", "set", _BRIDGE, "up")
        self.cables: dict[str, Link] = {}
        self.isolated: set[str] = set()

    def join(self, host: str, address: str) -> Link:
        """A cable for the host, and its address with the prefix length."""
        machine = self._hosts[host]
        link = self.cables[host] = Link(machine.port(PORT), Port(self.namespace, host))
        wire(link.near, link.far)
        link.near.prepare(for_switch=False)
        self._attach(link.far)
        machine.write("/etc/systemd/system/lab-lan.service", _UNIT.format(address=address, port=PORT))
        machine.run("systemctl", "enable", "--quiet", "--now", "lab-lan.service")
        return link

    def isolate(self, host: str) -> None:
        """Its cable leads nowhere from now on; it keeps its carrier, and sending succeeds. (Where a cable is silenced,
        sending fails, and Corosync's transport tries the same datagram again and again instead of seeing the loss.)"""
        self.cables[host].far.set("nomaster")
        self.isolated.add(host)

    def rejoin(self, host: str) -> None:
        self._attach(self.cables[host].far)
        self.isolated.discard(host)

    def plug_in(self, address: str) -> str:
        """A cable for this machine, the control host, with `address`; the name of its end."""
        far = Port(self.namespace, "control")
        name = self._hosts.plug(far, address)
        self._attach(far)
        return name

    @staticmethod
    def _attach(port: Port) -> None:
        port.prepare(for_switch=False)
        port.set("master", _BRIDGE)
