# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The guests the cluster has, found by vmid, and how PVE shows them."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from typing import Any

from fakepve.lxc import FakeCt
from fakepve.model import FakeVm, PveError

from lab.pve.volumes import Volumes, parse_size

MIB = 1024**2
FORBIDDEN = "Permission check failed"


def digest_of(*parts: Any) -> str:
    """The digest of a configuration: changes with anything in it."""
    return hashlib.sha1(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Vm(FakeVm):
    """A QEMU guest; name, lock and template are what its configuration says."""

    def __init__(self, vmid: int, node: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(vmid, "", node=node)
        self.config = dict(config or {})
        # The recorder of what the node's statistics daemon has not seen yet: such a guest has no name and no status.
        self.unseen = False
        self.hashed_passwords = 0

    kind = "qemu"

    @property
    def name(self) -> str:
        return str(self.config.get("name") or f"VM {self.vmid}")

    @name.setter
    def name(self, value: str) -> None:
        pass

    @property
    def lock(self) -> Any:
        return self.config.get("lock")

    @lock.setter
    def lock(self, value: Any) -> None:
        if value:
            self.config["lock"] = value
        else:
            self.__dict__.get("config", {}).pop("lock", None)

    @property
    def template(self) -> bool:
        return bool(self.config.get("template"))

    @template.setter
    def template(self, value: bool) -> None:
        pass

    @property
    def running(self) -> bool:
        return self.status == "running"

    def digest(self) -> str:
        return digest_of(self.config, self.pending, self.snapshots, self.hashed_passwords)

    def effective(self) -> dict[str, Any]:
        """The configuration as it will be once what is pending is applied."""
        view = {k: v for k, v in self.config.items() if self.pending.get(k, 0) is not None}
        view.update({k: v for k, v in self.pending.items() if v is not None})
        return view


class Ct(FakeCt):
    """An LXC guest."""

    def __init__(self, vmid: int, node: str, config: dict[str, Any] | None = None) -> None:
        super().__init__(vmid, node=node, config=config, defaults=False)
        self.unseen = False

    kind = "lxc"

    @property
    def running(self) -> bool:
        return self.status == "running"

    def digest(self) -> str:
        return digest_of(self.config, self.pending, self.snapshots)

    def effective(self) -> dict[str, Any]:
        """The configuration as it will be once what is pending is applied."""
        view = {k: v for k, v in self.config.items() if self.pending.get(k, 0) is not None}
        view.update({k: v for k, v in self.pending.items() if v is not None})
        return view


Guest = Vm | Ct


class Guests(Volumes):
    """The registry of guests, and the views every kind of guest shares."""

    by_vmid: dict[int, Guest]

    # ---------------------------------------------------------- registry

    def enter(self, guest: Guest) -> None:
        """The guest exists from now on."""
        self.by_vmid[guest.vmid] = guest
        (self.vms if isinstance(guest, Vm) else self.cts).append(guest)

    def leave(self, guest: Guest) -> None:
        """The guest is gone: so are its pool membership and its firewall."""
        self.by_vmid.pop(guest.vmid, None)
        guests = self.vms if isinstance(guest, Vm) else self.cts
        if guest in guests:
            guests.remove(guest)
        self._pool_leave(guest.vmid)
        self._fw()["guests"].pop(guest.vmid, None)

    def _drop(self, ct: Guest) -> None:
        self.leave(ct)

    def guest(self, vmid: int) -> Guest | None:
        return self.by_vmid.get(int(vmid))

    def vm(self, vmid: int) -> Vm | None:
        found = self.by_vmid.get(int(vmid))
        return found if isinstance(found, Vm) else None

    def ct(self, vmid: int) -> Ct | None:
        found = self.by_vmid.get(int(vmid))
        return found if isinstance(found, Ct) else None

    def _guest_of(self, vmid: int) -> Guest | None:
        return self.guest(vmid)

    def find(self, node: str, vmid: Any) -> Vm:
        found = self.vm(vmid)
        if found is None or found.node != node:
            raise PveError(500, f"Configuration file 'nodes/{node}/qemu-server/{vmid}.conf' does not exist")
        return found

    def _find_ct(self, node: str, vmid: Any) -> Ct:
        found = self.ct(vmid)
        if found is None or found.node != node:
            raise PveError(500, f"Configuration file 'nodes/{node}/lxc/{vmid}.conf' does not exist")
        return found

    def check_free(self, vmid: int) -> None:
        """A vmid belongs to one guest in the whole cluster."""
        found = self.guest(vmid)
        if found is not None:
            kind = "VM" if isinstance(found, Vm) else "CT"
            raise PveError(500, f"{kind} {vmid} already exists on node '{found.node}'")

    def _check_vmid_unused(self, vmid: int) -> None:
        self.check_free(vmid)

    def check_pool(self, pool: str | None) -> None:
        if pool and pool not in self.pools:
            raise PveError(403, f"{FORBIDDEN} (pool '{pool}' does not exist)")

    def _pool_join(self, name: str, vmid: int) -> None:
        self.pools.setdefault(name, set()).add(vmid)
        self._pool_meta(name)
        found = self.guest(vmid)
        if found is not None:
            found.pool = name

    def _pool_leave(self, vmid: int) -> None:
        for ids in self.pools.values():
            ids.discard(vmid)

    def guest_changed(self, guest: Guest) -> None:
        """Hook for what must follow a configuration edited behind everyone's back: its volumes exist."""
        for key, value in guest.config.items():
            self.adopt_volume(guest.vmid, key, str(value), guest.node)

    # -------------------------------------------------------------- views

    def cpus_of(self, guest: Guest) -> int:
        config = guest.config
        if isinstance(guest, Vm):
            total = int(config.get("cores") or 1) * int(config.get("sockets") or 1)
            # Never more than the node has.
            return int(config.get("vcpus") or min(total, self.spec(guest.node).cpus))
        limit = config.get("cores") or config.get("cpulimit")
        return int(float(limit)) if limit else self.spec(guest.node).cpus

    @staticmethod
    def memory_of(guest: Guest) -> int:
        value = str(guest.config.get("memory") or 512)
        found = re.search(r"(?:current=)?(\d+)", value)
        return int(found.group(1)) * MIB if found else 512 * MIB

    @staticmethod
    def disk_of(guest: Guest) -> int:
        """Bytes of the disk PVE counts: the root file system, or the first boot disk with a size."""
        config = guest.config
        if isinstance(guest, Ct):
            keys = ["rootfs"]
        else:
            boot = str(config.get("boot") or "")
            keys = [k for k in boot[6:].split(";") if k] if boot.startswith("order=") else []
            keys = [k for k in keys if "media=cdrom" not in str(config.get(k, ""))]
        for key in keys:
            found = re.search(r"(?:^|,)size=([\d.]+[KMGT]?)", str(config.get(key, "")))
            if found:
                return parse_size(found.group(1)) or 0
        return 0

    def usage(self, guest: Guest) -> dict[str, Any]:
        """The figures every view of a guest has."""
        running = guest.running
        started = guest.started_at
        return {
            "cpu": 0.02 if running else 0,
            "mem": 256 * MIB if running else 0,
            "maxmem": getattr(guest, "booted_memory", None) or self.memory_of(guest),
            "disk": 0,
            "maxdisk": self.disk_of(guest),
            "uptime": int(time.time() - started) + 1 if running and started else 0,
            "netin": 0,
            "netout": 0,
        }

    def resource(self, guest: Guest, user: str) -> dict[str, Any]:
        """The guest's entry in GET /cluster/resources."""
        kind = guest.kind
        entry: dict[str, Any] = {"id": guest.guest, "type": kind, "node": guest.node, "vmid": guest.vmid}
        if guest.pool and self.allowed(user, "/pool/" + guest.pool, "Pool.Audit"):
            entry["pool"] = guest.pool
        if guest.unseen:
            return {**entry, "status": "unknown"}
        entry.update(self.usage(guest))
        entry.update(
            name=guest.name,
            status=guest.status,
            template=1 if guest.template else 0,
            maxcpu=self.cpus_of(guest),
            diskread=0,
            diskwrite=0,
            memhost=entry["mem"] if kind == "qemu" else 0,
        )
        tags = str(guest.config.get("tags") or "").strip()
        if tags:
            entry["tags"] = tags
        if guest.lock:
            entry["lock"] = guest.lock
        state = self.ha_state_of(guest)
        if state:
            entry["hastate"] = state
        return entry

    def ha_state_of(self, guest: Guest) -> str | None:
        """What the HA manager says of the guest; the HA part knows."""
        return None

    def may(self, user: str, vmid: int, *privileges: str) -> bool:
        """True if the user holds one of the privileges on the guest."""
        return any(self.allowed(user, f"/vms/{vmid}", privilege) for privilege in privileges)

    def demand(self, user: str, vmid: int, pool: str | None, *privileges: str) -> None:
        """One of the privileges on the guest or on its pool, or 403."""
        if self.may(user, vmid, *privileges):
            return
        if pool and any(self.allowed(user, "/pool/" + pool, privilege) for privilege in privileges):
            return
        raise PveError(403, f"{FORBIDDEN} (/vms/{vmid}, {'|'.join(privileges)})")

    def check_may_create(self, v: dict[str, Any], user: str) -> None:
        """A pool that is there, and the privilege to make a guest under this vmid or in the pool."""
        vmid, pool = int(v["vmid"]), v.get("pool")
        self.check_pool(pool)
        if self.acl is None:
            return
        if not (self.may(user, vmid, "VM.Allocate") or (pool and self.allowed(user, "/pool/" + pool, "VM.Allocate"))):
            raise PveError(403, FORBIDDEN)
        if v.get("start"):
            self.demand(user, vmid, pool, "VM.PowerMgmt")

    def shuffled(self, items: list[Any]) -> list[Any]:
        """PVE's lists come out of Perl hashes: in another order each time."""
        out = list(items)
        self._random.shuffle(out)
        return out

    # --------------------------------------------------------------- seeds

    def seed_guests(
        self, count: int, first_vmid: int, running: bool, kind: str, storage: str, agent: bool
    ) -> list[int]:
        """Guests spread over the nodes, as if they had always been there."""
        names = [spec.name for spec in self.specs]
        vmids = []
        for number in range(count):
            vmid = first_vmid + number
            node = names[number % len(names)]
            mac = f"BC:24:11:{vmid >> 16 & 255:02X}:{vmid >> 8 & 255:02X}:{vmid & 255:02X}"
            volid = self.allocate(storage, vmid, 8 * 1024**3, None, node)
            guest: Guest
            if kind == "qemu":
                guest = Vm(vmid, node)
                guest.config = {
                    "name": f"vm{vmid}",
                    "memory": "1024",
                    "cores": 2,
                    "sockets": 1,
                    "ostype": "l26",
                    "scsihw": "virtio-scsi-single",
                    "scsi0": f"{volid},size=8G",
                    "net0": f"virtio={mac},bridge=vmbr0",
                    "boot": "order=scsi0;net0",
                    "tags": "bulk;odd" if vmid % 2 else "bulk;even",
                    "meta": f"creation-qemu=10.1.2,ctime={int(time.time())}",
                    "smbios1": f"uuid={uuid.UUID(int=vmid)}",
                    "vmgenid": str(uuid.UUID(int=vmid + (1 << 64))),
                }
                if agent:
                    guest.config["agent"] = "1"
            else:
                guest = Ct(vmid, node)
                guest.config = {
                    "hostname": f"ct{vmid}",
                    "arch": "amd64",
                    "ostype": "debian",
                    "memory": 512,
                    "swap": 512,
                    "cores": 1,
                    "rootfs": f"{volid},size=8G",
                    "net0": f"name=eth0,bridge=vmbr0,hwaddr={mac},ip=dhcp,type=veth",
                    "tags": "bulk;ct",
                    "unprivileged": 1,
                }
            if running:
                self.mark_running(guest)
            self.enter(guest)
            vmids.append(vmid)
        return vmids

    def mark_running(self, guest: Guest) -> None:
        guest.status = "running"
        if isinstance(guest, Vm):
            guest.qmpstatus = "running"
        guest.started_at = time.time()
        guest.pid = next(self._ct_pids)
        guest.booted_memory = self.memory_of(guest)

    def mark_stopped(self, guest: Guest) -> None:
        guest.status = "stopped"
        if isinstance(guest, Vm):
            guest.qmpstatus = "stopped"
        guest.started_at = guest.pid = guest.booted_memory = None
