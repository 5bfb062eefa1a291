# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Bad input and faults. Each ends in one message that names what was asked, what the system said and what to do;
nothing is written that could be known beforehand; once the cause is mended the next run converges."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from lab.pve.tls import make_certificates
from tests.contract.case import PREFIX
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

STORE = {
    "storage": f"{PREFIX}store",
    "type": "dir",
    "path": f"/var/lib/{PREFIX}store",
    "content": ["iso"],
    "disable": True,
}


def store(**options: Any) -> dict[str, Any]:
    return {**STORE, **options}


def vm(system: Any, number: int = 0, **options: Any) -> dict[str, Any]:
    return {"vmid": system.vmid(number), "name": f"{PREFIX}vm{number}", "node": system.node, **options}


def disk(system: Any, size: str = "8G", **options: Any) -> dict[str, Any]:
    return {"slot": "scsi0", "storage": system.images, "size": size, **options}


def names(result: Result, *parts: str) -> None:
    """The message is one text for people and holds each of the parts."""
    for part in parts:
        assert part in result.message, f"{part!r} is not in: {result.message}"


class Untouched:
    """What is in the system, to be compared after a refusal."""

    def __init__(self, system: Any) -> None:
        self.system, self.before = system, system.inventory()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *problem: object) -> None:
        if problem[0] is None:
            assert self.system.inventory() == self.before, "something was written"


# --- getting there


@pytest.mark.parametrize("sort", ["token", "password"])
def test_wrong_credentials(lab: Any, pve: Any, sort: str) -> None:
    wrong = {"api_token_secret": "00000000-0000-0000-0000-000000000000"} if sort == "token" else {}
    connection = {**pve.connection(root=sort == "password"), **wrong}
    if sort == "password":
        connection["api_password"] = "not-the-password"
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store()], **{**_none_of(pve), **connection}))
    names(result, "did not accept the login", "api_token_secret" if sort == "token" else "api_password")
    assert "not-the-password" not in result.everything
    assert succeeded(pve.run("pve_storage", [store()])).changed


def _none_of(system: Any) -> dict[str, Any]:
    """The token's options, not given."""
    return {name: None for name in system.connection() if name.startswith("api_token")}


def test_wrong_ca(pve: Any, tmp_path: Path) -> None:
    ca, _certificate, _key = make_certificates(tmp_path, "127.0.0.1")
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store()], ca_path=str(ca)))
    names(result, "ca_path", "certificate")
    assert succeeded(pve.run("pve_storage", [store()])).changed


def test_a_ca_that_is_not_there(pve: Any) -> None:
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store()], ca_path="/nonexistent/ca.pem"))
    names(result, "ca_path", "/nonexistent/ca.pem")


def test_unreachable_host(pve: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store()], api_host=["127.0.0.1"], api_port=port))
    names(result, "none could be reached", "api_host")


def test_one_of_several_hosts_is_enough(lab: Any, pve: Any) -> None:
    hosts = [f"127.0.0.1:{_closed_port()}", f"127.0.0.1:{lab.port}"]
    assert succeeded(pve.run("pve_storage", [store()], api_host=hosts)).changed


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- what the token may do


@pytest.mark.parametrize(
    ("module", "privileges", "lacking"),
    [
        ("pve_storage", {"/": ["Datastore.Audit"]}, "Datastore.Allocate"),
        ("pve_pool", {"/": ["Pool.Audit"]}, "Pool.Allocate"),
        ("pve_vm", {"/": ["VM.Audit", "Sys.Audit", "Datastore.Audit"]}, "VM.Allocate"),
    ],
)
def test_missing_privilege(lab: Any, pve: Any, module: str, privileges: Mapping[str, list[str]], lacking: str) -> None:
    token, secret = lab.limited_token(dict(privileges))
    item = {"pve_storage": store(), "pve_pool": {"poolid": f"{PREFIX}pool"}, "pve_vm": vm(pve)}[module]
    with Untouched(pve):
        result = refused(pve.run(module, [item], api_token_id=token, api_token_secret=secret))
    names(result, lacking, token)
    assert succeeded(pve.run(module, [item])).changed


def test_a_token_that_sees_nothing_is_not_told_that_nothing_is_there(lab: Any, pve: Any) -> None:
    """Without privileges the API answers 200 and an empty list: creating or "already absent" would both be wrong."""
    token, secret = lab.limited_token({})
    succeeded(pve.run("pve_storage", [store()]))
    for state in ("present", "absent"):
        with pve.unwritten():
            result = refused(
                pve.run("pve_storage", [store()], state=state, api_token_id=token, api_token_secret=secret)
            )
        names(result, "Datastore.Audit", token)


# --- what can be known beforehand


def test_unknown_node(pve: Any) -> None:
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store(nodes=["nowhere"])]))
        names(result, "nodes", "nowhere", pve.node)
        result = refused(pve.run("pve_vm", [{**vm(pve), "node": "nowhere"}]))
        names(result, "node", "nowhere")


def test_a_storage_without_the_content_type(pve: Any) -> None:
    name = pve.make_storage(f"{PREFIX}iso", "iso")
    with pve.unwritten():
        result = refused(pve.run("pve_vm", [vm(pve, disks=[disk(pve, storage=name)])]))
    names(result, "disks", name, "images")
    with pve.unwritten():
        job = {"id": f"{PREFIX}job", "schedule": "daily", "all": True, "storage": name, "enabled": False}
        result = refused(pve.run("pve_backup_job", [job]))
    names(result, "storage", name, "backup")


def test_two_items_with_one_identity(pve: Any) -> None:
    vmid = pve.make_guest(0)
    with pve.unwritten():
        result = refused(pve.run("pve_storage", [store(), store(content=["backup"])]))
        names(result, "config[0]", "config[1]", STORE["storage"])
        result = refused(pve.run("pve_vm", [vm(pve), vm(pve, name=f"{PREFIX}other")]))
        names(result, "config[0]", "config[1]", str(vmid))
        # Two spellings of one thing.
        result = refused(pve.run("pve_ha_resource", [{"sid": str(vmid)}, {"sid": f"vm:{vmid}"}]))
        names(result, "config[0]", "config[1]", f"vm:{vmid}")


def test_a_vmid_that_bears_another_name(pve: Any) -> None:
    vmid = pve.make_guest(0)
    with pve.unwritten():
        result = refused(pve.run("pve_vm", [vm(pve, name=f"{PREFIX}pacs")]))
    names(result, str(vmid), f"{PREFIX}guest0", f"{PREFIX}pacs", "rename_guest")
    succeeded(pve.run("pve_vm", [vm(pve, name=f"{PREFIX}pacs")], allow=["rename_guest"]))
    assert not succeeded(pve.run("pve_vm", [vm(pve, name=f"{PREFIX}pacs")])).changed


def test_a_size_that_would_shrink_a_disk(pve: Any) -> None:
    succeeded(pve.run("pve_vm", [vm(pve, disks=[disk(pve)])]))
    with pve.unwritten():
        result = refused(pve.run("pve_vm", [vm(pve, disks=[disk(pve, "4G")])]))
    names(result, "scsi0", "8G", "4G", "shrink")
    assert succeeded(pve.run("pve_vm", [vm(pve, disks=[disk(pve, "9G")])])).changed


# --- what only the system knows


def test_an_option_that_pve_rejects(pve: Any) -> None:
    job = {"id": f"{PREFIX}job", "all": True, "enabled": False}
    with Untouched(pve):
        result = refused(pve.run("pve_backup_job", [{**job, "schedule": "every blue moon"}]))
    names(result, "schedule", "PVE says")
    assert succeeded(pve.run("pve_backup_job", [{**job, "schedule": "daily"}])).changed


def test_a_rejected_option_bears_the_name_the_user_knows(pve: Any) -> None:
    """The API calls it max-protected-backups; the playbook says max_protected_backups."""
    with Untouched(pve):
        result = refused(pve.run("pve_storage", [store(max_protected_backups=-7)]))
    names(result, "max_protected_backups: ", "PVE says")
    assert "max-protected-backups: " not in result.message


def test_no_quorum(lab: Any, pve: Any) -> None:
    lab.lose_quorum()
    several = [store(), store(storage=f"{PREFIX}second", path=f"/var/lib/{PREFIX}second")]
    with Untouched(pve):
        result = refused(pve.run("pve_storage", several))
    names(result, "quorum", "pvecm status")
    lab.regain_quorum()
    assert succeeded(pve.run("pve_storage", several)).changed
    assert not succeeded(pve.run("pve_storage", several)).changed


def test_a_locked_guest(lab: Any, pve: Any) -> None:
    vmid = pve.make_guest(0)
    guest = {"vmid": vmid, "cores": 3}
    lab.lock_guest(vmid, "backup")
    with Untouched(pve):
        result = refused(pve.run("pve_vm", [guest]))
    names(result, str(vmid), "locked", "backup", "qm unlock")
    lab.unlock_guest(vmid)
    assert succeeded(pve.run("pve_vm", [guest])).changed
    assert not succeeded(pve.run("pve_vm", [guest])).changed


def test_an_offline_node(lab: Any, pve: Any) -> None:
    here, there = pve.make_guest(0), pve.vmid(1)
    pve.api.post(f"/nodes/{pve.other_node}/qemu", vmid=there, name=f"{PREFIX}there", memory=64)
    guests = [{"vmid": here, "cores": 3}, {"vmid": there, "cores": 3}]
    lab.node_offline(pve.other_node)
    result = refused(pve.run("pve_vm", guests))
    names(result, pve.other_node, str(there))
    assert succeeded(pve.run("pve_vm", guests[:1])).steps in ([], [f"done: update VM {here}: cores"])
    lab.node_online(pve.other_node)
    assert succeeded(pve.run("pve_vm", guests)).changed
    assert not succeeded(pve.run("pve_vm", guests)).changed


def test_a_task_that_fails(lab: Any, pve: Any) -> None:
    said = "unable to create VM: no space left on device"
    lab.fail_tasks("qmcreate", said, log=["  lvcreate: insufficient free extents"])
    guests = [vm(pve, 0, disks=[disk(pve)]), vm(pve, 1)]
    result = refused(pve.run("pve_vm", guests))
    names(result, said, "insufficient free extents", "Task History", "1 of 2 steps failed")
    assert sorted(step.partition(":")[0] for step in result.steps) == ["done", "failed"]
    again = succeeded(pve.run("pve_vm", guests))
    assert len(again.steps) == 1, "what is done stays done"
    assert not succeeded(pve.run("pve_vm", guests)).changed


@pytest.fixture
def meanwhile() -> Iterator[Callable[[Callable[[], None]], Any]]:
    """Let somebody else act between our reading and our first write."""
    patches: list[Any] = []

    def arrange(act: Callable[[], None]) -> None:
        original, done = Client.put, []

        def put(client: Client, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
            if not done:
                done.append(True)
                act()
            return original(client, path, parameters)

        patch = mock.patch.object(Client, "put", put)
        patch.start()
        patches.append(patch)

    yield arrange
    for patch in patches:
        patch.stop()


def test_a_digest_that_changed_meanwhile(pve: Any, meanwhile: Callable[[Callable[[], None]], None]) -> None:
    item = store()
    succeeded(pve.run("pve_storage", [item]))
    path = f"/storage/{STORE['storage']}"
    meanwhile(lambda: pve.api.put(path, content="vztmpl"))
    result = refused(pve.run("pve_storage", [{**item, "content": ["iso", "backup"]}]))
    names(result, "changed", "Nothing was overwritten")
    assert pve.api.get(path)["content"] == "vztmpl", "what somebody else wrote is still there"
    assert succeeded(pve.run("pve_storage", [{**item, "content": ["iso", "backup"]}])).changed


# --- many


@pytest.mark.parametrize("number", [1, 225, 450])
def test_the_kth_of_450_writes_fails(lab: Any, pve: Any, number: int) -> None:
    pools = [{"poolid": f"{PREFIX}{index:03}"} for index in range(450)]
    lab.fail_requests("POST", "^/pools$", reason="the disk of the node is full", after=number - 1)
    result = refused(pve.run("pve_pool", pools))
    names(result, "1 of 450 steps failed", "the disk of the node is full", "Done: 449")
    outcomes = [step.partition(":")[0] for step in result.steps]
    assert outcomes.count("failed") == 1 and outcomes.count("done") == 449
    assert len(result.message) < 2000, "450 things, still one message to read"
    again = succeeded(pve.run("pve_pool", pools))
    assert len(again.steps) == 1
    with pve.unwritten():
        assert not succeeded(pve.run("pve_pool", pools)).changed


def test_what_would_fail_450_times_fails_once(lab: Any, pve: Any) -> None:
    """Without quorum no write can succeed: the run stops instead of trying them all."""
    pools = [{"poolid": f"{PREFIX}{index:03}"} for index in range(450)]
    lab.lose_quorum()
    before = pve.writes()
    result = refused(pve.run("pve_pool", pools, api_parallel=4))
    names(result, "quorum")
    assert pve.writes() - before <= 8
    outcomes = [step.partition(":")[0] for step in result.steps]
    assert outcomes.count("not_run") >= 440
