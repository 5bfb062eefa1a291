#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_ha_resource
short_description: Guests that Proxmox VE keeps running
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Puts guests under the care of the HA manager, which starts them on another node when theirs is lost.
  - A change is finished when the manager has brought the guest into the state that is asked for, not when it has
    taken the configuration. What is not there after O(verify_timeout) is returned in RV(unmet).
  - From then on power belongs to the resource. To stop such a guest, set O(config[].state).
options:
  config:
    description: The resources.
    type: list
    elements: dict
    required: true
    suboptions:
      sid:
        description:
          - The guest, V(vm:100) or V(ct:101), or just its number.
        type: str
        required: true
      state:
        description:
          - What the manager does with the guest. V(started) starts it and keeps it running, V(stopped) shuts it
            down and brings it back to another node when its own is lost, V(disabled) shuts it down and leaves it
            where it is, which also clears an error, V(ignored) does not touch it.
          - V(enabled) is another word for V(started), which is the default.
        type: str
        choices: ["started", "stopped", "enabled", "disabled", "ignored"]
      comment:
        description:
          - One line of text.
        type: str
      failback:
        description:
          - Whether the guest goes back to a node with a higher priority once that is there again.
        type: bool
      max_restart:
        description:
          - How often a failed start is tried again on the same node.
        type: int
      max_relocate:
        description:
          - How many other nodes are tried when it does not start.
        type: int
      reset:
        description:
          - Options of this resource that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - With O(state=absent) the guest keeps running, only nobody looks after it any more. Proxmox VE takes it out of
    the HA rules, too, and removes a rule that has no resource left.
  - Groups are gone since Proxmox VE 9, M(hospital.continuity.pve_ha_rule) does what they did.
  - Needs the privileges Sys.Console and Sys.Audit on C(/).
seealso:
  - module: hospital.continuity.pve_ha_rule
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: The PACS servers survive the loss of a node
  hospital.continuity.pve_ha_resource:
    config:
      - sid: vm:110
        comment: PACS, first
        max_restart: 2
      - sid: "111"
        comment: PACS, second
        max_restart: 2

- name: Shut one down for maintenance
  hospital.continuity.pve_ha_resource:
    config:
      - sid: vm:111
        state: stopped

- name: Nobody looks after it any more
  hospital.continuity.pve_ha_resource:
    config:
      - sid: "111"
    state: absent
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create ha_resource vm:110"]
before:
  description: The resources a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"vm:110": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"vm:110": {"sid": "vm:110", "state": "started", "comment": "PACS, first", "max_restart": 2}}
unmet:
  description: Guests that are not in the state the resource asks for.
  returned: always
  type: list
  elements: str
  sample: ["vm:110 is to be started and is request_start on pve1"]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_resource import HA_RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(HA_RESOURCE)


if __name__ == "__main__":
    main()
