# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""High availability: resources, rules, and a manager that acts at once."""

from __future__ import annotations

import re
import time
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.guests import Ct, Guest, Vm, digest_of
from lab.pve.pools import Pools

FILE_LOCK = "domain-ha"
DIGEST_CHANGED = "detected modified configuration - file changed by other user? Try again."
MIGRATED = "ha groups have been migrated to rules"
RESOURCE_OPTIONS = ("state", "comment", "max_restart", "max_relocate", "failback", "group")
RULE_OPTIONS = {
    "node-affinity": {"required": ("resources", "nodes"), "optional": ("strict", "comment", "disable")},
    "resource-affinity": {"required": ("resources", "affinity"), "optional": ("comment", "disable")},
}
# What the manager reports of a service whose resource asks for this state.
SETTLED = {"started": "started", "enabled": "started", "stopped": "stopped", "disabled": "stopped", "ignored": "ignored"}


def latin_bytes(text: str) -> str:
    """resources.cfg is written as UTF-8 and read back byte by byte."""
    return text.encode().decode("latin-1")


class HighAvailability(Pools):
    """/cluster/ha."""

    ha_resources: dict[str, dict[str, Any]]
    ha_rules: dict[str, dict[str, Any]]

    def endpoints_ha(self) -> list[tuple[str, str, Any]]:
        resources, rules, status = "/cluster/ha/resources", "/cluster/ha/rules", "/cluster/ha/status"
        groups = "/cluster/ha/groups"
        return [
            ("GET", resources, self._ha_list),
            ("POST", resources, self._ha_create),
            ("GET", resources + "/{sid}", self._ha_read),
            ("PUT", resources + "/{sid}", self._ha_update),
            ("DELETE", resources + "/{sid}", self._ha_delete),
            ("POST", resources + "/{sid}/migrate", self._ha_move),
            ("POST", resources + "/{sid}/relocate", self._ha_move),
            ("GET", rules, self._rule_list),
            ("POST", rules, self._rule_create),
            ("GET", rules + "/{rule}", self._rule_read),
            ("PUT", rules + "/{rule}", self._rule_update),
            ("DELETE", rules + "/{rule}", self._rule_delete),
            ("GET", groups, self._no_groups("cannot index groups")),
            ("POST", groups, self._no_groups("cannot create group")),
            ("GET", groups + "/{group}", self._no_groups("cannot read group")),
            ("PUT", groups + "/{group}", self._no_groups("cannot update group")),
            ("DELETE", groups + "/{group}", self._no_groups("cannot delete group")),
            ("GET", status + "/current", self._ha_current),
            ("GET", status + "/manager_status", self._ha_manager),
        ]

    @staticmethod
    def _no_groups(what: str) -> Any:
        async def refuse(v: dict[str, Any], user: str) -> Any:
            raise PveError(500, f"{what}: {MIGRATED}")

        return refuse

    # ----------------------------------------------------------- resources

    def sid_of(self, text: str) -> str:
        """100, vm:100 and ct:100 as the manager names them."""
        found = re.fullmatch(r"(?:(vm|ct):)?(\d+)", str(text))
        if not found:
            return str(text)
        guest = self.guest(int(found.group(2)))
        kind = found.group(1) or ("ct" if isinstance(guest, Ct) else "vm")
        return f"{kind}:{found.group(2)}"

    def guest_of_sid(self, sid: str) -> Guest | None:
        kind, _, number = sid.partition(":")
        guest = self.guest(int(number)) if number.isdigit() else None
        if guest is None or (kind == "ct") != isinstance(guest, Ct):
            return None
        return guest

    def sid_of_guest(self, guest: Guest) -> str:
        return f"{'vm' if isinstance(guest, Vm) else 'ct'}:{guest.vmid}"

    def managed(self, guest: Guest) -> dict[str, Any] | None:
        """The HA resource of a guest, if it has one."""
        return self.ha_resources.get(self.sid_of_guest(guest))

    def _resources_digest(self) -> str:
        return digest_of(self.ha_resources)

    def _resource_view(self, sid: str) -> dict[str, Any]:
        return {**self.ha_resources[sid], "sid": sid, "type": sid.split(":")[0], "digest": self._resources_digest()}

    async def _ha_list(self, v: dict[str, Any], user: str) -> Any:
        return [
            self._resource_view(sid)
            for sid in self.ha_resources
            if v.get("type") in (None, sid.split(":")[0]) and self.guest_of_sid(sid) is not None
        ]

    async def _ha_read(self, v: dict[str, Any], user: str) -> Any:
        sid = self.sid_of(v["sid"])
        if sid not in self.ha_resources:
            raise PveError(500, f"no such resource '{sid}'")
        return self._resource_view(sid)

    @staticmethod
    def _resource_values(v: dict[str, Any], prefix: str) -> dict[str, Any]:
        values = {k: v[k] for k in RESOURCE_OPTIONS if v.get(k) is not None}
        if "group" in values:
            raise PveError(500, f"invalid parameter 'group': {MIGRATED}")
        if "comment" in values:
            if "\n" in values["comment"]:
                raise PveError(500, f"{prefix}property contains a line feed")
            values["comment"] = latin_bytes(values["comment"].rstrip())
        return values

    async def _ha_create(self, v: dict[str, Any], user: str) -> Any:
        sid = self.sid_of(v["sid"])
        if v.get("type") and v["type"] != sid.split(":")[0]:
            raise PveError(400, "Parameter verification failed.", {"type": "types does not match"})
        guest = self.guest_of_sid(sid)
        if guest is None:
            raise PveError(500, f"resource '{sid}' does not exist in cluster")
        values = self._resource_values(v, "create resource failed: ")
        self.need_lock(FILE_LOCK, "create resource failed: ")
        if sid in self.ha_resources:
            raise PveError(500, f"create resource failed: resource ID '{sid}' already defined")
        values.setdefault("state", "started")
        self.ha_resources[sid] = values
        await self.ha_act(guest)
        return None

    async def _ha_update(self, v: dict[str, Any], user: str) -> Any:
        sid = self.sid_of(v["sid"])
        values = self._resource_values(v, "update resources config failed: ")
        self.need_lock(FILE_LOCK, "update resource failed: ")
        if sid not in self.ha_resources:
            raise PveError(500, f"update resource failed: no such resource '{sid}'")
        if v.get("digest") and v["digest"] != self._resources_digest():
            raise PveError(500, f"update resource failed: {DIGEST_CHANGED}")
        deletes = split_list(v.get("delete"))
        for key in deletes:
            if key not in RESOURCE_OPTIONS:
                raise PveError(500, f"update resource failed: no such option '{key}'")
            if key in values:
                raise PveError(500, f"update resource failed: cannot set and delete property '{key}' at the same time!")
        entry = self.ha_resources[sid]
        entry.update(values)
        for key in deletes:
            entry.pop(key, None)
        guest = self.guest_of_sid(sid)
        if guest is not None:
            await self.ha_act(guest)
        return None

    async def _ha_delete(self, v: dict[str, Any], user: str) -> Any:
        sid = self.sid_of(v["sid"])
        self.need_lock(FILE_LOCK, "delete resource failed: ")
        if sid not in self.ha_resources:
            raise PveError(500, f"cannot delete service '{sid}', not HA managed!")
        self.forget_resource(sid)
        return None

    def forget_resource(self, sid: str) -> None:
        """The resource is gone, and with it its place in rules; a rule that loses its sense goes too."""
        self.ha_resources.pop(sid, None)
        for name, rule in list(self.ha_rules.items()):
            kept = [other for other in rule["resources"] if other != sid]
            if len(kept) == len(rule["resources"]):
                continue
            rule["resources"] = kept
            if not kept:
                del self.ha_rules[name]

    async def _ha_move(self, v: dict[str, Any], user: str) -> Any:
        sid = self.sid_of(v["sid"])
        guest = self.guest_of_sid(sid)
        if sid not in self.ha_resources or guest is None:
            raise PveError(500, f"no such resource '{sid}'")
        if not self.online(v["node"]):
            raise PveError(500, f"node '{v['node']}' is not online")
        self.move(guest, v["node"])
        return {"sid": sid, "requested-node": v["node"]}

    def move(self, guest: Guest, node: str) -> None:
        """The guest is on another node from now on; its local volumes go with it."""
        for store in self.storages.values():
            for entry in store.get("volumes", {}).values():
                if entry.get("vmid") == guest.vmid and "node" in entry:
                    entry["node"] = node
        guest.node = node

    async def ha_act(self, guest: Guest) -> None:
        """The manager brings the guest into the state its resource asks for."""
        entry = self.managed(guest)
        if entry is None or not self.online(guest.node):
            return
        wanted = SETTLED[entry.get("state", "started")]
        if wanted == "started" and not guest.running and not guest.template:
            await self.start_guest(guest, "root@pam")
        elif wanted == "stopped" and guest.running:
            await self.stop_guest(guest, "root@pam")

    async def start_guest(self, guest: Guest, user: str) -> str:
        """Start it in a task; the power part knows how."""
        raise NotImplementedError

    async def stop_guest(self, guest: Guest, user: str) -> str:
        """Shut it down in a task; the power part knows how."""
        raise NotImplementedError

    def ha_state_of(self, guest: Guest) -> str | None:
        entry = self.managed(guest)
        return None if entry is None else SETTLED[entry.get("state", "started")]

    # --------------------------------------------------------------- rules

    def _rule_view(self, name: str) -> dict[str, Any]:
        rule = self.ha_rules[name]
        view = {k: v for k, v in rule.items() if not (k == "disable" and not v)}
        view["resources"] = ",".join(sorted(rule["resources"]))
        if "nodes" in rule:
            nodes = sorted(rule["nodes"].items())
            view["nodes"] = ",".join(f"{node}:{priority}" if priority else node for node, priority in nodes)
        order = list(self.ha_rules).index(name) + 1
        return {**view, "rule": name, "order": order, "digest": digest_of(self.ha_rules)}

    async def _rule_list(self, v: dict[str, Any], user: str) -> Any:
        wanted = self.sid_of(v["resource"]) if v.get("resource") else None
        return [
            self._rule_view(name)
            for name, rule in self.ha_rules.items()
            if v.get("type") in (None, rule["type"]) and (wanted is None or wanted in rule["resources"])
        ]

    async def _rule_read(self, v: dict[str, Any], user: str) -> Any:
        if v["rule"] not in self.ha_rules:
            raise PveError(500, f"no such ha rule '{v['rule']}'")
        return self._rule_view(v["rule"])

    def _rule_values(self, kind: str, v: dict[str, Any], prefix: str) -> dict[str, Any]:
        known = RULE_OPTIONS[kind]
        values = {k: x for k, x in v.items() if k not in ("rule", "type", "delete", "digest") and x is not None}
        for key in sorted(values):
            if key not in known["required"] and key not in known["optional"]:
                raise PveError(500, f"{prefix}unexpected property '{key}'")
        comment = values.get("comment")
        if comment is not None:
            if any(ord(c) > 255 for c in comment):
                raise PveError(500, f"{prefix}Wide character at /usr/share/perl5/PVE/Tools.pm line 1046.")
            if "\n" in comment:
                raise PveError(500, f"{prefix}property contains a line feed")
            values["comment"] = latin_bytes(comment.rstrip())
        if "resources" in values:
            values["resources"] = [self.sid_of(item) for item in split_list(values["resources"])]
        if "nodes" in values:
            nodes = {}
            for item in split_list(values["nodes"]):
                node, _, priority = item.partition(":")
                if node not in self.nodes:
                    raise PveError(500, f"{prefix}no such cluster node '{node}'")
                nodes[node] = int(priority or 0)
            values["nodes"] = nodes
        return values

    def _check_rule(self, name: str, rule: dict[str, Any], prefix: str) -> None:
        """PVE refuses a rule that cannot have an effect or contradicts another one."""
        unmanaged = [sid for sid in rule["resources"] if sid not in self.ha_resources]
        if unmanaged:
            raise PveError(500, f"{prefix}cannot use unmanaged resource(s) {', '.join(unmanaged)}.")
        if rule.get("disable"):
            return
        problems = []
        others = {n: r for n, r in self.ha_rules.items() if n != name and not r.get("disable")}
        mine = set(rule["resources"])
        affinities = [r for r in others.values() if r["type"] == "node-affinity"]
        if rule["type"] == "node-affinity":
            if any(mine & set(r["resources"]) for r in affinities):
                problems.append("resource(s) are already used in another node affinity rule")
        else:
            if len(mine) < 2:
                problems.append("rule is ineffective as there are less than two resources")
            if rule["affinity"] == "negative" and len(mine) > len(self.nodes):
                problems.append("rule defines more resources than available nodes")
            if any(mine & set(r["resources"]) and len(set(r["nodes"].values())) > 1 for r in affinities):
                problems.append("resources are in node affinity rules with multiple priorities")
            for other in others.values():
                if other["type"] == "resource-affinity" and other["affinity"] != rule["affinity"]:
                    if len(mine & set(other["resources"])) > 1:
                        problems.append("resources are in a rule of the opposite affinity")
        if problems:
            raise PveError(
                500, f"{prefix}400 Rule '{name}' is invalid.\nresources: {', '.join(problems)}"
            )

    async def _rule_create(self, v: dict[str, Any], user: str) -> Any:
        name, kind, prefix = v["rule"], v["type"], "create ha rule failed: "
        values = self._rule_values(kind, v, prefix)
        self.need_lock(FILE_LOCK, prefix)
        if name in self.ha_rules:
            raise PveError(500, f"{prefix}HA rule '{name}' already defined")
        for key in RULE_OPTIONS[kind]["required"]:
            if key not in values:
                raise PveError(500, f"{prefix}missing value for required option '{key}'")
        rule = {"type": kind, **values}
        self._check_rule(name, rule, prefix)
        self.ha_rules[name] = rule
        return None

    async def _rule_update(self, v: dict[str, Any], user: str) -> Any:
        name, kind, prefix = v["rule"], v["type"], "update HA rules failed: "
        self.need_lock(FILE_LOCK, prefix)
        if name not in self.ha_rules:
            raise PveError(500, f"{prefix}HA rule '{name}' does not exist")
        if v.get("digest") and v["digest"] != digest_of(self.ha_rules):
            raise PveError(500, prefix + DIGEST_CHANGED)
        rule = dict(self.ha_rules[name])
        if kind != rule["type"]:
            raise PveError(500, f"{prefix}unexpected property 'type'")
        values = self._rule_values(kind, v, prefix)
        for key in split_list(v.get("delete")):
            if key in RULE_OPTIONS[kind]["required"]:
                raise PveError(500, f"{prefix}unable to delete required option '{key}'")
            if key not in RULE_OPTIONS[kind]["optional"]:
                raise PveError(500, f"{prefix}no such option '{key}'")
            rule.pop(key, None)
        rule.update(values)
        self._check_rule(name, rule, prefix)
        self.ha_rules[name] = rule
        return None

    async def _rule_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "delete ha rule failed: ")
        self.ha_rules.pop(v["rule"], None)
        return None

    # -------------------------------------------------------------- status

    def _lrm_state(self, node: str) -> str:
        if any((g := self.guest_of_sid(sid)) and g.node == node for sid in self.ha_resources):
            return "active"
        return "wait_for_agent_lock"

    async def _ha_current(self, v: dict[str, Any], user: str) -> Any:
        now = int(time.time())
        clock = time.strftime("%a %b %e %H:%M:%S %Y", time.gmtime(now))
        first = next(iter(self.nodes))
        master = next((n for n in self.nodes if self.online(n)), first)
        quorum = {
            "id": "quorum",
            "type": "quorum",
            "node": first,
            "status": "OK" if self.quorate else f"No quorum on node '{first}'!",
            "quorate": 1 if self.quorate else 0,
        }
        armed = bool(self.ha_resources)
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
                "master_node": first,
                "timestamp": now,
                "node_status": {node: self.ha_node_state(node) for node in self.nodes},
                "service_status": services,
            },
        }
