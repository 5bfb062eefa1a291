# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""awx/objects, the playbooks' specifications and docs/awx.md say the same; and no playbook asks while it runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OBJECTS = ROOT / "awx" / "objects"
PLAYBOOKS = {file.stem: file for file in (ROOT / "playbooks").glob("*.yml") if not file.stem.endswith(".meta")}
# The answer's type in AWX, and that of the playbook's variable.
TYPES = {"text": "str", "multiplechoice": "str", "multiselect": "list", "integer": "int", "float": "float"}


class Loader(yaml.SafeLoader):
    """With the tags that Ansible has in addition."""


Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))  # type: ignore[no-untyped-call]


def loaded(file: Path) -> Any:
    return yaml.load(file.read_text("utf-8"), Loader)


JOBS: list[dict[str, Any]] = loaded(OBJECTS / "jobs.yml")["awx_jobs"]
QUESTIONS = [(job, question) for job in JOBS for question in job.get("survey", [])]


def specification(playbook: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = loaded(ROOT / "playbooks" / f"{playbook}.meta.yml")["argument_specs"][playbook]
    return found["options"]


def tasks_below(entry: Any) -> list[dict[str, Any]]:
    """All mappings in it: plays, blocks, tasks."""
    if isinstance(entry, list):
        return [task for each in entry for task in tasks_below(each)]
    if not isinstance(entry, dict):
        return []
    return [entry, *(task for value in entry.values() for task in tasks_below(value))]


def test_people_can_order_what_a_hospital_runs() -> None:
    ordered = {job["playbook"] for job in JOBS}
    assert ordered <= set(PLAYBOOKS)
    assert ordered >= {"site", "network", "storage", "tapes", "database", "summary", "restore"}
    assert ordered >= {"switchover", "failover", "failback", "restore_database", "upgrade", "evacuate"}


@pytest.mark.parametrize(("job", "question"), QUESTIONS, ids=lambda part: part.get("variable") or part["name"])
def test_what_is_asked_is_what_the_playbook_takes(job: dict[str, Any], question: dict[str, Any]) -> None:
    taken = specification(job["playbook"])[question["variable"]]
    assert taken["type"] == TYPES[question["type"]]
    assert not taken.get("required") or question["required"]
    assert ("choices" in question) == (question["type"] in ("multiplechoice", "multiselect"))


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job["name"])
def test_a_job_gives_what_its_playbook_requires(job: dict[str, Any]) -> None:
    file = ROOT / "playbooks" / f"{job['playbook']}.meta.yml"
    known = specification(job["playbook"]) if file.exists() else {}
    fixed = job.get("extra_vars", {})
    assert set(fixed) <= set(known)
    given = {question["variable"] for question in job.get("survey", []) if question.get("required")} | set(fixed)
    assert {name for name, taken in known.items() if taken.get("required")} <= given
    assert set(job["reaches"]) <= set(loaded(OBJECTS / "credentials.yml")["awx_credential_for"])


def test_a_playbook_with_a_specification_begins_with_it() -> None:
    files = sorted((ROOT / "playbooks").glob("*.meta.yml"))
    assert len(files) >= 5
    for file in files:
        name = file.name.removesuffix(".meta.yml")
        first = loaded(PLAYBOOKS[name])[0]
        validated = [
            task["vars"]["arguments_specified"]
            for task in first["tasks"]
            if task.get("ansible.builtin.import_tasks") == "tasks/arguments.yml"
        ]
        assert len(validated) == 1
        assert f"'{name}.meta.yml'" in validated[0]
        assert f".argument_specs.{name}.options" in validated[0]


@pytest.mark.parametrize("playbook", sorted(PLAYBOOKS))
def test_no_playbook_asks_while_it_runs(playbook: str) -> None:
    for task in tasks_below(loaded(PLAYBOOKS[playbook])):
        assert "vars_prompt" not in task
        assert not set(task) & {"pause", "ansible.builtin.pause"} or task.keys() & {"minutes", "seconds"}


def test_no_role_asks_while_it_runs() -> None:
    files = [*ROOT.glob("roles/*/tasks/**/*.yml"), *ROOT.glob("roles/*/handlers/*.yml")]
    assert len(files) > 20
    for file in files:
        for task in tasks_below(loaded(file)):
            for name in ("pause", "ansible.builtin.pause"):
                assert name not in task or set(task[name] or {}) & {"seconds", "minutes"}, file


def test_workflows_and_schedules_name_jobs_that_are_there() -> None:
    names = [job["name"] for job in JOBS]
    assert len(set(names)) == len(names)
    always = {job["name"] for job in JOBS if not job.get("servers")}
    schedules = loaded(OBJECTS / "schedules.yml")["awx_schedules"]
    assert {schedule["job"] for schedule in schedules} <= always
    for workflow in loaded(OBJECTS / "workflows.yml")["awx_workflows"]:
        nodes = {node["identifier"]: node for node in workflow["nodes"]}
        assert {node["job"] for node in nodes.values() if "job" in node} <= always
        for node in nodes.values():
            follow = [
                each for word in ("success_nodes", "failure_nodes", "always_nodes") for each in node.get(word, [])
            ]
            assert set(follow) <= set(nodes)


def test_what_runs_by_itself_only_reads() -> None:
    jobs = {job["name"]: job for job in JOBS}
    for schedule in loaded(OBJECTS / "schedules.yml")["awx_schedules"]:
        job = jobs[schedule["job"]]
        assert job["playbook"] == "summary" or job["options"]["job_type"] == "check"


def test_the_playbook_passes_on_every_option_that_a_job_has() -> None:
    (task,) = [task for task in loaded(PLAYBOOKS["awx"])[0]["tasks"] if "awx.awx.job_template" in task]
    passed = task["awx.awx.job_template"]
    for job in JOBS:
        for option in job.get("options", {}):
            assert f"options.{option}" in passed[option]


def table(document: str, heading: str) -> list[list[str]]:
    rows = document.partition(heading)[2].lstrip("\n").split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[1:]]


def test_the_document_tells_of_the_same_jobs() -> None:
    document = (ROOT / "docs" / "awx.md").read_text("utf-8")
    rows = table(document, "| job | playbook | reaches | asks | takes |")
    expected = [
        [
            job["name"],
            f"`{job['playbook']}`",
            ", ".join(job["reaches"]),
            ", ".join(
                f"`{question['variable']}`" + ("" if question.get("required") else " (optional)")
                for question in job.get("survey", [])
            ),
            job["takes"],
        ]
        for job in JOBS
    ]
    assert rows == expected


def test_the_document_tells_of_the_same_schedules_and_workflows() -> None:
    document = (ROOT / "docs" / "awx.md").read_text("utf-8")
    rows = table(document, "| runs by itself | job | when |")
    schedules = loaded(OBJECTS / "schedules.yml")["awx_schedules"]
    assert [row[:2] for row in rows] == [[schedule["name"], schedule["job"]] for schedule in schedules]
    for row, schedule in zip(rows, schedules, strict=True):
        hours, minutes = re.search(r"T(\d\d)(\d\d)00 RRULE:FREQ=(?:DAILY|WEEKLY)", schedule["rrule"]).groups()  # type: ignore[union-attr]
        assert row[2].startswith(f"{hours}:{minutes}")
    for workflow in loaded(OBJECTS / "workflows.yml")["awx_workflows"]:
        assert f"**{workflow['name']}**" in document


def test_the_document_tells_only_of_variables_that_there_are() -> None:
    document = (ROOT / "docs" / "awx.md").read_text("utf-8")
    assert set(re.findall(r"\bawx_[a-z_]+\b", document)) <= set(specification("awx")) | {"awx_awx"}


def test_the_settings_are_those_of_the_specification() -> None:
    used = set()
    for file in OBJECTS.glob("*.yml"):
        used |= set(re.findall(r"\bawx_[a-z_]+\b", file.read_text("utf-8")))
    used |= set(re.findall(r"\bawx_[a-z_]+\b", PLAYBOOKS["awx"].read_text("utf-8")))
    defined = set()
    for file in OBJECTS.glob("*.yml"):
        defined |= set(loaded(file))
    own = set(loaded(PLAYBOOKS["awx"])[0]["vars"])
    assert used - defined - own == set(specification("awx"))
