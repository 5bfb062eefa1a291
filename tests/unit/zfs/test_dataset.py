# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned for datasets that inherit from each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, DELETE, Plan
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Dependant, Pool, Property
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DATASET, mounts

DEFAULTS = {"compression": "off", "recordsize": "131072", "atime": "on", "quota": "0", "canmount": "on"}
NEVER_INHERITED = ("quota", "canmount", "type", "volsize", "volblocksize", "refreservation")
GIB = 1024**3

# A model of what ZFS holds: dataset -> property -> value, only what is set there.
Model = dict[str, dict[str, str]]


def properties(model: Model, name: str) -> dict[str, Property]:
    """What `zfs get -Hp all` would show."""
    result = {}
    parts = name.split("/")
    lineage = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    for prop in {*DEFAULTS, *(prop for one in lineage for prop in model.get(one, {}))}:
        for above in lineage if prop not in NEVER_INHERITED else lineage[:1]:
            if prop in model.get(above, {}):
                source = "local" if above == name else f"inherited from {above}"
                result[prop] = Property(model[above][prop], source)
                break
        else:
            if prop in DEFAULTS:
                result[prop] = Property(DEFAULTS[prop], "default")
    result.setdefault("type", Property("filesystem", "-"))
    return result


def observed(model: Model, below=()):
    return {(name,): DATASET.decode(name, properties(model, name), below=below) for name in model}


def planned(model: Model, *config, below=(), **params) -> Plan:
    return DATASET.plan(observed(model, below), DATASET.declare({"config": list(config), **params}))


def carried_out(model: Model, plan: Plan) -> Model:
    """The model after the commands of the plan, read as ZFS reads them."""
    after = {name: dict(values) for name, values in model.items()}
    for step in plan:
        for command in DATASET.commands(step):
            verb, words, name = command.argv[1], list(command.argv[2:-1]), command.argv[-1]
            if verb == "create":
                values = {"type": "volume" if "-V" in words else "filesystem"}
                values.update(word.split("=", 1) for word in words if "=" in word)
                after[name] = values
            elif verb == "set":
                after[name].update(word.split("=", 1) for word in words)
            elif verb == "inherit":
                assert words[0] not in NEVER_INHERITED
                after[name].pop(words[0], None)
            else:
                raise AssertionError(command)
    return {
        name: {prop: "0" if value == "none" else value for prop, value in values.items()}
        for name, values in after.items()
    }


def test_a_new_filesystem_is_one_command():
    plan = planned(
        {"tank": {}},
        {
            "name": "tank/a b",
            "compression": "lz4",
            "atime": "off",
            "quota": "10G",
            "recordsize": "1M",
            "create_parents": True,
            "properties": {"com.hospital:role": "backup", "com.hospital:none": ""},
        },
    )
    (step,) = plan
    (command,) = DATASET.commands(step)
    assert command.argv == (
        *("zfs", "create", "-p", "-o", "compression=lz4", "-o", "quota=10737418240", "-o", "recordsize=1048576"),
        *("-o", "atime=off", "-o", "com.hospital:role=backup", "tank/a b"),
    )


def test_a_new_volume_and_its_key_that_no_argument_shows():
    (step,) = planned(
        {"tank": {}},
        {
            "name": "tank/v",
            "type": "volume",
            "volsize": "32G",
            "volblocksize": "16K",
            "sparse": True,
            "encryption": "on",
            "keyformat": "passphrase",
            "keylocation": "prompt",
            "encryption_key": "correct horse",
        },
    )
    (command,) = DATASET.commands(step)
    assert command.argv == (
        *("zfs", "create", "-s", "-V", str(32 * GIB), "-o", "encryption=aes-256-gcm", "-o", "keyformat=passphrase"),
        *("-o", "keylocation=prompt", "-o", "volblocksize=16384", "tank/v"),
    )
    assert command.secret == "correct horse"
    assert "horse" not in repr(step)


def test_what_is_inherited_already_needs_nothing():
    model = {"tank": {"compression": "lz4"}, "tank/a": {}}
    assert not planned(model, {"name": "tank/a", "compression": "lz4"})
    assert not planned(model, {"name": "tank/a", "compression": "lz4"}, unlisted_options="reset")
    (step,) = planned(model, {"name": "tank/a", "compression": "zstd"})
    assert [command.argv for command in DATASET.commands(step)] == [("zfs", "set", "compression=zstd", "tank/a")]


def test_a_value_that_the_same_task_changes_above_is_set_below():
    model = {"tank": {"compression": "lz4"}, "tank/a": {}, "tank/a/b": {}}
    config = [{"name": "tank/a/b", "compression": "lz4"}, {"name": "tank/a", "compression": "zstd"}]
    plan = planned(model, *config)
    assert [(step.key[0], step.needs) for step in plan] == [("tank/a/b", (("tank/a",),)), ("tank/a", ())]
    assert not planned(carried_out(model, plan), *config)
    # What will be inherited when the task is done is not set twice.
    (step,) = planned(model, {"name": "tank", "compression": "zstd"}, {"name": "tank/a/b", "compression": "zstd"})
    assert step.key == ("tank",)


def test_user_properties_inherit_key_by_key():
    model = {"tank": {"x:a": "1", "x:b": "2"}, "tank/a": {"x:c": "3", "other:tool": "theirs"}}
    assert not planned(model, {"name": "tank/a", "properties": {"x:a": 1, "x:c": "3", "x:gone": ""}})
    (step,) = planned(model, {"name": "tank/a", "properties": {"x:a": 1, "x:b": "5", "x:c": None}})
    assert [command.argv for command in DATASET.commands(step)] == [
        ("zfs", "set", "x:b=5", "tank/a"),
        ("zfs", "inherit", "x:c", "tank/a"),
    ]
    config = [{"name": "tank", "properties": {"x:a": ""}}, {"name": "tank/a", "properties": {"x:a": "1"}}]
    assert not planned(carried_out(model, planned(model, *config)), *config)


def test_reset_inherits_and_clears_what_cannot_be_inherited():
    model = {"tank": {}, "tank/a": {"compression": "zstd", "quota": "1048576", "canmount": "noauto", "x:y": "z"}}
    (step,) = planned(model, {"name": "tank/a"}, unlisted_options="reset")
    assert [command.argv for command in DATASET.commands(step)] == [
        ("zfs", "set", "canmount=on", "quota=none", "tank/a"),
        ("zfs", "inherit", "compression", "tank/a"),
    ]
    (step,) = planned(model, {"name": "tank/a", "quota": "none"})
    assert [command.argv for command in DATASET.commands(step)] == [("zfs", "set", "quota=none", "tank/a")]


VOLUME = {"type": "volume", "volsize": str(GIB), "volblocksize": "16384", "refreservation": str(GIB + 10**6)}


def test_a_volume_grows_in_whole_blocks_and_never_shrinks():
    model = {"tank": {}, "tank/v": VOLUME}
    assert not planned(model, {"name": "tank/v", "volsize": "1G"})
    assert not planned(model, {"name": "tank/v", "volsize": GIB - 1000})
    (step,) = planned(model, {"name": "tank/v", "volsize": 2 * GIB + 1})
    assert DATASET.commands(step)[0].argv == ("zfs", "set", f"volsize={2 * GIB + 16384}", "tank/v")
    with pytest.raises(InvalidInput, match=r"volsize is 1G .* would shrink to 512M"):
        planned(model, {"name": "tank/v", "volsize": "512M"})


def test_resetting_a_volume_leaves_its_size_and_its_reservation():
    assert not planned({"tank": {}, "tank/v": VOLUME}, {"name": "tank/v"}, unlisted_options="reset")
    (step,) = planned({"tank": {}, "tank/v": VOLUME}, {"name": "tank/v", "refreservation": "none"})
    assert step.options == ("refreservation",)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "tank/a", "type": "volume"}, "type is 'filesystem' and cannot become 'volume'"),
        ({"name": "tank/a", "volsize": "1G"}, "volsize is for a volume, and this is a filesystem"),
        ({"name": "tank/v", "recordsize": "1M"}, "recordsize is for a filesystem, and this is a volume"),
        ({"name": "tank/v", "volblocksize": "8K"}, "volblocksize is 16384 and cannot become 8192"),
        ({"name": "tank/a", "encryption": "on"}, "encryption .* fixed when the dataset is created"),
        ({"name": "tank/a", "casesensitivity": "mixed"}, "casesensitivity .* fixed"),
        ({"name": "tank/new", "type": "volume"}, "cannot be created without volsize"),
        ({"name": "tank/new", "type": "volume", "volsize": "1G", "atime": "off"}, "atime is for a filesystem"),
        ({"name": "other"}, "there is no such pool"),
        ({"name": "tank/new", "keylocation": "prompt"}, "needs encryption_key"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_done(item, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        planned({"tank": {}, "tank/a": {}, "tank/v": VOLUME}, item)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "tank/a@s"}, "no name of a dataset"),
        ({"name": "tank//a"}, "no name"),
        ({"name": "tank/a/"}, "no name"),
        ({"name": "/tank"}, "no name"),
        ({"name": "tank/../a"}, "no name"),
        ({"name": "-p/a"}, "does not begin with a letter"),
        ({"name": "1tank/a"}, "does not begin with a letter"),
        ({"name": "tank/a "}, "space at an edge"),
        ({"name": "tank/" + "x" * 255}, "no name"),
        ({"name": "tank/a", "volsize": 0}, "volsize: it cannot be 0"),
        ({"name": "tank/a", "encryption_key": "short"}, "8 to 512 characters"),
        ({"name": "tank/a", "encryption_key": "long enough", "keyformat": "hex"}, "64 hexadecimal digits"),
        ({"name": "tank/a", "encryption_key": "long enough", "keylocation": "file:///k"}, "exclude each other"),
        ({"name": "tank/a", "recordsize": "3k"}, "recordsize: '3k' is not a power of two"),
    ],
)
def test_bad_input_names_the_option(item, complaint):
    with pytest.raises(InvalidInput, match=complaint) as problem:
        DATASET.declare({"config": [item]})
    assert str(item.get("encryption_key", "\0")) not in str(problem.value)


BELOW = (
    Dependant("tank/a/b", "filesystem"),
    Dependant("tank/a@s1", "snapshot"),
    Dependant("tank/a@s2", "snapshot", ("tank/clone",)),
    Dependant("tank/a#mark", "bookmark"),
)


def test_destroying_names_everything_that_goes():
    plan = planned({"tank/a": {}}, {"name": "tank/a"}, below=BELOW, state="absent")
    words = [word for word, _text in consent.missing(plan, frozenset())]
    assert words == ["destroy_dataset:tank/a", "destroy_dataset:tank/a/b", "destroy_snapshot:tank/a"]
    with pytest.raises(ConsentMissing, match=r"2: s1; s2"):
        consent.require(plan, frozenset({"destroy_dataset:tank/a", "destroy_dataset:tank/a/b"}))
    assert [command.argv for step in plan for command in DATASET.commands(step)] == [("zfs", "destroy", "-r", "tank/a")]


def test_a_clone_elsewhere_is_never_destroyed():
    plan = planned({"tank/a": {}}, {"name": "tank/a"}, below=BELOW, state="absent")
    (problem,) = DATASET.problems(plan, {"tank": Pool("tank", "ONLINE")}, {})
    assert "tank/clone is a clone of tank/a@s2" in problem and "zfs promote tank/clone" in problem
    both = DATASET.plan(
        {
            ("tank/a",): DATASET.decode("tank/a", properties({"tank/a": {}}, "tank/a"), below=BELOW),
            ("tank/clone",): DATASET.decode("tank/clone", properties({"tank/clone": {}}, "tank/clone")),
        },
        DATASET.declare({"config": [{"name": "tank/a"}, {"name": "tank/clone"}], "state": "absent"}),
    )
    assert not DATASET.problems(both, {}, {})
    assert [(step.action, step.needs) for step in both] == [(DELETE, (("tank/clone",),)), (DELETE, ())]


def test_a_held_snapshot_is_named_before_anything_is_destroyed():
    held = (*BELOW[:2], Dependant("tank/a/b@kept", "snapshot", holds=1))
    plan = planned({"tank/a": {}}, {"name": "tank/a"}, below=held, state="absent")
    (problem,) = DATASET.problems(plan, {"tank": Pool("tank", "ONLINE")}, {})
    assert "tank/a/b@kept is held" in problem and "zfs holds" in problem


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"name": "tank/new", "mountpoint": "/srv/new"}, {"/srv/new": "tank/new"}),
        ({"name": "tank/new"}, {"/tank/new": "tank/new"}),
        ({"name": "tank/new", "mountpoint": "/srv/new", "overlay": True}, {}),
        ({"name": "tank/new", "mountpoint": "/srv/new", "canmount": "noauto"}, {}),
        ({"name": "tank/new", "mountpoint": "legacy"}, {}),
        ({"name": "tank/new", "type": "volume", "volsize": "1G"}, {}),
        ({"name": "tank/a", "mountpoint": "/srv/a"}, {"/srv/a": "tank/a"}),
        ({"name": "tank/a", "compression": "lz4"}, {}),
        ({"name": "other/new"}, {}),
    ],
)
def test_where_something_will_be_mounted_that_is_not_yet(item, expected):
    assert mounts(planned({"tank": {}, "tank/a": {}}, item), {"tank": "/tank"}) == expected


def test_a_pool_is_not_destroyed_here():
    with pytest.raises(InvalidInput, match="zpool destroy"):
        planned({"tank": {}}, {"name": "tank"}, state="absent")
    assert not planned({}, {"name": "gone"}, state="absent")


def test_what_the_pool_and_the_parent_do_not_allow_is_known_beforehand():
    new = planned({"tank": {}}, {"name": "tank/a/b"})
    assert [step.action for step in new] == [CREATE]
    assert "parent tank/a does not exist" in DATASET.problems(new, {}, {})[0]
    assert "tank/a is a volume" in DATASET.problems(new, {}, {"tank/a": "volume"})[0]
    assert not DATASET.problems(new, {"tank": Pool("tank", "DEGRADED")}, {"tank/a": "filesystem"})
    assert "pool tank is SUSPENDED" in DATASET.problems(new, {"tank": Pool("tank", "SUSPENDED")}, {})[0]
    assert "read-only" in DATASET.problems(new, {"tank": Pool("tank", "ONLINE", readonly=True)}, {})[0]
    together = planned({"tank": {}}, {"name": "tank/a/b"}, {"name": "tank/a"})
    assert not DATASET.problems(together, {}, {"tank": "filesystem"})
    assert [step.needs for step in together] == [(("tank/a",),), ()]
    small = planned({"tank": {"used": "2000"}}, {"name": "tank", "quota": "1K"})
    assert "quota 1K is less than what is used already (2000 bytes)" in DATASET.problems(small, {}, {})[0]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"mounted": "no", "mountpoint": "/srv/a"}, "tank/a: it is not mounted; what is written to /srv/a"),
        ({"mounted": "no", "mountpoint": "legacy"}, ""),
        ({"mounted": "no", "mountpoint": "/srv/a", "canmount": "noauto"}, ""),
        ({"mounted": "yes", "mountpoint": "/srv/a"}, ""),
        ({"mounted": "no", "mountpoint": "/srv/a", "keystatus": "unavailable"}, "tank/a: its encryption key"),
    ],
)
def test_what_success_does_not_promise(more, expected):
    text = "".join(condition.text for condition in DATASET.unmet(observed({"tank/a": more})))
    assert text.startswith(expected) and bool(text) == bool(expected)


VALUES = {
    "compression": st.sampled_from(["lz4", "zstd", "zstd-3", "on"]),
    "recordsize": st.sampled_from(["128K", "1M", 1048576]),
    "atime": st.booleans(),
    "quota": st.sampled_from(["none", "0", "10G", "1048576"]),
    "canmount": st.sampled_from(["on", "noauto"]),
    "properties": st.dictionaries(st.sampled_from(["x:a", "x:b"]), st.sampled_from(["", "1", 2])),
}
NAMES = ("tank", "tank/a", "tank/a/b", "tank/c")
CONFIG = st.dictionaries(st.sampled_from(NAMES), st.fixed_dictionaries({}, optional=VALUES), max_size=4).map(
    lambda items: [{"name": name, **options} for name, options in items.items()]
)
STORED = {
    "compression": st.sampled_from(["lz4", "zstd", "zstd-3", "on"]),
    "recordsize": st.sampled_from(["131072", "1048576"]),
    "atime": st.sampled_from(["on", "off"]),
    "quota": st.sampled_from(["0", "10737418240"]),
    "canmount": st.sampled_from(["on", "noauto"]),
    "x:a": st.sampled_from(["1", "2"]),
    "x:b": st.sampled_from(["1", "2"]),
}
MODELS = st.fixed_dictionaries({name: st.fixed_dictionaries({}, optional=STORED) for name in NAMES[:3]})


@given(MODELS, CONFIG, st.sampled_from(["ignore", "reset"]))
def test_the_law(model, config, unlisted_options):
    """A plan carried out leaves nothing to plan, although everything inherits; what is there plans nothing."""
    plan = planned(model, *config, unlisted_options=unlisted_options)
    after = carried_out(model, plan)
    assert not planned(after, *config, unlisted_options=unlisted_options).steps
    shown = [DATASET.visible((name,), observed(after)[(name,)].state) for name in after]
    assert not planned(after, *shown, unlisted_options="reset").steps
    if unlisted_options == "ignore":
        listed = {item["name"]: {*item, *item.get("properties", {})} for item in config}
        for name, values in model.items():
            assert all(after[name][prop] == value for prop, value in values.items() if prop not in listed.get(name, ()))
