# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The rollback as one file that needs nothing of Ansible's: these modules themselves, in an archive Python can run."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.network import rollback

# The imports above and those of the modules named here, all of them: nothing else is there when the program runs.
_PACKAGE = rollback.__name__.rpartition(".network.")[0]
_MODULES = (
    "command",
    "convergence.errors",
    "network.checkpoint",
    "network.interfaces_files",
    "network.kernel",
    "network.links",
    "network.rollback",
    "network.store",
    "network.switch",
    "network.switch_client",
    "network.switch_rows",
    "network.topology",
    "network.units",
    "ovs.jsonrpc",
)
_MAIN = f"import sys\nfrom {rollback.__name__} import main\nsys.exit(main())\n"


def archive() -> bytes:
    """The file's content. Raises SubsystemError where the modules' text cannot be had."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("__main__.py", _MAIN)
        parents: set[str] = set()
        for name in _MODULES:
            full = f"{_PACKAGE}.{name}"
            parts = full.split(".")
            parents.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
            file.writestr(f"{'/'.join(parts)}.py", _source(full))
        for parent in sorted(parents):
            file.writestr(f"{parent}/__init__.py", "")
    return buffer.getvalue()


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    loader: Any = spec.loader if spec is not None else None
    text = loader.get_source(module) if hasattr(loader, "get_source") else None
    if not text:
        raise SubsystemError(f"The text of {module} cannot be read, and the rollback needs it.")
    return str(text)
