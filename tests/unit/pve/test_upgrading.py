# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What an upgrade decides from what programs and the API say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.upgrading import (
    DOUBTFUL,
    Package,
    Pending,
    checklist,
    doubts,
    kernel_to_start,
    order,
    pending,
)

SIMULATED = """NOTE: This is only a simulation!
Reading package lists...
Calculating upgrade...
The following NEW packages will be installed:
  proxmox-kernel-6.17.4-1-pve-signed
Remv libold1 [1.0-1]
Inst libpve-common-perl [9.0.11] (9.0.15 Proxmox Debian repo:stable [all])
Inst pve-manager [9.1.1] (9.1.4 Proxmox Debian repo:stable [all]) [libpve-common-perl:amd64 ]
Inst proxmox-kernel-6.17.4-1-pve-signed (6.17.4-1 Proxmox Debian repo:stable [amd64])
Conf pve-manager (9.1.4 Proxmox Debian repo:stable [all])
"""


def test_what_apt_would_do() -> None:
    assert pending(SIMULATED) == Pending(
        (
            Package("libpve-common-perl", "9.0.11", "9.0.15"),
            Package("pve-manager", "9.1.1", "9.1.4"),
            Package("proxmox-kernel-6.17.4-1-pve-signed", "", "6.17.4-1"),
        ),
        ("libold1",),
    )
    assert pending("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n") == Pending()


@pytest.mark.parametrize(("old", "new", "major"), [("8.4.14", "9.0.3", (8, 9)), ("9.1.1", "9.2.0", None)])
def test_a_major_release_is_noticed(old: str, new: str, major: Any) -> None:
    assert pending(f"Inst pve-manager [{old}] ({new} Proxmox:stable [all])\n").major == major


KERNELS = """Manually selected kernels:
None.

Automatically selected kernels:
6.17.10-1-pve
6.17.9-2-pve
6.8.12-15-pve
"""


@pytest.mark.parametrize(
    ("text", "kernel"),
    [
        (KERNELS, "6.17.10-1-pve"),
        (f"{KERNELS}\nPinned kernel:\n6.8.12-15-pve\n", "6.8.12-15-pve"),
        (f"{KERNELS}\nPinned kernel:\n6.8.12-15-pve\n\nKernel pinned on next-boot:\n6.17.9-2-pve\n", "6.17.9-2-pve"),
        ("", ""),
    ],
)
def test_the_kernel_that_starts_next(text: str, kernel: str) -> None:
    assert kernel_to_start(text) == kernel


def test_the_checklist_is_obeyed_and_not_guessed() -> None:
    text = "= CHECKING VERSION =\n\nPASS: all packages up-to-date\n\x1b[33mWARN: systemd-boot is installed\x1b[0m\n"
    assert checklist(text) == {"failures": [], "warnings": ["systemd-boot is installed"]}
    assert checklist(f"{text}FAIL: no quorum\n")["failures"] == ["no quorum"]
    assert checklist("command not found")["failures"] and checklist("")["failures"]


@pytest.mark.parametrize("state", DOUBTFUL)
def test_what_is_wrong_stops_it_unless_somebody_knows_of_it(state: str) -> None:
    health = [{"subject": "storage old", "state": state, "message": "Storage old is not active."}]
    assert doubts(health) == ["Storage old is not active."]
    assert doubts(health, {"storage old"}) == []


def test_what_can_wait_stops_nothing() -> None:
    assert doubts([{"subject": "backup", "state": "incomplete", "message": "In no backup job: 9."}]) == []


def test_what_was_begun_is_finished_first_and_then_the_lightest_is_next() -> None:
    rows = [
        {"host": "a", "node": "pve1", "work": True},
        {"host": "b", "node": "pve2", "work": True},
        {"host": "c", "node": "pve3", "work": False},
        {"host": "d", "node": "pve4", "work": True, "begun": True},
    ]
    memory = {"pve1": 30, "pve2": 20, "pve3": 0, "pve4": 90}
    assert order(rows, [{"node": node, "memory": size} for node, size in memory.items()]) == ["d", "b", "a"]
    assert order(rows) == ["d", "a", "b"]
