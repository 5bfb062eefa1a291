# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A Proxmox cluster under test: the lab, or a real one that the environment names."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar
from unittest import mock

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import label
from ansible_collections.hospital.continuity.plugins.module_utils.pve import network_node
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import PveError, Unreachable
from lab.pve import Lab
from tests.contract import pve_identity
from tests.contract.armed_checkpoint import armed_checkpoint
from tests.contract.case import PREFIX
from tests.contract.invocation import Result
from tests.contract.pve_api import Api, comparable
from tests.contract.system import ORDERED, System, succeeded
from tests.pve_calls import untold

# How many guests a test makes at most.
ENOUGH = 8
# Storages that keep disks as files.
FILES = ("dir", "nfs", "cifs", "btrfs", "cephfs")
VERBS = ("post", "put", "delete")


class PveSystem(System):
    """What the lab and a real cluster have in common. `node` and `other_node` may be the same on a single node."""

    api: Api
    nodes: list[str]
    vmids: Sequence[int]
    images: str  # a storage for disks
    rootdir: str  # a storage for containers
    backups: str  # a storage for backups
    bridge: str
    other_bridge: str  # empty where there is none
    template: str  # volume id of a container template
    network_node: str  # the node whose network may be changed
    nics: Sequence[str]  # its network cards that nothing uses; empty where its network must be left alone
    # What cannot be done here, in the system's words; empty where it can.
    starts_guests: str = ""
    starts_containers: str = ""
    makes_efi_disks: str = ""

    @property
    def node(self) -> str:
        return self.nodes[0]

    @property
    def other_node(self) -> str:
        return self.nodes[-1]

    @property
    def node_count(self) -> int:  # type: ignore[override]
        return len(self.nodes)

    def make_guest(self, number: int, *, container: bool = False, **options: Any) -> int:
        """A small guest without disks (a container needs one) as somebody else made it; returns its vmid."""
        vmid, name = self.vmid(number), f"{PREFIX}guest{number}"
        path = f"/nodes/{self.node}/{'lxc' if container else 'qemu'}"
        if container:
            options = {"hostname": name, "ostemplate": self.template, "rootfs": f"{self.rootdir}:1", **options}
        else:
            options = {"name": name, **options}
        self.api.post(path, vmid=vmid, memory=64, **options)
        return vmid

    # A ZFS storage that several nodes have; empty where there is none.
    zfs_storage: str = ""

    def make_zfs_storage(self) -> None:
        """Skips where there is none to be had."""
        if not self.zfs_storage or self.node_count < 2:
            self.need_lab("pve_replication", "everything", "no ZFS storage that two nodes have")

    def make_replicable_guest(self, number: int) -> int:
        """A guest with a disk that can be replicated."""
        self.make_zfs_storage()
        return self.make_guest(number, scsi0=f"{self.zfs_storage}:1")

    def make_storage(self, name: str, content: str) -> str:
        """An enabled directory storage as somebody else made it; nothing is made on the node."""
        self.api.post(
            "/storage", storage=name, type="dir", path=f"/var/lib/{name}", content=content, mkdir=0, disable=1
        )
        self.api.put(f"/storage/{name}", disable=0)
        return name

    def make_backup_storage(self) -> None:
        """See to it that `backups` is there."""

    def volume(self, storage: str, number: int) -> tuple[str, str]:
        """(volume id, file name) that a disk of a guest may have, in the way of its storage."""
        vmid, in_files = self.vmid(number), self.api.get(f"/storage/{storage}")["type"] in FILES
        name = f"vm-{vmid}-disk-7{'.raw' if in_files else ''}"
        return f"{storage}:{vmid}/{name}" if in_files else f"{storage}:{name}", name

    def make_volume(self, storage: str, number: int) -> None:
        """A disk that exists before its guest."""
        path = f"/nodes/{self.node}/storage/{storage}/content"
        self.api.post(path, vmid=self.vmid(number), filename=self.volume(storage, number)[1], size="1G")

    def vmid(self, number: int) -> int:
        """The number-th vmid (from 0) that tests may use."""
        return self.vmids[number]

    def is_ours(self, thing: Mapping[str, Any]) -> bool:
        """Whether something a listing shows is the tests' own; in a lab everything is."""
        return True

    def inventory(self) -> Any:
        listings = ["/storage", "/pools", "/cluster/ha/resources", "/cluster/ha/rules", "/cluster/backup"]
        listings += ["/cluster/replication", "/cluster/mapping/dir", "/cluster/metrics/server"]
        listings += ["/access/domains", "/access/groups", "/access/users?full=1", "/access/roles", "/access/acl"]
        found: dict[str, Any] = {
            path: comparable([row for row in self.api.get(path) if self.is_ours(row)]) for path in listings
        }
        found["/cluster/options"] = comparable(self.api.get("/cluster/options"))
        for guest in filter(self.is_ours, self.api.get("/cluster/resources", type="vm")):
            path = f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}/config"
            found[path] = comparable(self.api.get(path))
        if self.nics:
            path = f"/nodes/{self.network_node}/network"
            found[path] = comparable(self.api.get(path))
        for storage in (self.images, self.rootdir):
            path = f"/nodes/{self.node}/storage/{storage}/content"
            found[path] = sorted(str(volume["volid"]) for volume in self.api.get(path) if self.is_ours(volume))
        return found

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        """By the module itself, which shows what it would delete: of these kinds nothing can be listed."""
        config = [dict(zip(kind.identity, key, strict=True)) for key in keys]
        words = [f"{word}:{label(key)}" for word in kind.words for key in keys]
        result = succeeded(self.run(f"pve_{kind.name}", config, state="absent", allow=words, check=True))
        return [item for item in result.data["before"].values() if item is not None]

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        result = succeeded(self.run("pve_info", kinds=[kind], names=names))
        return list(result.data["config"][kind])

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        """Between the module and the wire, so that it is the same on the lab and on a real cluster."""
        count = 0

        def wrapped(original: Any) -> Any:
            def send(client: Client, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
                nonlocal count
                count += 1
                if count != number:
                    return original(client, path, parameters)
                if not lost:
                    raise PveError(f"{path}: {ORDERED}")
                answer = original(client, path, parameters)
                if isinstance(answer, str) and answer.startswith("UPID:"):
                    client.wait(answer)
                raise Unreachable(f"{path}: {ORDERED}, the answer is lost")

            return send

        with contextlib.ExitStack() as stack:
            for verb in VERBS:
                stack.enter_context(mock.patch.object(Client, verb, wrapped(getattr(Client, verb))))
            yield


class LabSystem(PveSystem):
    """The simulated cluster: everything goes back to a fresh one between cases."""

    is_lab: ClassVar[bool] = True
    zfs_storage = f"{PREFIX}zfs"

    def __init__(self) -> None:
        self.lab = Lab(nodes=3)
        self.api = Api(self.lab.host, self.lab.port, self.lab.ca, self.lab.token_id, self.lab.token_secret)
        self.nodes = [str(node["node"]) for node in sorted(self.api.get("/nodes"), key=lambda node: str(node["node"]))]
        self.vmids = range(9000, 9100)
        self.images, self.rootdir, self.bridge, self.other_bridge = "shared", "local-lvm", "vmbr0", "vmbr99"
        self.template = str(self.api.get(f"/nodes/{self.node}/storage/local/content")[0]["volid"])
        self.backups = f"{PREFIX}backups"
        self.network_node, self.nics = self.node, ("eno2", "eno3", "eno4")
        self._until_reset = contextlib.ExitStack()
        self._identity = pve_identity.ShippedIdentity(self.api) if pve_identity.wanted() else None

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        where = {"api_host": [self.lab.host], "api_port": self.lab.port, "ca_path": self.lab.ca}
        if root:
            return {**where, "api_user": self.lab.user, "api_password": self.lab.password}
        who = self._identity or self.lab
        return {**where, "api_token_id": who.token_id, "api_token_secret": who.token_secret}

    def environment(self) -> dict[str, str]:
        who = self._identity or self.lab
        return {**self.lab.environment(), "PVE_TOKEN_ID": who.token_id, "PVE_TOKEN_SECRET": who.token_secret}

    def run(self, module: str, config: Any = None, **arguments: Any) -> Result:
        if module == "pve_network":
            # Only so can the default gateway be moved: its interface is guarded otherwise.
            arguments.setdefault("management_address", "10.99.0.11")
        before = len(self.lab.requests)
        result = super().run(module, config, **arguments)
        more = untold(module, self.lab.requests[before:])
        assert not more, f"{module} makes calls that tests/pve_calls.py does not tell: {', '.join(more)}"
        return result

    def make_zfs_storage(self) -> None:
        if self.zfs_storage not in [row["storage"] for row in self.api.get("/storage")]:
            content = "images,rootdir"
            self.api.post("/storage", storage=self.zfs_storage, type="zfspool", pool="rpool/data", content=content)

    def arm_checkpoint(self) -> None:
        """Until the next reset, this host is the node whose network may be changed, and a checkpoint is armed there."""
        self._until_reset.enter_context(armed_checkpoint())
        is_this_host = mock.patch.object(network_node, "is_this_host", lambda name: name == self.network_node)
        self._until_reset.enter_context(is_this_host)

    def make_backup_storage(self) -> None:
        self.make_storage(self.backups, "backup")

    def lab_rests(self) -> None:
        """Wait until the lab's tasks have ended."""
        deadline = time.monotonic() + 20
        while any(task["status"] == "running" for task in self.lab.call(lambda: list(self.lab.cluster.tasklog))):
            if time.monotonic() > deadline:
                raise TimeoutError("the lab's tasks do not end")
            time.sleep(0.05)

    def reset(self) -> None:
        self._until_reset.close()
        self.lab.reset()
        if self._identity:
            self._identity.make()

    def close(self) -> None:
        self._until_reset.close()
        self.api.close()
        self.lab.stop()

    def writes(self) -> int:
        return len(self.lab.writes)


def open_pve_system() -> PveSystem:
    """The cluster that PVE_HOST names, or else a lab."""
    if not os.environ.get("PVE_HOST"):
        return LabSystem()
    missing = [name for name in ("PVE_TOKEN_ID", "PVE_TOKEN_SECRET", "PVE_TEST_VMIDS") if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"PVE_HOST is set, so the suite runs on that cluster; it also needs {', '.join(missing)}")
    from tests.contract.pve_real import RealSystem

    return RealSystem(os.environ)
