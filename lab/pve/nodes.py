# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Nodes: the lists, their hardware and state, the cluster's own state and GET /cluster/resources."""

from __future__ import annotations

import time
from typing import Any

from fakepve.model import PveError

from lab.pve import state
from lab.pve.guests import Guests

KERNEL = "6.17.2-1-pve"
NO_QUORUM = "cluster not ready - no quorum?"


class Nodes(Guests):
    """What the cluster says of its nodes."""

    specs: list[state.NodeSpec]
    booted_at: float
    # The nodes in maintenance.
    maintained: set[str]

    def spec(self, name: str) -> state.NodeSpec:
        """The node's hardware."""
        return next((s for s in self.specs if s.name == name), state.NodeSpec(name))

    def endpoints_nodes(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/nodes", self._node_list),
            ("GET", "/nodes/{node}/status", self._node_status),
            ("GET", "/cluster/resources", self._cluster_resources),
            ("GET", "/cluster/nextid", self._next_vmid),
        ]

    def fingerprint_of(self, node: str) -> str | None:
        """Of the node's certificate; None for one that never was there."""
        return state.fingerprint(node)

    def online(self, name: str) -> bool:
        return bool(self.nodes.get(name, {}).get("online", True))

    def _figures(self, name: str) -> dict[str, Any]:
        """Hardware, and usage while the node answers."""
        spec = self.spec(name)
        out: dict[str, Any] = {"maxcpu": spec.cpus, "maxmem": spec.memory_bytes, "maxdisk": spec.disk_bytes}
        if self.online(name):
            out.update(
                cpu=0.03,
                mem=spec.memory_bytes // 8,
                disk=spec.disk_bytes // 8,
                uptime=int(time.time() - self.booted_at) + 3600,
            )
        return out

    async def _node_list(self, v: dict[str, Any], user: str) -> Any:
        out = []
        for name in self.nodes:
            entry: dict[str, Any] = {
                "node": name,
                "id": "node/" + name,
                "type": "node",
                "level": "",
                "status": "online" if self.online(name) else "offline",
                "ssl_fingerprint": self.fingerprint_of(name),
            }
            if self.allowed(user, "/nodes/" + name, "Sys.Audit"):
                entry.update(self._figures(name))
            out.append(entry)
        return self.shuffled(out)

    async def _node_status(self, v: dict[str, Any], user: str) -> Any:
        name = v["node"]
        spec = self.spec(name)
        used = spec.memory_bytes // 8
        disk = spec.disk_bytes // 8
        return {
            "uptime": int(time.time() - self.booted_at) + 3600,
            "cpu": 0.03,
            "wait": 0,
            "idle": 0,
            "loadavg": ["0.31", "0.27", "0.25"],
            "ksm": {"shared": 0},
            "boot-info": {"mode": "efi", "secureboot": 0},
            "swap": {"free": 0, "total": 0, "used": 0},
            "pveversion": f"pve-manager/{self.version}/{self.repoid}",
            "kversion": f"Linux {KERNEL} #1 SMP PREEMPT_DYNAMIC PMX {KERNEL}",
            "current-kernel": {
                "sysname": "Linux",
                "machine": "x86_64",
                "release": KERNEL,
                "version": "#1 SMP PREEMPT_DYNAMIC",
            },
            "rootfs": {
                "total": spec.disk_bytes,
                "used": disk,
                "free": spec.disk_bytes - disk,
                "avail": spec.disk_bytes - disk,
            },
            "memory": {
                "total": spec.memory_bytes,
                "used": used,
                "free": spec.memory_bytes - used,
                "available": spec.memory_bytes - used,
            },
            "cpuinfo": {
                "cpus": spec.cpus,
                "cores": max(spec.cpus // 2, 1),
                "sockets": 1,
                "model": "Intel(R) Xeon(R) CPU E5-2640 0 @ 2.50GHz",
                "vendor": "GenuineIntel",
                "family": "6",
                "mhz": "2500.000",
                "hvm": "1",
                "flags": "fpu vme de pse tsc msr pae mce cx8 apic sep vmx lahf_lm",
                "user_hz": 100,
            },
        }

    async def _cluster_resources(self, v: dict[str, Any], user: str) -> Any:
        kind = v.get("type")
        out: list[dict[str, Any]] = []
        if kind is None:
            out += self._pool_resources(user)
        if kind in (None, "vm"):
            for vmid in sorted(self.by_vmid):
                if self.acl is None or self.may(user, vmid, "VM.Audit"):
                    out.append(self.resource(self.by_vmid[vmid], user))
        if kind in (None, "node"):
            out += [self._node_resource(name, user) for name in self.shuffled(list(self.nodes))]
        if kind in (None, "storage"):
            out += self._storage_resources(user)
        if kind in (None, "sdn"):
            out += self._zone_resources(user)
        return out

    def _pool_resources(self, user: str) -> list[dict[str, Any]]:
        seen = [pool for pool in sorted(self.pools) if self.allowed(user, "/pool/" + pool, "Pool.Audit")]
        return [{"type": "pool", "id": "/pool/" + pool, "pool": pool} for pool in seen]

    def _node_resource(self, name: str, user: str) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": "node/" + name,
            "type": "node",
            "node": name,
            "level": "",
            "cgroup-mode": 2,
            "status": "online" if self.online(name) else "offline",
            "hastate": self.ha_node_state(name),
        }
        if self.allowed(user, "/nodes/" + name, "Sys.Audit"):
            entry.update(self._figures(name))
        return entry

    def _storage_resources(self, user: str) -> list[dict[str, Any]]:
        seen = [storage for storage in self.storages if self._can_audit(user, storage)]
        return [
            self.storage_resource(name, storage)
            for name in self.shuffled(list(self.nodes))
            for storage in seen
            if self._storage_enabled(storage, name)
        ]

    def _zone_resources(self, user: str) -> list[dict[str, Any]]:
        """The zone of what is bridged without SDN."""
        if not self.allowed(user, "/sdn/zones/localnetwork", "SDN.Audit"):
            return []
        common = {"type": "network", "network": "localnetwork", "network-type": "zone", "status": "ok"}
        return [{**common, "id": f"network/{name}/zone/localnetwork", "node": name} for name in self.nodes]

    def ha_node_state(self, name: str) -> str:
        """The HA manager's view of a node."""
        if not self.online(name):
            return "unknown"
        return "maintenance" if name in self.maintained else "online"

    async def _next_vmid(self, v: dict[str, Any], user: str) -> Any:
        if v.get("vmid") not in (None, ""):
            vmid = int(v["vmid"])
            if vmid in self.by_vmid:
                raise PveError(400, "Parameter verification failed.", {"vmid": f"VM {vmid} already exists"})
            return str(vmid)
        vmid = 100
        while vmid in self.by_vmid:
            vmid += 1
        return str(vmid)

    def need_quorum(self) -> None:
        if not self.quorate:
            raise PveError(500, NO_QUORUM)

    def need_lock(self, file: str, prefix: str = "") -> None:
        """Take a cluster-wide file lock, which needs quorum."""
        if not self.quorate:
            raise PveError(500, f"{prefix}cfs-lock '{file}' error: no quorum!")
