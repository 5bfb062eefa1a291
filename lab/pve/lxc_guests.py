# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""LXC guests: configuration, create, destroy, clone, template, mount points, lists and states."""

from __future__ import annotations

import re
from typing import Any

from fakepve.lxc import arch_of, option_exists, ostype_of
from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve.guests import FORBIDDEN, Ct
from lab.pve.qemu_guests import QemuGuests
from lab.pve.qemu_values import bad, check_ssh_keys, grown
from lab.pve.volumes import CAN_CLONE, format_size, parse_size, split_volid

CREATE_ONLY = (
    "node", "vmid", "ostemplate", "storage", "password", "ssh-public-keys", "ignore-unpack-errors", "bwlimit", "start",
    "ha-managed", "force", "restore", "unique", "pool", "unprivileged",
)  # fmt: skip
REQUEST_ONLY = ("node", "vmid", "digest", "delete", "revert")
DIGEST_CHANGED = "detected modified configuration - file changed by other user? Try again."
GIB = 1024**3
ROOT_GIB = 4


class LxcGuests(QemuGuests):
    """/nodes/{node}/lxc."""

    def endpoints_lxc_guests(self) -> list[tuple[str, str, Any]]:
        all_, one = "/nodes/{node}/lxc", "/nodes/{node}/lxc/{vmid}"
        return [
            ("GET", all_, self._ct_list),
            ("POST", all_, self._ct_create),
            ("DELETE", one, self._ct_destroy),
            ("GET", one + "/status/current", self._ct_current),
            ("GET", one + "/config", self._ct_config),
            ("PUT", one + "/config", self._ct_config_put),
            ("GET", one + "/pending", self._ct_pending),
            ("PUT", one + "/resize", self._ct_resize),
            ("POST", one + "/clone", self._ct_clone),
            ("POST", one + "/template", self._ct_template),
            ("POST", one + "/move_volume", self._ct_move_volume),
            ("GET", one + "/interfaces", self._ct_interfaces),
            ("GET", one + "/migrate", self._ct_migrate_check),
            ("POST", one + "/migrate", self._ct_migrate),
            ("GET", one + "/feature", self._ct_feature),
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
            host, _, prefix = address.partition("/")
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

    # --------------------------------------------------------------- config

    async def _ct_config(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        if v.get("snapshot"):
            snapshot = ct.snapshots.get(v["snapshot"])
            if snapshot is None:
                raise PveError(500, f"snapshot '{v['snapshot']}' does not exist")
            return {**snapshot, "digest": ct.digest()}
        config = dict(ct.config) if v.get("current") else ct.effective()
        if "arch" not in config:
            raise PveError(500, "missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 724.")
        return {**config, "digest": ct.digest()}

    async def _ct_pending(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        out: list[dict[str, Any]] = []
        for key in [*ct.config, *(k for k in ct.pending if k not in ct.config)]:
            entry: dict[str, Any] = {"key": key}
            if key in ct.config:
                entry["value"] = ct.config[key]
            if key in ct.pending:
                entry.update({"delete": 1} if ct.pending[key] is None else {"pending": ct.pending[key]})
            out.append(entry)
        out.append({"key": "digest", "value": ct.digest()})
        return self.shuffled(out)

    def _ct_rights(self, vmid: int, pool: str | None, key: str, value: Any, before: Any, user: str) -> None:
        if user == "root@pam":
            return
        why = lv.refused_to_tokens(key, value, before)
        if why:
            raise PveError(403, f"{FORBIDDEN} ({why})")
        if self.acl is None:
            return
        self.demand(user, vmid, pool, *lv.privileges(key))
        if lv.MOUNT.match(key):
            new = lv.NEW_DISK.match(lv.split_mount(str(value))[0])
            if new:
                self.require(user, "/storage/" + new.group(1), "Datastore.AllocateSpace")

    async def _ct_config_put(self, v: dict[str, Any], user: str) -> Any:
        values = {k: x for k, x in v.items() if k not in REQUEST_ONLY and x is not None}
        deletes, reverts = split_list(v.get("delete")), split_list(v.get("revert"))
        ct = self._find_ct(v["node"], v["vmid"])
        if not self.quorate:
            raise PveError(
                500, f"unable to open file '/etc/pve/nodes/{ct.node}/lxc/{ct.vmid}.conf.tmp.26003' - Permission denied"
            )
        if not values and not deletes and not reverts:
            raise PveError(500, "no options specified")
        if ct.lock_holder is not None:
            try:
                await self.acquire(ct, "config")
            except TaskError as error:
                raise PveError(500, str(error)) from None
            self.release(ct, "config")
        for key in deletes:
            if not option_exists(key):
                raise bad(delete=f"unknown option '{key}'")
            if key in values:
                raise bad(delete=f"you can't use '-{key}' and -delete {key}' at the same time")
        for key in sorted([*values, *deletes]):
            self._ct_rights(ct.vmid, ct.pool, key, values.get(key, ""), ct.config.get(key), user)
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if v.get("digest") and v["digest"] != ct.digest():
            raise PveError(500, DIGEST_CHANGED)
        if "hookscript" in values and self.volume(str(values["hookscript"])) is None:
            raise PveError(500, f"script '{values['hookscript']}' does not exist")
        if "unprivileged" in values or "unprivileged" in deletes:
            verb = "modify" if "unprivileged" in values else "delete"
            raise PveError(500, f"unable to {verb} read-only option: 'unprivileged'")
        for key in deletes:
            if key in lv.REQUIRED and key in ct.config:
                raise PveError(500, f"unable to delete required option '{key}'")
            if ct.config.get("protection") and re.match(r"^(mp|unused)\d+$", key):
                raise PveError(500, f"can't remove CT {ct.vmid} drive '{key}' - protection mode enabled")
        for key, value in values.items():
            if lv.MOUNT.match(key):
                self._check_mount(ct, str(value))
        for key in reverts:
            ct.pending.pop(key, None)
        for key in deletes:
            ct.pending[key] = None
        for key, value in values.items():
            kept = lv.kept(key, value, update=True)
            ct.pending[key] = kept
        changed = {*deletes, *values}
        for key in changed:
            if ct.pending.get(key, 0) is None and key not in ct.config:
                ct.pending.pop(key)
        self.apply_ct(ct, changed, ct.running)
        return None

    def _check_mount(self, ct: Ct, value: str) -> None:
        volume = lv.split_mount(value)[0]
        storage, _name = split_volid(volume)
        if storage is None:
            return
        store = self.storage_for(storage, ct.node)
        if "rootdir" not in split_list(store.get("content")):
            raise PveError(500, f"storage '{storage}' does not allow content type 'rootdir' (Container)")
        if not lv.NEW_DISK.match(volume) and self.volume(volume) is None:
            raise PveError(500, f"volume '{volume}' does not exist")

    def apply_ct(self, ct: Ct, chosen: set[str] | None, running: bool) -> None:
        """Make pending changes the configuration: all of them when stopped, the hot ones while it runs."""
        for key in [k for k in ct.pending if chosen is None or k in chosen]:
            value = ct.pending[key]
            if running and not (
                key in lv.LIVE
                or re.match(r"^(net|unused)\d+$", key)
                or (re.match(r"^(mp|dev)\d+$", key) and key not in ct.config and value is not None)
            ):
                continue
            del ct.pending[key]
            if value is None:
                self._ct_take_out(ct, key)
            elif lv.MOUNT.match(key):
                self._ct_put_in(ct, key, str(value))
            else:
                ct.config[key] = value

    def _ct_take_out(self, ct: Ct, key: str) -> None:
        value = str(ct.config.pop(key, ""))
        volume = lv.split_mount(value)[0]
        if key.startswith("unused"):
            self.free(volume)
        elif lv.MOUNT.match(key):
            self._ct_unused(ct, volume)

    def _ct_unused(self, ct: Ct, volume: str) -> None:
        storage, name = split_volid(volume)
        if storage is None or not re.search(rf"-{ct.vmid}-", name):
            return
        if any(lv.split_mount(str(x))[0] == volume for k, x in ct.config.items() if lv.MOUNT_OR_UNUSED.match(k)):
            return
        number = 0
        while f"unused{number}" in ct.config:
            number += 1
        ct.config[f"unused{number}"] = volume

    def _ct_put_in(self, ct: Ct, key: str, value: str) -> None:
        volume = lv.split_mount(value)[0]
        old = ct.config.get(key)
        ct.config[key] = self.realise_mount(ct, key, value)
        now = lv.split_mount(str(ct.config[key]))[0]
        for other in [k for k in ct.config if k.startswith("unused")]:
            if ct.config[other] == now:
                del ct.config[other]
        if old is not None:
            before = lv.split_mount(str(old))[0]
            if before != volume:
                self._ct_unused(ct, before)

    def realise_mount(self, ct: Ct, key: str, value: str) -> str:
        """A mount point as it is kept: a volume that was asked for by size is allocated."""
        volume, options = lv.split_mount(value)
        new = lv.NEW_DISK.match(volume)
        if not new:
            # PVE keeps what was sent, order included.
            return value
        size = int(float(new.group(2)) * GIB)
        volid = self.allocate(new.group(1), ct.vmid, size, None, ct.node, content="rootdir")
        options["size"] = format_size(size)
        return lv.join_mount(volid, options)

    # --------------------------------------------------------------- create

    async def _ct_create(self, v: dict[str, Any], user: str) -> Any:
        node, vmid, pool = v["node"], int(v["vmid"]), v.get("pool")
        template, restore = str(v["ostemplate"]), bool(v.get("restore"))
        self.check_pool(pool)
        if self.acl is not None:
            if not (
                self.may(user, vmid, "VM.Allocate") or (pool and self.allowed(user, "/pool/" + pool, "VM.Allocate"))
            ):
                raise PveError(403, FORBIDDEN)
            if v.get("start"):
                self.demand(user, vmid, pool, "VM.PowerMgmt")
        if v.get("ssh-public-keys"):
            check_ssh_keys(str(v["ssh-public-keys"]), encoded=False)
        try:
            self.check_free(vmid)
        except PveError as error:
            raise PveError(error.status, f"unable to create CT {vmid} - {error.message}") from None
        self.need_quorum()
        storage, name = split_volid(template)
        if storage is None:
            raise PveError(500, f"unable to parse volume ID '{template}'")
        self.storage_for(storage, node)
        if not name.startswith("backup/" if restore else "vztmpl/"):
            wanted = "backup" if restore else "vztmpl"
            raise PveError(500, f"unable to use volume {template} - content type needs to be '{wanted}'")
        values = {k: x for k, x in v.items() if k not in CREATE_ONLY and x is not None}
        for key in sorted(values):
            self._ct_rights(vmid, pool, key, values[key], None, user)
        default = v.get("storage") or "local"
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
        for value in mounts.values():
            place = split_volid(lv.split_mount(value)[0])[0]
            if place is not None:
                store = self.storage_for(place, node)
                if "rootdir" not in split_list(store.get("content")):
                    raise bad(storage=f"storage '{place}' does not support container directories")
                if self.acl is not None:
                    self.require(user, "/storage/" + place, "Datastore.AllocateSpace")
        ct = Ct(vmid, node, {"lock": "create"})
        self.enter(ct)

        async def body() -> str | None:
            refused = f"unable to create CT {vmid} -"
            if self.volume(template) is None:
                self.leave(ct)
                raise TaskError(f"{refused} volume '{template}' does not exist")
            made: list[str] = []
            try:
                for key in sorted(mounts, key=lambda k: (k != "rootfs", lv.natural(k))):
                    config[key] = self.realise_mount(ct, key, mounts[key])
                    made.append(lv.split_mount(config[key])[0])
            except PveError as error:
                for volume in made:
                    self.free(volume)
                self.leave(ct)
                raise TaskError(f"{refused} {error.message}") from None
            config.setdefault("hostname", f"CT{vmid}")
            config.setdefault("memory", 512)
            config.setdefault("swap", 512)
            config.setdefault("ostype", ostype_of(template))
            config.setdefault("arch", arch_of(template))
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

    # ------------------------------------------------ clone, template, disks

    async def _ct_clone(self, v: dict[str, Any], user: str) -> Any:
        node, newid, pool, target = v["node"], int(v["newid"]), v.get("pool"), v.get("target")
        self.check_pool(pool)
        if self.acl is not None:
            self.demand(user, newid, pool, "VM.Allocate")
        if target == node:
            target = None
        if target and target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        storage = v.get("storage")
        if storage:
            self.storage_for(storage, node)
        source = self._find_ct(node, v["vmid"])
        self.need_quorum()
        if source.lock:
            raise PveError(500, f"CT is locked ({source.lock})")
        self.check_free(newid)
        full = bool(v["full"]) if v.get("full") is not None else not source.template
        if storage and not full:
            raise PveError(500, "parameter 'storage' not allowed for linked clones")
        snapname = v.get("snapname")
        if snapname and snapname not in source.snapshots:
            raise PveError(500, f"snapshot '{snapname}' does not exist")
        if full and source.running and not snapname:
            raise PveError(500, "Full clone of a running container is only possible from a snapshot")
        config: dict[str, Any] = {}
        mounts: dict[str, str] = {}
        old = source.snapshots[snapname] if snapname else source.config
        for key, value in old.items():
            if key in ("parent", "snaptime", "snapstate", "template", "lock") or key.startswith("unused"):
                continue
            if lv.MOUNT.match(key):
                volume = lv.split_mount(str(value))[0]
                place = split_volid(volume)[0]
                if place is None:
                    kind = lv.mount_kind(volume)
                    raise PveError(500, f"unable to clone mountpoint '{key}' (type {kind})")
                if not full and not (("base" in volume) and self.storage_for(place)["type"] in CAN_CLONE):
                    raise PveError(500, f"Linked clone feature for '{volume}' is not available")
                if target and not self.storage_for(storage or place).get("shared"):
                    raise PveError(500, f"can't clone CT to node '{target}' (CT uses local storage)")
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

    # ------------------------------------------------------------ migration

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


