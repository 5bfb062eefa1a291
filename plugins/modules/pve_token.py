#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_token
short_description: API tokens of users of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes API tokens, with which programs log in without a password. A token that is not listed stays.
  - The secret of a token is told by Proxmox VE only once, when the token is made, and by this module only to who asks
    for it with O(config[].return_secret). It is never in the diff, in RV(after) or in a log.
options:
  config:
    description: The tokens.
    type: list
    elements: dict
    required: true
    suboptions:
      userid:
        description:
          - The user the token belongs to, for example V(automation@pve).
        type: str
        required: true
      tokenid:
        description:
          - The name of the token, of two or more letters, digits, C(.), C(-) and C(_), beginning with a letter.
        type: str
        required: true
      privsep:
        description:
          - Whether the token has only those rights of its user that are given to itself as well.
          - With V(false) it has all rights of its user.
        type: bool
      expire:
        description:
          - When the token expires, in seconds since 1970. V(0) is never, or with its user.
        type: int
      comment:
        description:
          - Any text.
        type: str
      return_secret:
        description:
          - Whether the secret is in RV(secrets) of the run that makes the token. Without it no token is made, as nobody
            could ever use it.
          - Give the task C(no_log) and register the result, so that the secret is not shown.
        type: bool
      reset:
        description:
          - Options of this token that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - C(remove_token:<userid>!<tokenid>) is the consent to remove a token. What logs in with it is refused from then on.
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - If the connection breaks after the token was made and before the answer is there, its secret is lost. Remove the
    token then, and make it anew.
  - Needs the privilege User.Modify on C(/access/groups). See C(docs/access.md).
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
- name: A token for Ansible
  hospital.continuity.pve_token:
    config:
      - userid: automation@pve
        tokenid: ansible
        comment: Used by AWX
        return_secret: true
  no_log: true
  register: made

- name: It may do all that its user may
  hospital.continuity.pve_token:
    config:
      - userid: automation@pve
        tokenid: ansible
        privsep: false

- name: It is no longer needed
  hospital.continuity.pve_token:
    config:
      - userid: automation@pve
        tokenid: ansible
    state: absent
    allow: ["remove_token:automation@pve!ansible"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create token automation@pve/ansible"]
before:
  description: The tokens a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"automation@pve/ansible": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"automation@pve/ansible": {"userid": "automation@pve", "tokenid": "ansible", "privsep": true, "expire": 0}}
unmet:
  description: Always empty, because a token has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
secrets:
  description:
    - The secrets of the tokens that this run made, by C(userid!tokenid). Empty when none was made.
    - Nobody can read them again.
  returned: always
  type: dict
  sample: {"automation@pve!ansible": "00000000-0000-0000-0000-000000000000"}
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import TokenBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.token import TOKEN
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(TOKEN, TokenBackend)


if __name__ == "__main__":
    main()
