# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Snapshots of guests. PVE API: /nodes/{node}/{qemu,lxc}/{vmid}/snapshot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Consent,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Lines
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import PveKind, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, number, text

# How the list calls the guest as it is now.
CURRENT = "current"
# Names that PVE keeps for itself.
_RESERVED = (CURRENT, "pending", "vzdump")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{1,39}")
_LOWEST, _HIGHEST = 100, 999_999_999


def check_vmid(vmid: int) -> None:
    """Raises InvalidInput for what is no guest's number."""
    if not _LOWEST <= vmid <= _HIGHEST:
        raise InvalidInput(f"vmid: {vmid} is no guest's number.", hint=f"They go from {_LOWEST} to {_HIGHEST}.")


def check_name(name: str) -> None:
    """Raises InvalidInput for what PVE takes for no snapshot's name."""
    if name.lower() in _RESERVED:
        raise InvalidInput(f"snapname: PVE keeps the name {name} for itself.", hint="Choose another one.")
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"snapname: PVE takes no name like {name!r}.",
            hint="Use two to forty letters, digits, - and _, beginning with a letter.",
        )


def path_of(place: str, name: str) -> str:
    """A snapshot's path; `place` is its guest's."""
    return f"{place}/snapshot/{quote(name, safe='')}"


@dataclass(frozen=True)
class SnapshotKind(PveKind):
    """A guest is one place to write to: `facts["place"]` is its path, which the backend knows."""

    def check(self, item: Item) -> None:
        check_vmid(int(item.key[0]))
        check_name(str(item.key[1]))

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        description = Lines().canonical(raw.get("description") or "")
        return Thing({"description": description} if description else {})

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        vmid, name = step.key
        return (Consent(f"destroy_snapshot:{label(step.key)}", f"guest {vmid} can no longer go back to {name}"),)

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """One after the other of one guest, which PVE locks, in the order in which they are listed."""
        last: dict[Any, Step] = {}
        result = []
        for step in steps:
            before = last.get(step.key[0])
            result.append(replace(step, needs=(*step.needs, before.key)) if before else step)
            last[step.key[0]] = step
        return tuple(result)

    def requests(self, step: Step) -> Sequence[Request]:
        place, name = str(step.facts["place"]), str(step.key[1])
        if step.action == DELETE:
            return (Request("DELETE", path_of(place, name)),)
        description = (step.after or {}).get("description") or ""
        if step.action == CREATE:
            parameters = {"snapname": name, **({"description": description} if description else {})}
            if step.inputs.get("vmstate"):
                parameters["vmstate"] = 1
            return (Request("POST", f"{place}/snapshot", parameters),)
        # There is no `delete` here: no description is an empty one.
        return (Request("PUT", f"{path_of(place, name)}/config", {"description": description}),)


SNAPSHOT = SnapshotKind(
    name="snapshot",
    identity=("vmid", "snapname"),
    words=("destroy_snapshot",),
    fields=(number("vmid"), text("snapname"), Field("description", Lines()), boolean("vmstate", creating=True)),
)
