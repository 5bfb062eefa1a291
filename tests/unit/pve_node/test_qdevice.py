# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node import corosync_conf
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.qdevice import (
    QDEVICE,
    Configured,
    Voter,
    Votes,
    configured,
    votes_of,
)

HOST = "10.99.0.50"
CONF = """logging {
  debug: off
}

nodelist {
  node {
    name: n1
    nodeid: 1
    ring0_addr: fd00::1
  }
  node {
    name: n2
    nodeid: 2
  }
}

quorum {
  device {
    model: net
    net {
      algorithm: ffsplit
      host: 10.99.0.50
    }
    votes: 1
  }
  provider: corosync_votequorum  # a remark
}
"""
STATUS = """Quorum information
------------------
Quorate:          Yes

Votequorum information
----------------------
Flags:            Quorate Qdevice

Membership information
----------------------
    Nodeid      Votes    Qdevice Name
0x00000001          1    A,V,NMW 10.99.0.11 (local)
0x0000000a          1   NA,NV,NMW 10.99.0.12
0x00000000          1            Qdevice
"""
TWO = Votes(True, (Voter(1, 1, "a"), Voter(2, 1, "b")))


def plan(found: Configured, host: str = HOST, state: str = "present") -> Plan:
    return QDEVICE.plan(QDEVICE.things(found), QDEVICE.declare({"config": [{"host": host}], "state": state}))


def test_the_configuration_is_read() -> None:
    root = corosync_conf.parsed(CONF)
    assert configured(root) == Configured(HOST, 2)
    assert root.first("nodelist").named("node")[0].values["ring0_addr"] == "fd00::1"
    assert root.first("quorum").values == {"provider": "corosync_votequorum"}
    assert configured(corosync_conf.parsed(CONF.replace("host: 10.99.0.50", ""))).host == ""


@pytest.mark.parametrize("text", ["quorum {", "nonsense", "}"])
def test_what_is_no_configuration_is_said(text: str) -> None:
    with pytest.raises(ValueError, match=r"line|closed"):
        corosync_conf.parsed(text)


def test_the_votes_are_read() -> None:
    votes = votes_of(STATUS)
    assert votes.quorate and votes.nodes == 2
    assert votes.voters == (
        Voter(1, 1, "10.99.0.11", ("A", "V", "NMW")),
        Voter(10, 1, "10.99.0.12", ("NA", "NV", "NMW")),
        Voter(0, 1, "Qdevice"),
    )
    assert [unmet.text for unmet in QDEVICE.unmet(votes)] == [
        "QDevice: 10.99.0.12 cannot reach it and gets no vote from it."
    ]


def test_without_a_qdevice_there_is_no_column_for_it() -> None:
    votes = votes_of(STATUS.replace("    A,V,NMW", "").replace("   NA,NV,NMW", "").replace("0x00000000", ""))
    assert [voter.name for voter in votes.voters] == ["10.99.0.11", "10.99.0.12"]
    assert [unmet.text for unmet in QDEVICE.unmet(votes)] == ["QDevice: it has no vote yet."]


def test_what_is_done() -> None:
    (step,) = plan(Configured("", 2))
    assert QDEVICE.argv(step) == ("pvecm", "qdevice", "setup", HOST)
    assert not plan(Configured(HOST, 2))
    (step,) = plan(Configured(HOST, 2), state="absent")
    assert QDEVICE.argv(step) == ("pvecm", "qdevice", "remove")
    assert [consent.word for consent in step.consent] == [f"remove_qdevice:{HOST}"]
    assert not plan(Configured("", 2), state="absent")


@pytest.mark.parametrize(
    ("found", "votes", "said"),
    [
        (Configured("", 2), TWO, ""),
        (Configured("", 3), Votes(True, (*TWO.voters, Voter(3, 1, "c"))), "odd number"),
        (Configured("10.99.0.51", 2), TWO, "already"),
        (Configured("", 2), Votes(False, TWO.voters), "no quorum"),
        (Configured("", 2), Votes(True, TWO.voters[:1]), "1 of 2 nodes are offline"),
    ],
)
def test_what_is_refused(found: Configured, votes: Votes, said: str) -> None:
    problems = QDEVICE.problems(plan(found), found, votes)
    assert [said in text for text in problems] == ([True] if said else [])
