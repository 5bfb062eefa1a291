# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The contract of zfs_pool on a real OpenZFS. The emulated machine is slow, so there it gets the cases that say most;
all of them run on the stand-in, and on a host of yours."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract import test_consent, test_info, test_options, test_runs
from tests.contract.cases.zfs_pool import CASE
from tests.contract.system import System
from tests.zfs.host import ZfsHost
from tests.zfs.system import RealZfsSystem

EVERYTHING = bool(os.environ.get("ZFS_HOST"))
TELLING = ("autotrim", "cachefile", "comment", "layout.draid_spares")
OPTIONS = [option for option in CASE.options if EVERYTHING or option.name in TELLING]

SystemOf = Callable[[Any], System]


@pytest.fixture(scope="module")
def system_of(zfs_host: ZfsHost) -> SystemOf:
    system = RealZfsSystem(zfs_host)
    return lambda _case: system


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.id)
def test_an_option(option: Any, system_of: SystemOf) -> None:
    test_options.test_an_option_is_written_kept_and_put_right(CASE, option, system_of)


@pytest.mark.parametrize("scenario", CASE.consents, ids=lambda scenario: scenario.id)
def test_a_word(scenario: Any, system_of: SystemOf) -> None:
    test_consent.test_consent_is_asked_for_and_honoured(CASE, scenario, system_of)


def test_check_mode_predicts_the_real_run(system_of: SystemOf) -> None:
    test_runs.test_check_mode_writes_nothing_and_predicts_the_real_run(CASE, system_of)


@pytest.mark.skipif(not EVERYTHING, reason="minutes on the emulated machine; on a host of yours, and on the stand-in")
@pytest.mark.parametrize("lost", [False, True], ids=["refused", "answer-lost"])
def test_a_failure_at_any_write(lost: bool, system_of: SystemOf) -> None:
    test_runs.test_after_a_failure_at_any_write_the_next_run_converges(CASE, lost, system_of)


def test_what_is_read_given_as_config_plans_nothing(system_of: SystemOf) -> None:
    test_info.test_what_is_read_given_as_config_plans_nothing(CASE, "changed", system_of)
