# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The pipe between two programs, with real programs at both ends."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.command import ProgramMissing
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.transfer import Throttle, transfer

KEEP = ["sh", "-c", 'cat >"$0"']


def python(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def test_every_byte_arrives(tmp_path):
    copy = tmp_path / "copy"
    done = transfer(python("import sys; sys.stdout.buffer.write(bytes(range(256)) * 40000)"), [*KEEP, str(copy)])
    assert copy.read_bytes() == bytes(range(256)) * 40000
    assert (done.count, done.sender.status, done.receiver.status, done.stalled) == (10240000, 0, 0, False)


def test_not_faster_than_allowed(tmp_path):
    began = time.monotonic()
    done = transfer(["head", "-c", "300000", "/dev/zero"], [*KEEP, str(tmp_path / "copy")], bandwidth=600000)
    assert done.count == 300000
    assert 0.4 < time.monotonic() - began < 5


def test_a_receiver_that_fails_ends_a_sender_that_waits():
    began = time.monotonic()
    done = transfer(["sleep", "600"], ["sh", "-c", "echo no space left >&2; exit 3"])
    assert (done.receiver.status, done.receiver.errors.strip()) == (3, "no space left")
    assert done.sender.status != 0 and time.monotonic() - began < 10


def test_a_receiver_that_fails_in_the_middle_ends_a_sender_that_writes():
    done = transfer(["cat", "/dev/zero"], ["sh", "-c", "head -c 100000 >/dev/null; echo full >&2; exit 1"])
    assert (done.receiver.status, done.receiver.errors.strip()) == (1, "full")
    assert done.sender.status != 0


def test_what_a_sender_that_fails_has_sent_arrives(tmp_path):
    copy = tmp_path / "copy"
    done = transfer(["sh", "-c", "printf half; echo cut off >&2; exit 5"], [*KEEP, str(copy)])
    assert copy.read_bytes() == b"half"
    assert (done.sender.status, done.sender.errors.strip(), done.receiver.status) == (5, "cut off", 0)


@pytest.mark.parametrize("hangs", ["sender", "receiver"])
def test_what_hangs_is_given_up(hangs):
    sender = ["sleep", "600"] if hangs == "sender" else ["cat", "/dev/zero"]
    receiver = ["cat"] if hangs == "sender" else ["sleep", "600"]
    began = time.monotonic()
    done = transfer(sender, receiver, stalled=0.5)
    assert done.stalled and time.monotonic() - began < 60


def test_complaints_without_end_block_nobody():
    noise = "import sys; [sys.stderr.write('x' * 1000) for n in range(1000)]; sys.stdout.write('done')"
    done = transfer(python(noise), ["cat"])
    assert (done.count, done.sender.status) == (4, 0)


def test_a_program_that_is_not_there_leaves_no_other_behind():
    with pytest.raises(ProgramMissing, match="no-such-program"):
        transfer(["sleep", "600"], ["no-such-program"])


@given(st.integers(1, 10**9), st.lists(st.tuples(st.integers(0, 10**6), st.floats(0, 2)), min_size=1, max_size=50))
def test_a_throttle_never_lets_more_through_than_its_rate(rate, writes):
    """Whoever waits as told has, at any time, sent no more than the rate allows beside the last piece."""
    clock = [0.0]
    throttle = Throttle(rate, lambda: clock[0])
    sent = 0
    for count, idle in writes:
        clock[0] += idle
        assert sent <= rate * clock[0] * (1 + 1e-9) + 1
        clock[0] += throttle.pause(count)
        sent += count
