# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Groups of users. PVE API: /access/groups. Who is in a group is an option of the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Consent, Step, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Lines
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.access import Access, AccessKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import check_name_of, text


@dataclass(frozen=True)
class GroupKind(AccessKind):
    """A comment is all that it has of its own."""

    def check(self, item: Item) -> None:
        check_name_of("groupid", item.key[0])

    def losses(self, step: Step, access: Access) -> Sequence[Consent]:
        name = label(step.key)
        if step.action != DELETE:
            return ()
        members = sorted(userid for userid, groups in access.groups.items() if name in groups)
        places = access.places_of(name)
        loses = []
        if members:
            loses.append(f"{', '.join(members)} are no longer in it")
        if places:
            loses.append(f"its rights on {', '.join(places)} go with it")
        return (Consent(f"remove_group:{name}", " and ".join(loses)),) if loses else ()

    def afterwards(self, step: Step, access: Access) -> Access:
        name = label(step.key)
        if step.action != DELETE:
            return access
        left = {userid: groups - {name} for userid, groups in access.groups.items()}
        return replace(access.without(ugid=name), groups=left)


GROUP = GroupKind(
    name="group",
    identity=("groupid",),
    collection="/access/groups",
    item="/access/groups/{groupid}",
    emptied=True,
    seen_at="/access/groups/{groupid}",
    seen_with=("User.Modify", "Sys.Audit", "Group.Allocate"),
    words=("remove_group",),
    fields=(text("groupid"), Field("comment", Lines())),
)
