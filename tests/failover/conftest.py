# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A scene for each server, one fault after the other in it, and the table of all at the end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.failover import trial
from lab.failover.dialect import MARIADB, MYSQL, Dialect
from lab.failover.faults import Fault
from lab.failover.line import Line, table
from lab.failover.scene import Scene
from lab.hosts import why_not

_LINES: list[Line] = []
_BROKEN: dict[str, str] = {}


def _scene(dialect: Dialect, directory: Path) -> Iterator[Scene]:
    if reason := why_not():
        pytest.skip(f"hosts in containers cannot run here: {reason}")
    with Scene(dialect, directory) as scene:
        scene.converge()
        scene.begin()
        yield scene
    gc.collect()


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    yield from _scene(MARIADB, tmp_path_factory.mktemp("mariadb"))


@pytest.fixture(scope="module")
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    yield from _scene(MYSQL, tmp_path_factory.mktemp("mysql"))


def strike(scene: Scene, fault: Fault[Scene]) -> Line:
    """The fault from a whole scene to a whole scene. What one leaves broken is not waited for again by the next."""
    name = scene.dialect.name
    if name in _BROKEN:
        pytest.fail(f"the scene is not whole since '{_BROKEN[name]}'")
    try:
        line = trial.run(scene, fault)
    except BaseException:
        _BROKEN[name] = fault.name
        raise
    keep(line)
    return line


def keep(line: Line) -> None:
    _LINES.append(line)


def expect_nothing_lost(line: Line) -> None:
    """Of every fault: what was acknowledged is there, and there never were two."""
    assert line.missing == 0, line
    assert line.present == line.acknowledged > 0
    assert line.holders == 1 and line.writers == 1, line
    assert not line.problems, line.problems


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for server in dict.fromkeys(line.server for line in _LINES):
        terminalreporter.section(server)
        terminalreporter.write_line(table(line for line in _LINES if line.server == server))
