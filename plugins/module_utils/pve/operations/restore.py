# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module pve_restore: its options, its plan, what it refuses, what it returns. Pure.

In the place of a guest that is there, its backup is restored beside it first. Only when that is whole is the guest
written over, and only when the guest is restored does what is beside it go: one of the two is always whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Duration, Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import encoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    boolean,
    number,
    text,
    unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    Archive,
    is_newer,
    moment,
    newest,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import (
    check_timeout,
    check_vmids,
    status_path,
    told,
    unusable,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    LXC,
    QEMU,
    Cluster,
    Guest,
    size_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.saved import (
    STAND_IN,
    TAG,
    UNFINISHED,
    Mark,
    Saved,
    marked,
)

RESTORE, REPLACE, FINISH, START, TIDY = "restore", "replace", "finish", "start", "tidy up"
REPLACE_GUEST = "replace_guest"
_CREATE = "create"
# Storages on which a disk takes its whole size from the beginning.
_THICK = ("lvm", "iscsi", "iscsidirect")
# A backup's size on this one is that of the disks in it.
_SERVER = "backup/vm/", "backup/ct/"


@dataclass(frozen=True)
class Beside:
    """The guest that stands in for the one to be replaced. whole: every disk of the backup is there."""

    guest: Guest
    mark: Mark
    whole: bool = True


@dataclass(frozen=True)
class Situation:
    """archives: the guest's, newest first.  missed: what could not be asked.  archive: the one that is taken.
    newer: one that would be taken if the guest were not where it is.  node: where it is restored.
    saved: what is in it.  target: the guest under the number that is restored to.
    free: a number for what is restored beside.  now: seconds since 1970."""

    cluster: Cluster = field(default_factory=Cluster)
    archives: tuple[Archive, ...] = ()
    missed: tuple[str, ...] = ()
    archive: Archive | None = None
    newer: Archive | None = None
    node: str = ""
    saved: Saved = field(default_factory=Saved)
    source: Guest | None = None
    target: Guest | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    mark: Mark | None = None
    beside: Beside | None = None
    free: int = 0
    now: float = 0.0
    restored: bool = False


@dataclass(frozen=True)
class RestoreOperation(Operation):
    def check(self, order: Order) -> None:
        options = order.options
        check_timeout(order)
        for name in ("vmid", "newid", "beside"):
            if options.get(name) is not None:
                check_vmids(name, [options[name]])
        if options.get("newid") == options["vmid"]:
            raise InvalidInput("newid: that is vmid.", hint="Leave it out to restore in the guest's place.")
        if options.get("beside") is not None and (beside(order) or options["beside"] == options["vmid"]):
            raise InvalidInput(
                "beside: it is for restoring in the guest's place, under a number of its own.",
                hint="Leave it out, or leave out newid.",
            )
        given = str(options.get("backup") or "")
        if given and ":" not in given:
            raise InvalidInput(f"backup: {given!r} is no volume id.", hint="Write storage:backup/vzdump-qemu-100-….")

    def things(self, situation: Situation, order: Order) -> dict[Key, Thing]:
        state: dict[str, Any] = {}
        if situation.target is not None:
            state = {"node": situation.target.node, "status": situation.target.status}
            if situation.mark is not None and situation.mark.sort != STAND_IN:
                state["restored_from"] = situation.mark.volid
            elif situation.restored and situation.archive is not None:
                state["restored_from"] = situation.archive.volid
        return {(target_of(order),): Thing(state, {"situation": situation})}

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        ((key, thing),) = observed.items()
        situation: Situation = thing.facts["situation"]
        actions = _aside(situation, order) if beside(order) else _in_place(situation, order)
        if not actions:
            return Plan()
        from_ = situation.archive.volid if situation.archive else "a backup"
        number_beside = situation.beside.guest.vmid if situation.beside else situation.free
        texts = {
            RESTORE: f"from {from_}" if not _stands_in(situation, order) else f"beside as {number_beside} from {from_}",
            REPLACE: f"from {from_}",
            FINISH: "disconnect its network cards",
            START: "",
            TIDY: f"remove {number_beside} beside it" if number_beside else "its description",
        }
        runs = START in actions or bool(situation.target and situation.target.running and REPLACE not in actions)
        after = {"node": situation.node, "status": "running" if runs else "stopped", "restored_from": from_}
        before = thing.state or None
        steps = [
            Step(action, "guest", key, before, after, (texts[action],) if texts[action] else (), facts=thing.facts)
            for action in actions
        ]
        return Plan(tuple(steps))

    def consents(self, step: Step) -> Sequence[Consent]:
        situation: Situation = step.facts["situation"]
        if step.action != REPLACE or situation.target is None:
            return ()
        when = f" of {moment(situation.archive.time)}" if situation.archive else ""
        loses = (
            f"{situation.target.described} as it is now is destroyed, its snapshots too; the backup{when} replaces it"
        )
        return (Consent(f"{REPLACE_GUEST}:{situation.target.vmid}", loses),)

    # -- what is known beforehand -----------------------------------------------------------------------------------

    @staticmethod
    def paths(plan: Plan, order: Order) -> Sequence[str]:
        for step in plan:
            situation: Situation = step.facts["situation"]
            return [status_path(situation.node, name) for name in sorted(storages_of(situation, order)) if name]
        return ()

    def problems(self, plan: Plan, order: Order, answers: Mapping[str, Any]) -> list[str]:
        situation: Situation = next(iter(plan)).facts["situation"]
        actions = {step.action for step in plan}
        found = _against_places(situation, order)
        if found:
            return found
        if situation.archive is None and actions & {RESTORE, REPLACE}:
            # An earlier task may be about to make it.
            return [Missing(no_backup(situation, order))]
        found = _against_guests(situation, order, actions)
        if actions & {RESTORE, REPLACE}:
            found += _against_storages(situation, order, answers, room=RESTORE in actions)
        if START in actions and beside(order):
            found += _against_twins(situation, order)
        return found

    # -- requests ---------------------------------------------------------------------------------------------------

    def parameters(self, situation: Situation, order: Order, *, vmid: int, mark: Mark, over: bool) -> dict[str, Any]:
        """Of POST /nodes/{node}/qemu|lxc. The description bears the mark from the first moment."""
        archive, vm = situation.archive, situation.saved.kind == QEMU
        volid = archive.volid if archive else ""
        sent: dict[str, Any] = {"vmid": vmid, **({"archive": volid} if vm else {"ostemplate": volid, "restore": 1})}
        sent.update(encoded([row for row in self.fields if row.name == "bwlimit"], order.options))
        storages = storages_of(situation, order)
        if order.options.get("storage") or not vm:
            sent["storage"] = min(storages)
        sent["description"] = marked(situation.saved.description, mark)
        if over:
            return {**sent, "force": 1}
        if mark.sort == STAND_IN:
            sent["tags"] = TAG
        elif unique(order):
            sent["unique"] = 1
        former = situation.source or (situation.beside.guest if situation.beside else None)
        pool = order.options.get("pool") or (former.pool if former and not beside(order) else "")
        if pool:
            sent["pool"] = pool
        if order.options.get("name") and mark.sort != STAND_IN:
            sent["name" if vm else "hostname"] = order.options["name"]
        return sent

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        ((key, thing),) = observed.items()
        situation: Situation = thing.facts["situation"]
        archive, target = situation.archive, situation.target
        return {
            "backup": {
                "volid": archive.volid if archive else "",
                "time": moment(archive.time) if archive else "",
                "size": archive.size if archive else 0,
            },
            "guest": {
                "vmid": key[0],
                "node": target.node if target else "",
                "status": target.status if target else "",
            },
            "missed": list(situation.missed),
        }

    def unmet(self, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        ((_key, thing),) = things.items()
        situation: Situation = thing.facts["situation"]
        if situation.target is None:
            return [Unmet("The guest is not there.", passing=True)]
        if order.options.get("start") and not situation.target.running:
            return [Unmet(f"{situation.target.described} does not run.", passing=True)]
        return []


# -- what is asked for -----------------------------------------------------------------------------------------------


def beside(order: Order) -> bool:
    """Whether it is restored as another guest."""
    return order.options.get("newid") is not None


def target_of(order: Order) -> int:
    return int(order.options["newid"] if beside(order) else order.options["vmid"])


def unique(order: Order) -> bool:
    given = order.options.get("unique")
    return beside(order) if given is None else bool(given)


def disconnected(order: Order) -> bool:
    given = order.options.get("disconnect")
    return beside(order) if given is None else bool(given)


def storages_of(situation: Situation, order: Order) -> set[str]:
    """The storages that the disks go to."""
    given = order.options.get("storage")
    return {str(given)} if given else {disk.storage for disk in situation.saved.disks}


def choose(archives: Sequence[Archive], order: Order, now: float, mark: Mark | None, at: str) -> Archive | None:
    """The backup that is named, the one that a run before this began with, or the newest. `at`: the node that has to
    be able to read it, where that is given."""
    named = order.options.get("backup") or (mark.volid if mark else None)
    readable = [one for one in archives if one.nodes and (not at or at in one.nodes)]
    if named:
        return next((one for one in readable if one.volid == named), None)
    found = newest(readable, now)
    limit = order.options.get("newer_than")
    return found if limit is None or is_newer(found, now, limit) else None


def place(archive: Archive, order: Order, cluster: Cluster, source: Guest | None) -> str:
    """The node to restore on: where the guest is, the one that is asked for, or the one with the most memory left."""
    wanted = str(order.options.get("node") or "")
    if wanted:
        return wanted
    if source is not None and source.node in archive.nodes:
        return source.node
    known = [cluster.nodes[name] for name in archive.nodes if name in cluster.nodes]
    return max(known, key=lambda node: (node.memory, node.name)).name if known else archive.nodes[0]


def no_backup(situation: Situation, order: Order) -> str:
    """Why there is none to take, and where none was looked for."""
    vmid, named = order.options["vmid"], order.options.get("backup")
    latest = newest(situation.archives, situation.now)
    text = f"there is no backup {named}" if named else f"there is no backup of guest {vmid}"
    if named and any(one.volid == named for one in situation.archives):
        text = f"backup {named} cannot be read by the node it would have to be restored on"
    elif not named and latest is not None and order.options.get("newer_than") is not None:
        text = f"the newest backup of guest {vmid} is of {moment(latest.time)}, older than newer_than allows"
    elif not named and latest is not None:
        text += f" that its node can read; the newest is {latest.described}"
    if not any("backup" in store.content for store in situation.cluster.stores):
        text += "; the token sees no storage that holds backups"
    return f"{text} (not looked at: {', '.join(situation.missed)})" if situation.missed else text


# -- plans -----------------------------------------------------------------------------------------------------------


def _aside(situation: Situation, order: Order) -> list[str]:
    """As another guest. One that this made before is gone on with, any other is left alone."""
    target, mark, vmid = situation.target, situation.mark, order.options["vmid"]
    start = [START] if order.options.get("start") else []
    if target is None:
        return [RESTORE, *start]
    named = target.described
    if target.lock == _CREATE:
        raise InvalidInput(f"newid: {named} is being made right now.", hint="Wait until its task has ended.")
    if mark is None or mark.vmid != vmid or mark.sort == STAND_IN:
        raise InvalidInput(f"newid: {target.vmid} is taken, by {named} on {target.node}.", hint="Give another number.")
    if situation.archive is not None and mark.volid != situation.archive.volid:
        raise InvalidInput(
            f"newid: {target.vmid} is guest {vmid} already, restored from {mark.volid}.",
            hint="Remove it, or give another number.",
        )
    finish = [FINISH] if mark.sort == UNFINISHED else []
    return [*finish, *(start if not target.running else [])]


def _in_place(situation: Situation, order: Order) -> list[str]:
    target, there = situation.target, situation.beside
    if there is not None and there.guest.lock == _CREATE:
        raise InvalidInput(
            f"{there.guest.described} is being restored beside guest {order.options['vmid']} by another run.",
            hint="Wait until its task has ended.",
        )
    ran = bool(target and target.running) or bool(there and there.mark.ran)
    given = order.options.get("start")
    start = [START] if (ran if given is None else given) else []
    if target is None:
        return [RESTORE, *start, *([TIDY] if there else [])]
    if situation.mark is not None and situation.mark.sort == UNFINISHED:
        return [*(start if not target.running else []), TIDY]
    if target.lock == _CREATE:
        raise InvalidInput(f"{target.described} is being restored right now.", hint="Wait until its task has ended.")
    return [*([] if there else [RESTORE]), REPLACE, *start, TIDY]


def _stands_in(situation: Situation, order: Order) -> bool:
    """Whether restoring makes a guest beside the one that is there."""
    return not beside(order) and situation.target is not None


# -- what stands against it ------------------------------------------------------------------------------------------


def _against_places(situation: Situation, order: Order) -> list[str]:
    cluster, target = situation.cluster, situation.target
    wanted = str(order.options.get("node") or "")
    if wanted and wanted not in cluster.nodes:
        return [f"node: {wanted} is no node of this cluster, which has {', '.join(sorted(cluster.nodes))}"]
    if target is not None and target.node in cluster.offline:
        other = "" if beside(order) else ": restore it to newid, or start the node"
        return [f"{target.described} is on {target.node}, which is offline{other}"]
    if wanted and target is not None and wanted != target.node:
        return [f"node: {target.described} is on {target.node} and stays there"]
    if wanted in cluster.offline:
        return [f"node: {wanted} is offline"]
    return []


def _against_guests(situation: Situation, order: Order, actions: set[str]) -> list[str]:
    archive, target, cluster = situation.archive, situation.target, situation.cluster
    found = []
    if archive is not None and situation.node not in archive.nodes:
        where = ", ".join(archive.nodes) or "no node"
        found.append(f"{archive.volid} can be read on {where}, and not on {situation.node}")
    if archive is not None and situation.newer is not None and RESTORE in actions:
        # To lose more than has to be lost is nobody's default.
        readers = ", ".join(situation.newer.nodes)
        found.append(
            f"the newest backup is {situation.newer.described}, which only {readers} can read, and the guest is on "
            f"{situation.node}: move it there first, or say backup={archive.volid} to take the one of "
            f"{moment(archive.time)}"
        )
    if REPLACE in actions and target is not None:
        if target.template:
            found.append(f"{target.described} is a template")
        if target.lock:
            found.append(f"{target.described} is locked ({target.lock})")
        if str(situation.config.get("protection") or "0") != "0":
            found.append(f"{target.described} is protected: take protection away first")
        if archive is not None and archive.kind != target.kind:
            found.append(f"{target.described} and its backup are not of the same sort")
        if situation.beside is not None and not situation.beside.whole:
            found.append(f"{situation.beside.guest.described} beside it is not whole: remove it, and run again")
        taken = cluster.guests.get(situation.free) if RESTORE in actions else None
        if taken is not None:
            found.append(f"beside: {situation.free} is taken, by {taken.described} on {taken.node}")
    return found


def _against_storages(situation: Situation, order: Order, answers: Mapping[str, Any], *, room: bool) -> list[str]:
    kind, names = situation.saved.kind, sorted(storages_of(situation, order))
    content = "images" if kind == QEMU else "rootdir"
    if kind == LXC and len(names) > 1:
        return [f"storage: the container was on {', '.join(names)}, and is restored to one: say which"]
    found = []
    for name in names:
        status = answers[status_path(situation.node, name)]
        problems = unusable(name, situation.node, status)
        found += problems
        if problems:
            continue
        if content not in str(told(status).get("content") or "").split(","):
            found.append(f"storage {name} does not hold {content}")
        elif room:
            found += _without_room(situation, order, name, status)
    return found


def _without_room(situation: Situation, order: Order, name: str, status: Mapping[str, Any]) -> list[str]:
    """Where it certainly does not fit. What a sparse disk will take nobody knows: no less than is in the backup."""
    disks = [disk for disk in situation.saved.disks if order.options.get("storage") or disk.storage == name]
    archive = situation.archive
    needed = sum(disk.size for disk in disks)
    if status.get("type") not in _THICK:
        server = archive is None or archive.volid.partition(":")[2].startswith(_SERVER)
        needed = 0 if server or len(storages_of(situation, order)) > 1 or archive is None else archive.size
    left = status.get("avail")
    if left is None or not status.get("total") or int(left) >= max(needed, 1):
        return []
    return [f"storage {name} has {size_of(int(left))} left on {situation.node}, and it takes {size_of(max(needed, 1))}"]


def _against_twins(situation: Situation, order: Order) -> list[str]:
    """Two guests with the same addresses must never run: not the same MACs, and not the same IP addresses inside."""
    source = situation.source
    if source is None or (unique(order) and disconnected(order)):
        return []
    state = "is on a node that is offline, and may run" if source.node in situation.cluster.offline else ""
    state = state or ("" if source.status == "stopped" else "runs")
    if not state:
        return []
    text = f"start: {source.described} {state}, and the restored one would have the same addresses"
    return [f"{text}: restore it with unique and disconnect, or see to it that the other one is stopped"]


RESTORING = RestoreOperation(
    name="restore",
    words=(REPLACE_GUEST,),
    fields=(
        number("vmid", required=True),
        number("newid"),
        text("backup"),
        unordered("backup_storage"),
        Field("newer_than", Duration()),
        text("node"),
        text("storage"),
        text("name"),
        text("pool"),
        boolean("unique"),
        boolean("disconnect"),
        boolean("start"),
        number("beside"),
        number("bwlimit"),
        number("timeout", default=14400),
    ),
)
