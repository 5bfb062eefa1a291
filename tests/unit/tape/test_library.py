# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a library holds, what it should hold, and the movements in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.tape.library import (
    DRIVE,
    LIBRARY,
    SLOT,
    UNLOAD,
    Spot,
    moved,
    planned,
    unmet,
)
from ansible_collections.hospital.continuity.plugins.module_utils.tape.mtx import (
    Contents,
    LibraryError,
    Place,
    parse,
    refused,
)

# Recorded (facts of SCST, session 03), one tape loaded.
STATUS = """\
  Storage Changer /dev/sg11:2 Drives, 9 Slots ( 1 Import/Export )
Data Transfer Element 0:Full (Storage Element 1 Loaded):VolumeTag = HOS001L5                            
Data Transfer Element 1:Full (Unknown Storage Element Loaded):VolumeTag = HOS009L5                            
      Storage Element 1:Empty
      Storage Element 2:Full :VolumeTag=HOS002L5                            
      Storage Element 3:Full :VolumeTag=HOS003L5                            
      Storage Element 4:Full 
      Storage Element 5:Full :VolumeTag=CLN001L5                            
      Storage Element 6:Empty
      Storage Element 7:Empty
      Storage Element 8:Empty
      Storage Element 9 IMPORT/EXPORT:Empty
"""  # noqa: W291  (as it is printed)


def test_the_recorded_status_is_read() -> None:
    found = parse(STATUS)
    assert found.drives[0] == Place(0, True, "HOS001L5", home=1)
    assert found.drives[1] == Place(1, True, "HOS009L5")
    assert found.slots[2] == Place(2, True, "HOS002L5"), "the barcode's padding is no part of it"
    assert found.slots[4] == Place(4, True, ""), "a tape without a barcode is a tape"
    assert found.slots[9] == Place(9, import_export=True)
    assert found.slots[5].cleaning and not found.slots[2].cleaning
    assert (len(found.storage), len(found.import_export)) == (8, 1)


@pytest.mark.parametrize("text", ["", "mtx: No such device", STATUS.replace("9 Slots", "12 Slots")])
def test_what_is_no_library_or_half_of_one_is_refused(text: str) -> None:
    with pytest.raises(LibraryError, match="mtx"):
        parse(text)


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("mtx: Request Sense: Sense Key=Not Ready\nASC: Medium Removal, door open", "door is open"),
        ("READ ELEMENT STATUS Command Failed: Logical Unit Not Ready", "not ready"),
        ("Data Transfer Element 0 is Empty", "empty"),
        ("Storage Element 3 is Already Full", "taken"),
        ("Sense Key=Illegal Request, Medium Removal Prevented", "does not let go"),
        ("cannot open SCSI device '/dev/sg8' - Permission denied", "become: true"),
        ("something nobody has seen before", "something nobody has seen before"),
        ("", "exit code 1"),
    ],
)
def test_what_the_library_refuses_is_said_in_words(said: str, word: str) -> None:
    problem = refused(("load", "1", "0"), Completed(("mtx",), 1, "", said))
    assert word in str(problem) and "load 1 0" in str(problem)


def library(drives: dict[int, str], slots: dict[int, str], size: int = 6) -> Contents:
    return Contents(
        {number: Place(number, number in drives, drives.get(number, "")) for number in range(2)},
        {number: Place(number, number in slots, slots.get(number, "")) for number in range(1, size + 1)},
    )


TAPES = [f"T{number}" for number in range(5)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Contents, dict[str, Spot]]:
    """A library with at least one free slot, and places for some of its tapes."""
    spots: list[Spot] = [(DRIVE, 0), (DRIVE, 1), *((SLOT, number) for number in range(1, 7))]
    held = draw(st.permutations(spots))[: len(TAPES)]
    holds = dict(zip(held, TAPES, strict=True))
    contents = library(
        {spot[1]: name for spot, name in holds.items() if spot[0] == DRIVE},
        {spot[1]: name for spot, name in holds.items() if spot[0] == SLOT},
    )
    wanted = draw(st.sets(st.sampled_from([*TAPES, "ELSEWHERE"])))
    places = draw(st.permutations(spots))
    return contents, dict(zip(sorted(wanted), places, strict=False))


def where(contents: Contents) -> dict[str, Spot]:
    drives = {place.barcode: (DRIVE, number) for number, place in contents.drives.items() if place.full}
    return {**drives, **{place.barcode: (SLOT, number) for number, place in contents.slots.items() if place.full}}


@given(cases())
def test_every_tape_reaches_its_place_or_nothing_moves(case: tuple[Contents, dict[str, Spot]]) -> None:
    contents, targets = case
    before = where(contents)
    moves, problems = planned(contents, targets)
    if problems:
        assert not moves
        return
    for move in moves:
        now = where(contents)
        assert now[move.barcode] == move.source
        assert move.target not in now.values(), "two tapes in one place"
        assert not (move.source[0] == DRIVE and move.target[0] == DRIVE), "no robot does that"
        assert move.barcode in targets, "a tape that was given no place is never moved"
        contents = moved(contents, move)
    after = where(contents)
    assert all(after[name] == spot for name, spot in targets.items() if name in before)
    assert planned(contents, targets) == ([], [])
    assert sorted(after) == sorted(before), "no tape is lost"


def test_a_circle_goes_by_a_free_slot() -> None:
    contents = library({}, {1: "A", 2: "B"})
    moves, problems = planned(contents, {"A": (SLOT, 2), "B": (SLOT, 1)})
    assert not problems and len(moves) == 3
    full = library({}, {number: f"T{number}" for number in range(1, 7)})
    moves, problems = planned(full, {"T1": (SLOT, 2), "T2": (SLOT, 1)})
    assert not moves and "no free slot" in problems[0]


def test_a_tape_in_the_way_without_a_place_stays() -> None:
    moves, problems = planned(library({0: "A"}, {1: "B"}), {"B": (DRIVE, 0)})
    assert not moves and "A is there" in problems[0]


def order(**options: Any) -> Any:
    return LIBRARY.order({"library": "LIB", "unexpected_media": "report", **options})


def test_what_is_not_as_expected_is_told() -> None:
    contents = parse(STATUS)
    told = list(
        unmet(
            contents,
            order(
                slots=24,
                import_export_slots=1,
                drives=["D1", "D2", "D3"],
                media=[{"barcode": "HOS001L5"}, {"barcode": "HOS007L5"}],
            ),
            ["D1", "D2"],
        )
    )
    text = "; ".join(told)
    for part in ("8 slots, not 24", "2 drives, not 3", "D3 is not on this host", "HOS007L5 is not in it"):
        assert part in text
    assert "HOS002L5 in slot 2 is not expected" in text
    assert "drive 1 is not expected" in text and "slot 4 holds a tape without a barcode" in text
    assert "CLN001L5" not in text, "a cleaning cartridge is never unexpected"
    assert not list(unmet(contents, order(cleaning_cartridge=True), []))
    assert list(unmet(library({}, {}), order(cleaning_cartridge=True), [])) == ["it has no cleaning cartridge"]
    quiet = order(media=[{"barcode": "HOS001L5"}], unexpected_media="ignore")
    assert not list(unmet(contents, quiet, []))


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"media": [{"barcode": "A", "slot": 1, "drive": "D1"}], "drives": ["D1"]}, "slot or drive"),
        ({"media": [{"barcode": "A", "slot": 1}, {"barcode": "B", "slot": 1}]}, "both"),
        ({"media": [{"barcode": "A"}, {"barcode": "A"}]}, "twice"),
        ({"drives": ["D1", "D1"]}, "twice"),
        ({"media": [{"barcode": "A B"}]}, "barcode"),
        ({"media": [{"barcode": "A", "slot": 0}]}, "slot"),
    ],
)
def test_contradictions_are_refused(options: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidInput, match=word):
        order(**options)


def test_taking_a_tape_out_of_a_drive_names_the_drive() -> None:
    moves, _problems = planned(library({1: "A"}, {}), {"A": (SLOT, 3)})
    assert [move.action for move in moves] == [UNLOAD]
