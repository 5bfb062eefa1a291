# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_realm. No server answers under the addresses; nothing asks them."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}realm"
LDAP = {"realm": NAME, "type": "ldap", "server1": "192.0.2.1", "base_dn": "dc=example,dc=test", "user_attr": "uid"}
AD = {"realm": NAME, "type": "ad", "server1": "192.0.2.1", "domain": "example.test"}
OPENID = {"realm": NAME, "type": "openid", "issuer_url": "https://idp.example.test", "client_id": "hct"}
SINGLE = "there is one default realm, and it would no longer be the cluster's own"


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/access/domains/{item['realm']}"))


def with_user(system: Any) -> None:
    values = {"server1": "192.0.2.1", "base_dn": "dc=example,dc=test", "user_attr": "uid"}
    system.api.post("/access/domains", realm=NAME, type="ldap", **values)
    system.api.post("/access/users", userid=f"{PREFIX}ada@{NAME}")


SEVERAL = [
    {**LDAP, "comment": "Staff", "mode": "ldaps", "verify": True, "group_classes": ["group", "posixGroup"]},
    {**AD, "realm": f"{PREFIX}ad", "case_sensitive": False},
    {**OPENID, "realm": f"{PREFIX}oidc", "scopes": ["email"], "autocreate": True},
]
CASE = Case(
    module="pve_realm",
    subsystem="pve",
    base=LDAP,
    options=(
        Option("type", "ldap", "ad"),
        Option("comment", "Staff", "Staff, with umlaut: ü"),
        Option("default", True, False, lab_only=SINGLE),
        Option("tfa", "type=oath,step=30,digits=6", "type=oath,digits=8"),
        Option("server1", "192.0.2.1", "192.0.2.2"),
        Option("server2", "192.0.2.3", "192.0.2.4"),
        Option("port", 3890, 3891),
        Option("domain", "example.test", "other.test", base=AD),
        Option("mode", "ldaps", "ldap+starttls"),
        Option("secure", True, False),
        Option("sslversion", "tlsv1_2", "tlsv1_3"),
        Option("verify", True, False),
        Option("capath", "/etc/ssl/hospital", "/etc/ssl/other"),
        Option("cert", "/etc/ssl/hct.pem", "/etc/ssl/hct2.pem"),
        Option("certkey", "/etc/ssl/hct.key", "/etc/ssl/hct2.key"),
        Option("bind_dn", "cn=hct,dc=example,dc=test", "cn=hct2,dc=example,dc=test"),
        Option("base_dn", "dc=example,dc=test", "ou=staff,dc=example,dc=test"),
        Option("base_dn", "dc=example,dc=test", "ou=staff,dc=example,dc=test", base=AD, label="ad"),
        Option("user_attr", "uid", "cn"),
        Option("filter", "(objectClass=person)", "(objectClass=user)"),
        Option("user_classes", ["person"], ["user", "person"]),
        Option("group_dn", "ou=groups,dc=example,dc=test", "ou=teams,dc=example,dc=test"),
        Option("group_filter", "(cn=*)", "(cn=a*)"),
        Option("group_classes", ["group"], ["posixGroup", "group"]),
        Option("group_name_attr", "cn", "ou"),
        Option("sync_attributes", {"email": "mail"}, {"email": "mail", "firstname": "givenName"}),
        Option(
            "sync_defaults_options",
            {"scope": "users", "remove-vanished": ["acl", "entry"]},
            {"scope": "both", "enable-new": False},
        ),
        Option("case_sensitive", False, True),
        Option("issuer_url", "https://idp.example.test", "https://idp2.example.test", base=OPENID),
        Option("client_id", "hct", "hct2", base=OPENID),
        Option("client_key", "one-key", "another-key", base=OPENID),
        Option("username_claim", "email", "username", base=OPENID),
        Option("autocreate", True, False, base=OPENID),
        Option("groups_claim", "groups", "teams", base=OPENID),
        Option("groups_autocreate", True, False, base=OPENID),
        Option("groups_overwrite", True, False, base=OPENID),
        Option("scopes", ["email"], ["openid", "email"], base=OPENID),
        Option("prompt", "login", "consent", base=OPENID),
        Option("acr_values", "silver", "gold", base=OPENID),
        Option("query_userinfo", False, True, base=OPENID),
    ),
    raw=raw,
    several=SEVERAL,
    changed=[
        {"realm": NAME, "comment": "All staff", "reset": ["mode", "group_classes"]},
        {"realm": f"{PREFIX}ad", "server2": "192.0.2.9"},
        {"realm": f"{PREFIX}oidc", "autocreate": False},
    ],
    consents=(
        Scenario(
            f"remove_realm:{NAME}",
            {"config": [{"realm": NAME}], "state": "absent"},
            f"{PREFIX}ada@{NAME}",
            setup=with_user,
            label="remove_realm",
        ),
    ),
    secrets=(
        Secret("password", "hct-S3cret% of the directory", beside={"bind_dn": "cn=hct,dc=example,dc=test"}),
        Secret("client_key", "hct-S3cret% of the client", base=OPENID),
        Secret("tfa", "type=yubico,id=1,key=hctS3cretOfYubico", other="type=yubico,id=1,key=hctAnotherOfYubico"),
    ),
    info="realm",
)
