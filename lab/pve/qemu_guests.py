# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU guests: create, destroy, clone, template, disks that grow and move, migration, the agent, lists and states."""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import qemu_values as q
from lab.pve.guests import Vm
from lab.pve.qemu_config import QemuConfig

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


def agent_wanted(vm: Vm) -> bool:
    """True if the configuration says that the guest has an agent."""
    found = re.search(r"(?:^|,)(?:enabled=)?([01])(?:,|$)", str(vm.config.get("agent", "0")))
    return bool(found and found.group(1) == "1")


class QemuGuests(QemuConfig):
    """/nodes/{node}/qemu."""

    def endpoints_qemu_guests(self) -> list[tuple[str, str, Any]]:
        all_, one = "/nodes/{node}/qemu", "/nodes/{node}/qemu/{vmid}"
        return [
            ("GET", all_, self._vm_list),
            ("POST", all_, self._vm_create),
            ("DELETE", one, self._vm_destroy),
            ("GET", one + "/status/current", self._vm_current),
            ("GET", one + "/cloudinit", self._vm_cloudinit),
        ]

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
        if agent_wanted(vm):
            view["agent"] = 1
        return view

    # --------------------------------------------------------------- create

    async def _vm_create(self, v: dict[str, Any], user: str) -> Any:
        if v.get("archive"):
            return await self.restore_guest("qemu", str(v["archive"]), v, user)
        node, vmid, pool = v["node"], int(v["vmid"]), v.get("pool")
        refused = f"unable to create VM {vmid} -"
        self.check_may_create(v, user)
        values = {k: x for k, x in v.items() if k not in CREATE_ONLY and x is not None}
        default = v.get("storage")
        if "cdrom" in values:
            values["ide2"] = ",".join([str(values.pop("cdrom")), "media=cdrom"])
        if "smp" in values:
            values["sockets"] = values.pop("smp")
        for key in values:
            if q.DRIVE.match(key) and default and re.match(r"^\d", str(values[key])):
                values[key] = f"{default}:{values[key]}"
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

    async def restore_guest(self, kind: str, volid: str, v: dict[str, Any], user: str) -> Any:
        """Make a guest of an archive; the restoring part knows how."""
        raise NotImplementedError

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

    # ----------------------------------------------------------- cloud-init

    async def _vm_cloudinit(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        keys = [k for k in vm.config if k in q.CLOUDINIT or k.startswith("ipconfig")]
        return [{"key": k, "value": "**********" if k == "cipassword" else vm.config[k]} for k in keys]
