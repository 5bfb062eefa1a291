# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Snapshots of guests of both kinds."""

from __future__ import annotations

import time
import uuid
from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve import lxc_values as lv
from lab.pve import qemu_values as q
from lab.pve.guests import Guest, Vm
from lab.pve.lxc_volumes import LxcVolumes
from lab.pve.volumes import CAN_CLONE, split_volid

RESERVED = ("current", "pending", "vzdump")
NOT_KEPT = ("lock", "description", "snapshots", "snapstate", "snaptime", "vmstate", "digest")


class Snapshots(LxcVolumes):
    """/nodes/{node}/{qemu,lxc}/{vmid}/snapshot."""

    def endpoints_snapshots(self) -> list[tuple[str, str, Any]]:
        table: list[tuple[str, str, Any]] = []
        for kind in ("qemu", "lxc"):
            base = f"/nodes/{{node}}/{kind}/{{vmid}}/snapshot"
            one = base + "/{snapname}"
            for method, path, action in (
                ("GET", base, self._snapshot_list),
                ("POST", base, self._snapshot_take),
                ("GET", one, self._snapshot_index),
                ("DELETE", one, self._snapshot_delete),
                ("POST", one + "/rollback", self._snapshot_rollback),
                ("GET", one + "/config", self._snapshot_config),
                ("PUT", one + "/config", self._snapshot_describe),
            ):
                table.append((method, path, self._for_kind(kind, action)))
        table.append(("GET", "/nodes/{node}/qemu/{vmid}/feature", self._for_kind("qemu", self._vm_feature)))
        return table

    def _for_kind(self, kind: str, action: Any) -> Any:
        async def run(v: dict[str, Any], user: str) -> Any:
            find = self.find if kind == "qemu" else self._find_ct
            return await action(find(v["node"], v["vmid"]), v, user)

        return run

    @staticmethod
    def _task_name(guest: Guest, action: str) -> str:
        return ("qm" if isinstance(guest, Vm) else "vz") + action

    @staticmethod
    def _check_lock_in_task(guest: Guest) -> None:
        if guest.lock:
            raise TaskError(f"{'VM' if isinstance(guest, Vm) else 'CT'} is locked ({guest.lock})")

    def _can_be_taken(self, guest: Guest) -> bool:
        for key, value in guest.config.items():
            if isinstance(guest, Vm):
                if not q.DRIVE.match(key) or q.is_cdrom(str(value)):
                    continue
                volume = q.split_drive(str(value))[0]
            else:
                if not lv.MOUNT.match(key):
                    continue
                volume = lv.split_mount(str(value))[0]
            storage = split_volid(volume)[0]
            kind = self.storages.get(str(storage), {}).get("type")
            if kind not in CAN_CLONE and not volume.endswith(".qcow2"):
                return False
        return True

    async def _vm_feature(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        able = self._can_be_taken(guest)
        has = {"copy": True, "snapshot": able}.get(v["feature"], able or bool(guest.template))
        volumes = [q.split_drive(str(value))[0] for key, value in guest.config.items() if q.DRIVE.match(key)]
        stores = [self.storages.get(str(split_volid(volume)[0]), {}) for volume in volumes]
        here = [guest.node] if any(not store.get("shared") for store in stores) else list(self.nodes)
        return {"hasFeature": 1 if has else 0, "nodes": self.shuffled(here)}

    async def _snapshot_list(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        out: list[dict[str, Any]] = []
        for name, snap in guest.snapshots.items():
            item = {"name": name, "snaptime": snap["snaptime"], "description": snap.get("description", "")}
            if isinstance(guest, Vm):
                item["vmstate"] = 1 if snap.get("vmstate") else 0
            if snap.get("parent"):
                item["parent"] = snap["parent"]
            out.append(item)
        current: dict[str, Any] = {
            "name": "current",
            "digest": guest.digest(),
            "running": 1 if guest.running else 0,
            "description": "You are here!",
        }
        if guest.config.get("parent"):
            current["parent"] = guest.config["parent"]
        return [*self.shuffled(out), current]

    async def _snapshot_index(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        return [{"cmd": "rollback"}, {"cmd": "config"}]

    async def _snapshot_take(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        name = v["snapname"]
        if name.lower() in RESERVED:
            raise PveError(500, f"unable to use snapshot name '{name}' (reserved name)")
        self.need_quorum()

        async def body() -> None:
            self._check_lock_in_task(guest)
            if name in guest.snapshots:
                raise TaskError(f"snapshot name '{name}' already used")
            if not self._can_be_taken(guest):
                raise TaskError("snapshot feature is not available")
            snap = {k: x for k, x in guest.config.items() if k not in NOT_KEPT and not k.startswith("unused")}
            snap["snaptime"] = int(time.time())
            if v.get("description"):
                snap["description"] = v["description"]
            if v.get("vmstate") and guest.running:
                # The RAM of a machine that is off is nothing to save.
                snap["vmstate"] = f"local:{guest.vmid}/vm-{guest.vmid}-state-{name}.raw"
            guest.snapshots[name] = snap
            guest.config["parent"] = name

        return await self.task(guest.node, self._task_name(guest, "snapshot"), guest.vmid, user, body, vm=guest)

    async def _snapshot_delete(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        name = v["snapname"]
        self.need_quorum()

        async def body() -> None:
            if name not in guest.snapshots:
                raise TaskError(f"snapshot '{name}' does not exist")
            self._check_lock_in_task(guest)
            parent = guest.snapshots.pop(name).get("parent")
            for other in [*guest.snapshots.values(), guest.config]:
                if other.get("parent") == name:
                    other.pop("parent")
                    if parent:
                        other["parent"] = parent

        return await self.task(guest.node, self._task_name(guest, "delsnapshot"), guest.vmid, user, body, vm=guest)

    async def _snapshot_rollback(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        name = v["snapname"]
        self.need_quorum()

        async def body() -> None:
            snap = guest.snapshots.get(name)
            if snap is None:
                raise TaskError(f"snapshot '{name}' does not exist")
            self._check_lock_in_task(guest)
            self.mark_stopped(guest)
            keep = {k: x for k, x in guest.config.items() if k == "description" or k.startswith("unused")}
            guest.config = {
                **{k: x for k, x in snap.items() if k not in ("snaptime", "description", "vmstate")},
                **keep,
            }
            guest.config["parent"] = name
            guest.pending = {}
            if isinstance(guest, Vm) and "vmgenid" in guest.config:
                guest.config["vmgenid"] = str(uuid.uuid4())
            if v.get("start") or snap.get("vmstate"):
                self.mark_running(guest)

        return await self.task(guest.node, self._task_name(guest, "rollback"), guest.vmid, user, body, vm=guest)

    @staticmethod
    def _snapshot_of(guest: Guest, name: str) -> dict[str, Any]:
        if name not in guest.snapshots:
            raise PveError(500, f"snapshot '{name}' does not exist")
        found: dict[str, Any] = guest.snapshots[name]
        return found

    async def _snapshot_config(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        return dict(self._snapshot_of(guest, v["snapname"]))

    async def _snapshot_describe(self, guest: Guest, v: dict[str, Any], user: str) -> Any:
        snap = self._snapshot_of(guest, v["snapname"])
        if v.get("description") is not None:
            snap["description"] = v["description"]
        return None
