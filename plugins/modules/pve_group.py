#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_group
short_description: Groups of users of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes groups, to which rights can be given with M(hospital.continuity.pve_acl).
  - Who is in a group is an option of the user, O(hospital.continuity.pve_user#module:config[].groups).
options:
  config:
    description: The groups.
    type: list
    elements: dict
    required: true
    suboptions:
      groupid:
        description:
          - The name of the group, in letters, digits, C(.), C(-) and C(_).
        type: str
        required: true
      comment:
        description:
          - Any text.
        type: str
      reset:
        description:
          - Options of this group that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - C(remove_group:<groupid>) is the consent to remove a group that has members or rights. Its members lose the rights
    that it gave them.
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - Needs the privilege Group.Allocate on C(/access/groups). See C(docs/access.md).
seealso:
  - module: hospital.continuity.pve_user
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
- name: A group for those who are on call
  hospital.continuity.pve_group:
    config:
      - groupid: on-call
        comment: Whoever carries the telephone
      - groupid: radiology

- name: Nobody is on call any more; the members lose what the group gave them
  hospital.continuity.pve_group:
    config:
      - groupid: on-call
    state: absent
    allow: ["remove_group:on-call"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create group on-call"]
before:
  description: The groups a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"on-call": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"on-call": {"groupid": "on-call", "comment": "Whoever carries the telephone"}}
unmet:
  description: Always empty, because a group has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.group import GROUP
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(GROUP, AccessBackend)


if __name__ == "__main__":
    main()
