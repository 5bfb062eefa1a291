# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a realm of each type takes, as Proxmox VE 9.1 accepted and refused it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_COMMON = "type comment default"


@dataclass(frozen=True)
class RealmType:
    """options: what it takes.  required: without these it cannot be created.  fixed: what only creating takes.
    comment: what it says where nobody says anything else; such a realm is built in."""

    options: frozenset[str]
    required: tuple[str, ...] = ()
    fixed: frozenset[str] = frozenset()
    comment: str = ""

    @property
    def built_in(self) -> bool:
        return bool(self.comment)


def _type(options: str, *, required: str = "", fixed: str = "", comment: str = "") -> RealmType:
    return RealmType(
        frozenset(f"{_COMMON} {options}".split()), tuple(required.split()), frozenset(fixed.split()), comment
    )


_DIRECTORY = (
    "tfa password server1 server2 port mode secure sslversion verify capath cert certkey bind_dn base_dn user_attr "
    "filter user_classes group_dn group_filter group_classes group_name_attr sync_attributes sync_defaults_options "
    "case_sensitive"
)

TYPES: Mapping[str, RealmType] = {
    "ldap": _type(_DIRECTORY, required="server1 base_dn user_attr"),
    "ad": _type(f"{_DIRECTORY} domain", required="server1 domain"),
    "openid": _type(
        "issuer_url client_id client_key username_claim autocreate groups_claim groups_autocreate groups_overwrite "
        "scopes prompt acr_values query_userinfo",
        required="issuer_url client_id",
        fixed="username_claim",
    ),
    "pam": _type("tfa", comment="Linux PAM standard authentication"),
    "pve": _type("tfa", comment="Proxmox VE authentication server"),
}
