# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Running programs."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import (
    CommandTimedOut,
    ProgramMissing,
    run,
    search_path,
)


def test_output_errors_and_exit_code():
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.output, done.errors, done.status) == ("out\n", "err\n", 3)


def test_arguments_are_never_seen_by_a_shell():
    assert run(["echo", "$HOME; id `id` 'x'", "*"]).output == "$HOME; id `id` 'x' *\n"


def test_the_locale_is_c_and_standard_input_is_given(monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert run(["sh", "-c", "echo $LC_ALL; cat"], stdin="secret").output == "C\nsecret"
    assert run(["cat"]).output == ""


def test_a_signal_is_a_negative_exit_code():
    assert run(["sh", "-c", "kill -ALRM $$"]).status == -14


def test_a_program_that_is_not_there():
    with pytest.raises(ProgramMissing, match=r"zfs-that-is-not-there is not there.*Install"):
        run(["zfs-that-is-not-there"])


def test_a_program_that_hangs_is_stopped_with_its_children(tmp_path):
    begun = time.monotonic()
    with pytest.raises(CommandTimedOut, match=r"did not end within 0\.3 seconds"):
        run(["sh", "-c", f"(sleep 1; touch {tmp_path}/late) & wait"], timeout=0.3)
    assert time.monotonic() - begun < 5
    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


def test_administration_directories_come_last():
    assert search_path("/opt/bin").startswith(f"/opt/bin{os.pathsep}")
    assert "/usr/sbin" in search_path("").split(os.pathsep)


def test_odd_bytes_do_not_break():
    assert run(["printf", r"\377x"]).output == r"\xffx"
