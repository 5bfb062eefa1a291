# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Growing pools. The law: no plan weakens a pool, what is done is not planned again, and a sick pool is left alone."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import (
    CLASSES,
    DATA,
    Layout,
    Row,
    Rows,
    command_words,
    merged,
    mismatch,
    split,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_plan import (
    ADD,
    ATTACH,
    REMOVE,
    REPLACE,
    Change,
    planned,
    redundancy,
    sickness,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import (
    PoolStatus,
    Scan,
    Vdev,
)

FORM = Layout()
CACHED = {"class": "cache", "disks": ["c"]}
_guids = itertools.count(1000)


def guid() -> str:
    return str(next(_guids))


def leaf(disk: str, state: str = "ONLINE") -> Vdev:
    return Vdev(disk, "disk", state, guid(), f"/dev/disk/by-id/{disk}-part1")


def vdev(row: Row, number: int = 0) -> Vdev:
    if row.type == "disk":
        return leaf(row.disks[0], "AVAIL" if row.vdev_class == "spare" else "ONLINE")
    name = f"{row.type}-{number}"
    if row.type.startswith("draid"):
        name = f"{row.type}:{row.draid_data or 1}d:{len(row.disks)}c:{row.draid_spares}s-{number}"
    return Vdev(name, row.type, "ONLINE", guid(), children=tuple(map(leaf, row.disks)))


def pool_of(rows: Rows) -> PoolStatus:
    vdevs: dict[str, tuple[Vdev, ...]] = {}
    for number, row in enumerate(split(rows)):
        vdevs[row.vdev_class] = (*vdevs.get(row.vdev_class, ()), vdev(row, number))
    return PoolStatus("tank", "ONLINE", guid(), vdevs=vdevs)


def done(pool: PoolStatus, change: Change) -> PoolStatus:
    """What ZFS makes of a change, once a resilver is over."""
    vdevs = {which: list(found) for which, found in pool.vdevs.items()}
    if change.verb == ADD:
        for row in split(change.rows):
            vdevs.setdefault(row.vdev_class, []).append(vdev(row, 90))
    for which, found in vdevs.items():
        for index, top in enumerate(list(found)):
            if change.verb == REMOVE and top.guid == change.at:
                found.remove(top)
            elif change.verb == REPLACE and change.at in {one.guid for one in top.leaves}:
                found[index] = _replaced(top, change)
            elif change.verb == ATTACH and change.at in {one.guid for one in top.leaves}:
                children = (*top.children, leaf(change.new)) if top.children else (top, leaf(change.new))
                found[index] = Vdev(
                    f"mirror-{index}", "mirror", "ONLINE", top.guid if top.children else guid(), children=children
                )
        vdevs[which] = found
    return replace(pool, vdevs={which: tuple(found) for which, found in vdevs.items() if found})


def _replaced(top: Vdev, change: Change) -> Vdev:
    if not top.children:
        return leaf(change.new)
    return replace(top, children=tuple(leaf(change.new) if one.guid == change.at else one for one in top.children))


def after_all(pool: PoolStatus, changes: Any) -> PoolStatus:
    for change in changes:
        pool = done(pool, change)
    return pool


# -- what a layout may be ------------------------------------------------------------------------------------------


@st.composite
def layouts(draw: st.DrawFn, first: int = 0) -> Rows:
    """A layout that ZFS would take, of disks d<first> and following."""
    numbers = itertools.count(first)

    def disks(count: int) -> tuple[str, ...]:
        return tuple(f"d{next(numbers)}" for _number in range(count))

    sort = draw(st.sampled_from(["disk", "mirror", "raidz1", "raidz2", "raidz3"]))
    parity = int(sort[-1]) if sort.startswith("raidz") else 0
    width = 1 if sort == "disk" else draw(st.integers(max(2, parity + 1), 5))
    rows = [Row("normal", sort, disks(width)) for _vdev in range(draw(st.integers(1, 3)))]
    tolerates = rows[0].tolerates
    for which in ("special", "dedup"):
        if draw(st.booleans()):
            rows.append(Row(which, "mirror" if tolerates else "disk", disks(tolerates + 1)))
    logs = draw(st.integers(0, 2))
    if logs:
        rows.append(Row("log", "mirror" if logs == 2 else "disk", disks(logs)))
    for which in ("cache", "spare"):
        count = draw(st.integers(0, 2))
        if count:
            rows.append(Row(which, "disk", disks(count)))
    whole = merged(rows)
    assume(not mismatch(whole))
    return whole


@st.composite
def growths(draw: st.DrawFn) -> tuple[PoolStatus, Rows, dict[str, str]]:
    """A pool, and what somebody asks of it: more vdevs, wider mirrors, disks replaced, vdevs taken out or forgotten."""
    rows = draw(layouts())
    pool = pool_of(rows)
    fresh = (f"n{number}" for number in itertools.count())
    swaps: dict[str, str] = {}
    wanted: list[Row] = []
    for row in split(rows):
        action = draw(st.sampled_from(["keep", "keep", "keep", "drop", "widen", "replace", "absent", "wrong"]))
        if action == "widen" and row.type in ("mirror", "disk") and row.vdev_class not in ("cache", "spare"):
            wanted.append(Row(row.vdev_class, "mirror", (*row.disks, next(fresh))))
        elif action == "replace":
            old, new = row.disks[0], next(fresh)
            swaps[old] = new
            wanted.append(replace(row, disks=(new, *row.disks[1:])))
        elif action == "absent" and row.vdev_class != "normal":
            wanted.append(replace(row, state="absent"))
        elif action == "wrong":
            wanted.append(replace(row, disks=(*row.disks[1:], next(fresh))))
        elif action != "drop":
            wanted.append(row)
    if draw(st.booleans()):
        like = draw(st.sampled_from(split(rows)))
        wanted.append(replace(like, disks=tuple(next(fresh) for _disk in like.disks)))
    if draw(st.booleans()):
        wanted.append(Row(draw(st.sampled_from(CLASSES)), "disk", (next(fresh),)))
    assume(wanted)
    return pool, merged(wanted), swaps


@given(layouts())
def test_what_is_there_is_no_change(rows: Rows) -> None:
    pool = pool_of(rows)
    plan = planned(pool, pool.layout, {})
    assert pool.layout == rows
    assert (plan.changes, plan.problems, plan.unmet) == ((), (), ())
    assert plan.after == rows


@given(growths())
def test_what_is_done_is_not_planned_again(asked: tuple[PoolStatus, Rows, dict[str, str]]) -> None:
    pool, wanted, swaps = asked
    plan = planned(pool, wanted, swaps)
    if plan.problems:
        assert not plan.changes
        return
    now = after_all(pool, plan.changes)
    assert now.layout == plan.after
    again = planned(now, wanted, swaps)
    assert (again.changes, again.problems) == ((), ())
    assert again.unmet == plan.unmet or set(again.unmet) <= set(plan.unmet)


@given(growths())
def test_no_plan_makes_a_pool_weaker(asked: tuple[PoolStatus, Rows, dict[str, str]]) -> None:
    pool, wanted, swaps = asked
    plan = planned(pool, wanted, swaps)
    for change in plan.changes:
        before = redundancy(pool)
        widths = {disk for leaf_ in pool.leaves for disk in [leaf_.disk]}
        pool = done(pool, change)
        assert redundancy(pool) >= before, change.described
        if change.verb in (ADD, ATTACH):
            assert widths < {leaf_.disk for leaf_ in pool.leaves}, "growing takes nothing away"


@given(growths())
def test_nothing_goes_unasked(asked: tuple[PoolStatus, Rows, dict[str, str]]) -> None:
    pool, wanted, swaps = asked
    named = {disk for row in wanted if row.state == "absent" for disk in row.disks} | set(swaps)
    plan = planned(pool, wanted, swaps)
    now = after_all(pool, plan.changes)
    gone = {one.disk for one in pool.leaves} - {one.disk for one in now.leaves}
    assert gone <= named
    for change in plan.changes:
        takes_away = change.verb in (REMOVE, REPLACE)
        for_good = change.verb == ADD and any(row.vdev_class in DATA for row in change.rows)
        assert bool(change.loses) == (takes_away or for_good)


SICK = st.sampled_from(["REMOVED", "OFFLINE", "FAULTED", "UNAVAIL", "resilvering", "replacing", "spare", "moving"])


def sickened(pool: PoolStatus, what: str, number: int) -> PoolStatus:
    """The pool with something wrong with one of its disks."""
    if what == "resilvering":
        return replace(pool, scan=Scan("resilver", "scanning", 1))
    if what == "moving":
        return replace(pool, moving="a removal")
    top = pool.vdevs["normal"][number % len(pool.vdevs["normal"])]
    old = top.leaves[0]
    if what in ("replacing", "spare"):
        stand_in = f"s{number}"
        bad: Vdev = Vdev(
            f"{what}-0", what, "DEGRADED", guid(), children=(replace(old, state="UNAVAIL"), leaf(stand_in))
        )
    else:
        bad = replace(old, state=what)
    mended = replace(top, state="DEGRADED", children=tuple(bad if one is old else one for one in top.children))
    normal = tuple((mended if top.children else bad) if one is top else one for one in pool.vdevs["normal"])
    return replace(pool, state="DEGRADED", vdevs={**pool.vdevs, "normal": normal})


@given(growths(), SICK, st.integers(0, 5))
def test_nothing_is_planned_while_a_pool_is_sick(
    asked: tuple[PoolStatus, Rows, dict[str, str]], what: str, number: int
) -> None:
    pool, wanted, swaps = asked
    sick = sickened(pool, what, number)
    assert sickness(sick)
    plan = planned(sick, wanted, swaps)
    assert plan.changes == ()
    sound = planned(pool, wanted, swaps)
    # A vdev that is being removed is there until that is over: whoever asks for a removal meanwhile waits.
    asks = [one for one in sound.changes if what != "moving" or one.verb != REMOVE]
    assert bool(plan.problems) == bool(asks or sound.problems), "what is asked for is refused, nothing else is"
    assert all("sound again" in text for text in plan.problems)


@given(layouts(), SICK, st.integers(0, 5))
def test_an_unchanged_declaration_of_a_sick_pool_plans_nothing(rows: Rows, what: str, number: int) -> None:
    sick = sickened(pool_of(rows), what, number)
    plan = planned(sick, rows, {})
    assert (plan.changes, plan.problems) == ((), ())
    assert plan.unmet and "nothing about its layout is planned" in plan.unmet[0]


# -- cases ---------------------------------------------------------------------------------------------------------


def rows(*given_rows: dict[str, Any]) -> Rows:
    canonical = FORM.canonical(list(given_rows))
    assert canonical is not None
    return canonical


MIRRORS = rows({"type": "mirror", "disks": ["scsi-1", "scsi-2"]}, {"type": "mirror", "disks": ["scsi-3", "scsi-4"]})


def test_a_third_disk_is_attached_and_a_third_mirror_added() -> None:
    wanted = rows(
        {"type": "mirror", "disks": ["scsi-1", "scsi-2", "scsi-9"]},
        {"type": "mirror", "disks": ["scsi-3", "scsi-4"]},
        {"type": "mirror", "disks": ["scsi-5", "scsi-6"], "class": "log"},
        {"class": "spare", "disks": ["scsi-7"]},
    )
    plan = planned(pool_of(MIRRORS), wanted, {})
    assert [change.described for change in plan.changes] == [
        "attach scsi-9 to scsi-1",
        "add log mirror of scsi-5, scsi-6",
        "add spare disk of scsi-7",
    ]
    assert not any(change.loses for change in plan.changes), "all of that can be taken back"
    assert plan.changes[1].argv("tank", 12) == (
        *("zpool", "add", "-o", "ashift=12", "tank", "log", "mirror"),
        *("/dev/disk/by-id/scsi-5", "/dev/disk/by-id/scsi-6"),
    )


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ([{"type": "mirror", "disks": ["scsi-1", "scsi-9"]}], "replace: {scsi-2: scsi-9}"),
        ([{"type": "mirror", "disks": ["scsi-1", "scsi-3"]}], "cannot be joined"),
        ([{"type": "raidz1", "disks": ["scsi-1", "scsi-2"]}], "can never become raidz1"),
        ([{"class": "cache", "disks": ["scsi-1"]}], "belongs to the normal vdevs"),
        ([{"disks": ["scsi-9"]}], "the weaker would decide"),
        ([{"disks": ["scsi-1"]}], "nothing is detached"),
        ([{"type": "mirror", "disks": ["scsi-5", "scsi-6", "scsi-7"]}], "not forced"),
    ],
)
def test_what_cannot_be_is_refused(wanted: list[dict[str, Any]], told: str) -> None:
    plan = planned(pool_of(MIRRORS), rows(*wanted), {})
    assert not plan.changes
    assert any(told in text for text in plan.problems), plan.problems


def test_what_is_not_listed_stays_and_is_told() -> None:
    pool = pool_of(merged([*MIRRORS, Row("spare", "disk", ("scsi-7",)), Row("cache", "disk", ("scsi-8",))]))
    plan = planned(pool, rows({"type": "mirror", "disks": ["scsi-1", "scsi-2"]}), {})
    assert not plan.changes and not plan.problems
    assert plan.after == pool.layout
    assert [name for name in ("scsi-3", "scsi-7", "scsi-8") if any(name in text for text in plan.unmet)] == [
        "scsi-3", "scsi-7", "scsi-8",
    ]  # fmt: skip


def test_a_special_vdev_cannot_leave_a_raidz_pool() -> None:
    pool = pool_of(merged([Row("normal", "raidz1", ("a", "b", "c")), Row("special", "mirror", ("d", "e"))]))
    plan = planned(pool, (Row("special", "mirror", ("d", "e"), state="absent"),), {})
    assert not plan.changes and "ZFS has no way" in plan.problems[0]


def test_replacing_by_the_number_of_the_vdev() -> None:
    pool = pool_of(MIRRORS)
    number = pool.vdevs["normal"][0].children[1].guid
    plan = planned(pool, None, {number: "scsi-9"})
    assert [change.argv("tank") for change in plan.changes] == [
        ("zpool", "replace", "tank", number, "/dev/disk/by-id/scsi-9")
    ]
    assert plan.changes[0].loses
    assert planned(after_all(pool, plan.changes), None, {number: "scsi-9"}).changes == ()


def test_a_disk_that_is_elsewhere_in_the_pool_takes_nobody_s_place() -> None:
    pool = pool_of(merged([*MIRRORS, Row("spare", "disk", ("scsi-7",))]))
    for new, where in (("scsi-7", "spare"), ("scsi-3", "mirror-1")):
        plan = planned(pool, None, {"scsi-2": new})
        assert not plan.changes and where in plan.problems[0], "nothing happens, and that is said"


def test_a_removal_that_goes_on_is_waited_for() -> None:
    whole = merged([*MIRRORS, Row("special", "mirror", ("a", "b"))])
    pool = replace(pool_of(whole), moving="a removal")
    plan = planned(pool, (Row("special", "mirror", ("a", "b"), state="absent"),), {})
    assert (plan.changes, plan.problems) == ((), ())
    assert any("waits for the removal" in text for text in plan.unmet)


def test_a_replacement_under_way_is_not_planned_again() -> None:
    pool = sickened(pool_of(MIRRORS), "replacing", 0)
    old, new = pool.vdevs["normal"][0].slots[0].disk, pool.vdevs["normal"][0].slots[0].others[0]
    listed = tuple(replace(row, disks=tuple(new if disk == old else disk for disk in row.disks)) for row in MIRRORS)
    plan = planned(pool, listed, {old: new})
    assert (plan.changes, plan.problems) == ((), ())


def test_a_sick_pool_says_how_to_mend_it_by_hand() -> None:
    pool = sickened(pool_of(MIRRORS), "REMOVED", 0)
    old = pool.vdevs["normal"][0].children[0]
    plan = planned(pool, None, {old.disk: "scsi-9"})
    assert f"zpool replace tank {old.disk} /dev/disk/by-id/scsi-9" in plan.problems[0]


# -- how a layout is written ---------------------------------------------------------------------------------------


@given(layouts())
def test_a_layout_is_the_same_however_it_is_written(whole: Rows) -> None:
    shown = FORM.shown(whole)
    assert FORM.canonical(shown) == whole == FORM.canonical(whole)
    backwards = [{**row, "disks": [f"/dev/disk/by-id/{disk}" for disk in row["disks"][::-1]]} for row in shown[::-1]]
    assert FORM.canonical(backwards) == whole


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"disks": ["/dev/sdb"]}, "another disk after the next boot"),
        ({"disks": ["sdb"]}, "another disk after the next boot"),
        ({"disks": ["nvme0n1"]}, "another disk after the next boot"),
        ({"disks": ["/dev/disk/by-path/x"]}, "no name below /dev/disk/by-id"),
        ({"disks": []}, "has no disks"),
        ({"disks": ["a", "b"]}, "need a type"),
        ({"type": "mirror", "disks": ["a"]}, "at least 2"),
        ({"type": "raidz2", "disks": ["a", "b"]}, "at least 3"),
        ({"type": "draid1", "draid_data": 4, "disks": ["a", "b"]}, "at least 5"),
        ({"type": "mirror", "disks": ["a", "a"]}, "in two places"),
        ({"type": "mirror", "class": "cache", "disks": ["a", "b"]}, "made of disk"),
        ({"type": "raidz1", "class": "log", "disks": ["a", "b"]}, "disk or mirror"),
        ({"type": "mirror", "draid_data": 2, "disks": ["a", "b"]}, "for draid"),
        ({"disks": ["a"], "state": "absent"}, "never removed"),
        ({"class": "hot", "disks": ["a"]}, "none of normal"),
    ],
)
def test_a_layout_that_makes_no_sense(row: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FORM.canonical([row])


def test_one_disk_in_two_vdevs() -> None:
    with pytest.raises(ValueError, match="two places"):
        FORM.canonical([{"type": "mirror", "disks": ["a", "b"]}, {"class": "log", "disks": ["/dev/disk/by-id/b"]}])


def test_disks_that_stand_alone_come_before_what_would_swallow_them() -> None:
    whole = rows(
        {"type": "mirror", "class": "log", "disks": ["scsi-3", "scsi-4"]},
        {"class": "log", "disks": ["scsi-5"]},
        {"disks": ["scsi-1"]},
    )
    prefix = "/dev/disk/by-id/scsi-"
    assert command_words(whole) == [
        f"{prefix}1", "log", f"{prefix}5", "mirror", f"{prefix}3", f"{prefix}4",
    ]  # fmt: skip


def test_a_checkpoint_stands_in_the_way_of_what_zfs_would_refuse() -> None:
    pool = replace(pool_of(FORM.canonical([{"type": "disk", "disks": ["a"]}, CACHED])), checkpoint=True)
    wanted = [
        [{"type": "mirror", "disks": ["a", "b"]}, CACHED],
        [{"type": "disk", "disks": ["a"]}, {**CACHED, "state": "absent"}],
    ]
    for layout in wanted:
        plan = planned(pool, FORM.canonical(layout), {})
        assert not plan.changes and "zpool checkpoint -d tank" in plan.problems[0]
    assert planned(pool, None, {"a": "b"}).problems
    assert not planned(pool, pool.layout, {}).problems
    grown = FORM.canonical([{"type": "disk", "disks": ["a", "b"]}, CACHED])
    assert [one.verb for one in planned(pool, grown, {}).changes] == [ADD], "ZFS adds vdevs all the same"
