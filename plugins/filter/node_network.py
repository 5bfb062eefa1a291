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


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "pve_network_items": pve_network_items,
            "ovs_network_items": ovs_network_items,
            "network_touched": network_touched,
            "storage_paths_beside": storage_paths_beside,
        }
