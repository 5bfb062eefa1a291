# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Backups as storages list them, and what a backup task's log says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.archives import (
    SKEW,
    Archive,
    Report,
    archives_of,
    errors_in,
    is_newer,
    newest,
    reachable,
    report_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.cluster import cluster_of

NOW = 1_800_000_000
# As the recorded tasks said it (23-tasks.txt); the line that ends one well is Proxmox VE's own form.
FAILED = """INFO: starting new backup job: vzdump 330 --mode stop --storage local --node pve1
INFO: Starting Backup of VM 330 (qemu)
INFO: status = running
INFO: backup mode: stop
ERROR: Backup of VM 330 failed - VM 330 qmp command 'query-backup' failed - The command query-backup has not been found
INFO: Failed at 2026-11-22 00:57:48
INFO: Backup job finished with errors
TASK ERROR: job errors""".splitlines()


@pytest.mark.parametrize(
    ("volid", "kind", "vmid"),
    [
        ("local:backup/vzdump-qemu-100-2026_11_22-00_57_55.vma.zst", "qemu", 100),
        ("nas:backup/vzdump-lxc-4711-2026_11_22-00_57_55.tar.gz", "lxc", 4711),
        ("pbs:backup/vm/100/2026-11-22T00:57:55Z", "qemu", 100),
        ("pbs:backup/ct/101/2026-11-22T00:57:55Z", "lxc", 101),
    ],
)
def test_whose_backup_it_is(volid: str, kind: str, vmid: int) -> None:
    (found,) = archives_of("s", "pve1", [{"volid": volid, "content": "backup", "ctime": 5, "size": 7}])
    assert (found.kind, found.vmid, found.time, found.size) == (kind, vmid, 5, 7)


@pytest.mark.parametrize(
    "row",
    [
        {"volid": "local:iso/debian.iso", "content": "iso"},
        {"volid": "local:backup/notes.txt", "content": "backup"},
        {"volid": "pbs:backup/host/pve1/2026-11-22T00:57:55Z", "content": "backup"},
    ],
)
def test_what_is_no_guests_backup(row: dict[str, str]) -> None:
    assert archives_of("s", "pve1", [row]) == []


def test_a_shared_storages_backups_can_be_read_by_all_that_are_on() -> None:
    rows = [{"type": "node", "node": f"pve{n}", "status": "online" if n < 3 else "offline"} for n in (1, 2, 3)]
    rows += [{"type": "storage", "storage": "nas", "node": f"pve{n}", "shared": 1} for n in (1, 2, 3)]
    mine = Archive("local:x", 100, "qemu", "local", ("pve1",), time=2)
    (first, second) = reachable([Archive("nas:x", 100, "qemu", "nas", ("pve1",), True, 1), mine], cluster_of(rows))
    assert first == mine
    assert second.nodes == ("pve1", "pve2")


def test_the_recorded_failure() -> None:
    assert report_of(FAILED) == Report("stop", None)
    (text,) = errors_in(FAILED)
    assert text.endswith("The command query-backup has not been found")


def test_one_that_ended_well() -> None:
    lines = ["INFO: backup mode: snapshot", "INFO: Finished Backup of VM 100 (01:02:03)"]
    assert report_of(lines) == Report("snapshot", 3723)


times = st.integers(min_value=0, max_value=2 * NOW)


@given(st.lists(st.tuples(times, st.booleans()), max_size=20), st.integers(min_value=1, max_value=10**9))
def test_the_newest_is_whole_and_not_of_the_future(ages: list[tuple[int, bool]], limit: int) -> None:
    archives = [Archive(str(n), 100, "qemu", "s", time=time, broken=broken) for n, (time, broken) in enumerate(ages)]
    found = newest(archives, NOW)
    usable = [time for time, broken in ages if not broken and time <= NOW + SKEW]
    assert (found.time if found else None) == max(usable, default=None)
    assert is_newer(found, NOW, limit) == any(NOW - time < limit for time in usable)
    assert not is_newer(found, NOW, None), "without a limit it is made in any case"
