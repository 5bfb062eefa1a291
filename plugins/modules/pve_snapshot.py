#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_snapshot
short_description: Snapshots of Proxmox VE guests
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Snapshots of virtual machines and containers, before an upgrade for example. A snapshot that exists is left as it
    is, so a second run takes none.
  - It stays on the storage of the guest. It is no backup.
  - M(hospital.continuity.pve_snapshot_rollback) takes a guest back to one.
options:
  config:
    description: The snapshots.
    type: list
    elements: dict
    required: true
    suboptions:
      vmid:
        description:
          - The number of the guest, on whichever node it is.
        type: int
        required: true
      snapname:
        description:
          - The name of the snapshot, two to forty letters, digits, C(-) and C(_), beginning with a letter.
        type: str
        required: true
      description:
        description:
          - Any text.
        type: str
      vmstate:
        description:
          - Whether the RAM of a virtual machine is saved with it, so that it runs on from there. Takes part in creating
            only; of a machine that is off there is none to save. A container has none.
        type: bool
      reset:
        description:
          - Options of this snapshot that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - Whether all volumes of the guest can be part of a snapshot is asked before anything is written. Thick LVM cannot,
    and neither can a raw file.
  - "Word for O(allow): C(destroy_snapshot:<vmid>/<snapname>) for removing one, after which there is no way back to it."
  - Needs the privileges VM.Snapshot and VM.Audit on C(/vms/<vmid>).
seealso:
  - module: hospital.continuity.pve_snapshot_rollback
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
- name: A way back from the upgrade
  hospital.continuity.pve_snapshot:
    config:
      - vmid: 110
        snapname: before-upgrade
        description: PACS 4.1, before 4.2
      - vmid: 111
        snapname: before-upgrade

- name: It went well
  hospital.continuity.pve_snapshot:
    config:
      - vmid: 110
        snapname: before-upgrade
      - vmid: 111
        snapname: before-upgrade
    state: absent
    allow:
      - destroy_snapshot:110/before-upgrade
      - destroy_snapshot:111/before-upgrade
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create snapshot 110/before-upgrade"]
before:
  description: The snapshots a step was planned for, by vmid and name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"110/before-upgrade": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110/before-upgrade": {"vmid": 110, "snapname": "before-upgrade", "description": "PACS 4.1, before 4.2"}}
unmet:
  description: Always empty. A snapshot is there when its task has ended.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import SNAPSHOT
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.pve.snapshots import SnapshotBackend


def main() -> None:
    run(SNAPSHOT, SnapshotBackend)


if __name__ == "__main__":
    main()
