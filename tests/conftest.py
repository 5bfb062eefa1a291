# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Make the tree importable, and findable by ansible, as hospital.continuity, wherever the clone is."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".work" / "collections"


def _link_collection() -> None:
    link = COLLECTIONS / "ansible_collections" / "hospital" / "continuity"
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):  # made by an earlier run, or by bin/test
        link.symlink_to(os.path.relpath(ROOT, link.parent))


_link_collection()
if str(COLLECTIONS) not in sys.path:
    sys.path.insert(0, str(COLLECTIONS))
os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(COLLECTIONS)
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(ROOT / ".work" / "hypothesis"))
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(COLLECTIONS), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tests that must share a process do: a pytest-xdist older than the pytest it runs in keeps none together."""
    import pytest

    for item in session.items if session.config.getoption("loadgroup", False) else ():
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"pytest-xdist did not take {item.nodeid} into its group")


def pytest_configure() -> None:
    """How long an example takes says how busy the machine is, and nothing about what is tested."""
    from hypothesis import HealthCheck, settings  # this file also runs on its own, where it is not installed

    # A merge is judged by the same examples each time; everybody else looks for new ones.
    same = bool(os.environ.get("HYPOTHESIS_DERANDOMIZE"))
    settings.register_profile(
        "any machine", deadline=None, derandomize=same, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("any machine")
