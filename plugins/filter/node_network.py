# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the role node_network."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.network import description

Described = Mapping[str, Any]


def pve_network_items(
    node: str, bridges: Iterable[Described] = (), bonds: Iterable[Described] = (), vlans: Iterable[Described] = ()
) -> list[dict[str, Any]]:
    try:
        return description.pve_items(node, bridges, bonds, vlans)
    except InvalidInput as problem:
        raise AnsibleFilterError(str(problem)) from None


def ovs_network_items(described: Iterable[Described], kind: str = "") -> list[dict[str, Any]]:
    try:
        return description.ovs_items(described, kind)
    except InvalidInput as problem:
        raise AnsibleFilterError(str(problem)) from None


def network_touched(
    results: Iterable[Mapping[str, Any]], bonds: Iterable[Described] = (), vlans: Iterable[Described] = ()
) -> list[str]:
    keys = [key for result in results for key in result.get("after") or {}]
    return description.touched(keys, bonds, vlans)


def storage_paths_beside(paths: Iterable[Described], names: Iterable[str]) -> dict[str, list[Described]]:
    return description.paths_beside(list(paths), set(names))


def guests_running_on(config: Mapping[str, Any], node: str) -> list[dict[str, Any]]:
    """config: as pve_info returns it, with the kinds ha_resource, vm and container."""
    resources = {str(row["sid"]): str(row.get("state") or "started") for row in config["ha_resource"]}
    found = []
    for prefix, kind, name in (("vm", "vm", "name"), ("ct", "container", "hostname")):
        for guest in config[kind]:
            if guest.get("node") == node and guest.get("status") == "running":
                vmid = guest["vmid"]
                sid = f"{prefix}:{vmid}"
                # What high availability is told to ignore it does not move.
                moves = resources.get(sid, "ignored") != "ignored"
                found.append({"sid": sid, "name": f"{guest.get(name) or 'guest'} ({vmid})", "moves_away": moves})
    return sorted(found, key=lambda guest: str(guest["sid"]))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "pve_network_items": pve_network_items,
            "ovs_network_items": ovs_network_items,
            "network_touched": network_touched,
            "guests_running_on": guests_running_on,
            "storage_paths_beside": storage_paths_beside,
        }
