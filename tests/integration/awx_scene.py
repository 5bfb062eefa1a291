# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A hospital with an AWX: its repository, the collection awx.awx, and playbooks/awx.yml as a person runs it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

from lab.awx import Awx
from lab.run import Run

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = ROOT / ".work" / "collections"
# What is made once and kept, as everything that bin/ makes.
AWX_COLLECTION = ROOT / ".work" / "awx"


def awx_collection() -> Path:
    """A directory to find awx.awx in: out of the package that requirements/awx.txt names, which is taken apart."""
    AWX_COLLECTION.mkdir(parents=True, exist_ok=True)
    with (AWX_COLLECTION / "lock").open("w") as turn:  # two processes may want it at the same time
        fcntl.flock(turn, fcntl.LOCK_EX)
        _take_apart()
    return AWX_COLLECTION


def _take_apart() -> None:
    if not (AWX_COLLECTION / "ansible_collections").exists():
        downloads = AWX_COLLECTION / "download"
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(downloads)]
        subprocess.run([*command, "-r", str(ROOT / "requirements" / "awx.txt")], check=True, timeout=600)
        (wheel,) = downloads.glob("ansible-*.whl")
        with zipfile.ZipFile(wheel) as package:
            members = [name for name in package.namelist() if name.startswith("ansible_collections/awx/awx/")]
            package.extractall(AWX_COLLECTION / "unpacked", members)
        (AWX_COLLECTION / "unpacked" / "ansible_collections").rename(AWX_COLLECTION / "ansible_collections")
        shutil.rmtree(downloads)


def repository(directory: Path) -> Path:
    """Córdoba's, as docs/awx.md says: inventory/ beside continuity.yml; without the machine for trials."""
    shutil.copytree(ROOT / "awx" / "project", directory)
    shutil.copytree(ROOT / "examples" / "cordoba", directory / "inventory")
    (directory / "inventory" / "cordoba_test.pve.yml").unlink()
    hosts = directory / "inventory" / "hosts.yml"
    described = yaml.safe_load(hosts.read_text("utf-8"))
    del described["all"]["children"]["clusters"]["hosts"]["cordoba_test"]
    del described["all"]["children"]["nodes"]["children"]["cordoba_test_nodes"]
    hosts.write_text(yaml.safe_dump(described), encoding="utf-8")
    return directory


def told(**changes: Any) -> dict[str, Any]:
    """What playbooks/awx.yml needs to be told, and what it may be."""
    return {
        "awx_environment_image": "registry.example.org/hospital-continuity:1.0.0",
        "awx_project_url": "git@git.example.org:hospital.git",
        "awx_pve_host": "pve1.example.org",
        "awx_pve_token_id": "awx@pve!continuity",
        "awx_pve_token_secret": "0c0ffee0-secret-of-the-token",
        "awx_machine_key": "the-key-of-the-machines\n",
        "awx_database_servers": ["a", "b", "c"],
        **changes,
    }


def playbook(name: str, variables: dict[str, Any], directory: Path, *arguments: str, **environment: str) -> Run:
    """A playbook of the collection, as a person at a shell runs it."""
    (directory / "told.json").write_text(json.dumps(variables), encoding="utf-8")
    clean = {key: value for key, value in os.environ.items() if "PVE_" not in key and "CONTROLLER_" not in key}
    paths = os.pathsep.join([str(COLLECTIONS), str(awx_collection())])
    own = {
        "ANSIBLE_COLLECTIONS_PATH": paths,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_HOME": str(directory / "ansible"),
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    done = subprocess.run(
        [program, f"hospital.continuity.{name}", "-i", "localhost,", "-e", "@told.json", *arguments],
        env={**clean, **own, **environment},
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def set_up(awx: Awx, directory: Path, *arguments: str, **changes: Any) -> Run:
    """playbooks/awx.yml, for this AWX."""
    return playbook("awx", told(**changes), directory, *arguments, **awx.environment())
