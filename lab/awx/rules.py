# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What AWX refuses when something is made or changed, as far as this collection's data could go wrong there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

QUESTION_TYPES = {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = re.compile(r"template(\.[A-Za-z0-9_]+)?")
_FIELD_KEYS = {
    "id",
    "label",
    "type",
    "secret",
    "multiline",
    "format",
    "help_text",
    "choices",
    "ask_at_runtime",
    "default",
}
# Environment variables that a credential may not set, because they would steer ansible-runner or Ansible itself.
_BLOCKED = re.compile(r"(ANSIBLE_|AWX_|HOME$|PATH$|VIRTUAL_ENV$|JOB_ID$|INVENTORY_ID$|SHELL$|USER$|PYTHONPATH$)")


class Refused(Exception):
    """The answer is 400, and says this."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.answer = {field: [problem]}


def check_credential_type(given: Mapping[str, Any]) -> None:
    """Fields are what AWX can show, and each injector is a template of these fields."""
    if given.get("kind") not in (None, "cloud", "net"):
        raise Refused("kind", "Must be 'cloud' or 'net'")
    inputs = given.get("inputs") or {}
    names = [field.get("id", "") for field in inputs.get("fields", [])]
    for field in inputs.get("fields", []):
        if set(field) - _FIELD_KEYS or not {"id", "label"} <= set(field):
            raise Refused("inputs", f"Additional properties are not allowed, or one is missing: {sorted(field)}")
        if field.get("type", "string") not in ("string", "boolean"):
            raise Refused("inputs", f"{field['type']!r} is not one of ['string', 'boolean']")
        if field["id"] == "tower" or not _ENVIRONMENT.fullmatch(field["id"]):
            raise Refused("inputs", f"{field['id']!r} is not an id")
    if strangers := set(inputs.get("required", [])) - set(names):
        raise Refused("inputs", f"required names no field: {sorted(strangers)}")
    _check_injectors(given.get("injectors") or {}, names)


def _check_injectors(injectors: Mapping[str, Mapping[str, str]], names: list[str]) -> None:
    if set(injectors) - {"file", "env", "extra_vars"}:
        raise Refused("injectors", f"Additional properties are not allowed: {sorted(injectors)}")
    files = injectors.get("file", {})
    if not all(_FILE.fullmatch(label) for label in files):
        raise Refused("injectors", f"A file is called template or template.name: {sorted(files)}")
    for name in injectors.get("env", {}):
        if not _ENVIRONMENT.fullmatch(name) or _BLOCKED.match(name):
            raise Refused("injectors", f"Environment variable {name} is not allowed to be used in credentials.")
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    filenames = {label.partition(".")[2]: "EXAMPLE" for label in files}
    values = {**dict.fromkeys(names, "EXAMPLE"), "tower": {"filename": filenames}}
    for sort, templates in injectors.items():
        for name, template in templates.items():
            try:
                sandbox.from_string(template).render(values)
            except TemplateError as problem:
                raise Refused("injectors", f"{sort}.{name} does not render: {problem}") from None


def check_survey(survey: Mapping[str, Any]) -> None:
    """What the survey's own endpoint says no to."""
    if not {"name", "description", "spec"} <= set(survey):
        raise Refused("error", "'name', 'description' or 'spec' missing from survey spec.")
    if not isinstance(survey["spec"], list) or not survey["spec"]:
        raise Refused("error", "'spec' must be a list of items, and not empty.")
    variables = set()
    for index, question in enumerate(survey["spec"]):
        for key in ("question_name", "type", "variable", "required"):
            if key not in question:
                raise Refused("error", f"'{key}' missing from survey question {index}")
        if question["type"] not in QUESTION_TYPES:
            raise Refused("error", f"'{question['type']}' in survey question {index} is not one of the types")
        if question["variable"] in variables or not _ENVIRONMENT.fullmatch(question["variable"]):
            raise Refused("error", f"'variable' '{question['variable']}' is duplicated, or no variable")
        variables.add(question["variable"])
        _check_choices(question, index)


def _check_choices(question: Mapping[str, Any], index: int) -> None:
    if not isinstance(question["required"], bool):
        raise Refused("error", f"required in survey question {index} is no boolean")
    if question["type"] not in ("multiplechoice", "multiselect"):
        return
    choices = question.get("choices")
    choices = choices.splitlines() if isinstance(choices, str) else choices
    if not choices:
        raise Refused("error", f"survey question {index} of type {question['type']} must specify choices.")
    default = question.get("default") or []
    if set(default.splitlines() if isinstance(default, str) else default) - set(choices):
        raise Refused("error", f"The default of survey question {index} is none of its choices")


def check_rule(rule: str) -> None:
    """The schedule's times, in AWX's dialect of RFC 5545."""
    if not re.match(r"DTSTART(;TZID=[A-Za-z_]+(/[A-Za-z_-]+)*)?:\d{8}T\d{6}Z? RRULE:", rule):
        raise Refused("rrule", "DTSTART required in rrule. Value should start with: DTSTART:YYYYMMDDTHHMMSSZ")
    if not re.search(r"FREQ=(MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)", rule):
        raise Refused("rrule", "FREQ required in rrule.")
    if not re.search(r"INTERVAL=\d+", rule):
        raise Refused("rrule", "INTERVAL required in rrule.")


def wrong_answers(survey: Mapping[str, Any], answers: Mapping[str, Any]) -> list[str]:
    """What AWX tells a person whose answers it does not take."""
    problems = []
    questions = {question["variable"]: question for question in survey.get("spec", [])}
    for name in sorted(set(answers) - set(questions)):
        problems.append(f"Variables {name} are not allowed on launch.")
    for name, question in questions.items():
        value = answers.get(name)
        if value in (None, "", []):
            if question["required"]:
                problems.append(f"'{name}' value missing")
            continue
        choices = question["choices"]
        if question["type"] == "multiselect":
            if not isinstance(value, list) or set(value) - set(choices):
                problems.append(f"Value {value} for '{name}' expected to be one or more of {choices}.")
        elif question["type"] == "multiplechoice" and value not in choices:
            problems.append(f"Value {value} for '{name}' expected to be one of {choices}.")
        elif question["type"] == "integer" and not isinstance(value, int):
            problems.append(f"Value {value} for '{name}' expected to be an integer.")
        elif question["type"] in ("text", "textarea", "password") and not isinstance(value, str):
            problems.append(f"Value {value} for '{name}' expected to be a string.")
    return problems
