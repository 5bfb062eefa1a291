#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_acl
short_description: Who has which role where in a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes entries of the access control list. Each gives one role on one path to one user, group or token.
  - An entry that is not listed stays. With O(unlisted=absent) those are removed that lie inside a scope, which must
    name a path.
  - An entry on a path replaces what is inherited from above for the same user, group or token.
options:
  config:
    description: The entries.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where the role counts, for example V(/), V(/vms/100), V(/pool/imaging), V(/storage/backup).
        type: str
        required: true
      ugid:
        description:
          - Who has it. A user is written V(ada@pve), a token V(automation@pve!ansible), a group V(on-call).
        type: str
        required: true
      roleid:
        description:
          - The role.
        type: str
        required: true
      propagate:
        description:
          - Whether it also counts for everything below the path.
        type: bool
      reset:
        description:
          - Options of this entry that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - Entries are added before others are taken away, so that nobody is without both for a moment.
  - Proxmox VE takes entries for guests, pools and storages that do not exist (yet). Look at the path twice.
  - Needs the privilege Permissions.Modify on the path, and Sys.Audit on C(/access) to read what is there. See
    C(docs/access.md).
seealso:
  - module: hospital.continuity.pve_role
  - module: hospital.continuity.pve_user
  - module: hospital.continuity.pve_group
  - module: hospital.continuity.pve_token
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.scope
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: Automation may do everything but access, and those on call may look
  hospital.continuity.pve_acl:
    config:
      - path: /
        ugid: automation@pve!ansible
        roleid: PVEAdmin
      - path: /pool/imaging
        ugid: on-call
        roleid: PVEVMUser

- name: These and no others have rights on the pool
  hospital.continuity.pve_acl:
    config:
      - path: /pool/imaging
        ugid: on-call
        roleid: PVEAuditor
    unlisted: absent
    scope:
      path: /pool/imaging
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create acl /pool/imaging/on-call/PVEVMUser"]
before:
  description: The entries a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"/pool/imaging/on-call/PVEVMUser": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample:
    /pool/imaging/on-call/PVEVMUser:
      {"path": "/pool/imaging", "ugid": "on-call", "roleid": "PVEVMUser", "propagate": true}
unmet:
  description: Always empty, because an entry has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.acl import ACL_ENTRY
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(ACL_ENTRY, AccessBackend)


if __name__ == "__main__":
    main()
