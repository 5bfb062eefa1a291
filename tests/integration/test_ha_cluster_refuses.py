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
WATCHED = {"ha_cluster_watchdog": "/dev/watchdog"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ha_cluster_witness": {}}, "name a third machine in ha_cluster_witness"),
        ({"ha_cluster_fencing": FENCES[:1]}, "ha_cluster_fencing has nothing for b"),
        ({"ha_cluster_nodes": SOUND["ha_cluster_nodes"][:1]}, "ha_cluster_nodes needs two nodes or more"),
        ({"ha_cluster_authkey": "short-secret"}, "ha_cluster_authkey needs 128 to 4096 characters"),
        ({**WATCHED, "ha_cluster_witness": {}}, "name a third machine in ha_cluster_witness"),
        ({**WATCHED, "ha_cluster_token": 10000}, "ha_cluster_watchdog_timeout: 10 seconds are too few"),
        ({**WATCHED, "ha_cluster_witness_timeout": 4000}, "ha_cluster_watchdog_timeout: 10 seconds are too few"),
        (
            {**WATCHED, "ha_cluster_fencing": [], "ha_cluster_allow": ["run_unfenced"]},
            "has nothing for a, b: ha_cluster_watchdog is the second level of fencing and needs a first",
        ),
        ({"ha_cluster_watchdog": "i6300esb"}, "ha_cluster_watchdog needs the path of a device"),
        (
            {"ha_cluster_watchdog_module": "i6300esb"},
            "ha_cluster_watchdog_module is of use only with ha_cluster_watchdog",
        ),
    ],
    ids=[
        "no arbiter",
        "a node that nothing switches off",
        "one node",
        "a short secret",
        "a watchdog and no arbiter",
        "a watchdog quicker than the token",
        "a watchdog quicker than the witness",
        "a second level without a first",
        "no path of a watchdog",
        "a module and no watchdog",
    ],
)
def test_it_is_refused(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    assert "ok=1" in refused(tmp_path, wrong, words)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"ha_cluster_watchdog": "/dev/no-such-watchdog"},
            "ha_cluster_watchdog: a has no watchdog /dev/no-such-watchdog",
        ),
        (
            {**WATCHED, "ha_cluster_watchdog_module": "no_such_module"},
            "ha_cluster_watchdog_module: there is no kernel module no_such_module on a",
        ),
    ],
    ids=["device", "module"],
)
def test_a_watchdog_that_is_not_there_is_refused(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    refused(tmp_path, wrong, words)


def refused(tmp_path: Path, wrong: dict[str, Any], words: str) -> str:
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
    assert "changed=0" in said
    assert SECRET not in said and "short-secret" not in said
    return said
