# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Which privilege each call of each module needs, and where: from the API's own schema and tests/pve_calls.py.

    python -m tests.access_table        writes the tables of docs/access.md anew

tests/unit/pve/test_access_table.py asserts that they are written, complete, and what the two shipped roles are made of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import ACCESS, AUTOMATION
from lab.pve import schema
from tests.contract import discovery
from tests.pve_calls import ANY, CALLS, NODE

PAGE = Path(__file__).resolve().parent.parent / "docs" / "access.md"
ACCESS_MODULES = ("pve_acl", "pve_group", "pve_realm", "pve_realm_sync", "pve_role", "pve_token", "pve_user")
# Forming a cluster is root@pam's with its password.
ROOT_MODULES = ("pve_cluster",)

# (privilege, path): what a call asks for beyond its rule in the schema, by what it is given or whom it shows. As it was
# recorded (tests/data/pve/transcripts/24-limited-token.txt and the answers of the API to tokens).
Need = tuple[str, str]
_CONFIG = tuple(
    (f"VM.Config.{name}", "/vms/{vmid}")
    for name in ("CDROM", "CPU", "Cloudinit", "Disk", "HWType", "Memory", "Network", "Options")
)
_CONTAINER = tuple((f"VM.Config.{name}", "/vms/{vmid}") for name in ("CPU", "Disk", "Memory", "Network", "Options"))
_DISK: Need = ("Datastore.AllocateSpace", "/storage/{storage}")
_BRIDGE: Need = ("SDN.Use", "/sdn/zones/localnetwork/{bridge}")
_DEVICE: Need = ("Mapping.Use", "/mapping/pci/{id}, /mapping/usb/{id}")
_MAKE: Need = ("VM.Allocate", "/vms/{vmid} or /pool/{pool}")
_BACKUP: Need = ("VM.Backup", "/vms/{vmid}")
_REPLICATE: Need = ("VM.Replicate", "/vms/{vmid}")
INSIDE: Mapping[str, tuple[Need, ...]] = {
    "GET /access/acl": (("Sys.Audit", "/access"),),
    "GET /access/groups": (("Sys.Audit", "/access/groups"),),
    "GET /access/users": (("Sys.Audit", "/access/groups"),),
    "GET /cluster/resources": (
        ("VM.Audit", "/vms/{vmid}"),
        ("Datastore.Audit", "/storage/{storage}"),
        ("Pool.Audit", "/pool/{poolid}"),
    ),
    "DELETE /cluster/replication/{id}": (_REPLICATE,),
    "GET /cluster/options": (("Sys.Audit", "/"),),
    "GET /cluster/replication": (("VM.Audit", "/vms/{vmid}"),),
    "GET /nodes/{node}/lxc": (("VM.Audit", "/vms/{vmid}"),),
    "GET /nodes/{node}/qemu": (("VM.Audit", "/vms/{vmid}"),),
    "GET /nodes/{node}/replication": (("VM.Audit", "/vms/{vmid}"),),
    "GET /nodes/{node}/storage": (("Datastore.Audit", "/storage/{storage}"),),
    "GET /nodes/{node}/tasks": (("Sys.Audit", "/nodes/{node}"),),
    "GET /nodes/{node}/vzdump/extractconfig": (_BACKUP, _DISK),
    "GET /pools": (("Pool.Audit", "/pool/{poolid}"),),
    "GET /storage": (("Datastore.Audit", "/storage/{storage}"),),
    "POST /cluster/replication": (_REPLICATE,),
    "POST /nodes/{node}/lxc": (_MAKE, *_CONTAINER, _DISK, _BRIDGE),
    "POST /nodes/{node}/lxc/{vmid}/clone": (_DISK, _BRIDGE),
    "POST /nodes/{node}/qemu": (_MAKE, *_CONFIG, _DISK, _BRIDGE, _DEVICE),
    "POST /nodes/{node}/qemu/{vmid}/clone": (_DISK, _BRIDGE),
    "POST /nodes/{node}/qemu/{vmid}/config": (*_CONFIG, _DISK, _BRIDGE, _DEVICE),
    "POST /nodes/{node}/vzdump": (_BACKUP, _DISK),
    "PUT /cluster/replication/{id}": (_REPLICATE,),
    "PUT /nodes/{node}/lxc/{vmid}/config": (*_CONTAINER, _DISK, _BRIDGE),
    "PUT /nodes/{node}/qemu/{vmid}/config": (*_CONFIG, _DISK, _BRIDGE, _DEVICE),
    "PUT /nodes/{node}/qemu/{vmid}/resize": (_DISK,),
    "PUT /nodes/{node}/lxc/{vmid}/resize": (_DISK,),
    "PUT /pools": (("VM.Allocate", "/vms/{vmid}"), ("Datastore.Allocate", "/storage/{storage}")),
}


def endpoint(call: str) -> Mapping[str, Any]:
    """A call's entry in the schema. LookupError where there is none."""
    method, _blank, template = call.partition(" ")
    found: Mapping[str, Any] = schema.load().paths[template][method]
    return found


def rule_of(call: str) -> Any:
    """The rule of the schema; None for what only root@pam may, an empty list for what everybody may who logged in."""
    permissions = endpoint(call).get("permissions")
    if permissions is None:
        return None
    return permissions.get("check", [])


def satisfied(rule: Any, held: set[str]) -> bool:
    """Whether somebody who holds these privileges everywhere satisfies a rule. Nobody is asked about itself."""
    if rule is None:
        return False
    if not rule:
        return True
    form = rule[0]
    if form == "and":
        return all(satisfied(part, held) for part in rule[1:])
    if form == "or":
        return any(satisfied(part, held) for part in rule[1:])
    if form == "perm":
        few = any if "any" in rule[3:] else all
        return few(name in held for name in rule[2])
    if form == "userid-group":
        return any(name in held for name in rule[1])
    if form == "userid-param":
        return rule[1] in held
    if form == "perm-modify":
        return "Permissions.Modify" in held
    raise LookupError(f"a rule of another form: {rule}")


def allowed(call: str, held: set[str]) -> bool:
    return satisfied(rule_of(call), held) and all(name in held for name, _path in INSIDE.get(call, ()))


def in_words(rule: Any) -> list[str]:
    """A rule as `privilege on path`, one entry for each that must hold."""
    if rule is None:
        return ["only root@pam"]
    if not rule:
        return []
    form = rule[0]
    if form == "and":
        return [text for part in rule[1:] for text in in_words(part)]
    if form == "or":
        return [" or ".join(" and ".join(in_words(part)) for part in rule[1:] if part[1:] != ["self"])]
    if form == "perm":
        names = [" or ".join(f"`{name}`" for name in rule[2])] if "any" in rule[3:] else [f"`{n}`" for n in rule[2]]
        return [f"{name} on `{rule[1]}`" for name in names]
    if form == "userid-group":
        return [f"{' or '.join(f'`{name}`' for name in rule[1])} on `/access/groups`"]
    if form == "userid-param":
        return [f"`{rule[1]}` on `/access/realm/{{realm}}`"]
    if form == "perm-modify":
        return ["`Permissions.Modify` on the entry's path"]
    raise LookupError(f"a rule of another form: {rule}")


def needs(call: str) -> list[str]:
    """What a call needs, in words, the schema's rule first."""
    told = in_words(rule_of(call))
    grouped: dict[str, list[str]] = {}
    for name, path in INSIDE.get(call, ()):
        grouped.setdefault(path, []).append(f"`{name}`")
    told += [f"{', '.join(names)} on `{path}`" for path, names in grouped.items()]
    if not endpoint(call).get("allowtoken", 1):
        told.append("no token")
    return told or ["any login"]


def modules() -> list[str]:
    """The modules that speak to Proxmox VE."""
    return [name for name in discovery.modules() if name.startswith("pve_")]


def table() -> Iterator[str]:
    yield "| module | call | needs |"
    yield "|---|---|---|"
    for module in modules():
        if module in ANY:
            yield f"| `{module}` | any | what the path asks for |"
        if module in NODE:
            yield f"| `{module}` | none | root on the node |"
        for call in sorted(CALLS.get(module, ()), key=lambda call: (call.partition(" ")[2], call)):
            yield f"| `{module}` | `{call}` | {'; '.join(needs(call))} |"


def of_root() -> Iterator[str]:
    """What only root@pam with its password may, as the contract's cases exercise it."""
    yield "| module | options |"
    yield "|---|---|"
    for module in discovery.stateful():
        case = discovery.case_of(module)
        named = {option.name for option in case.options if option.root}
        named |= {secret.name for secret in case.secrets if secret.root}
        if module in ROOT_MODULES:
            yield f"| `{module}` | all |"
        elif named:
            yield f"| `{module}` | {', '.join(f'`{name}`' for name in sorted(named))} |"


PARTS: Mapping[str, Callable[[], Iterator[str]]] = {"calls": table, "root": of_root}


def page(text: str) -> str:
    """The page with its tables as they should be."""
    for name, part in PARTS.items():
        begin, end = f"<!-- {name}: python -m tests.access_table -->", f"<!-- end of {name} -->"
        between = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
        rows = "\n".join(part())
        text = between.sub(lambda _found, rows=rows, begin=begin, end=end: f"{begin}\n{rows}\n{end}", text)
    return text


def roles() -> Mapping[str, tuple[str, ...]]:
    """The modules that each shipped role is for."""
    others = {*ACCESS_MODULES, *ROOT_MODULES}
    return {AUTOMATION: tuple(name for name in CALLS if name not in others), ACCESS: ACCESS_MODULES}


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
