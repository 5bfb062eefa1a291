#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_migration
short_description: Move guests to another node of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Moves guests to the node O(target), or away from the node O(away_from), and waits until they are there.
  - A VM that runs is moved while it runs. A container cannot be, it is stopped and started again, which needs a word
    of consent.
  - What the HA manager looks after is moved by it (C(ha-manager migrate)), because it would bring it back otherwise.
  - "Every guest is looked at before the first one moves. One that cannot be moved is named with the reason: devices
    of its node, a CD image, disks that only its node has, a lock, a storage or an HA rule that keeps it, no room.
    Nothing is moved then."
  - A guest that is there already is left alone.
options:
  vmid:
    description:
      - The guests, by number, which are moved in this order.
      - With O(away_from) it may be left out, for all guests of that node.
    type: list
    elements: int
  target:
    description: The node they go to. Either this or O(away_from).
    type: str
  away_from:
    description:
      - The node they leave. Each goes to the node with the most memory left that can take it, those that went there
        before counted.
    type: str
  with_local_disks:
    description: Whether disks that only the guest's node has are copied along.
    type: bool
    default: false
  targetstorage:
    description:
      - Where local disks go, as V(old:new) for each storage, or one name for all. Without it, to the storage of the
        same name.
    type: list
    elements: str
  bwlimit:
    description: The most each may send, in KiB a second. The HA manager moves without it.
    type: int
  migration_network:
    description: The network over which VMs are moved, as V(10.0.1.0/24).
    type: str
  migration_type:
    description: V(insecure) sends what a VM has in its memory unencrypted, which is faster in a network of its own.
    type: str
    choices: [secure, insecure]
  max_workers:
    description: How many guests are on their way at a time.
    type: int
    default: 2
  timeout:
    description: How many seconds one guest may take. One that takes longer goes on, but is not waited for.
    type: int
    default: 14400
notes:
  - "Word for O(allow): V(restart_guest) lets containers that run be stopped and started again,
    V(restart_guest:<vmid>) just that one."
  - Needs the privilege VM.Migrate on C(/vms/<vmid>), for guests under high availability Sys.Console on C(/).
  - Where guests go back at once, a rule of high availability prefers the other node. Look at
    M(hospital.continuity.pve_ha_rule).
seealso:
  - module: hospital.continuity.pve_vm
  - module: hospital.continuity.pve_ha_resource
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
- name: Have the PACS on the second node
  hospital.continuity.pve_migration:
    vmid: [110]
    target: pve2

- name: Empty the first node before its maintenance
  hospital.continuity.pve_migration:
    away_from: pve1
    with_local_disks: true
    max_workers: 4
    allow: [restart_guest]
  register: moved

- name: Say what went where
  ansible.builtin.debug:
    msg: "{{ moved.guests | map(attribute='name') | zip(moved.guests | map(attribute='node')) }}"
"""

RETURN = r"""
guests:
  description: The guests that were asked for, where they are now.
  returned: always
  type: list
  elements: dict
  contains:
    vmid:
      description: The guest.
      type: int
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    node:
      description: The node it is on.
      type: str
      returned: always
    came_from:
      description: The node from which this run moved it. Empty where it did not.
      type: str
      returned: always
    seconds:
      description: How long that took.
      type: float
      returned: always
  sample: [{vmid: 110, name: pacs, node: pve2, came_from: pve1, seconds: 41.2}]
steps:
  description: One line for each guest that is moved, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: migrate guest 110: from pve1 to pve2, online"]
before:
  description: The guests for which a step was planned, by number, with their node.
  returned: always
  type: dict
  sample: {"110": {node: pve1}}
after:
  description: The same, as found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110": {node: pve2, status: running}}
unmet:
  description: Guests that ran before and do not now, although they arrived.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run_operation
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration import MIGRATION
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.migration_backend import (
    MigrationBackend,
)


def main() -> None:
    run_operation(MIGRATION, MigrationBackend)


if __name__ == "__main__":
    main()
