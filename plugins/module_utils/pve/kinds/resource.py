# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Anything in the API that is read with GET, changed with PUT and removed with DELETE, for what has no module yet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, unquote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Consent,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import PveKind, Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.parameters import (
    Parameters,
    on_wire,
    same,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.owners import owner_of

# What sounds like a secret is not shown, should PVE tell it.
_SECRET = re.compile(r"passw|secret|token|ticket|private|(^|[-_])key($|[-_])", re.IGNORECASE)


@dataclass(frozen=True)
class ApiPath:
    """A path of the API, without /api2/json and without a query; a slash inside a name is %2F."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip().rstrip("/")
        names = text.split("/")[1:]
        if not text.startswith("/") or not names or not text.isprintable() or "?" in text or "#" in text:
            raise ValueError(f"{value!r} is no path of the API; write for example /cluster/metrics/server/graphite")
        if any(unquote(name).strip() in ("", ".", "..") for name in names):
            raise ValueError(f"{value!r} holds an empty name, or one of dots")
        return text

    def wire(self, value: Any) -> Any:
        return value


def quoted(path: str) -> str:
    """A path as it is asked for."""
    return "/".join(quote(unquote(name), safe=":@!") for name in path.split("/"))


def parent_of(path: str) -> str:
    """The list that a thing is in."""
    return path.rpartition("/")[0]


@dataclass(frozen=True)
class ResourceKind(PveKind):
    """Only the parameters that an item lists are looked at."""

    def check(self, item: Item) -> None:
        for option, path in (("path", item.key[0]), ("create_path", item.options.get("create_path"))):
            module = owner_of(unquote(str(path))) if path else ""
            if module:
                raise InvalidInput(f"{option}: {path} is described by the module {module}.", hint=f"Use {module}.")
        doubled = set(item.options.get("options") or {}) & set(item.options.get("secrets") or {})
        if doubled:
            raise InvalidInput(f"options and secrets both have {', '.join(sorted(doubled))}.", hint="Give it once.")
        given = {*(item.options.get("options") or {}), *(item.options.get("secrets") or {})}
        lost = [name for name in item.options.get("resent") or () if name not in given]
        if lost:
            raise InvalidInput(f"resent: {', '.join(lost)} is not in options.", hint="Say there what it is.")

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        shown = {str(name): value for name, value in raw.items() if name != "digest" and _is_parameter(value)}
        options = {name: value for name, value in (Parameters().canonical(shown) or {}).items() if value != ""}
        return Thing({"options": options} if options else {}, {"digest": raw["digest"]} if raw.get("digest") else {})

    def visible(self, key: Key, state: Mapping[str, Any] | None) -> dict[str, Any] | None:
        if state is None:
            return None
        open_ones = {name: each for name, each in (state.get("options") or {}).items() if not _SECRET.search(name)}
        return super().visible(key, {**state, "options": open_ones} if open_ones else {})

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        steps = super().plan_present(item, thing, declared)
        if thing is None:
            return steps
        again = {name: (item.options.get("options") or {}).get(name) for name in item.options.get("resent") or ()}
        hidden = {name: (item.options.get("secrets") or {}).get(name) for name in again}
        resent = {name: each if each is not None else hidden[name] for name, each in again.items()}
        return [replace(step, facts={**step.facts, "resent": resent}) for step in steps]

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        now = current.get("options") or {}
        given = item.options.get("options") or {}
        changed = {name: value for name, value in given.items() if not same(now.get(name), value)}
        after = {name: value for name, value in {**now, **changed}.items() if value != ""}
        return ({"options": after} if after else {}), sorted(changed)

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        return (Consent(f"delete_resource:{step.key[0]}", "it is deleted, with whatever Proxmox VE deletes with it"),)

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """One after the other, as they are listed, which is what one may need of another. The digest is that of a whole
        file: after our own first write it would be stale."""
        result: list[Step] = []
        for step in steps:
            facts = {name: fact for name, fact in step.facts.items() if name != "digest" or len(steps) == 1}
            needs = (*step.needs, result[-1].key) if result else step.needs
            result.append(replace(step, facts=facts, needs=needs))
        return tuple(result)

    def requests(self, step: Step) -> Sequence[Request]:
        path = str(step.key[0])
        if step.action == DELETE:
            return (Request("DELETE", quoted(path)),)
        options = (step.after or {}).get("options") or {}
        secrets = step.secrets.get("secrets") or {}
        if step.action == CREATE:
            given = {**(step.inputs.get("create_options") or {}), **options, **secrets}
            where = str(step.inputs.get("create_path") or parent_of(path))
            return (Request("POST", quoted(where), _on_wire(given)),)
        changed = {name: options[name] for name in step.options if name in options}
        parameters = _on_wire({**step.facts.get("resent", {}), **changed, **secrets})
        gone = [name for name in step.options if name != "secrets" and name not in options]
        if gone:
            parameters["delete"] = ",".join(gone)
        if step.facts.get("digest"):
            parameters["digest"] = step.facts["digest"]
        return (Request("PUT", quoted(path), parameters),)

    def option_of(self, wire: str) -> str:
        return f"options.{wire}"


def _on_wire(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: on_wire(value) for name, value in values.items() if value not in ("", None)}


def _is_parameter(value: Any) -> bool:
    """Whether PVE could take back what it shows: not a list of mappings, or a mapping of them."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return not any(isinstance(each, Mapping) for each in inner)


RESOURCE = ResourceKind(
    name="resource",
    identity=("path",),
    words=("delete_resource",),
    fields=(
        Field("path", ApiPath()),
        Field("options", Parameters(), type="dict", merged=True, kept=True),
        Field("secrets", Parameters(), type="dict", write_only=True),
        Field("resent", Unordered(), type="list", elements="str", creating=True),
        Field("create_path", ApiPath(), creating=True),
        Field("create_options", Parameters(), type="dict", creating=True),
    ),
)
