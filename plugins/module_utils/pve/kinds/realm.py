# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Authentication realms. PVE API: /access/domains."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Consent,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Key,
    Properties,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import Access, AccessKind, owner_of
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm_types import TYPES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    Trimmed,
    boolean,
    dashed,
    number,
    properties,
    text,
)

_REALM = re.compile(r"[A-Za-z][A-Za-z0-9._-]{1,31}")


@dataclass(frozen=True)
class RealmKind(AccessKind):
    """A realm's options and defaults depend on its type; pam and pve are always there."""

    def declare(self, params: Mapping[str, Any]) -> Declaration:
        declared = super().declare(params)
        defaults = [label(item.key) for item in declared.items if item.options.get("default")]
        if len(defaults) > 1:
            raise InvalidInput(
                f"default: {' and '.join(defaults)} cannot both be the default realm.", hint="Choose one of them."
            )
        return declared

    def check(self, item: Item) -> None:
        if not _REALM.fullmatch(str(item.key[0])):
            raise InvalidInput(
                f"realm: PVE takes no name like {item.key[0]!r}.",
                hint="Use 2 to 32 letters, digits, ., - and _, beginning with a letter.",
            )
        for name, value in item.options.items():
            if isinstance(value, str) and ("\n" in value or "\r" in value):
                raise InvalidInput(f"{name}: PVE takes one line only.", hint="Write it without a line break.")
        if item.options.get("type") in TYPES:
            _check_type(str(item.options["type"]), item.options, item.reset)

    def row_for(self, row: Field, current: Mapping[str, Any]) -> Field:
        kind = TYPES.get(str(current.get("type")))
        if kind is None:
            return row
        if row.name == "comment" and kind.built_in:
            return replace(row, default=kind.comment)
        if row.name in kind.fixed:
            return replace(row, create_only=True)
        return replace(row, required=True) if row.name in kind.required else row

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        if "type" not in item.options and current.get("type") in TYPES:
            _check_type(str(current["type"]), item.options, ())
        return super().wanted(item, current, declared)

    def plan_create(self, item: Item) -> Step:
        kind = TYPES.get(str(item.options.get("type")))
        if kind is not None and kind.built_in:
            raise InvalidInput(f"type: there is one realm of type {item.options['type']}, and it is called so.")
        lacking = [name for name in kind.required if item.options.get(name) is None] if kind else []
        if lacking:
            raise InvalidInput(
                f"does not exist, and a realm of type {item.options['type']} cannot be created without "
                f"{' and '.join(lacking)}."
            )
        return super().plan_create(item)

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        kind = TYPES.get(str((thing.state if thing else {}).get("type")))
        if kind is not None and kind.built_in:
            raise InvalidInput("is built in: PVE says yes to removing it, and keeps it.")
        return super().plan_absent(key, thing)

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        name = label(step.key)
        users = sorted(userid for userid in access.groups if userid.endswith(f"@{name}"))
        if step.action != DELETE or not users:
            return ()
        more = f" and {len(users) - 5} more" if len(users) > 5 else ""
        return (Consent(f"remove_realm:{name}", f"{', '.join(users[:5])}{more} can no longer log in"),)

    def locks_out(self, step: Step, who: str, now: float) -> str:
        gone = step.action == DELETE and owner_of(who).rpartition("@")[2] == step.key[0]
        return "it would be removed" if gone else ""


def _check_type(name: str, options: Mapping[str, Any], resets: Collection[str]) -> None:
    """Raises InvalidInput for what a realm of this type cannot have."""
    kind = TYPES[name]
    for option in (*options, *resets):
        if option not in kind.options:
            others = ", ".join(other for other in sorted(TYPES) if option in TYPES[other].options)
            raise InvalidInput(
                f"{option} is no option of a realm of type {name}.", hint=f"It is one of type {others}. Leave it out."
            )


def _line(name: str, **more: Any) -> Field:
    return Field(name, Trimmed(), **dashed(name, more))


def _words(name: str, separators: str, joined_by: str, **more: Any) -> Field:
    return Field(name, Unordered(separators, joined_by), type="list", elements="str", **more)


_SYNC = Properties(
    forms={
        "enable-new": Boolean(),
        "full": Boolean(),
        "purge": Boolean(),
        "remove-vanished": Unordered(separators=";,", joined_by=";"),
    },
    defaults={"enable-new": True},
    keys=("scope", "enable-new", "remove-vanished", "full", "purge"),
)

REALM = RealmKind(
    name="realm",
    identity=("realm",),
    collection="/access/domains",
    item="/access/domains/{realm}",
    detail="/access/domains/{realm}",
    words=("remove_realm",),
    fields=(
        text("realm"),
        Field("type", choices=tuple(sorted(TYPES)), create_only=True, required=True),
        _line("comment"),
        boolean("default", default=False),
        # Its key may be somebody's, so it is never shown.
        _line("tfa", secret=True, kept=True),
        # A directory: where it is.
        _line("server1"),
        _line("server2"),
        number("port"),
        _line("domain"),
        Field("mode", choices=("ldap", "ldaps", "ldap+starttls"), default="ldap"),
        boolean("secure"),
        Field("sslversion", choices=("tlsv1", "tlsv1_1", "tlsv1_2", "tlsv1_3")),
        boolean("verify", default=False),
        _line("capath", default="/etc/ssl/certs"),
        _line("cert"),
        _line("certkey"),
        # Who asks it.
        _line("bind_dn"),
        text("password", write_only=True),
        # What of it are users and groups.
        _line("base_dn"),
        _line("user_attr"),
        _line("filter"),
        _words("user_classes", ", ", ",", default="inetorgperson, posixaccount, person, user"),
        _line("group_dn"),
        _line("group_filter"),
        _words("group_classes", ", ", ",", default="groupOfNames, group, univentionGroup, ipausergroup"),
        _line("group_name_attr"),
        properties("sync_attributes", Properties()),
        properties("sync_defaults_options", _SYNC, wire="-"),
        boolean("case_sensitive", wire="-", default=True),
        # OpenID Connect.
        _line("issuer_url", wire="-"),
        _line("client_id", wire="-"),
        _line("client_key", wire="-", secret=True, kept=True),
        _line("username_claim", wire="-"),
        boolean("autocreate", default=False),
        _line("groups_claim", wire="-"),
        boolean("groups_autocreate", wire="-", default=False),
        boolean("groups_overwrite", wire="-", default=False),
        _words("scopes", " ,", " ", default="email profile"),
        _line("prompt"),
        _line("acr_values", wire="-"),
        boolean("query_userinfo", wire="-", default=True),
    ),
)
REALM = replace(REALM, detailed=tuple(row.name for row in REALM.option_rows if row.name not in ("type", "default")))
