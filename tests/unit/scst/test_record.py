# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is remembered of devices, and who may have a drive that is not here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import (
    Wanted,
    WantedGroup,
    WantedLun,
    towards,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import (
    Granted,
    Record,
    expected,
    located,
    parse,
    shared,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import DEFAULTS, Tree
from tests.unit.scst.model import CHANGER, DRIVE, OTHER, Model

TARGET = "iqn.2016-01.ar.hospital:ts3200"
SERVER, STRANGER = "iqn.1993-08.org.debian:01:server", "iqn.1993-08.org.debian:01:stranger"
HERE = Inventory(
    (
        ScsiDevice(CHANGER, 8, serial="LIB", by_id=("scsi-1LIB",)),
        ScsiDevice(DRIVE, 1, serial="DRV1", naa="naa.5", by_id=("scsi-35", "scsi-35-nst")),
        ScsiDevice(OTHER, 1),
    )
)


def running() -> Tree:
    model = Model()
    luns = {
        0: WantedLun(CHANGER, handler="dev_changer"),
        1: WantedLun(DRIVE, handler="dev_tape"),
        2: WantedLun(OTHER, handler="dev_tape"),
    }
    wanted = Wanted(settings=DEFAULTS, groups={"backup": WantedGroup(luns, (SERVER,))})
    model.do(towards(model.tree(), TARGET, wanted))
    return model.tree()


def test_a_device_is_remembered_by_all_its_names_and_one_without_by_none() -> None:
    found = expected(Record({}), running(), HERE)
    assert found.addresses == {CHANGER: ("LIB", "scsi-1LIB"), DRIVE: ("DRV1", "naa.5", "scsi-35", "scsi-35-nst")}
    assert {one.lun: one.names[0] for one in found.luns} == {0: "LIB", 1: "DRV1"}
    assert parse(found.text()) == found
    assert expected(found, running(), HERE) == found


def test_links_that_udev_has_not_made_are_known_still() -> None:
    """Or has taken for the drive that this host imports of its own export."""
    before = expected(Record({}), running(), HERE)
    bare = Inventory(tuple(replace(one, by_id=()) for one in HERE.devices))
    imported = ScsiDevice("9:0:0:1", 1, serial="DRV1", naa="naa.5", by_id=("scsi-35",), imported=True)
    for inventory in (bare, Inventory((*bare.devices, imported))):
        assert expected(before, running(), inventory) == before
        assert located(inventory, before.names_of("scsi-35")) == DRIVE


def test_a_changer_with_the_serial_of_its_drive_keeps_its_own_links() -> None:
    inventory = Inventory(
        (
            ScsiDevice(CHANGER, 8, serial="S", by_id=("changer",)),
            ScsiDevice(DRIVE, 1, serial="S", naa="naa.5", by_id=("drive",)),
        )
    )
    found = expected(Record({}), running(), inventory)
    assert found.addresses == {CHANGER: ("S", "changer"), DRIVE: ("S", "naa.5", "drive")}
    assert expected(found, running(), inventory) == found


OLD = Record({}, (Granted(TARGET, "backup", 1, ("DRV1", "naa.5"), handler="dev_tape"),))
WHO = {(TARGET, "backup"): (SERVER,), (TARGET, "second"): (STRANGER,), (f"{TARGET}.2", "other"): (STRANGER,)}


@pytest.mark.parametrize(
    "declared",
    [
        [Granted(TARGET, "backup", 1, ("NEW",)), Granted(TARGET, "second", 1, ("NEW",))],
        [Granted(TARGET, "backup", 1, ("DRV1",)), Granted(TARGET, "second", 1, ("naa.5",))],
        [Granted(f"{TARGET}.2", "other", 1, ("DRV1",))],
    ],
    ids=["never-seen", "by-two-names", "another-target"],
)
def test_a_drive_that_is_away_is_granted_to_one_initiator(declared: list[Granted]) -> None:
    """Otherwise it would be granted to two when it comes back."""
    elsewhere = [one for one in OLD.luns if one.target not in {item.target for item in declared}]
    problems = shared(declared, elsewhere, OLD, WHO)
    assert len(problems) == 1
    assert SERVER in problems[0] and STRANGER in problems[0] and declared[0].names[0] in problems[0]


@pytest.mark.parametrize(
    ("declared", "old"),
    [
        ([Granted(TARGET, "backup", 1, ("DRV1",)), Granted(TARGET, "second", 2, ("DRV2",))], OLD),
        ([Granted(TARGET, group, 0, ("LIB",), handler="dev_changer") for group in ("backup", "second")], OLD),
        (
            [Granted(TARGET, group, 0, ("LIB",)) for group in ("backup", "second")],
            Record({}, (Granted(TARGET, "backup", 0, ("LIB",), handler="dev_changer"),)),
        ),
    ],
    ids=["a-drive-each", "a-changer", "a-remembered-changer"],
)
def test_what_may_be_shared_is_not_refused(declared: list[Granted], old: Record) -> None:
    assert shared(declared, (), old, WHO) == []


def test_somebody_elses_old_mistake_stops_nobody() -> None:
    elsewhere = [Granted(TARGET, "backup", 1, ("DRV2",)), Granted(TARGET, "second", 1, ("DRV2",))]
    assert shared([Granted(TARGET, "backup", 2, ("DRV1",))], elsewhere, OLD, WHO) == []
