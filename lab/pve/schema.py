# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The API schema recorded from a Proxmox VE 9.1.9 cluster, and PVE's way of checking parameters against it.

The recording is tests/data/pve/api-schema.json.gz: every endpoint's parameters, formats and permissions.
"""

from __future__ import annotations

import functools
import gzip
import json
import re
from pathlib import Path
from typing import Any

from fakepve import formats
from fakepve import schema as fake_schema

from lab.pve import value_formats

RECORDED = Path(__file__).resolve().parents[2] / "tests" / "data" / "pve" / "api-schema.json.gz"
NOT_IN_SCHEMA = "property is not defined in schema and the schema does not allow additional properties"
MISSING = "property is missing and it is not optional"
NUMBERED = re.compile(r"^(.*?)(0|[1-9]\d*)$")
# Path parameters that swallow the rest of the path, slashes included.
GREEDY = {"/nodes/{node}/storage/{storage}/content": "volume"}


@functools.lru_cache(maxsize=1)
def load() -> fake_schema.Schema:
    """The recorded schema as fakepve's Schema: `paths[template][method]` and `match(path)`."""
    value_formats.register()
    with gzip.open(RECORDED) as recorded:
        document = json.load(recorded)
    for name, sub in document["formats"].items():
        if isinstance(sub, dict):
            formats.REGISTERED.setdefault(name, sub)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in document["endpoints"]:
        if endpoint["path"].startswith("/access/"):
            _read_perl(endpoint)
        paths.setdefault(endpoint["path"], {})[endpoint["method"]] = endpoint
    return fake_schema.Schema(paths)


def _read_perl(endpoint: dict[str, Any]) -> None:
    """Perl's `(?^:…)` is no pattern of Python's, and what cannot be read is not checked."""
    for spec in (endpoint.get("parameters") or {}).get("properties", {}).values():
        if "(?^:" in str(spec.get("pattern", "")):
            spec["pattern"] = spec["pattern"].replace("(?^:", "(?:")


@functools.lru_cache(maxsize=4096)
def match(path: str) -> fake_schema.Match | None:
    """The endpoint of a decoded API path; cached, since clients ask for the same paths again and again."""
    found = load().match(path)
    if found is None:
        for template, name in GREEDY.items():
            prefix = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
            hit = re.match(prefix + f"/(?P<{name}>.+)$", path)
            if hit:
                full = f"{template}/{{{name}}}"
                return fake_schema.Match(full, hit.groupdict(), load().paths[full])
    return found


def property_schema(properties: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The schema of one parameter; net0 is found under net[n]."""
    if name in properties:
        found: dict[str, Any] = properties[name]
        return found
    numbered = NUMBERED.match(name)
    if numbered and int(numbered.group(2)) < fake_schema.MAX_INDEX.get(numbered.group(1), 10**9):
        return properties.get(numbered.group(1) + "[n]")
    return None


def _boolean(value: Any) -> int | None:
    if isinstance(value, bool):
        return int(value)
    return {"0": 0, "1": 1}.get(str(value))


def check(schema: dict[str, Any], value: Any, name: str, errors: dict[str, str]) -> Any:
    """The value as PVE's check_prop reads it; what is wrong goes to `errors`."""
    if schema.get("type") == "boolean" and not isinstance(value, (list, dict)):
        flag = _boolean(value)
        if flag is None:
            errors[name] = f"type check ('boolean') failed - got '{value}'"
        return value if flag is None else flag
    if schema.get("type") == "number" and not isinstance(value, (list, dict)):
        fake_schema._check(schema, value, name, errors)
        # PVE keeps a number as it was written.
        return str(value)
    return fake_schema._check(schema, value, name, errors)


def validate(spec: dict[str, Any] | None, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Check request values against a method's parameters: (values with their types, {parameter: message})."""
    spec = spec or {}
    properties = spec.get("properties", {})
    strict = spec.get("additionalProperties", 1) in (0, "0", False)
    errors: dict[str, str] = {}
    out: dict[str, Any] = {}
    for name, value in values.items():
        schema = property_schema(properties, name)
        if schema is None:
            if strict:
                errors[name] = NOT_IN_SCHEMA
            else:
                out[name] = value
            continue
        if value is None:
            out[name] = None
            continue
        if isinstance(value, list) and schema.get("type") == "string":
            # JSON arrays for list-like strings are joined, as PVE's API server does.
            value = ",".join(str(item) for item in value)
        out[name] = check(schema, value, name, errors)
        needs = schema.get("requires")
        if needs and needs not in values:
            errors[needs] = f"missing property required by '{name}'"
    for name in _required(id(spec), spec):
        if name not in values:
            errors[name] = MISSING
    return out, errors


_REQUIRED: dict[int, list[str]] = {}


def _required(key: int, spec: dict[str, Any]) -> list[str]:
    if key not in _REQUIRED:
        _REQUIRED[key] = [
            name
            for name, schema in spec.get("properties", {}).items()
            if not schema.get("optional") and "[n]" not in name
        ]
    return _REQUIRED[key]
