# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned for snapshot policies, by a command line of ZFS that is a model, and a clock that is ours."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing, InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Pool, Property, Snapshot
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.retention import DAY, HOUR, PERIODS
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import (
    PROPERTY,
    REPLICA,
    SNAPSHOTS,
    decoded,
    encoded,
    period_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import SnapshotBackend

# 2026-11-22T08:25:00Z
NOW = 1795335900


@dataclass
class Zfs:
    """A host's datasets with what is set at them, their snapshots, and its clock."""

    datasets: dict[str, dict[str, str]]
    clock: int = NOW
    made: list[Snapshot] = field(default_factory=list)
    writes: int = 0
    order: int = 0

    def properties(self, names):
        return {
            name: {
                prop: Property(value, "local" if above == name else f"inherited from {above}")
                for above in sorted(self.datasets)
                if name == above or name.startswith(f"{above}/")
                for prop, value in self.datasets[above].items()
            }
            for name in (self.datasets if names is None else names)
            if name in self.datasets
        }

    def pools(self):
        return {"tank": Pool("tank", "ONLINE")}

    def now(self):
        return self.clock

    def snapshots(self, name, *, recursive):
        return [one for one in self.made if one.dataset == name or (recursive and one.dataset.startswith(f"{name}/"))]

    def marks(self, name, props):
        return {
            one: {prop: value for prop, value in own.items() if prop in props}
            for one, own in self.datasets.items()
            if one == name or one.startswith(f"{name}/")
        }

    def write(self, argv):
        self.writes += 1
        _zfs, verb, *words = argv
        if verb == "set":
            prop, _equals, value = words[0].partition("=")
            self.datasets[words[1]][prop] = value
        elif verb == "inherit":
            self.datasets[words[1]].pop(words[0], None)
        elif verb == "snapshot":
            self.order += 1
            for full in words[1:] if words[0] == "-r" else words:
                base, _at, short = full.partition("@")
                below = [one for one in self.datasets if one == base or one.startswith(f"{base}/")]
                for one in below if words[0] == "-r" else [base]:
                    assert f"{one}@{short}" not in {snap.name for snap in self.made}
                    self.made.append(Snapshot(f"{one}@{short}", str(self.order), self.clock, self.order))
        elif verb == "destroy":
            base, _at, shorts = words[0].partition("@")
            for short in shorts.split(","):
                (found,) = [one for one in self.made if one.name == f"{base}@{short}"]
                assert not found.holds and not found.clones
                self.made.remove(found)
        else:
            raise AssertionError(argv)
        return ()

    def take(self, full, *, back=0, **more):
        """What somebody else did."""
        self.order += 1
        self.made.append(Snapshot(full, str(self.order), self.clock - back, self.order, **more))

    @property
    def names(self):
        return [one.name for one in self.made]


def planned(zfs, *config, **params):
    backend = SnapshotBackend(zfs)
    declared = backend.resolve(SNAPSHOTS, SNAPSHOTS.declare({"config": list(config), **params}))
    plan = SNAPSHOTS.plan(backend.observe(SNAPSHOTS, declared.keys, ()), declared)
    consent.require(plan, declared.allow)
    problems = backend.precheck(SNAPSHOTS, plan, declared)
    if problems:
        raise InvalidInput("; ".join(problems))
    return plan


def run(zfs, *config, **params):
    plan = planned(zfs, *config, **params)
    for step in plan:
        for command in SNAPSHOTS.commands(step):
            zfs.write(command.argv)
    assert not planned(zfs, *config, **params), "a second run has something to do"
    return [step.line for step in plan]


HOURS = {"dataset": "tank/a", "prefix": "auto", "hourly": 3, "daily": 2}


def test_what_is_due_is_taken_once_an_hour_and_the_rest_pruned():
    zfs = Zfs({"tank/a": {}})
    assert run(zfs, HOURS) == [
        "create snapshot policy tank/a/auto",
        "take snapshot tank/a/auto: tank/a@auto-2026-11-22T08Z",
    ]
    assert zfs.datasets["tank/a"] == {f"{PROPERTY}auto": "hourly=3,daily=2"}
    for _hour in range(3):
        zfs.clock += HOUR
        last = run(zfs, HOURS)
    assert last == [
        "take snapshot tank/a/auto: tank/a@auto-2026-11-22T11Z",
        "destroy snapshot tank/a/auto: tank/a@auto-2026-11-22T08Z",
    ]
    zfs.clock += DAY
    run(zfs, HOURS)
    days = ["22T09Z", "22T10Z", "22T11Z", "23T11Z"]
    assert zfs.names == [f"tank/a@auto-2026-11-{day}" for day in days[1:]]


def test_two_weeks_by_the_hour():
    zfs = Zfs({"tank/a": {}})
    policy = {"dataset": "tank/a", "prefix": "auto", "hourly": 24, "daily": 7, "weekly": 4}
    for _hour in range(24 * 15):
        run(zfs, policy)
        zfs.clock += HOUR
    # It ends on a Monday at 07: 24 hours, five days that are not among them, two Sundays that are neither.
    assert len(zfs.made) == 24 + 5 + 2
    assert not any(len(name) > 40 for name in zfs.names)


def test_foreign_ones_held_ones_and_clones_stay():
    zfs = Zfs({"tank/a": {}})
    zfs.take("tank/a@by-hand", back=90 * DAY)
    zfs.take("tank/a@auto-before-upgrade", back=90 * DAY)
    zfs.take("tank/a@automatic-2020-01-01", back=90 * DAY)
    zfs.take("tank/a@auto-2026-01-01T01Z", back=80 * DAY, holds=1)
    zfs.take("tank/a@auto-2026-01-01T02Z", back=79 * DAY, clones=("tank/clone",))
    before = list(zfs.names)
    zfs.take("tank/a@auto-2026-01-01T03Z", back=78 * DAY)
    lines = run(zfs, {"dataset": "tank/a", "prefix": "auto", "hourly": 1})
    assert lines[-1] == "destroy snapshot tank/a/auto: tank/a@auto-2026-01-01T03Z"
    assert zfs.names == [*before, "tank/a@auto-2026-11-22T08Z"]


def test_all_below_in_one_moment():
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}, "tank/a/b/c": {}, "tank/ab": {}})
    lines = run(zfs, {**HOURS, "recursive": True})
    assert lines[-1] == "take snapshot tank/a/auto: tank/a@auto-2026-11-22T08Z and 2 datasets below"
    assert zfs.names == [f"{one}@auto-2026-11-22T08Z" for one in ("tank/a", "tank/a/b", "tank/a/b/c")]
    assert {one.order for one in zfs.made} == {1}
    for _hour in range(4):
        zfs.clock += HOUR
        lines = run(zfs, {"dataset": "tank/a", "prefix": "auto"})
    assert lines[-1].count("@auto-2026-11-22T09Z") == 3


def test_what_is_nearer_to_another_policy_or_received_is_left_out():
    zfs = Zfs({"tank": {}, "tank/a": {}, "tank/a/b": {}, "tank/r": {REPLICA: "other"}, "tank/r/s": {}, "tank/z": {}})
    own = {"dataset": "tank/a", "prefix": "auto", "daily": 5, "recursive": True}
    whole = {"dataset": "tank", "prefix": "auto", "hourly": 2, "recursive": True}
    run(zfs, whole, own)
    taken = ["tank@auto-2026-11-22T08Z", "tank/z@auto-2026-11-22T08Z"]
    assert zfs.names == [*taken, "tank/a@auto-2026-11-22", "tank/a/b@auto-2026-11-22"]
    # Later each by itself: the policies are at the datasets.
    zfs.clock += HOUR
    assert run(zfs, {"dataset": "tank", "prefix": "auto"}) == [
        "take snapshot tank/auto: tank@auto-2026-11-22T09Z and 1 datasets below"
    ]
    # Another prefix is another matter.
    assert len(run(zfs, {"dataset": "tank", "prefix": "other", "yearly": 1, "recursive": True})) == 2
    assert "tank/a/b@other-2026" in zfs.names and "tank/r/s@other-2026" not in zfs.names


def test_a_replica_is_pruned_and_never_taken_a_snapshot_of():
    zfs = Zfs({"tank/r": {REPLICA: "elsewhere"}, "tank/r/s": {}})
    for back in range(5):
        zfs.take(f"tank/r@auto-2026-11-{21 - back}", back=(back + 1) * DAY)
    for refused in ({"daily": 2}, {"daily": 2, "take": False, "names": ["now"]}):
        with pytest.raises(InvalidInput, match="receiver of a replication"):
            planned(zfs, {"dataset": "tank/r", "prefix": "auto", **refused})
    with pytest.raises(InvalidInput, match="receiver of a replication"):
        planned(zfs, {"dataset": "tank/r/s", "prefix": "auto", "daily": 2})
    run(zfs, {"dataset": "tank/r", "prefix": "auto", "daily": 2, "take": False})
    # The newest is the one that was received last, whatever its time says.
    assert zfs.names == ["tank/r@auto-2026-11-21", "tank/r@auto-2026-11-20", "tank/r@auto-2026-11-17"]


def test_names_are_taken_once_and_kept():
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}})
    item = {"dataset": "tank/a", "prefix": "upgrade", "names": ["before-upgrade"], "recursive": True}
    assert run(zfs, item)[-1].startswith("take snapshot tank/a/upgrade: tank/a@before-upgrade and 1")
    zfs.clock += 900 * DAY
    assert run(zfs, item, HOURS)[-1].endswith("Z")
    assert {"tank/a@before-upgrade", "tank/a/b@before-upgrade"} <= set(zfs.names)


def test_gone_with_all_its_snapshots_and_no_others():
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}, "tank/a/r": {REPLICA: "elsewhere"}})
    run(zfs, {**HOURS, "recursive": True, "names": ["before"]}, {"dataset": "tank/a", "prefix": "other", "yearly": 1})
    zfs.take("tank/a/r@auto-2026-11-22T08Z")
    gone = {"dataset": "tank/a", "prefix": "auto"}
    with pytest.raises(ConsentMissing, match=r"its 2 snapshots .*1 of tank/a; 1 of tank/a/b.* destroy_snapshot:tank"):
        planned(zfs, gone, state="absent")
    lines = run(zfs, gone, state="absent", allow=["destroy_snapshot:tank/a@auto"])
    assert [line.split()[0] for line in lines] == ["destroy", "delete"]
    assert sorted(zfs.names) == [
        *("tank/a/b@before", "tank/a/r@auto-2026-11-22T08Z", "tank/a@before", "tank/a@other-2026"),
    ]
    assert not any(prop.endswith("auto") for prop in zfs.datasets["tank/a"])


def test_what_was_taken_by_name_below_goes_below_as_well():
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}, "tank/a/r": {REPLICA: "elsewhere"}, "tank/a/z": {}})
    item = {"dataset": "tank/a", "prefix": "upgrade", "names": ["before", "later"], "recursive": True}
    run(zfs, item)
    zfs.take("tank/a/r@before")
    gone = {"dataset": "tank/a", "prefix": "upgrade", "names": ["before"]}
    with pytest.raises(ConsentMissing, match=r"at tank/a; tank/a/b; tank/a/z.* destroy_snapshot:tank/a@before"):
        planned(zfs, gone, state="absent")
    # Somebody has destroyed the one at the top already.
    zfs.made = [one for one in zfs.made if one.name != "tank/a@before"]
    run(zfs, gone, state="absent", allow=["destroy_snapshot:tank/a@before"])
    assert [name for name in zfs.names if name.endswith("@before")] == ["tank/a/r@before"]
    assert len([name for name in zfs.names if name.endswith("@later")]) == 3


def test_without_recursion_what_is_below_stays():
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}})
    for name in ("tank/a@before", "tank/a/b@before"):
        zfs.take(name)
    gone = {"dataset": "tank/a", "prefix": "upgrade", "names": ["before"]}
    run(zfs, gone, state="absent", allow=["destroy_snapshot:tank/a@before"])
    assert zfs.names == ["tank/a/b@before"]


def test_a_full_pool_gets_room_before_a_snapshot_is_taken():
    """What goes whether or not the coming one is there is not kept back by its failing."""
    zfs = Zfs({"tank/a": {}})
    for back in range(6, 0, -1):
        zfs.take(f"tank/a@auto-2026-11-22T0{8 - back}Z", back=back * HOUR)
    lines = run(zfs, {"dataset": "tank/a", "prefix": "auto", "hourly": 3})
    assert [line.partition(" ")[0] for line in lines] == ["create", "destroy", "take", "destroy"]
    assert [lines[1].count("@"), lines[3].count("@")] == [3, 1]
    assert zfs.names == [f"tank/a@auto-2026-11-22T0{hour}Z" for hour in (6, 7, 8)]


def test_what_is_held_is_named_when_it_should_go():
    zfs = Zfs({"tank/a": {f"{PROPERTY}auto": "daily=1"}})
    zfs.take("tank/a@auto-2026-01-01", holds=1)
    with pytest.raises(InvalidInput, match=r"tank/a@auto-2026-01-01: it is held"):
        planned(zfs, {"dataset": "tank/a", "prefix": "auto"}, state="absent", allow=["destroy_snapshot:tank/a@auto"])


def test_a_dataset_that_is_not_there_is_said():
    with pytest.raises(InvalidInput, match="tank/a: there is no such dataset"):
        planned(Zfs({}), HOURS)
    assert not planned(Zfs({}), HOURS, state="absent")


def test_a_day_that_begins_while_it_runs_changes_nothing_of_the_plan():
    """Planned a second before midnight, taken a second after it: what was planned is all there is to do."""
    zfs = Zfs({"tank/a": {}}, clock=NOW - NOW % DAY - 1)
    for back in range(1, 6):
        zfs.take(f"tank/a@auto-2026-11-{21 - back}", back=back * DAY)
    zfs.made.reverse()
    backend = SnapshotBackend(zfs)
    item = {"dataset": "tank/a", "prefix": "auto", "daily": 3}
    declared = backend.resolve(SNAPSHOTS, SNAPSHOTS.declare({"config": [item]}))
    for step in SNAPSHOTS.plan(backend.observe(SNAPSHOTS, declared.keys, ()), declared):
        zfs.clock += 2
        for command in SNAPSHOTS.commands(step):
            zfs.write(command.argv)
    assert not SNAPSHOTS.plan(backend.observe(SNAPSHOTS, declared.keys, ()), declared)


def test_a_clock_that_is_wrong_is_told():
    zfs = Zfs({"tank/a": {}})
    run(zfs, HOURS)
    zfs.clock -= 400 * DAY
    backend = SnapshotBackend(zfs)
    found = backend.observe(SNAPSHOTS, {("tank/a", "auto")}, ())
    (unmet,) = SNAPSHOTS.unmet(found)
    assert "2026-11-22T08:25:00Z" in unmet.text and "2025-10-18T08:25:00Z" in unmet.text
    run(zfs, HOURS)
    assert "tank/a@auto-2026-11-22T08Z" in zfs.names


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"prefix": "auto"}, "the policy would keep nothing"),
        ({"prefix": "Auto", "daily": 1}, "prefix: 'Auto'"),
        ({"prefix": "a/b", "daily": 1}, "prefix: 'a/b'"),
        ({"prefix": "auto", "daily": -1}, "daily: -1 is not a number of snapshots"),
        ({"prefix": "auto", "hourly": 10**9}, "hourly: 1000000000"),
        ({"prefix": "auto", "names": ["a@b"]}, "names: 'a@b'"),
        ({"prefix": "auto", "names": ["-r"]}, "names: '-r'"),
        ({"prefix": "auto", "names": ["auto-2026"]}, "looks like one of the policy's own"),
        ({"prefix": "auto", "daily": 1, "dataset": "tank/a@b"}, "dataset: 'tank/a@b' is no name"),
    ],
)
def test_bad_input_names_the_option(item, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        planned(Zfs({"tank/a": {}}), {"dataset": "tank/a", **item})


@pytest.mark.parametrize("period", ["2026-11-22T08Z", "2026-11-22", "2026-W47", "2026-11", "2026"])
def test_a_policys_own_are_known_by_their_names(period):
    assert period_of(f"auto-{period}", "auto") == period
    for other in (f"auto2-{period}", f"auto-{period}x", f"auto-x{period}", period, f"auto_{period}", "auto-"):
        assert period_of(other, "auto") == ""


STATES = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.integers(1, 100000) for name in PERIODS},
        "recursive": st.just(True),
        "take": st.just(False),
    },
)


@given(STATES)
def test_a_policy_is_read_as_it_was_written(state):
    assert decoded(encoded(state)) == state


@given(st.text(max_size=60))
def test_whatever_is_in_the_property_is_no_error(text):
    assert set(decoded(text)) <= {*PERIODS, "recursive", "take"}


@given(
    st.lists(st.integers(0, 60 * 24 * 20), max_size=12),
    st.fixed_dictionaries({name: st.integers(0, 4) for name in PERIODS}).filter(lambda one: any(one.values())),
    st.booleans(),
)
def test_running_at_any_times_never_fails_and_rests(minutes, counts, recursive):
    """Whenever it runs, even with a clock that goes back, a second run has nothing to do, and the newest stays."""
    zfs = Zfs({"tank/a": {}, "tank/a/b": {}})
    policy = {"dataset": "tank/a", "prefix": "auto", "recursive": recursive, **counts}
    for minute in minutes:
        zfs.clock = NOW + minute * 60
        before = zfs.made[-1:]
        lines = run(zfs, policy)
        taken = any(line.startswith("take") for line in lines)
        # One that was taken by a clock that went wrong is the newest all the same.
        assert zfs.made[-1].created == zfs.clock if taken else zfs.made[-1:] == before
