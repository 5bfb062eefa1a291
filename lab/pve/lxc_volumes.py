# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Mount points that grow or move to another storage; containers on their way to another node."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve.lxc_clones import LxcClones
from lab.pve.lxc_config import DIGEST_CHANGED
from lab.pve.qemu_values import bad, grown
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
            self.move(ct, target)

        kind = "hamigrate" if self.managed(ct) is not None else "vzmigrate"
        return await self.task(ct.node, kind, ct.vmid, user, body, vm=ct)

    async def _ct_feature(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        places = [split_volid(lv.split_mount(str(x))[0])[0] for k, x in ct.config.items() if lv.MOUNT.match(k)]
        kinds = [self.storages.get(str(place), {}).get("type") for place in places]
        has = {"copy": True, "snapshot": all(k in CAN_CLONE for k in kinds)}.get(v["feature"], ct.template)
        return {"hasFeature": 1 if has else 0}
