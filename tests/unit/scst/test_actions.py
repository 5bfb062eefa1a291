# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The order of what is written: every target reaches what is wanted, from wherever it is, and access is never wider on
the way than before or after."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import (
    Gone,
    Wanted,
    WantedGroup,
    WantedLun,
    Write,
    cut,
    disturbed_elsewhere,
    removal,
    towards,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import DEFAULTS, Target
from ansible_collections.hospital.continuity.plugins.module_utils.scst.view import troubles
from tests.unit.scst.model import CHANGER, DRIVE, OTHER, Model

TARGET = "iqn.2016-01.ar.hospital:ts3200"
SERVERS = [f"iqn.1993-08.org.debian:01:{name}" for name in ("one", "two", "three")]
HANDLERS = {CHANGER: "dev_changer", DRIVE: "dev_tape", OTHER: "dev_tape"}
SECRET = "Secret-of-the-test"

luns = st.builds(
    lambda device, read_only: WantedLun(device, read_only, HANDLERS[device]),
    st.sampled_from([*HANDLERS]),
    st.booleans(),
)


@st.composite
def wanted(draw: st.DrawFn) -> Wanted:
    """A target with any groups; no initiator is in two."""
    places = draw(st.lists(st.sampled_from(["backup", "restore", ""]), min_size=3, max_size=3))
    groups = {
        name: WantedGroup(
            draw(st.dictionaries(st.integers(0, 3), luns, max_size=3)),
            tuple(server for server, place in zip(SERVERS, places, strict=True) if place == name),
        )
        for name in ("backup", "restore")
        if name in places or draw(st.booleans())
    }
    return Wanted(
        enabled=draw(st.booleans()),
        portals=tuple(sorted(draw(st.sets(st.sampled_from(["127.0.0.1", "10.10.90.*", "fd00:90::5"]))))),
        users=draw(st.dictionaries(st.sampled_from(["backupuser", "other"]), st.sampled_from([SECRET, SECRET[::-1]]))),
        outgoing=draw(st.none() | st.tuples(st.sampled_from(["lib", "ts"]), st.sampled_from([SECRET, SECRET[::-1]]))),
        settings={**DEFAULTS, "QueuedCommands": draw(st.sampled_from(["32", "64"]))},
        groups=groups,
        close_default=True,
    )


def as_wanted(target: Target) -> Wanted:
    """What is there, in the form of what is wanted, but for handlers."""
    return Wanted(
        enabled=target.enabled,
        portals=tuple(sorted(target.portals)),
        users={user.name: user.secret for user in target.incoming},
        outgoing=(target.outgoing.name, target.outgoing.secret) if target.outgoing else None,
        settings={name: target.settings[name] for name in DEFAULTS},
        groups={
            name: WantedGroup(
                {
                    number: WantedLun(lun.device, lun.read_only, HANDLERS[lun.device])
                    for number, lun in group.luns.items()
                },
                tuple(sorted(group.initiators)),
            )
            for name, group in target.groups.items()
        },
        close_default=True,
    )


def sorted_initiators(one: Wanted) -> Wanted:
    groups = {name: replace(group, initiators=tuple(sorted(group.initiators))) for name, group in one.groups.items()}
    return replace(one, groups=groups)


@settings(max_examples=30, deadline=None)
@given(first=wanted(), second=wanted(), visitors=st.sets(st.sampled_from(SERVERS)))
def test_a_target_becomes_what_is_wanted_and_then_nothing_is_left(
    first: Wanted, second: Wanted, visitors: set[str]
) -> None:
    model = Model()
    for step in (first, second):
        model.do(towards(model.tree(), TARGET, step))
        assert towards(model.tree(), TARGET, step) == []
        assert as_wanted(model.tree().targets[TARGET]) == sorted_initiators(step)
        user, secret = next(iter(step.users.items()), ("", ""))
        for visitor in visitors:
            model.login(TARGET, visitor, user, secret)
    model.do(removal(model.tree(), TARGET))
    tree = model.tree()
    assert TARGET not in tree.targets
    assert not [device for device in tree.devices.values() if device.handler], "what only it had claimed is given back"
    assert removal(tree, TARGET) == []


@settings(max_examples=30, deadline=None)
@given(first=wanted(), second=wanted())
def test_access_is_never_wider_on_the_way(first: Wanted, second: Wanted) -> None:
    model = Model()
    model.do(towards(model.tree(), TARGET, first))
    may_see = {
        (initiator, lun.device)
        for one in (first, second)
        for group in one.groups.values()
        for initiator in group.initiators
        for lun in group.luns.values()
    }
    for action in towards(model.tree(), TARGET, second):
        model.do([action])
        target = model.tree().targets[TARGET]
        seen = {
            (initiator, lun.device)
            for group in target.groups.values()
            for initiator in group.initiators
            for lun in group.luns.values()
        }
        assert seen <= may_see, "somebody saw a device that was granted neither before nor after"
        assert not target.luns
        assert bool(target.portals) or not (first.portals and second.portals), "open on every portal for a moment"
        assert bool(target.incoming) or not (first.users and second.users), "open without a secret for a moment"
        assert target.enabled in (first.enabled, second.enabled)


@settings(max_examples=30, deadline=None)
@given(first=wanted(), second=wanted(), visitors=st.sets(st.sampled_from(SERVERS)))
def test_a_session_that_was_not_named_sees_the_same_as_before(
    first: Wanted, second: Wanted, visitors: set[str]
) -> None:
    """What `cut` does not name keeps its session and all its LUNs; what it names needs consent."""
    model = Model()
    model.do(towards(model.tree(), TARGET, first))
    user, secret = next(iter(first.users.items()), ("", ""))
    for visitor in visitors:
        model.login(TARGET, visitor, user, secret)
    before = model.tree().targets[TARGET]
    named = {session.initiator for session in cut(before, second)}
    model.do(towards(model.tree(), TARGET, second))
    after = model.tree().targets[TARGET]
    left = {session.initiator: session for session in after.sessions}
    for session in before.sessions:
        if session.initiator in named or not session.group:
            continue
        assert session.initiator in left
        had = before.groups[session.group].luns
        has = after.groups[left[session.initiator].group].luns
        assert all(has.get(number) == lun for number, lun in had.items())


def test_the_order_of_a_whole_export() -> None:
    """Point 1 of the facts, line by line."""
    model = Model()
    whole = Wanted(
        portals=("10.10.90.*",),
        users={"backupuser": SECRET},
        settings={**DEFAULTS, "QueuedCommands": "64"},
        groups={
            "backup": WantedGroup(
                {0: WantedLun(CHANGER, handler="dev_changer"), 1: WantedLun(DRIVE, True, "dev_tape")}, (SERVERS[0],)
            )
        },
    )
    model.do(towards(model.tree(), TARGET, whole))
    where = f"targets/iscsi/{TARGET}"
    assert model.sysfs.lines == [
        f"handlers/dev_changer/mgmt: add_device {CHANGER}",
        f"handlers/dev_tape/mgmt: add_device {DRIVE}",
        f"targets/iscsi/mgmt: add_target {TARGET}",
        f"{where}/QueuedCommands: 64",
        f"targets/iscsi/mgmt: add_target_attribute {TARGET} IncomingUser backupuser {SECRET}",
        f"targets/iscsi/mgmt: add_target_attribute {TARGET} allowed_portal 10.10.90.*",
        f"{where}/ini_groups/mgmt: create backup",
        f"{where}/ini_groups/backup/luns/mgmt: add {CHANGER} 0",
        f"{where}/ini_groups/backup/luns/mgmt: add {DRIVE} 1 read_only=1",
        f"{where}/ini_groups/backup/initiators/mgmt: add {SERVERS[0]}",
        f"{where}/enabled: 1",
        "targets/iscsi/enabled: 1",
    ]


def test_the_reverse_with_somebody_logged_in() -> None:
    model = Model()
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVERS[0],))
    model.do(towards(model.tree(), TARGET, Wanted(settings=DEFAULTS, groups={"backup": group})))
    assert model.login(TARGET, SERVERS[0])
    plan = removal(model.tree(), TARGET)
    session = ("targets", "iscsi", TARGET, "sessions", SERVERS[0])
    assert plan == [
        Write(("targets", "iscsi", TARGET, "enabled"), "0"),
        Write((*session, "force_close"), "1", gone_is_fine=True),
        Gone(session),
        Write(("targets", "iscsi", "mgmt"), f"del_target {TARGET}", gone_is_fine=True),
        Write(("handlers", "dev_tape", "mgmt"), f"del_device {DRIVE}"),
    ]
    model.do(plan)
    assert TARGET not in model.tree().targets


def test_a_device_that_another_target_offers_stays_claimed() -> None:
    model = Model()
    group = WantedGroup({0: WantedLun(CHANGER, handler="dev_changer")}, (SERVERS[0],))
    one = Wanted(settings=DEFAULTS, groups={"backup": group})
    model.do(towards(model.tree(), TARGET, one))
    model.do(towards(model.tree(), f"{TARGET}.2", one))
    model.do(removal(model.tree(), TARGET))
    assert model.tree().devices[CHANGER].handler == "dev_changer"


def test_whom_another_handler_for_a_device_would_disturb_elsewhere() -> None:
    """A claim by another handler moves the device, under whoever uses it at another target."""
    model = Model()
    now = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVERS[0],))
    model.do(towards(model.tree(), f"{TARGET}.2", Wanted(settings=DEFAULTS, groups={"backup": now})))
    assert model.login(f"{TARGET}.2", SERVERS[0])
    tree = model.tree()
    drive = tree.devices[DRIVE]
    tree = replace(
        tree,
        devices={**tree.devices, DRIVE: replace(drive, exported=(*drive.exported, "qla2x00t/50:01/luns/0"))},
        other_sessions=("qla2x00t/50:01/21:00", "qla2x00t/50:02/21:00"),
    )
    fast = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape_perf")}, (SERVERS[0],))
    wanted = Wanted(settings=DEFAULTS, groups={"backup": fast})
    assert disturbed_elsewhere(tree, TARGET, wanted) == {f"{TARGET}.2": [SERVERS[0]], "50:01": ["21:00"]}
    assert disturbed_elsewhere(tree, TARGET, replace(wanted, groups={"backup": now})) == {}
    other = WantedGroup({0: WantedLun(OTHER, handler="dev_tape_perf")}, (SERVERS[0],))
    assert disturbed_elsewhere(tree, TARGET, replace(wanted, groups={"backup": other})) == {}


@pytest.mark.parametrize("where", ["qla2x00t/50:01:43:80:12:34:56:78/luns/0", f"iscsi/{TARGET}.2/luns/0"])
def test_a_device_that_another_driver_offers_stays_claimed(where: str) -> None:
    """Fibre Channel hosts see it too: taking the claim away would cut them without a word."""
    model = Model()
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVERS[0],))
    model.do(towards(model.tree(), TARGET, Wanted(settings=DEFAULTS, groups={"backup": group})))
    tree = model.tree()
    drive = tree.devices[DRIVE]
    assert drive.exported == (f"iscsi/{TARGET}/ini_groups/backup/luns/0",)
    release = Write(("handlers", "dev_tape", "mgmt"), f"del_device {DRIVE}")
    assert release in removal(tree, TARGET)
    both = replace(tree, devices={**tree.devices, DRIVE: replace(drive, exported=(*drive.exported, where))})
    assert release not in removal(both, TARGET)
    assert release not in towards(both, TARGET, Wanted(settings=DEFAULTS, groups={}))


@pytest.mark.parametrize("users", [{}, {"backupuser": SECRET}, {"backupuser": SECRET, "third": SECRET[::-1]}])
@pytest.mark.parametrize("portals", [(), ("10.10.90.*",), ("10.10.90.*", "127.0.0.1", "fd00:90::5")])
def test_what_somebody_emptied_is_put_right(users: dict[str, str], portals: tuple[str, ...]) -> None:
    """`echo > IncomingUser`: there is no name left to delete the entry by."""
    model = Model()
    before = Wanted(
        settings=DEFAULTS,
        users={"backupuser": SECRET, "other": SECRET[::-1]},
        outgoing=("library", SECRET),
        portals=("10.10.90.*", "127.0.0.1"),
    )
    model.do(towards(model.tree(), TARGET, before))
    for file in ("IncomingUser1", "OutgoingUser", "allowed_portal1"):
        model.sysfs.write(("targets", "iscsi", TARGET, file), "")
    after = replace(before, users=users, portals=portals, outgoing=None)
    model.do(towards(model.tree(), TARGET, after))
    target = model.tree().targets[TARGET]
    assert {user.name: user.secret for user in target.incoming} == users
    assert tuple(sorted(target.portals)) == portals
    assert target.outgoing is None
    assert towards(model.tree(), TARGET, after) == []


def test_whom_a_pattern_lets_in_is_not_cut_by_another_change() -> None:
    """Written by hand at the host: `iqn.*`."""
    model = Model()
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, ("iqn.1993-08.*",))
    before = Wanted(settings=DEFAULTS, groups={"backup": group})
    model.do(towards(model.tree(), TARGET, before))
    assert model.login(TARGET, SERVERS[0])
    target = model.tree().targets[TARGET]
    assert cut(target, replace(before, portals=("127.0.0.1",))) == []
    assert cut(target, replace(before, groups={"backup": replace(group, initiators=(SERVERS[1],))}))
    assert any("granted to iqn.1993-08.*" in text for text in troubles(model.tree(), TARGET))


def test_who_loses_access_may_first_not_come_back() -> None:
    """Put out first, it would be back in at once."""
    model = Model()
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVERS[0],))
    model.do(towards(model.tree(), TARGET, Wanted(settings=DEFAULTS, groups={"backup": group})))
    assert model.login(TARGET, SERVERS[0])
    other = replace(group, initiators=(SERVERS[1],))
    model.sysfs.lines.clear()
    model.do(towards(model.tree(), TARGET, Wanted(settings=DEFAULTS, groups={"backup": other})))
    where = f"targets/iscsi/{TARGET}"
    assert model.sysfs.lines[:2] == [
        f"{where}/ini_groups/backup/initiators/mgmt: del {SERVERS[0]}",
        f"{where}/sessions/{SERVERS[0]}/force_close: 1",
    ]
    assert not model.login(TARGET, SERVERS[0])
    assert model.login(TARGET, SERVERS[1])


@pytest.mark.parametrize("action", [Write(("mgmt",), f"add user {SECRET}", "add user ***")])
def test_a_secret_is_in_no_text_of_an_action(action: Write) -> None:
    assert SECRET not in repr(action)
    assert SECRET not in repr(Wanted(users={"user": SECRET}, outgoing=("user", SECRET)))
