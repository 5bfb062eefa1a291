# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the HA manager names guests (`vm:100`, `ct:101`), and how a bare vmid becomes such a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import UNSEEN, guests

GUESTS = "/cluster/resources?type=vm"
RESOURCES = "/cluster/ha/resources"
STATUS = "/cluster/ha/status/current"

_NAME = re.compile(r"^(?:(?:vm|ct):)?[1-9][0-9]{2,8}$")
_KIND = {"qemu": "vm", "lxc": "ct"}


def check_name(option: str, name: Any) -> None:
    """Raises InvalidInput for what names no guest."""
    if not _NAME.match(str(name)):
        raise InvalidInput(f"{option}: {name!r} names no guest.", hint="Write vm:100, ct:101, or the bare vmid.")


def is_bare(name: Any) -> bool:
    return ":" not in str(name)


def names_of_guests(resources: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """vmid -> the HA manager's name, of GET /cluster/resources."""
    return {str(vmid): f"{_KIND[str(row['type'])]}:{vmid}" for vmid, row in guests(resources).items()}


def spelled(name: Any, answers: Answers) -> str:
    """The name in full, if a guest or an HA resource (whose guest may be gone) bears that number."""
    managed = {sid.partition(":")[2]: sid for sid in managed_names(answers)}
    known = {**managed, **names_of_guests(answers.get(GUESTS))}
    return known.get(str(name), str(name)) if is_bare(name) else str(name)


def managed_names(answers: Answers) -> list[str]:
    return [str(row["sid"]) for row in answers.get(RESOURCES) or ()]


def once(declared: Declaration) -> Declaration:
    """Raises InvalidInput where two items turn out to be the same thing (`100` and `vm:100`)."""
    seen: dict[Any, int] = {}
    for number, item in enumerate(declared.items):
        if item.key in seen:
            raise InvalidInput(
                f"config[{number}]: {item.key[0]} is already config[{seen[item.key]}].", hint="List each thing once."
            )
        seen[item.key] = number
    return declared


def with_keys_spelled(declared: Declaration, answers: Answers) -> Declaration:
    items = tuple(replace(item, key=(spelled(item.key[0], answers),)) for item in declared.items)
    return once(replace(declared, items=items))


def guest_problems(names: Iterable[str], answers: Answers) -> list[str]:
    """Why the HA manager would not take these names."""
    known = names_of_guests(answers.get(GUESTS))
    result: list[str] = []
    for name in names:
        kind, _colon, vmid = str(name).rpartition(":")
        if vmid not in known:
            result.append(Missing(f"guest {vmid} {UNSEEN}"))
        elif kind and known[vmid] != name:
            result.append(f"guest {vmid} is {known[vmid]}, not {name}")
    return result
