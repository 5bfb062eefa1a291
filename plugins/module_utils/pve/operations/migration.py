# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module pve_migration: its options, its plan, what it returns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Number, Ordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import encoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, number, text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import (
    check_timeout,
    check_vmids,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    QEMU,
    RUNNING,
    Cluster,
    Guest,
    unseen,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.moving import (
    BY_HA,
    Ground,
    Move,
    Terms,
    assigned,
    interrupts,
)

MIGRATE = "migrate"
RESTART_GUEST = "restart_guest"
_SECURE = ("secure", "insecure")
# What both sorts of guests are moved with, and what VMs alone.
_BOTH = ("bwlimit", "targetstorage")
_VM_ONLY = ("migration_network", "migration_type")


@dataclass(frozen=True)
class Situation:
    """seconds: how long guests were on their way in this run, by vmid.  ran: those that ran before."""

    ground: Ground = field(default_factory=lambda: Ground(Cluster()))
    seconds: Mapping[int, float] = field(default_factory=dict)
    came_from: Mapping[int, str] = field(default_factory=dict)
    ran: frozenset[int] = frozenset()


@dataclass(frozen=True)
class MigrationOperation(Operation):
    def check(self, order: Order) -> None:
        options = order.options
        if bool(options.get("target")) == bool(options.get("away_from")):
            raise InvalidInput("Give either target or away_from.", hint="Guests go to a node, or away from one.")
        if options.get("target") and not options.get("vmid"):
            raise InvalidInput("vmid: which guests are to go to the target?", hint="List them, or give away_from.")
        check_vmids("vmid", options.get("vmid") or ())
        check_timeout(order)
        if not 1 <= options["max_workers"] <= 64:
            raise InvalidInput(
                f"max_workers: {options['max_workers']} is not between 1 and 64.", hint="2 suits most networks."
            )
        if not options["with_local_disks"] and options.get("targetstorage"):
            raise InvalidInput(
                "targetstorage: only local disks change their storage.", hint="Say with_local_disks as well."
            )
        terms_of(order)

    @staticmethod
    def chosen(cluster: Cluster, order: Order) -> tuple[int, ...]:
        """The guests the order is about: those listed, or all of the node."""
        listed = order.options.get("vmid")
        if listed:
            return tuple(listed)
        source = order.options.get("away_from")
        return tuple(sorted(vmid for vmid, guest in cluster.guests.items() if guest.node == source))

    @staticmethod
    def leaving(cluster: Cluster, vmids: Sequence[int], order: Order) -> tuple[Guest, ...]:
        """Those of them that are not where they should be."""
        target, source = order.options.get("target"), order.options.get("away_from")
        guests = [cluster.guests[vmid] for vmid in vmids if vmid in cluster.guests]
        return tuple(guest for guest in guests if (guest.node != target if target else guest.node == source))

    def things(self, situation: Situation, vmids: Sequence[int]) -> dict[Key, Thing]:
        guests = situation.ground.cluster.guests
        result: dict[Key, Thing] = {}
        for vmid in vmids:
            guest = guests.get(vmid)
            state = {"node": guest.node, "status": guest.status} if guest else {}
            result[(vmid,)] = Thing(state, {"guest": guest, "situation": situation})
        return result

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        if not observed:
            return Plan()
        situation: Situation = next(iter(observed.values())).facts["situation"]
        ground, source = situation.ground, str(order.options.get("away_from") or "")
        target = str(order.options.get("target") or "")
        for option, node in (("target", target), ("away_from", source)):
            if node and node not in ground.cluster.nodes:
                known = ", ".join(sorted(ground.cluster.nodes)) or "none that the token sees"
                raise InvalidInput(f"{option}: {node} is no node of this cluster.", hint=f"It has {known}.")
        vmids = [int(key[0]) for key in observed]
        guests = self.leaving(ground.cluster, vmids, order)
        moves = {
            move.guest.vmid: move for move in assigned(guests, ground, terms_of(order), target=target, away_from=source)
        }
        steps = []
        for key, thing in observed.items():
            move = moves.get(int(key[0]))
            if move is not None:
                steps.append(_step(key, thing, move))
            elif thing.facts["guest"] is None:
                facts = {"guest": None, "move": None}
                where = (f"to {target}",) if target else (f"away from {source}",)
                steps.append(
                    Step(MIGRATE, "guest", key, None, {"node": target} if target else None, where, facts=facts)
                )
        return Plan(tuple(steps))

    def consents(self, step: Step) -> Sequence[Consent]:
        move: Move | None = step.facts["move"]
        if move is None or not interrupts(move.guest):
            return ()
        loses = f"{move.guest.described} is a container that runs, and is stopped and started again on {move.target}"
        return (Consent(f"{RESTART_GUEST}:{move.guest.vmid}", loses),)

    def problems(self, plan: Plan) -> list[str]:
        """Every guest that cannot go, with why, before any has gone."""
        found: list[str] = []
        for step in plan:
            move: Move | None = step.facts["move"]
            if move is None:
                found.append(Missing(unseen(int(step.key[0]))))
            elif move.problems:
                found.append(f"{move.guest.described} cannot be moved: {', '.join(move.problems)}")
        return found

    def parameters(self, move: Move, order: Order) -> dict[str, Any]:
        """Of POST /nodes/{node}/qemu|lxc/{vmid}/migrate."""
        vm = move.guest.kind == QEMU
        names = (*_BOTH, *(_VM_ONLY if vm else ()))
        sent = encoded([row for row in self.fields if row.name in names], order.options)
        sent["target"] = move.target
        if not move.takes_disks:
            sent.pop("targetstorage", None)
        if vm:
            if move.guest.running:
                sent["online"] = 1
            if move.takes_disks:
                sent["with-local-disks"] = 1
            return sent
        if "targetstorage" in sent:
            sent["target-storage"] = sent.pop("targetstorage")
        if move.guest.running:
            sent["restart"] = 1
        return sent

    def unmet(self, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        found = []
        for key, thing in things.items():
            situation: Situation = thing.facts["situation"]
            guest: Guest | None = thing.facts["guest"]
            if guest is not None and int(key[0]) in situation.ran and guest.status != RUNNING:
                found.append(Unmet(f"{guest.described} ran and does not run on {guest.node}.", passing=True))
        return found

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        return {"guests": [_told(thing) for thing in observed.values() if thing.facts["guest"] is not None]}


def _step(key: Key, thing: Thing, move: Move) -> Step:
    before = {"node": move.guest.node}
    after = {"node": move.target}
    options = (f"from {move.guest.node} to {move.target or 'nowhere'}", move.how)
    return Step(MIGRATE, "guest", key, before, after, options, facts={**thing.facts, "move": move})


def _told(thing: Thing) -> dict[str, Any]:
    guest: Guest = thing.facts["guest"]
    situation: Situation = thing.facts["situation"]
    return {
        "vmid": guest.vmid,
        "name": guest.name,
        "node": guest.node,
        "came_from": situation.came_from.get(guest.vmid, ""),
        "seconds": round(situation.seconds.get(guest.vmid, 0.0), 3),
    }


def terms_of(order: Order) -> Terms:
    """Raises InvalidInput for pairs of storages that make no sense."""
    mapping: dict[str, str] = {}
    everything = ""
    for pair in order.options.get("targetstorage") or ():
        old, colon, new = str(pair).partition(":")
        if colon and old and new and old not in mapping:
            mapping[old] = new
        elif not colon and not everything:
            everything = "" if old == "1" else old
        else:
            raise InvalidInput(
                f"targetstorage: {pair!r} is no pair of storages, or is there twice.",
                hint="Write old:new for each storage, or one name for all.",
            )
    if mapping and everything:
        raise InvalidInput("targetstorage: give pairs, or one storage for all.", hint="PVE takes no mixture.")
    return Terms(bool(order.options["with_local_disks"]), mapping, everything)


def by_manager(move: Move) -> bool:
    return move.how == BY_HA


MIGRATION = MigrationOperation(
    name="migration",
    words=(RESTART_GUEST,),
    fields=(
        Field("vmid", Ordered(element=Number()), type="list", elements="int"),
        text("target"),
        text("away_from"),
        boolean("with_local_disks", default=False, wire="-"),
        Field("targetstorage", Ordered(), type="list", elements="str"),
        number("bwlimit"),
        text("migration_network"),
        text("migration_type", choices=_SECURE),
        number("max_workers", default=2),
        number("timeout", default=14400),
    ),
)
