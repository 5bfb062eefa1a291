# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who may do what, and that nobody locks itself out. The lab's own evaluation, which is held against recordings, is the
oracle of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import (
    ACL,
    PERMISSIONS,
    ROLES,
    USERS,
    Access,
    owner_of,
    sort_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.acl import ACL_ENTRY
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.group import GROUP
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm import REALM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.role import ROLE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import SHIPPED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.token import TOKEN
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import USER
from lab.pve.access_privileges import BUILT_IN
from lab.pve.cluster import Cluster
from lab.pve.state import NodeSpec
from tests.unit.pve.planning import plan, sent

NOW = 1_800_000_000
ADMIN, TOKEN_ID = "admin@pve", "admin@pve!ansible"
EVERYTHING = {PERMISSIONS: {"/": {"Sys.Audit": 1, "User.Modify": 1}}}


def answers(
    entries: list[tuple[str, str, str]], groups: Mapping[str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """What the API tells, with an administrator whose token is separated."""
    users = [
        {"userid": "root@pam", "groups": "", "tokens": [{"tokenid": "lab", "privsep": 0}]},
        {"userid": ADMIN, "groups": (groups or {}).get(ADMIN, ""), "tokens": [{"tokenid": "ansible", "privsep": 1}]},
        {"userid": "ada@pve", "groups": (groups or {}).get("ada@pve", ""), "tokens": None},
    ]
    return {
        ACL: [{"path": path, "ugid": ugid, "roleid": role, "propagate": 1} for path, ugid, role in entries],
        ROLES: [
            *({"roleid": name, "privs": ",".join(privs), "special": 1} for name, privs in BUILT_IN.items()),
            *({"roleid": name, "privs": ",".join(privs)} for name, privs in SHIPPED.items()),
        ],
        USERS: users,
        **EVERYTHING,
        **more,
    }


def lockouts(kind: Any, planned: Plan, told: Mapping[str, Any], who: str) -> list[str]:
    found: list[str] = kind.lockouts(planned, Access.told(told), who, NOW)
    return found


def consents(kind: Any, planned: Plan, told: Mapping[str, Any]) -> list[str]:
    access = Access.told(told)
    return [consent.word for step in planned for consent in kind.losses(step, access)]


# --- names


@pytest.mark.parametrize(
    ("ugid", "sort", "owner"),
    [
        ("ada@pve", "user", "ada@pve"),
        ("ada@pve!t1", "token", "ada@pve"),
        ("a!b@pve", "user", "a!b@pve"),
        ("a@b@pve!t1", "token", "a@b@pve"),
        ("nurses", "group", ""),
    ],
)
def test_a_name_tells_what_it_is_of(ugid: str, sort: str, owner: str) -> None:
    assert sort_of(ugid) == sort
    if owner:
        assert owner_of(ugid) == owner


# --- privileges

PATHS = ("/", "/access", "/vms", "/vms/100", "/pool/a", "/storage/x")
ROLE_NAMES = ("Administrator", "PVEAuditor", "PVEVMUser", "NoAccess")
WHO = ("ada@pve", "ada@pve!t1", "ada@pve!t2", "nurses", "doctors")


@pytest.fixture(scope="module")
def cluster() -> Any:
    return Cluster([NodeSpec("pve1")], "127.0.0.1", 0, "password")


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(PATHS), st.sampled_from(WHO), st.sampled_from(ROLE_NAMES)), st.booleans(), max_size=8
    ),
    st.sets(st.sampled_from(("nurses", "doctors"))),
    st.booleans(),
)
def test_rights_are_what_the_cluster_says_they_are(
    cluster: Any, entries: dict[tuple[str, str, str], bool], groups: set[str], separated: bool
) -> None:
    cluster.populate_access()
    cluster.groups = {"nurses": "", "doctors": ""}
    cluster.new_account("ada@pve")["groups"] = groups
    cluster.new_token("ada@pve", "t1", "secret", privsep=int(separated))
    cluster.new_token("ada@pve", "t2", "secret", privsep=1)
    cluster.acl_rows = {(path, sort_of(who), who, role): int(on) for (path, who, role), on in entries.items()}
    access = Access(
        entries,
        {name: frozenset(privs) for name, privs in BUILT_IN.items()},
        {"ada@pve": frozenset(groups)},
        {"ada@pve!t1": separated, "ada@pve!t2": True},
    )
    for who in ("ada@pve", "ada@pve!t1", "ada@pve!t2", "root@pam"):
        for path in (*PATHS, "/vms/101", "/nodes/pve1"):
            assert access.privileges(who, path) == set(cluster.privileges_on(who, path)), (who, path)


# --- nobody locks itself out

ROOTED = [("/", ADMIN, "Administrator"), ("/", TOKEN_ID, "Administrator")]


@pytest.mark.parametrize(
    ("item", "state"),
    [
        ({"userid": ADMIN}, "absent"),
        ({"userid": ADMIN, "enable": False}, "present"),
        ({"userid": ADMIN, "expire": NOW - 1}, "present"),
    ],
)
def test_the_user_behind_the_login_stays(item: dict[str, Any], state: str) -> None:
    there = {"userid": ADMIN, "enable": 1, "expire": 0}
    planned = plan(USER, [item], there, state=state)
    (text,) = lockouts(USER, planned, answers(ROOTED), TOKEN_ID)
    assert ADMIN in text and TOKEN_ID in text and "somebody else" in text
    assert not lockouts(USER, planned, answers(ROOTED), "root@pam")


def test_a_date_to_come_locks_nobody_out() -> None:
    planned = plan(USER, [{"userid": ADMIN, "expire": NOW + 1}], {"userid": ADMIN, "enable": 1, "expire": 0})
    assert not lockouts(USER, planned, answers(ROOTED), TOKEN_ID)


@pytest.mark.parametrize("change", [{"state": "absent"}, {"expire": NOW - 1}])
def test_the_token_behind_the_login_stays(change: dict[str, Any]) -> None:
    state = change.pop("state", "present")
    there = {"userid": ADMIN, "tokenid": "ansible", "privsep": 1, "expire": 0}
    planned = plan(TOKEN, [{"userid": ADMIN, "tokenid": "ansible", **change}], there, state=state)
    assert lockouts(TOKEN, planned, answers(ROOTED), TOKEN_ID)
    assert not lockouts(TOKEN, planned, answers(ROOTED), ADMIN)


def test_the_realm_behind_the_login_stays() -> None:
    planned = plan(REALM, [{"realm": "ward"}], {"realm": "ward", "type": "ldap"}, state="absent")
    assert lockouts(REALM, planned, answers([]), "ada@ward!t1")
    assert not lockouts(REALM, planned, answers([]), TOKEN_ID)


def acl(path: str, ugid: str, role: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "ugid": ugid, "roleid": role, **more}


def test_the_last_rights_cannot_be_taken_away() -> None:
    planned = plan(
        ACL_ENTRY,
        [acl("/", TOKEN_ID, "Administrator")],
        acl("/", TOKEN_ID, "Administrator", propagate=1),
        state="absent",
    )
    (text,) = lockouts(ACL_ENTRY, planned, answers(ROOTED), TOKEN_ID)
    assert "Permissions.Modify on /" in text
    assert not lockouts(ACL_ENTRY, planned, answers(ROOTED), "root@pam!lab")


def test_an_entry_that_hides_what_is_inherited_is_noticed() -> None:
    """A role on a path replaces what is inherited: giving oneself little there takes much away."""
    planned = plan(ACL_ENTRY, [acl("/access", TOKEN_ID, "PVEAuditor")])
    (text,) = lockouts(ACL_ENTRY, planned, answers(ROOTED), TOKEN_ID)
    assert "Permissions.Modify on /access" in text and "Sys.Modify on /access" in text


def test_moving_rights_in_one_task_is_no_loss() -> None:
    there = acl("/", TOKEN_ID, "Administrator", propagate=1)
    declared = [acl("/", TOKEN_ID, "HospitalAccess")]
    planned = plan(ACL_ENTRY, declared, there, unlisted="absent", scope={"path": "/"})
    assert [step.action for step in planned] == ["create", "delete"]
    assert not lockouts(ACL_ENTRY, planned, answers(ROOTED), TOKEN_ID)
    assert list(planned)[1].needs == (("/", TOKEN_ID, "HospitalAccess"),)


def test_a_group_or_role_that_carries_the_rights_stays() -> None:
    told = answers([("/", "admins", "HospitalAccess")], {ADMIN: "admins"})
    group = plan(GROUP, [{"groupid": "admins"}], {"groupid": "admins"}, state="absent")
    role = plan(ROLE, [{"roleid": "HospitalAccess", "privs": []}], {"roleid": "HospitalAccess", "privs": "Sys.Audit"})
    out = plan(USER, [{"userid": ADMIN, "groups": []}], {"userid": ADMIN, "groups": "admins", "enable": 1})
    for kind, planned in ((GROUP, group), (ROLE, role), (USER, out)):
        assert lockouts(kind, planned, told, ADMIN), kind.name
        assert not lockouts(kind, planned, told, "root@pam")


# --- what needs a word


def test_what_is_in_use_needs_its_word() -> None:
    told = answers([("/pool/a", "ada@pve", "PVEAuditor"), ("/pool/a", "nurses", "Ward")], {"ada@pve": "nurses"})
    user = plan(USER, [{"userid": "ada@pve"}], {"userid": "ada@pve"}, state="absent")
    assert consents(USER, user, told) == ["remove_user:ada@pve"]
    group = plan(GROUP, [{"groupid": "nurses"}], {"groupid": "nurses"}, state="absent")
    assert consents(GROUP, group, told) == ["remove_group:nurses"]
    role = plan(ROLE, [{"roleid": "Ward"}], {"roleid": "Ward", "privs": ""}, state="absent")
    assert consents(ROLE, role, told) == ["remove_role:Ward"]
    realm = plan(REALM, [{"realm": "ward"}], {"realm": "ward", "type": "ad"}, state="absent")
    assert consents(REALM, realm, told) == []
    told[USERS].append({"userid": "bob@ward", "groups": "", "tokens": None})
    assert consents(REALM, realm, told) == ["remove_realm:ward"]


def test_what_nobody_uses_goes_without() -> None:
    told = answers([])
    for kind, item in ((USER, {"userid": "ada@pve"}), (GROUP, {"groupid": "idle"}), (ROLE, {"roleid": "Idle"})):
        assert consents(kind, plan(kind, [item], item, state="absent"), told) == []


def test_root_is_switched_off_with_its_word_only() -> None:
    there = {"userid": "root@pam", "enable": 1, "expire": 0}
    planned = plan(USER, [{"userid": "root@pam", "enable": False}], there)
    assert consents(USER, planned, answers([])) == ["disable_user:root@pam"]
    with pytest.raises(InvalidInput, match="keeps it"):
        plan(USER, [{"userid": "root@pam"}], there, state="absent")


# --- what is built in


@pytest.mark.parametrize("state", ["present", "absent"])
def test_what_is_built_in_stays_as_it_is(state: str) -> None:
    with pytest.raises(InvalidInput, match="built in"):
        plan(
            ROLE,
            [{"roleid": "PVEAdmin", "privs": ["VM.Audit"]}],
            {"roleid": "PVEAdmin", "privs": "Sys.Audit", "special": 1},
            state=state,
        )
    with pytest.raises(InvalidInput, match="PVE"):
        plan(ROLE, [{"roleid": "pveMine"}])
    with pytest.raises(InvalidInput):
        plan(REALM, [{"realm": "pam2", "type": "pam"}])
    with pytest.raises(InvalidInput, match="built in"):
        plan(REALM, [{"realm": "pam"}], {"realm": "pam", "type": "pam"}, state="absent")


# --- what is written


@pytest.mark.parametrize(("ugid", "word"), [("ada@pve", "users"), ("ada@pve!t1", "tokens"), ("nurses", "groups")])
def test_an_entry_is_given_and_taken_by_the_same_call(ugid: str, word: str) -> None:
    item = acl("vms//100/", ugid, "Ward")
    entry = {"path": "/vms/100", "roles": "Ward", word: ugid}
    assert sent(ACL_ENTRY, plan(ACL_ENTRY, [item])) == [("PUT", ACL, {**entry, "propagate": 1})]
    there = acl("/vms/100", ugid, "Ward", propagate=1)
    assert sent(ACL_ENTRY, plan(ACL_ENTRY, [item], there, state="absent")) == [("PUT", ACL, {**entry, "delete": 1})]


def test_a_scope_must_say_for_which_path() -> None:
    with pytest.raises(InvalidInput, match="path"):
        plan(ACL_ENTRY, [acl("/", "a@pve", "Ward")], unlisted="absent", scope={"roleid": "*"})


def test_what_an_entry_speaks_of_must_be_there() -> None:
    told = answers([], **{"/access/groups": [{"groupid": "nurses"}]})
    wanted = {"bob@pve": "user", "ada@pve!x": "token", "doctors": "group"}
    for ugid, sort in wanted.items():
        planned = plan(ACL_ENTRY, [acl("/", ugid, "Nothing")])
        texts = list(ACL_ENTRY.problems(planned, ACL_ENTRY.declare({"config": []}), told))
        assert any("no role Nothing" in text for text in texts)
        assert any(f"no {sort} {ugid}" in text for text in texts)
    unseen = {**told, PERMISSIONS: {}, USERS: []}
    planned = plan(ACL_ENTRY, [acl("/", "bob@pve", "PVEAuditor")])
    assert not list(ACL_ENTRY.problems(planned, ACL_ENTRY.declare({"config": []}), unseen))


def test_a_password_is_changed_by_a_call_of_its_own() -> None:
    there = {"userid": "ada@pve", "enable": 1, "expire": 0}
    item = {"userid": "ada@pve", "password": "correct horse", "comment": "x"}
    created = {"userid": "ada@pve", "password": "correct horse", "comment": "x"}
    assert sent(USER, plan(USER, [item])) == [("POST", "/access/users", created)]
    written = sent(USER, plan(USER, [item], there, update_secrets="always"))
    assert written == [
        ("PUT", "/access/users/ada%40pve", {"comment": "x"}),
        ("PUT", "/access/password", {"userid": "ada@pve", "password": "correct horse"}),
    ]
    assert not list(plan(USER, [{"userid": "ada@pve", "password": "correct horse"}], there))


def test_what_is_left_out_is_not_written() -> None:
    there = {"userid": "ada@pve", "enable": 1, "expire": 5, "groups": "nurses", "email": "a@b.c", "comment": "x"}
    assert sent(USER, plan(USER, [{"userid": "ada@pve", "comment": "y"}], there)) == [
        ("PUT", "/access/users/ada%40pve", {"comment": "y"})
    ]
    reset = sent(USER, plan(USER, [{"userid": "ada@pve"}], there, unlisted_options="reset"))
    assert reset == [("PUT", "/access/users/ada%40pve", {"comment": "", "email": "", "expire": 0})]


def test_a_token_is_not_made_for_nobody() -> None:
    with pytest.raises(InvalidInput, match="return_secret"):
        plan(TOKEN, [{"userid": "ada@pve", "tokenid": "t1"}])
    made = plan(TOKEN, [{"userid": "ada@pve", "tokenid": "t1", "return_secret": True, "comment": "x"}])
    assert sent(TOKEN, made) == [("POST", "/access/users/ada%40pve/token/t1", {"comment": "x"})]


def test_one_realm_is_the_default() -> None:
    with pytest.raises(InvalidInput, match="default"):
        plan(REALM, [{"realm": "pam", "default": True}, {"realm": "pve", "default": True}])


def test_a_realm_takes_what_its_type_has() -> None:
    with pytest.raises(InvalidInput, match="issuer_url"):
        plan(REALM, [{"realm": "ward", "type": "ldap", "issuer_url": "https://x"}])
    with pytest.raises(InvalidInput, match="base_dn and user_attr"):
        plan(REALM, [{"realm": "ward", "type": "ldap", "server1": "x"}])
    with pytest.raises(InvalidInput, match="server1"):
        plan(REALM, [{"realm": "pam", "server1": "x"}], {"realm": "pam", "type": "pam"})
