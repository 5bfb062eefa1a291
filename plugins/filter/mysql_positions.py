# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter of the role failover."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.gtid import GtidSet, GtidState
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.succession import number, union


def transactions_beyond(position: str, server: Mapping[str, Any]) -> int:
    """position: transactions in the server's notation.  server: as mysql_topology_info returns it."""
    kind = GtidState if server["dialect"] == "MariaDB" else GtidSet
    try:
        mine = kind.parse(str(server["has"]))
        for channel in server["channels"]:
            mine = union(mine, kind.parse(str(channel.get("received") or "")))
        return number(kind.parse(str(position)), mine)
    except ValueError as problem:
        raise AnsibleFilterError(f"transactions_beyond: {problem}") from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"transactions_beyond": transactions_beyond}
