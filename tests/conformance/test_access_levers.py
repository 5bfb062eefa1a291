# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the lab's access control does beyond the exchanges that were recorded one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from client import Client

from lab.pve import Lab

USER, SECRET_PLACE = "ops@pve", "/access/users/ops@pve/token/t1"


@pytest.fixture(scope="module")
def started() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(started: Lab) -> Lab:
    started.reset()
    return started


@pytest.fixture
def client(lab: Lab) -> Iterator[Client]:
    client = Client(lab).token(lab.token_id, lab.token_secret)
    yield client
    client.close()


def made(client: Client, where: str, /, **params: str) -> None:
    answer = client.call("POST" if where != "/access/acl" else "PUT", where, list(params.items()))
    assert answer.status == 200, answer.reason


def token_of(lab: Lab, client: Client, privsep: str = "1") -> Client:
    answer = client.call("POST", SECRET_PLACE, [("privsep", privsep)])
    return Client(lab).token(f"{USER}!t1", answer.body["data"]["value"])


def test_root_comes_back_without_its_tokens(lab: Lab, client: Client) -> None:
    """As recorded in words: afterwards the user was still listed, its API token was gone."""
    assert client.call("DELETE", "/access/users/root@pam").status == 200
    assert client.call("GET", "/version").status == 401
    login = Client(lab).login()
    assert [row["userid"] for row in login.call("GET", "/access/users").body["data"]] == ["root@pam"]
    login.close()


@pytest.mark.parametrize("change", [{"enable": "0"}, {"expire": "1"}])
def test_who_is_switched_off_or_expired_is_locked_out(lab: Lab, client: Client, change: dict[str, str]) -> None:
    made(client, "/access/users", userid=USER, password="password1")
    token = token_of(lab, client)
    assert token.call("GET", "/version").status == 200
    client.call("PUT", f"/access/users/{USER}", list(change.items()))
    assert token.call("GET", "/version").status == 401
    answer = token.call("POST", "/access/ticket", [("username", USER), ("password", "password1")])
    assert answer.status == 401
    token.close()


@pytest.mark.parametrize(("privsep", "seen"), [("0", 200), ("1", 403)])
def test_a_separated_token_needs_rights_of_its_own(lab: Lab, client: Client, privsep: str, seen: int) -> None:
    made(client, "/access/users", userid=USER)
    made(client, "/access/acl", path="/", roles="PVEAuditor", users=USER)
    token = token_of(lab, client, privsep)
    assert token.call("GET", "/cluster/backup").status == seen
    made(client, "/access/acl", path="/", roles="PVEAuditor", tokens=f"{USER}!t1")
    assert token.call("GET", "/cluster/backup").status == 200
    token.close()


def test_the_nearest_entry_decides_and_no_access_takes_all_away(lab: Lab, client: Client) -> None:
    made(client, "/access/users", userid=USER)
    made(client, "/access/groups", groupid="staff")
    client.call("PUT", f"/access/users/{USER}", [("groups", "staff")])
    made(client, "/access/acl", path="/", roles="PVEAdmin", groups="staff")
    made(client, "/access/acl", path="/pool", roles="PVEAuditor", groups="staff", propagate="0")
    made(client, "/access/acl", path="/storage", roles="NoAccess", groups="staff")
    made(client, "/access/acl", path="/vms", roles="PVEVMUser", users=USER)

    def held(path: str) -> set[str]:
        return set(client.call("GET", "/access/permissions", [("userid", USER), ("path", path)]).body["data"][path])

    assert "Pool.Allocate" in held("/") and "Pool.Allocate" not in held("/pool")
    assert "Pool.Allocate" in held("/pool/x"), "an entry that does not propagate counts for its own path only"
    assert held("/storage/local") == set()
    assert "VM.Allocate" not in held("/vms/100") and "VM.PowerMgmt" in held("/vms/100")


def test_a_realm_is_synchronised_with_its_directory(lab: Lab, client: Client) -> None:
    realm = {"realm": "ward", "type": "ldap", "server1": "10.99.0.99", "base_dn": "dc=x", "user_attr": "uid"}
    made(client, "/access/domains", **realm)
    lab.directory("ward", users=["ada", "bob"], groups=["nurses"])
    made(client, "/access/domains/ward/sync", scope="both", **{"enable-new": "0"})
    users = {row["userid"]: row["enable"] for row in client.call("GET", "/access/users").body["data"]}
    assert users == {"root@pam": 1, "ada@ward": 0, "bob@ward": 0}
    assert [row["groupid"] for row in client.call("GET", "/access/groups").body["data"]] == ["nurses-ward"]
    lab.directory("ward", users=["ada"])
    made(client, "/access/domains/ward/sync", scope="users")
    assert len(client.call("GET", "/access/users").body["data"]) == 3, "nobody vanishes unless that is asked for"
    made(client, "/access/domains/ward/sync", scope="users", **{"remove-vanished": "entry", "dry-run": "1"})
    assert len(client.call("GET", "/access/users").body["data"]) == 3
    made(client, "/access/domains/ward/sync", scope="users", **{"remove-vanished": "entry"})
    assert len(client.call("GET", "/access/users").body["data"]) == 2
