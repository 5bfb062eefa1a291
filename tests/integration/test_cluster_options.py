# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The cluster's options when something is in the way: what a token does not see, and a cluster without quorum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted
from ansible_collections.hospital.continuity.plugins.module_utils.pve.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from lab.pve import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(nodes=1) as lab:
        yield lab


def connect(lab: Lab, privileges: dict[str, list[str]] | None = None) -> Client:
    options = options_from_environment(lab.environment())
    if privileges is not None:
        token, secret = lab.limited_token(privileges)
        options = {**options, "api_token_id": token, "api_token_secret": secret}
    return Client(Connection.from_options(options))


def run(client: Client, item: dict[str, Any], **params: Any) -> Outcome:
    entry = KINDS["cluster_options"]
    return converge(entry.kind, entry.kind.declare({"config": [item], **params}), entry.backend(client))


def test_options_that_a_token_does_not_see_are_not_taken_for_unset(lab: Lab) -> None:
    """PVE answers 200 and shows the tags that the token may give, and nothing else."""
    with connect(lab) as client:
        run(client, {"keyboard": "de"})
    with connect(lab, {"/vms": ["VM.Audit"]}) as blind:
        with pytest.raises(NotPermitted, match=r"Sys\.Audit on /\."):
            run(blind, {"keyboard": "de"})
        with pytest.raises(NotPermitted, match=r"Sys\.Audit"):
            gather(blind, ["cluster_options"])


def test_a_token_that_may_only_look_is_told_what_it_lacks(lab: Lab) -> None:
    with connect(lab, {"/": ["Sys.Audit"]}) as auditor:
        outcome = run(auditor, {"keyboard": "de"})
        assert "Sys.Modify" in outcome.failure
        assert outcome.after == {(): {"mac_prefix": "BC:24:11"}}
        assert gather(auditor, ["cluster_options"])["config"]["cluster_options"] == [{"mac_prefix": "BC:24:11"}]


def test_without_quorum_nothing_changes(lab: Lab) -> None:
    lab.lose_quorum()
    with connect(lab) as client:
        assert "no quorum" in run(client, {"keyboard": "de"}).failure
    lab.regain_quorum()
    with connect(lab) as client:
        assert run(client, {"keyboard": "de"}).changed
        assert not run(client, {"keyboard": "de"}).changed


def test_what_somebody_else_set_stays(lab: Lab) -> None:
    """Each PUT names only what differs, so there is nothing that could be overwritten."""
    with connect(lab) as client:
        client.put("/cluster/options", {"language": "fr", "next-id": "lower=500"})
        run(client, {"keyboard": "de"})
        found = client.get("/cluster/options")
        assert (found["language"], found["next-id"], found["keyboard"]) == ("fr", {"lower": "500"}, "de")
        assert client.get("/cluster/nextid") == "500"
