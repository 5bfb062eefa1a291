#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_restore
short_description: Restore a guest of a Proxmox VE cluster from a backup
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Restores a VM or a container from its newest backup, or from the one in O(backup), and waits for it.
  - Backups are looked for on the storages of all nodes. Where the holder of the newest is offline, the newest of
    those that can be read is taken; RV(missed) and a warning say what was not looked at.
  - Where only another node can read the newest, a guest is not replaced by an older one unless O(backup) names it.
  - With O(newid) it becomes another guest beside the one that is there, with other MAC addresses and with its network
    cards unplugged, unless it is told otherwise.
  - "Without O(newid) it takes its own number. Where that is free, it is restored there. Where the guest is still
    there, the backup is restored beside it first, under O(beside). Only when that is whole, and only with a word of
    consent, the guest is stopped and written over, and when the guest is whole, what is beside it is removed. So one
    of the two is whole at any time, and a run that was killed is gone on with by the next one."
  - What fails leaves nothing behind. What can be known to fail is refused beforehand.
options:
  vmid:
    description: The guest whose backup is restored, by number. It need not exist any more.
    type: int
    required: true
  newid:
    description: The number of the guest that it becomes, where that is another one.
    type: int
  backup:
    description: The backup's volume id, as V(backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst).
    type: str
  backup_storage:
    description: The storages on which backups are looked for. All that hold backups, when not said.
    type: list
    elements: str
  newer_than:
    description: Only a backup younger than this is taken, for example V(26h).
    type: str
  node:
    description:
      - The node to restore on. It must be able to read the backup.
      - When not said, the guest's own, or else the one with the most memory left of those that can. A guest that is
        there stays on its node.
    type: str
  storage:
    description:
      - The storage for all disks. When not said, each goes to the storage it was on.
      - A container whose volumes were on several storages needs it.
    type: str
  name:
    description: Another name (host name of a container) for the restored guest.
    type: str
  pool:
    description: The pool it becomes a member of. A guest that is replaced stays in its pool.
    type: str
  unique:
    description:
      - Whether it gets other MAC addresses.
      - When not said, it does with O(newid).
    type: bool
  disconnect:
    description:
      - With O(newid), whether its network cards are unplugged (C(link_down)), so that it can be started beside the
        guest it is a copy of. The addresses inside it are the same.
      - When not said, they are.
    type: bool
  start:
    description:
      - Whether it is started.
      - When not said, it is where it takes the place of a guest that ran.
      - One whose original may run is started only with O(unique=true) and O(disconnect=true).
    type: bool
  beside:
    description: The number under which it is restored before a guest is replaced. The next free one when not said.
    type: int
  bwlimit:
    description: The most it may read, in KiB a second. V(0) is no limit.
    type: int
  timeout:
    description: How many seconds a restore may take. One that takes longer goes on, but is not waited for.
    type: int
    default: 14400
notes:
  - "Word for O(allow): V(replace_guest:<vmid>) lets the guest that is there be stopped, destroyed and replaced by its
    backup, with all that changed since, and with its snapshots."
  - Replacing a guest takes the room of two on its storage until it is over.
  - "A guest that was restored with O(newid) says in its description which backup it is. A second run finds it there,
    and does nothing."
  - Options of the guest that only root may set cannot be restored with a token.
  - Needs the privileges VM.Allocate and VM.Backup on C(/vms/<vmid>), Datastore.AllocateSpace on the storages,
    VM.PowerMgmt to start and stop guests and VM.Config.Options for the description.
seealso:
  - module: hospital.continuity.pve_backup
  - module: hospital.continuity.pve_migration
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
- name: See whether the PACS can be restored, beside the one that runs
  hospital.continuity.pve_restore:
    vmid: 110
    newid: 9110
    newer_than: 26h
    start: true
  register: drill

- name: Remove the copy
  hospital.continuity.pve_vm:
    config:
      - vmid: "{{ drill.guest.vmid }}"
        force_stop: true
    state: absent
    allow: ["stop_guest", "destroy_guest:{{ drill.guest.vmid }}"]

- name: Put the PACS back to its last backup
  hospital.continuity.pve_restore:
    vmid: 110
    allow: ["replace_guest:110"]
"""

RETURN = r"""
backup:
  description: The backup that was taken. Its values are empty where there is none.
  returned: always
  type: dict
  contains:
    volid:
      description: Its volume id.
      type: str
      returned: always
    time:
      description: When it was made, in UTC.
      type: str
      returned: always
    size:
      description: Its size in bytes.
      type: int
      returned: always
  sample:
    volid: backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst
    time: "2026-11-23T08:00:00Z"
    size: 8589934592
guest:
  description: The restored guest as it is now. Node and status are empty where it is not there.
  returned: always
  type: dict
  contains:
    vmid:
      description: Its number.
      type: int
      returned: always
    node:
      description: The node it is on.
      type: str
      returned: always
    status:
      description: Whether it runs.
      type: str
      returned: always
  sample: {vmid: 9110, node: pve1, status: running}
missed:
  description: Where no backups were looked for, because it could not be asked.
  returned: always
  type: list
  elements: str
  sample: ["node pve3 is offline"]
steps:
  description: What was done, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample:
    - "done: restore guest 9110: from backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst"
    - "done: start guest 9110"
before:
  description: The guest as it was, by number. Null where it was not there.
  returned: always
  type: dict
  sample: {"9110": null}
after:
  description: The same, as found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample:
    "9110":
      node: pve1
      status: running
      restored_from: backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst
unmet:
  description: What does not hold although every step succeeded, such as a guest that was started and does not run.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run_operation
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore import RESTORING
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.restore_backend import RestoreBackend


def main() -> None:
    run_operation(RESTORING, RestoreBackend)


if __name__ == "__main__":
    main()
