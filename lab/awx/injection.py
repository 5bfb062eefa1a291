# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How AWX gives a job its credentials: the credential type's injectors, rendered with the credential's inputs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2.sandbox import ImmutableSandboxedEnvironment


def inject(credential_type: dict[str, Any], inputs: dict[str, Any], private: Path) -> dict[str, str]:
    """The environment variables of a credential; its files are written below `private`/env, for their owner only.

    As in AWX, an input that is empty is not there at all, files come first, and variables can name them as
    tower.filename.NAME.
    """
    sandbox = ImmutableSandboxedEnvironment()
    tower = SimpleNamespace()
    values: dict[str, Any] = {name: value for name, value in inputs.items() if value not in ("", None)}
    values["tower"] = tower
    for field in credential_type["inputs"]["fields"]:
        if field.get("type") == "boolean":
            values.setdefault(field["id"], False)
    for label, template in credential_type["injectors"].get("file", {}).items():
        path = _private_file(private / "env", sandbox.from_string(template).render(values))
        name = label.partition(".")[2]
        if not name:
            tower.filename = str(path)
            continue
        if not hasattr(tower, "filename"):
            tower.filename = SimpleNamespace()
        setattr(tower.filename, name, str(path))
    environment = credential_type["injectors"].get("env", {})
    return {name: sandbox.from_string(template).render(values) for name, template in environment.items()}


def _private_file(directory: Path, content: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=directory)  # 0600
    os.close(handle)
    Path(name).write_text(content, encoding="utf-8")
    return Path(name)
