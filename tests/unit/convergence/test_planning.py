# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned, from what is there and what is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, Thing

from .fridge import FRIDGE

STANDING = {"ward": "icu", "model": "chest", "degrees": 2, "groups": ("0-", "A+"), "serial": "SN1"}


def planned(state, *config, **params):
    observed = {("f1",): Thing(state)} if state is not None else {}
    return FRIDGE.plan(observed, FRIDGE.declare({"config": list(config), **params})).steps


def test_what_is_as_written_needs_nothing():
    assert planned(STANDING, {"name": "f1", "degrees": "2", "groups": "A+,0-", "ward": "icu"}) == ()


def test_one_step_says_exactly_what_differs():
    (step,) = planned(STANDING, {"name": "f1", "degrees": 5, "groups": ["A+"], "ward": "icu"})
    assert (step.action, step.options) == ("update", ("degrees", "groups"))
    assert step.after == {**STANDING, "degrees": 5, "groups": ("A+",)}


def test_stating_a_default_is_no_change_and_returning_to_it_is():
    assert planned({}, {"name": "f1", "degrees": 4, "alarm": True}) == ()
    (step,) = planned({"alarm": False}, {"name": "f1", "alarm": True})
    assert step.options == ("alarm",)


def test_unlisted_options_are_not_ours_unless_said():
    assert planned(STANDING, {"name": "f1"}) == ()
    (step,) = planned(STANDING, {"name": "f1"}, unlisted_options="reset")
    assert step.options == ("ward", "degrees", "groups")
    assert step.after == {"model": "chest", "serial": "SN1"}


def test_reset_puts_just_that_back():
    (step,) = planned(STANDING, {"name": "f1", "reset": ["degrees"]})
    assert step.options == ("degrees",)


def test_an_empty_value_takes_an_option_away():
    (step,) = planned(STANDING, {"name": "f1", "ward": ""})
    assert step.options == ("ward",)
    assert "ward" not in step.after


def test_what_the_system_assigned_is_kept():
    (step,) = planned(STANDING, {"name": "f1", "degrees": 5}, unlisted_options="reset")
    assert step.after["serial"] == "SN1"


def test_things_inside_are_matched_by_key_and_never_dropped():
    state = {"trays": {"a": {"bags": 3, "tag": "T1"}, "b": {"bags": 1, "tag": "T2"}}}
    (step,) = planned(state, {"name": "f1", "trays": [{"slot": "a", "bags": 4}]}, unlisted_options="reset")
    assert step.after["trays"] == {"a": {"bags": 4, "tag": "T1"}, "b": {"bags": 1, "tag": "T2"}}
    assert planned(state, {"name": "f1", "trays": [{"slot": "b", "bags": 1}]}) == ()
    assert planned(state, {"name": "f1", "trays": []}) == ()


def test_a_thing_inside_goes_only_when_told():
    state = {"trays": {"a": {"bags": 3}, "b": {"bags": 1}}}
    (step,) = planned(state, {"name": "f1", "trays": [{"slot": "a", "state": "absent"}]})
    assert step.after["trays"] == {"b": {"bags": 1}}
    assert planned(state, {"name": "f1", "trays": [{"slot": "c", "state": "absent"}]}) == ()


def test_secrets_are_written_once_and_again_only_when_asked():
    assert planned(STANDING, {"name": "f1", "pin": "1234"}) == ()
    (step,) = planned(STANDING, {"name": "f1", "pin": "1234"}, update_secrets="always")
    assert step.secrets == {"pin": "1234"}
    (step,) = planned(None, {"name": "f1", "pin": "1234"})
    assert step.secrets == {"pin": "1234"}
    assert "1234" not in repr(step)


def test_what_is_fixed_at_creation_cannot_change():
    with pytest.raises(InvalidInput, match=r"model .*chest.*upright.*created"):
        planned(STANDING, {"name": "f1", "model": "upright"})


@pytest.mark.parametrize(
    ("params", "complaint"),
    [
        ({"config": [{"name": "f1"}, {"name": "f1"}]}, r"config\[1\].*fridge f1.*config\[0\]"),
        ({"config": [{"ward": "icu"}]}, r"config\[0\]: name is missing"),
        ({"config": [{"name": "f1", "degrees": "cold"}]}, r"degrees: 'cold' is not a number"),
        ({"config": [{"name": "f1", "model": "sideways"}]}, r"model: 'sideways' is none of upright, chest"),
        ({"config": [{"name": "f1", "reset": ["serial"]}]}, r"reset: serial"),
        ({"config": [{"name": "f1", "reset": ["nothing"]}]}, r"reset: nothing"),
        ({"config": [{"name": "f1", "reset": ["ward"], "ward": "x"}]}, r"reset: ward also has a value"),
        ({"config": [{"name": "f1", "trays": [{"slot": "a"}, {"slot": "a"}]}]}, r"trays: slot a is listed twice"),
        ({"config": [{"name": "f1"}], "allow": ["explode"]}, r"'explode' is no consent"),
        ({"config": [{"name": "f1"}], "allow": ["destroy_disk"]}, r"must name its target"),
        ({"config": [{"name": "f1"}], "unlisted": "absent"}, r"needs a scope"),
        ({"config": [], "unlisted": "absent", "scope": {"ward": "icu"}}, r"empty config"),
        ({"config": [{"name": "f1"}], "unlisted": "absent", "scope": {"note": "x"}}, r"scope: note"),
        ({"config": [{"name": "f1"}], "unlisted": "absent", "scope": {"alarm": "maybe"}}, r"scope\.alarm: 'maybe'"),
    ],
)
def test_bad_input_names_the_option(params, complaint):
    with pytest.raises(InvalidInput, match=complaint):
        FRIDGE.declare(params)


def test_unlisted_things_go_only_inside_the_scope_and_up_to_the_limit():
    observed = {(f"f{number}",): Thing({"ward": "icu" if number < 6 else "er"}) for number in range(8)}
    declared = {"config": [{"name": "f0"}], "unlisted": "absent", "scope": {"ward": "icu"}}
    with pytest.raises(InvalidInput, match="max_removals"):
        FRIDGE.plan(observed, FRIDGE.declare(declared))
    plan = FRIDGE.plan(observed, FRIDGE.declare({**declared, "max_removals": 5}))
    assert [(step.action, step.key) for step in plan] == [("delete", (f"f{number}",)) for number in range(1, 6)]
    declared = {**declared, "scope": {"name": "f[67]", "ward": "er"}}
    assert [step.key for step in FRIDGE.plan(observed, FRIDGE.declare(declared))] == [("f6",), ("f7",)]


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "ward": st.sampled_from(["", "icu", "er"]),
        "degrees": st.integers(-80, 8),
        "alarm": st.booleans(),
        "groups": st.lists(st.sampled_from(["0-", "A+", "B-"])),
        "volume": st.sampled_from(["1G", "2048M", "3"]),
        "note": st.text(max_size=5),
        "logger": st.sampled_from(["m1", "model=m1,every=60", "m1,every=30", ""]),
        "trays": st.lists(
            st.fixed_dictionaries(
                {"slot": st.sampled_from("abc")},
                optional={"bags": st.integers(0, 3), "state": st.sampled_from(["present", "absent"])},
            ),
            unique_by=lambda tray: tray["slot"],
        ),
    },
)
ITEMS = OPTIONS.map(lambda options: {"name": "f1", **options})


@given(ITEMS, ITEMS, st.sampled_from(["ignore", "reset"]))
def test_the_law(first, second, unlisted_options):
    """A plan carried out leaves nothing to plan; what is asked for and only that changes."""
    state = {}
    for step in planned(None, first):
        state = dict(step.after)
    assert planned(state, first) == ()
    (*_rest, last) = (None, *planned(state, second, unlisted_options=unlisted_options))
    if last is None:
        return
    assert planned(dict(last.after), second, unlisted_options=unlisted_options) == ()
    if unlisted_options == "ignore":
        changed = {name for name in {*state, *last.after} if state.get(name) != last.after.get(name)}
        assert changed <= set(second)


@pytest.mark.parametrize("entry", ["{'destroy_disk': 'f1'}", "destroy_disk: f1"])
def test_a_consent_that_yaml_made_a_mapping_of_is_explained(entry):
    with pytest.raises(InvalidInput, match=r"word:target.*no blank after the colon"):
        FRIDGE.declare({"config": [{"name": "f1"}], "allow": [entry]})


def test_an_item_that_is_wrong_is_named_by_its_place_and_identity():
    with pytest.raises(InvalidInput, match=r"config\[1\] \(name f2\): degrees"):
        FRIDGE.declare({"config": [{"name": "f1"}, {"name": "f2", "degrees": "warm"}]})


def test_a_thing_without_an_identity_goes_by_its_kind() -> None:
    step = Step("update", "cluster_options", (), options=("keyboard",))
    assert step.line == "update cluster_options: keyboard"
    assert Step("delete", "storage", ("backup",)).line == "delete storage backup"
