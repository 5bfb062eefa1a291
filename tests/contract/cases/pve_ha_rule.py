# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_ha_rule."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}rule"


def setup(system: Any) -> None:
    """Three guests that the HA manager looks after and keeps off."""
    for number in (0, 1, 2):
        system.api.post("/cluster/ha/resources", sid=f"vm:{system.make_guest(number)}", state="stopped")


def sid(number: int) -> Any:
    return lambda system: f"vm:{system.vmid(number)}"


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/cluster/ha/rules/{item['rule']}"))


def node(system: Any) -> str:
    return str(system.node)


NODES = {"rule": NAME, "type": "node-affinity", "resources": [sid(0)], "nodes": [node]}
GUESTS = {"rule": NAME, "type": "resource-affinity", "resources": [sid(0), sid(1)], "affinity": "negative"}


def examples(system: Any) -> None:
    """The guests that the examples speak of, looked after."""
    for vmid in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)
        system.api.post("/cluster/ha/resources", sid=f"vm:{vmid}", state="stopped")


CASE = Case(
    module="pve_ha_rule",
    subsystem="pve",
    setup=setup,
    base=NODES,
    options=(
        Option("type", "node-affinity", "resource-affinity"),
        Option("resources", [sid(0)], [sid(1), sid(0)]),
        Option("resources", [sid(0), sid(1)], [sid(0), sid(2)], base=GUESTS, label="guests"),
        Option("nodes", [node], lambda s: [f"{s.other_node}:1", f"{s.node}:2"], nodes=2),
        Option("nodes", lambda s: [f"{s.node}:1"], lambda s: [f"{s.node}:3"], label="priority"),
        Option("strict", True, False),
        Option("disable", True, False),
        Option("comment", "near the tape library", "near the tapes"),
        Option("affinity", "negative", "positive", base=GUESTS),
    ),
    raw=raw,
    several=[
        {**NODES, "rule": f"{PREFIX}here", "strict": True, "comment": "where the tapes are"},
        {**GUESTS, "rule": f"{PREFIX}apart", "resources": [sid(1), sid(2)]},
    ],
    changed=[
        {"rule": f"{PREFIX}here", "resources": [sid(0), sid(1)], "reset": ["strict"]},
        {"rule": f"{PREFIX}apart", "disable": True},
    ],
    examples=examples,
    info="ha_rule",
)
