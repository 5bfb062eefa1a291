# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who has to answer before a change stays."""

from __future__ import annotations

import shutil
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.command import run
from ansible_collections.hospital.continuity.plugins.module_utils.network.peers import Peer, peer, silent


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.0.2.1", Peer("192.0.2.1")),
        ("192.0.2.1:22", Peer("192.0.2.1", 22)),
        ("fd00::1", Peer("fd00::1")),
        ("[fd00::1]", Peer("fd00::1")),
        ("[fd00::1]:3260", Peer("fd00::1", 3260)),
        ("pve2", Peer("pve2")),
        ("pve2.hospital.example:8006", Peer("pve2.hospital.example", 8006)),
    ],
)
def test_how_peers_are_written(text: str, wanted: Peer) -> None:
    assert peer(text) == wanted
    assert peer(str(wanted)) == wanted


@pytest.mark.parametrize(
    "text",
    ["", " ", ":22", "192.0.2.1:", "192.0.2.256", "192.0.2", "192.0.2.1:0", "192.0.2.1:65536", "pve2:ssh",
     "[fd00::1", "[fd00::1]:", "[fd00::1]22", "[pve2]:22", "[]:22",
     "fd00::1::2", "-c", "a b", "pve2;id", "pve2:22:33", "a/24", "192.0.2.1:٢٢"],
)  # fmt: skip
def test_what_is_no_peer(text: str) -> None:
    with pytest.raises(ValueError, match=r"write an address|TCP port"):
        peer(text)


@given(text=st.text())
def test_anything_else_is_refused_or_safe_on_a_command_line(text: str) -> None:
    try:
        found = peer(text)
    except ValueError:
        return
    assert not found.host.startswith("-") and not set(found.host) & set(" \t\n;$'\"/")


@pytest.mark.skipif(not shutil.which("ping"), reason="the package iputils-ping is not installed")
def test_those_that_answer_and_those_that_do_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        open_port, closed_port = server.getsockname()[1], closed.getsockname()[1]
        good = [Peer("127.0.0.1"), Peer("127.0.0.1", open_port), Peer("localhost", open_port)]
        bad = [Peer("127.0.0.1", closed_port), Peer("no-such-host.invalid", 22)]
        began = time.monotonic()
        assert silent(run, [*good, *bad], patience=0) == bad
        assert time.monotonic() - began < 10


def test_one_that_answers_late() -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        wanted = Peer("127.0.0.1", late.getsockname()[1])
        assert silent(run, [wanted], patience=0) == [wanted]
        late.listen()
        assert silent(run, [wanted], patience=5) == []
