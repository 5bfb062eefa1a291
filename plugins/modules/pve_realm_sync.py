#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_realm_sync
short_description: Users and groups of a realm, copied from its directory
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Copies the users and groups of a realm of type V(ldap) or V(ad) from its directory, once.
  - With O(newer_than), nothing is done where the last copy is recent enough.
  - What is not said is as the realm says in O(hospital.continuity.pve_realm#module:config[].sync_defaults_options).
options:
  realm:
    description:
      - The name of the realm.
    type: str
    required: true
  scope:
    description:
      - What is copied.
    type: str
    choices: [users, groups, both]
  remove_vanished:
    description:
      - What happens to users and groups that the directory no longer has. With V(entry) they are removed, with V(acl)
        their rights are, with V(properties) what users have beyond the attributes of the directory.
      - An empty list removes nothing, whatever the realm says.
    type: list
    elements: str
  enable_new:
    description:
      - Whether users that are new may log in at once.
    type: bool
  newer_than:
    description:
      - Nothing is done where a copy that ended well began no longer ago than this, for example V(24h).
    type: str
notes:
  - C(remove_vanished:<realm>) is the consent to remove anything, whether O(remove_vanished) or the realm's own defaults
    say so.
  - What the directory holds cannot be known beforehand, so check mode says that it is copied and not what.
  - Needs the privileges Realm.AllocateUser on C(/access/realm/<realm>) and User.Modify on C(/access/groups), and to
    look at the realm Sys.Audit on C(/access/realm). See C(docs/access.md).
seealso:
  - module: hospital.continuity.pve_realm
  - module: hospital.continuity.pve_user
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: Copy the hospital's staff, at most once a day
  hospital.continuity.pve_realm_sync:
    realm: hospital
    scope: both
    newer_than: 24h

- name: Remove those who have left, with their rights
  hospital.continuity.pve_realm_sync:
    realm: hospital
    scope: both
    remove_vanished: [entry, acl]
    allow: ["remove_vanished:hospital"]
"""

RETURN = r"""
users:
  description: The users of the realm, as they were found afterwards.
  returned: always
  type: list
  elements: str
  sample: [ada@hospital]
groups:
  description: The groups of the realm, which Proxmox VE names with the realm behind.
  returned: always
  type: list
  elements: str
  sample: [nurses-hospital]
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: synchronise realm hospital"]
before:
  description: The users and groups of the realm before, by its name. Empty where nothing was to be done.
  returned: always
  type: dict
  sample: {"hospital": {"users": [], "groups": []}}
after:
  description: The same afterwards.
  returned: always
  type: dict
  sample: {"hospital": {"users": ["ada@hospital"], "groups": ["nurses-hospital"]}}
unmet:
  description: Always empty, because the task was waited for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run_operation
from ansible_collections.hospital.continuity.plugins.module_utils.pve.realm_sync_backend import RealmSyncBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.realm_sync_operation import REALM_SYNC


def main() -> None:
    run_operation(REALM_SYNC, RealmSyncBackend)


if __name__ == "__main__":
    main()
