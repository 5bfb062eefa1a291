# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module pve_backup: its options, its plan, what it refuses, what it returns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet, placed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED, Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Duration,
    Key,
    Number,
    Ordered,
    Properties,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NodeOffline, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import encoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import storage_problems
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    KEEP,
    Repeated,
    boolean,
    number,
    properties,
    text,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    Archive,
    Report,
    is_newer,
    moment,
    newest,
    report_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import (
    Cluster,
    Guest,
    size_of,
    unseen,
)

BACK_UP = "back up"
SNAPSHOT, SUSPEND, STOP = "snapshot", "suspend", "stop"
STOP_GUEST = "stop_guest"
STORAGES = "/storage"
# A Proxmox Backup Server keeps what is the same once: how large the last one was says nothing of the next.
_DEDUPLICATES = ("pbs",)
_NOT_SENT = ("vmid", "newer_than", "timeout", "remove")
_DOES = {SUSPEND: "is suspended for a part of its backup", STOP: "is shut down for its backup and started again"}


@dataclass(frozen=True)
class Situation:
    """archives: on the storage, newest first.  missed: what could not be asked.  reports: of this run, by vmid.
    now: seconds since 1970."""

    cluster: Cluster = field(default_factory=Cluster)
    archives: tuple[Archive, ...] = ()
    missed: tuple[str, ...] = ()
    reports: Mapping[int, Report] = field(default_factory=dict)
    now: float = 0.0

    def of(self, vmid: int) -> Archive | None:
        return newest((one for one in self.archives if one.vmid == vmid), self.now)


@dataclass(frozen=True)
class BackupOperation(Operation):
    def check(self, order: Order) -> None:
        check_vmids("vmid", order.options["vmid"])
        if "\n" in str(order.options.get("notes_template") or ""):
            raise InvalidInput(
                "notes_template: PVE keeps one line only.", hint=r"Write \n in single quotes for a new line."
            )
        check_timeout(order)

    def things(self, situation: Situation, order: Order) -> dict[Key, Thing]:
        result: dict[Key, Thing] = {}
        for vmid in order.options["vmid"]:
            last = situation.of(vmid)
            state = {"backup": last.volid, "time": moment(last.time)} if last else {}
            facts = {"situation": situation, "guest": situation.cluster.guests.get(vmid), "last": last}
            result[(vmid,)] = Thing(state, facts)
        return result

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        steps = []
        for key, thing in observed.items():
            situation: Situation = thing.facts["situation"]
            if is_newer(thing.facts["last"], situation.now, order.options.get("newer_than")):
                continue
            options = (f"to {order.options['storage']}", str(order.options["mode"]))
            after = {"backup": ASSIGNED, "time": ASSIGNED}
            steps.append(Step(BACK_UP, "guest", key, thing.state or None, after, options, facts=thing.facts))
        return Plan(interleaved(steps))

    def consents(self, step: Step) -> Sequence[Consent]:
        guest: Guest | None = step.facts["guest"]
        mode = step.options[1]
        if guest is None or not guest.running or mode not in _DOES:
            return ()
        return (Consent(f"{STOP_GUEST}:{guest.vmid}", f"{guest.described} runs, and {_DOES[mode]}"),)

    # -- what is known beforehand -----------------------------------------------------------------------------------

    @staticmethod
    def paths(plan: Plan, order: Order) -> Sequence[str]:
        """What to read before the first write."""
        nodes = {step.facts["guest"].node for step in plan if step.facts["guest"] is not None}
        names = [str(order.options["storage"]), *filter(None, [fleecing_storage(order)])]
        return [STORAGES, *(status_path(node, name) for node in sorted(nodes) for name in names)]

    def problems(self, plan: Plan, order: Order, answers: Mapping[str, Any]) -> list[str]:
        """`answers` by path, an error where there was one."""
        found: list[str] = []
        storage = str(order.options["storage"])
        rows = answers.get(STORAGES)
        found += [placed("storage", one) for one in storage_problems(storage, told(rows), content="backup")]
        fleecing = fleecing_storage(order)
        if fleecing:
            found += [placed("fleecing", one) for one in storage_problems(fleecing, told(rows), content="images")]
        for step in plan:
            guest: Guest | None = step.facts["guest"]
            if guest is None:
                found.append(Missing(unseen(int(step.key[0]))))
            elif guest.lock:
                found.append(
                    f"{guest.described} is locked ({guest.lock}): wait until that has ended, or release what was left "
                    "of it with qm unlock or pct unlock"
                )
        if found:
            return found
        for node in sorted({step.facts["guest"].node for step in plan}):
            found += unusable(storage, node, answers[status_path(node, storage)])
            if fleecing:
                found += [
                    placed("fleecing", one) for one in unusable(fleecing, node, answers[status_path(node, fleecing)])
                ]
        return found or without_room(storage, plan, answers)

    def parameters(self, step: Step, order: Order) -> dict[str, Any]:
        """Of POST /nodes/{node}/vzdump. Old backups go only where that was asked for."""
        rows = [row for row in self.fields if row.name not in _NOT_SENT]
        remove = order.options.get("remove")
        if remove is None:
            remove = order.options.get("prune_backups") is not None
        return {"vmid": step.key[0], **encoded(rows, order.options), "remove": int(bool(remove))}

    # -- what came of it --------------------------------------------------------------------------------------------

    def left(self, step: Step, order: Order) -> str:
        """What there is of a guest that was not backed up."""
        last: Archive | None = step.facts["last"]
        return (
            f"Its last one there is of {moment(last.time)}." if last else f"It has none on {order.options['storage']}."
        )

    def report(self, guest: Guest, log: Sequence[str]) -> Report:
        """Of a task that ended well. Raises PveError where it passed the guest over."""
        report = report_of(log)
        if report.seconds is None:
            raise PveError(
                f"The task ended well, but {guest.described} was not backed up by it.",
                hint=f"It is not on {guest.node} any more, or its backups are excluded. Run again.",
            )
        return report

    def unmet(self, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        storage = order.options["storage"]
        return [
            Unmet(f"Guest {key[0]} has no backup on {storage}.")
            for key, thing in things.items()
            if thing.facts["last"] is None
        ]

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        return {
            "backups": [told_of(int(key[0]), thing) for key, thing in observed.items() if thing.facts["last"]],
            "without": [key[0] for key, thing in observed.items() if thing.facts["last"] is None],
        }


def told_of(vmid: int, thing: Thing) -> dict[str, Any]:
    """A guest's newest backup, and how long it took where it is of this run."""
    situation: Situation = thing.facts["situation"]
    last: Archive = thing.facts["last"]
    report = situation.reports.get(vmid, Report())
    return {
        "vmid": vmid,
        "volid": last.volid,
        "time": moment(last.time),
        "size": last.size,
        "made": vmid in situation.reports,
        "mode": report.mode,
        "seconds": report.seconds or 0,
    }


def interleaved(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Node by node in turn, because a node makes one backup at a time; in each in the order given."""
    queues: dict[str, list[Step]] = {}
    for step in steps:
        guest: Guest | None = step.facts["guest"]
        queues.setdefault(guest.node if guest else "", []).append(step)
    longest = max(map(len, queues.values()), default=0)
    return tuple(queue[turn] for turn in range(longest) for queue in queues.values() if turn < len(queue))


def check_vmids(option: str, vmids: Sequence[int]) -> None:
    for vmid in vmids:
        if not isinstance(vmid, int) or not 100 <= vmid <= 999999999:
            raise InvalidInput(f"{option}: {vmid} is no guest's number.", hint="They go from 100 to 999999999.")
    twice = sorted({vmid for vmid in vmids if list(vmids).count(vmid) > 1})
    if twice:
        raise InvalidInput(f"{option}: {twice[0]} is listed twice.", hint="List each guest once.")


def check_timeout(order: Order) -> None:
    if not 1 <= order.options["timeout"] <= 7 * 86400:
        raise InvalidInput(
            f"timeout: {order.options['timeout']} s is not between 1 and 604800.", hint="14400 is four hours."
        )


def fleecing_storage(order: Order) -> str:
    given = order.options.get("fleecing")
    return str(given.get("storage") or "") if isinstance(given, Mapping) else ""


def status_path(node: str, storage: str) -> str:
    return f"/nodes/{node}/storage/{storage}/status"


def told(answer: Any) -> Any:
    """An answer that has to be there. Raises the error in its place."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def unusable(storage: str, node: str, status: Any) -> list[str]:
    """Why a node cannot use a storage that the cluster has."""
    if isinstance(status, NodeOffline):
        return [f"node {node} is offline"]
    if isinstance(status, PveError):
        return [f"storage {storage} cannot be used on {node}: {status.message.rstrip('.')}"]
    if not status.get("enabled", 1):
        return [f"storage {storage} is disabled, or is not for node {node}: see its nodes"]
    if not status.get("active", 1):
        return [f"storage {storage} is not active on {node}: is it mounted, does its server answer"]
    return []


def without_room(storage: str, plan: Plan, answers: Mapping[str, Any]) -> list[str]:
    """Where the last backups of the guests would not fit. Nothing is known of a guest that has none."""
    needed: dict[str, int] = {}
    for step in plan:
        node, last = step.facts["guest"].node, step.facts["last"]
        status = answers[status_path(node, storage)]
        place = "" if status.get("shared") else node
        needed[place] = needed.get(place, 0) + (last.size if last is not None else 0)
    found = []
    for place, size in sorted(needed.items()):
        node = place or min(step.facts["guest"].node for step in plan)
        status = answers[status_path(node, storage)]
        left = status.get("avail")
        if left is None or not status.get("total"):
            continue
        if int(left) <= 0:
            found.append(f"storage {storage} is full on {node}")
        elif int(left) < size and status.get("type") not in _DEDUPLICATES:
            found.append(
                f"storage {storage} has {size_of(int(left))} left on {node}, and the last backups of these guests "
                f"take {size_of(size)}"
            )
    return found


_WORDS = Properties(forms={"enabled": Boolean()}, default_key="enabled")
BACKUP = BackupOperation(
    name="backup",
    words=(STOP_GUEST,),
    fields=(
        Field("vmid", Ordered(element=Number()), type="list", elements="int", required=True),
        text("storage", required=True),
        Field("newer_than", Duration()),
        text("mode", choices=(SNAPSHOT, SUSPEND, STOP), default=SNAPSHOT),
        text("compress", choices=("0", "1", "gzip", "lzo", "zstd")),
        text("notes_template", wire="-"),
        boolean("protected"),
        properties("prune_backups", KEEP, wire="-"),
        boolean("remove"),
        number("bwlimit"),
        number("ionice"),
        number("lockwait"),
        number("stopwait"),
        number("pigz"),
        number("zstd"),
        properties("fleecing", _WORDS),
        properties("performance", Properties()),
        Field("exclude_path", Repeated(), type="list", elements="str", wire="exclude-path"),
        boolean("stdexcludes"),
        text("pbs_change_detection_mode", choices=("legacy", "data", "metadata"), wire="-"),
        number("timeout", default=14400),
    ),
)
