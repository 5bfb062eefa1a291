# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""LXC guests: configuration, create, destroy, clone, template, mount points, lists and states."""

from __future__ import annotations

import re
from typing import Any

from fakepve.lxc import arch_of, ostype_of
from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve.guests import Ct
from lab.pve.lxc_config import LxcConfig
from lab.pve.qemu_values import bad, check_ssh_keys
from lab.pve.volumes import split_volid

CREATE_ONLY = (
    "node", "vmid", "ostemplate", "storage", "password", "ssh-public-keys", "ignore-unpack-errors", "bwlimit", "start",
    "ha-managed", "force", "restore", "unique", "pool", "unprivileged",
)  # fmt: skip
ROOT_GIB = 4


class LxcGuests(LxcConfig):
    """/nodes/{node}/lxc."""

    def endpoints_lxc_guests(self) -> list[tuple[str, str, Any]]:
        all_, one = "/nodes/{node}/lxc", "/nodes/{node}/lxc/{vmid}"
        return [
            ("GET", all_, self._ct_list),
            ("POST", all_, self._ct_create),
            ("DELETE", one, self._ct_destroy),
            ("GET", one + "/status/current", self._ct_current),
            ("GET", one + "/interfaces", self._ct_interfaces),
        ]

    # ---------------------------------------------------------------- views

    def _ct_view(self, ct: Ct) -> dict[str, Any]:
        view = {
            "vmid": ct.vmid,
            "name": ct.name,
            "type": "lxc",
            "status": ct.status,
            "cpus": self.cpus_of(ct),
            **self.usage(ct),
            "swap": 0,
            "maxswap": int(ct.config.get("swap") or 0) * 1024**2,
            "diskread": 0,
            "diskwrite": 0,
        }
        if ct.running:
            view["pid"] = ct.pid
            for resource in ("cpu", "io", "memory"):
                view[f"pressure{resource}some"] = view[f"pressure{resource}full"] = "0.00"
        tags = str(ct.config.get("tags") or "").strip()
        if tags:
            view["tags"] = tags
        if ct.template:
            view["template"] = 1
        if ct.lock:
            view["lock"] = ct.lock
        return view

    async def _ct_list(self, v: dict[str, Any], user: str) -> Any:
        return self.shuffled(
            [
                self._ct_view(ct)
                for ct in self.cts
                if ct.node == v["node"] and (self.acl is None or self.may(user, ct.vmid, "VM.Audit"))
            ]
        )

    async def _ct_current(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        entry = self.managed(ct)
        ha = {"managed": 1, **entry, "sid": self.sid_of_guest(ct)} if entry else {"managed": 0}
        return {**self._ct_view(ct), "ha": ha}

    async def _ct_interfaces(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        if not ct.running:
            return None
        out: list[dict[str, Any]] = [
            {
                "name": "lo",
                "hwaddr": "00:00:00:00:00:00",
                "hardware-address": "00:00:00:00:00:00",
                "inet": "127.0.0.1/8",
                "inet6": "::1/128",
                "ip-addresses": [
                    {"ip-address": "127.0.0.1", "ip-address-type": "inet", "prefix": "8"},
                    {"ip-address": "::1", "ip-address-type": "inet6", "prefix": "128"},
                ],
            }
        ]
        for number, key in enumerate(sorted((k for k in ct.config if lv.NET.match(k)), key=lv.natural)):
            options = dict(part.partition("=")[::2] for part in str(ct.config[key]).split(","))
            address = options.get("ip", "")
            if "/" not in address:
                address = f"10.{100 + number}.{ct.vmid // 250 % 250}.{ct.vmid % 250 + 1}/16"
            mac = options.get("hwaddr", "").lower()
            host, _sep, prefix = address.partition("/")
            out.append(
                {
                    "name": options.get("name", f"eth{number}"),
                    "hwaddr": mac,
                    "hardware-address": mac,
                    "inet": address,
                    "ip-addresses": [{"ip-address": host, "ip-address-type": "inet", "prefix": prefix}],
                }
            )
        return out

    # --------------------------------------------------------------- create

    async def _ct_create(self, v: dict[str, Any], user: str) -> Any:
        node, vmid, pool = v["node"], int(v["vmid"]), v.get("pool")
        template, restore = str(v["ostemplate"]), bool(v.get("restore"))
        if restore and (self.volume(template) or {}).get("content") == "backup":
            return await self.restore_guest("lxc", template, v, user)
        self.check_may_create(v, user)
        if v.get("ssh-public-keys"):
            check_ssh_keys(str(v["ssh-public-keys"]), encoded=False)
        try:
            self.check_free(vmid)
        except PveError as error:
            raise PveError(error.status, f"unable to create CT {vmid} - {error.message}") from None
        self.need_quorum()
        self._check_template_volume(template, restore, node)
        values = {k: x for k, x in v.items() if k not in CREATE_ONLY and x is not None}
        for key in sorted(values):
            self._ct_rights(vmid, pool, key, values[key], None, user)
        config, mounts = self._ct_divided(values, v.get("storage") or "local")
        for value in mounts.values():
            self._check_new_mount(value, node, user)
        ct = Ct(vmid, node, {"lock": "create"})
        self.enter(ct)

        async def body() -> str | None:
            refused = f"unable to create CT {vmid} -"
            if self.volume(template) is None:
                self.leave(ct)
                raise TaskError(f"{refused} volume '{template}' does not exist")
            try:
                self._ct_allocate(ct, config, mounts)
            except PveError as error:
                self.leave(ct)
                raise TaskError(f"{refused} {error.message}") from None
            for key, default in (
                ("hostname", f"CT{vmid}"),
                ("memory", 512),
                ("swap", 512),
                ("ostype", ostype_of(template)),
                ("arch", arch_of(template)),
            ):
                config.setdefault(key, default)
            if v.get("unprivileged", 1):
                config["unprivileged"] = 1
            ct.config = config
            if pool:
                self._pool_join(pool, vmid)
            if v.get("ha-managed"):
                self.ha_resources[self.sid_of_guest(ct)] = {"state": "started" if v.get("start") else "stopped"}
            return f"extracting archive '{template}'"

        upid = await self.task(node, "vzcreate", vmid, user, body, vm=ct, undo=lambda: self.leave(ct))
        if v.get("start") and self.guest(vmid) is ct:
            await self.start_guest(ct, user)
        return upid

    def _check_template_volume(self, template: str, restore: bool, node: str) -> None:
        storage, name = split_volid(template)
        if storage is None:
            raise PveError(500, f"unable to parse volume ID '{template}'")
        self.storage_for(storage, node)
        wanted = "backup" if restore else "vztmpl"
        if not name.startswith(wanted + "/"):
            raise PveError(500, f"unable to use volume {template} - content type needs to be '{wanted}'")

    @staticmethod
    def _ct_divided(values: dict[str, Any], default: str) -> tuple[dict[str, Any], dict[str, str]]:
        """(options as they are kept, mount points that are still to be allocated)."""
        mounts: dict[str, str] = {}
        config: dict[str, Any] = {}
        for key, value in values.items():
            if lv.MOUNT.match(key):
                mounts[key] = f"{default}:{value}" if re.match(r"^\d+(\.\d+)?(,|$)", str(value)) else str(value)
            elif not key.startswith("unused"):
                kept = lv.kept(key, value, update=False)
                if kept is not None:
                    config[key] = kept
        if mounts and "rootfs" not in mounts:
            raise PveError(500, "mount points configured, but 'rootfs' not set - aborting")
        mounts.setdefault("rootfs", f"{default}:{ROOT_GIB}")
        return config, mounts

    def _check_new_mount(self, value: str, node: str, user: str) -> None:
        place = split_volid(lv.split_mount(value)[0])[0]
        if place is None:
            return
        store = self.storage_for(place, node)
        if "rootdir" not in split_list(store.get("content")):
            raise bad(storage=f"storage '{place}' does not support container directories")
        if self.acl is not None:
            self.require(user, "/storage/" + place, "Datastore.AllocateSpace")

    def _ct_allocate(self, ct: Ct, config: dict[str, Any], mounts: dict[str, str]) -> None:
        """Make the volumes of a new container; none is left if one cannot be made."""
        made: list[str] = []
        try:
            for key in sorted(mounts, key=lambda k: (k != "rootfs", lv.natural(k))):
                config[key] = self.realise_mount(ct, key, mounts[key])
                made.append(lv.split_mount(config[key])[0])
        except PveError:
            for volume in made:
                self.free(volume)
            raise

    # -------------------------------------------------------------- destroy

    async def _ct_destroy(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        vmid = ct.vmid
        if ct.config.get("protection"):
            raise PveError(500, f"can't remove CT {vmid} - protection mode enabled")
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if self.managed(ct) is not None and not v.get("purge"):
            raise PveError(500, f"unable to remove CT {vmid} - used in HA resources and purge parameter not set.")
        if ct.running and not v.get("force"):
            raise PveError(500, f"unable to destroy CT {vmid} - container is running")

        async def body() -> str | None:
            if not self.quorate:
                raise TaskError(
                    f"unable to open file '/etc/pve/nodes/{ct.node}/lxc/{vmid}.conf.tmp.29826' - Permission denied"
                )
            for config in [ct.config, ct.pending, *ct.snapshots.values()]:
                for key, value in config.items():
                    if value is not None and lv.MOUNT_OR_UNUSED.match(key):
                        self.free(lv.split_mount(str(value))[0])
            if v.get("destroy-unreferenced-disks"):
                self.free_all_of(vmid)
            self.leave(ct)
            if v.get("purge"):
                self.purge(vmid, self.sid_of_guest(ct))
                return f"purging CT {vmid} from related configurations.."
            return None

        return await self.task(ct.node, "vzdestroy", vmid, user, body, vm=ct)
