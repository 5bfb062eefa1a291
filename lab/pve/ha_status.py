# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the HA manager says of itself, the nodes and the services."""

from __future__ import annotations

import time
from typing import Any

from lab.pve.guests import digest_of
from lab.pve.ha import SETTLED
from lab.pve.ha_rules import HaRules


class HaStatus(HaRules):
    """/cluster/ha/status."""

    def endpoints_ha_status(self) -> list[tuple[str, str, Any]]:
        status = "/cluster/ha/status"
        return [
            ("GET", status + "/current", self._ha_current),
            ("GET", status + "/manager_status", self._ha_manager),
        ]

    def _master(self) -> str:
        if self.ha_master is None or (self.quorate and not self.online(self.ha_master)):
            self.ha_master = next((n for n in self.nodes if self.online(n)), next(iter(self.nodes)))
        return self.ha_master

    def _lrm_state(self, node: str) -> str:
        if any((g := self.guest_of_sid(sid)) and g.node == node for sid in self.ha_resources):
            return "active"
        return "wait_for_agent_lock"

    async def _ha_current(self, v: dict[str, Any], user: str) -> Any:
        now = int(time.time())
        clock = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(now))
        first = next(iter(self.nodes))
        master = self._master()
        quorum = {
            "id": "quorum",
            "type": "quorum",
            "node": first,
            "status": "OK" if self.quorate else f"No quorum on node '{first}'!",
            "quorate": 1 if self.quorate else 0,
        }
        armed = self.ha_active
        out: list[dict[str, Any]] = [quorum]
        out.append(
            {
                "id": "master",
                "type": "master",
                "node": master,
                "timestamp": now,
                "status": f"{master} ({'active' if armed else 'idle'}, {clock})",
            }
        )
        out.append(
            {
                "id": "fencing",
                "type": "fencing",
                "node": master,
                "status": "armed (CRM watchdog active)",
                "armed-state": "armed",
            }
        )
        for node in self.nodes:
            active = self._lrm_state(node) == "active"
            mood = "active, watchdog active" if active else "idle, watchdog standby"
            if node in self.maintained:
                mood = "maintenance mode, watchdog standby"
            if not self.online(node):
                mood = "old timestamp - dead?, watchdog standby"
            out.append(
                {
                    "id": "lrm:" + node,
                    "type": "lrm",
                    "node": node,
                    "timestamp": now,
                    "status": f"{node} ({mood}, {clock})",
                }
            )
        for sid, entry in self.ha_resources.items():
            guest = self.guest_of_sid(sid)
            if guest is None:
                continue
            service = SETTLED[entry.get("state", "started")]
            item = {
                "id": "service:" + sid,
                "type": "service",
                "sid": sid,
                "node": guest.node,
                "state": service,
                "crm_state": service,
                "request_state": entry.get("state", "started"),
                "max_restart": entry.get("max_restart", 1),
                "max_relocate": entry.get("max_relocate", 1),
                "failback": entry.get("failback", 1),
                "status": f"{sid} ({guest.node}, {service})",
            }
            if "comment" in entry:
                item["comment"] = entry["comment"]
            out.append(item)
        return out

    async def _ha_manager(self, v: dict[str, Any], user: str) -> Any:
        now = int(time.time())
        first = next(iter(self.nodes))
        lrm = {
            node: {"mode": "active", "results": {}, "state": self._lrm_state(node), "timestamp": now}
            for node in self.nodes
        }
        services = {}
        for sid, entry in self.ha_resources.items():
            guest = self.guest_of_sid(sid)
            if guest is not None:
                state = SETTLED[entry.get("state", "started")]
                services[sid] = {"node": guest.node, "state": state, "uid": digest_of(sid)[:22]}
        return {
            "quorum": {"node": first, "quorate": "1" if self.quorate else "0"},
            "lrm_status": lrm,
            "manager_status": {
                "master_node": self._master(),
                "timestamp": now,
                "node_status": {node: self.ha_node_state(node) for node in self.nodes},
                "service_status": services,
            },
        }
