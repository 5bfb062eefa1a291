# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which calls of the Proxmox VE API each module makes. The contract suite lets no module make another one in the lab,
so the table is complete; docs/access.md is made of it."""

from __future__ import annotations

from collections.abc import Iterable

from lab.pve import schema
from lab.pve.recorder import Request

# Asked before the first write, and to know what one may see.
_ALWAYS = ("GET /version", "GET /access/permissions")
_TASK = ("GET /nodes/{node}/tasks/{upid}/status", "GET /nodes/{node}/tasks/{upid}/log")
_JUDGED = ("GET /access/acl", "GET /access/roles", "GET /access/users", *_ALWAYS)
_POWER = ("reboot", "resume", "shutdown", "start", "stop", "suspend")


def _guest(kind: str) -> tuple[str, ...]:
    """What is asked about guests of one sort, and done with them."""
    all_of, one = f"/nodes/{{node}}/{kind}", f"/nodes/{{node}}/{kind}/{{vmid}}"
    return (
        *_ALWAYS,
        *_TASK,
        "GET /cluster/resources",
        "GET /cluster/status",
        "GET /pools",
        "GET /storage",
        f"GET {all_of}",
        f"GET {one}/config",
        f"GET {one}/pending",
        f"GET {one}/status/current",
        "GET /nodes/{node}/storage/{storage}/content",
        f"POST {all_of}",
        f"POST {one}/clone",
        f"POST {one}/template",
        *(f"POST {one}/status/{verb}" for verb in _POWER),
        f"PUT {one}/config",
        f"PUT {one}/resize",
        f"DELETE {one}",
    )


def _both(*calls: str) -> tuple[str, ...]:
    """Calls about a guest of either sort; `{kind}` stands for it."""
    return tuple(call.replace("{kind}", kind) for kind in ("lxc", "qemu") for call in calls)


_ONE = "/nodes/{node}/{kind}/{vmid}"
_SNAPSHOTS = ("GET /cluster/resources", *_both(f"GET {_ONE}/snapshot"))
_ARCHIVES = ("GET /version", "GET /cluster/resources", "GET /nodes/{node}/storage/{storage}/content", *_TASK)

# These ask for what the path they are given asks for.
ANY = frozenset({"pve_resource"})
# These ask a node's own programs, as root on that node, and the API nothing.
NODE = frozenset({"pve_node_maintenance", "pve_note", "pve_qdevice"})

CALLS: dict[str, tuple[str, ...]] = {
    "pve_acl": (*_JUDGED, "GET /access/groups", "PUT /access/acl"),
    "pve_backup_job": (
        *_ALWAYS,
        "GET /cluster/backup",
        "GET /cluster/resources",
        "GET /nodes",
        "GET /pools",
        "GET /storage",
        "POST /cluster/backup",
        "PUT /cluster/backup/{id}",
        "DELETE /cluster/backup/{id}",
    ),
    "pve_backup": (
        *_both(f"GET {_ONE}/status/current"),
        *_ARCHIVES,
        "GET /nodes/{node}/storage/{storage}/status",
        "GET /storage",
        "POST /nodes/{node}/vzdump",
    ),
    # Its other half is done on the node itself, as root.
    "pve_cluster": (
        "GET /version",
        "GET /cluster/config/join",
        "GET /cluster/config/nodes",
        "GET /cluster/config/totem",
        "GET /cluster/resources",
        "GET /cluster/status",
        "GET /nodes/{node}/network",
        "GET /nodes/{node}/tasks",
        "GET /nodes/{node}/tasks/{upid}/status",
        "POST /cluster/config",
        "POST /cluster/config/join",
        "DELETE /cluster/config/nodes/{node}",
    ),
    "pve_cluster_options": ("GET /version", "GET /cluster/options", "PUT /cluster/options"),
    "pve_container": _guest("lxc"),
    "pve_evacuation_info": (
        "GET /version",
        "GET /cluster/backup",
        "GET /cluster/backup-info/not-backed-up",
        "GET /cluster/config/nodes",
        "GET /cluster/config/qdevice",
        "GET /cluster/ha/rules",
        "GET /cluster/ha/status/current",
        "GET /cluster/replication",
        "GET /cluster/resources",
        "GET /cluster/status",
        "GET /nodes/{node}/replication",
        "GET /nodes/{node}/storage",
        *(
            f"GET /nodes/{{node}}/{kind}/{{vmid}}/{below}"
            for kind in ("lxc", "qemu")
            for below in ("migrate", "status/current")
        ),
        "GET /nodes/{node}/lxc/{vmid}/config",
        "GET /pools",
        "GET /storage",
    ),
    "pve_group": (
        *_JUDGED,
        "GET /access/groups",
        "POST /access/groups",
        "PUT /access/groups/{groupid}",
        "DELETE /access/groups/{groupid}",
    ),
    "pve_ha_resource": (
        *_ALWAYS,
        "GET /cluster/ha/resources",
        "GET /cluster/ha/status/current",
        "GET /cluster/resources",
        "POST /cluster/ha/resources",
        "PUT /cluster/ha/resources/{sid}",
        "DELETE /cluster/ha/resources/{sid}",
    ),
    "pve_ha_rule": (
        *_ALWAYS,
        "GET /cluster/ha/resources",
        "GET /cluster/ha/rules",
        "GET /cluster/resources",
        "GET /nodes",
        "POST /cluster/ha/rules",
        "PUT /cluster/ha/rules/{rule}",
        "DELETE /cluster/ha/rules/{rule}",
    ),
    "pve_info": (
        "GET /access/acl",
        "GET /access/domains",
        "GET /access/domains/{realm}",
        "GET /access/groups",
        "GET /access/permissions",
        "GET /access/roles",
        "GET /access/users",
        "GET /cluster/backup",
        "GET /cluster/backup-info/not-backed-up",
        "GET /cluster/ha/resources",
        "GET /cluster/ha/rules",
        "GET /cluster/ha/status/current",
        "GET /cluster/options",
        "GET /cluster/replication",
        "GET /cluster/resources",
        "GET /cluster/status",
        "GET /nodes",
        "GET /nodes/{node}/network",
        "GET /nodes/{node}/replication",
        *(
            f"GET /nodes/{{node}}/{kind}{below}"
            for kind in ("lxc", "qemu")
            for below in ("", "/{vmid}/config", "/{vmid}/pending", "/{vmid}/snapshot", "/{vmid}/status/current")
        ),
        "GET /pools",
        "GET /storage",
    ),
    "pve_migration": (
        "GET /version",
        *_TASK,
        "GET /cluster/ha/rules",
        "GET /cluster/ha/status/current",
        "GET /cluster/resources",
        "GET /cluster/status",
        "GET /nodes/{node}/storage",
        "GET /storage",
        *_both(f"GET {_ONE}/config", f"GET {_ONE}/status/current", f"GET {_ONE}/migrate", f"POST {_ONE}/migrate"),
        "POST /cluster/ha/resources/{sid}/migrate",
    ),
    "pve_network": (
        *_ALWAYS,
        *_TASK,
        "GET /cluster/status",
        "GET /nodes",
        "GET /nodes/{node}/network",
        "POST /nodes/{node}/network",
        "PUT /nodes/{node}/network",
        "PUT /nodes/{node}/network/{iface}",
        "DELETE /nodes/{node}/network",
        "DELETE /nodes/{node}/network/{iface}",
    ),
    "pve_pool": (
        *_ALWAYS,
        "GET /cluster/resources",
        "GET /pools",
        "GET /storage",
        "POST /pools",
        "PUT /pools",
        "DELETE /pools",
    ),
    "pve_realm": (
        *_JUDGED,
        "GET /access/domains",
        "GET /access/domains/{realm}",
        "POST /access/domains",
        "PUT /access/domains/{realm}",
        "DELETE /access/domains/{realm}",
    ),
    "pve_realm_sync": (
        "GET /version",
        *_TASK,
        "GET /access/domains",
        "GET /access/domains/{realm}",
        "GET /access/groups",
        "GET /access/users",
        "GET /nodes",
        "GET /nodes/{node}/tasks",
        "POST /access/domains/{realm}/sync",
    ),
    "pve_replication": (
        *_ALWAYS,
        "GET /cluster/replication",
        "GET /cluster/resources",
        "GET /nodes",
        "GET /nodes/{node}/replication",
        "POST /cluster/replication",
        "PUT /cluster/replication/{id}",
        "DELETE /cluster/replication/{id}",
    ),
    "pve_restore": (
        *_ARCHIVES,
        "GET /cluster/nextid",
        "GET /nodes/{node}/vzdump/extractconfig",
        "GET /nodes/{node}/storage/{storage}/status",
        *_both(
            "POST /nodes/{node}/{kind}",
            f"GET {_ONE}/config",
            f"GET {_ONE}/status/current",
            f"PUT {_ONE}/config",
            f"POST {_ONE}/status/start",
            f"POST {_ONE}/status/stop",
            f"DELETE {_ONE}",
        ),
    ),
    "pve_role": (*_JUDGED, "POST /access/roles", "PUT /access/roles/{roleid}", "DELETE /access/roles/{roleid}"),
    "pve_snapshot": (
        "GET /version",
        *_TASK,
        *_SNAPSHOTS,
        *_both(
            f"GET {_ONE}/feature",
            f"POST {_ONE}/snapshot",
            f"PUT {_ONE}/snapshot/{{snapname}}/config",
            f"DELETE {_ONE}/snapshot/{{snapname}}",
        ),
    ),
    "pve_snapshot_rollback": (
        "GET /version",
        *_TASK,
        *_SNAPSHOTS,
        "GET /nodes",
        "GET /nodes/{node}/tasks",
        *_both(f"GET {_ONE}/config", f"GET {_ONE}/status/current", f"POST {_ONE}/snapshot/{{snapname}}/rollback"),
    ),
    "pve_storage": (
        *_ALWAYS,
        "GET /cluster/resources",
        "GET /nodes",
        "GET /storage",
        "POST /storage",
        "PUT /storage/{storage}",
        "DELETE /storage/{storage}",
    ),
    "pve_token": (
        *_JUDGED,
        *(f"{method} /access/users/{{userid}}/token/{{tokenid}}" for method in ("POST", "PUT", "DELETE")),
    ),
    "pve_user": (
        *_JUDGED,
        "GET /access/domains",
        "GET /access/groups",
        "POST /access/users",
        "PUT /access/password",
        "PUT /access/users/{userid}",
        "DELETE /access/users/{userid}",
    ),
    "pve_vm": (*_guest("qemu"), "POST /nodes/{node}/qemu/{vmid}/config"),
}


def call_of(request: Request) -> str:
    """`GET /access/users/{userid}`; nothing for what is no call of a module's own (logging in, an unknown path)."""
    found = schema.match(request.path)
    if found is None or request.method not in found.methods or found.template == "/access/ticket":
        return ""
    return f"{request.method} {found.template}"


def untold(module: str, requests: Iterable[Request]) -> list[str]:
    """The calls among the requests of a module that the table does not have."""
    if module in ANY:
        return []
    told = {*CALLS.get(module, ()), ""}
    return sorted({call_of(request) for request in requests} - told)
