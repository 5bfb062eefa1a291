#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_evacuation_info
short_description: Whether nodes of a Proxmox VE cluster can be emptied
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Says of each node where the guests that run on it would go, which cannot leave and why, and whether there is room.
  - Memory is counted as it was promised to guests, not as they use it at the moment, and what a node keeps for itself
    is not given away.
  - Says also what is wrong with the cluster, and what would happen if another node were lost meanwhile.
  - Nothing is changed, in check mode or not.
options:
  nodes:
    description: The nodes that are to be emptied, one after the other. Without it each node of the cluster.
    type: list
    elements: str
  allow:
    description:
      - Consent that the evacuation will have. V(restart_guest) or V(restart_guest:<vmid>) for containers that run,
        V(stop_guest:<vmid>) for a guest that cannot move and may be shut down.
      - What lacks is in RV(evacuations[].missing).
    type: list
    elements: str
    default: []
  memory_reserved:
    description: GiB that a node keeps for itself, by node.
    type: dict
    default: {}
  memory_reserved_default:
    description: The same for nodes that O(memory_reserved) does not name.
    type: int
    default: 4
  with_local_disks:
    description: Whether disks that only the guest's node has would be copied along.
    type: bool
    default: false
  targetstorage:
    description: Where local disks would go, as M(hospital.continuity.pve_migration) takes it.
    type: list
    elements: str
notes:
  - The role PVEAuditor on C(/) is enough, with VM.Migrate for what keeps a guest from moving.
seealso:
  - module: hospital.continuity.pve_migration
  - module: hospital.continuity.pve_node_maintenance
extends_documentation_fragment:
  - hospital.continuity.pve
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: See whether the first node can be emptied
  hospital.continuity.pve_evacuation_info:
    nodes: [pve1]
    memory_reserved: {pve1: 8, pve2: 8}
  register: found

- name: Say what stands against it
  ansible.builtin.debug:
    msg: "{{ found.evacuations[0].refused }}"
"""

RETURN = r"""
evacuations:
  description: The nodes that were asked for.
  returned: always
  type: list
  elements: dict
  contains:
    node:
      description: The node.
      type: str
    maintenance:
      description: Whether it is in maintenance.
      type: bool
    memory:
      description: What the guests that run on it may use, in bytes.
      type: int
    guests:
      description: The guests that run on it. How each would go and where to, the word of consent that it takes, and why
        it cannot.
      type: list
      elements: dict
    refused:
      description: Why it cannot be begun, in sentences. Empty where it can.
      type: list
      elements: str
    missing:
      description: The words of consent that lack.
      type: list
      elements: str
    warnings:
      description: What would be so meanwhile, and keeps nobody from it.
      type: list
      elements: str
    says:
      description: What would become of each guest, a line each.
      type: list
      elements: str
  sample:
    - node: pve1
      maintenance: false
      memory: 25769803776
      guests:
        - {vmid: 124, name: pharmacy, type: vm, ha: false, memory: 8589934592, how: online, target: pve3}
      refused: []
      missing: []
      warnings: []
      says: ["guest 124 (pharmacy) (8.0 GiB) moves to pve3, online"]
nodes:
  description: The nodes of the cluster, whether they are online and in maintenance, and their memory in bytes.
  returned: always
  type: list
  elements: dict
  sample: [{node: pve1, online: true, maintenance: false, memory: 68719476736}]
guests:
  description: All guests, and where they are.
  returned: always
  type: list
  elements: dict
  sample: [{vmid: 124, name: pharmacy, type: vm, node: pve3, running: true, ha: false}]
health:
  description: What is wrong with the cluster, as RV(hospital.continuity.pve_info#module:health).
  returned: always
  type: list
  elements: dict
  sample: []
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    CONNECTION_ARGUMENTS,
    Connection,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.evacuations import gather


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "nodes": {"type": "list", "elements": "str"},
            "allow": {"type": "list", "elements": "str", "default": []},
            "memory_reserved": {"type": "dict", "default": {}},
            "memory_reserved_default": {"type": "int", "default": 4},
            "with_local_disks": {"type": "bool", "default": False},
            "targetstorage": {"type": "list", "elements": "str"},
            **CONNECTION_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        with Client(Connection.from_options(module.params)) as client:
            found = gather(client, module.params)
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
