# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The playbook evacuate, as a person runs it: a node without guests, and with them again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.upgrade_scene import HOME, Hospital, hospital_in


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with hospital_in(tmp_path) as found:
        yield found


def test_a_node_is_emptied_and_filled_again(hospital: Hospital) -> None:
    with_check = hospital.play("evacuate", "--check", evacuate_node="pve1")
    assert with_check.code == 0, with_check.text
    assert hospital.as_before() and hospital.lab.writes == []
    away = hospital.play("evacuate", evacuate_node="pve1")
    assert away.code == 0, away.text
    assert hospital.maintained == {"pve1"} and hospital.noted == {"evacuated-pve1"}
    # What does not run needs no node.
    assert [vmid for vmid, node in hospital.where.items() if node == "pve1"] == [105]
    assert hospital.running == set(HOME) - {105}
    again = hospital.play("evacuate", evacuate_node="pve1")
    assert again.code == 0 and not again.changed, again.text
    back = hospital.play("evacuate", evacuate_node="pve1", evacuate_back=True)
    assert back.code == 0, back.text
    assert hospital.as_before(), hospital.where
    nobody = hospital.play("evacuate", evacuate_node="pve1", evacuate_back=True)
    assert nobody.code != 0 and "Nobody remembers" in nobody.text


def test_what_cannot_move_is_named_before_anything_moves_and_shut_down_by_name_only(hospital: Hospital) -> None:
    hospital.lab.set_config(101, serial0="/dev/ttyS0")
    refused = hospital.play("evacuate", evacuate_node="pve1")
    assert refused.code != 0
    assert "guest 101 (vm101) cannot leave pve1" in refused.text and "stop_guest:101" in refused.text
    assert hospital.as_before() and hospital.lab.writes == []
    away = hospital.play("evacuate", evacuate_node="pve1", evacuate_allow=["stop_guest:101"])
    assert away.code == 0, away.text
    assert hospital.running == set(HOME) - {101, 105} and hospital.where[101] == "pve1"
    back = hospital.play("evacuate", evacuate_node="pve1", evacuate_back=True)
    assert back.code == 0, back.text
    assert hospital.as_before()


def test_of_two_empty_nodes_each_guest_finds_home(hospital: Hospital) -> None:
    hospital.lab.call(hospital.lab.cluster.ha_resources.clear)
    hospital.lab.call(setattr, hospital.lab.cluster.corosync, "qdevice", {"State": "Connected"})
    for node in ("pve1", "pve2"):
        away = hospital.play("evacuate", evacuate_node=node)
        assert away.code == 0, away.text
    assert {node for vmid, node in hospital.where.items() if vmid != 105} == {"pve3"}
    for node in ("pve1", "pve2"):
        back = hospital.play("evacuate", evacuate_node=node, evacuate_back=True)
        assert back.code == 0, back.text
    assert hospital.as_before(), hospital.where


def test_a_node_that_nobody_knows_is_refused(hospital: Hospital) -> None:
    run = hospital.play("evacuate", evacuate_node="pve9")
    assert run.code != 0 and "Say evacuate_node" in run.text
