# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is up on a node, and what `ifreload -a` makes of a new file, ifupdown2's blind spot included."""

from __future__ import annotations

import copy
from typing import Any

from lab.pve.network_interfaces import Entry, Interfaces

UNRECOGNISED = "interface not recognized - please check interface configuration"
MEMBERS_OF = {"bridge": "bridge_ports", "bond": "slaves", "OVSBond": "ovs_bonds", "OVSBridge": "ovs_ports"}
# Only the file knows these.
OF_THE_FILE = ("priority", "comments", "comments6", "autostart", "families", "exists")


def members_of(entry: Entry) -> list[str]:
    """The interfaces a bridge or bond is made of."""
    return str(entry.get(MEMBERS_OF.get(str(entry.get("type")), ""), "")).split()


class Live:
    """The interfaces that are up, each as it was configured when it came up."""

    def __init__(self) -> None:
        self.up: dict[str, dict[str, Any]] = {}

    def is_active(self, name: str) -> bool:
        """What PVE calls active: a link of the kernel's, which a bond of Open vSwitch is not."""
        return name in self.up and self.up[name]["type"] != "OVSBond"

    def reload(self, wanted: Interfaces) -> list[str]:
        """Bring up what the file wants, take down what it does not; returns the lines of ifupdown2's complaints."""
        complaints: list[str] = []
        now: dict[str, dict[str, Any]] = {}
        for name in self._wanted_up(wanted):
            entry = self._state_of(wanted.entries.get(name, {"type": "vlan"}))
            before = self.up.get(name)
            both = before is not None and before["type"] == entry["type"] == "OVSBond"
            if before and both and set(members_of(before)) != set(members_of(entry)):
                # ovs-vsctl is called with --may-exist and the new members, which changes nothing.
                complaints.append(f"{name} : warning: {name}: {UNRECOGNISED}")
                entry = before
            now[name] = entry
        for name, entry in self.up.items():
            if entry["type"] == "eth" and name in wanted.entries and name not in now:
                # A card stays up when nothing uses it any more.
                now[name] = self._state_of(wanted.entries[name])
        self.up = now
        return complaints

    @staticmethod
    def _state_of(entry: Entry) -> dict[str, Any]:
        return {key: copy.deepcopy(value) for key, value in entry.items() if key not in OF_THE_FILE}

    @staticmethod
    def _wanted_up(wanted: Interfaces) -> list[str]:
        """Everything that starts by itself, and what that consists of."""
        queue = [name for name, entry in wanted.entries.items() if entry.get("autostart")]
        found: list[str] = []
        while queue:
            name = queue.pop(0)
            if name not in found:
                found.append(name)
                queue += members_of(wanted.entries.get(name, {}))
        return found

    def set_members(self, bond: str, members: tuple[str, ...]) -> None:
        """As `ovs-vsctl add-bond-iface … -- del-bond-iface …` does it."""
        self.up[bond][MEMBERS_OF[self.up[bond]["type"]]] = " ".join(members)
