# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The thin Ansible adapter: argument_spec in, exit_json or fail_json out. The only file that knows AnsibleModule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.validation import check_type_dict

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Backend, Telling
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import (
    Outcome,
    converge,
    lines,
    shown,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import (
    Operation,
    OperationBackend,
    operate,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import plain

OpenBackend = Callable[[Mapping[str, Any]], Backend[Any]]
OpenOperation = Callable[[Mapping[str, Any]], OperationBackend[Any]]


class Module(AnsibleModule):  # type: ignore[misc]  # Ansible comes without types
    """AnsibleModule, which logs its invocation as Python writes it and looks there for secrets as they are: one with a
    backslash, a quote or a line break in it would be in the system's log."""

    def _load_params(self) -> None:
        """Where a list stands for a mapping with options, Ansible ends in a traceback; for a text, it names none."""
        super()._load_params()
        for name, entry in self.argument_spec.items():
            if entry.get("type") == "dict" and entry.get("options") and self.params.get(name) is not None:
                try:
                    self.params[name] = check_type_dict(self.params[name])
                except TypeError:
                    # What is required in it is then missing, and that is told with the name.
                    self.params[name] = {}

    def _log_invocation(self) -> None:
        self.no_log_values.update({repr(str(secret))[1:-1] for secret in self.no_log_values})
        super()._log_invocation()


def argument_spec(kind: Kind, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a module that describes a state, from its kind's spec and its subsystem's connection options."""
    item = {row.name: row.argument(required=row.name in kind.identity) for row in kind.fields}
    if any(row.resettable for row in kind.option_rows):
        item["reset"] = {"type": "list", "elements": "str"}
    spec: dict[str, Any] = {
        "config": {"type": "list", "elements": "dict", "required": True, "options": item},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "unlisted_options": {"type": "str", "choices": ["ignore", "reset"], "default": "ignore"},
        "verify_timeout": {"type": "int", "default": 60},
    }
    if kind.words:
        spec["allow"] = {"type": "list", "elements": "str", "default": []}
    if any(row.write_only for row in kind.fields):
        spec["update_secrets"] = {
            "type": "str",
            "choices": ["on_create", "always"],
            "default": "on_create",
            "no_log": False,
        }
    if kind.scope:
        spec["unlisted"] = {"type": "str", "choices": ["ignore", "absent"], "default": "ignore"}
        spec["scope"] = {"type": "dict"}
        spec["max_removals"] = {"type": "int", "default": 3}
    return {**spec, **connection}


def operation_spec(operation: Operation, connection: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a module that does something once."""
    spec: dict[str, Any] = {}
    for row in operation.fields:
        spec[row.name] = row.argument(required=row.required)
        if row.default is not None:
            spec[row.name]["default"] = plain(row.default)
    spec["verify_timeout"] = {"type": "int", "default": 60}
    if operation.words:
        spec["allow"] = {"type": "list", "elements": "str", "default": []}
    return {**spec, **connection}


def run(kind: Kind, connection: Mapping[str, Any], open_backend: OpenBackend) -> None:
    """A whole module: everything one needs is its kind, its connection options and how to reach its subsystem."""
    module = Module(argument_spec=argument_spec(kind, connection), supports_check_mode=True)
    try:
        declared = kind.declare(module.params)
        backend = open_backend(module.params)
        try:
            outcome = converge(
                kind,
                declared,
                backend,
                check=module.check_mode,
                verify_timeout=module.params["verify_timeout"],
            )
        finally:
            backend.close()
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    told = backend.told() if isinstance(backend, Telling) else {}
    _end(module, outcome, {**told, **result(kind, outcome)})


def run_operation(operation: Operation, connection: Mapping[str, Any], open_backend: OpenOperation) -> None:
    """A whole module of the other sort."""
    module = Module(argument_spec=operation_spec(operation, connection), supports_check_mode=True)
    try:
        order = operation.order(module.params)
        backend = open_backend(module.params)
        try:
            done = operate(
                operation, order, backend, check=module.check_mode, verify_timeout=module.params["verify_timeout"]
            )
        finally:
            backend.close()
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    _end(module, done.outcome, {**done.values, **result(operation, done.outcome)})


def _end(module: AnsibleModule, outcome: Outcome, answer: Mapping[str, Any]) -> None:
    for text in outcome.warnings:
        module.warn(text)
    if outcome.failure:
        module.fail_json(msg=outcome.failure, **answer)
    module.exit_json(**answer)


def result(kind: Kind | Operation, outcome: Outcome) -> dict[str, Any]:
    """What the module returns. The diff is always the plan's, so that check and real run show the same."""
    before, after = (shown(kind, states) for states in outcome.predicted)
    return {
        "changed": outcome.changed,
        "steps": lines(outcome.results),
        "before": before,
        "after": shown(kind, outcome.after),
        "unmet": list(outcome.unmet),
        "diff": {"before": before, "after": after} if outcome.plan else {},
    }
