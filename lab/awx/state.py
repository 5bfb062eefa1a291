# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What AWX has: rows of each kind, what belongs together, and what is secret."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.awx import rules
from lab.awx.rules import Refused

ENCRYPTED = "$encrypted$"
BUILT_IN_TYPES: dict[str, tuple[str, list[str], list[str]]] = {  # name: kind, plain inputs, secret ones
    "Machine": ("ssh", ["username", "become_method", "become_username"], ["password", "ssh_key_data"]),
    "Source Control": ("scm", ["username"], ["password", "ssh_key_data", "ssh_key_unlock"]),
    "Vault": ("vault", ["vault_id"], ["vault_password"]),
}
# What must be said, kind by kind, and what of it is another row.
REQUIRED: dict[str, dict[str, str]] = {
    "organizations": {"name": ""},
    "execution_environments": {"name": "", "image": ""},
    "credential_types": {"name": "", "kind": ""},
    "credentials": {"name": "", "credential_type": "credential_types"},
    "projects": {"name": "", "organization": "organizations"},
    "inventories": {"name": "", "organization": "organizations"},
    "inventory_sources": {"name": "", "inventory": "inventories", "source": ""},
    "job_templates": {"name": "", "inventory": "inventories", "project": "projects", "playbook": ""},
    "workflow_job_templates": {"name": ""},
    "workflow_job_template_nodes": {"workflow_job_template": "workflow_job_templates"},
    "workflow_approval_templates": {"name": ""},
    "schedules": {"name": "", "unified_job_template": "unified_job_templates", "rrule": ""},
}
UNIFIED = ("job_templates", "workflow_job_templates", "projects", "inventory_sources", "workflow_approval_templates")
LINKS = ("credentials", "success_nodes", "failure_nodes", "always_nodes", "labels", "instance_groups")

Row = dict[str, Any]


class State:
    """The rows, by kind and id. Ids count over all kinds."""

    def __init__(self, playbooks: list[str]) -> None:
        self.playbooks = playbooks  # those that a project has at its top
        self.rows: dict[str, dict[int, Row]] = {kind: {} for kind in REQUIRED}
        self.links: dict[tuple[int, str], list[int]] = {}
        self.surveys: dict[int, Row] = {}
        self._number = 0
        for name, (kind, plain, secret) in BUILT_IN_TYPES.items():
            fields = [{"id": each, "label": each} for each in plain]
            fields += [{"id": each, "label": each, "secret": True} for each in secret]
            self._add("credential_types", {"name": name, "kind": kind, "inputs": {"fields": fields}, "injectors": {}})

    def _add(self, kind: str, row: Mapping[str, Any]) -> Row:
        self._number += 1
        made = self.rows[kind][self._number] = {"id": self._number, **row}
        return made

    def of(self, kind: str) -> dict[int, Row]:
        """The rows of a kind; of all that can be launched for unified_job_templates."""
        if kind == "unified_job_templates":
            return {number: row for each in UNIFIED for number, row in self.rows[each].items()}
        return self.rows[kind]

    def named(self, kind: str, name: str) -> Row:
        """The one row with this name."""
        (row,) = [row for row in self.of(kind).values() if row.get("name") == name]
        return row

    def linked(self, number: int, link: str) -> list[int]:
        """What belongs to a row: the ids of its credentials, or of the nodes that follow it."""
        return self.links.setdefault((number, link), [])

    def create(self, kind: str, given: Row) -> Row:
        """A new row; Refused if something is missing or wrong."""
        for field, target in REQUIRED[kind].items():
            if not given.get(field):
                raise Refused(field, "This field is required.")
            if target and given[field] not in self.of(target):
                raise Refused(field, f'Invalid pk "{given[field]}" - object does not exist.')
        self._check(kind, given)
        return self._add(kind, given)

    def change(self, kind: str, number: int, given: Row) -> Row:
        """The row with what is given; a secret given as $encrypted$ stays."""
        row = self.rows[kind][number]
        self._check(kind, {**row, **given})
        if "inputs" in given and kind == "credentials":
            kept = {name: row["inputs"].get(name) for name, value in given["inputs"].items() if value == ENCRYPTED}
            given = {**given, "inputs": {**given["inputs"], **kept}}
        row.update(given)
        return row

    def _check(self, kind: str, row: Mapping[str, Any]) -> None:
        if kind == "credential_types" and row["name"] not in BUILT_IN_TYPES:
            rules.check_credential_type(row)
        elif kind == "credentials":
            self._check_inputs(row)
        elif kind == "job_templates":
            if row["playbook"] not in self.playbooks:
                raise Refused("playbook", "Playbook not found for project.")
            json.loads(row.get("extra_vars") or "{}")
        elif kind == "schedules":
            rules.check_rule(row["rrule"])

    def _check_inputs(self, row: Mapping[str, Any]) -> None:
        inputs = self.rows["credential_types"][row["credential_type"]]["inputs"]
        names = {field["id"] for field in inputs["fields"]}
        if strangers := set(row.get("inputs") or {}) - names:
            raise Refused("inputs", f"Additional properties are not allowed ({sorted(strangers)} unexpected)")
        if not all(isinstance(value, (str, bool)) for value in (row.get("inputs") or {}).values()):
            raise Refused("inputs", "not of type 'string'")
        for name in inputs.get("required", []):
            if not (row.get("inputs") or {}).get(name):
                raise Refused("inputs", f"required for {row['name']}: {name}")

    def link(self, kind: str, number: int, link: str, other: int) -> None:
        """Add to what belongs to a row. A job may have one credential of a type; vaults aside."""
        if link == "credentials":
            if other not in self.rows["credentials"]:
                raise Refused("id", "object does not exist.")
            mine = self.rows["credentials"][other]["credential_type"]
            if any(self.rows["credentials"][each]["credential_type"] == mine for each in self.linked(number, link)):
                raise Refused("error", "Cannot assign multiple credentials of one type.")
        elif other not in self.rows[kind]:
            raise Refused("id", "object does not exist.")
        self.linked(number, link).append(other)

    def set_survey(self, number: int, survey: Row) -> None:
        """The questions of a job."""
        rules.check_survey(survey)
        self.surveys[number] = survey

    def shown(self, kind: str, row: Row) -> Row:
        """A row as the API shows it: with addresses, without secrets."""
        kind = next((each for each in REQUIRED if row["id"] in self.rows[each]), kind)
        url = f"/api/v2/{kind}/{row['id']}/"
        related = {"survey_spec": url + "survey_spec/"} if kind == "job_templates" else {}
        if kind == "workflow_job_template_nodes" and row.get("unified_job_template"):
            other = self.of("unified_job_templates")[row["unified_job_template"]]
            other_kind = next(each for each in UNIFIED if other["id"] in self.rows[each])
            related["unified_job_template"] = f"/api/v2/{other_kind}/{other['id']}/"
        answer = {**row, "type": kind.rstrip("s"), "url": url, "related": related, "summary_fields": {}}
        if kind == "credentials":
            fields = self.rows["credential_types"][row["credential_type"]]["inputs"]["fields"]
            secret = {field["id"] for field in fields if field.get("secret")}
            given = row.get("inputs") or {}
            answer["inputs"] = {name: ENCRYPTED if name in secret else value for name, value in given.items()}
        if kind == "projects":
            answer["scm_revision"] = "0" * 40
        return answer
