#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_replication
short_description: Replicate the volumes of Proxmox VE guests to other nodes
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Jobs that send what changed in a guest's volumes to another node, time and again. When the guest's node is lost, it
    can be started there as it was at the last run.
  - Only volumes on ZFS are replicated, to a storage of the same name at the other node. Proxmox VE refuses a job for a
    guest that has none.
  - When a guest migrates to where it is replicated, Proxmox VE turns the job round, so that it leads back. That is no
    difference to what is declared.
options:
  config:
    description: The jobs.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - The vmid of the guest, a dash and a number, V(101-0). A guest has one job for each node it is replicated to.
        type: str
        required: true
      target:
        description:
          - The node that gets the replica. Needed to create a job, fixed afterwards.
        type: str
      schedule:
        description:
          - When to replicate, as a calendar event, V(*/15) for example (every 15 minutes) or V(mon..fri 22:30).
        type: str
      rate:
        description:
          - The most that is sent, in MB/s. Without it there is no limit.
        type: float
      disable:
        description:
          - Whether the job is switched off.
        type: bool
      comment:
        description:
          - One line of text.
        type: str
      keep:
        description:
          - With O(state=absent), whether the replica stays where it is. It needs no consent then.
        type: bool
      force:
        description:
          - With O(state=absent), whether the job goes at once and nothing is cleaned up at either end. For a node that
            is gone for ever. It needs no consent.
        type: bool
      reset:
        description:
          - Options of this job that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - Proxmox VE marks a job that is removed (C(remove_job)), and removes it when it runs next, within a minute or so. It
    is waited for, and RV(unmet) says which are still there. A job that is marked and listed with O(state=present) is
    kept.
  - A job has run when its last run succeeded. RV(unmet) names those that failed, with what the node says, and those
    that have not run yet. M(hospital.continuity.pve_info) has those that fail in its C(health).
  - "Word for O(allow): C(destroy_replica:<id>) for removing a job, which destroys what was replicated at the target."
  - Needs the privileges VM.Replicate and VM.Audit on C(/vms/<vmid>).
seealso:
  - module: hospital.continuity.pve_vm
  - module: hospital.continuity.pve_container
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
- name: The archive is at most a quarter of an hour old on another node
  hospital.continuity.pve_replication:
    config:
      - id: 110-0
        target: pve2
        schedule: "*/15"
        rate: 50
        comment: PACS

- name: No replication during the day
  hospital.continuity.pve_replication:
    config:
      - id: 110-0
        schedule: "22..5:00"

- name: The guest needs no replica any more
  hospital.continuity.pve_replication:
    config:
      - id: 110-0
    state: absent
    allow: ["destroy_replica:110-0"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create replication 110-0"]
before:
  description: The jobs a step was planned for, by id, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"110-0": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110-0": {"id": "110-0", "target": "pve2", "schedule": "*/15", "rate": 50}}
unmet:
  description: Jobs that failed, that have not run yet, or that are marked for removal and still there.
  returned: always
  type: list
  elements: str
  sample: ["110-0: its last run failed (2 in a row): command '/usr/bin/ssh' failed: exit code 255"]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.replication import REPLICATION
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.pve.replication import ReplicationBackend


def main() -> None:
    run(REPLICATION, ReplicationBackend)


if __name__ == "__main__":
    main()
