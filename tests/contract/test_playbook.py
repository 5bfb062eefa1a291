# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The same through Ansible itself: module_defaults, check mode, diff and a second run, as a person sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.contract import discovery
from tests.contract.case import PREFIX
from tests.contract.playbook import Played, play

STORAGE, POOL = f"{PREFIX}playbook", f"{PREFIX}playbook"
# The credentials stand once, for the group; the environment holds none.
GROUP = "group/hospital.continuity.pve"


def tasks(system: Any) -> list[dict[str, Any]]:
    storage = {"storage": STORAGE, "type": "dir", "path": f"/var/lib/{STORAGE}", "disable": True, "content": ["iso"]}
    return [
        {"name": "storage", "hospital.continuity.pve_storage": {"config": [storage]}},
        {
            "name": "pool",
            "hospital.continuity.pve_pool": {"config": [{"poolid": POOL, "comment": "from a playbook"}]},
        },
    ]


def outcomes(ran: Played) -> list[bool]:
    assert ran.code == 0, ran.output
    return [bool(result["changed"]) for result in ran.results]


def test_a_playbook_checks_changes_and_rests(pve: Any, tmp_path: Path) -> None:
    defaults = {GROUP: pve.connection()}
    wanted = tasks(pve)

    with pve.unwritten():
        check = play(wanted, {}, tmp_path, "--check", "--diff", defaults=defaults)
    assert outcomes(check) == [True, True]
    assert "from a playbook" in check.output, "--diff shows what would change"

    real = play(wanted, {}, tmp_path, "--diff", defaults=defaults)
    assert outcomes(real) == [True, True]
    assert [result["diff"] for result in real.results] == [result["diff"] for result in check.results]
    done = [[step.partition(": ")[2] for step in result["steps"]] for result in real.results]
    planned = [[step.partition(": ")[2] for step in result["steps"]] for result in check.results]
    assert done == planned

    with pve.unwritten():
        again = play(wanted, {}, tmp_path, "--diff", defaults=defaults)
    assert outcomes(again) == [False, False]
    assert pve.connection()["api_token_secret"] not in check.output + real.output + again.output


def test_the_environment_is_enough(pve: Any, tmp_path: Path) -> None:
    ran = play(tasks(pve)[1:], pve.environment(), tmp_path)
    assert outcomes(ran) == [True]


def test_a_failure_is_one_message(pve: Any, tmp_path: Path) -> None:
    spoiled = {**pve.connection(), "api_port": 1}
    ran = play(tasks(pve)[:1], {}, tmp_path, defaults={GROUP: spoiled})
    assert ran.code == 2
    (result,) = ran.results
    assert "could be reached" in result["msg"]
    assert "Traceback" not in ran.output


def test_the_group_has_every_module_of_proxmox() -> None:
    runtime = yaml.safe_load((discovery.ROOT / "meta" / "runtime.yml").read_text())
    group = {name.rpartition(".")[2] for name in runtime["action_groups"]["pve"] if isinstance(name, str)}
    assert group == {module for module in discovery.modules() if discovery.speaks_to_the_api(module)}
