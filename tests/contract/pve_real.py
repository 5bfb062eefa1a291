# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A real cluster under test. Only what carries PREFIX, and guests under the given vmids, are made, changed and removed.

What takes a real cluster a second and more is made once and used again: a guest is put back to how it was made, which
is looked at with a client of our own, and made anew where that fails.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar
from unittest import mock

from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.session import Session
from tests.contract import pve_identity
from tests.contract.case import PREFIX, Case
from tests.contract.invocation import Result
from tests.contract.pve_api import Api, Refused, comparable
from tests.contract.pve_singletons import ClusterOptions
from tests.contract.pve_system import ENOUGH, VERBS, PveSystem

# What stands in the way of removing a guest for a while.
_PASSING = re.compile(r"locked|running|lock file|got timeout|in use")
# How often removing a guest is tried.
PATIENCE = 4
# How long a task takes on hardware of today, for the estimate.
TASK_SECONDS = 1.5
# How many network cards the cases of pve_network take.
CARDS = 3
# The interfaces they make, from the top down.
TRIALS = ("vmbr979", "bond970.30", "hct_vlan", "hct_port", "hct_lan", "vmbr970", "vmbr971", "vmbr972", "bond970")
# Differ in every copy of a configuration.
_OWN = ("digest", "meta")


def is_trial(name: object) -> bool:
    """Whether an interface is one of the tests' own."""
    return str(name) in TRIALS


class RealSystem(PveSystem):
    """The cluster that the environment names."""

    is_lab: ClassVar[bool] = False
    # The HA manager acts every ten seconds, and nothing here depends on its having acted.
    patience: ClassVar[int] = 1

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = {name: value for name, value in environment.items() if name.startswith("PVE_")}
        host, _colon, given = environment["PVE_HOST"].split(",")[0].partition(":")
        port = int(given or environment.get("PVE_PORT", "8006"))
        secret = environment["PVE_TOKEN_SECRET"]
        self.api = Api(host, port, environment.get("PVE_CA", ""), environment["PVE_TOKEN_ID"], secret)
        self._began, self._writes, self._requests, self._tasks = time.monotonic(), 0, 0, 0
        self._clean: tuple[int, int] | None = None
        self._lent: tuple[str, dict[str, Any]] | None = None
        self._parked: dict[int, dict[str, Any]] = {}
        self._options = ClusterOptions(self.api)
        self._identity = pve_identity.ShippedIdentity(self.api) if pve_identity.wanted() else None
        if self._identity:
            self._identity.make()
            self._environment["PVE_TOKEN_ID"] = self._identity.token_id
            self._environment["PVE_TOKEN_SECRET"] = self._identity.token_secret
        online = sorted(str(node["node"]) for node in self.api.get("/nodes") if node.get("status") == "online")
        wanted = environment.get("PVE_TEST_NODE")
        self.nodes = [wanted, *(node for node in online if node != wanted)] if wanted else online
        first, _sep, last = environment["PVE_TEST_VMIDS"].partition("-")
        self.vmids = self._free(range(int(first), int(last or first) + 1))
        self.images = environment.get("PVE_TEST_STORAGE") or self._storage_with("images")
        self.rootdir = environment.get("PVE_TEST_STORAGE") or self._storage_with("rootdir")
        self.backups = self._backup_storage(environment.get("PVE_TEST_BACKUPS", ""))
        self._foreign = {volid for _node, volid in self._backups()}
        bridges = self.api.get(f"/nodes/{self.node}/network", type="any_bridge")
        names = sorted(str(bridge["iface"]) for bridge in bridges if bridge.get("active"))
        if not names:
            raise LookupError(f"node {self.node} has no bridge that is up")
        self.bridge, self.other_bridge = names[0], names[1] if len(names) > 1 else ""
        self.template = self._template()
        self.network_node = environment.get("PVE_TEST_NETWORK_NODE", "")
        self.nics = self._free_cards(environment.get("PVE_TEST_NICS", "")) if self.network_node else ()
        self._patches = contextlib.ExitStack()
        for verb in VERBS:
            self._patches.enter_context(mock.patch.object(Client, verb, self._counting(getattr(Client, verb))))
        self._patches.enter_context(mock.patch.object(Session, "request", self._counted(Session.request)))

    # --- figures

    def _counting(self, original: Any) -> Any:
        def send(client: Client, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
            self._writes += 1
            answer = original(client, path, parameters)
            self._tasks += isinstance(answer, str) and answer.startswith("UPID:")
            return answer

        return send

    def _counted(self, original: Any) -> Any:
        def request(session: Session, *args: Any, **kwargs: Any) -> Any:
            self._requests += 1
            return original(session, *args, **kwargs)

        return request

    def writes(self) -> int:
        return self._writes

    def figures(self) -> str:
        tasks, requests = self._tasks + self.api.tasks, self._requests + self.api.requests
        seconds = time.monotonic() - self._began
        return (
            f"{tasks} tasks and {requests} requests in {seconds:.0f} s, playbooks aside; where a task takes "
            f"{TASK_SECONDS} s, the tasks alone are {tasks * TASK_SECONDS / 60:.0f} min"
        )

    # --- what is there to use

    def _free(self, wanted: range) -> list[int]:
        """The vmids that nobody else uses, whatever range was given. What an earlier run left behind counts as free."""
        foreign = {vmid for vmid, guest in self._guests().items() if vmid in wanted and not self._is_left(guest)}
        free = [vmid for vmid in wanted if vmid not in foreign]
        if len(free) < ENOUGH:
            raise LookupError(f"PVE_TEST_VMIDS leaves {len(free)} free vmids, the suite takes {ENOUGH}")
        return free

    def _guests(self) -> dict[int, Mapping[str, Any]]:
        rows = self.api.get("/cluster/resources", type="vm")
        return {int(row["vmid"]): row for row in rows}

    def _is_left(self, guest: Mapping[str, Any]) -> bool:
        """Whether tests made a guest, by the name in its configuration: the listing's may be missing or another's."""
        try:
            config = self.api.get(f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}/config")
        except Refused:
            return False
        return str(config.get("name") or config.get("hostname") or "").startswith(PREFIX)

    def is_ours(self, thing: Mapping[str, Any]) -> bool:
        numbers = {re.sub(r"\D", "", str(thing.get(name, ""))) for name in ("vmid", "sid")} - {""}
        if numbers:
            return any(int(number) in self.vmids for number in numbers)
        return any(str(value).startswith(PREFIX) for value in thing.values())

    def _free_cards(self, given: str) -> tuple[str, ...]:
        """The network cards to try things on, which nothing may use."""
        cards = tuple(name.strip() for name in given.split(",") if name.strip())
        rows = self.api.get(f"/nodes/{self.network_node}/network")
        in_use = {
            word
            for row in rows
            if not is_trial(row["iface"])
            for name in ("bridge_ports", "slaves", "ovs_bonds", "ovs_ports", "vlan-raw-device")
            for word in str(row.get(name) or "").split()
        }
        there = {str(row["iface"]): row for row in rows if row.get("type") in ("eth", "OVSPort")}
        wrong = [card for card in cards if card not in there or card in in_use or there[card].get("cidr")]
        if wrong or len(cards) < CARDS:
            raise LookupError(
                f"PVE_TEST_NICS must name {CARDS} network cards of {self.network_node} that nothing uses"
                + (f"; {', '.join(wrong)} cannot be used" if wrong else "")
            )
        return cards

    def _storage_with(self, content: str) -> str:
        rows = self.api.get(f"/nodes/{self.node}/storage", content=content, enabled=1)
        active = sorted(
            (row for row in rows if row.get("active") and not str(row["storage"]).startswith(PREFIX)),
            key=lambda row: (not row.get("shared"), row["storage"]),
        )
        if not active:
            raise LookupError(f"node {self.node} has no active storage for {content}; name one in PVE_TEST_STORAGE")
        return str(active[0]["storage"])

    def _backup_storage(self, wanted: str) -> str:
        """The storage for backups that was named, or one there is; empty where there is none."""
        try:
            return wanted or self._storage_with("backup")
        except LookupError:
            return ""

    def make_backup_storage(self) -> None:
        if not self.backups:
            self.need_lab("pve_backup", "everything", f"node {self.node} has no storage for backups")

    def _backups(self) -> list[tuple[str, str]]:
        """(node, volume id) of the backups of guests in the range."""
        if not self.backups:
            return []
        rows = [(node, row) for node in self.nodes for row in self._content(node)]
        return [(node, str(row["volid"])) for node, row in rows if int(row.get("vmid") or 0) in self.vmids]

    def _content(self, node: str) -> list[dict[str, Any]]:
        try:
            return list(self.api.get(f"/nodes/{node}/storage/{self.backups}/content", content="backup"))
        except Refused:
            return []  # that node does not have it

    def _remove_backups(self) -> None:
        """What tests have made: not what was there before them."""
        gone = set(self._foreign)
        for node, volid in self._backups():
            if volid not in gone:
                self.api.put(f"/nodes/{node}/storage/{self.backups}/content/{volid}", protected=0)
                self._gone(f"/nodes/{node}/storage/{self.backups}/content/{volid}")
                gone.add(volid)

    def _template(self) -> str:
        for storage in self.api.get(f"/nodes/{self.node}/storage", content="vztmpl", enabled=1):
            if not storage.get("active"):
                continue
            volumes = self.api.get(f"/nodes/{self.node}/storage/{storage['storage']}/content", content="vztmpl")
            for volume in volumes:
                return str(volume["volid"])
        return ""

    def connection(self, *, root: bool = False) -> dict[str, Any]:
        self._clean = None  # a playbook's writes are not seen here
        env = self._environment
        return {
            "api_host": env["PVE_HOST"].split(","),
            "api_port": int(env.get("PVE_PORT", "8006")),
            "api_token_id": env["PVE_TOKEN_ID"],
            "api_token_secret": env["PVE_TOKEN_SECRET"],
            **({"ca_path": env["PVE_CA"]} if env.get("PVE_CA") else {}),
        }

    def environment(self) -> dict[str, str]:
        self._clean = None
        return dict(self._environment)

    @functools.cached_property
    def zfs_storage(self) -> str:  # type: ignore[override]
        listings = [self.api.get(f"/nodes/{node}/storage", content="images", enabled=1) for node in self._ends()]
        pools = [{str(row["storage"]) for row in rows if row.get("type") == "zfspool"} for rows in listings]
        return min(set.intersection(*pools), default="")

    def _ends(self) -> tuple[str, str]:
        return self.node, self.other_node

    # --- what this cluster can do, tried with a client of our own

    @functools.cached_property
    def starts_guests(self) -> str:
        return self._tried(lambda: self._start(self.make_guest(ENOUGH - 1), "qemu"))

    @functools.cached_property
    def starts_containers(self) -> str:
        if not self.template:
            return f"node {self.node} has no container template"
        return self._tried(lambda: self._start(self.make_guest(ENOUGH - 1, container=True), "lxc"))

    @functools.cached_property
    def makes_efi_disks(self) -> str:
        return self._tried(lambda: self.make_guest(ENOUGH - 1, efidisk0=f"{self.images}:1,efitype=4m"))

    def _start(self, vmid: int, kind: str) -> None:
        path = f"/nodes/{self.node}/{kind}/{vmid}/status"
        self.api.post(f"{path}/start")
        if self.api.get(f"{path}/current")["status"] != "running":
            raise Refused(0, f"guest {vmid} was started and does not run")

    def _tried(self, trial: Any) -> str:
        """Nothing if it works, what the cluster answered if it does not. The guest for it goes again."""
        try:
            trial()
        except Refused as problem:
            return str(problem)
        finally:
            vmid = self.vmid(ENOUGH - 1)
            guest = self._guests().get(vmid)
            if guest:
                self._remove_guest(guest)
        return ""

    # --- going back

    def run(self, module: str, config: Any = None, **arguments: Any) -> Result:
        clean = self._clean
        result = super().run(module, config, **arguments)
        self._clean = clean
        return result

    def require(self, case: Case) -> None:
        if case.module == "pve_container" and not self.template:
            self.need_lab(case.module, "ostemplate", f"node {self.node} has no container template")
        if case.module == "pve_network" and not self.nics:
            reason = "a node's network is touched only where PVE_TEST_NETWORK_NODE and PVE_TEST_NICS say so"
            self.need_lab(case.module, "everything", reason)
        if case.module == "pve_cluster_options" and self._options.binds_logins:
            self.need_lab(case.module, "everything", "this cluster's second factors are bound to its options")

    def prepare(self, case: Case, *more: Any) -> None:
        self.require(case)
        if case.module == "pve_network":
            self._reset_network()
        self._reset(keep=case.module not in ("pve_vm", "pve_container"))
        if case.module == "pve_cluster_options":
            self._options.clear()
        case.setup(self)
        for setup in more:
            setup(self)

    def reset(self) -> None:
        self._reset(keep=False)

    def _reset(self, *, keep: bool) -> None:
        """Remove by name: rules and resources before guests, guests before pools and storages. `keep`: guests that are
        as make_guest made them stay for the next one that asks."""
        if self._clean == (self._writes, self.api.writes) and (keep or not self._parked):
            return
        self._lent = None
        self._options.put_back()
        for job in self.api.get("/cluster/backup"):
            if str(job["id"]).startswith(PREFIX):
                self.api.delete(f"/cluster/backup/{job['id']}")
        self._reset_small_tables()
        for rule in self.api.get("/cluster/ha/rules"):
            if str(rule["rule"]).startswith(PREFIX):
                self._gone("/cluster/ha/rules/" + str(rule["rule"]))
        for resource in self.api.get("/cluster/ha/resources"):
            number = re.sub(r"\D", "", str(resource["sid"]))
            if number and int(number) in self.vmids:
                self._gone(f"/cluster/ha/resources/{resource['sid']}")
        self._remove_access()
        for pool in sorted((str(pool["poolid"]) for pool in self.api.get("/pools")), reverse=True):
            if pool.startswith(PREFIX):
                self._empty_pool(pool)
                self._gone("/pools", poolid=pool)
        self._remove_guests(keep=keep)
        self._remove_backups()
        for storage in self.api.get("/storage"):
            if str(storage["storage"]).startswith(PREFIX):
                self._gone(f"/storage/{storage['storage']}")
        self._clean = self._writes, self.api.writes

    def _reset_small_tables(self) -> None:
        for path in ("/cluster/mapping/dir", "/cluster/metrics/server"):
            for row in self.api.get(path):
                if str(row["id"]).startswith(PREFIX):
                    self._gone(f"{path}/{row['id']}")
        for row in self.api.get("/cluster/replication"):
            if int(row["guest"]) in self.vmids:
                self.api.delete(f"/cluster/replication/{row['id']}", force=1)

    def _remove_access(self) -> None:
        """Users with their tokens and entries of the ACL, then what these spoke of."""
        for listing, name in (
            ("/access/users", "userid"),
            ("/access/groups", "groupid"),
            ("/access/roles", "roleid"),
            ("/access/domains", "realm"),
        ):
            for row in self.api.get(listing):
                if str(row[name]).startswith(PREFIX):
                    self._gone(f"{listing}/{row[name]}")

    def _reset_network(self) -> None:
        """Take away what tests made of the network, and nothing else: what is staged is dropped first."""
        path = f"/nodes/{self.network_node}/network"
        self.api.delete(path)
        rows = {str(row["iface"]): row for row in self.api.get(path)}
        ours = [name for name in TRIALS if name in rows]
        configured = [name for name in self.nics if rows[name]["type"] == "OVSPort" or rows[name].get("mtu")]
        for name in ours:
            self._gone(f"{path}/{name}")
        for name in configured if ours else ():
            self._gone(f"{path}/{name}")
        if ours:
            self.api.put(path)

    def _gone(self, path: str, **parameters: Any) -> None:
        """Delete; what is gone already (a rule goes with its last resource) is no problem."""
        try:
            self.api.delete(path, **parameters)
        except Refused as problem:
            if not re.search(r"no such|does not exist|not HA managed", str(problem)):
                raise

    def _remove_guests(self, *, keep: bool) -> None:
        found = {vmid: guest for vmid, guest in self._guests().items() if vmid in self.vmids}
        begun: list[tuple[Mapping[str, Any], str]] = []
        for vmid, guest in found.items():
            if not (keep and self._put_back(vmid, guest)):
                self._parked.pop(vmid, None)
                begun.append((guest, self._begin_to_remove(guest)))
        for guest, upid in begun:
            try:
                if upid:
                    self.api.wait(upid)
            except Refused:
                self._remove_guest(guest)
        self._parked = {vmid: config for vmid, config in self._parked.items() if vmid in found}
        for storage in sorted({self.images, self.rootdir}):
            for volume in self.api.get(f"/nodes/{self.node}/storage/{storage}/content"):
                if int(volume.get("vmid") or 0) in self.vmids and int(volume["vmid"]) not in self._parked:
                    with contextlib.suppress(Refused):
                        self.api.delete(f"/nodes/{self.node}/storage/{storage}/content/{volume['volid']}")

    def _remove_guest(self, guest: Mapping[str, Any]) -> None:
        """The HA manager, or a task that was cut short, may still be at it for a while."""
        for attempt in range(PATIENCE):
            try:
                upid = self._begin_to_remove(guest)
                if upid:
                    self.api.wait(upid)
                return
            except Refused as problem:
                if attempt == PATIENCE - 1 or not _PASSING.search(str(problem)):
                    raise
            time.sleep(3)

    def _begin_to_remove(self, guest: Mapping[str, Any]) -> str:
        """The task that removes one in our range, which was free when the session began or bears our name; nothing if
        it is gone: the listing is a little behind."""
        path = f"/nodes/{guest['node']}/{guest['type']}/{guest['vmid']}"
        try:
            config = self.api.get(f"{path}/config")
            running = self.api.get(f"{path}/status/current").get("status") == "running"
        except Refused as problem:
            if "does not exist" in str(problem):
                return ""
            raise
        name = str(config.get("name") or config.get("hostname") or "")
        if name and not name.startswith(PREFIX) and name != f"CT{guest['vmid']}":
            raise LookupError(f"guest {guest['vmid']} ({name}) appeared in PVE_TEST_VMIDS and is not ours: left alone")
        if running:
            self.api.post(f"{path}/status/stop")
        if config.get("protection"):
            self.api.put(f"{path}/config", protection=0)
        try:
            return str(self.api.begin("DELETE", path, purge=1, destroy__unreferenced__disks=1))
        except Refused:
            time.sleep(3)
            return str(self.api.begin("DELETE", path, purge=1, destroy__unreferenced__disks=1))

    def _empty_pool(self, pool: str) -> None:
        members = self.api.get("/pools", poolid=pool)[0].get("members") or []
        for what, member in (("storage", "storage"), ("vms", "vmid")):
            names = dict.fromkeys(
                str(row[member]) for row in members if row.get(member) and (what == "storage") == (row["type"] == what)
            )
            if names:
                self.api.put("/pools", poolid=pool, delete=1, **{what: ",".join(names)})

    def close(self) -> None:
        self._parked = {}
        self.reset()
        if self.nics:
            self._reset_network()
        if self._identity:
            self._identity.remove()
        self._patches.close()
        self.api.close()

    # --- guests that are used again

    def make_guest(self, number: int, *, container: bool = False, **options: Any) -> int:
        vmid = self.vmid(number)
        plain = not container and not options
        if plain and vmid in self._parked:
            return vmid
        there = self._guests().get(vmid) if self._parked.pop(vmid, None) is not None else None
        if there:  # a plain one is in the place of one that is not
            self._remove_guest(there)
        super().make_guest(number, container=container, **options)
        if plain:
            self._parked[vmid] = self._config(f"/nodes/{self.node}/qemu/{vmid}")
        return vmid

    def _config(self, path: str) -> dict[str, Any]:
        config = self.api.get(f"{path}/config")
        return {name: value for name, value in config.items() if name not in _OWN}

    def _put_back(self, vmid: int, guest: Mapping[str, Any]) -> bool:
        """Whether a guest is again as it was made."""
        pristine = self._parked.get(vmid)
        if pristine is None or guest["node"] != self.node or guest["type"] != "qemu":
            return False
        return self._restored(f"/nodes/{self.node}/qemu/{vmid}", pristine)

    def _restored(self, path: str, pristine: dict[str, Any]) -> bool:
        """Take away what is more, write what is different, and look."""
        try:
            if self.api.get(f"{path}/status/current").get("status") != "stopped":
                return False
            for _again in range(3):  # a disk that is taken away is unused at first
                now = self._config(path)
                if comparable(now) == comparable(pristine):
                    return True
                more = sorted(set(now) - set(pristine), reverse=True)
                other = {name: value for name, value in pristine.items() if now.get(name) != value}
                if more:
                    self.api.put(f"{path}/config", delete=",".join(more))
                if other and not any(name.startswith("rootfs") for name in other):
                    self.api.put(f"{path}/config", **other)
        except Refused:
            return False
        return False

    @contextlib.contextmanager
    def lent(self, case: Case, item: Mapping[str, Any]) -> Iterator[bool]:
        """One guest for all options that a guest can be given later: True where it is there, as its case makes it."""
        kind = {"pve_vm": "qemu", "pve_container": "lxc"}.get(case.module)
        if kind is None:
            yield False
            return
        path = f"/nodes/{self.node}/{kind}/{item['vmid']}"
        if self._lent is None or self._lent[0] != path:
            self.prepare(case)
            result = self.run(case.module, [item])
            if result.failed:
                yield False
                return
            self._lent = path, self._config(path)
        pristine = self._lent[1]
        self._lent = None  # until it is back
        yield True
        if self._restored(path, pristine):
            self._lent = path, pristine
