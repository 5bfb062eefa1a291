# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether something is there, asked of an API that has no status for that; and secrets that nobody sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.converge import Outcome, converge
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    Connection,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import NotPermitted, PveError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.resource import RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.resource import ResourceBackend
from lab.pve import Lab

DIR, METRIC = "/cluster/mapping/dir/d1", "/cluster/metrics/server/m1"
MAP = ["node=pve1,path=/tmp"]
SERVER = {
    "path": METRIC,
    "create_path": METRIC,
    "create_options": {"type": "influxdb"},
    "options": {"server": "192.0.2.1", "port": 8089, "disable": False},
    "secrets": {"token": "hush"},
    "resent": ["server", "port"],
}


@pytest.fixture(scope="module")
def _lab() -> Iterator[Lab]:
    with Lab(nodes=1) as lab:
        yield lab


@pytest.fixture
def lab(_lab: Lab) -> Lab:
    _lab.reset()
    return _lab


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    with Client(Connection.from_options(options_from_environment(lab.environment()))) as client:
        yield client


def run(client: Client, *config: dict[str, Any], **params: Any) -> Outcome:
    return converge(RESOURCE, RESOURCE.declare({"config": config, **params}), ResourceBackend(client))


def test_what_is_not_in_the_list_is_not_there(client: Client) -> None:
    """`mapping 'd1' not found` names no status, and other kinds have other words."""
    assert not run(client, {"path": DIR}, state="absent").changed
    made = run(client, {"path": DIR, "create_options": {"id": "d1"}, "options": {"map": MAP}})
    assert made.changed and not made.failure


def test_what_the_list_shows_and_get_does_not_is_no_change(client: Client) -> None:
    """GET of a metric server leaves `disable: 0` out."""
    first = run(client, SERVER)
    assert first.changed and not first.failure
    assert "disable" not in client.get(METRIC)
    assert not run(client, SERVER).changed


def test_a_secret_is_written_and_nowhere_seen(lab: Lab, client: Client) -> None:
    outcomes = [run(client, SERVER), run(client, SERVER), run(client, SERVER, update_secrets="always")]
    assert [outcome.changed for outcome in outcomes] == [True, False, True]
    assert lab.cluster.metric_servers["m1"]["token"] == "hush"
    assert "hush" not in str([(outcome.plan, outcome.predicted, outcome.after) for outcome in outcomes])


def test_an_error_that_is_none_of_absence_is_an_error(lab: Lab, client: Client) -> None:
    run(client, SERVER)
    lab.fail_requests("GET", "^/cluster/metrics/server/m1$", reason="the disk is broken")
    with pytest.raises(PveError, match="the disk is broken"):
        run(client, SERVER, state="absent")
    assert client.get(METRIC)


def test_a_token_that_may_not_look_is_told_so(lab: Lab) -> None:
    token, secret = lab.limited_token({"/vms": ["VM.Audit"]})
    options = {**options_from_environment(lab.environment()), "api_token_id": token, "api_token_secret": secret}
    with Client(Connection.from_options(options)) as limited, pytest.raises(NotPermitted, match=r"Sys\.Audit"):
        run(limited, SERVER)


def test_a_list_and_a_path_that_leads_nowhere_are_refused(lab: Lab, client: Client) -> None:
    with pytest.raises(InvalidInput, match="/cluster/mapping does not lead to one thing"):
        run(client, {"path": "/cluster/mapping", "options": {"a": 1}})
    with pytest.raises(PveError, match="not implemented"):
        run(client, {"path": "/no/such/path", "options": {"a": 1}})
    assert lab.writes == []


def test_a_blank_text_is_none(client: Client) -> None:
    """PVE cuts blanks, and then there is nothing left."""
    options = {"map": MAP, "description": "  "}
    item = {"path": DIR, "create_options": {"id": "d1"}, "options": options, "resent": ["map"]}
    assert not run(client, item).failure
    assert not run(client, item).changed
