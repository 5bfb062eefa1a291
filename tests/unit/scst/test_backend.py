# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Devices looked up before anything is planned, and what is saved when something fails half-way."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Guarded
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    UPDATE,
    Plan,
    Step,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst import conf, record
from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import (
    Wanted,
    WantedGroup,
    WantedLun,
    towards,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.backend import Finder, Places, ScstBackend
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice
from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import Granted, Record
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import DEFAULTS, Tree
from ansible_collections.hospital.continuity.plugins.module_utils.scst.sysfs import Attribute, Sysfs
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import TARGET
from tests.unit.scst.model import DRIVE, Model, ModelSysfs

NAME = "iqn.2016-01.ar.hospital:ts3200"
SERVER, STRANGER = "iqn.1993-08.org.debian:01:server", "iqn.1993-08.org.debian:01:stranger"


def quiet(words: Sequence[str], **_options: Any) -> Completed:
    """A host on which everything is in order."""
    return Completed(tuple(words), 0, "enabled\n", "")


def backend(tmp_path: Path) -> ScstBackend:
    places = Places(str(tmp_path / "tree"), str(tmp_path), str(tmp_path / "scst.conf"), str(tmp_path / "state"))
    return ScstBackend(places, runner=quiet)


def item(name: str, **groups: tuple[str, str]) -> Item:
    """A target with groups of an initiator and a drive each."""
    options = {
        group: {"initiators": (initiator,), "luns": {1: {"device": device}}}
        for group, (initiator, device) in groups.items()
    }
    return Item((name,), {"groups": options})


@pytest.mark.parametrize("second", ["the declaration", "another target's memory"])
def test_a_drive_that_is_away_is_not_granted_to_two(tmp_path: Path, second: str) -> None:
    here = backend(tmp_path)
    declared = [item(NAME, backup=(SERVER, "DRV1"))]
    if second == "the declaration":
        declared = [item(NAME, backup=(SERVER, "DRV1"), other=(STRANGER, "DRV1"))]
    else:
        text = f"TARGET_DRIVER iscsi {{\n TARGET {NAME}.2 {{\n GROUP g {{\n INITIATOR {STRANGER}\n }}\n }}\n}}\n"
        Path(here.places.conf).write_text(text)
        kept = Record({}, (Granted(f"{NAME}.2", "g", 0, ("DRV1",), handler="dev_tape"),))
        Path(here.places.state).mkdir()
        conf.store(str(Path(here.places.state, record.FILE)), kept.text().encode())
    with pytest.raises(InvalidInput, match=r"DRV1.*would be granted to") as caught:
        here.resolve(TARGET, Declaration(tuple(declared)))
    assert SERVER in str(caught.value) and STRANGER in str(caught.value)


def test_a_drive_is_found_by_a_link_that_udev_has_not_made() -> None:
    """Without a word it would be taken for missing, and its LUN away from who uses it."""
    drive = ScsiDevice("7:0:1:0", 1, serial="DRV1", naa="naa.5")
    imported = ScsiDevice("9:0:0:1", 1, serial="DRV1", naa="naa.5", by_id=("scsi-35",), imported=True)
    known = Record({}, (Granted(NAME, "backup", 1, ("DRV1", "naa.5", "scsi-35")),))
    for devices in ((drive,), (drive, imported)):
        finder = Finder(Tree(), Inventory(devices), known)
        found = finder.item(item(NAME, backup=(SERVER, "scsi-35")))
        assert (finder.missing, finder.problems) == ([], [])
        assert found.options["groups"]["backup"]["luns"][1]["device"] == "DRV1"
    finder = Finder(Tree(), Inventory((imported,)), known)
    finder.item(item(NAME, backup=(SERVER, "scsi-35")))
    assert "comes to this host itself by iSCSI" in finder.problems[0]


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"queued_commands": 64}, True),
        ({"groups": {"backup": {"initiators": (SERVER,)}}}, True),
        ({"groups": {"backup": {"luns": {0: {"device": "LIB"}}}}}, False),
        ({"groups": {"other": {"luns": {0: {"device": "LIB"}}}}}, False),
    ],
    ids=["nothing-of-groups", "nothing-of-luns", "other-luns", "other-groups"],
)
def test_a_drive_that_is_away_is_forgotten_only_by_who_says_so(
    tmp_path: Path, options: dict[str, Any], kept: bool
) -> None:
    """Another task sets something else of the target while the drive is in repair."""
    here = backend(tmp_path)
    (tmp_path / "sys/bus/scsi/devices/7:0:1:1/scsi_generic/sg8").mkdir(parents=True)
    (tmp_path / "sys/bus/scsi/devices/7:0:1:1/type").write_text("8\n")
    (tmp_path / "sys/bus/scsi/devices/7:0:1:1/vpd_pg80").write_bytes(b"\x01\x80\x00\x03LIB")
    Path(here.places.conf).write_text(f"TARGET_DRIVER iscsi {{\n TARGET {NAME} {{\n GROUP backup {{\n }}\n }}\n}}\n")
    Path(here.places.state).mkdir()
    away = Granted(NAME, "backup", 1, ("DRV1",), handler="dev_tape")
    conf.store(str(Path(here.places.state, record.FILE)), Record({}, (away,)).text().encode())
    here.resolve(TARGET, Declaration((Item((NAME,), options),)))
    here.apply(TARGET, Step(UPDATE, TARGET.name, (NAME,), before={}, after={}, options=("scst.conf",)))
    assert (away in here.remembered().luns) is kept


class Failing(ModelSysfs):
    """The second write is refused."""

    def write(self, parts: Sequence[str], text: str, *, shown: str = "", gone_is_fine: bool = False) -> None:
        if len(self.lines) == 1:
            raise ScstError("Input/output error", number=errno.EIO)
        super().write(parts, text, shown=shown, gone_is_fine=gone_is_fine)


def test_who_was_put_out_before_something_failed_is_not_back_after_a_boot(tmp_path: Path) -> None:
    model, here = Model(), backend(tmp_path)
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVER, STRANGER))
    model.do(towards(model.tree(), NAME, Wanted(settings=DEFAULTS, groups={"backup": group})))
    here.sysfs = Failing(model.machine)
    after = {
        "groups": {"backup": {"initiators": (SERVER,), "luns": {0: {"device": DRIVE, "handler": "dev_tape"}}}},
        "allowed_portals": ("10.10.90.*",),
    }
    with pytest.raises(ScstError, match="Input/output error"):
        here.apply(TARGET, Step(UPDATE, TARGET.name, (NAME,), before={}, after=after, options=("groups",)))
    text = Path(here.places.conf).read_text()
    assert SERVER in text and STRANGER not in text
    assert "10.10.90" not in text, "only what runs"


def test_a_new_target_that_moves_a_device_asks_for_the_sessions_of_others(tmp_path: Path) -> None:
    model, here = Model(), backend(tmp_path)
    group = WantedGroup({0: WantedLun(DRIVE, handler="dev_tape")}, (SERVER,))
    model.do(towards(model.tree(), NAME, Wanted(settings=DEFAULTS, groups={"backup": group})))
    assert model.login(NAME, SERVER)
    here.sysfs = model.sysfs
    fast = {"initiators": (SERVER,), "luns": {0: {"device": DRIVE, "handler": "dev_tape_perf"}}}
    step = Step(CREATE, TARGET.name, (f"{NAME}.2",), after={"groups": {"backup": fast}})
    assert isinstance(here, Guarded)
    (consent,) = here.consents(TARGET, Plan((step,)), Declaration(()))[step.key]
    assert consent.word == f"cut_session:{NAME}"
    assert SERVER in consent.loses


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENODEV])
def test_a_session_that_ends_while_it_is_looked_at_is_no_error(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The kernel says ENODEV for a file that was there when it was opened."""

    def gone(*_arguments: Any, **_options: Any) -> Any:
        raise OSError(number, os.strerror(number))

    sysfs = Sysfs("/nonexistent")
    monkeypatch.setattr(Path, "read_text", gone)
    monkeypatch.setattr(Path, "iterdir", gone)
    monkeypatch.setattr(os, "open", gone)
    assert sysfs.read("sessions", "one", "cid") == Attribute("")
    assert sysfs.names("sessions", "one") == []
    sysfs.write(("sessions", "one", "force_close"), "1", gone_is_fine=True)
    with pytest.raises(ScstError):
        sysfs.write(("sessions", "one", "force_close"), "1")
