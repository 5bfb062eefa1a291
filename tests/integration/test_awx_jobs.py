# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The jobs that playbooks/awx.yml makes, run through ansible-runner as AWX runs them, on a simulated cluster.

The token has the privileges that docs/awx.md says, and no more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.awx import Awx, Finished, Runs
from lab.awx.injection import inject
from lab.awx.rules import Refused
from lab.pve import Lab
from tests.integration.awx_scene import COLLECTIONS, ROOT, repository, set_up
from tests.integration.test_site import api

NODES = ["pve1:16:64", "pve2:16:64", "pve3:16:64", "pve4:8:32"]
MAKE, COMPARE, SAY = (
    "Make the clusters as described",
    "Compare the clusters with their description",
    "Say what is there",
)
NIGHTLY = "Every night, what differs"


@dataclass
class Hospital:
    """The cluster, the AWX that was set up for it, and its jobs."""

    cluster: Lab
    awx: Awx
    runs: Runs
    directory: Path
    secret: str
    cancelled: Finished


def documented_privileges() -> list[str]:
    document = (ROOT / "docs" / "awx.md").read_text("utf-8")
    return re.search(r'pveum role add Continuity --privs "([^"]+)"', document)[1].split()  # type: ignore[index]


def created(cluster: Lab) -> set[int]:
    """The guests that were made, by the requests for them."""
    makes = [each for each in cluster.writes if re.fullmatch(r"/nodes/\w+/(qemu|lxc)", each.path)]
    return {int(each.params["vmid"]) for each in makes if each.status == 200}


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """After its first job, which somebody cancelled when some guests were there."""
    directory = tmp_path_factory.mktemp("awx")
    with Awx(["continuity.yml"]) as awx, Lab(nodes=NODES) as cluster:
        token, secret = cluster.limited_token({"/": documented_privileges()})
        (directory / "shell").mkdir()
        connection = {
            "awx_pve_host": cluster.host,
            "awx_pve_port": cluster.port,
            "awx_pve_token_id": token,
            "awx_pve_token_secret": secret,
            "awx_pve_ca": Path(cluster.ca).read_text("utf-8"),
        }
        done = set_up(awx, directory / "shell", **connection)
        assert done.code == 0, done.text
        image = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "PYTHONPATH": os.environ["PYTHONPATH"]}
        runs = Runs(awx.state, repository(directory / "repository"), directory / "jobs", image)
        cluster.latency = 0.3
        cancelled = runs.launch(MAKE).cancel_when(lambda: len(created(cluster)) >= 2)
        cluster.latency = 0.0
        yield Hospital(cluster, awx, runs, directory, secret, cancelled)


def guests(cluster: Lab) -> set[int]:
    return {row["vmid"] for row in api(cluster, "GET", "/cluster/resources", type="vm")}


def described() -> set[int]:
    found = yaml.safe_load((ROOT / "examples/cordoba/host_vars/cordoba/guests.yml").read_text("utf-8"))
    return {guest["vmid"] for guest in [*found["guests_vms"], *found["guests_containers"]]}


def test_a_job_cancelled_in_the_middle_stops_and_the_next_one_finishes_what_it_left(hospital: Hospital) -> None:
    """It comes first: the other tests begin with what is made here."""
    assert hospital.cancelled.status == "canceled"
    there = created(hospital.cluster)
    assert there < described(), "some guests are there, and not all"
    hospital.cluster.reset_counters()

    finished = hospital.runs.run(MAKE)

    assert finished.status == "successful", finished.text
    assert created(hospital.cluster) == described() - there


def test_what_a_schedule_starts_twice_finds_nothing_to_change(hospital: Hospital) -> None:
    hospital.cluster.reset_counters()
    for _turn in range(2):
        night = hospital.runs.scheduled(NIGHTLY)
        assert night.status == "successful", night.text
        assert (night.changed, set(night.stats)) == (0, {"cordoba"})
    assert hospital.cluster.writes == []


def test_the_night_shows_what_somebody_changed_and_the_job_repairs_it(hospital: Hospital) -> None:
    cluster = hospital.cluster
    cluster.set_config(124, onboot="0")
    cluster.reset_counters()
    night = hospital.runs.scheduled(NIGHTLY)
    assert (night.status, night.changed, cluster.writes) == ("successful", 1, [])
    (differs,) = [each["res"] for each in night.results("runner_on_ok") if each["res"].get("changed")]
    assert "onboot" in str(differs["diff"])

    repaired = hospital.runs.run(MAKE, prompts={"job_tags": "guests"})
    assert (repaired.status, repaired.changed) == ("successful", 1), repaired.text
    assert [(write.method, write.path) for write in cluster.writes] == [("PUT", "/nodes/pve3/qemu/124/config")]


def test_the_summary_needs_only_to_read(hospital: Hospital) -> None:
    reading = ["Sys.Audit", "Datastore.Audit", "VM.Audit", "Pool.Audit"]
    inputs = hospital.awx.state.named("credentials", "Proxmox VE")["inputs"]
    full = dict(inputs)
    token, secret = hospital.cluster.limited_token({"/": reading})
    inputs.update(token_id=token, token_secret=secret)
    try:
        said = hospital.runs.run(SAY)
    finally:
        inputs.update(full)
    assert (said.status, said.changed) == ("successful", 0), said.text
    text = " ".join(said.text.split())
    assert "9 guests of 15 survive it" in text
    assert "pve1 (online" in text, "what the live cluster says came through the inventory's source"


def test_nothing_but_the_private_directory_is_written_and_no_secret_is_left_in_what_awx_keeps(
    hospital: Hospital,
) -> None:
    before = snapshot(hospital.directory / "repository"), set(hospital.directory.iterdir())
    done = hospital.runs.run(SAY)
    assert (snapshot(hospital.directory / "repository"), set(hospital.directory.iterdir())) == before
    assert snapshot(done.directory / "project") == before[0]
    holders = {
        file for file in done.directory.rglob("*") if file.is_file() and hospital.secret in file.read_text("utf-8")
    }
    # ansible-runner's own note of the command, for its owner only; AWX removes it with the directory.
    assert holders == {done.directory / "artifacts" / done.directory.name / "command"}
    assert [oct(file.stat().st_mode & 0o777) for file in holders] == ["0o600"]
    files = {file for file in (done.directory / "env").iterdir() if "BEGIN CERTIFICATE" in file.read_text("utf-8")}
    assert files
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def snapshot(directory: Path) -> dict[str, bytes]:
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}


# --- what the credential type's injectors write


def test_each_input_reaches_a_job_in_the_variable_that_modules_and_inventory_read(
    hospital: Hospital, tmp_path: Path
) -> None:
    kind = hospital.awx.state.named("credential_types", "Proxmox VE")
    given = {"host": "a,b", "port": "8007", "token_id": "u@pve!t", "token_secret": "s", "ca": "CERT"}
    written = inject(kind, given, tmp_path)
    assert Path(written.pop("PVE_CA")).read_text("utf-8") == "CERT"
    assert written == {
        "PVE_HOST": "a,b",
        "PVE_PORT": "8007",
        "PVE_TOKEN_ID": "u@pve!t",
        "PVE_TOKEN_SECRET": "s",
    }


def test_a_port_and_a_certificate_may_be_left_out(hospital: Hospital, tmp_path: Path) -> None:
    kind = hospital.awx.state.named("credential_types", "Proxmox VE")
    written = inject(kind, {"host": "pve1", "token_id": "u@pve!t", "token_secret": "s", "ca": ""}, tmp_path)
    assert (written["PVE_PORT"], written["PVE_CA"]) == ("8006", "")
    inputs = hospital.awx.state.named("credentials", "Proxmox VE")["inputs"]
    full = dict(inputs)
    inputs["ca"] = ""
    try:
        untrusting = hospital.runs.run(SAY)
    finally:
        inputs.update(full)
    # The lab's certificate is nobody else's: it was asked, and not trusted. An empty variable is no path.
    assert untrusting.status == "failed"
    (failure,) = untrusting.results("runner_on_failed")
    assert "certificate" in failure["res"]["msg"]
    assert "does not exist" not in failure["res"]["msg"]


# --- a guest from its backup


def test_a_guest_is_restored_beside_itself_and_put_back_only_with_consent(hospital: Hospital) -> None:
    """With the privileges that are documented, and the answers as AWX writes them: what is left empty is a text."""
    cluster = hospital.cluster
    before = guests(cluster)
    api(cluster, "POST", "/nodes/pve3/vzdump", vmid=124, storage="backup")
    cluster.set_config(124, memory="4096")
    cluster.reset_counters()
    beside = {
        "restore_guest": 124,
        "restore_newid": 9124,
        "restore_backup": "",
        "restore_storage": "",
        "restore_node": "",
    }
    made = hospital.runs.run("Restore a guest beside the one that is there", {**beside, "restore_cluster": ""})
    assert made.status == "successful", made.text
    assert "Recovery point: " in made.text and str(cluster.config(9124)["memory"]) == "8192"

    cluster.reset_counters()
    refused = hospital.runs.run("Put a guest back to its backup", {"restore_guest": 124, "restore_allow": ""})
    assert (refused.status, cluster.writes) == ("failed", [])
    (failure,) = refused.results("runner_on_failed")
    assert "replace_guest:124" in failure["res"]["msg"]

    answers = {"restore_guest": 124, "restore_allow": "replace_guest:124"}
    back = hospital.runs.run("Put a guest back to its backup", answers)
    assert back.status == "successful", back.text
    assert str(cluster.config(124)["memory"]) == "8192"
    assert guests(cluster) == before | {9124}


# --- surveys


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "'failover_to' value missing"),
        ({"failover_to": "z"}, "expected to be one of"),
        ({"failover_to": "a", "failover_allow": ["destroy_everything:a"]}, "expected to be one or more of"),
        ({"failover_to": "a", "ansible_connection": "local"}, "ansible_connection are not allowed on launch"),
    ],
)
def test_awx_itself_refuses_answers_that_are_not_asked_for(
    hospital: Hospital, answers: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        hospital.runs.launch("Fail the database over", answers)


def test_the_playbook_refuses_an_answer_that_this_inventory_cannot_have(hospital: Hospital) -> None:
    refused = hospital.runs.run("Fail the database over", {"failover_to": "a", "failover_gone": ["b"]})
    assert refused.status == "failed"
    (failure,) = refused.results("runner_on_failed")
    assert "Say failover_to" in failure["res"]["msg"]
    assert set(refused.stats) == {"localhost"}


def test_an_answer_is_never_a_template(hospital: Hospital) -> None:
    """c stands for a host with backups; the program that restores is not there, and says nothing."""
    repository_inventory = hospital.directory / "repository" / "inventory" / "disaster.yml"
    host = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    repository_inventory.write_text(yaml.safe_dump({"disaster_site": {"hosts": {"c": host}}}), encoding="utf-8")
    try:
        asked = {"restore_database_to": "{{ 6 * 7 }}", "restore_database_name": ""}
        done = hospital.runs.run("Restore the database of a given time", asked)
    finally:
        repository_inventory.unlink()
    assert done.status == "failed", done.text
    commands = [each["res"]["cmd"] for each in done.results("runner_on_ok") if "cmd" in each["res"]]
    assert ["{{ 6 * 7 }}" in str(command) for command in commands] == [True], done.text


def test_what_a_job_does_not_ask_at_launch_is_refused(hospital: Hospital) -> None:
    with pytest.raises(Refused, match="not configured to prompt"):
        hospital.runs.launch(SAY, prompts={"limit": "pve1"})
