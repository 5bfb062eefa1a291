# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Hundreds of guests in one task: bounded, converging after a failure in the middle, and cheap when nothing differs."""

from __future__ import annotations

from typing import Any

import pytest

from lab.pve import Lab
from tests.integration.guest_runs import Guests

MANY = 450


def declared() -> list[dict[str, Any]]:
    return [
        {
            "vmid": 1000 + number,
            "name": f"guest{number}",
            "node": f"pve{number % 4 + 1}",
            "memory": 1024,
            "disks": [{"slot": "scsi0", "storage": "shared", "size": "8G"}],
            "nics": [{"slot": "net0", "bridge": "vmbr0"}],
        }
        for number in range(MANY)
    ]


@pytest.mark.parametrize("k", [3, 200])
def test_one_failing_write_of_many_leaves_the_others_and_is_made_good(k: int) -> None:
    with Lab(nodes=4) as lab:
        guests, items = Guests(lab), declared()
        lab.fail_requests("POST", "/qemu$", 500, "lab: the disk is full", after=k)
        outcome = guests.vm(*items)
        outcomes = [result.outcome for result in outcome.results]
        assert outcomes.count("failed") == 1
        assert outcomes.count("done") == MANY - 1
        assert "the disk is full" in outcome.failure
        assert f"Done: {MANY - 1}" in outcome.failure
        again = guests.vm(*items)
        assert not again.failure
        assert len(again.results) == 1
        lab.reset_counters()
        assert not guests.vm(*items).changed
        assert len(lab.requests) == MANY + 1
        assert lab.writes == []
