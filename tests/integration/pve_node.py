# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node of Proxmox VE in two halves: its API is the lab's, its network is a container's with real Open vSwitch and
ifupdown2. The file that the API stages and puts in force is the container's own /etc/network/interfaces."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.hosts import Host
from lab.pve import Lab
from lab.pve.network_interfaces import Interfaces
from lab.pve.network_node import NodeNetwork

INTERFACES = "/etc/network/interfaces"
# A container has no kernel module for Open vSwitch, so each bridge gets the datapath that works without. PVE's file
# knows nothing of it.
_NETDEV = "\tovs_extra set bridge {} datapath_type=netdev\n"
_BRIDGE = re.compile(r"^iface (\S+) [^\n]*\n(?:\t[^\n]*\n)*?\tovs_type OVSBridge\n", re.MULTILINE)
_ADDED = re.compile(_NETDEV.format(r"\S+"))


class ContainerNetwork(NodeNetwork):
    """What PVE does with the file is the lab's; the file, the reload and what is up are the container's."""

    def __init__(self, host: Host, text: str, physical: tuple[str, ...]) -> None:
        self.host = host
        super().__init__(text, physical)

    @property
    def active(self) -> str:
        return _ADDED.sub("", self._file.read_text())

    @active.setter
    def active(self, text: str) -> None:
        self._file.write_text(_BRIDGE.sub(lambda found: found[0] + _NETDEV.format(found[1]), text))

    @property
    def _file(self) -> Path:
        return Path(f"/proc/{self.host.pid}/root{INTERFACES}")

    def read(self) -> Interfaces:
        found = super().read()
        links = json.loads(self.host.namespace.ip("-json", "link", "show"))
        up = {link["ifname"] for link in links if "UP" in link["flags"]}
        for name, entry in found.entries.items():
            entry.pop("active", None)
            if name in up and entry["type"] != "OVSBond":
                entry["active"] = 1
        return found

    def reload(self) -> list[str]:
        # It exits with 1, because it asks the kernel's Open vSwitch as well, and does everything.
        self.host.run("ifreload", "-a", check=False)
        return super().reload()


HA_MANAGER = r"""#!/bin/sh
# The one program of Proxmox VE that is not real here: it says what it was asked, and the test does it.
state=/run/ha-manager
mkdir -p $state
case "$1" in
  status)
    echo "quorum OK"
    if [ -e $state/maintenance ]; then mood="maintenance mode"; else mood="active"; fi
    echo "lrm $(hostname) ($mood, Sun Nov 22 05:00:00 2026)"
    ;;
  crm-command)
    echo "$3 $4" >> $state/calls
    if [ "$3" = enable ]; then touch $state/maintenance; else rm -f $state/maintenance; fi
    ;;
esac
"""


class HighAvailability:
    """The manager behind that program: it moves the guests of a node in maintenance to another one, and back."""

    def __init__(self, host: Host, lab: Lab, other: str) -> None:
        self._host, self._lab, self._other = host, lab, other
        self.obeys = True
        host.write("/usr/sbin/ha-manager", HA_MANAGER, "0755")

    @property
    def calls(self) -> list[str]:
        done = self._host.run("cat", "/run/ha-manager/calls", check=False)
        return done.stdout.splitlines()

    @property
    def maintenance(self) -> bool:
        return self._maintenance.exists()

    @property
    def _maintenance(self) -> Path:
        return Path(f"/proc/{self._host.pid}/root/run/ha-manager/maintenance")

    def forget(self) -> None:
        self._host.run("rm", "-rf", "/run/ha-manager")
        self.obeys = True

    @contextmanager
    def at_work(self) -> Iterator[None]:
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(ended,), daemon=True)
        thread.start()
        yield
        ended.set()
        thread.join()

    def _work(self, ended: threading.Event) -> None:
        was = self.maintenance
        while not ended.is_set():
            time.sleep(0.1)
            now = self.maintenance
            if now != was and self.obeys:
                there, here = (self._other, self._host.name) if now else (self._host.name, self._other)
                for vmid in self._lab.call(self._managed_at, here):
                    self._lab.move_guest(vmid, there)
            was = now

    def _managed_at(self, node: str) -> list[int]:
        cluster = self._lab.cluster
        found = [cluster.guest_of_sid(sid) for sid in cluster.ha_resources]
        return [guest.vmid for guest in found if guest is not None and guest.node == node]
