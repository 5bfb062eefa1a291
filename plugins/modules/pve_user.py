#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_user
short_description: Users of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes users, puts them into groups and switches them on and off.
  - A user's API tokens and rights are not touched, whatever is left out. Tokens are the business of
    M(hospital.continuity.pve_token), rights that of M(hospital.continuity.pve_acl).
options:
  config:
    description: The users.
    type: list
    elements: dict
    required: true
    suboptions:
      userid:
        description:
          - The user with its realm, for example V(ops@pve). The realm must exist.
        type: str
        required: true
      password:
        description:
          - The password, of 8 to 64 characters, for users of a realm that keeps passwords (V(pve); for V(pam) it is
            that of the account on the node).
          - Set when the user is created. O(update_secrets=always) sets it at every run, which Proxmox VE allows to
            nobody who logs in with a token.
        type: str
      enable:
        description:
          - Whether the user, and with it every one of its tokens, may log in.
        type: bool
      expire:
        description:
          - When the user expires, in seconds since 1970. V(0) is never.
        type: int
      groups:
        description:
          - All groups the user is in. Those not listed are left; an empty list leaves all. Leave the option out to
            leave them alone, which O(unlisted_options=reset) does, too.
        type: list
        elements: str
      firstname:
        description:
          - The first name.
        type: str
      lastname:
        description:
          - The last name.
        type: str
      email:
        description:
          - Where notifications go.
        type: str
      comment:
        description:
          - Any text.
        type: str
      keys:
        description:
          - Keys of a second factor in the older form (Yubico). Read back, compared and never shown.
        type: str
      reset:
        description:
          - Options of this user that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - C(remove_user:<userid>) is the consent to remove a user who has API tokens or rights, which go with it.
  - C(disable_user:<userid>) is the consent to switch off a user with API tokens, as what uses them is refused from then
    on, and to switch off V(root@pam).
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - V(root@pam) cannot be removed. Proxmox VE says yes, keeps it, and takes its API tokens away.
  - Needs the privileges Realm.AllocateUser on C(/access/realm/<realm>) and User.Modify on C(/access/groups), and to
    read them Sys.Audit or User.Modify there. See C(docs/access.md).
seealso:
  - module: hospital.continuity.pve_group
  - module: hospital.continuity.pve_token
  - module: hospital.continuity.pve_acl
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: A user for automation, which logs in with a token only, and a person
  hospital.continuity.pve_user:
    config:
      - userid: automation@pve
        comment: What Ansible logs in as
      - userid: ada@pve
        firstname: Ada
        email: ada@hospital.example
        groups: [on-call]
        password: "{{ ada_password }}"
  vars:
    ada_password: from-the-vault-1

- name: Ada is on leave
  hospital.continuity.pve_user:
    config:
      - userid: ada@pve
        enable: false

- name: Ada has left
  hospital.continuity.pve_user:
    config:
      - userid: ada@pve
    state: absent
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create user ada@pve"]
before:
  description: The users a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"ada@pve": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"ada@pve": {"userid": "ada@pve", "enable": true, "expire": 0, "groups": ["on-call"]}}
unmet:
  description: Always empty, because a user has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import USER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(USER, AccessBackend)


if __name__ == "__main__":
    main()
