# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The archive that `ansible-galaxy collection build` makes, on a machine without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.contract.playbook import program

ROOT = Path(__file__).resolve().parents[2]


def said(command: list[str], folder: Path) -> str:
    """In that folder, with no setting that leads to the checkout."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PVE_", "PYTHON"))}
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**outside, "ANSIBLE_HOME": str(folder / "ansible")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_what_was_built_and_installed_elsewhere_runs_the_demo(tmp_path: Path) -> None:
    galaxy = [program("ansible-galaxy"), "collection"]
    said([*galaxy, "build", str(ROOT), "--output-path", str(tmp_path)], tmp_path)
    (archive,) = tmp_path.glob("hospital-continuity-*.tar.gz")
    said([*galaxy, "install", "--no-deps", "-p", str(tmp_path), str(archive)], tmp_path)
    installed = tmp_path / "ansible_collections" / "hospital" / "continuity"
    assert not (installed / ".work").exists() and not (installed / ".git").exists()
    # What pip would fetch once more; nothing of the checkout is in it.
    (installed / ".work").mkdir()
    environment = Path(sys.prefix)
    (installed / ".work" / "-".join(environment.name.split("-")[:3])).symlink_to(environment)
    shown = said([str(installed / "bin" / "demo")], tmp_path)
    assert "found it as described, and changed nothing" in shown
    assert str(ROOT) not in shown
