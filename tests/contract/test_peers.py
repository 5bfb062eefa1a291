# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What other people's modules get wrong about guests, storage, HA and backup jobs, each as a test that ours pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import discovery
from tests.contract.case import PREFIX, Case, of
from tests.contract.system import System, refused, succeeded

STORE = {
    "storage": f"{PREFIX}store",
    "type": "dir",
    "path": f"/var/lib/{PREFIX}store",
    "content": ["iso", "backup", "vztmpl"],
    "disable": True,
}


def vm(system: Any, number: int = 0, **options: Any) -> dict[str, Any]:
    return {
        "vmid": system.vmid(number),
        "name": f"{PREFIX}vm{number}",
        "node": system.node,
        "disks": [{"slot": "scsi0", "storage": system.images, "size": "4G"}],
        "nics": [{"slot": "net0", "bridge": system.bridge}],
        **options,
    }


def config(system: Any, number: int = 0) -> dict[str, Any]:
    answer = system.api.get(f"/nodes/{system.node}/qemu/{system.vmid(number)}/config")
    return {name: value for name, value in answer.items() if name != "digest"}


def test_an_unchanged_guest_is_unchanged(pve: Any) -> None:
    """An update elsewhere never compares and always says `changed`."""
    guest = vm(pve, cores=2, memory=512)
    succeeded(pve.run("pve_vm", [guest]))
    with pve.unwritten():
        assert not succeeded(pve.run("pve_vm", [guest])).changed


def test_changing_one_option_drops_no_disk_and_no_nic(pve: Any) -> None:
    """Elsewhere an update drops disks and NICs unless it is told to be "unsafe"."""
    succeeded(pve.run("pve_vm", [vm(pve)]))
    before = config(pve)
    succeeded(pve.run("pve_vm", [{"vmid": pve.vmid(0), "cores": 3}]))
    after = config(pve)
    assert {name: value for name, value in after.items() if name != "cores"} == {
        name: value for name, value in before.items() if name != "cores"
    }
    assert after["cores"] == 3


def test_a_disk_is_allocated_once(pve: Any) -> None:
    """Sending a disk again allocates another one and leaves the first as unused0."""
    succeeded(pve.run("pve_vm", [vm(pve)]))
    before = config(pve)
    grown = [{"slot": "scsi0", "storage": pve.images, "size": "5G", "discard": "on"}]
    assert succeeded(pve.run("pve_vm", [vm(pve, disks=grown)])).changed
    after = config(pve)
    assert after["scsi0"].partition(",")[0] == before["scsi0"].partition(",")[0]
    assert "unused0" not in after


def test_a_nic_keeps_its_mac_when_it_changes(pve: Any) -> None:
    """A NIC that is sent without its MAC gets another one every time."""
    succeeded(pve.run("pve_vm", [vm(pve)]))
    before = config(pve)["net0"]
    mac = next(part for part in before.split(",") if part.startswith("virtio="))
    assert succeeded(pve.run("pve_vm", [vm(pve, nics=[{"slot": "net0", "bridge": pve.bridge, "tag": 10}])])).changed
    after = config(pve)["net0"]
    assert mac in after
    assert "tag=10" in after


def asleep(system: Any, **how: Any) -> dict[str, Any]:
    """A guest that was switched on and put to sleep; what was declared of it."""
    guest = vm(system)
    succeeded(system.run("pve_vm", [guest]))
    path = f"/nodes/{system.node}/qemu/{system.vmid(0)}/status"
    system.api.post(f"{path}/start")
    system.api.post(f"{path}/suspend", **how)
    return guest


def test_a_hibernated_guest_is_no_reason_to_crash(lab: Any, pve: Any) -> None:
    """Elsewhere a hibernated guest ends in a traceback. It cannot be changed until it is awake, and that is said."""
    guest = asleep(pve, todisk=1)
    with pve.unwritten():
        assert not succeeded(pve.run("pve_vm", [guest])).changed
        result = refused(pve.run("pve_vm", [{**guest, "description": "asleep"}]))
    assert "hibernated" in result.message
    succeeded(pve.run("pve_info", kinds=["vm"]))
    assert succeeded(pve.run("pve_vm", [{**guest, "status": "running"}])).changed


def test_a_paused_guest_is_no_reason_to_crash(lab: Any, pve: Any) -> None:
    """Elsewhere a paused guest ends in a traceback."""
    guest = asleep(pve)
    path = f"/nodes/{pve.node}/qemu/{pve.vmid(0)}/status"
    assert pve.api.get(f"{path}/current")["qmpstatus"] == "paused"
    with pve.unwritten():
        assert not succeeded(pve.run("pve_vm", [guest])).changed
    assert succeeded(pve.run("pve_vm", [{**guest, "description": "paused for the night"}])).changed
    succeeded(pve.run("pve_info", kinds=["vm"]))


@pytest.mark.parametrize("module", [name for name in discovery.modules() if name.startswith("pve_")])
def test_every_module_has_a_check_mode(module: str, system_of: Callable[[Case], System]) -> None:
    """12 of 39 writing modules elsewhere have none, one writes in it, and three return a diff. That ours predict and
    write nothing is in test_runs; here, that none of them declines."""
    case = discovery.case_of(module)
    system = system_of(case)
    system.prepare(case)
    arguments = {"config": [system.item(case)]} if discovery.describes_a_state(module) else system.item(case)
    if discovery.does_something(module):
        system.prepare(case, case.doings[0].setup)
        arguments = of(dict(case.doings[0].arguments), system)
    with system.unwritten():
        result = succeeded(system.run(module, check=True, **arguments))
    assert not result.data.get("skipped")
    if discovery.describes_a_state(module):
        assert result.changed
        assert result.diff["after"] != result.diff["before"]


def test_a_backup_job_is_not_written_in_check_mode(pve: Any) -> None:
    """A module for backup schedules elsewhere really writes in check mode."""
    job = {"id": f"{PREFIX}job", "schedule": "daily", "all": True, "enabled": False}
    with pve.unwritten():
        assert succeeded(pve.run("pve_backup_job", [job], check=True)).changed
    assert all(row["id"] != job["id"] for row in pve.api.get("/cluster/backup"))


def test_the_order_of_content_is_no_drift(pve: Any) -> None:
    """Elsewhere an order-only difference in `content` is drift; PVE itself gives another order at every request."""
    succeeded(pve.run("pve_storage", [STORE]))
    for content in (["backup", "iso", "vztmpl"], ["vztmpl", "backup", "iso"], ["iso", "vztmpl", "backup", "iso"]):
        with pve.unwritten():
            assert not succeeded(pve.run("pve_storage", [{**STORE, "content": content}])).changed


def test_real_drift_of_a_storage_is_put_right(pve: Any) -> None:
    """Elsewhere real drift is reported as "already present" by default."""
    succeeded(pve.run("pve_storage", [STORE]))
    pve.api.put(f"/storage/{STORE['storage']}", content="iso")
    assert succeeded(pve.run("pve_storage", [STORE])).changed
    content = pve.api.get(f"/storage/{STORE['storage']}")["content"]
    assert sorted(content.split(",")) == sorted(STORE["content"])


def test_an_ha_resource_without_a_comment_is_left_alone(pve: Any) -> None:
    """Elsewhere a PUT is sent at every run when there is no comment."""
    resource = {"sid": f"vm:{pve.make_guest(0)}", "state": "stopped"}
    succeeded(pve.run("pve_ha_resource", [resource]))
    with pve.unwritten():
        assert not succeeded(pve.run("pve_ha_resource", [resource])).changed


def test_an_ha_resource_is_absent_by_its_bare_number(pve: Any) -> None:
    """Elsewhere `absent` of "100" does nothing, because PVE calls it vm:100."""
    vmid = pve.make_guest(0)
    succeeded(pve.run("pve_ha_resource", [{"sid": str(vmid), "state": "stopped"}]))
    with pve.unwritten():
        assert not succeeded(pve.run("pve_ha_resource", [{"sid": str(vmid), "state": "stopped"}])).changed
    assert succeeded(pve.run("pve_ha_resource", [{"sid": str(vmid)}], state="absent")).changed
    assert all(row["sid"] != f"vm:{vmid}" for row in pve.api.get("/cluster/ha/resources"))


def test_a_failed_task_is_told_from_a_running_one(lab: Any, pve: Any) -> None:
    """Most of six different wait loops elsewhere cannot tell failed from running and report a failure as a timeout."""
    lab.fail_tasks("qmcreate", "the storage is full")
    failed = refused(pve.run("pve_vm", [vm(pve)]))
    assert "the storage is full" in failed.message
    assert "still running" not in failed.message

    succeeded(pve.run("pve_vm", [vm(pve)]))
    # Switching it on takes three seconds.
    lab.call(lambda: setattr(lab.cluster.guest(pve.vmid(0)), "start_secs", 3))
    lab.time_scale = 1.0
    slow = refused(pve.run("pve_vm", [{"vmid": pve.vmid(0), "status": "running"}], task_timeout=0.2))
    lab.time_scale = 0.0
    assert "still running" in slow.message
    assert "task_timeout" in slow.message


def test_a_task_that_ends_with_warnings_is_no_failure(lab: Any, pve: Any) -> None:
    """A task may end with warnings: it is done, and the warnings are passed on."""
    lab.fail_tasks("qmcreate", warnings=True, log=["WARN: no efidisk configured"])
    result = succeeded(pve.run("pve_vm", [vm(pve)]))
    assert result.changed
    assert any("no efidisk configured" in str(text) for text in result.data["warnings"])


def test_a_task_costs_no_request_that_is_not_needed(lab: Any, pve: Any) -> None:
    """Every task elsewhere costs a ticket, a version request and a full resource list."""
    succeeded(pve.run("pve_storage", [STORE]))
    lab.reset_counters()
    succeeded(pve.run("pve_storage", [STORE]))
    asked = Counter((request.method, request.path) for request in lab.requests)
    assert asked == Counter({("GET", "/storage"): 1})


def test_an_unchanged_guest_costs_few_requests(lab: Any, pve: Any) -> None:
    """No ticket, no version; and what is asked does not grow faster than the number of guests."""
    guests = [vm(pve, number) for number in range(8)]
    succeeded(pve.run("pve_vm", guests))
    lab.reset_counters()
    succeeded(pve.run("pve_vm", guests))
    paths = [request.path for request in lab.requests]
    assert "/version" not in paths and "/access/ticket" not in paths
    assert len(paths) <= 2 + 2 * len(guests)


def test_an_offline_node_does_not_hide_the_others(lab: Any, pve: Any) -> None:
    """Elsewhere an offline node, or one in maintenance, breaks reading the guests."""
    here = pve.make_guest(0)
    there = pve.vmid(1)
    pve.api.post(f"/nodes/{pve.other_node}/qemu", vmid=there, name=f"{PREFIX}there", memory=64)
    lab.node_offline(pve.other_node)
    result = succeeded(pve.run("pve_info"))
    assert here in [guest["vmid"] for guest in result.data["config"]["vm"]]
    assert any(pve.other_node in row["message"] for row in result.data["health"])


def test_a_user_keeps_its_tokens_and_its_password(pve: Any) -> None:
    """Elsewhere leaving `tokens` out deletes all API tokens of a user, and a password is a change every time."""
    user = {"userid": f"{PREFIX}ada@pve", "password": "correct horse", "comment": "PACS"}
    succeeded(pve.run("pve_user", [user]))
    pve.api.post(f"/access/users/{user['userid']}/token/{PREFIX}token")
    pve.api.put("/access/acl", path=f"/pool/{PREFIX}pool", users=user["userid"], roles="PVEAuditor")
    with pve.unwritten():
        assert not succeeded(pve.run("pve_user", [user])).changed
    succeeded(pve.run("pve_user", [{**user, "comment": "RIS"}], unlisted_options="reset"))
    assert [row["tokenid"] for row in pve.api.get(f"/access/users/{user['userid']}/token")] == [f"{PREFIX}token"]
    assert any(row["ugid"] == user["userid"] for row in pve.api.get("/access/acl"))


def test_backup_jobs_can_be_managed(pve: Any) -> None:
    """Managing backup jobs is absent from the peer altogether: created, changed, found, removed."""
    job = {"id": f"{PREFIX}job", "schedule": "daily", "all": True, "enabled": False}
    assert succeeded(pve.run("pve_backup_job", [job])).changed
    assert succeeded(pve.run("pve_backup_job", [{**job, "schedule": "sat 02:00"}])).changed
    assert succeeded(pve.run("pve_backup_job", [{"id": job["id"]}], state="absent")).changed
    assert all(row["id"] != job["id"] for row in pve.api.get("/cluster/backup"))
