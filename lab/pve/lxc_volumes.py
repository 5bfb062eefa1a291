# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Mount points that grow or move to another storage; containers on their way to another node."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve.guests import Ct
from lab.pve.lxc_clones import LxcClones
from lab.pve.lxc_config import DIGEST_CHANGED
from lab.pve.qemu_migration import destination
from lab.pve.qemu_values import bad, grown
from lab.pve.tasks import Failed
from lab.pve.volumes import CAN_CLONE, format_size, parse_size, split_volid


class LxcVolumes(LxcClones):
    """PUT resize, POST move_volume, migrate and feature."""

    def endpoints_lxc_volumes(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/lxc/{vmid}"
        return [
            ("PUT", one + "/resize", self._ct_resize),
            ("POST", one + "/move_volume", self._ct_move_volume),
            ("GET", one + "/migrate", self._ct_migrate_check),
            ("POST", one + "/migrate", self._ct_migrate),
            ("GET", one + "/feature", self._ct_feature),
        ]

    async def _ct_resize(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        disk, asked = v["disk"], str(v["size"])
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if v.get("digest") and v["digest"] != ct.digest():
            raise PveError(500, DIGEST_CHANGED)
        if disk not in ct.config:
            raise PveError(500, f"no such volume '{disk}'")
        self.need_quorum()
        volume, options = lv.split_mount(str(ct.config[disk]))
        entry = self.volume(volume)
        current = int(entry["size"]) if entry else parse_size(options.get("size", "0")) or 0
        wanted = grown(current, asked)
        if wanted < current:
            raise PveError(500, "unable to shrink disk size")
        if wanted == current:
            raise PveError(500, "disk is already at specified size")

        async def body() -> None:
            if entry:
                store = self.storages[str(split_volid(volume)[0])]
                store["used"] = store.get("used", 0) + wanted - current
                entry["size"] = wanted
            options["size"] = format_size(wanted)
            ct.config[disk] = lv.join_mount(volume, options)

        return await self.task(ct.node, "resize", ct.vmid, user, body, vm=ct)

    async def _ct_move_volume(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        key, storage = v["volume"], v.get("storage")
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if key not in ct.config:
            raise PveError(500, f"cannot move volume '{key}', only configured volumes can be moved to another storage")
        store = self.storage_for(str(storage), ct.node)
        volume, options = lv.split_mount(str(ct.config[key]))
        entry = self.volume(volume) or {"size": 0}

        async def body() -> None:
            if "rootdir" not in split_list(store.get("content")):
                raise TaskError(f"content type 'rootdir' is not available or configured on storage '{storage}'")
            volid = self.allocate(str(storage), ct.vmid, int(entry["size"]), None, ct.node, content="rootdir")
            ct.config[key] = lv.join_mount(volid, options)
            if v.get("delete"):
                self.free(volume)
            else:
                self._ct_unused(ct, volume)

        return await self.task(ct.node, "move_volume", ct.vmid, user, body, vm=ct)

    async def _ct_migrate_check(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        others = [n for n in self.nodes if n != ct.node]
        return {"running": 1 if ct.running else 0, "allowed-nodes": self.shuffled(others), "not-allowed-nodes": {}}

    async def _ct_migrate(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        target = v["target"]
        if target == ct.node:
            raise bad(target="target is local node.")
        if target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        self.need_quorum()
        if ct.running and not v.get("restart") and not v.get("online"):
            raise PveError(500, "can't migrate running container without --online or --restart")

        async def body() -> None:
            if ct.lock:
                raise TaskError(f"CT is locked ({ct.lock})")
            if not self.online(target):
                raise TaskError("migration aborted")
            ct.lock = "migrate"
            try:
                await self.pause(self.migration_secs)
                self._carry_mounts(ct, target, v)
            except PveError as error:
                raise Failed("migration aborted", [f"ERROR: migration aborted: {error.message}"]) from None
            finally:
                ct.lock = None
            self.move(ct, target)

        kind = "hamigrate" if self.managed(ct) is not None else "vzmigrate"
        return await self.task(ct.node, kind, ct.vmid, user, body, vm=ct)

    def _carry_mounts(self, ct: Ct, target: str, v: dict[str, Any]) -> None:
        """Local volumes go along, to the storage that was asked for; all of them or none."""
        made: dict[str, tuple[str, str]] = {}
        try:
            for key, value in sorted(ct.config.items()):
                volume, options = lv.split_mount(str(value)) if lv.MOUNT.match(key) else ("", {})
                source = split_volid(volume)[0]
                if volume.startswith("/") and options.get("shared") != "1":
                    raise PveError(500, f"cannot migrate local bind mount point '{key}'")
                if source is None or source not in self.storages or self.storages[source].get("shared"):
                    continue
                place = destination(str(v.get("target-storage") or ""), source)
                self.storage_for(place, target)
                entry = self.volume(volume)
                if entry is not None and place != source:
                    new = self.allocate(place, ct.vmid, int(entry["size"]), None, target, content="rootdir")
                    made[key] = volume, lv.join_mount(new, options)
        except PveError:
            for _old, new in made.values():
                self.free(lv.split_mount(new)[0])
            raise
        for key, (old, new) in made.items():
            ct.config[key] = new
            self.free(old)

    async def _ct_feature(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        places = [split_volid(lv.split_mount(str(x))[0])[0] for k, x in ct.config.items() if lv.MOUNT.match(k)]
        kinds = [self.storages.get(str(place), {}).get("type") for place in places]
        has = {"copy": True, "snapshot": all(k in CAN_CLONE for k in kinds)}.get(v["feature"], ct.template)
        return {"hasFeature": 1 if has else 0}
