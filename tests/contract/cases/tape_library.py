# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of tape_library, which moves tapes: in the lab's library, or in a real one whose tapes go home afterwards."""

from __future__ import annotations

import re
from typing import Any

from tests.contract.case import Case, Doing, Scenario


def library(system: Any) -> str:
    return str(system.changer.serial)


def drives(system: Any) -> list[str]:
    return [drive.serial for drive in system.drives]


def first_drive(system: Any) -> str:
    return str(system.drives[0].serial)


def tapes(system: Any) -> dict[str, int]:
    """The slots of the tapes by barcode."""
    found = re.findall(r"Storage Element (\d+):Full.*VolumeTag\s*=\s*(\w+)", system.mtx("status"))
    return {barcode: int(slot) for slot, barcode in found if not barcode.startswith("CLN")}


def free(system: Any) -> list[int]:
    return [int(slot) for slot in re.findall(r"Storage Element (\d+):Empty", system.mtx("status"))]


def moved(system: Any) -> Any:
    """The first tape in a free slot, the others where they are."""
    barcodes = sorted(system.tapes)
    wanted = [{"barcode": barcodes[0], "slot": system.free_slot}]
    return [*wanted, *({"barcode": barcode} for barcode in barcodes[1:])]


def swapped(system: Any) -> Any:
    one, other = sorted(system.tapes)[:2]
    return [{"barcode": one, "slot": system.tapes[other]}, {"barcode": other, "slot": system.tapes[one]}]


def in_the_drive(system: Any) -> Any:
    return [{"barcode": min(system.tapes), "drive": first_drive(system)}]


def back_home(system: Any) -> Any:
    return [{"barcode": min(system.tapes), "slot": system.tapes[min(system.tapes)]}]


def known(system: Any) -> None:
    """What a case says of places, it says of those before anything moved."""
    system.tapes, system.free_slot = tapes(system), free(system)[0]


def loaded(system: Any) -> None:
    """The first tape is in the first drive."""
    known(system)
    system.mtx("load", str(system.tapes[min(system.tapes)]), "0")


def word(system: Any) -> str:
    return f"unload_drive:{first_drive(system)}"


BASE = {"library": library, "drives": drives, "unexpected_media": "ignore"}

CASE = Case(
    module="tape_library",
    subsystem="tape",
    base={"library": library},
    setup=known,
    options=(),
    several=[],
    doings=(
        Doing(
            "looks",
            {
                "library": library,
                "slots": 8,
                "import_export_slots": 1,
                "drives": drives,
                "cleaning_cartridge": True,
                "unexpected_media": "report",
            },
            unchanged=True,
            rests=True,
        ),
        Doing("transfer", {"library": library, "media": moved, "unexpected_media": "report"}, setup=known, rests=True),
        Doing("swap", {**BASE, "media": swapped}, setup=known, rests=True),
        Doing("load", {**BASE, "media": in_the_drive}, setup=known, rests=True),
        Doing("unload", {**BASE, "media": back_home, "allow": [word]}, setup=loaded, exercises=("media",), rests=True),
    ),
    consents=(
        Scenario(word, {**BASE, "media": back_home}, word, setup=loaded, label="unload_drive"),
        Scenario(
            "unload_drive:0",
            {"library": library, "media": back_home, "unexpected_media": "ignore"},
            "drive 0",
            setup=loaded,
            label="unload_drive[by number]",
        ),
    ),
)
