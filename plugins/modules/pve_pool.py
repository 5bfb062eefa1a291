#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_pool
short_description: Resource pools of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes pools, which group guests and storages so that permissions and backup jobs can be given to all of them at
    once.
  - A name with slashes is a pool inside another one. Several levels can be listed in one task, in any order.
  - O(config[].vms) and O(config[].storage) are the whole list of members. What is not listed is taken out of the
    pool; nothing happens to the guest or storage itself. Leave the option out to leave the members alone.
options:
  config:
    description: The pools.
    type: list
    elements: dict
    required: true
    suboptions:
      poolid:
        description:
          - The name of the pool, V(wards/icu) for the pool V(icu) inside V(wards).
        type: str
        required: true
      comment:
        description:
          - Any text.
        type: str
      vms:
        description:
          - The guests in the pool, by number, in any order. An empty list takes all out.
          - A guest is in one pool at most. One that moves from one pool of the task to another is moved in one
            call. O(unlisted_options=reset) never empties the list.
        type: list
        elements: int
      storage:
        description:
          - The storages in the pool, in any order. An empty list takes all out. O(unlisted_options=reset) never
            empties the list.
        type: list
        elements: str
      allow_move:
        description:
          - Whether O(config[].vms) may take guests out of other pools. Without it a guest that is in another pool
            is refused.
        type: bool
      reset:
        description:
          - Options of this pool that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - With O(state=absent), a pool that still has members is refused, unless the item lists them in O(config[].vms)
    and O(config[].storage). Those are then taken out first. A pool with pools inside it can be removed only
    together with them.
  - Needs the privilege Pool.Allocate on C(/pool/<poolid>), and for members VM.Allocate on C(/vms/<vmid>) and
    Datastore.Allocate on C(/storage/<storage>).
seealso:
  - module: hospital.continuity.pve_backup_job
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
- name: Pools for the guests of each department
  hospital.continuity.pve_pool:
    config:
      - poolid: imaging
        comment: Radiology and everything it needs
        vms: [110, 111]
      - poolid: imaging/archive
        comment: PACS
        storage: [backup]

- name: Guest 111 goes into the archive pool
  hospital.continuity.pve_pool:
    config:
      - poolid: imaging/archive
        vms: [111]
        allow_move: true

- name: Remove a pool with the members that it is known to have
  hospital.continuity.pve_pool:
    config:
      - poolid: imaging/archive
        vms: [111]
        storage: [backup]
    state: absent
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create pool imaging/archive"]
before:
  description: The pools a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"imaging/archive": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"imaging/archive": {"poolid": "imaging/archive", "comment": "PACS", "storage": ["backup"]}}
unmet:
  description: Always empty, because a pool has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.pool import POOL
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(POOL)


if __name__ == "__main__":
    main()
