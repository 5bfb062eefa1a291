# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A Proxmox cluster under test: the lab, or a real one that the environment names."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from unittest import mock

from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import PveError, Unreachable
from lab.pve import Lab
from tests.contract.case import PREFIX
from tests.contract.pve_api import Api, Refused, comparable
from tests.contract.system import ORDERED, System, succeeded

# How many guests a test makes at most.
ENOUGH = 8
_VERBS = ("post", "put", "delete")


class PveSystem(System):
    """What the lab and a real cluster have in common. `node` and `other_node` may be the same on a single node."""

    api: Api
    nodes: list[str]
    vmids: Sequence[int]
    images: str  # a storage for disks
    rootdir: str  # a storage for containers
    bridge: str
    template: str  # volume id of a container template

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

    def make_storage(self, name: str, content: str) -> str:
        """An enabled directory storage as somebody else made it; nothing is made on the node."""
        self.api.post(
            "/storage", storage=name, type="dir", path=f"/var/lib/{name}", content=content, mkdir=0, disable=1
        )
        self.api.put(f"/storage/{name}", disable=0)
        return name

    def vmid(self, number: int) -> int:
        """The number-th vmid (from 0) that tests may use."""
        return self.vmids[number]

    def is_ours(self, thing: Mapping[str, Any]) -> bool:
        """Whether something a listing shows is the tests' own; in a lab everything is."""
        return True

    def inventory(self) -> Any:
        listings = ["/storage", "/pools", "/cluster/ha/resources", "/cluster/ha/rules", "/cluster/backup"]
        found: dict[str, Any] = {
            path: comparable([row for row in self.api.get(path) if self.is_ours(row)]) for path in listings
        }
        for guest in filter(self.is_ours, self.api.get("/cluster/resources", type="vm")):
            path = f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}/config"
            found[path] = comparable(self.api.get(path))
        for storage in (self.images, self.rootdir):
            path = f"/nodes/{self.node}/storage/{storage}/content"
            found[path] = sorted(str(volume["volid"]) for volume in self.api.get(path) if self.is_ours(volume))
        return found

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
            for verb in _VERBS:
                stack.enter_context(mock.patch.object(Client, verb, wrapped(getattr(Client, verb))))
            yield


class LabSystem(PveSystem):
    """The simulated cluster: everything goes back to a fresh one between cases."""

    is_lab: ClassVar[bool] = True

    def __init__(self) -> None:
        self.lab = Lab(nodes=3)
        self.api = Api(self.lab.host, self.lab.port, self.lab.ca, self.lab.token_id, self.lab.token_secret)
        self.nodes = [str(node["node"]) for node in sorted(self.api.get("/nodes"), key=lambda node: str(node["node"]))]
        self.vmids = range(9000, 9100)
        self.images, self.rootdir, self.bridge = "shared", "local-lvm", "vmbr0"
        self.template = str(self.api.get(f"/nodes/{self.node}/storage/local/content")[0]["volid"])

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        where = {"api_host": [self.lab.host], "api_port": self.lab.port, "ca_path": self.lab.ca}
        if root:
            return {**where, "api_user": self.lab.user, "api_password": self.lab.password}
        return {**where, "api_token_id": self.lab.token_id, "api_token_secret": self.lab.token_secret}

    def environment(self) -> dict[str, str]:
        return self.lab.environment()

    def reset(self) -> None:
        self.lab.reset()

    def close(self) -> None:
        self.api.close()
        self.lab.stop()

    def writes(self) -> int:
        return len(self.lab.writes)


class RealSystem(PveSystem):
    """A real cluster, of which only what carries PREFIX and the given vmids are touched."""

    is_lab: ClassVar[bool] = False

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name: value for name, value in environment.items() if name.startswith("PVE_")}
        host = environment["PVE_HOST"].split(",")[0]
        port = int(environment.get("PVE_PORT", "8006"))
        secret = environment["PVE_TOKEN_SECRET"]
        self.api = Api(host, port, environment.get("PVE_CA", ""), environment["PVE_TOKEN_ID"], secret)
        first, _sep, last = environment["PVE_TEST_VMIDS"].partition("-")
        self.vmids = self._free(range(int(first), int(last or first) + 1))
        online = sorted(str(node["node"]) for node in self.api.get("/nodes") if node.get("status") == "online")
        wanted = environment.get("PVE_TEST_NODE")
        self.nodes = [wanted, *(node for node in online if node != wanted)] if wanted else online
        self.images = environment.get("PVE_TEST_STORAGE") or self._storage_with("images")
        self.rootdir = environment.get("PVE_TEST_STORAGE") or self._storage_with("rootdir")
        bridges = self.api.get(f"/nodes/{self.node}/network", type="any_bridge")
        self.bridge = sorted(str(bridge["iface"]) for bridge in bridges)[0]
        self.template = self._template()
        self._writes = 0
        self._patches = contextlib.ExitStack()
        for verb in _VERBS:
            self._patches.enter_context(mock.patch.object(Client, verb, self._counting(getattr(Client, verb))))

    def _counting(self, original: Any) -> Any:
        def send(client: Client, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
            self._writes += 1
            return original(client, path, parameters)

        return send

    def _free(self, wanted: range) -> list[int]:
        """The vmids that nobody else uses, whatever range was given."""
        guests = self.api.get("/cluster/resources", type="vm")
        foreign = {int(guest["vmid"]) for guest in guests if not str(guest.get("name", "")).startswith(PREFIX)}
        free = [vmid for vmid in wanted if vmid not in foreign]
        if len(free) < ENOUGH:
            raise LookupError(f"PVE_TEST_VMIDS leaves {len(free)} free vmids, the suite takes {ENOUGH}")
        return free

    def is_ours(self, thing: Mapping[str, Any]) -> bool:
        numbers = {re.sub(r"\D", "", str(thing.get(name, ""))) for name in ("vmid", "sid")} - {""}
        if numbers:
            return any(int(number) in self.vmids for number in numbers)
        return any(str(value).startswith(PREFIX) for value in thing.values())

    def _storage_with(self, content: str) -> str:
        rows = self.api.get(f"/nodes/{self.node}/storage", content=content, enabled=1)
        active = sorted(
            (row for row in rows if row.get("active")), key=lambda row: (not row.get("shared"), row["storage"])
        )
        if not active:
            raise LookupError(f"node {self.node} has no active storage for {content}; name one in PVE_TEST_STORAGE")
        return str(active[0]["storage"])

    def _template(self) -> str:
        for storage in self.api.get(f"/nodes/{self.node}/storage", content="vztmpl", enabled=1):
            volumes = self.api.get(f"/nodes/{self.node}/storage/{storage['storage']}/content", content="vztmpl")
            for volume in volumes:
                return str(volume["volid"])
        return ""

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        env = self._environment
        return {
            "api_host": env["PVE_HOST"].split(","),
            "api_port": int(env.get("PVE_PORT", "8006")),
            "api_token_id": env["PVE_TOKEN_ID"],
            "api_token_secret": env["PVE_TOKEN_SECRET"],
            **({"ca_path": env["PVE_CA"]} if env.get("PVE_CA") else {}),
        }

    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def writes(self) -> int:
        return self._writes

    def reset(self) -> None:
        """Remove by name: rules and resources before guests, guests before pools and storages."""
        for job in self.api.get("/cluster/backup"):
            if str(job["id"]).startswith(PREFIX):
                self.api.delete(f"/cluster/backup/{job['id']}")
        for rule in self.api.get("/cluster/ha/rules"):
            if str(rule["rule"]).startswith(PREFIX):
                self.api.delete(f"/cluster/ha/rules/{rule['rule']}")
        for resource in self.api.get("/cluster/ha/resources"):
            number = re.sub(r"\D", "", str(resource["sid"]))
            if number and int(number) in self.vmids:
                self.api.delete(f"/cluster/ha/resources/{resource['sid']}")
        self._remove_guests()
        for pool in sorted((str(pool["poolid"]) for pool in self.api.get("/pools")), reverse=True):
            if pool.startswith(PREFIX):
                self._empty_pool(pool)
                self.api.delete("/pools", poolid=pool)
        for storage in self.api.get("/storage"):
            if str(storage["storage"]).startswith(PREFIX):
                self.api.delete(f"/storage/{storage['storage']}")

    def _remove_guests(self) -> None:
        for guest in self.api.get("/cluster/resources", type="vm"):
            if int(guest["vmid"]) not in self.vmids or not str(guest.get("name", "")).startswith(PREFIX):
                continue
            path = f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}"
            if guest.get("status") == "running":
                self.api.post(f"{path}/status/stop")
            with contextlib.suppress(Refused):
                self.api.put(f"{path}/config", protection=0)
            self.api.delete(path, purge=1)

    def _empty_pool(self, pool: str) -> None:
        members = self.api.get("/pools", poolid=pool)[0].get("members") or []
        storages = [str(member["storage"]) for member in members if member.get("storage")]
        if storages:
            self.api.put("/pools", poolid=pool, storage=",".join(dict.fromkeys(storages)), delete=1)

    def close(self) -> None:
        self.reset()
        self._patches.close()
        self.api.close()


def open_pve_system() -> PveSystem:
    """The cluster that PVE_HOST names, or else a lab."""
    if not os.environ.get("PVE_HOST"):
        return LabSystem()
    missing = [name for name in ("PVE_TOKEN_ID", "PVE_TOKEN_SECRET", "PVE_TEST_VMIDS") if not os.environ.get(name)]
    if missing:
        raise RuntimeError(f"PVE_HOST is set, so the suite runs on that cluster; it also needs {', '.join(missing)}")
    return RealSystem(os.environ)
