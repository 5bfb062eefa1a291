# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What was sent and what came back, parameter by parameter: the rows of roundtrip.json, asked again of the lab."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import normal_form
from client import Answer, Client
from scenes import TEMPLATE, basics, change, ct, vm

from lab.pve import Lab, NodeSpec

ROWS = Path(__file__).resolve().parents[1] / "data" / "pve" / "roundtrip.json.gz"
KINDS = (
    "storage", "pools", "pools (PUT /pools)", "cluster/ha/resources", "cluster/ha/rules", "cluster/backup",
    "qemu/config", "qemu (create)", "lxc/config", "lxc (create)", "nodes/network",
    "cluster/options", "cluster/replication", "cluster/mapping/dir",
    "access/groups", "access/users", "access/roles", "access/users/token", "access/domains", "access/acl",
)  # fmt: skip
# Added later, in this order: the exceptions name rows by their number.
LATER = ("nodes/network", "cluster/options", "cluster/replication", "cluster/mapping/dir", "cluster/metrics/server")
DISK = re.compile(r"disk-\d+")
# The bridge the rows of nodes/network name.
RTOVS = "auto rtovs\niface rtovs inet manual\n\tovs_type OVSBridge\n\n"
Params = list[tuple[str, str]]


def rows() -> list[dict[str, Any]]:
    """The rows of the kinds the lab claims to know, in recorded order; those added later come last."""
    with gzip.open(ROWS) as recorded:
        chosen = [row for row in json.load(recorded)["rows"] if row["kind"] in KINDS]
    return sorted(
        chosen,
        key=lambda row: (row["kind"].startswith("access/"), LATER.index(row["kind"]) if row["kind"] in LATER else -1),
    )


def pairs(values: dict[str, Any]) -> Params:
    """Request parameters; an array is its key repeated."""
    out: Params = []
    for key, value in values.items():
        out += [(key, str(item)) for item in (value if isinstance(value, list) else [value])]
    return out


def plain(value: Any, key: str = "") -> Any:
    """Comparable: assigned ids, numbers of disks and the order of lists are not what a row is about."""
    text = json.dumps(normal_form.normal(value, key), sort_keys=True)
    return json.loads(DISK.sub("disk-N", text))


@dataclass
class Subject:
    """A thing whose options are set one after the other: how it is made, read and removed."""

    path: str
    create: tuple[str, dict[str, Any]]
    listing: str
    key: str = ""
    put: str = ""
    always: dict[str, Any] = field(default_factory=dict)
    query: dict[str, str] = field(default_factory=dict)

    @property
    def write_path(self) -> str:
        return self.put or self.path


class RoundTrips:
    """One lab; the subject of a row is made anew for each of them."""

    def __init__(self) -> None:
        nodes = [NodeSpec(name, cpus=2, physical=False) for name in ("pve1", "pve2", "pve3")]
        self.lab = Lab(nodes=nodes)
        basics(self.lab)
        self.ticket = Client(self.lab).login()
        self.token = Client(self.lab).token("root@pam!ansible", "ansible-secret")
        self.created: dict[tuple[str, str], dict[str, Any]] = {}
        self.acl_began = False

    def close(self) -> None:
        self.ticket.close()
        self.token.close()
        self.lab.stop()

    # ------------------------------------------------------------ preparing

    def fresh(self) -> None:
        """The state the rows started from; the login stays."""

        def forget(cluster: Any) -> None:
            for name in list(cluster.storages):
                if name != "local":
                    del cluster.storages[name]
            cluster.by_vmid.clear()
            cluster.vms.clear()
            cluster.cts.clear()
            cluster.pools.clear()
            cluster.pool_info.clear()
            cluster.ha_resources.clear()
            cluster.ha_rules.clear()
            cluster.backup_jobs.clear()
            cluster.cluster_options.clear()
            cluster.replication.clear()
            cluster.dir_mappings.clear()
            files = {
                TEMPLATE: ("vztmpl", 15014),
                "iso/x.iso": ("iso", 100000),
                "snippets/h.sh": ("snippets", 17),
                "snippets/u.yaml": ("snippets", 14),
            }
            cluster.storages["local"]["used"] = 0
            cluster.storages["local"]["volumes"] = {
                name: {"content": content, "format": "raw", "size": size, "ctime": 0}
                for name, (content, size) in files.items()
            }
            vm(cluster, 100, "pve1", "vm100", 64)
            vm(cluster, 101, "pve2", "vm101", 64)
            ct(cluster, 102, "pve3", "ct102", 64)
            for name in ("rtpool", "rtpool2"):
                cluster.pools[name] = set()
            cluster.populate_access()
            cluster.keep_token("root@pam!ansible", "ansible-secret")

        change(self.lab, forget)
        network = self.lab.network("pve1")
        network.revert()
        if "rtovs" not in network.active:
            network.boot_with(network.active.replace("source ", RTOVS + "source "))

    def client(self, row: dict[str, Any]) -> Client:
        by_login = row.get("auth") == "ticket only" or str(row.get("note", "")).startswith("refused for token")
        return self.ticket if by_login else self.token

    def subject(self, row: dict[str, Any]) -> Subject:
        make: Callable[[dict[str, Any]], Subject] = getattr(self, "_" + re.sub(r"\W+", "_", row["kind"]).strip("_"))
        return make(row)

    def _base(self, row: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
        """What the nearest (create) row before this one sent."""
        key = row["kind"], str(row.get("type"))
        if row["parameter"] == "(create)":
            self.created[key] = row["sent"]
        return self.created.get(key, default)

    def _storage(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        after = row.get("object_after")
        if after and after["storage"] != base["storage"]:
            # The last rows made another storage each time, with nothing but what it needs.
            base = {"storage": after["storage"], "type": after["type"], "path": after["path"]}
        return Subject(f"/storage/{base['storage']}", ("/storage", base), "/storage", "storage")

    def _pools(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {"poolid": "rtp"})
        return Subject(f"/pools/{base['poolid']}", ("/pools", base), "/pools", "poolid")

    def _pools_PUT_pools(self, row: dict[str, Any]) -> Subject:  # noqa: N802 - named after the recording's kind
        base = self._base(row, {"poolid": "rtp9"})
        name = base["poolid"]
        return Subject(f"/pools/{name}", ("/pools", base), "/pools", "poolid", put="/pools", always={"poolid": name})

    def _cluster_ha_resources(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {"sid": "vm:100", "state": "ignored"})
        return Subject(
            f"/cluster/ha/resources/{base['sid']}", ("/cluster/ha/resources", base), "/cluster/ha/resources", "sid"
        )

    def _cluster_ha_rules(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        for sid in ("vm:100", "vm:101"):
            self.ticket.call("POST", "/cluster/ha/resources", [("sid", sid), ("state", "ignored")])
        path = "/cluster/ha/rules"
        return Subject(f"{path}/{base['rule']}", (path, base), path, "rule", always={"type": base["type"]})

    def _cluster_backup(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        self.ticket.call("POST", "/pools", [("poolid", "rtp")])
        return Subject(f"/cluster/backup/{base['id']}", ("/cluster/backup", base), "/cluster/backup", "id")

    def _cluster_mapping_dir(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        path = "/cluster/mapping/dir"
        always = {"map": base["map"]} if "always carried map" in str(row.get("note")) else {}
        return Subject(f"{path}/{base['id']}", (path, base), path, "id", always=always)

    def _cluster_replication(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})

        def on_zfs(cluster: Any) -> None:
            cluster.storages["z"] = {"type": "zfspool", "pool": "z", "content": "images", "active": 1, "volumes": {}}
            cluster.guest(100).config["scsi0"] = "z:vm-100-disk-0,size=1G"

        change(self.lab, on_zfs)
        path = "/cluster/replication"
        return Subject(f"{path}/{base['id']}", (path, base), path, "id")

    def _cluster_options(self, row: dict[str, Any]) -> Subject:
        return Subject("/cluster/options", ("", {}), "")

    def _nodes_network(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        path = "/nodes/pve1/network"
        return Subject(f"{path}/{base['iface']}", (path, base), path, "iface", always={"type": base["type"]})

    def _qemu_config(self, row: dict[str, Any]) -> Subject:
        base = {
            "vmid": "500", "name": "rtvm", "memory": "512", "scsi0": "local:1", "net0": "virtio,bridge=vmbr0",
        }  # fmt: skip
        return Subject("/nodes/pve1/qemu/500/config", ("/nodes/pve1/qemu", base), "")

    def _lxc_config(self, row: dict[str, Any]) -> Subject:
        base = {"vmid": "600", "hostname": "rtct", "rootfs": "local:1", "ostemplate": "local:" + TEMPLATE}
        return Subject("/nodes/pve2/lxc/600/config", ("/nodes/pve2/lxc", base), "")

    def _qemu_create(self, row: dict[str, Any]) -> Subject:
        vmid = row["sent"]["vmid"]
        if "import-from" in json.dumps(row["sent"]):
            self.ticket.call("POST", "/nodes/pve1/qemu", [("vmid", "520"), ("scsi0", "local:1")])
        return Subject(f"/nodes/pve1/qemu/{vmid}/config", ("/nodes/pve1/qemu", row["sent"]), "")

    def _lxc_create(self, row: dict[str, Any]) -> Subject:
        return Subject(f"/nodes/pve2/lxc/{row['sent']['vmid']}/config", ("/nodes/pve2/lxc", row["sent"]), "")

    def _access_groups(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        return Subject(f"/access/groups/{base['groupid']}", ("/access/groups", base), "/access/groups", "groupid")

    def _access_users(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        for name in ("rtg", "rtg2"):
            self.ticket.call("POST", "/access/groups", [("groupid", name)])
        return Subject(f"/access/users/{base['userid']}", ("/access/users", base), "/access/users", "userid")

    def _access_roles(self, row: dict[str, Any]) -> Subject:
        base = self._base(row, {})
        return Subject(f"/access/roles/{base['roleid']}", ("/access/roles", base), "/access/roles", "roleid")

    def _access_users_token(self, row: dict[str, Any]) -> Subject:
        self.ticket.call("POST", "/access/users", [("userid", "rt@pve")])
        path = "/access/users/rt@pve/token"
        return Subject(f"{path}/t1", (f"{path}/t1", {}), path, "tokenid")

    def _access_domains(self, row: dict[str, Any]) -> Subject:
        path = "/access/domains"
        name = str(row["type"]).partition(" ")[0]
        if str(row["type"]).endswith("(builtin)"):
            return Subject(f"{path}/{name}", (path, {}), path, "realm")
        base = self._base(row, {})
        return Subject(f"{path}/{base['realm']}", (path, base), path, "realm")

    # -------------------------------------------------------------- playing

    def play(self, row: dict[str, Any]) -> list[str]:
        """What is different; nothing if the lab does what was recorded."""
        if row["kind"] == "access/acl":
            return self._acl(row)
        self.fresh()
        subject = self.subject(row)
        client = self.client(row)
        if row["kind"].endswith("(create)"):
            return self._created(row, subject, client)
        path, base = subject.create
        if row["method"] == "POST" and row["parameter"] != "(create)" and row.get("note") != "at creation":
            return self._posted(row, subject, client)
        if not path:
            return self._set(row, subject, client)  # there is one, always
        built_in = str(row["type"]).endswith("(builtin)")
        made = self.ticket.call("GET", path) if built_in else self.ticket.call("POST", path, pairs(base))
        if row["parameter"] == "(create)":
            return [*self._outcome(row, made), *self._same("GET", row["returned_by_get"], self._read(subject))]
        if made.status != 200:
            return [f"the subject could not be made: {made.status} {made.reason}"]
        if row.get("note") == "at creation":
            return self._same(
                "GET", row["returned_by_get"], self._read(subject).get(self._place(row)), self._place(row)
            )
        return self._set(row, subject, client)

    def _acl(self, row: dict[str, Any]) -> list[str]:
        """What an entry adds to the list and takes from it; each row begins where the one before it left off,
        but for the last, which was recorded by itself."""
        if not self.acl_began or row["parameter"] == "tokens":
            self.acl_began = True
            self.fresh()
            for name in ("rtg", "rtg2"):
                self.ticket.call("POST", "/access/groups", [("groupid", name)])
            for userid in ("rt@pve", "rtq@pve"):
                self.ticket.call("POST", "/access/users", [("userid", userid)])
            self.ticket.call("POST", "/access/users/rtq@pve/token/tt")
        before = self.ticket.call("GET", "/access/acl").body["data"]
        if row["method"] == "DELETE":
            # Both groups went in one row, which names neither.
            gone = [row["sent"]] if "sent" in row else ["/access/groups/rtg", "/access/groups/rtg2"]
            answers = [self.ticket.call("DELETE", path) for path in gone]
            out = [f"status: {answer.status} {answer.reason}" for answer in answers if answer.status != 200]
        else:
            out = self._outcome(row, self.token.call("PUT", "/access/acl", pairs(row["sent"])))
        after = self.ticket.call("GET", "/access/acl").body["data"]
        added = [entry for entry in after if entry not in before]
        removed = [entry for entry in before if entry not in after]
        out += self._same("added", row.get("list_added") or [], added)
        return out + self._same("removed", row.get("list_removed") or [], removed)

    def _read(self, subject: Subject) -> dict[str, Any]:
        body = self.ticket.call("GET", subject.path, pairs(subject.query)).body
        data = (body or {}).get("data")
        return data if isinstance(data, dict) else {}

    @staticmethod
    def _place(row: dict[str, Any]) -> str:
        where = str(row.get("where") or "")
        return where.removeprefix("data.") if where.startswith("data.") else row["parameter"]

    @staticmethod
    def _same(what: str, recorded: Any, got: Any, key: str = "") -> list[str]:
        return normal_form.differences(plain(recorded, key), plain(got, key), what)

    def _outcome(self, row: dict[str, Any], answer: Answer, what: str = "") -> list[str]:
        if answer.status != row["status"]:
            return [f"{what}status: recorded {row['status']}, got {answer.status} {answer.reason}"]
        error = row.get("error")
        if not error:
            return []
        out = []
        if answer.reason != error["reason"] and not one_of_several(row, answer):
            out.append(f"{what}reason: recorded {error['reason']!r}, got {answer.reason!r}")
        if error.get("errors"):
            out += self._same(f"{what}errors", error["errors"], (answer.body or {}).get("errors"))
        return out

    def _created(self, row: dict[str, Any], subject: Subject, client: Client) -> list[str]:
        answer = client.call("POST", subject.create[0], pairs(row["sent"]))
        out = self._outcome(row, answer)
        if out or row["status"] != 200:
            return out
        upid = answer.body["data"]
        state = self.ticket.call("GET", f"/nodes/{upid.split(':')[1]}/tasks/{upid}/status").body["data"]
        out = self._same("task", row.get("task"), state["exitstatus"])
        if row.get("object_after") is not None:
            out += self._same("GET", row["object_after"], self._read(subject))
        return out

    def _posted(self, row: dict[str, Any], subject: Subject, client: Client) -> list[str]:
        """A parameter given at creation, or several in one POST."""
        sent = row["sent"]
        if isinstance(sent, dict) and row["kind"] == "qemu/config":
            self.ticket.call("POST", subject.create[0], pairs(subject.create[1]))
            out = self._outcome(row, client.call("POST", subject.path, pairs(sent)))
            got = self._read(subject)
            return out + self._same("GET", row["returned_by_get"], {key: got.get(key) for key in sent})
        values = sent if isinstance(sent, dict) else {**subject.create[1], row["parameter"]: sent}
        out = self._outcome(row, client.call("POST", subject.create[0], pairs(values)))
        if out or row["status"] != 200:
            return out
        if row.get("object_after") is not None:
            return self._same("GET", row["object_after"], self._read(subject))
        if isinstance(row.get("returned_by_list"), list):
            listed = self.ticket.call("GET", subject.listing).body["data"]
            return self._same("list", row["returned_by_list"], listed)
        return []

    def _set(self, row: dict[str, Any], subject: Subject, client: Client) -> list[str]:
        name, place = row["parameter"], self._place(row)
        if name == "unused0":
            self._stray_volume(str(row["sent"]))
        values = {**subject.always, name: row["sent"], **(row.get("with") or row.get("with_") or {})}
        out = self._outcome(row, client.call("PUT", subject.write_path, pairs(values)))
        if out or row["status"] != 200:
            return out
        first = self._read(subject).get(place)
        out = self._same("GET", row["returned_by_get"], first, place)
        if row.get("repeat"):
            out += self._again(row, subject, client, values, first)
        if row.get("set_default") and not out:
            out += self._default(row, subject, client)
        if row.get("delete") and not out:
            out += self._deleted(row, subject, client)
        return out

    def _stray_volume(self, volid: str) -> None:
        name = volid.partition(":")[2]
        entry = {"content": "images", "format": "raw", "size": 1024**3, "vmid": int(name.split("/")[0]), "ctime": 0}
        change(self.lab, lambda cluster: cluster.storages["local"]["volumes"].update({name: entry}))

    def _again(
        self, row: dict[str, Any], subject: Subject, client: Client, values: dict[str, Any], first: Any
    ) -> list[str]:
        """The same value once more: accepted or not, and whether it is the same afterwards."""
        recorded = row["repeat"]
        out = self._outcome(recorded, client.call("PUT", subject.write_path, pairs(values)), "repeat: ")
        value = self._read(subject).get(self._place(row))
        shown = (recorded.get("value_after") or {}).get(self._place(row))
        if shown is not None:
            return out + self._same("repeat", shown, value, self._place(row))
        same = plain_list(value) == plain_list(first)
        # Of a list in random order the recording's "same" says nothing.
        is_list = isinstance(first, str) and "," in first
        promised = recorded.get("value_same")
        if not out and not is_list and promised is not None and same != bool(promised):
            out.append(f"repeat: recorded value_same={promised}, got {first!r} and then {value!r}")
        return out

    def _default(self, row: dict[str, Any], subject: Subject, client: Client) -> list[str]:
        recorded = row["set_default"]
        values = {**subject.always, row["parameter"]: recorded["default"], **(row.get("with") or {})}
        out = self._outcome(recorded, client.call("PUT", subject.write_path, pairs(values)), "default: ")
        if not out and recorded.get("shown") and "returned" in recorded:
            out = self._same(
                "default", recorded["returned"], self._read(subject).get(self._place(row)), self._place(row)
            )
        return out

    def _deleted(self, row: dict[str, Any], subject: Subject, client: Client) -> list[str]:
        recorded = row["delete"]
        values = {**subject.always, "delete": row["parameter"]}
        out = self._outcome(recorded, client.call("PUT", subject.write_path, pairs(values)), "delete: ")
        # Under another name it may stay; what was noted is then about its own.
        place = self._place(row)
        name = row["parameter"] if place in recorded.get("new_keys_after", ()) else place
        after = self._read(subject)
        present = name in after
        if not out and recorded.get("present_after") is not None and present != bool(recorded["present_after"]):
            out.append(f"delete: recorded present_after={recorded['present_after']}, got {present}")
        if not out and present and "value_after" in recorded:
            out += self._same("delete", recorded["value_after"], after[name], name)
        if not out and recorded.get("again"):
            again = client.call("PUT", subject.write_path, pairs(values))
            out += self._outcome(recorded["again"], again, "delete again: ")
        return out


def one_of_several(row: dict[str, Any], answer: Answer) -> bool:
    """Of several properties that another type does not know, PVE names any one."""
    start = "unexpected property "
    return row.get("parameter") == "type" and all(x.startswith(start) for x in (row["error"]["reason"], answer.reason))


def plain_list(value: Any) -> Any:
    """The value itself; what a list's order was does not make it another value."""
    return ",".join(sorted(value.split(","))) if isinstance(value, str) and "=" not in value else value
