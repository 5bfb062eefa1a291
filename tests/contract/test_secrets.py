# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Point 8: no secret that was put in comes out anywhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract import discovery, exercised
from tests.contract.case import Case, Secret, of
from tests.contract.invocation import Result
from tests.contract.playbook import play
from tests.contract.system import System, refused, succeeded

SystemOf = Callable[[Case], System]
SECRETS = [(case, secret) for case in discovery.cases() for secret in case.secrets]
each_secret = pytest.mark.parametrize(
    ("case", "secret"), SECRETS, ids=[f"{case.id}-{secret.name}" for case, secret in SECRETS]
)
CREDENTIALS = ("api_password", "api_token_secret", "api_otp")


def assert_not_in(text: str, *secrets: str) -> None:
    for secret in secrets:
        for spelled in (secret, quote(secret, safe=""), repr(secret)[1:-1]):
            assert spelled not in text, "a secret came out"


def credentials(system: System, *, root: bool = False) -> list[str]:
    return [str(value) for name, value in system.connection(root=root).items() if name in CREDENTIALS]


@each_secret
def test_a_secret_that_was_put_in_never_comes_out(case: Case, secret: Secret, system_of: SystemOf) -> None:
    system = system_of(case)
    if secret.lab_only or secret.root:
        system.need_lab(case.module, secret.name, secret.lab_only or secret.root)
    system.prepare(case)
    kind = discovery.kind_of(case.module)
    base = of(dict(case.base if secret.base is None else secret.base), system)
    item = {**base, **of(dict(secret.beside), system), secret.name: secret.value}
    root = bool(secret.root)
    hidden = [secret.value, *credentials(system, root=root)]

    def run(config: dict[str, Any], **arguments: Any) -> Result:
        result = system.run(case.module, [config], verbosity=3, root=root, **arguments)
        assert_not_in(result.everything, *hidden)
        assert_not_in(system.command_lines(), *hidden)
        return result

    succeeded(run(item, check=True))
    if system.fails_writes:
        with system.failing_write(1):
            refused(run(item))
    else:
        exercised.skipped(case.module, f"{secret.name} in a message of failure", "writes that are made to fail")
    assert succeeded(run(item)).changed
    assert not succeeded(run(item)).changed
    without = {name: value for name, value in item.items() if name != secret.name}
    with system.unwritten():
        assert not succeeded(run(without)).changed, "leaving a secret out is not removing it"
        assert not succeeded(run(without, unlisted_options="reset")).changed
    if kind.rows[secret.name].creating:
        # Nobody can write it a second time.
        assert not succeeded(run(item, update_secrets="always")).changed
    elif kind.rows[secret.name].write_only:
        again = succeeded(run(item, update_secrets="always"))
        assert again.changed
        assert secret.name in again.steps[0]
    else:
        changed = secret.other or secret.value[::-1]
        result = system.run(case.module, [{**item, secret.name: changed}], verbosity=3)
        assert_not_in(result.everything, *hidden, changed)
        assert succeeded(result).changed
    refused(run({**item, "no_such_option": 1}))
    exercised.option(case.module, secret.name)


@pytest.mark.parametrize("root", [False, True], ids=["token", "password"])
@pytest.mark.parametrize("module", [name for name in discovery.modules() if discovery.speaks_to_the_api(name)])
def test_credentials_never_come_out(module: str, root: bool, system_of: Callable[[str], System]) -> None:
    system = system_of("pve")
    system.reset()
    if root:
        system.need_lab(module, "api_password", "the suite has a token there")
    arguments: dict[str, Any] = {}
    if discovery.describes_a_state(module):
        arguments["config"] = [system.item(discovery.case_of(module))]
    hidden = credentials(system, root=root)
    assert hidden
    for spoiled in ({}, {"api_port": 1}, {"ca_path": "/nonexistent"}, {"api_timeout": -1}, {"no_such_option": 1}):
        result = system.run(module, check=True, root=root, verbosity=4, **{**arguments, **spoiled})
        assert not result.crash
        assert_not_in(result.everything, *hidden)


def test_a_playbook_shows_no_secret_even_at_its_loudest(system_of: Callable[[str], System], tmp_path: Path) -> None:
    """ansible-playbook -vvvv with a diff, a log file and modules left behind: no secret outside the playbook."""
    pve = system_of("pve")
    pve.reset()
    chosen = [(case, secret) for case, secret in SECRETS if case.subsystem == "pve" and not secret.lab_only]
    assert chosen
    hidden = credentials(pve)
    tasks = []
    for case in {case.module: case for case, _secret in chosen}.values():
        case.setup(pve)
    for case, secret in chosen:
        base = of(dict(case.base if secret.base is None else secret.base), pve)
        hidden.append(secret.value)
        config = [{**base, **of(dict(secret.beside), pve), secret.name: secret.value}]
        tasks.append({f"hospital.continuity.{case.module}": {"config": config}, "check_mode": True})
    ran = play(tasks, pve.environment(), tmp_path, "-vvvv", "--diff")
    assert ran.code == 0, ran.output
    assert_not_in(ran.output, *hidden)
    assert_not_in(ran.log.read_text(), *hidden)
    for path in ran.remote.rglob("*"):
        # A payload left on disk holds its arguments: nobody else may read it.
        if path.is_file() and any(value.encode() in path.read_bytes() for value in hidden):
            assert path.stat().st_mode & 0o077 == 0 or path.parent.stat().st_mode & 0o077 == 0, path
