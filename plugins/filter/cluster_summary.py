# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter cluster_summary."""

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.hospital.continuity.plugins.module_utils.pve import summary


def cluster_summary(cluster: Any, title: str, hosts: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    if not isinstance(cluster, Mapping) or not isinstance(cluster.get("config"), Mapping):
        raise AnsibleFilterError("cluster_summary takes what the module hospital.continuity.pve_info returned.")
    return summary.cluster_summary(cluster["config"], cluster.get("health") or [], hosts, title)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_summary": cluster_summary}
