# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Every recorded row of the kinds built here, as the oracle of comparison.

Planning what was sent against what came back plans nothing; planning it against what was there before plans exactly
that change, and says the same on the wire; PVE's documented default is no change where nothing is set; and going back
to the default sends what PVE took for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from tests.unit.pve import recorded_access, recorded_network
from tests.unit.pve.recorded import Row, rows
from tests.unit.pve.recorded_tables import AFTER, BEFORE, Table, tables

TABLES = tables()

_DROPPED = "PVE drops in silence what a storage of this type cannot hold; we refuse it beforehand"
_VZDUMP = "not set means what /etc/vzdump.conf says, so stating PVE's default pins it, once"
_SCHEDULE = "PVE makes it a schedule, which is what we offer"
_UNREAD = "the recording does not read what this call created"
_ASSIGNED_ID = "PVE makes up an id when there is none; a name is what one declares a job by"
_IN_SID = "the type is part of the sid, so it is no option"
_NO_OPTION = "steers one request, or belongs to a restore: no option of a state"
_OTHER_NAME = "another name of sockets"
_POWER = "the power state is the option status"
_HA = "pve_ha_resource does it"
_UNUSED = "PVE's own list of detached disks: it is read, and entries can only go"
_OWN_STEP = "a template is made in a step of its own, when its disks are there"
_OWN_SIZE = "PVE gives the TPM state its own size, and we ask for just that"
_CHOSEN = "PVE chooses it from the template, and it is kept"
_FIRST_LINE = "PVE keeps the first line and drops the rest in silence; we refuse it beforehand"
_MARK = "marks a job that is being removed, which is state: absent"
_SOURCE = "PVE's own note of where the guest was"
_OLD_NAME = "an old name of migration"

_BACKUP = "cluster/backup"
_OF_VZDUMP = (
    "bwlimit",
    "compress",
    "ionice",
    "lockwait",
    "mailnotification",
    "mode",
    "notification-mode",
    "pigz",
    "prune-backups",
    "quiet",
    "remove",
    "stdexcludes",
    "stop",
    "stopwait",
    "zstd",
)
_WITHOUT_ISO = ("cephfs", "iscsi", "iscsidirect", "lvm", "lvmthin", "zfspool", "zfs", "rbd", "pbs")

# (kind, type, parameter, value sent, check) -> why the row is one of a kind; "*" is any.
EXCEPTIONS: dict[tuple[str, str, str, str, str], str] = {
    **recorded_network.EXCEPTIONS,
    **recorded_access.EXCEPTIONS,
    **{(_BACKUP, "", name, "*", "default"): _VZDUMP for name in _OF_VZDUMP},
    (_BACKUP, "", "id+starttime+dow+vmid", "*", "*"): _SCHEDULE,
    (_BACKUP, "", "id+starttime+vmid", "*", "*"): _SCHEDULE,
    (_BACKUP, "", "vmid+schedule", "*", "*"): _ASSIGNED_ID,
    ("cluster/ha/resources", "vm", "type", "vm", "*"): _IN_SID,
    ("cluster/replication", "local", "source", "*", "*"): _SOURCE,
    ("cluster/replication", "local", "remove_job", "*", "*"): _MARK,
    ("cluster/options", "", "consent-text", "hello\nworld ü", "*"): _FIRST_LINE,
    ("cluster/options", "", "migration_unsecure", "*", "*"): _OLD_NAME,
    ("cluster/ha/rules", "node-affinity", "rule", "sample1", "again"): _UNREAD,
    **{("storage", kind, "content", "images,iso", "*"): _DROPPED for kind in _WITHOUT_ISO},
    ("storage", "btrfs", "format", "qcow2", "*"): _DROPPED,
    ("storage", "cephfs", "format", "qcow2", "*"): _DROPPED,
    ("lxc/config", "", "arch", "*", "default"): _CHOSEN,
    ("lxc/config", "", "lock", "*", "*"): _NO_OPTION,
    ("lxc/config", "", "unused0", "*", "change"): _UNUSED,
    ("lxc (create)", "", "ha-managed", "*", "*"): _HA,
    ("lxc (create)", "", "start", "*", "*"): _POWER,
    ("lxc (create)", "", "force", "*", "*"): _NO_OPTION,
    ("lxc (create)", "", "template", "*", "change"): _OWN_STEP,
    ("qemu/config", "", "force", "*", "*"): _NO_OPTION,
    ("qemu/config", "", "lock", "*", "*"): _NO_OPTION,
    ("qemu/config", "", "smp", "*", "*"): _OTHER_NAME,
    ("qemu/config", "", "tpmstate0", "*", "change"): _OWN_SIZE,
    ("qemu/config", "", "background_delay+name", "*", "*"): _NO_OPTION,
    ("qemu/config", "", "scsi4+background_delay", "*", "*"): _NO_OPTION,
    ("qemu (create)", "", "ha-managed", "*", "*"): _HA,
    ("qemu (create)", "", "start", "*", "*"): _POWER,
    ("qemu (create)", "", "live-restore", "*", "*"): _NO_OPTION,
    ("qemu (create)", "", "template", "*", "change"): _OWN_STEP,
}


def exception_for(row: Row, check: str) -> tuple[str, str, str, str, str] | None:
    asked = (row.kind, row.type, row.parameter, str(row.sent), check)
    for entry in EXCEPTIONS:
        if all(wanted in ("*", value) for wanted, value in zip(entry, asked, strict=True)):
            return entry
    return None


class AnotherThing(Exception):
    """What was read is not what was named."""


def plan_of(table: Table, row: Row, item: Mapping[str, Any], stage: str, *, update_secrets: str = "on_create") -> Plan:
    """The plan of an item against the thing before or after the row's call, or against nothing."""
    declared = table.declared(item, update_secrets)
    key = declared.items[0].key
    observed = {}
    if stage:
        if table.key(row, stage) != key:
            raise AnotherThing(f"{key} is not {table.key(row, stage)}")
        observed = {key: table.thing(row, stage)}
    plan: Plan = table.kind.plan(observed, declared)
    return plan


def lines(plan: Plan) -> list[str]:
    return [step.line for step in plan]


# --- the checks; each returns what is wrong, or nothing


def check_again(table: Table, row: Row) -> str:
    """What was sent, against what came back."""
    plan = plan_of(table, row, table.item(row), AFTER)
    return f"plans {lines(plan)} ({plan.before()} -> {plan.after()})" if plan else ""


def check_change(table: Table, row: Row) -> str:
    """What was sent, against what was there before: nothing for a POST that creates."""
    kind, item = table.kind, table.item(row)
    if row.creates:
        plan = plan_of(table, row, item, "", update_secrets="always")
        wanted = set(item) - set(kind.identity)
    else:
        plan = plan_of(table, row, item, BEFORE, update_secrets="always")
        wanted = table.changes(row, item)
    if not wanted and not row.creates:
        return f"plans {lines(plan)}, not nothing" if plan else ""
    steps = list(plan)
    if not steps or (len(steps) > 1 and not row.creates):
        return f"plans {lines(plan)}, not one step about {sorted(wanted)}"
    if set(steps[0].options) != wanted:
        return f"plans {lines(plan)} with {sorted(steps[0].options)}, not {sorted(wanted)}"
    return against_wire(table, row, plan)


def against_wire(table: Table, row: Row, plan: Plan) -> str:
    """What we would send says the same as what was sent then."""
    kind, parameters = table.kind, table.parameters(plan)
    sent = dict(row.sent) if isinstance(row.sent, Mapping) else {**row.beside, row.parameter: row.sent}
    if "cdrom" in sent:
        sent["ide2"] = f"{sent.pop('cdrom')},media=cdrom"
    for wire, value in sent.items():
        option = table.option_of(wire)
        if option in kind.identity:
            continue
        if wire not in parameters:
            if value in ("", None) or not any(option in step.options for step in plan):
                continue
            return f"does not send {wire}"
        if not table.says_the_same(wire, parameters[wire], value):
            return f"sends {wire}={parameters[wire]!r}"
    return ""


def check_default(table: Table, row: Row) -> str:
    """Where PVE took its documented default: stating it changes nothing."""
    told = row.raw.get("set_default")
    if not told or told["status"] != 200:
        return ""
    item = {**table.item(row), table.option_of(row.parameter): told["default"]}
    plan = plan_of(table, row, item, BEFORE)
    return f"the default {told['default']!r} plans {lines(plan)}" if plan else ""


def check_reset(table: Table, row: Row) -> str:
    """Going back to the default: a deletion where PVE took one, and none where it refused."""
    told, kind = row.raw.get("delete"), table.kind
    option = kind.rows.get(table.option_of(row.parameter))
    if not told or option is None:
        return ""
    state = table.thing(row, AFTER).state
    option = kind.row_for(option, state)
    if not option.resettable or option.same(state.get(option.name), None):
        return ""
    item = {name: value for name, value in table.item(row).items() if name in kind.identity}
    plan = plan_of(table, row, {**item, "reset": [option.name]}, AFTER)
    deleted = str(table.parameters(plan).get("delete", "")).split(",")
    if told["status"] == 200 and row.parameter not in deleted:
        return f"does not delete {row.parameter}"
    if told["status"] != 200 and row.parameter in deleted:
        return f"deletes {row.parameter}, which PVE refused"
    return ""


CHECKS = {"again": check_again, "change": check_change, "default": check_default, "reset": check_reset}


def outcome(check: Callable[[Table, Row], str], table: Table, row: Row) -> str:
    try:
        return check(table, row)
    except InvalidInput as problem:
        return f"refused: {problem}"
    except AnotherThing as problem:
        return str(problem)


@pytest.fixture(scope="module")
def walked() -> tuple[Counter[Any], dict[tuple[str, ...], int], list[str]]:
    counts: Counter[Any] = Counter()
    used: dict[tuple[str, ...], int] = dict.fromkeys(EXCEPTIONS, 0)
    wrong: list[str] = []
    for row in rows(TABLES):
        counts[row.kind, "rows"] += 1
        if not row.accepted:
            counts[row.kind, "refused by PVE"] += 1
            continue
        for name, check in CHECKS.items():
            problem = outcome(check, TABLES[row.kind], row)
            counts[row.kind, "checks"] += 1
            entry = exception_for(row, name) if problem else None
            if entry:
                used[entry] += 1
                counts[row.kind, "exceptions"] += 1
            elif problem:
                wrong.append(f"{row}, {name}: {problem}")
    return counts, used, wrong


def test_every_recorded_row_plans_what_was_sent(walked: Any, capsys: pytest.CaptureFixture[str]) -> None:
    counts, used, wrong = walked
    with capsys.disabled():
        print("\nrecorded rows, by kind:")
        for kind in TABLES:
            what = ("rows", "refused by PVE", "checks", "exceptions")
            print(f"  {kind}: " + ", ".join(f"{counts[kind, each]} {each}" for each in what))
        for entry, times in used.items():
            print(f"  {times} x {' '.join(filter(None, entry))}: {EXCEPTIONS[entry]}")
    assert counts["storage", "checks"] > 800
    assert not wrong, f"{len(wrong)} problems:\n" + "\n".join(wrong[:100])


def test_every_exception_is_needed(walked: Any) -> None:
    _counts, used, _wrong = walked
    assert [entry for entry, times in used.items() if not times] == []
