# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Access control: who lacks a privilege is told which and where, the shipped roles are enough, nobody locks itself out,
and a token's secret is told once. In the lab, where others than root@pam can be logged in."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.shipped_roles import (
    ACCESS,
    AUTOMATION,
    SHIPPED,
)
from tests import access_table
from tests.contract import discovery
from tests.contract.case import PREFIX, Case, of
from tests.contract.cases import pve_realm_sync
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded

ADMIN, NAME, OTHER = f"{PREFIX}admin@pve", f"{PREFIX}ansible", f"{PREFIX}other@pve"
LDAP = {"type": "ldap", "server1": "192.0.2.1", "base_dn": "dc=x", "user_attr": "uid"}
ITEMS: Mapping[str, Mapping[str, Any]] = {
    "pve_user": {"userid": f"{PREFIX}new@pve"},
    "pve_group": {"groupid": f"{PREFIX}new"},
    "pve_role": {"roleid": f"{PREFIX}New", "privs": ["VM.Audit"]},
    "pve_acl": {"path": f"/pool/{PREFIX}pool", "ugid": OTHER, "roleid": "PVEAdmin"},
    "pve_token": {"userid": ADMIN, "tokenid": "new", "return_secret": True},
    "pve_realm": {"realm": f"{PREFIX}new", **LDAP},
}
LACKING = [
    ("pve_user", "Realm.AllocateUser", "/access/realm/pve"),
    ("pve_user", "User.Modify", "/access/groups"),
    ("pve_group", "Group.Allocate", "/access/groups"),
    ("pve_role", "Sys.Modify", "/access"),
    ("pve_acl", "Permissions.Modify", f"/pool/{PREFIX}pool"),
    ("pve_acl", "Sys.Audit", "/access"),
    ("pve_token", "User.Modify", "/access/groups"),
    ("pve_realm", "Realm.Allocate", "/access/realm"),
]


def admin(pve: Any, *roles: str, path: str = "/") -> dict[str, str]:
    """Another administrator, with a token whose privileges are separated; how one logs in with it."""
    pve.api.post("/access/users", userid=ADMIN, password="of the admin")
    pve.api.post("/access/users", userid=OTHER)
    answer = pve.api.post(f"/access/users/{ADMIN}/token/{NAME}")
    for role in roles:
        pve.api.post("/access/roles", roleid=f"{PREFIX}{role}", privs=",".join(SHIPPED[role]))
        pve.api.put("/access/acl", path=path, users=ADMIN, roles=f"{PREFIX}{role}")
        pve.api.put("/access/acl", path=path, tokens=f"{ADMIN}!{NAME}", roles=f"{PREFIX}{role}")
    if AUTOMATION in roles:
        # As docs/access.md says: its Sys.Modify would otherwise count for roles as well.
        pve.api.put("/access/acl", path="/access", users=ADMIN, tokens=f"{ADMIN}!{NAME}", roles="PVEAuditor")
    return {"api_token_id": f"{ADMIN}!{NAME}", "api_token_secret": str(answer["value"])}


def run(pve: Any, module: str, item: Mapping[str, Any], who: Mapping[str, str], **arguments: Any) -> Result:
    result: Result = pve.run(module, [item], **who, **arguments)
    return result


# --- one privilege short


@pytest.mark.parametrize(("module", "privilege", "path"), LACKING)
def test_a_missing_privilege_is_named_with_its_path(lab: Any, pve: Any, module: str, privilege: str, path: str) -> None:
    who = admin(pve, ACCESS)
    left = ",".join(name for name in SHIPPED[ACCESS] if name != privilege)
    pve.api.put(f"/access/roles/{PREFIX}{ACCESS}", privs=left)
    before = pve.inventory()
    result = refused(run(pve, module, ITEMS[module], who))
    assert privilege in result.message and path in result.message, result.message
    assert who["api_token_id"] in result.message
    assert pve.inventory() == before, "something was written"
    pve.api.put(f"/access/roles/{PREFIX}{ACCESS}", privs=",".join(SHIPPED[ACCESS]))
    assert succeeded(run(pve, module, ITEMS[module], who)).changed


@pytest.mark.parametrize("privilege", ["Realm.AllocateUser", "User.Modify"])
def test_a_privilege_that_a_copy_lacks_is_named(lab: Any, pve: Any, privilege: str) -> None:
    pve_realm_sync.setup(pve)
    who = admin(pve, ACCESS)
    left = ",".join(name for name in SHIPPED[ACCESS] if name != privilege)
    pve.api.put(f"/access/roles/{PREFIX}{ACCESS}", privs=left)
    arguments = {"realm": pve_realm_sync.REALM, "scope": "users"}
    result = refused(pve.run("pve_realm_sync", **arguments, **who))
    assert privilege in result.message and "/access/" in result.message
    pve.api.put(f"/access/roles/{PREFIX}{ACCESS}", privs=",".join(SHIPPED[ACCESS]))
    assert succeeded(pve.run("pve_realm_sync", **arguments, **who)).data["users"] == [
        f"ada@{pve_realm_sync.REALM}",
        f"bob@{pve_realm_sync.REALM}",
    ]


AUTOMATED: list[tuple[str, str, str, Mapping[str, Any]]] = [
    ("pve_storage", "Datastore.Allocate", "/storage", {"storage": f"{PREFIX}s", "type": "dir", "path": "/x"}),
    ("pve_pool", "Pool.Allocate", f"/pool/{PREFIX}p", {"poolid": f"{PREFIX}p"}),
    ("pve_backup_job", "Sys.Modify", "/", {"id": f"{PREFIX}j", "schedule": "daily", "all": True, "enabled": False}),
    ("pve_ha_resource", "Sys.Console", "/", {"sid": lambda s: f"vm:{s.vmid(0)}", "state": "stopped"}),
    ("pve_vm", "VM.Config.CPU", "/vms/", {"cores": 3}),
    ("pve_vm", "VM.Config.Memory", "/vms/", {"memory": 128}),
    ("pve_vm", "VM.Config.Options", "/vms/", {"description": "PACS"}),
    ("pve_vm", "VM.Config.HWType", "/vms/", {"vga": {"type": "virtio"}}),
    ("pve_vm", "VM.Config.Network", "/vms/", {"nics": [{"slot": "net0", "bridge": lambda s: s.bridge}]}),
    ("pve_vm", "VM.Config.Disk", "/vms/", {"disks": [{"slot": "scsi0", "storage": lambda s: s.images, "size": "1G"}]}),
    (
        "pve_vm",
        "Datastore.AllocateSpace",
        "/storage/",
        {"disks": [{"slot": "scsi0", "storage": lambda s: s.images, "size": "1G"}]},
    ),
    ("pve_vm", "VM.PowerMgmt", "/vms/", {"status": "running"}),
]


@pytest.mark.parametrize(
    ("module", "privilege", "path", "item"), AUTOMATED, ids=[f"{row[0]}-{row[1]}" for row in AUTOMATED]
)
def test_a_privilege_that_automation_lacks_is_named(
    lab: Any, pve: Any, module: str, privilege: str, path: str, item: Mapping[str, Any]
) -> None:
    vmid = pve.make_guest(0)
    who = admin(pve, AUTOMATION)
    wanted = of({**({"vmid": vmid} if module == "pve_vm" else {}), **item}, pve)
    pve.api.put(f"/access/roles/{PREFIX}{AUTOMATION}", privs=",".join(set(SHIPPED[AUTOMATION]) - {privilege}))
    result = refused(run(pve, module, wanted, who))
    assert privilege in result.message and path in result.message, result.message
    pve.api.put(f"/access/roles/{PREFIX}{AUTOMATION}", privs=",".join(SHIPPED[AUTOMATION]))
    assert succeeded(run(pve, module, wanted, who)).changed


# --- the shipped roles

SERVED = [
    (role, case)
    for role, modules in access_table.roles().items()
    for case in discovery.cases()
    if case.module in modules
]


@pytest.mark.parametrize(("role", "case"), SERVED, ids=[f"{role}-{case.id}" for role, case in SERVED])
def test_a_shipped_role_is_enough(lab: Any, pve: Any, role: str, case: Case) -> None:
    """Things are created, found unchanged and removed by somebody who has nothing but the role."""
    pve.prepare(case)
    who = admin(pve, role)
    kind = discovery.kind_of(case.module)
    allow = {"allow": of([*case.allow, *case.removal], pve)} if kind.words else {}
    several = of(case.several, pve)
    assert succeeded(pve.run(case.module, several, **allow, **who)).changed
    with pve.unwritten():
        assert not succeeded(pve.run(case.module, several, **allow, **who)).changed
    gone = of(case.gone, pve) if case.gone else [{name: item[name] for name in kind.identity} for item in several]
    assert succeeded(pve.run(case.module, gone, state="absent", **allow, **who)).changed


def test_automation_reads_everything(lab: Any, pve: Any) -> None:
    who = admin(pve, AUTOMATION)
    assert not [row for row in succeeded(pve.run("pve_info", **who)).data["health"] if row["state"] == "unread"]


@pytest.mark.parametrize("module", ITEMS)
def test_automation_gives_nobody_more_than_it_has(lab: Any, pve: Any, module: str) -> None:
    """Whoever may make pools may also give rights on one; of its own only."""
    who = admin(pve, AUTOMATION)
    before = pve.inventory()
    refused(run(pve, module, ITEMS[module], who))
    refused(run(pve, "pve_acl", {"path": "/", "ugid": OTHER, "roleid": "PVEAuditor"}, who))
    assert pve.inventory() == before


# --- nobody locks itself out


@pytest.mark.parametrize(
    ("module", "item", "state"),
    [
        ("pve_user", {"userid": ADMIN}, "absent"),
        ("pve_user", {"userid": ADMIN, "enable": False}, "present"),
        ("pve_user", {"userid": ADMIN, "expire": 1}, "present"),
        ("pve_token", {"userid": ADMIN, "tokenid": NAME}, "absent"),
        ("pve_token", {"userid": ADMIN, "tokenid": NAME, "expire": 1}, "present"),
        ("pve_role", {"roleid": f"{PREFIX}{ACCESS}", "privs": ["Sys.Audit"]}, "present"),
        ("pve_role", {"roleid": f"{PREFIX}{ACCESS}"}, "absent"),
        ("pve_acl", {"path": "/", "ugid": f"{ADMIN}!{NAME}", "roleid": f"{PREFIX}{ACCESS}"}, "absent"),
        ("pve_acl", {"path": "/", "ugid": ADMIN, "roleid": f"{PREFIX}{ACCESS}"}, "absent"),
        ("pve_acl", {"path": "/access", "ugid": ADMIN, "roleid": "NoAccess"}, "present"),
        ("pve_acl", {"path": f"/pool/{PREFIX}pool", "ugid": ADMIN, "roleid": "PVEAuditor"}, "present"),
    ],
)
def test_nobody_locks_itself_out(lab: Any, pve: Any, module: str, item: dict[str, Any], state: str) -> None:
    who = admin(pve, ACCESS)
    allow = [f"remove_user:{ADMIN}", f"disable_user:{ADMIN}"] if module == "pve_user" else []
    allow += [f"remove_token:{ADMIN}!{NAME}"] if module == "pve_token" else []
    allow += [f"remove_role:{PREFIX}{ACCESS}"] if module == "pve_role" else []
    arguments = {"allow": allow} if allow else {}
    for check in (True, False):
        with pve.unwritten():
            result = refused(run(pve, module, item, who, state=state, check=check, **arguments))
        assert f"{ADMIN}!{NAME}" in result.message
    # Somebody else may.
    assert succeeded(pve.run(module, [item], state=state, **arguments)).changed


def test_root_is_not_removed(pve: Any) -> None:
    """PVE says yes, keeps the user and takes its tokens: those this very task logs in with, too."""
    with pve.unwritten():
        result = refused(pve.run("pve_user", [{"userid": "root@pam"}], state="absent", allow=["remove_user:root@pam"]))
    assert "root@pam" in result.message and "pve_token" in result.message


@pytest.mark.parametrize("realm", ["pam", "pve"])
def test_built_in_realms_are_not_removed(pve: Any, realm: str) -> None:
    with pve.unwritten():
        assert "built in" in refused(pve.run("pve_realm", [{"realm": realm}], state="absent")).message


# --- secrets


def test_a_secret_is_told_once_and_only_to_who_asks(lab: Any, pve: Any) -> None:
    who = admin(pve, ACCESS)
    bare = {"userid": ADMIN, "tokenid": "first"}
    with pve.unwritten():
        result = refused(pve.run("pve_token", [bare]))
        assert "return_secret" in result.message and "no_log" in result.message
        assert succeeded(pve.run("pve_token", [{**bare, "return_secret": True}], check=True)).data["secrets"] == {}
    made = succeeded(pve.run("pve_token", [{**bare, "return_secret": True}], verbosity=4, **who))
    (secret,) = made.data["secrets"].values()
    assert list(made.data["secrets"]) == [f"{ADMIN}!first"]
    for name in ("diff", "before", "after", "steps"):
        assert secret not in str(made.data[name])
    login = {"api_token_id": f"{ADMIN}!first", "api_token_secret": secret}
    again = succeeded(pve.run("pve_token", [{**bare, "return_secret": True}], verbosity=4))
    assert not again.changed and again.data["secrets"] == {}
    assert secret not in again.everything
    assert "did not accept" not in str(pve.run("pve_info", kinds=["role"], **login).data.get("msg", ""))


def test_the_secret_of_what_was_made_is_told_though_something_else_failed(lab: Any, pve: Any) -> None:
    admin(pve)
    lab.fail_requests("POST", "/token/second$")
    items = [{"userid": ADMIN, "tokenid": name, "return_secret": True} for name in ("first", "second")]
    failed = refused(pve.run("pve_token", items, api_parallel=1))
    assert list(failed.data["secrets"]) == [f"{ADMIN}!first"]
    assert list(succeeded(pve.run("pve_token", items)).data["secrets"]) == [f"{ADMIN}!second"]


PRINTABLE = "".join(map(chr, range(32, 127)))
WORDS = [PRINTABLE[start : start + 48] for start in range(0, len(PRINTABLE), 48)] + ["Ñandú, ß und €"]


@pytest.mark.parametrize("word", WORDS)
def test_a_password_of_any_character_works(lab: Any, pve: Any, word: str) -> None:
    user = f"{PREFIX}ada@pve"

    def logs_in() -> bool:
        url = f"https://{lab.host}:{lab.port}/api2/json/access/ticket"
        data = urlencode({"username": user, "password": word}).encode()
        try:
            context = ssl.create_default_context(cafile=lab.ca)
            with urlopen(Request(url, data), context=context) as answer:
                return bool(answer.status == 200)
        except HTTPError:
            return False

    succeeded(pve.run("pve_user", [{"userid": user, "password": word}]))
    assert logs_in()
    pve.api.put(f"/access/users/{user}", comment="x")
    assert succeeded(pve.run("pve_user", [{"userid": user, "password": word, "comment": "y"}])).steps == [
        f"done: update user {user}: comment"
    ]
    other = {"userid": user, "password": "another one"}
    with pve.unwritten():
        assert "api_password" in refused(pve.run("pve_user", [other], update_secrets="always")).message
    assert succeeded(pve.run("pve_user", [other], update_secrets="always", **without_token(pve))).changed
    assert not logs_in()


def without_token(pve: Any) -> dict[str, Any]:
    """Logging in as root@pam with its password."""
    return {**{name: None for name in pve.connection() if name.startswith("api_token")}, **pve.connection(root=True)}


# --- what would be in vain


def test_what_is_not_there_is_named_before_anything_is_written(pve: Any) -> None:
    """PVE takes users of realms that do not exist, who can never log in."""
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("pve_user", {"userid": f"{PREFIX}a@nowhere"}, "pve_realm"),
        ("pve_user", {"userid": f"{PREFIX}a@pve", "groups": [f"{PREFIX}none"]}, "pve_group"),
        ("pve_token", {"userid": f"{PREFIX}none@pve", "tokenid": "t1", "return_secret": True}, "pve_user"),
        ("pve_acl", {"path": "/", "ugid": f"{PREFIX}none@pve", "roleid": "PVEAuditor"}, "pve_user"),
        ("pve_acl", {"path": "/", "ugid": f"{PREFIX}none", "roleid": "PVEAuditor"}, "pve_group"),
        ("pve_acl", {"path": "/", "ugid": "root@pam", "roleid": f"{PREFIX}None"}, "pve_role"),
    ]
    for module, item, answer in wrong:
        with pve.unwritten():
            assert answer in refused(pve.run(module, [item])).message
            check = succeeded(pve.run(module, [item], check=True))
        assert any(answer in str(text) for text in check.data["warnings"]), "an earlier task may make it"
    with pve.unwritten():
        result = refused(pve.run("pve_role", [{"roleid": f"{PREFIX}R", "privs": ["VM.Audit", "VM.Fly"]}]))
    assert "privs" in result.message and "VM.Fly" in result.message
