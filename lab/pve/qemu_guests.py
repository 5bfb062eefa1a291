# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU guests: create, destroy, clone, template, disks that grow and move, migration, the agent, lists and states."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from fakepve import agent as guest_agent
from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import qemu_values as q
from lab.pve.guests import FORBIDDEN, Vm
from lab.pve.qemu_config import QemuConfig
from lab.pve.volumes import CAN_CLONE, FILE_TYPES, format_size, parse_size, split_volid

CREATE_ONLY = (
    "node", "vmid", "archive", "storage", "force", "unique", "live-restore", "pool", "bwlimit", "start", "ha-managed",
    "import-working-storage",
)  # fmt: skip
NOT_CLONED = (
    "snapshots", "parent", "snaptime", "vmstate", "snapstate", "runningcpu", "runningmachine", "lock", "template",
    "running-nets-host-mtu",
)  # fmt: skip
QEMU_VERSION = "10.1.2"


def no_config(vmid: Any, node: str) -> str:
    return f"unable to find configuration file for VM {vmid} on node '{node}'"


class QemuGuests(QemuConfig):
    """/nodes/{node}/qemu."""

    def endpoints_qemu_guests(self) -> list[tuple[str, str, Any]]:
        all_, one = "/nodes/{node}/qemu", "/nodes/{node}/qemu/{vmid}"
        table: list[tuple[str, str, Any]] = [
            ("GET", all_, self._vm_list),
            ("POST", all_, self._vm_create),
            ("DELETE", one, self._vm_destroy),
            ("GET", one + "/status/current", self._vm_current),
            ("POST", one + "/clone", self._vm_clone),
            ("POST", one + "/template", self._vm_template),
            ("PUT", one + "/resize", self._vm_resize),
            ("POST", one + "/move_disk", self._vm_move_disk),
            ("GET", one + "/migrate", self._vm_migrate_check),
            ("POST", one + "/migrate", self._vm_migrate),
            ("GET", one + "/feature", self._vm_feature),
            ("GET", one + "/cloudinit", self._vm_cloudinit),
            ("GET", one + "/agent", self._agent_index),
            ("POST", one + "/agent", self._agent_any),
        ]
        for command in guest_agent_commands():
            table.append((command[0], f"{one}/agent/{command[1]}", self._agent_command(command[1])))
        return table

    # ---------------------------------------------------------------- views

    def _vm_view(self, vm: Vm, full: bool) -> dict[str, Any]:
        view = {
            "vmid": vm.vmid,
            "name": vm.name,
            "status": vm.status,
            "cpus": getattr(vm, "booted_cpus", None) or self.cpus_of(vm),
            **self.usage(vm),
        }
        view["memhost"] = view["mem"]
        if vm.running:
            view["pid"] = vm.pid
            for resource in ("cpu", "io", "memory"):
                view[f"pressure{resource}some"] = view[f"pressure{resource}full"] = 0
        tags = str(vm.config.get("tags") or "").strip()
        if tags:
            view["tags"] = tags
        if vm.template:
            view["template"] = 1
        if vm.lock:
            view["lock"] = vm.lock
        if full:
            view["qmpstatus"] = vm.qmpstatus
            nics = [k for k in vm.config if q.NET.match(k)]
            if vm.running and nics:
                view["nics"] = {f"tap{vm.vmid}i{k[3:]}": {"netin": 0, "netout": 0} for k in nics}
        return view

    async def _vm_list(self, v: dict[str, Any], user: str) -> Any:
        return self.shuffled(
            [
                self._vm_view(vm, bool(v.get("full")))
                for vm in self.vms
                if vm.node == v["node"] and (self.acl is None or self.may(user, vm.vmid, "VM.Audit"))
            ]
        )

    async def _vm_current(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        view = self._vm_view(vm, True)
        entry = self.managed(vm)
        view["ha"] = {"managed": 1, **entry, "sid": self.sid_of_guest(vm)} if entry else {"managed": 0}
        if self.agent_wanted(vm):
            view["agent"] = 1
        return view

    # --------------------------------------------------------------- create

    async def _vm_create(self, v: dict[str, Any], user: str) -> Any:
        node, vmid, pool = v["node"], int(v["vmid"]), v.get("pool")
        refused = f"unable to create VM {vmid} -"
        self.check_pool(pool)
        if self.acl is not None:
            if not (
                self.may(user, vmid, "VM.Allocate") or (pool and self.allowed(user, "/pool/" + pool, "VM.Allocate"))
            ):
                raise PveError(403, FORBIDDEN)
            if v.get("start"):
                self.demand(user, vmid, pool, "VM.PowerMgmt")
        values = {k: x for k, x in v.items() if k not in CREATE_ONLY and x is not None}
        default = v.get("storage")
        if "cdrom" in values:
            values["ide2"] = ",".join([str(values.pop("cdrom")), "media=cdrom"])
        if "smp" in values:
            values["sockets"] = values.pop("smp")
        for key in values:
            if q.DRIVE.match(key) and default and re.match(r"^\d", str(values[key])):
                values[key] = f"{default}:{values[key]}"
        if v.get("archive"):
            raise PveError(500, f"volume '{v['archive']}' does not exist")
        self.check_values(values, user, node)
        for key in sorted(values):
            self.check_rights(vmid, pool, key, values[key], user)
        try:
            self.check_free(vmid)
        except PveError as error:
            raise PveError(error.status, f"{refused} {error.message}") from None
        self.need_quorum()
        vm = Vm(vmid, node, {"lock": "create"})
        self.enter(vm)

        async def body() -> str | None:
            lines: list[str] = []
            try:
                vm.config = self._made(vm, values, lines)
            except PveError as error:
                self.leave(vm)
                raise TaskError(f"{refused} {error.message}") from None
            if pool:
                self._pool_join(pool, vmid)
            if v.get("ha-managed"):
                self.ha_resources[self.sid_of_guest(vm)] = {"state": "started" if v.get("start") else "stopped"}
            return "\n".join(lines) or None

        upid = await self.task(node, "qmcreate", vmid, user, body, vm=vm, undo=lambda: self.leave(vm))
        if v.get("start") and self.guest(vmid) is vm:
            await self.start_guest(vm, user)
        return upid

    def _made(self, vm: Vm, values: dict[str, Any], lines: list[str]) -> dict[str, Any]:
        """The configuration of a new guest, its disks allocated; none of them is left if one fails."""
        config: dict[str, Any] = {}
        before = {name: set(self._volumes(name)) for name in self.storages}
        try:
            for key in sorted(values):
                if q.DRIVE.match(key):
                    config[key] = self.realise(vm, key, str(values[key]))
                    lines.append(f"{key}: successfully created disk '{config[key]}'")
                else:
                    kept = q.kept(key, values[key], update=False)
                    if kept is not None:
                        config[key] = kept
        except PveError:
            for name, known in before.items():
                for volname in set(self._volumes(name)) - known:
                    self.free(f"{name}:{volname}")
            raise
        if q.WINDOWS.match(str(config.get("ostype", ""))):
            pinned = q.pinned_machine(config.get("machine"))
            if pinned:
                config["machine"] = pinned
        config.setdefault("boot", q.boot_order(config))
        config["meta"] = f"creation-qemu={QEMU_VERSION},ctime={int(time.time())}"
        config.setdefault("vmgenid", str(uuid.uuid4()))
        config.setdefault("smbios1", f"uuid={uuid.uuid4()}")
        if config.get("template"):
            for key in config:
                if q.DRIVE.match(key) and not q.is_cdrom(str(config[key])):
                    volume, options = q.split_drive(str(config[key]))
                    config[key] = q.join_drive(self.to_base(volume), options)
        return config

    # -------------------------------------------------------------- destroy

    async def _vm_destroy(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        vmid = vm.vmid
        if v.get("skiplock") and user != "root@pam":
            raise q.bad(skiplock="Only root may use this option.")
        if vm.config.get("protection"):
            raise PveError(500, f"can't remove VM {vmid} - protection mode enabled")
        if self.managed(vm) is not None and not v.get("purge"):
            raise PveError(500, f"unable to remove VM {vmid} - used in HA resources and purge parameter not set.")
        if vm.running:
            raise PveError(500, f"VM {vmid} is running - destroy failed")

        async def body() -> str | None:
            if not self.quorate:
                raise TaskError(
                    f"unable to open file '/etc/pve/nodes/{vm.node}/qemu-server/{vmid}.conf.tmp.29826'"
                    " - Permission denied"
                )
            if vm.lock and not v.get("skiplock"):
                raise TaskError(f"VM is locked ({vm.lock})")
            volumes = self._own_volumes(vm)
            for volume in volumes:
                if self.linked_to(volume):
                    raise TaskError(f"base volume '{volume}' is still in use by linked cloned")
            for volume in volumes:
                self.free(volume)
            if v.get("destroy-unreferenced-disks"):
                self.free_all_of(vmid)
            self.leave(vm)
            if v.get("purge"):
                self.purge(vmid, self.sid_of_guest(vm))
                return f"purging VM {vmid} from related configurations.."
            return None

        return await self.task(vm.node, "qmdestroy", vmid, user, body, vm=vm)

    @staticmethod
    def _own_volumes(vm: Vm) -> list[str]:
        """The volumes a destroyed guest takes along: its disks, not its CDs."""
        out = []
        for config in [vm.config, vm.pending, *vm.snapshots.values()]:
            for key, value in config.items():
                if value is None or not (q.DRIVE.match(key) or q.UNUSED.match(key)):
                    continue
                volume = q.split_drive(str(value))[0]
                if (q.is_cloudinit(str(value)) or not q.is_cdrom(str(value))) and volume not in out:
                    out.append(volume)
        return out

    def free_all_of(self, vmid: int) -> None:
        """Every volume that bears the vmid, on every storage."""
        for name in self.storages:
            for volname, entry in list(self._volumes(name).items()):
                if entry.get("vmid") == vmid and entry["content"] in ("images", "rootdir"):
                    self.free(f"{name}:{volname}")

    def purge(self, vmid: int, sid: str) -> None:
        """The guest leaves backup jobs and HA as well."""
        self.forget_resource(sid)
        for name, job in list(self.backup_jobs.items()):
            for key in ("vmid", "exclude"):
                listed = split_list(job.get(key))
                if str(vmid) in listed:
                    rest = [item for item in listed if item != str(vmid)]
                    if rest:
                        job[key] = ",".join(rest)
                    elif key == "exclude":
                        job.pop(key)
                    else:
                        del self.backup_jobs[name]

    # ------------------------------------------------------ clone, template

    async def _vm_clone(self, v: dict[str, Any], user: str) -> Any:
        node, newid, pool = v["node"], int(v["newid"]), v.get("pool")
        self.check_pool(pool)
        if self.acl is not None:
            self.demand(user, newid, pool, "VM.Allocate")
        target = v.get("target")
        if target == node:
            target = None
        if target and target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        storage, fmt = v.get("storage"), v.get("format")
        if storage:
            store = self.storage_for(storage, node)
            if "images" not in split_list(store.get("content")):
                raise q.bad(storage=f"storage '{storage}' does not support vm images")
            if target and not store.get("shared"):
                raise PveError(500, f"can't clone to non-shared storage '{storage}'")
        source = self.vm(v["vmid"])
        if source is None or source.node != node:
            raise PveError(500, no_config(v["vmid"], node))
        self.need_quorum()
        if source.lock:
            raise PveError(500, f"VM is locked ({source.lock})")
        full = bool(v["full"]) if v.get("full") is not None else not source.template
        if not full:
            for name in ("storage", "format"):
                if v.get(name):
                    raise PveError(500, f"parameter '{name}' not allowed for linked clones")
        snapname = v.get("snapname")
        if snapname and snapname not in source.snapshots:
            raise PveError(500, f"snapshot '{snapname}' does not exist")
        if newid in self.by_vmid:
            raise PveError(500, f"unable to create VM {newid}: config file already exists")
        old = source.snapshots[snapname] if snapname else source.config
        config: dict[str, Any] = {}
        disks: dict[str, str] = {}
        for key, value in old.items():
            if key in NOT_CLONED or q.UNUSED.match(key) or key == "snaptime":
                continue
            if q.NET.match(key):
                config[key] = q.net_value(str(value), fresh_mac=True)
            elif q.DRIVE.match(key) and (not q.is_cdrom(str(value)) or q.is_cloudinit(str(value))):
                disks[key] = str(value)
            else:
                config[key] = value
        for key, value in disks.items():
            volume = q.split_drive(value)[0]
            name = split_volid(volume)[0]
            if name is None:
                continue
            kind = self.storage_for(name)
            if not full and not q.is_cloudinit(value):
                if "base-" not in volume or not (kind["type"] in CAN_CLONE or volume.endswith(".qcow2")):
                    raise PveError(500, f"Linked clone feature is not supported for '{volume}' ({key})")
            destination = self.storage_for(storage) if storage else kind
            if target and not (kind.get("shared") and destination.get("shared")):
                raise PveError(500, f"can't clone VM to node '{target}' (VM uses local storage)")
            if self.acl is not None:
                self.require(user, "/storage/" + (storage or name), "Datastore.AllocateSpace")
        new = Vm(newid, node, {"lock": "clone"})
        self.enter(new)

        async def body() -> str | None:
            for key in sorted(disks):
                config[key] = self._copied(new, key, disks[key], storage, fmt, full)
            config["name"] = v.get("name") or f"Copy-of-VM-{source.config.get('name') or source.vmid}"
            if v.get("description"):
                config["description"] = str(v["description"]).rstrip()
            smbios = dict(part.partition("=")[::2] for part in str(config.get("smbios1", "")).split(",") if part)
            smbios["uuid"] = str(uuid.uuid4())
            config["smbios1"] = ",".join(f"{key}={smbios[key]}" for key in sorted(smbios))
            if "vmgenid" in config and config["vmgenid"] != "0":
                config["vmgenid"] = str(uuid.uuid4())
            new.config = config
            if pool:
                self._pool_join(pool, newid)
            if target:
                self.move(new, target)
            return None

        return await self.task(
            node,
            "qmclone",
            source.vmid,
            user,
            body,
            vm=new,
            log=[f"creating a clone of VM {source.vmid} with ID {newid}"],
            undo=lambda: self.leave(new),
        )

    def _copied(self, new: Vm, key: str, value: str, storage: str | None, fmt: str | None, full: bool) -> str:
        """The clone's drive: a copy, or a volume on top of the template's."""
        volume, options = q.split_drive(value)
        source, name = split_volid(volume)
        entry = self.volume(volume) or {"size": 0, "format": "raw"}
        size = int(entry["size"])
        destination = storage or str(source)
        kind = self.storage_for(destination)["type"]
        wanted = fmt or (entry.get("format") if destination == source else None)
        if kind not in FILE_TYPES:
            wanted = None
        if q.is_cloudinit(value):
            wanted = fmt or ("qcow2" if kind in FILE_TYPES else None)
            volid = self.allocate(destination, new.vmid, size, wanted, new.node, f"vm-{new.vmid}-cloudinit")
        else:
            volid = self.allocate(destination, new.vmid, size, wanted, new.node)
            if not full:
                made = self._volumes(destination)
                short = split_volid(volid)[1]
                made[short].update(base=name, parent=f"../{name}" if kind in FILE_TYPES else name)
                if kind in FILE_TYPES or kind in ("zfspool", "rbd"):
                    made[f"{name}/{short}"] = made.pop(short)
                    volid = f"{destination}:{name}/{short}"
        options["size"] = format_size(size)
        return q.join_drive(volid, options)

    async def _vm_template(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        if vm.lock:
            raise PveError(500, f"VM is locked ({vm.lock})")
        if vm.snapshots:
            raise PveError(500, "unable to create template, because VM contains snapshots")
        if vm.template and not v.get("disk"):
            raise PveError(500, "you can't convert a template to a template")
        if vm.running:
            raise PveError(500, "you can't convert a VM to template if VM is running")
        self.need_quorum()

        async def body() -> None:
            for key in [k for k in vm.config if q.DRIVE.match(k)]:
                value = str(vm.config[key])
                if not q.is_cdrom(value) and v.get("disk") in (None, key):
                    volume, options = q.split_drive(value)
                    vm.config[key] = q.join_drive(self.to_base(volume), options)
            vm.config["template"] = 1

        return await self.task(vm.node, "qmtemplate", vm.vmid, user, body, vm=vm)

    # ---------------------------------------------------------------- disks

    async def _vm_resize(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        disk, asked = v["disk"], str(v["size"])
        if v.get("digest") and v["digest"] != vm.digest():
            raise PveError(500, "checksum mismatch (file change by other user?)")
        if vm.lock and not v.get("skiplock"):
            raise PveError(500, f"VM is locked ({vm.lock})")
        self.need_quorum()

        async def body() -> None:
            if disk not in vm.config:
                raise TaskError(f"disk '{disk}' does not exist")
            value = str(vm.config[disk])
            if q.is_cdrom(value):
                raise TaskError("you can't resize a cdrom")
            volume, options = q.split_drive(value)
            entry = self.volume(volume)
            current = int(entry["size"]) if entry else parse_size(options.get("size", "0")) or 0
            wanted = q.grown(current, asked)
            if wanted < current:
                raise TaskError("shrinking disks is not supported")
            if entry:
                store = self.storages[str(split_volid(volume)[0])]
                store["used"] = store.get("used", 0) + wanted - current
                entry["size"] = wanted
            options["size"] = format_size(wanted)
            vm.config[disk] = q.join_drive(volume, options)

        return await self.task(vm.node, "resize", vm.vmid, user, body, vm=vm)

    async def _vm_move_disk(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        disk = v["disk"]
        if v.get("target-vmid"):
            return await self._reassign(vm, v, user)
        if disk not in vm.config:
            raise PveError(500, f"disk '{disk}' does not exist")
        storage = v.get("storage")
        if not storage:
            raise q.bad(storage="property is missing and it is not optional")
        volume, options = q.split_drive(str(vm.config[disk]))
        source = split_volid(volume)[0]
        self.storage_for(storage, vm.node)
        entry = self.volume(volume)
        if entry is None:
            raise PveError(500, f"volume '{volume}' does not exist")
        if source == storage and v.get("format") in (None, entry["format"]):
            raise PveError(500, "you can't move to the same storage with same format")

        async def body() -> None:
            fmt = v.get("format") or entry["format"]
            if self.storages[storage]["type"] not in FILE_TYPES:
                fmt = None
            volid = self.allocate(storage, vm.vmid, int(entry["size"]), fmt, vm.node)
            vm.config[disk] = q.join_drive(volid, options)
            if v.get("delete"):
                self.free(volume)
            else:
                self._make_unused(vm, volume)
            for key in [k for k in vm.config if q.UNUSED.match(k)]:
                if vm.config[key] == volid:
                    del vm.config[key]

        return await self.task(vm.node, "qmmove", vm.vmid, user, body, vm=vm)

    async def _reassign(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        """Give a disk to another guest."""
        target = self.find(vm.node, v["target-vmid"])
        disk, slot = v["disk"], v.get("target-disk") or v["disk"]
        if disk not in vm.config:
            raise PveError(500, f"disk '{disk}' does not exist")
        if slot in target.config:
            raise PveError(500, f"Target disk key '{slot}' is already in use for VM '{target.vmid}'")

        async def body() -> None:
            volume, options = q.split_drive(str(vm.config[disk]))
            storage = str(split_volid(volume)[0])
            entry = self.volume(volume) or {"size": 0, "format": "raw"}
            fmt = entry.get("format") if self.storages[storage]["type"] in FILE_TYPES else None
            volid = self.allocate(storage, target.vmid, int(entry["size"]), fmt, target.node)
            self.free(volume)
            vm.config.pop(disk)
            self._leave_boot(vm, disk)
            target.config[slot] = q.join_drive(volid, options)

        return await self.task(
            vm.node, "qmmove", f"{vm.vmid}-{disk}>{target.vmid}-{slot}", user, body, vm=vm
        )

    # ------------------------------------------------------------ migration

    async def _vm_migrate_check(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        others = [n for n in self.nodes if n != vm.node]
        disks = []
        for key, value in vm.config.items():
            volume, options = q.split_drive(str(value))
            storage = split_volid(volume)[0]
            if not (q.DRIVE.match(key) or q.UNUSED.match(key)) or storage is None or storage not in self.storages:
                continue
            if self.storages[storage].get("shared"):
                continue
            unused = bool(q.UNUSED.match(key))
            entry: dict[str, Any] = {
                "volid": volume,
                "shared": 0,
                "replicate": 1,
                "cdrom": 1 if q.is_cdrom(str(value)) else 0,
                "is_unused": 1 if unused else 0,
                "is_attached": 0 if unused else 1,
                "is_cloudinit": 1 if q.is_cloudinit(str(value)) else 0,
                "is_tpmstate": 1 if key == "tpmstate0" else 0,
                "is_vmstate": 0,
            }
            if not unused:
                entry["drivename"] = key
            if options.get("size"):
                entry["size"] = parse_size(options["size"])
            disks.append(entry)
        return {
            "running": 1 if vm.running else 0,
            "allowed_nodes": self.shuffled(others),
            "not_allowed_nodes": {n: {} for n in others},
            "local_disks": self.shuffled(disks),
            "local_resources": [],
            "mapped-resources": [],
            "mapped-resource-info": {},
            "has-dbus-vmstate": 1,
        }

    async def _vm_migrate(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        target = v["target"]
        if target == vm.node:
            raise q.bad(target="target is local node.")
        if target not in self.nodes:
            raise PveError(500, f"no such cluster node '{target}'")
        self.need_quorum()
        if vm.running and not v.get("online"):
            raise PveError(500, "can't migrate running VM without --online")
        managed = self.managed(vm) is not None

        async def body() -> str:
            if vm.lock:
                raise TaskError(f"VM is locked ({vm.lock})")
            if not self.online(target):
                raise TaskError("migration aborted")
            self.move(vm, target)
            return "migration finished successfully"

        return await self.task(vm.node, "hamigrate" if managed else "qmigrate", vm.vmid, user, body, vm=vm)

    async def _vm_feature(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        volumes = [q.split_drive(str(x))[0] for k, x in vm.config.items() if q.DRIVE.match(k) and not q.is_cdrom(str(x))]
        kinds = [self.storages.get(str(split_volid(volume)[0]), {}).get("type") for volume in volumes]
        has = {
            "copy": True,
            "snapshot": all(k in CAN_CLONE or vol.endswith(".qcow2") for k, vol in zip(kinds, volumes, strict=True)),
            "clone": vm.template and all(k in CAN_CLONE for k in kinds),
        }.get(v["feature"], False)
        shared = all(self.storages.get(str(split_volid(volume)[0]), {}).get("shared") for volume in volumes)
        return {"hasFeature": 1 if has else 0, "nodes": list(self.nodes) if shared and volumes else [vm.node]}

    async def _vm_cloudinit(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        keys = [k for k in vm.config if k in q.CLOUDINIT or k.startswith("ipconfig")]
        return [{"key": k, "value": "**********" if k == "cipassword" else vm.config[k]} for k in keys]

    # ---------------------------------------------------------------- agent

    @staticmethod
    def agent_wanted(vm: Vm) -> bool:
        """True if the configuration says that the guest has an agent."""
        first = str(vm.config.get("agent", "0"))
        found = re.search(r"(?:^|,)(?:enabled=)?([01])(?:,|$)", first)
        return bool(found and found.group(1) == "1")

    def _agent_ready(self, v: dict[str, Any]) -> Vm:
        vm = self.find(v["node"], v["vmid"])
        if not self.agent_wanted(vm):
            raise PveError(500, "No QEMU guest agent configured")
        if not vm.running:
            raise PveError(500, f"VM {vm.vmid} is not running")
        if vm.agent_hangs or not vm.acpi:
            raise PveError(500, "QEMU guest agent is not running")
        return vm

    async def _agent_index(self, v: dict[str, Any], user: str) -> Any:
        self.find(v["node"], v["vmid"])
        return [{"name": name} for name in sorted({name for _method, name in guest_agent_commands()})]

    async def _agent_any(self, v: dict[str, Any], user: str) -> Any:
        return await self._agent_command(v["command"])(v, user)

    def _agent_command(self, command: str) -> Any:
        async def run(v: dict[str, Any], user: str) -> Any:
            vm = self._agent_ready(v)
            if command == "network-get-interfaces" and "interfaces" not in (vm.agent or {}):
                return {"result": self.agent_interfaces(vm)}
            vm.agent = vm.agent or {}
            return guest_agent.result(vm, command, v)

        return run

    @staticmethod
    def agent_interfaces(vm: Vm) -> list[dict[str, Any]]:
        """What a Linux guest reports: lo, and one interface a NIC with an address of its own."""
        out: list[dict[str, Any]] = [
            {
                "name": "lo",
                "hardware-address": "00:00:00:00:00:00",
                "ip-addresses": [
                    {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8},
                    {"ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128},
                ],
            }
        ]
        for number, key in enumerate(sorted((k for k in vm.config if q.NET.match(k)), key=q.natural)):
            mac = str(vm.config[key]).split(",", 1)[0].partition("=")[2].lower()
            address = f"10.{100 + number}.{vm.vmid // 250 % 250}.{vm.vmid % 250 + 1}"
            out.append(
                {
                    "name": f"ens{18 + number}",
                    "hardware-address": mac,
                    "ip-addresses": [{"ip-address": address, "ip-address-type": "ipv4", "prefix": 16}],
                }
            )
        return out


def guest_agent_commands() -> list[tuple[str, str]]:
    """(method, command) of every agent endpoint in the schema."""
    from lab.pve import schema

    prefix = "/nodes/{node}/qemu/{vmid}/agent/"
    paths = schema.load().paths
    return [(method, path[len(prefix) :]) for path in paths if path.startswith(prefix) for method in paths[path]]


