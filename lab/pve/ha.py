# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""High availability: resources, and a manager that acts on them at once."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.guests import Ct, Guest, Vm, digest_of
from lab.pve.pools import Pools

FILE_LOCK = "domain-ha"
DIGEST_CHANGED = "detected modified configuration - file changed by other user? Try again."
MIGRATED = "ha groups have been migrated to rules"
RESOURCE_OPTIONS = ("state", "comment", "max_restart", "max_relocate", "failback", "group")
# What the manager reports of a service whose resource asks for this state.
SETTLED = {
    "started": "started",
    "enabled": "started",
    "stopped": "stopped",
    "disabled": "stopped",
    "ignored": "ignored",
}


def latin_bytes(text: str) -> str:
    """resources.cfg is written as UTF-8 and read back byte by byte."""
    return text.encode().decode("latin-1")


class HighAvailability(Pools):
    """/cluster/ha/resources, and the groups that are no more."""

    ha_resources: dict[str, dict[str, Any]]
    ha_rules: dict[str, dict[str, Any]]
    # The node that manages; None until one is chosen, then it stays while it lives.
    ha_master: str | None
    ha_active: bool
    # PVE's seconds that a guest is on its way to another node.
    migration_secs: float

    def endpoints_ha(self) -> list[tuple[str, str, Any]]:
        resources = "/cluster/ha/resources"
        groups = "/cluster/ha/groups"
        return [
            ("GET", resources, self._ha_list),
            ("POST", resources, self._ha_create),
            ("GET", resources + "/{sid}", self._ha_read),
            ("PUT", resources + "/{sid}", self._ha_update),
            ("DELETE", resources + "/{sid}", self._ha_delete),
            ("POST", resources + "/{sid}/migrate", self._ha_move),
            ("POST", resources + "/{sid}/relocate", self._ha_move),
            ("GET", groups, self._no_groups("cannot index groups")),
            ("POST", groups, self._no_groups("cannot create group")),
            ("GET", groups + "/{group}", self._no_groups("cannot read group")),
            ("PUT", groups + "/{group}", self._no_groups("cannot update group")),
            ("DELETE", groups + "/{group}", self._no_groups("cannot delete group")),
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
        kind, _sep, number = sid.partition(":")
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
        self.ha_active = True
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
        await self._moved_by_manager(guest, v["node"])
        return {"sid": sid, "requested-node": v["node"]}

    async def _moved_by_manager(self, guest: Guest, node: str) -> None:
        """The manager acts in its own time; nothing tells of it but where the guest is."""
        if not self.time_scale:
            self.move(guest, node)
            return

        async def later() -> None:
            await self.pause(self.migration_secs)
            if self.guest(guest.vmid) is guest and self.online(node):
                self.move(guest, node)

        job = asyncio.ensure_future(later())
        self.jobs.add(job)
        job.add_done_callback(self.jobs.discard)

    def move(self, guest: Guest, node: str) -> None:
        """The guest is on another node from now on; its local volumes go with it."""
        for store in self.storages.values():
            for entry in store.get("volumes", {}).values():
                if entry.get("vmid") == guest.vmid and "node" in entry and entry["content"] in ("images", "rootdir"):
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
