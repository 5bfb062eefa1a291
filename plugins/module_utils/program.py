# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A program as one file that needs nothing of Ansible's: modules of this collection, in an archive Python can run.

The same modules make the same bytes, so that a program can be compared with what is on a host.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError

_PACKAGE = __name__.rpartition(".")[0]
_EPOCH = (1980, 1, 1, 0, 0, 0)


def packed(start: ModuleType, modules: Iterable[str], *, needed_by: str) -> bytes:
    """The file's content. start: whose main() is the program; modules: it and all that it imports, as `zfs.snapshot`.
    needed_by: what the program is, in words. Raises SubsystemError where a module's text cannot be had."""
    main = f"import sys\nfrom {start.__name__} import main\nsys.exit(main())\n"
    texts = {"__main__.py": main}
    for name in modules:
        full = f"{_PACKAGE}.{name}"
        parts = full.split(".")
        texts.update({f"{'/'.join(parts[:depth])}/__init__.py": "" for depth in range(1, len(parts))})
        texts[f"{'/'.join(parts)}.py"] = _source(full, needed_by)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for path in sorted(texts):
            # Stored, and without the time: another zlib or another moment must not look like a change.
            file.writestr(zipfile.ZipInfo(path, _EPOCH), texts[path])
    return buffer.getvalue()


def _source(module: str, needed_by: str) -> str:
    spec = importlib.util.find_spec(module)
    loader: Any = spec.loader if spec is not None else None
    text = loader.get_source(module) if hasattr(loader, "get_source") else None
    if not text:
        raise SubsystemError(f"The text of {module} cannot be read, and {needed_by} needs it.")
    return str(text)
