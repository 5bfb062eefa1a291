#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_snapshot_rollback
short_description: Take a Proxmox VE guest back to a snapshot
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Takes a virtual machine or a container back to one of its snapshots, once. What was written to its disks and changed
    in its configuration since then is lost, so it needs consent.
  - A guest that went back to that snapshot already is left alone, unless O(again) says otherwise. A playbook that is
    run again does not lose what was done since.
  - A guest that runs is stopped. It stays so, unless O(start) is set or the snapshot has the guest's RAM in it.
options:
  vmid:
    description: The number of the guest, on whichever node it is.
    type: int
    required: true
  snapname:
    description: The name of the snapshot.
    type: str
    required: true
  start:
    description: Whether the guest is started afterwards.
    type: bool
    default: false
  again:
    description:
      - Whether to go back although the last that happened to the guest's snapshots is that it went back to this one.
    type: bool
    default: false
notes:
  - Whether the guest went back already is seen in the nodes' lists of tasks, as far as they reach. The list of a node
    that is off is not seen, and without Sys.Audit on C(/nodes) only the user's own tasks are.
  - On ZFS, Proxmox VE goes back to the newest snapshot only.
  - "Word for O(allow): C(rollback_guest:<vmid>)."
  - Needs the privileges VM.Snapshot or VM.Snapshot.Rollback, and VM.Audit, on C(/vms/<vmid>).
seealso:
  - module: hospital.continuity.pve_snapshot
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
- name: The upgrade went wrong
  hospital.continuity.pve_snapshot_rollback:
    vmid: 110
    snapname: before-upgrade
    start: true
    allow: ["rollback_guest:110"]

- name: Before each lesson, the guest is as the teacher left it
  hospital.continuity.pve_snapshot_rollback:
    vmid: 111
    snapname: lesson
    again: true
    allow: ["rollback_guest:111"]
"""

RETURN = r"""
steps:
  description: One line, with how it ended (V(planned) in check mode). Empty where there was nothing to do.
  returned: always
  type: list
  elements: str
  sample: ["done: rollback guest 110: before-upgrade"]
before:
  description: The guest, by its number, with the snapshot it came from, whether it went back to that, and its power.
  returned: always
  type: dict
  sample: {"110": {"parent": "before-upgrade", "status": "running"}}
after:
  description: The same, as it was found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110": {"parent": "before-upgrade", "went_back_to": "before-upgrade", "status": "running"}}
unmet:
  description: What does not hold although every step succeeded, such as a guest that does not run yet.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run_operation
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_backend import RollbackBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.rollback_operation import GOING_BACK


def main() -> None:
    run_operation(GOING_BACK, RollbackBackend)


if __name__ == "__main__":
    main()
