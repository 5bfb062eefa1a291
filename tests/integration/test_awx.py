# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""playbooks/awx.yml with the modules of awx.awx, on a simulated AWX; and the definition of the image for jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.awx import Awx
from lab.awx.state import ENCRYPTED
from lab.run import Run
from tests.integration.awx_scene import COLLECTIONS, ROOT, playbook, set_up, told

SECRETS = (
    "0c0ffee0-secret-of-the-token",
    "the-key-of-the-machines",
    "what-opens-the-vault",
    "the-key-of-the-repository",
)


@pytest.fixture
def awx() -> Iterator[Awx]:
    with Awx(["continuity.yml"]) as empty:
        yield empty


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Awx, Run]]:
    """An AWX for a hospital without a database that gives no key, after the first run, and that run."""
    variables = told()
    for name in ("awx_machine_key", "awx_database_servers"):
        del variables[name]
    with Awx(["continuity.yml"]) as awx:
        yield awx, playbook("awx", variables, tmp_path_factory.mktemp("small"), **awx.environment())


@pytest.fixture(scope="module")
def made(small: tuple[Awx, Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[Awx, Run]:
    """The same when it has both, and a vault, and a repository that not everybody may read."""
    return small[0], again(small[0], tmp_path_factory.mktemp("made"), "-vvv", "--diff")


def again(awx: Awx, directory: Path, *arguments: str, **changes: Any) -> Run:
    awx.writes.clear()
    return set_up(awx, directory, *arguments, awx_vault_password=SECRETS[2], awx_project_key=SECRETS[3], **changes)


def test_a_hospital_without_a_database_and_keys_gets_what_reaches_its_cluster(small: tuple[Awx, Run]) -> None:
    """It comes first: there is more when the next one begins."""
    awx, done = small
    assert done.code == 0, done.text
    assert {row["name"] for row in awx.state.rows["credentials"].values()} == {"Proxmox VE"}
    templates = awx.state.rows["job_templates"]
    playbooks = {json.loads(row["extra_vars"])["continuity_playbook"] for row in templates.values()}
    names = ("summary", "site", "network", "storage", "tapes", "restore", "upgrade", "evacuate")
    assert playbooks == {f"hospital.continuity.{name}" for name in names}
    asking = {templates[number]["name"] for number in awx.state.surveys}
    assert asking == {
        "Restore a guest beside the one that is there",
        "Put a guest back to its backup",
        "Empty a node",
        "Bring the guests of a node back",
    }


def test_a_run_makes_everything_that_is_not_there(made: tuple[Awx, Run]) -> None:
    awx, first = made
    assert first.code == 0, first.text
    assert ("POST", "/api/v2/projects/") not in awx.writes, "it was there"
    state = awx.state
    names = {kind: {row["name"] for row in rows.values() if "name" in row} for kind, rows in state.rows.items()}
    assert names["organizations"] == {"Default"}
    assert names["credentials"] == {"Proxmox VE", "Machines", "Vault", "Inventory repository"}
    assert names["schedules"] == {
        "Every night, what differs",
        "Every morning, what is there",
        "Every Monday, what an upgrade would do",
    }
    assert {"Fail the database over", "Make the clusters as described"} <= names["job_templates"]
    project = state.named("projects", "Hospital")
    assert project["scm_url"] == told()["awx_project_url"]
    assert state.rows["credentials"][project["credential"]]["name"] == "Inventory repository"
    (source,) = state.rows["inventory_sources"].values()
    assert (source["source"], source["source_path"]) == ("scm", "inventory")
    assert state.rows["credentials"][source["credential"]]["name"] == "Proxmox VE"


def test_a_job_has_the_credentials_for_what_it_reaches(made: tuple[Awx, Run]) -> None:
    state = made[0].state

    def credentials(job: str) -> set[str]:
        numbers = state.linked(state.named("job_templates", job)["id"], "credentials")
        return {state.rows["credentials"][number]["name"] for number in numbers}

    assert credentials("Say what is there") == {"Proxmox VE", "Vault"}
    assert credentials("Make the nodes' network") == {"Proxmox VE", "Machines", "Vault"}
    assert credentials("Fail the database over") == {"Machines", "Vault"}


def test_the_workflow_waits_for_approval_between_comparing_and_making(made: tuple[Awx, Run]) -> None:
    state = made[0].state
    nodes = {row["identifier"]: row for row in state.rows["workflow_job_template_nodes"].values()}
    jobs = {name: state.of("unified_job_templates")[row["unified_job_template"]] for name, row in nodes.items()}
    assert jobs["compare"]["job_type"] == "check"
    assert jobs["approve"] in state.rows["workflow_approval_templates"].values()
    assert jobs["make"]["name"] == "Make the clusters as described"
    follow = {
        (name, link): [
            state.rows["workflow_job_template_nodes"][each]["identifier"] for each in state.linked(row["id"], link)
        ]
        for name, row in nodes.items()
        for link in ("success_nodes", "failure_nodes", "always_nodes")
    }
    assert {key: value for key, value in follow.items() if value} == {
        ("compare", "success_nodes"): ["approve"],
        ("approve", "success_nodes"): ["make"],
        ("make", "always_nodes"): ["say"],
    }


def test_the_second_run_changes_nothing(made: tuple[Awx, Run], tmp_path: Path) -> None:
    """A new secret neither, as nobody can see whether it is new."""
    second = again(made[0], tmp_path, awx_pve_token_secret="the-new-one")
    assert second.code == 0, second.text
    assert second.recap["localhost"]["changed"] == 0, second.text
    assert made[0].writes == []


def test_what_somebody_changed_is_repaired_alone_and_a_secret_is_written_when_that_is_said(
    made: tuple[Awx, Run], tmp_path: Path
) -> None:
    awx = made[0]
    template = awx.state.named("job_templates", "Make the clusters as described")
    template["limit"] = ""
    repaired = again(awx, tmp_path, awx_pve_token_secret="the-new-one", awx_update_secrets=True)
    assert repaired.code == 0, repaired.text
    others = [path for method, path in awx.writes if not path.startswith("/api/v2/credentials/")]
    assert others == [f"/api/v2/job_templates/{template['id']}/"]
    assert template["limit"] == "clusters"
    assert awx.state.named("credentials", "Proxmox VE")["inputs"]["token_secret"] == "the-new-one"
    assert "the-new-one" not in repaired.text


def test_no_secret_comes_out(made: tuple[Awx, Run]) -> None:
    assert "Keep the secrets" in made[1].text
    for secret in SECRETS:
        assert secret not in made[1].text
    shown = made[0].answer("GET", "/api/v2/credentials/", {}, f"Bearer {made[0].token}")[1]["results"]
    (cluster,) = [row for row in shown if row["name"] == "Proxmox VE"]
    assert cluster["inputs"]["token_secret"] == ENCRYPTED


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"awx_pve_token_id": None}, "awx_pve_token_id"),
        ({"awx_environment_image": None}, "missing required arguments: awx_environment_image"),
        ({"awx_pve_port": "eight"}, "awx_pve_port"),
        ({"awx_database_servers": "a"}, "awx_database_servers is a list, and was given as text"),
    ],
)
def test_what_it_cannot_work_with_is_named_before_anything_is_written(
    awx: Awx, tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    variables = {name: value for name, value in told(**changes).items() if value is not None}
    refused = playbook("awx", variables, tmp_path, **awx.environment())
    assert refused.code != 0
    assert said in " ".join(refused.text.split())
    assert awx.writes == []


# --- the image


def test_the_image_gets_what_the_collection_needs(tmp_path: Path) -> None:
    """ansible-builder reads the collection's own metadata, as it does while it builds."""
    command = [sys.executable, "-m", "ansible_builder", "introspect", str(COLLECTIONS)]
    wanted = ["--write-pip", str(tmp_path / "pip"), "--write-bindep", str(tmp_path / "bindep")]
    subprocess.run([*command, *wanted], check=True, timeout=120, capture_output=True)
    lines = (ROOT / "requirements" / "runtime.txt").read_text("utf-8").splitlines()
    needed = {line for line in lines if line and not line.startswith("#")}
    pip = (tmp_path / "pip").read_text("utf-8").splitlines()
    assert {line.partition("#")[0].strip() for line in pip if line.strip()} >= needed
    assert {"rsync", "openssh-clients"} <= set((tmp_path / "bindep").read_text("utf-8").split())


def test_the_image_can_be_defined(tmp_path: Path) -> None:
    """All that ansible-builder does before it needs a container engine."""
    shutil.copy(ROOT / "awx" / "execution-environment.yml", tmp_path)
    (tmp_path / "hospital-continuity.tar.gz").write_bytes(b"")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ansible_builder",
            "create",
            "--file",
            "execution-environment.yml",
            "--context",
            "context",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    recipe = (tmp_path / "context" / "Containerfile").read_text("utf-8")
    definition = yaml.safe_load((tmp_path / "execution-environment.yml").read_text("utf-8"))
    assert definition["images"]["base_image"]["name"] in recipe
    assert (tmp_path / "context" / "_build" / "configs" / "hospital-continuity.tar.gz").exists()
