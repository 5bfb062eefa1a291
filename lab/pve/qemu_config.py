# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU guests' configuration: reading, changing, what waits for a restart, disks that come and go with it."""

from __future__ import annotations

import re
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve import qemu_values as q
from lab.pve import schema
from lab.pve.backup_jobs import BackupJobs
from lab.pve.guests import FORBIDDEN, Vm
from lab.pve.volumes import format_size, split_volid

HIDDEN = "**********"
REQUEST_ONLY = (
    "node",
    "vmid",
    "digest",
    "delete",
    "revert",
    "skiplock",
    "force",
    "background_delay",
    "import-working-storage",
)


class QemuConfig(BackupJobs):
    """/nodes/{node}/qemu/{vmid}/config and /pending."""

    def endpoints_qemu_config(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/qemu/{vmid}"
        return [
            ("GET", one + "/config", self._qm_config),
            ("PUT", one + "/config", self._qm_config_put),
            ("POST", one + "/config", self._qm_config_post),
            ("GET", one + "/pending", self._qm_pending),
            ("PUT", one + "/unlink", self._qm_unlink),
        ]

    # ------------------------------------------------------------- reading

    @staticmethod
    def _masked(config: dict[str, Any]) -> dict[str, Any]:
        if "cipassword" in config:
            config["cipassword"] = HIDDEN
        return config

    async def _qm_config(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        if v.get("snapshot"):
            snapshot = vm.snapshots.get(v["snapshot"])
            if snapshot is None:
                raise PveError(500, f"snapshot '{v['snapshot']}' does not exist")
            return self._masked({**snapshot, "digest": vm.digest()})
        config = dict(vm.config) if v.get("current") else vm.effective()
        return self._masked({**config, "digest": vm.digest()})

    async def _qm_pending(self, v: dict[str, Any], user: str) -> Any:
        vm = self.find(v["node"], v["vmid"])
        out: list[dict[str, Any]] = []
        for key in [*vm.config, *(k for k in vm.pending if k not in vm.config)]:
            entry: dict[str, Any] = {"key": key}
            if key in vm.config:
                entry["value"] = HIDDEN if key == "cipassword" else vm.config[key]
            if key in vm.pending:
                if vm.pending[key] is None:
                    entry["delete"] = 1
                else:
                    entry["pending"] = HIDDEN if key == "cipassword" else vm.pending[key]
            out.append(entry)
        out.append({"key": "digest", "value": vm.digest()})
        return self.shuffled(out)

    # ------------------------------------------------------------- changing

    async def _qm_config_put(self, v: dict[str, Any], user: str) -> Any:
        vm = self._editable(v, user)
        self._qm_update(vm, v, user)
        return None

    async def _qm_config_post(self, v: dict[str, Any], user: str) -> Any:
        vm = self._editable(v, user)
        self._qm_checked(vm, v, user)

        async def body() -> None:
            self._qm_update(vm, v, user)

        return await self.task(vm.node, "qmconfig", vm.vmid, user, body)

    def _editable(self, v: dict[str, Any], user: str) -> Vm:
        if self.acl is not None and not self.may(user, v["vmid"], *q.ANY_CONFIG):
            raise PveError(403, f"{FORBIDDEN} (/vms/{v['vmid']}, {'|'.join(q.ANY_CONFIG)})")
        vm = self.find(v["node"], v["vmid"])
        if not self.quorate:
            raise PveError(
                500,
                f"unable to open file '/etc/pve/nodes/{vm.node}/qemu-server/{vm.vmid}.conf.tmp.26003'"
                " - Permission denied",
            )
        return vm

    @staticmethod
    def known_option(key: str) -> bool:
        """True for what qemu-server knows as a configuration option."""
        properties = schema.load().paths["/nodes/{node}/qemu/{vmid}/config"]["PUT"]["parameters"]["properties"]
        return key not in REQUEST_ONLY and (
            schema.property_schema(properties, key) is not None or bool(q.UNUSED.match(key))
        )

    def check_volumes_on_path(self, key: str, value: str, user: str, node: str) -> None:
        """check_storage_access: the storage is there, takes disks, and the user may use it."""
        volume, options = q.split_drive(value)
        if volume in ("", "none", "cdrom"):
            return
        new = q.NEW_DISK.match(volume)
        storage, name = (new.group(1), "") if new else split_volid(volume)
        if storage is None:
            if user != "root@pam":
                raise PveError(500, "Only root can pass arbitrary filesystem paths.")
            raise PveError(500, f"volume {volume} does not exist")
        if new or name == "cloudinit":
            if self.acl is not None and not self.allowed(user, "/storage/" + storage, "Datastore.AllocateSpace"):
                raise PveError(403, f"{FORBIDDEN} (/storage/{storage}, Datastore.AllocateSpace)")
            store = self.storage_for(storage, node)
            if "images" not in split_list(store.get("content")):
                raise q.bad(storage=f"storage '{storage}' does not support vm images")
            return
        self.storage_for(storage, node)
        if self.volume(volume) is None:
            raise PveError(500, f"volume '{volume}' does not exist")
        if name.startswith("iso/") and options.get("media") != "cdrom":
            raise q.bad(**{key: "explicit 'media=cdrom' is required for iso images"})

    def check_rights(
        self, vm_id: int, pool: str | None, key: str, value: Any, user: str, root_only: bool = True
    ) -> None:
        if user == "root@pam":
            return
        why = q.refused_to_tokens(key, value)
        if why and root_only:
            raise PveError(500, why)
        if self.acl is not None:
            self.demand(user, vm_id, pool, *q.privileges(key, value))

    def check_values(self, values: dict[str, Any], user: str, node: str) -> None:
        """What create and update check of the values before anything else."""
        for key in sorted(values):
            value = values[key]
            if q.DRIVE.match(key):
                q.check_drive(key, str(value))
            elif key == "sshkeys":
                q.check_ssh_keys(str(value), encoded=True)
            elif key == "hookscript" and self.volume(str(value)) is None:
                raise q.bad(hookscript=f"script '{value}' does not exist\n")
            elif key == "cpu":
                q.check_cpu(str(value))
            elif key == "boot":
                for device in q.order_of(values):
                    if not q.BOOTABLE.match(device):
                        wrong = f"boot.order: invalid format - invalid boot device '{device}'\n\n"
                        raise q.bad(boot="invalid format - format error\n" + wrong)
            elif key == "machine" and "aw-bits" in str(value) and "viommu" not in str(value):
                raise PveError(500, "cannot set aw-bits if no vIOMMU is configured")
        for key in sorted(values):
            if q.DRIVE.match(key):
                self.check_volumes_on_path(key, str(values[key]), user, node)

    def _qm_checked(self, vm: Vm, v: dict[str, Any], user: str) -> tuple[dict[str, Any], list[str], list[str]]:
        """(values, deletions, reverts) once every check passed."""
        values = {k: x for k, x in v.items() if k not in REQUEST_ONLY and x is not None}
        deletes = split_list(v.get("delete"))
        reverts = split_list(v.get("revert"))
        if v.get("skiplock") and user != "root@pam":
            raise q.bad(skiplock="Only root may use this option.")
        if "cdrom" in values:
            values["ide2"] = ",".join([str(values.pop("cdrom")), "media=cdrom"])
        if "smp" in values:
            values["sockets"] = values.pop("smp")
        deletes = [{"cdrom": "ide2", "smp": "sockets"}.get(key, key) for key in deletes]
        for key in deletes:
            if not self.known_option(key):
                raise q.bad(delete=f"unknown option '{key}'")
            if key in values:
                raise q.bad(delete=f"you can't use '-{key}' and -delete {key}' at the same time")
        for key in reverts:
            if not self.known_option(key):
                raise q.bad(revert=f"unknown option '{key}'")
        self.check_values(values, user, vm.node)
        for key in sorted([*values, *deletes]):
            there = key in values or key in vm.config or key in vm.pending
            value = values.get(key, vm.config.get(key, ""))
            self.check_rights(vm.vmid, vm.pool, key, value, user, root_only=there)
        if vm.lock and not v.get("skiplock"):
            raise PveError(500, f"VM is locked ({vm.lock})")
        if v.get("digest") and v["digest"] != vm.digest():
            raise PveError(500, "checksum mismatch (file change by other user?)")
        if "boot" in values and str(values["boot"]).startswith("order="):
            present = {k for k in vm.effective() if k not in deletes} | set(values)
            for device in q.order_of(values):
                if device not in present:
                    raise PveError(500, f"invalid bootorder: device '{device}' does not exist'")
        return values, deletes, reverts

    def _qm_update(self, vm: Vm, v: dict[str, Any], user: str) -> None:
        values, deletes, reverts = self._qm_checked(vm, v, user)
        force = bool(v.get("force"))
        for key in reverts:
            self._drop_pending(vm, key)
        errors: dict[str, str] = {}
        for key in deletes:
            self._delete_option(vm, key, force, errors)
        ostype = str(values.get("ostype", ""))
        if q.WINDOWS.match(ostype) and not vm.effective().get("machine") and "machine" not in values:
            values["machine"] = q.pinned_machine(None)
        for key in sorted(values, key=q.natural):
            self._set_option(vm, key, values[key], errors)
        self.clean_pending(vm)
        if errors:
            raise PveError(400, q.FAILED, errors)

    # ----------------------------------------------------------- one option

    def _drop_pending(self, vm: Vm, key: str) -> None:
        value = vm.pending.pop(key, None)
        if value and q.DRIVE.match(key):
            volume = q.split_drive(str(value))[0]
            if volume != q.split_drive(str(vm.config.get(key, "")))[0]:
                self._make_unused(vm, volume)

    def _delete_option(self, vm: Vm, key: str, force: bool, errors: dict[str, str]) -> None:
        if key not in vm.config and key not in vm.pending:
            return
        if q.UNUSED.match(key):
            volume = q.split_drive(str(vm.config.pop(key, "")))[0]
            self.free(volume)
            return
        if key in vm.pending and key not in vm.config:
            self._drop_pending(vm, key)
            return
        device = bool(q.DRIVE.match(key) or q.NET.match(key))
        if vm.running:
            if device and vm.acpi and self._hotplugs(vm, key):
                pass
            elif device:
                vm.pending[key] = None
                if self._hotplugs(vm, key):
                    errors[key] = f"hotplug problem - error on hot-unplugging device '{key}' - still busy in guest?\n"
                return
            elif key not in q.LIVE:
                vm.pending[key] = None
                return
        vm.pending.pop(key, None)
        self._take_out(vm, key, force)

    def _take_out(self, vm: Vm, key: str, force: bool = False) -> None:
        """The option is gone from the configuration; a disk becomes unused, or is destroyed by force."""
        value = str(vm.config.pop(key, ""))
        if q.DRIVE.match(key):
            volume = q.split_drive(value)[0]
            if q.is_cloudinit(value):
                self.free(volume)
            elif not q.is_cdrom(value):
                if force:
                    self.free(volume)
                else:
                    self._make_unused(vm, volume)
        self._leave_boot(vm, key)

    @staticmethod
    def _leave_boot(vm: Vm, key: str) -> None:
        order = q.order_of(vm.config)
        if key in order:
            order.remove(key)
            vm.config["boot"] = "order=" + ";".join(order) if order else " "

    @staticmethod
    def _enter_boot(vm: Vm, key: str) -> None:
        """A new CD drive is appended to the boot order, for old times' sake."""
        boot = str(vm.config.get("boot", " "))
        if boot.strip() and not boot.startswith("order="):
            return
        order = q.order_of(vm.config)
        if key not in order:
            vm.config["boot"] = "order=" + ";".join([*order, key])

    def _make_unused(self, vm: Vm, volume: str) -> None:
        """A volume of this guest that nothing uses any more is kept as unusedN."""
        storage, name = split_volid(volume)
        if storage is None or not re.search(rf"(?:vm|base)-{vm.vmid}-", name):
            return
        for key, value in [*vm.config.items(), *vm.pending.items()]:
            if (q.DRIVE.match(key) or q.UNUSED.match(key)) and q.split_drive(str(value))[0] == volume:
                return
        number = 0
        while f"unused{number}" in vm.config:
            number += 1
        vm.config[f"unused{number}"] = volume

    @staticmethod
    def _hotplugs(vm: Vm, key: str) -> bool:
        """True if the guest's hotplug option and the bus let this device come and go."""
        features = str(vm.config.get("hotplug", "network,disk,usb"))
        if features == "0":
            return False
        if features == "1":
            features = "network,disk,usb"
        if q.NET.match(key):
            return "network" in features
        return "disk" in features and bool(re.match(r"^(scsi|virtio)\d+$", key))

    def _importable(self, source: str) -> tuple[int, str]:
        """(virtual size, format) of an image to import; one outside the storages counts as 1 GiB."""
        if source.startswith("/"):
            return 1024**3, source.rsplit(".", 1)[-1]
        entry = self.volume(source)
        if entry is None:
            storage, name = split_volid(source)
            self.storage_for(str(storage))
            raise PveError(500, f"failed to stat '{self._base_path(str(storage))}/{name}'")
        return int(entry.get("virtual") or entry["size"]), entry.get("format", "raw")

    def realise(self, vm: Vm, key: str, value: str) -> str:
        """A drive as it is kept: a disk that was asked for by size is allocated, an existing one looked up."""
        volume, options = q.split_drive(value)
        if volume in ("none", "cdrom", ""):
            options.pop("size", None)
            options.pop("format", None)
            return q.join_drive(volume, options)
        fmt = options.pop("format", None)
        source = options.pop("import-from", None)
        storage, name = split_volid(volume)
        if name == "cloudinit" and storage is not None:
            kind = fmt or ("qcow2" if self.storage_for(storage)["type"] in ("dir", "nfs", "cifs") else None)
            volid = self.allocate(storage, vm.vmid, q.CLOUDINIT_SIZE, kind, vm.node, name=f"vm-{vm.vmid}-cloudinit")
            return q.join_drive(volid, {**options, "media": "cdrom"})
        new = q.NEW_DISK.match(volume)
        if new:
            size = int(float(new.group(2)) * 1024**3)
            if key == "efidisk0":
                size = self.granular(str(new.group(1)), q.efi_size(options))
            elif key == "tpmstate0":
                size = q.TPM_SIZE
            if source:
                size, kind = self._importable(source)
                fmt = fmt or kind
            volid = self.allocate(str(new.group(1)), vm.vmid, size, fmt, vm.node)
            options["size"] = format_size(size)
            return q.join_drive(volid, options)
        entry = self.volume(volume)
        if entry is not None and not q.is_cloudinit(value):
            options["size"] = format_size(int(entry.get("size") or 0))
        return q.join_drive(volume, options)

    def _set_option(self, vm: Vm, key: str, value: Any, errors: dict[str, str]) -> None:
        if q.DRIVE.match(key):
            self._set_drive(vm, key, str(value), errors)
            return
        if key == "cipassword":
            vm.hashed_passwords += 1
        kept = q.kept(key, value, update=True)
        if kept is None:
            vm.config.pop(key, None)
            vm.pending.pop(key, None)
            return
        if vm.running and q.NET.match(key):
            self._set_net(vm, key, kept, errors)
        elif vm.running and key not in q.LIVE:
            vm.pending[key] = kept
        else:
            vm.config[key] = kept
            vm.pending.pop(key, None)

    def _set_net(self, vm: Vm, key: str, value: str, errors: dict[str, str]) -> None:
        old = vm.config.get(key)
        if not self._hotplugs(vm, key):
            vm.pending[key] = value
        elif old is not None and q.replugs(str(old), value) and not vm.acpi:
            vm.pending[key] = value
            errors[key] = f"hotplug problem - error on hot-unplugging device '{key}' - still busy in guest?\n"
        else:
            vm.config[key] = value
            vm.pending.pop(key, None)

    def _set_drive(self, vm: Vm, key: str, value: str, errors: dict[str, str]) -> None:
        new = self.realise(vm, key, value)
        old = vm.config.get(key)
        cdrom = q.is_cdrom(new)
        if vm.running:
            if old is not None and q.is_cdrom(str(old)) != cdrom:
                vm.pending[key] = new
                errors[key] = "hotplug problem - unable to change media type\n"
                return
            swapped = old is not None and cdrom
            grown = old is None and self._hotplugs(vm, key)
            same = old is not None and q.changes_in_place(str(old), new)
            if not (swapped or grown or (same and self._hotplugs(vm, key))):
                vm.pending[key] = new
                return
        vm.pending.pop(key, None)
        self._put_in(vm, key, new)

    def _put_in(self, vm: Vm, key: str, new: str) -> None:
        """The drive is in the configuration from now on; what was there before becomes unused."""
        old = vm.config.get(key)
        vm.config[key] = new
        volume = q.split_drive(new)[0]
        for other in [k for k in vm.config if q.UNUSED.match(k)]:
            if q.split_drive(str(vm.config[other]))[0] == volume:
                del vm.config[other]
        if old is not None:
            before = q.split_drive(str(old))[0]
            if before != volume:
                if q.is_cloudinit(str(old)):
                    self.free(before)
                elif not q.is_cdrom(str(old)):
                    self._make_unused(vm, before)
        elif q.is_cdrom(new) and re.match(r"^(ide|sata|scsi)\d+$", key) and not q.is_cloudinit(new):
            self._enter_boot(vm, key)

    @staticmethod
    def clean_pending(vm: Vm) -> None:
        """What would change nothing does not wait."""
        for key, value in list(vm.pending.items()):
            if (value is None and key not in vm.config) or (value is not None and vm.config.get(key) == value):
                del vm.pending[key]

    def apply_pending(self, vm: Vm) -> None:
        """A start, or a stop, makes what waited the configuration."""
        pending, vm.pending = vm.pending, {}
        for key, value in pending.items():
            if value is None:
                self._take_out(vm, key)
            elif q.DRIVE.match(key):
                self._put_in(vm, key, str(value))
            else:
                vm.config[key] = value

    async def _qm_unlink(self, v: dict[str, Any], user: str) -> Any:
        vm = self._editable(v, user)
        self._qm_update(vm, {"delete": v["idlist"], "force": v.get("force")}, user)
        return None
