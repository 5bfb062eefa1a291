# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What only a cluster's configuration has: Pacemaker judges it as a whole, and so it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.case import PREFIX
from tests.contract.cases.pacemaker_cib import BASE, NAME, PLACE, place
from tests.contract.invocation import run_module
from tests.contract.system import refused, succeeded

NOWHERE = {"id": PLACE, "section": "constraints", "element": place(100)}


@pytest.fixture
def pacemaker(system_of: Callable[[str], Any]) -> Iterator[Any]:
    system = system_of("pacemaker")
    system.reset()
    yield system
    system.reset()


@pytest.mark.parametrize("check", [True, False])
def test_what_pacemaker_does_not_take_is_said_before_anything_is_written(pacemaker: Any, check: bool) -> None:
    before = pacemaker.inventory()
    with pacemaker.unwritten():
        result = refused(pacemaker.run("pacemaker_cib", [BASE, NOWHERE], check=check))
    assert "Pacemaker does not take this configuration" in result.message
    assert f"{PREFIX}web" in result.message, "what is wrong is named"
    assert pacemaker.inventory() == before


def test_a_resource_that_a_constraint_speaks_of_is_not_taken_away_alone(pacemaker: Any) -> None:
    item = {**NOWHERE, "element": place(100).replace(f"{PREFIX}web", NAME)}
    succeeded(pacemaker.run("pacemaker_cib", [item, BASE]))
    with pacemaker.unwritten():
        refused(pacemaker.run("pacemaker_cib", [{"id": NAME}], state="absent"))
    assert succeeded(pacemaker.run("pacemaker_cib", [{"id": NAME}, {"id": PLACE}], state="absent")).changed


def test_all_of_a_task_is_one_write(pacemaker: Any) -> None:
    item = {**NOWHERE, "element": place(100).replace(f"{PREFIX}web", NAME)}
    succeeded(pacemaker.run("pacemaker_cib", [item, BASE]))
    assert pacemaker.writes() == 1


def test_what_others_made_stays_as_it_is(pacemaker: Any) -> None:
    before = pacemaker.element("fence"), pacemaker.element("1")
    succeeded(pacemaker.run("pacemaker_cib", [BASE]))
    succeeded(pacemaker.run("pacemaker_cib", [{"id": NAME}], state="absent"))
    assert (pacemaker.element("fence"), pacemaker.element("1")) == before
    assert pacemaker.element("fence")


def test_a_cluster_that_does_not_run_is_said(pacemaker: Any) -> None:
    with pacemaker.fault("unreadable"), pacemaker.unwritten():
        result = refused(pacemaker.run("pacemaker_cib", [BASE]))
    assert "cannot be read" in result.message and "systemctl status pacemaker" in result.message
    assert succeeded(pacemaker.run("pacemaker_cib", [BASE])).changed


def test_what_is_wrong_elsewhere_does_not_keep_a_change_back(pacemaker: Any) -> None:
    """Without a fence device Pacemaker complains of every configuration, also of the one that mends something else."""
    pacemaker.console("cibadmin", "--delete", "--xml-text", '<primitive id="fence"/>')
    succeeded(pacemaker.run("pacemaker_cib", [BASE]))
    with pacemaker.unwritten():
        assert "does not take" in refused(pacemaker.run("pacemaker_cib", [NOWHERE])).message


def test_a_fence_device_is_not_taken_away_unasked(pacemaker: Any) -> None:
    second = '<primitive id="hct-second" class="stonith" type="fence_dummy"/>'
    succeeded(pacemaker.run("pacemaker_cib", [{"id": "hct-second", "section": "resources", "element": second}]))
    gone = {"config": [{"id": "hct-second"}], "state": "absent"}
    with pacemaker.unwritten():
        assert "run_unfenced" in refused(run_module("pacemaker_cib", gone)).message
    assert succeeded(run_module("pacemaker_cib", {**gone, "allow": ["run_unfenced"]})).changed


def test_an_answer_that_is_no_xml_is_told(pacemaker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "cibadmin"
    program.write_text("#!/bin/sh\necho 'warning: something odd'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "no XML" in refused(pacemaker.run("pacemaker_cib", [BASE])).message


def test_a_timeout_is_a_number_of_seconds(pacemaker: Any) -> None:
    assert "timeout: 0" in refused(pacemaker.run("pacemaker_cib", [BASE], timeout=0)).message
