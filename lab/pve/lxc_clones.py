# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Clones of containers, and templates to clone."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve import lxc_values as lv
from lab.pve.guests import Ct
from lab.pve.lxc_guests import LxcGuests
from lab.pve.volumes import CAN_CLONE, format_size, split_volid

NOT_CLONED = ("parent", "snaptime", "snapstate", "template", "lock")


class LxcClones(LxcGuests):
    """POST clone and template."""

    def endpoints_lxc_clones(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/lxc/{vmid}"
        return [
            ("POST", one + "/clone", self._ct_clone),
            ("POST", one + "/template", self._ct_template),
        ]

    async def _ct_clone(self, v: dict[str, Any], user: str) -> Any:
        node, newid, pool, storage = v["node"], int(v["newid"]), v.get("pool"), v.get("storage")
        target = self.clone_target(v, user)
        if storage:
            self.storage_for(storage, node)
        source = self._find_ct(node, v["vmid"])
        self.need_quorum()
        if source.lock:
            raise PveError(500, f"CT is locked ({source.lock})")
        self.check_free(newid)
        full = bool(v["full"]) if v.get("full") is not None else not source.template
        old = self._ct_cloned_state(source, v, full)
        config: dict[str, Any] = {}
        mounts: dict[str, str] = {}
        for key, value in old.items():
            if key in NOT_CLONED or key.startswith("unused"):
                continue
            if lv.MOUNT.match(key):
                self._check_cloned_mount(key, str(value), storage, target, full)
                mounts[key] = str(value)
            elif lv.NET.match(key):
                config[key] = lv.net_value(str(value), fresh_mac=True)
            else:
                config[key] = value
        new = Ct(newid, node, {"lock": "create"})
        self.enter(new)

        async def body() -> None:
            for key in sorted(mounts):
                volume, options = lv.split_mount(mounts[key])
                entry = self.volume(volume) or {"size": 0}
                place = storage or str(split_volid(volume)[0])
                volid = self.allocate(place, newid, int(entry["size"]), None, node, content="rootdir")
                options["size"] = format_size(int(entry["size"]))
                config[key] = lv.join_mount(volid, options)
            if v.get("hostname"):
                config["hostname"] = v["hostname"]
            if v.get("description"):
                config["description"] = str(v["description"]).removesuffix("\n") + "\n"
            new.config = config
            if pool:
                self._pool_join(pool, newid)
            if target:
                self.move(new, target)

        return await self.task(
            node,
            "vzclone",
            source.vmid,
            user,
            body,
            vm=new,
            log=[f"creating a clone of container {source.vmid} with ID {newid}"],
            undo=lambda: self.leave(new),
        )

    @staticmethod
    def _ct_cloned_state(source: Ct, v: dict[str, Any], full: bool) -> dict[str, Any]:
        """The configuration that is cloned: the container's, or a snapshot's."""
        if v.get("storage") and not full:
            raise PveError(500, "parameter 'storage' not allowed for linked clones")
        snapname = v.get("snapname")
        if not snapname:
            if full and source.running:
                raise PveError(500, "Full clone of a running container is only possible from a snapshot")
            return source.config
        if snapname not in source.snapshots:
            raise PveError(500, f"snapshot '{snapname}' does not exist")
        found: dict[str, Any] = source.snapshots[snapname]
        return found

    def _check_cloned_mount(self, key: str, value: str, storage: str | None, target: str | None, full: bool) -> None:
        volume = lv.split_mount(value)[0]
        place = split_volid(volume)[0]
        if place is None:
            raise PveError(500, f"unable to clone mountpoint '{key}' (type {lv.mount_kind(volume)})")
        if not full and not ("base" in volume and self.storage_for(place)["type"] in CAN_CLONE):
            raise PveError(500, f"Linked clone feature for '{volume}' is not available")
        if target and not self.storage_for(storage or place).get("shared"):
            raise PveError(500, f"can't clone CT to node '{target}' (CT uses local storage)")

    async def _ct_template(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if ct.snapshots:
            raise PveError(500, "unable to create template, because CT contains snapshots")
        if ct.template:
            raise PveError(500, "you can't convert a template to a template")
        if ct.running:
            raise PveError(500, "you can't convert a CT to template if the CT is running")
        for key in [k for k in ct.config if lv.MOUNT.match(k)]:
            volume, options = lv.split_mount(str(ct.config[key]))
            ct.config[key] = lv.join_mount(self.to_base(volume), options)
        ct.config["template"] = 1
        return None
