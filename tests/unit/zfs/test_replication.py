# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a replication does, in a model of ZFS at both ends: nothing is lost unasked, and the newest always arrives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.remote import SecureShell, runner_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Snapshot
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication import (
    Abandon,
    End,
    Hold,
    Pair,
    Protect,
    RollBack,
    Send,
    Token,
    Wanted,
    common,
    tag,
    work,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_backend import (
    receiver_name,
    receiving,
    sending,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_operation import (
    REPLICATION,
    Progress,
    thing,
)

SOURCE, TARGET = "tank/data", "vault/copy"
NOW = 1_800_000_000


class Refused(Exception):
    """ZFS would say no."""


class Cut(Exception):
    """The connection broke."""


@dataclass
class Dataset:
    """One end as ZFS keeps it: (name, GUID) in order, and what hangs on them."""

    name: str
    snapshots: list[tuple[str, int]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)
    others_hold: set[str] = field(default_factory=set)
    exists: bool = True
    written: int = 0
    readonly: bool = True
    partial: tuple[str, int] | None = None
    destroyed: list[int] = field(default_factory=list)

    def end(self) -> End:
        rows = tuple(
            Snapshot(f"{self.name}@{name}", str(guid), NOW - 1000 + order, order, self._holds(name))
            for order, (name, guid) in enumerate(self.snapshots)
        )
        token = "token" if self.partial else ""
        return End(
            self.name,
            exists=self.exists,
            snapshots=rows,
            held=frozenset(self.held),
            written=self.written,
            readonly=self.readonly,
            token=token,
        )

    def _holds(self, name: str) -> int:
        return (name in self.held) + (name in self.others_hold)

    def guid(self, name: str) -> int:
        return dict(self.snapshots)[name]


@dataclass
class World:
    source: Dataset
    target: Dataset
    # How many transfers get through before one is cut off; None: all.
    survive: int | None = None
    resumable: bool = True

    def pair(self) -> Pair:
        token = None
        if self.target.partial:
            name, guid = self.target.partial
            usable = (name, guid) in self.source.snapshots
            token = Token(f"{self.source.name}@{name}", str(guid), usable)
        return Pair(self.source.end(), self.target.end(), token)

    def carry_out(self, tasks) -> None:
        for task in tasks:
            self.do(task)

    def do(self, task) -> None:
        target = self.target
        if isinstance(task, Send):
            self.receive(task)
        elif isinstance(task, Abandon):
            if target.partial is None:
                raise Refused("no such state")
            target.partial = None
            target.exists = bool(target.snapshots)
        elif isinstance(task, RollBack):
            assert target.partial is None
            short = task.snapshot.partition("@")[2]
            while target.snapshots[-1][0] != short:
                name, guid = target.snapshots.pop()
                if name in target.held | target.others_hold:
                    raise Refused("held")
                target.destroyed.append(guid)
            target.written = 0
        elif isinstance(task, Protect):
            target.readonly = True
        else:
            end = self.source if task.sender else target
            for full in task.snapshots:
                dataset, _at, short = full.partition("@")
                if dataset != end.name or short not in dict(end.snapshots):
                    raise Refused(f"no {full}")
                if isinstance(task, Hold):
                    if short in end.held:
                        raise Refused("tag already exists")
                    end.held.add(short)
                else:
                    if short not in end.held:
                        raise Refused("no such tag")
                    end.held.remove(short)

    def receive(self, task: Send) -> None:
        target = self.target
        short = task.snapshot.partition("@")[2]
        guid = self.source.guid(short)
        assert short in self.source.held, "pruning at the source could take it away in the middle"
        if task.token:
            if target.partial != (short, guid):
                raise Refused("another state")
        else:
            if target.partial is not None:
                raise Refused("partially-complete state")
            base = self.source.guid(task.base.partition("@")[2]) if task.base else None
            if target.exists and (not target.snapshots or target.snapshots[-1][1] != base):
                raise Refused("does not match incremental source")
            if not target.exists and base is not None:
                raise Refused("does not exist")
            if target.written:
                raise Refused("has been modified")
        if short in dict(target.snapshots):
            raise Refused("there is one of that name")
        target.exists = True
        if self.survive is not None:
            if self.survive == 0:
                self.survive = None
                target.partial = (short, guid) if self.resumable else None
                target.exists = bool(target.snapshots or target.partial)
                raise Cut
            self.survive -= 1
        target.partial = None
        target.snapshots.append((short, guid))


# --- tables


def world(source: str, target: str | None, **more) -> World:
    """Each letter is a snapshot, whose GUID it is; its name is the letter."""
    sender = Dataset(SOURCE, [(one, ord(one)) for one in source])
    receiver = Dataset(TARGET, [(one, ord(one)) for one in target or ""], exists=target is not None)
    for name, value in more.items():
        end = sender if name.startswith("source_") else receiver
        setattr(end, name.removeprefix("source_"), value)
    return World(sender, receiver)


def plan(one: World, allow=(), **params):
    given = {"source": SOURCE, "target": TARGET, **params}
    order = REPLICATION.order({**given, "allow": list(allow)})
    planned = REPLICATION.plan({(TARGET,): thing(one.pair(), NOW, Progress())}, order)
    consent.require(planned, order.allow)
    return planned


def shown(planned) -> str:
    return "; ".join(step.line for step in planned)


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (world("ab", None), "tank/data@a (full), tank/data@b (incremental)"),
        (world("abc", "a"), "tank/data@b (incremental), tank/data@c (incremental)"),
        (world("abc", "ab", source_held={"b"}, held={"b"}), "tank/data@c (incremental)"),
        (world("bc", "ab"), "tank/data@c (incremental)"),
        (world("ab", "ab"), "hold tank/data@b, hold vault/copy@b"),
        (world("ab", "ab", source_held={"a", "b"}, held={"b"}), "release tank/data@a"),
        (world("abc", "a", partial=("b", ord("b"))), "tank/data@b (resumed), tank/data@c (incremental)"),
        (world("ab", "", partial=("a", ord("a"))), "tank/data@a (resumed), tank/data@b (incremental)"),
        # What was begun is not at the source any more.
        (world("ac", "a", partial=("b", ord("b"))), "tank/data@c (incremental)"),
    ],
)
def test_what_is_sent(one, expected):
    assert shown(plan(one)).partition(": ")[2] == expected


def test_nothing_is_planned_where_nothing_is_to_be_done():
    rested = world("ab", "ab", source_held={"b"}, held={"b"})
    assert not plan(rested)
    behind = world("abc", "ab")
    assert not plan(behind, newer_than="24h")
    assert plan(behind, newer_than="1s")


def test_the_newest_alone():
    assert shown(plan(world("abcd", "a"), intermediates=False)).endswith(": tank/data@d (incremental)")
    begun = plan(world("abcd", "a", partial=("b", ord("b"))), intermediates=False)
    assert shown(begun).endswith(": tank/data@b (resumed), tank/data@d (incremental)")


def test_names_mean_nothing():
    renamed = World(Dataset(SOURCE, [("monday", 1), ("tuesday", 2)]), Dataset(TARGET, [("other", 1)]))
    (step,) = plan(renamed)
    (send,) = step.facts["work"].sends
    assert (send.base, send.snapshot) == ("tank/data@monday", "tank/data@tuesday")
    namesake = World(Dataset(SOURCE, [("monday", 1)]), Dataset(TARGET, [("monday", 2)]))
    with pytest.raises(InvalidInput, match="no snapshot in common"):
        plan(namesake)


@pytest.mark.parametrize(
    ("one", "loses"),
    [
        (world("ab", "ax"), "loses its @x"),
        (world("ab", "axy"), "loses its 2 newer snapshots (x; y)"),
        (world("ab", "a", written=4096), "4096 bytes that were written to it since @a"),
        (world("ab", "a", readonly=False), "whoever works on it is cut off"),
    ],
)
def test_a_receiver_that_went_its_own_way_is_left_alone_without_the_word(one, loses):
    with pytest.raises(ConsentMissing) as problem:
        plan(one)
    assert loses in str(problem.value) and f"rollback_receiver:{TARGET}" in str(problem.value)
    with pytest.raises(ConsentMissing):
        plan(one, allow=["rollback_receiver:vault/another"])
    one.carry_out(plan(one, allow=[f"rollback_receiver:{TARGET}"]).steps[0].facts["work"].tasks)
    assert one.target.snapshots == one.source.snapshots


@pytest.mark.parametrize(
    ("one", "complaint"),
    [
        (world("ab", "xy"), "no snapshot in common"),
        (world("ab", ""), "no snapshot in common"),
        (world("ab", "ax", others_hold={"x"}), "somebody holds"),
    ],
)
def test_what_is_refused_with_any_word(one, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        plan(one, allow=[f"rollback_receiver:{TARGET}"])


@pytest.mark.parametrize("name", ["tank/other@b", ""])
def test_a_part_of_somebody_elses_transfer_is_not_thrown_away(name):
    pair = replace(world("ab", "a", partial=("b", 1)).pair(), token=Token(name, "1", usable=True))
    with pytest.raises(InvalidInput, match=r"part of another transfer .* zfs receive -A vault/copy"):
        work(pair, Wanted())


def test_a_source_without_snapshots_is_said():
    one = world("", None)
    assert not plan(one)
    (unmet,) = REPLICATION.unmet({(TARGET,): thing(one.pair(), NOW, Progress())}, REPLICATION.order(PAIR))
    assert "tank/data has no snapshot" in unmet.text


def test_a_source_that_is_not_there_is_refused_and_in_check_mode_may_be_about_to_come():
    one = world("", None)
    one.source.exists = False
    planned = plan(one)
    assert shown(planned).endswith("tank/data (does not exist)")
    (problem,) = REPLICATION.problems(planned, {}, {})
    assert isinstance(problem, Missing) and "there is no such dataset" in problem


PAIR = {"source": SOURCE, "target": TARGET}


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({**PAIR, "source": "tank/a@s"}, "source: 'tank/a@s' is no name of a dataset"),
        ({**PAIR, "target": "vault"}, "target: 'vault' is a pool"),
        ({**PAIR, "target": SOURCE}, "lie in each other"),
        ({**PAIR, "target": f"{SOURCE}/copy"}, "lie in each other"),
        ({**PAIR, "target_host": "node2"}, "no address of a host"),
        ({**PAIR, "target_host": "ssh://-oProxyCommand=x"}, "no address of a host"),
        ({**PAIR, "bandwidth": "0"}, "bandwidth: at 0"),
        ({**PAIR, "bandwidth": "fast"}, "bandwidth: 'fast' is not a size"),
        ({**PAIR, "newer_than": "soon"}, "newer_than"),
    ],
)
def test_bad_input_names_the_option(params, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        REPLICATION.order(params)


def test_two_replications_of_one_source_hold_by_different_tags():
    addresses = ("", "ssh://root@node2", "ssh://root@node2:2222", "ssh://root@node3")
    shells = [runner if isinstance(runner, SecureShell) else None for runner in map(runner_of, addresses)]
    assert len({tag(receiver_name(shell, TARGET)) for shell in shells}) == 4
    # Another user is not another receiver: its hold would be nobody's.
    assert receiver_name(SecureShell("node2", "backup"), TARGET) == receiver_name(
        SecureShell("node2", "root", 22), TARGET
    )
    assert len(tag("x" * 400)) < 256


def seen(one: World, now: int = NOW, **params):
    """unmet and the recovery point, of one dataset."""
    things = {(TARGET,): thing(one.pair(), now, Progress())}
    order = REPLICATION.order({**PAIR, **params})
    return [unmet.text for unmet in REPLICATION.unmet(things, order)], REPLICATION.values(things, order)


# The snapshots of a World are from 1000 seconds before NOW on.
LONG_AGO = NOW - 400 * 86400


def test_a_snapshot_of_the_future_is_not_fresh():
    behind = world("abc", "ab")
    order = REPLICATION.order({**PAIR, "newer_than": "24h"})
    assert not REPLICATION.plan({(TARGET,): thing(behind.pair(), NOW, Progress())}, order)
    assert REPLICATION.plan({(TARGET,): thing(behind.pair(), LONG_AGO, Progress())}, order), "sent all the same"
    (text,), values = seen(world("ab", "ab"), LONG_AGO, newer_than="24h")
    assert "tank/data@b was taken at 2027-01-15T07:43:21Z" in text and "clocks is wrong" in text
    assert values["recovery_point"] == {"snapshot": "tank/data@b", "time": "2027-01-15T07:43:21Z", "age": None}
    # Hosts' clocks differ by seconds.
    texts, values = seen(world("ab", "ab"), NOW - 1010, newer_than="24h")
    assert not texts and values["recovery_point"]["age"] == 0


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=5), st.booleans())
def test_the_recovery_point_is_the_newest_whose_time_can_be(offsets, recent):
    one = world("abcde"[: len(offsets)], "abcde"[: len(offsets)])
    pair = one.pair()
    dated = tuple(replace(row, created=NOW + by) for row, by in zip(pair.source.snapshots, offsets, strict=True))
    pair = replace(pair, source=replace(pair.source, snapshots=dated))
    things = {(TARGET,): thing(pair, NOW, Progress())}
    order = REPLICATION.order({**PAIR, **({"newer_than": "10s"} if recent else {})})
    point = REPLICATION.values(things, order)["recovery_point"]
    past = [row for row, by in zip(dated, offsets, strict=True) if by <= 60]
    assert point["snapshot"] == (past[-1] if past else dated[-1]).name
    assert (point["age"] is None) == (not past) and (point["age"] or 0) >= 0
    told = any("clocks is wrong" in unmet.text for unmet in REPLICATION.unmet(things, order))
    assert told == (offsets[-1] > 60)


@pytest.mark.parametrize(
    ("one", "more", "said"),
    [
        (world("ab", "ab", readonly=False), {}, "vault/copy can be written to (readonly=off)"),
        (world("ab", "ab"), {"marked": False}, "vault/copy has lost its mark"),
    ],
)
def test_a_replica_that_is_none_is_told_while_there_is_nothing_to_send(one, more, said):
    pair = one.pair()
    pair = replace(pair, target=replace(pair.target, **more))
    (unmet,) = REPLICATION.unmet({(TARGET,): thing(pair, NOW, Progress())}, REPLICATION.order(PAIR))
    assert said in unmet.text


def test_a_hold_that_another_replication_left_is_told():
    pair = world("abc", "abc").pair()
    old = replace(pair.source.snapshots[0], created=NOW - 90 * 86400)
    held = (("a", "hospital.continuity:nas/vault/copy"), ("b", "hospital.continuity:node3/vault/copy"))
    pair = replace(pair, source=replace(pair.source, snapshots=(old, *pair.source.snapshots[1:]), foreign=held))
    (unmet,) = REPLICATION.unmet({(TARGET,): thing(pair, NOW, Progress())}, REPLICATION.order(PAIR))
    assert "89 days behind" in unmet.text
    assert unmet.text.endswith("zfs release hospital.continuity:nas/vault/copy tank/data@a")


@pytest.mark.parametrize(
    ("replica_of", "complaint"),
    [
        (SOURCE, "is a replica of tank/data and has no snapshot in common.* y; x.*the only copy"),
        ("tank/old", "is a replica of tank/old, has no snapshot in common with tank/data .* y; x"),
        ("", "exists and has no snapshot in common with tank/data .* y; x"),
    ],
)
def test_a_receiver_without_anything_in_common_is_told_for_what_it_is(replica_of, complaint):
    pair = world("ab", "xy").pair()
    pair = replace(pair, target=replace(pair.target, replica_of=replica_of))
    with pytest.raises(InvalidInput, match=complaint):
        work(pair, Wanted())


def test_a_name_that_is_taken_at_the_receiver_is_known_beforehand():
    one = World(Dataset(SOURCE, [("a", 1), ("daily", 3)]), Dataset(TARGET, [("daily", 9), ("a", 1)]))
    with pytest.raises(InvalidInput, match=r"vault/copy@daily, which the source has .*zfs rename"):
        plan(one)
    # One that is rolled back is not in the way.
    one = World(Dataset(SOURCE, [("a", 1), ("daily", 3)]), Dataset(TARGET, [("a", 1), ("daily", 9)]))
    one.carry_out(plan(one, allow=[f"rollback_receiver:{TARGET}"]).steps[0].facts["work"].tasks)
    assert one.target.snapshots == one.source.snapshots


def test_the_beginning_of_another_hosts_dataset_of_the_same_name_is_not_thrown_away():
    with pytest.raises(InvalidInput, match=r"beginning of tank/data@x, which this host does not have .* -A vault/copy"):
        plan(world("ab", "", partial=("x", 77)))


@pytest.mark.parametrize(
    ("raw", "encrypted", "root", "complaint"),
    [
        (None, False, "", "vault/copy: it came readable"),
        (True, False, "", "vault/copy: it came readable"),
        (False, False, "", ""),
        (False, True, "vault", ""),
        (False, True, TARGET, "vault/copy: it came as it is stored"),
        (None, True, TARGET, ""),
    ],
)
def test_raw_and_readable_are_not_mixed(raw, encrypted, root, complaint):
    pair = world("ab", "a").pair()
    target = replace(pair.target, encrypted=encrypted, encryption_root=root)
    pair = replace(pair, source=replace(pair.source, encrypted=True, encryption_root=SOURCE), target=target)
    order = REPLICATION.order({**PAIR, **({} if raw is None else {"raw": raw})})
    planned = REPLICATION.plan({(TARGET,): thing(pair, NOW, Progress())}, order)
    problems = REPLICATION.problems(planned, {}, {"vault": "filesystem"})
    assert [problem.partition(" (")[0] for problem in problems] == ([complaint] if complaint else [])


def test_raw_is_for_what_is_encrypted():
    secret = world("a", None)
    pair = secret.pair()
    pair = replace(pair, source=replace(pair.source, encrypted=True))
    assert [send.raw for send in work(pair, Wanted()).sends] == [True]
    assert [send.raw for send in work(pair, Wanted(raw=False)).sends] == [False]
    assert [send.raw for send in work(secret.pair(), Wanted()).sends] == [False]


@pytest.mark.parametrize(
    ("send", "argv"),
    [
        (Send("tank/a@s", "vault/a"), "zfs send -Lec tank/a@s"),
        (Send("tank/a@s", "vault/a", base="tank/a@r"), "zfs send -Lec -i tank/a@r tank/a@s"),
        (Send("tank/a@s", "vault/a", base="tank/a@r", raw=True), "zfs send -w -i tank/a@r tank/a@s"),
        (Send("tank/a@s", "vault/a", token="1-abc"), "zfs send -t 1-abc"),
    ],
)
def test_how_it_is_sent(send, argv):
    assert " ".join(sending(send)) == argv
    assert " ".join(receiving(send, "tank/a", resumable=True)) == "zfs receive -s -u vault/a"


def test_a_new_replica_is_read_only_and_not_mounted_by_itself():
    new = Send("tank/a@s", "vault/a", creates=True)
    marks = "-o readonly=on -o hospital.continuity:replica=tank/a"
    assert " ".join(receiving(new, "tank/a", resumable=False)) == f"zfs receive -u {marks} -o canmount=noauto vault/a"
    volume = replace(new, filesystem=False)
    assert " ".join(receiving(volume, "tank/a", resumable=True)) == f"zfs receive -s -u {marks} vault/a"


# --- what holds for all of them


@st.composite
def worlds(draw) -> World:
    """A past in which both ends agreed, and then each went on by itself, pruned, was cut off, or was worked on."""
    past = draw(st.integers(0, 4))
    history = [(f"s{n}", n) for n in range(past)]
    arrived = draw(st.integers(0, past))
    source = Dataset(SOURCE, history + [(f"s{n}", n) for n in range(past, past + draw(st.integers(0, 3)))])
    target = Dataset(TARGET, history[:arrived], exists=arrived > 0)
    names = [name for name, _guid in source.snapshots]
    if target.exists:
        own = draw(st.integers(0, 2))
        target.snapshots += [(f"own{n}", 1000 + n) for n in range(own)]
        target.written = draw(st.sampled_from([0, 0, 0, 512]))
        target.readonly = draw(st.sampled_from([True, True, False]))
        target.others_hold = set(
            draw(st.lists(st.sampled_from([name for name, _guid in target.snapshots]), max_size=1))
        )
        target.held = set(draw(st.lists(st.sampled_from([name for name, _guid in target.snapshots]), max_size=2)))
        gone = set(draw(st.lists(st.sampled_from([name for name, _guid in target.snapshots]), max_size=2)))
        target.snapshots = [one for one in target.snapshots if one[0] not in gone - target.held - target.others_hold]
    if names:
        source.held = set(draw(st.lists(st.sampled_from(names), max_size=2)))
        gone = set(draw(st.lists(st.sampled_from(names), max_size=2))) - source.held
        source.snapshots = [one for one in source.snapshots if one[0] not in gone]
    if not target.snapshots:
        # Without a snapshot, a dataset can only be one whose first transfer was cut off.
        target.exists, target.written, target.readonly = False, 0, True
    if draw(st.booleans()):
        target.partial = draw(st.sampled_from([*source.snapshots[-2:], ("gone", 999)]))
        target.exists = True
    return World(source, target)


WANTED = st.builds(Wanted, resume=st.booleans(), intermediates=st.booleans())


def done(one: World, wanted: Wanted):
    """Plan and carry out; None where it is refused for what ZFS would refuse as well, or must not be."""
    try:
        todo = work(one.pair(), wanted)
    except InvalidInput:
        return None
    one.carry_out(todo.tasks)
    return todo


@given(worlds(), WANTED)
def test_the_newest_snapshot_of_the_source_always_arrives(one, wanted):
    """And is held at both ends, with no other hold of ours left; nothing is to be done after that."""
    todo = done(one, wanted)
    assume(todo is not None and one.source.snapshots)
    name, guid = one.source.snapshots[-1]
    assert guid in [there for _name, there in one.target.snapshots]
    assert one.source.held == {name}
    assert {one.target.guid(there) for there in one.target.held} == {guid}
    assert not work(one.pair(), wanted).tasks


@given(worlds(), WANTED)
def test_nothing_is_lost_at_the_receiver_without_the_word(one, wanted):
    before, written = list(one.target.snapshots), one.target.written
    todo = done(one, wanted)
    assume(todo is not None)
    if not todo.loses:
        assert one.target.snapshots[: len(before)] == before
        assert not one.target.destroyed and one.target.written == written
    else:
        # With it, only what the source has not, and what the message named.
        mine = {guid for _name, guid in before}
        assert set(one.target.destroyed) <= mine
        newest = max(position for position, one_ in enumerate(before) if one_ in one.target.snapshots)
        assert [guid for _name, guid in before[newest + 1 :]][::-1] == one.target.destroyed
        assert all(name in todo.loses for name, guid in before if guid in one.target.destroyed)


@given(worlds(), WANTED, st.integers(0, 5))
def test_whenever_it_is_cut_off_the_next_runs_come_to_the_same_end(one, wanted, survive):
    """The recovery point never goes back, the source may prune all that nobody holds in between, and what was begun is
    gone on with."""
    assume(one.source.snapshots)
    one.survive, one.resumable = survive, wanted.resume
    try:
        todo = work(one.pair(), wanted)
    except InvalidInput:
        return
    try:
        one.carry_out(todo.tasks)
    except Cut:
        reached = common(one.pair().source, one.pair().target)
        newest = one.source.snapshots[-1]
        one.source.snapshots = [snap for snap in one.source.snapshots if snap[0] in one.source.held or snap == newest]
        found = common(one.pair().source, one.pair().target)
        assert (reached and reached.guid) == (found and found.guid)
        again = done(one, wanted)
        assert again is not None and not again.loses, "being cut off is no divergence"
        if wanted.resume:
            assert any(send.token for send in again.sends)
    assert one.source.snapshots[-1][1] in [guid for _name, guid in one.target.snapshots]
