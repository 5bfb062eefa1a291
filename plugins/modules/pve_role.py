#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_role
short_description: Roles of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes roles, which are privileges under a name. Who has a role where is said with M(hospital.continuity.pve_acl).
  - Two roles are brought along by this collection, with the fewest privileges its modules need, see
    O(config[].shipped).
options:
  config:
    description: The roles.
    type: list
    elements: dict
    required: true
    suboptions:
      roleid:
        description:
          - The name of the role. Names that begin with V(PVE), however written, are Proxmox VE's own.
        type: str
        required: true
      privs:
        description:
          - All privileges of the role. Those not listed are taken from it; an empty list takes all. Leave the option
            out to leave them alone, which O(unlisted_options=reset) does, too.
        type: list
        elements: str
      shipped:
        description:
          - The privileges are those of a role that this collection brings along, instead of O(config[].privs).
          - V(HospitalAutomation) is what every module of the collection needs except for access. Give it on V(/), and
            V(PVEAuditor) on V(/access), where its Sys.Modify would otherwise let it change roles.
          - V(HospitalAccess) is what users, groups, roles, tokens, realms and the ACL need. Who holds it can give
            itself everything else.
        type: str
        choices: [HospitalAccess, HospitalAutomation]
notes:
  - C(remove_role:<roleid>) is the consent to remove a role that somebody has, and who loses it.
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - Needs the privilege Sys.Modify on C(/access). See C(docs/access.md) for that, and for every call and privilege
    behind the two shipped roles.
seealso:
  - module: hospital.continuity.pve_acl
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: The roles that this collection brings along, and one of our own
  hospital.continuity.pve_role:
    config:
      - roleid: HospitalAutomation
        shipped: HospitalAutomation
      - roleid: HospitalAccess
        shipped: HospitalAccess
      - roleid: Ward
        privs: [VM.Audit, VM.Console, VM.PowerMgmt]

- name: The wards no longer switch anything off
  hospital.continuity.pve_role:
    config:
      - roleid: Ward
        privs: [VM.Audit, VM.Console]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create role Ward"]
before:
  description: The roles a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"Ward": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"Ward": {"roleid": "Ward", "privs": ["VM.Audit", "VM.Console"]}}
unmet:
  description: Always empty, because a role has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.role import ROLE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(ROLE, AccessBackend)


if __name__ == "__main__":
    main()
