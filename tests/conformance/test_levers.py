# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The lab's own levers: what a test can make happen to the cluster, and what it can find out afterwards."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from client import Client

from lab.pve import Lab, NodeSpec

ROOT = Path(__file__).resolve().parents[2]
VM = [("vmid", "100"), ("name", "web"), ("scsi0", "shared:8"), ("net0", "virtio,bridge=vmbr0")]


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    with Lab(nodes=[NodeSpec("north", cpus=8, memory_bytes=32 * 1024**3), NodeSpec("south")]) as lab:
        yield lab


@pytest.fixture
def lab(started: Lab) -> Lab:
    started.reset()
    return started


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    client = Client(lab).token(lab.token_id, lab.token_secret)
    yield client
    client.close()


def exit_status(client: Client, upid: str) -> str | None:
    data = client.call("GET", f"/nodes/{upid.split(':')[1]}/tasks/{upid}/status").body["data"]
    return data.get("exitstatus")


def test_counts_requests_and_writes(lab: Lab, client: Client) -> None:
    client.call("GET", "/nodes")
    client.call("POST", "/pools", [("poolid", "p"), ("comment", "c")])
    assert [(r.method, r.path, r.status) for r in lab.requests] == [("GET", "/nodes", 200), ("POST", "/pools", 200)]
    assert [r.params for r in lab.writes] == [{"poolid": "p", "comment": "c"}]
    lab.reset_counters()
    assert lab.requests == []


def test_nodes_have_the_hardware_that_was_asked_for(client: Client) -> None:
    nodes = {n["node"]: n for n in client.call("GET", "/nodes").body["data"]}
    assert nodes["north"]["maxcpu"] == 8
    assert nodes["north"]["maxmem"] == 32 * 1024**3
    assert client.call("GET", "/nodes/south/status").body["data"]["cpuinfo"]["cpus"] == nodes["south"]["maxcpu"]


def test_reset_forgets_everything_but_the_login(lab: Lab, client: Client) -> None:
    client.call("POST", "/nodes/north/qemu", VM)
    lab.node_offline("south")
    lab.fail_requests("GET", "/nodes")
    lab.reset()
    assert client.call("GET", "/cluster/resources?type=vm").body["data"] == []
    assert {n["status"] for n in client.call("GET", "/nodes").body["data"]} == {"online"}


def test_an_offline_node_answers_595(lab: Lab, client: Client) -> None:
    lab.add_guests(2)
    lab.node_offline("south")
    answer = client.call("GET", "/nodes/south/qemu")
    assert (answer.status, answer.text) == (595, "")
    assert len(client.call("GET", "/cluster/resources?type=vm").body["data"]) == 2
    lab.node_online("south")
    assert client.call("GET", "/nodes/south/qemu").status == 200


def test_without_quorum_nothing_is_written(lab: Lab, client: Client) -> None:
    lab.lose_quorum()
    assert client.call("POST", "/pools", [("poolid", "p")]).reason.endswith("no quorum!")
    assert client.call("POST", "/nodes/north/qemu", VM).reason == "cluster not ready - no quorum?"
    lab.regain_quorum()
    assert client.call("POST", "/pools", [("poolid", "p")]).status == 200


def test_a_locked_guest_is_left_alone(lab: Lab, client: Client) -> None:
    lab.add_guests(1)
    lab.lock_guest(100, "backup")
    answer = client.call("PUT", "/nodes/north/qemu/100/config", [("cores", "1")])
    assert (answer.status, answer.reason) == (500, "VM is locked (backup)")
    lab.unlock_guest(100)
    assert client.call("PUT", "/nodes/north/qemu/100/config", [("cores", "1")]).status == 200


def test_a_failed_creation_leaves_no_guest(lab: Lab, client: Client) -> None:
    lab.fail_tasks("qmcreate", exitstatus="lvcreate failed", log=["a line"])
    upid = client.call("POST", "/nodes/north/qemu", VM).body["data"]
    assert exit_status(client, upid) == "lvcreate failed"
    lines = [line["t"] for line in client.call("GET", f"/nodes/north/tasks/{upid}/log").body["data"]]
    assert lines == ["a line", "TASK ERROR: lvcreate failed"]
    assert client.call("GET", "/nodes/north/qemu").body["data"] == []
    assert exit_status(client, client.call("POST", "/nodes/north/qemu", VM).body["data"]) == "OK"


def test_a_task_can_end_with_warnings(lab: Lab, client: Client) -> None:
    lab.fail_tasks("qmcreate", warnings=True, log=["WARN: careful"])
    upid = client.call("POST", "/nodes/north/qemu", VM).body["data"]
    assert exit_status(client, upid) == "WARNINGS: 1"
    assert len(client.call("GET", "/nodes/north/qemu").body["data"]) == 1


def test_the_request_after_k_others_fails(lab: Lab, client: Client) -> None:
    lab.fail_requests("POST", "^/pools$", status=500, reason="boom", after=2)
    statuses = [client.call("POST", "/pools", [("poolid", name)]).status for name in ("a", "b", "c", "d")]
    assert statuses == [200, 200, 500, 200]


def test_a_connection_can_break(lab: Lab, client: Client) -> None:
    lab.fail_requests("GET", "^/version$", status=0)
    with pytest.raises(ConnectionError):
        client.call("GET", "/version")
    client.close()
    assert client.call("GET", "/version").status == 200


def test_a_limited_token_sees_and_does_what_it_may(lab: Lab, client: Client) -> None:
    lab.add_guests(2)
    token = Client(lab).token(*lab.limited_token({"/vms/100": ["VM.Audit"]}))
    assert [g["vmid"] for g in token.call("GET", "/cluster/resources?type=vm").body["data"]] == [100]
    assert token.call("GET", "/storage").body["data"] == []
    assert token.call("GET", "/cluster/backup").status == 403
    assert client.call("GET", "/cluster/backup").status == 200
    token.close()


def test_a_password_may_need_a_second_factor(lab: Lab) -> None:
    lab.require_otp("246810")
    who = [("username", lab.user), ("password", lab.password)]
    client = Client(lab)
    first = client.call("POST", "/access/ticket", who).body["data"]
    assert first["NeedTFA"] == 1
    second = [("username", lab.user), ("tfa-challenge", first["ticket"]), ("password", "totp:246810")]
    assert "NeedTFA" not in client.call("POST", "/access/ticket", second).body["data"]
    assert client.call("POST", "/access/ticket", [*second[:2], ("password", "totp:1")]).status == 401
    client.close()


def test_guests_change_behind_everyones_back(lab: Lab, client: Client) -> None:
    lab.add_guests(1)
    lab.set_config(100, memory="4096", tags=None)
    lab.move_guest(100, "south")
    lab.reset_counters()
    config = client.call("GET", "/nodes/south/qemu/100/config").body["data"]
    assert config["memory"] == "4096"
    assert "tags" not in config
    assert lab.config(100)["memory"] == "4096"
    assert lab.writes == []


def test_tasks_take_their_time_when_time_runs(lab: Lab, client: Client) -> None:
    lab.add_guests(1)
    lab.time_scale = 0.01
    try:
        lab.call(lambda: setattr(lab.cluster.guest(100), "start_secs", 20))
        upid = client.call("POST", "/nodes/north/qemu/100/status/start").body["data"]
        assert exit_status(client, upid) is None
        deadline = time.monotonic() + 10
        while exit_status(client, upid) is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert exit_status(client, upid) == "OK"
    finally:
        lab.time_scale = 0


def test_latency_is_added_to_each_request(lab: Lab, client: Client) -> None:
    client.call("GET", "/version")
    lab.latency = 0.1
    try:
        before = time.monotonic()
        client.call("GET", "/version")
        assert time.monotonic() - before >= 0.1
    finally:
        lab.latency = 0


def test_started_by_hand_it_says_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "lab.env"
    command = [sys.executable, "-m", "lab.pve", "--names", "a,b", "--env-file", str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 30
            while not path.exists() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            lines = path.read_text(encoding="utf-8").splitlines()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        finally:
            process.send_signal(signal.SIGTERM)
            shown = process.communicate(timeout=30)[0]
    assert process.returncode == 0
    assert [line.split("=")[0] for line in lines] == [
        "export PVE_HOST",
        "export PVE_PORT",
        "export PVE_TOKEN_ID",
        "export PVE_TOKEN_SECRET",
        "export PVE_CA",
    ]
    assert all(line in shown for line in lines)
    assert not os.path.lexists(path)
