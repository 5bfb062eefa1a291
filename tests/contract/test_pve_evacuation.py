# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What pve_evacuation_info says of nodes as the API describes them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

MODULE = "pve_evacuation_info"


def look(pve: Any, *nodes: str, **options: Any) -> Any:
    with pve.unwritten():
        result: Result = succeeded(pve.run(MODULE, nodes=list(nodes), **options))
    return result.data


def test_each_reason_is_named_and_the_word_that_would_do(lab: Any, pve: Any) -> None:
    vmids = lab.add_guests(3, first_vmid=pve.vmid(0), running=True)
    (container,) = lab.add_guests(1, first_vmid=pve.vmid(5), running=True, kind="lxc")
    (local,) = lab.add_guests(1, first_vmid=pve.vmid(6), running=True, storage="local-lvm")
    for vmid in (*vmids, container, local):
        lab.move_guest(vmid, "pve1")
    lab.set_config(vmids[1], hostpci0="0000:01:00.0")
    lab.lock_guest(vmids[2], "backup")
    (one,) = look(pve, "pve1")["evacuations"]
    text = " ".join(one["refused"])
    for vmid, why in (
        (vmids[1], "hostpci0"),
        (vmids[2], "locked (backup)"),
        (container, "container"),
        (local, "scsi0"),
    ):
        (sentence,) = [sentence for sentence in one["refused"] if f"guest {vmid} " in sentence]
        assert why in sentence, text
    assert f"guest {vmids[0]} " not in text
    words = {f"stop_guest:{vmids[1]}", f"restart_guest:{container}", f"stop_guest:{local}"}
    assert set(one["missing"]) == words
    (still,) = look(pve, "pve1", allow=sorted(words))["evacuations"]
    assert list(still["refused"]) == [text for text in one["refused"] if "locked" in text]
    assert {row["vmid"] for row in one["guests"]} == {*vmids, container, local}


def test_no_room(lab: Any, pve: Any) -> None:
    (vmid,) = lab.add_guests(1, first_vmid=pve.vmid(0), running=True)
    lab.move_guest(vmid, "pve1")
    (fits,) = look(pve, "pve1")["evacuations"]
    assert not fits["refused"]
    (none,) = look(pve, "pve1", memory_reserved=dict.fromkeys(pve.nodes, 64))["evacuations"]
    assert "of memory left" in none["refused"][0]


def test_what_is_wrong_is_told(lab: Any, pve: Any) -> None:
    lab.node_offline("pve2")
    found = look(pve, "pve1", "pve2")
    assert [row["online"] for row in found["nodes"] if row["node"] == "pve2"] == [False]
    assert any(row["state"] == "offline" for row in found["health"])
    assert "pve2 is offline" in found["evacuations"][1]["refused"]


def test_a_release_whose_guests_nothing_here_moves(lab: Any, pve: Any) -> None:
    lab.call(setattr, lab.cluster, "release_version", "8.4")
    (one,) = look(pve, "pve1")["evacuations"]
    assert "Proxmox VE 8.4" in one["refused"][0]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"nodes": ["pve99"]}, "pve99"),
        ({"allow": ["stop_guest : 1"]}, "allow"),
        ({"allow": ["destroy_guest:1"]}, "destroy_guest"),
        ({"memory_reserved": {"pve1": "much"}}, "memory_reserved"),
        ({"memory_reserved": {"pve1": -1}}, "memory_reserved"),
        ({"memory_reserved_default": -1}, "memory_reserved_default"),
        ({"targetstorage": ["a:b"]}, "targetstorage"),
    ],
)
def test_options_that_make_no_sense(pve: Any, options: dict[str, Any], named: str) -> None:
    assert named in refused(pve.run(MODULE, **options)).message
