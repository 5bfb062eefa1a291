# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The playbook upgrade, as a person runs it, and what can go wrong in its middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.pve.fleet import NEW_KERNEL
from tests.integration.upgrade_scene import HOME, Hospital, ended, hospital_in


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with hospital_in(tmp_path) as found:
        yield found


def test_all_nodes_are_upgraded_and_nobody_notices(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager", "qemu-server", kernel=True)
    # On a node whose packages are installed nothing runs, and no other node is away.
    seen: list[tuple[str, set[str], list[int]]] = []
    fleet = hospital.fleet
    fleet.while_upgrading = lambda node: seen.append(
        (node, hospital.maintained, [vmid for vmid, at in hospital.where.items() if at == node and vmid != 105])
    )
    with_check = hospital.play("upgrade", "--check")
    assert with_check.code == 0, with_check.text
    assert "pve1: 3 packages" in with_check.text and f"kernel {NEW_KERNEL}" not in with_check.text
    assert hospital.as_before() and hospital.lab.writes == [] and fleet.upgrades() == []
    run = hospital.play("upgrade")
    assert run.code == 0, run.text
    # The lightest first: pve3 runs one guest, the others two.
    assert seen == [(node, {node}, []) for node in ("pve3", "pve1", "pve2")]
    assert {machine.running for machine in fleet.machines.values()} == {NEW_KERNEL}
    assert [machine.reboots for machine in fleet.machines.values()] == [1, 1, 1]
    assert hospital.as_before(), (hospital.where, hospital.noted)
    again = hospital.play("upgrade")
    assert again.code == 0 and not again.changed, again.text
    assert len(fleet.upgrades()) == 3


def test_a_node_that_has_everything_is_left_alone_and_one_that_only_waits_for_its_reboot_is_not(
    hospital: Hospital,
) -> None:
    hospital.fleet.machines["pve2"].kernels.append(NEW_KERNEL)
    run = hospital.play("upgrade")
    assert run.code == 0, run.text
    assert [machine.reboots for machine in hospital.fleet.machines.values()] == [0, 1, 0]
    assert hospital.fleet.upgrades() == [] and hospital.as_before()


def test_what_cannot_be_done_to_the_end_is_not_begun(hospital: Hospital) -> None:
    """A guest of the last node cannot move; a package would go; Proxmox VE itself would."""
    hospital.fleet.offer("pve-manager")
    hospital.lab.set_config(102, hostpci0="0000:01:00.0")
    run = hospital.play("upgrade")
    assert run.code != 0 and "Nothing was done" in run.text and "guest 102 (vm102) cannot leave pve2" in run.text
    hospital.lab.set_config(102, hostpci0=None)
    hospital.fleet.machines["pve1"].removed = ["libold1"]
    run = hospital.play("upgrade")
    assert run.code != 0 and "remove_package:libold1" in run.text
    hospital.fleet.machines["pve1"].removed = ["proxmox-ve"]
    run = hospital.play("upgrade", upgrade_allow=["remove_package:proxmox-ve"])
    assert run.code != 0 and "its repositories do not belong together" in run.text
    assert hospital.as_before() and hospital.lab.writes == [] and hospital.fleet.upgrades() == []


def test_no_room_for_the_guests_of_a_node(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager")
    for vmid in (100, 101):
        hospital.lab.set_config(vmid, memory=str(61 * 1024))
        hospital.lab.call(setattr, hospital.lab.cluster.guest(vmid), "booted_memory", 61 * 1024**3)
    run = hospital.play("upgrade")
    assert run.code != 0 and "pve1 cannot be emptied" in run.text and "of memory left" in run.text
    assert hospital.as_before() and hospital.lab.writes == [] and hospital.fleet.upgrades() == []


def test_quorum_that_is_lost_in_the_middle_stops_it_and_the_next_run_goes_on(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager", nodes=("pve1", "pve3"))
    hospital.fleet.while_upgrading = lambda node: hospital.lab.lose_quorum() if node == "pve1" else None
    run = hospital.play("upgrade")
    assert run.code != 0 and "has no quorum" in run.text
    assert "Stopped at pve1" in run.text and "Remaining: pve1." in run.text and "Done: pve3." in run.text
    assert "Its guests are on other nodes" in run.text
    assert hospital.maintained == {"pve1"} and hospital.running == set(HOME) - {105}
    still = hospital.play("upgrade")
    assert still.code != 0 and "has no quorum" in still.text and hospital.fleet.upgrades() == ["pve3", "pve1"]
    hospital.lab.regain_quorum()
    hospital.fleet.while_upgrading = lambda _node: None
    again = hospital.play("upgrade")
    assert again.code == 0, again.text
    assert hospital.fleet.upgrades() == ["pve3", "pve1"] and hospital.as_before()


def test_a_guest_that_refuses_on_its_way_stops_it_and_the_next_run_goes_on(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager", nodes=("pve1",))
    hospital.lab.fail_tasks("qmigrate", "migration aborted", log=["ERROR: can't connect"])
    run = hospital.play("upgrade")
    assert run.code != 0 and "guest 101 (vm101) did not get to" in run.text and "can't connect" in run.text
    assert hospital.fleet.upgrades() == [] and hospital.running == set(HOME) - {105}
    assert "run" not in hospital.noted
    again = hospital.play("upgrade")
    assert again.code == 0, again.text
    assert hospital.fleet.upgrades() == ["pve1"] and hospital.as_before()


def test_packages_that_fail_stop_it_before_the_next_node(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager")
    hospital.fleet.machines["pve3"].broken = True
    run = hospital.play("upgrade")
    assert run.code != 0 and "Stopped at pve3" in run.text and "Done: none." in run.text
    assert hospital.fleet.upgrades() == ["pve3"] and hospital.maintained == {"pve3"}


def test_mirrors_that_do_not_answer_are_no_sign_that_there_is_nothing_to_do(hospital: Hospital) -> None:
    hospital.fleet.machines["pve2"].mirrors = False
    run = hospital.play("upgrade")
    assert run.code != 0 and "Failed to fetch" in run.text and "pve2" in run.text
    assert hospital.as_before() and hospital.lab.writes == [] and hospital.fleet.upgrades() == []


def test_a_node_that_does_not_come_back_stops_it_and_the_next_run_goes_on(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager", nodes=("pve3", "pve1"), kernel=True)
    hospital.fleet.machines["pve3"].returns = False
    run = hospital.play("upgrade")
    assert run.code != 0 and "Stopped at pve3" in run.text and "Remaining: pve3, pve1." in run.text
    assert "node pve3" in run.text and hospital.fleet.upgrades() == ["pve3"]
    assert hospital.running == set(HOME) - {105} and 104 not in hospital.fleet.lost
    hospital.lab.node_online("pve3")
    again = hospital.play("upgrade", upgrade_nodes=["pve3"])
    assert again.code == 0, again.text
    assert (
        hospital.fleet.upgrades() == ["pve3"] and hospital.fleet.machines["pve3"].reboots == 1 and hospital.as_before()
    )


def test_replication_that_fails_afterwards_stops_it(hospital: Hospital) -> None:
    """And its guests stay where they are."""
    hospital.fleet.offer("pve-manager", nodes=("pve3", "pve1"))
    job = {"type": "local", "target": "pve1", "source": "pve2"}
    hospital.lab.call(hospital.lab.cluster.replication.__setitem__, "102-0", job)
    hospital.fleet.while_upgrading = lambda _node: hospital.lab.fail_replication("102-0", "no route to host")
    run = hospital.play("upgrade")
    assert run.code != 0 and "Stopped at pve3" in run.text and "102-0" in run.text and "no route to host" in run.text
    assert hospital.fleet.upgrades() == ["pve3"] and hospital.maintained == {"pve3"}


def test_two_runs_at_once_are_one_run(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager", nodes=("pve3",))
    held, go_on = threading.Event(), threading.Event()

    def wait(_node: str) -> None:
        held.set()
        go_on.wait(900)

    hospital.fleet.while_upgrading = wait
    first = hospital.start("upgrade")
    try:
        hospital.until(first, held.is_set)
        writes = len(hospital.lab.writes)
        # What is in the middle of its upgrade is in maintenance; that alone would not tell the second who is at work.
        for playbook, told in (("upgrade", {}), ("evacuate", {"evacuate_node": "pve2"})):
            second = hospital.play(playbook, **told)
            assert second.code != 0 and "Another run is at work" in second.text, second.text
            assert "upgrading pve3" in second.text and "take_note:" in second.text
        assert len(hospital.lab.writes) == writes
    finally:
        go_on.set()
    done = ended(first)
    assert done.code == 0, done.text
    assert hospital.fleet.upgrades() == ["pve3"] and hospital.as_before()


@pytest.mark.parametrize("moment", ["moving", "installing"])
def test_killed_in_the_middle_and_run_again(hospital: Hospital, moment: str) -> None:
    hospital.fleet.offer("pve-manager", nodes=("pve1",))
    held, go_on = threading.Event(), threading.Event()

    def wait(_node: str) -> None:
        held.set()
        go_on.wait(900)

    hospital.fleet.while_upgrading = wait
    first = hospital.start("upgrade")
    hospital.until(first, held.is_set if moment == "installing" else lambda: hospital.maintained == {"pve1"})
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert "run" in hospital.noted
    go_on.set()
    again = hospital.play("upgrade")
    assert again.code == 0, again.text
    assert "Taken over" in again.text and "that process is gone" in again.text
    assert hospital.as_before(), (hospital.where, hospital.noted)
    assert hospital.fleet.machines["pve1"].pending == []


def test_a_major_release_obeys_the_distributions_checklist(hospital: Hospital) -> None:
    machine = hospital.fleet.machines["pve1"]
    machine.pending = [("pve-manager", "9.4.2", "10.0.1")]
    hospital.fleet.checklist = (
        "PASS: all packages up-to-date\nFAIL: no valid subscription\nWARN: less than 10 GB free\n"
    )
    failing = hospital.play("upgrade")
    assert (
        failing.code != 0 and "not ready for Proxmox VE 10" in failing.text and "no valid subscription" in failing.text
    )
    hospital.fleet.checklist = "PASS: all packages up-to-date\nWARN: less than 10 GB free\n"
    warned = hospital.play("upgrade")
    assert warned.code != 0 and "checklist_warnings:pve1" in warned.text
    assert hospital.fleet.upgrades() == [] and hospital.lab.writes == []
    accepted = hospital.play("upgrade", upgrade_allow=["checklist_warnings:pve1"])
    assert accepted.code == 0, accepted.text
    assert hospital.fleet.upgrades() == ["pve1"] and hospital.as_before()


def test_a_node_that_was_emptied_for_another_reason_is_left_alone(hospital: Hospital) -> None:
    hospital.fleet.offer("pve-manager")
    away = hospital.play("evacuate", evacuate_node="pve1")
    assert away.code == 0, away.text
    run = hospital.play("upgrade")
    assert run.code != 0 and "pve1 was emptied by evacuate" in run.text
    assert hospital.fleet.upgrades() == [] and hospital.maintained == {"pve1"}
