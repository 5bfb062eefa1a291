# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What runs before SCST starts, as one file that needs nothing of Ansible's. The same modules make the same bytes."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.scst import boot

# boot and what it imports, all of it: nothing else is there when the program runs.
_PACKAGE = boot.__name__.rpartition(".scst.")[0]
_MODULES = (
    "convergence.errors",
    "scst.boot",
    "scst.conf",
    "scst.devices",
    "scst.errors",
    "scst.names",
    "scst.record",
    "scst.saved",
    "scst.state",
    "scst.sysfs",
)
_MAIN = f"import sys\nfrom {boot.__name__} import main\nsys.exit(main())\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def archive() -> bytes:
    """The file's content. Raises SubsystemError where the modules' text cannot be had."""
    texts = {"__main__.py": _MAIN}
    for name in _MODULES:
        full = f"{_PACKAGE}.{name}"
        parts = full.split(".")
        texts.update({f"{'/'.join(parts[:depth])}/__init__.py": "" for depth in range(1, len(parts))})
        texts[f"{'/'.join(parts)}.py"] = _source(full)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(texts):
            # Stored, and without the time: another zlib or another moment must not look like a change.
            file.writestr(zipfile.ZipInfo(path, _EPOCH), texts[path])
    return buffer.getvalue()


def _source(module: str) -> str:
    spec = importlib.util.find_spec(module)
    loader: Any = spec.loader if spec is not None else None
    text = loader.get_source(module) if hasattr(loader, "get_source") else None
    if not text:
        raise SubsystemError(f"The text of {module} cannot be read, and the start of SCST needs it.")
    return str(text)
