# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Clusters in which two could hold one address, or nobody: the role ha_cluster refuses them before anything else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.playbook import program

SECRET = "correct-horse-battery-staple-" * 5
FENCES = [{"node": name, "agent": "fence_dummy", "parameters": {}} for name in ("a", "b")]
SOUND: dict[str, Any] = {
    "ha_cluster_name": "record",
    "ha_cluster_authkey": SECRET,
    "ha_cluster_nodes": [{"name": "a", "addresses": ["192.0.2.1"]}, {"name": "b", "addresses": ["192.0.2.2"]}],
    "ha_cluster_witness": {"name": "c", "address": "192.0.2.3"},
    "ha_cluster_fencing": FENCES,
}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ha_cluster_witness": {}}, "name a third machine in ha_cluster_witness"),
        ({"ha_cluster_fencing": FENCES[:1]}, "ha_cluster_fencing has nothing for b"),
        ({"ha_cluster_nodes": SOUND["ha_cluster_nodes"][:1]}, "ha_cluster_nodes needs two nodes or more"),
        ({"ha_cluster_authkey": "short-secret"}, "ha_cluster_authkey needs 128 to 4096 characters"),
    ],
    ids=["no arbiter", "a node that nothing switches off", "one node", "a short secret"],
)
def test_it_is_refused(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": {"a": {"ansible_connection": "local"}}}}))
    play = tmp_path / "play.yml"
    play.write_text("[{hosts: all, gather_facts: false, roles: [hospital.continuity.ha_cluster]}]\n")
    variables = tmp_path / "variables.json"
    variables.write_text(json.dumps({**SOUND, **wrong}))
    argv = [program("ansible-playbook"), "--inventory", str(inventory), "--extra-vars", f"@{variables}", str(play)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0 and words in said, said
    assert "changed=0" in said and "ok=1" in said
    assert SECRET not in said and "short-secret" not in said
