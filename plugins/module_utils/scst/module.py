# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How the modules of SCST run: their kind, their options, the backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.scst import conf, record
from ansible_collections.hospital.continuity.plugins.module_utils.scst.backend import Places, ScstBackend
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import TargetKind

ARGUMENTS: Mapping[str, Any] = {
    "conf_path": {"type": "path", "default": conf.PATH},
    "state_directory": {"type": "path", "default": record.DIRECTORY},
}


def run(kind: TargetKind) -> None:
    """The whole of a module that describes targets."""
    module.run(kind, ARGUMENTS, open_backend)


def open_backend(params: Mapping[str, Any]) -> ScstBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    for name in ARGUMENTS:
        if not str(params[name]).startswith("/") or "\x00" in str(params[name]):
            raise InvalidInput(f"{name}: {params[name]!r} is no absolute path.", hint="Correct the value.")
    return ScstBackend(Places(conf=params["conf_path"], state=params["state_directory"]))
