# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Programs on another host over SSH: what is taken for its address, and that argv arrives as it was."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.remote import (
    HostUnreachable,
    SecureShell,
    runner_of,
)


@pytest.mark.parametrize(
    ("url", "host", "user", "port"),
    [
        ("ssh://root@192.0.2.11", "192.0.2.11", "root", 22),
        ("ssh://root@pve1.example.org:2222", "pve1.example.org", "root", 2222),
        ("ssh://pve1", "pve1", "", 22),
        ("ssh://root@[2001:db8::11]:22", "2001:db8::11", "root", 22),
    ],
)
def test_an_address_is_read(url, host, user, port):
    assert runner_of(url) == SecureShell(host, user, port)


def test_no_address_is_this_host():
    assert runner_of("")(["echo", "here"]).output == "here\n"


@pytest.mark.parametrize(
    "url",
    [
        "root@pve1",
        "http://pve1",
        "ssh://",
        "ssh://root:secret@pve1",
        "ssh://pve1/path",
        "ssh://pve1:none",
        "ssh://-oProxyCommand=reboot",
        "ssh://-l@pve1",
        "ssh://pve1?x",
        "ssh://pve 1",
    ],
)
def test_what_is_no_address_is_refused_before_anything_runs(url):
    with pytest.raises(InvalidInput, match="is no address of a host"):
        runner_of(url)


def test_a_host_that_does_not_answer_is_an_error_that_says_what_to_try():
    with pytest.raises(HostUnreachable, match=r"root@127.0.0.1 cannot be reached.*ssh -p 1 root@127.0.0.1 true"):
        runner_of("ssh://root@127.0.0.1:1")(["true"])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8), max_size=4))
def test_argv_arrives_as_it_was(words):
    """What OpenSSH does with its last argument: it hands it to a shell."""

    def shell(argv, *, stdin="", timeout=60.0):
        return run(["sh", "-c", argv[-1]], stdin=stdin, timeout=timeout)

    printed = SecureShell("pve1", "root", run=shell)(["printf", "%s\\0", *words, ""])
    assert printed.status == 0
    local = subprocess.run(["printf", "%s\\0", *words, ""], capture_output=True, check=True)
    assert printed.output == local.stdout.decode()


def test_the_exit_code_is_the_callers_to_judge():
    def shell(argv, *, stdin="", timeout=60.0):
        return Completed(tuple(argv), 3, "", "no")

    assert SecureShell("pve1", run=shell)(["false"]).status == 3
