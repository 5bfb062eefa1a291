# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""HA rules: node affinity and resource affinity."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.guests import digest_of
from lab.pve.ha import DIGEST_CHANGED, FILE_LOCK, HighAvailability, latin_bytes

RULE_OPTIONS = {
    "node-affinity": {"required": ("resources", "nodes"), "optional": ("strict", "comment", "disable")},
    "resource-affinity": {"required": ("resources", "affinity"), "optional": ("comment", "disable")},
}


class HaRules(HighAvailability):
    """/cluster/ha/rules."""

    def endpoints_ha_rules(self) -> list[tuple[str, str, Any]]:
        rules = "/cluster/ha/rules"
        return [
            ("GET", rules, self._rule_list),
            ("POST", rules, self._rule_create),
            ("GET", rules + "/{rule}", self._rule_read),
            ("PUT", rules + "/{rule}", self._rule_update),
            ("DELETE", rules + "/{rule}", self._rule_delete),
        ]

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
                node, _sep, priority = item.partition(":")
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
                opposite = other["type"] == "resource-affinity" and other["affinity"] != rule["affinity"]
                if opposite and len(mine & set(other["resources"])) > 1:
                    problems.append("resources are in a rule of the opposite affinity")
        if problems:
            raise PveError(500, f"{prefix}400 Rule '{name}' is invalid.\nresources: {', '.join(problems)}")

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
