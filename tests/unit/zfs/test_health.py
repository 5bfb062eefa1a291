# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The verdict of a pool: what is bad, what is worth a look, and what only should be known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.health import NO_REDUNDANCY, health, not_imported
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus, Scan, Vdev
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import Waiting

NOW = 1_800_000_000
DAY = 86400
MIRROR = Vdev("mirror-0", "mirror", "ONLINE", children=(Vdev("a", "disk", "ONLINE"), Vdev("b", "disk", "ONLINE")))
SPARE = Vdev("c", "disk", "AVAIL")
WELL = PoolStatus(
    "tank",
    "ONLINE",
    vdevs={"normal": (MIRROR,), "spare": (SPARE,)},
    scan=Scan("scrub", "finished", NOW - 3 * DAY - 60, NOW - 3 * DAY),
)


def verdict(pool: PoolStatus, **more: Any) -> dict[str, Any]:
    given = {"capacity": 40, "last_scrub": None, "created": NOW - 400 * DAY, "now": NOW, **more}
    return health(pool, **given)


def leaf(pool: PoolStatus, **changed: Any) -> PoolStatus:
    """The pool with its second disk changed."""
    first, second = MIRROR.children
    mirror = replace(MIRROR, state=changed.get("state", "ONLINE"), children=(first, replace(second, **changed)))
    return replace(pool, vdevs={**pool.vdevs, "normal": (mirror,)})


def test_a_pool_that_is_well() -> None:
    found = verdict(WELL)
    assert (found["verdict"], found["reasons"]) == ("ok", [])
    assert found["scrub_age"] == 3 * DAY
    assert found["spares"] == [{"disk": "c", "state": "available"}]
    assert found["redundancy"] == 1


def test_one_volume_of_a_hardware_raid_is_well_and_told() -> None:
    found = verdict(replace(WELL, vdevs={"normal": (Vdev("lun", "disk", "ONLINE"),)}))
    assert found["verdict"] == "ok"
    assert found["reasons"] == [NO_REDUNDANCY]
    assert found["redundancy"] == 0


@pytest.mark.parametrize(
    ("pool", "more", "expected", "told"),
    [
        (replace(leaf(WELL, state="REMOVED"), state="DEGRADED"), {}, "critical", "No further disk may fail"),
        (replace(leaf(WELL, state="REMOVED"), state="DEGRADED"), {}, "critical", "b is REMOVED"),
        (replace(WELL, state="SUSPENDED"), {}, "critical", "SUSPENDED"),
        (leaf(WELL, errors=(0, 0, 7)), {}, "warning", "7 checksum"),
        (replace(WELL, data_errors=2), {}, "critical", "files are damaged"),
        (WELL, {"capacity": 83}, "warning", "83 percent"),
        (WELL, {"capacity": 99}, "critical", "writing fails soon"),
        (replace(WELL, scan=Scan("scrub", "finished", None, NOW - 50 * DAY)), {}, "warning", "50 days ago"),
        (replace(WELL, scan=Scan()), {}, "warning", "never scrubbed"),
        (replace(WELL, scan=Scan("scrub", "finished", None, NOW - DAY, errors=1)), {}, "warning", "met 1 errors"),
        (replace(WELL, scan=Scan("scrub", "paused", NOW - 400 * DAY)), {}, "warning", "400 days ago and is not over"),
        (replace(WELL, vdevs={}), {}, "critical", "could not be read"),
        (replace(WELL, scan=Scan("resilver", "scanning", NOW)), {"last_scrub": NOW - DAY}, "warning", "resilvering"),
        (
            replace(WELL, scan=Scan("resilver", "finished", None, NOW)),
            {"last_scrub": NOW - 60 * DAY},
            "warning",
            "60 days",
        ),
    ],
)
def test_what_is_not_well(pool: PoolStatus, more: dict[str, Any], expected: str, told: str) -> None:
    found = verdict(pool, **more)
    assert found["verdict"] == expected
    assert told in " ".join(found["reasons"])


def test_a_scrub_that_a_resilver_hides_still_counts() -> None:
    found = verdict(replace(WELL, scan=Scan("resilver", "finished", None, NOW)), last_scrub=NOW - DAY)
    assert (found["verdict"], found["scrub_age"]) == ("ok", DAY)


def test_a_new_pool_is_not_blamed_for_never_having_been_scrubbed() -> None:
    found = verdict(replace(WELL, scan=Scan()), created=NOW - DAY)
    assert (found["verdict"], found["scrub_age"]) == ("ok", None)


def test_a_spare_at_work() -> None:
    first, second = MIRROR.children
    stand_in = Vdev(
        "spare-1", "spare", "DEGRADED", children=(replace(second, state="FAULTED"), Vdev("c", "disk", "ONLINE"))
    )
    mirror = replace(MIRROR, state="DEGRADED", children=(first, stand_in))
    pool = replace(WELL, state="DEGRADED", vdevs={"normal": (mirror,), "spare": (replace(SPARE, state="INUSE"),)})
    found = verdict(pool)
    assert found["verdict"] == "warning"
    assert found["spares"] == [{"disk": "c", "state": "in use"}]
    assert found["redundancy"] == 1, "the spare holds what the broken disk held"


@pytest.mark.parametrize(("state", "expected"), [("ONLINE", "warning"), ("UNAVAIL", "critical")])
def test_a_pool_that_is_not_imported(state: str, expected: str) -> None:
    found = not_imported(Waiting("tank", "1", state, last_host="node2 (0000002a)"))
    assert found["verdict"] == expected
    assert "node2" in " ".join(found["reasons"])
    assert set(found) == set(verdict(WELL))


def test_each_vdev_is_judged_by_itself() -> None:
    """A mirror beside a disk that never had redundancy: the mirror's loss counts, and so does the lonely disk."""
    special = Vdev("s", "disk", "ONLINE")
    pool = replace(WELL, vdevs={"normal": (MIRROR,), "special": (special,)})
    found = verdict(pool)
    assert found["verdict"] == "warning" and "special disk of s has no redundancy" in " ".join(found["reasons"])
    assert NO_REDUNDANCY not in found["reasons"]
    worse = verdict(replace(leaf(pool, state="REMOVED"), state="DEGRADED"))
    assert worse["verdict"] == "critical" and "may fail in the mirror of a, b" in " ".join(worse["reasons"])


def test_a_disk_without_a_lasting_name_is_told() -> None:
    found = verdict(leaf(WELL, name="sdb"))
    assert found["verdict"] == "warning" and "Disk sdb has no name below /dev/disk/by-id" in " ".join(found["reasons"])
    pulled = verdict(replace(leaf(WELL, name="sdb", state="REMOVED"), state="DEGRADED"))
    assert "by-id" not in " ".join(pulled["reasons"]), "the name is another disk's by now"


def test_what_could_not_be_read_is_critical() -> None:
    found = verdict(WELL, unread=["It does not answer: zfs get did not end."])
    assert found["verdict"] == "critical" and "It does not answer: zfs get did not end." in found["reasons"]


def test_errors_that_are_not_shown_are_not_no_errors() -> None:
    hidden = replace(WELL, errors_hidden="List of errors unavailable: permission denied")
    assert verdict(hidden)["verdict"] == "warning" and "permission denied" in " ".join(verdict(hidden)["reasons"])


def test_a_pool_that_waits_is_told_by_its_number() -> None:
    """Two of them may have one name."""
    assert "number is 17" in " ".join(not_imported(Waiting("tank", "17", "ONLINE"))["reasons"])
