# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module tape_library: what a library should hold, and the tapes that have to move. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Key, Ordered
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import DeviceName, Form, Within
from ansible_collections.hospital.continuity.plugins.module_utils.tape.mtx import Contents, Place

TRANSFER, LOAD, UNLOAD = "transfer", "load", "unload"
UNLOAD_DRIVE = "unload_drive"
DRIVE, SLOT = "drive", "slot"
_BARCODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}", re.IGNORECASE)

Spot = tuple[str, int]


@dataclass(frozen=True)
class Barcode(Form):
    def canonical(self, value: Any) -> Any:
        return super().canonical(str(value).strip())

    def check(self, text: str) -> None:
        if not _BARCODE.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is no barcode; write letters and digits as on the tape's label")


@dataclass(frozen=True)
class LibraryOperation(Operation):
    def check(self, order: Order) -> None:
        wanted: dict[Spot, str] = {}
        for barcode, medium in (order.options.get("media") or {}).items():
            if medium.get("slot") is not None and medium.get("drive"):
                raise InvalidInput(
                    f"media: {barcode} cannot be in a slot and in a drive.", hint="Give slot or drive, or neither."
                )
            spot = (SLOT, medium["slot"]) if medium.get("slot") is not None else (DRIVE, medium.get("drive"))
            if spot[1] is None:
                continue
            if spot in wanted:
                raise InvalidInput(
                    f"media: {wanted[spot]} and {barcode} cannot both be in {spot[0]} {spot[1]}.", hint="Correct one."
                )
            wanted[spot] = barcode
        drives = order.options.get("drives") or ()
        if len(set(drives)) != len(drives):
            raise InvalidInput("drives: one of them is listed twice.", hint="List each drive once, in their order.")

    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        facts = next(iter(observed.values())).facts
        contents: Contents = facts["contents"]
        drives = tuple(order.options.get("drives") or ())
        moves, problems = planned(contents, _targets(contents, order, drives))
        if problems:
            raise InvalidInput(listed(problems) + ".", hint="Nothing was moved.")
        steps = []
        keys: list[Key] = []
        for move in moves:
            # One arm: each movement counts on those before it.
            needs = tuple(keys[-1:])
            keys.append((move.barcode,) if (move.barcode,) not in keys else (move.barcode, "again"))
            steps.append(
                Step(
                    move.action,
                    "tape",
                    keys[-1],
                    before={"barcode": move.barcode, move.source[0]: move.source[1]},
                    after={"barcode": move.barcode, move.target[0]: move.target[1]},
                    inputs={"move": move, "drives": drives},
                    needs=needs,
                    facts=facts,
                )
            )
        return Plan(tuple(steps))

    def consents(self, step: Step) -> Sequence[Consent]:
        move: Move = step.inputs["move"]
        if move.action != UNLOAD:
            return ()
        drives: tuple[str, ...] = step.inputs["drives"]
        number = move.source[1]
        name = drives[number] if number < len(drives) else str(number)
        return (Consent(f"{UNLOAD_DRIVE}:{name}", f"what writes {move.barcode} in drive {name} breaks off"),)

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        thing = next((thing for thing in observed.values() if "contents" in thing.facts), None)
        if thing is None:
            return {"library": {}}
        return {"library": {"library": thing.facts["identity"], **shown(thing.facts["contents"])}}


LIBRARY = LibraryOperation(
    name="library",
    words=(UNLOAD_DRIVE,),
    fields=(
        Field("library", DeviceName(), required=True),
        Field("slots", Within(1, 65535), type="int"),
        Field("import_export_slots", Within(0, 65535), type="int"),
        Field("drives", Ordered(separators=",", element=DeviceName()), type="list", elements="str"),
        Field(
            "media",
            type="list",
            elements="dict",
            key="barcode",
            fields=(
                Field("barcode", Barcode()),
                Field("slot", Within(1, 65535), type="int"),
                Field("drive", DeviceName()),
            ),
        ),
        Field("unexpected_media", choices=("report", "ignore"), default="report"),
        Field("cleaning_cartridge", Boolean(), type="bool"),
    ),
)


@dataclass(frozen=True)
class Move:
    """One movement of the robot. action: transfer, load or unload, as mtx calls it."""

    action: str
    barcode: str
    source: Spot
    target: Spot


def _targets(contents: Contents, order: Order, drives: Sequence[str]) -> dict[str, Spot]:
    """Where tapes that were given a place should be. Raises InvalidInput for a place that is none."""
    result: dict[str, Spot] = {}
    for barcode, medium in (order.options.get("media") or {}).items():
        if medium.get("drive"):
            if medium["drive"] not in drives:
                raise InvalidInput(f"media: {barcode}: {medium['drive']} is none of drives.", hint="List it there.")
            number = drives.index(medium["drive"])
            if number not in contents.drives:
                raise InvalidInput(
                    f"media: {barcode}: the library has {len(contents.drives)} drives, and {medium['drive']} would be "
                    f"number {number + 1}.",
                    hint="Correct drives.",
                )
            result[barcode] = (DRIVE, number)
        elif medium.get("slot") is not None:
            if medium["slot"] not in contents.slots:
                raise InvalidInput(
                    f"media: {barcode}: the library has no slot {medium['slot']}, only 1 to {len(contents.slots)}.",
                    hint="Correct the slot.",
                )
            result[barcode] = (SLOT, medium["slot"])
    return result


def _spots(contents: Contents) -> dict[Spot, Place]:
    drives = {(DRIVE, number): place for number, place in contents.drives.items()}
    return {**drives, **{(SLOT, number): place for number, place in contents.slots.items()}}


def planned(contents: Contents, targets: Mapping[str, Spot]) -> tuple[list[Move], list[str]]:
    """The movements that bring each tape to its place, and what makes that impossible.

    A tape in the way that has a place of its own goes there first; in a circle, one of them goes to a free slot for a
    while. A tape in the way that was given no place is never moved: somebody may want it where it is."""
    spots = _spots(contents)
    where = {place.barcode: spot for spot, place in spots.items() if place.full and place.barcode}
    holds = {spot: place.barcode or "a tape without a barcode" for spot, place in spots.items() if place.full}
    twice = sorted({name for name in where if sum(place.barcode == name for place in spots.values()) > 1})
    problems = [f"{name} is in the library more than once" for name in twice if name in targets]
    left = {name: spot for name, spot in targets.items() if where.get(name) not in (None, spot)}
    moves: list[Move] = []
    for name, spot in sorted(left.items()):
        blocker = holds.get(spot)
        if blocker is not None and blocker not in left:
            problems.append(f"{name} cannot go to {spot[0]} {spot[1]}: {blocker} is there and was given no other place")
    if problems:
        return [], problems

    def move(name: str, spot: Spot) -> None:
        source = where[name]
        action = UNLOAD if source[0] == DRIVE else LOAD if spot[0] == DRIVE else TRANSFER
        moves.append(Move(action, name, source, spot))
        del holds[source]
        holds[spot] = name
        where[name] = spot

    while left:
        ready = [name for name in sorted(left) if left[name] not in holds and not _drives(where[name], left[name])]
        if ready:
            move(ready[0], left.pop(ready[0]))
            continue
        # From drive to drive, and round in a circle, there is no way but by a free slot.
        name = next((one for one in sorted(left) if where[one][0] == DRIVE), min(left))
        free = [
            spot for spot in sorted(spots) if spot[0] == SLOT and spot not in holds and not spots[spot].import_export
        ]
        free = [spot for spot in free if spot not in left.values()] or free
        home = (SLOT, spots[where[name]].home) if where[name][0] == DRIVE else free[0] if free else None
        if home not in free:
            home = free[0] if free else None
        if home is None:
            return [], [f"{name} cannot be moved out of the way: there is no free slot"]
        move(name, home)
    return moves, []


def _drives(source: Spot, target: Spot) -> bool:
    """Robots bring tapes from slots to drives and back, not from drive to drive."""
    return source[0] == DRIVE and target[0] == DRIVE


def moved(contents: Contents, move: Move) -> Contents:
    """The library after a movement."""
    spots = _spots(contents)
    source = spots[move.source]
    home = move.source[1] if move.source[0] == SLOT and move.target[0] == DRIVE else 0
    spots[move.source] = replace(source, full=False, barcode="", home=0)
    spots[move.target] = replace(spots[move.target], full=True, barcode=source.barcode, home=home)
    return Contents(
        {spot[1]: place for spot, place in spots.items() if spot[0] == DRIVE},
        {spot[1]: place for spot, place in spots.items() if spot[0] == SLOT},
    )


def unmet(contents: Contents, order: Order, attached: Sequence[str]) -> Iterator[str]:
    """What is not as it was said to be. `attached`: the declared drives that this host sees."""
    options = order.options
    for option, words, places in (
        ("slots", "slots", contents.storage),
        ("import_export_slots", "import/export slots", contents.import_export),
    ):
        if options.get(option) not in (None, len(places)):
            yield f"it has {len(places)} {words}, not {options[option]}"
    drives = options.get("drives")
    if drives is not None:
        if len(drives) != len(contents.drives):
            yield f"it has {len(contents.drives)} drives, not {len(drives)}"
        for drive in drives:
            if drive not in attached:
                yield f"drive {drive} is not on this host: look at its power and cable"
    if options.get("media") is not None:
        yield from _media_unmet(contents, options["media"], told=options["unexpected_media"] == "report")
    if options.get("cleaning_cartridge") and not any(place.cleaning for place in _full(contents)):
        yield "it has no cleaning cartridge"


def _media_unmet(contents: Contents, media: Mapping[str, Any], *, told: bool) -> Iterator[str]:
    barcodes = {place.barcode for place in _full(contents)}
    for barcode in sorted(set(media) - barcodes):
        yield f"tape {barcode} is not in it"
    for place in _full(contents) if told else ():
        if not place.barcode:
            yield f"{_spot_of(contents, place)} holds a tape without a barcode"
        elif place.barcode not in media and not place.cleaning:
            yield f"tape {place.barcode} in {_spot_of(contents, place)} is not expected"


def _full(contents: Contents) -> list[Place]:
    return [place for place in (*contents.drives.values(), *contents.slots.values()) if place.full]


def _spot_of(contents: Contents, place: Place) -> str:
    return f"{DRIVE if contents.drives.get(place.number) is place else SLOT} {place.number}"


def shown(contents: Contents) -> dict[str, Any]:
    """A library's content as modules return it."""
    return {
        "drives": [
            {"drive": place.number, "full": place.full, "barcode": place.barcode, "from_slot": place.home}
            for place in contents.drives.values()
        ],
        "slots": [
            {
                "slot": place.number,
                "full": place.full,
                "barcode": place.barcode,
                "import_export": place.import_export,
                "cleaning": place.cleaning,
            }
            for place in contents.slots.values()
        ],
    }
