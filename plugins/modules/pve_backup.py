#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_backup
short_description: Back up guests of a Proxmox VE cluster now
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Backs up the listed VMs and containers, wherever they run, and waits for it.
  - With O(newer_than), a guest that has a backup that new on the storage is left out.
  - "It is refused before anything is begun where a backup could not be made: the storage takes no backups, is not
    active on the guest's node or has no room, the node is offline, the guest is locked by something else."
  - A node makes one backup at a time; several nodes make theirs side by side.
  - A guest that could not be backed up does not keep the others from it. The module fails at the end, with what the
    task said of each.
options:
  vmid:
    description: The guests, by number. Those of a node are backed up in this order.
    type: list
    elements: int
    required: true
  storage:
    description: The storage that takes the backups.
    type: str
    required: true
  newer_than:
    description:
      - Do nothing for a guest that has a backup younger than this on O(storage), for example V(24h).
      - One that failed verification on a Proxmox Backup Server does not count, nor one that is on an offline node.
    type: str
  mode:
    description:
      - V(snapshot) backs up while the guest runs. V(suspend) suspends it for a while, V(stop) shuts it down. For a
        guest that runs, both need a word of consent.
      - For a container whose storage makes no snapshots Proxmox VE itself takes V(suspend). RV(backups) says what was
        done.
    type: str
    choices: [snapshot, suspend, stop]
    default: snapshot
  compress:
    description:
      - How the backup is compressed. V(0) not at all, V(1) is V(lzo).
      - Without it, as C(/etc/vzdump.conf) of the node says.
    type: str
    choices: ["0", "1", gzip, lzo, zstd]
  notes_template:
    description:
      - A note for each backup, with C({{cluster}}), C({{guestname}}), C({{node}}) and C({{vmid}}) filled in, and
        C(\\n) for a new line.
      - In a playbook mark it with C(!unsafe), or ansible takes the braces for itself.
    type: str
  protected:
    description: Whether the backup is marked as protected, so that nothing removes it.
    type: bool
  prune_backups:
    description:
      - "Which backups of the guest are kept, as in C({keep-last: 3, keep-weekly: 4}). The others are removed when the
        new one is there."
    type: dict
  remove:
    description:
      - Whether older backups are removed, as O(prune_backups) or the storage's own setting says.
      - When not said, they are with O(prune_backups), and otherwise not.
    type: bool
  bwlimit:
    description: The most it may read, in KiB a second. V(0) is no limit.
    type: int
  ionice:
    description: The priority of disk access under the BFQ scheduler, from V(0), the highest, to V(8).
    type: int
  lockwait:
    description: How many minutes to wait for another backup on the node to end.
    type: int
  stopwait:
    description: How many minutes to wait for a guest to shut down.
    type: int
  pigz:
    description: Use pigz with this many threads in place of gzip. V(1) uses half of the cores, V(0) none.
    type: int
  zstd:
    description: How many threads zstd uses. V(0) uses half of the cores.
    type: int
  fleecing:
    description:
      - "Keep what a running VM overwrites in an image of its own meanwhile, as in C({enabled: true, storage:
        local-lvm}), so that a slow storage does not slow it down."
    type: dict
  performance:
    description: "How hard it works, as in C({max-workers: 4})."
    type: dict
  exclude_path:
    description: Paths inside containers not to back up. Shell patterns work.
    type: list
    elements: str
  stdexcludes:
    description: Whether temporary files and logs of containers are left out.
    type: bool
  pbs_change_detection_mode:
    description: How a Proxmox Backup Server's client finds what has changed in a container.
    type: str
    choices: [legacy, data, metadata]
  timeout:
    description: How many seconds one guest's backup may take. One that takes longer goes on, but is not waited for.
    type: int
    default: 14400
notes:
  - "Word for O(allow): V(stop_guest) lets guests that run be shut down or suspended for their backup,
    V(stop_guest:<vmid>) just that one."
  - "The age of a backup is by the clock of the host this runs on. Up to five minutes ahead of it is no future."
  - Needs the privilege VM.Backup on C(/vms/<vmid>) and Datastore.AllocateSpace on C(/storage/<storage>), with
    O(prune_backups) Datastore.Allocate there, and with O(bwlimit), O(ionice) or O(performance) Sys.Modify on C(/).
  - Large guests take hours. Give the task C(async), so that it does not depend on Ansible's connection.
seealso:
  - module: hospital.continuity.pve_backup_job
  - module: hospital.continuity.pve_restore
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
- name: Back up the PACS before its upgrade, and let nothing remove it
  hospital.continuity.pve_backup:
    vmid: [110]
    storage: backup
    compress: zstd
    protected: true
    notes_template: !unsafe "{{guestname}} before the upgrade"

- name: Have a backup of today of both
  hospital.continuity.pve_backup:
    vmid: [110, 111]
    storage: backup
    newer_than: 24h
  register: saved

- name: Say where they are
  ansible.builtin.debug:
    msg: "{{ saved.backups | map(attribute='volid') | join(', ') }}"
"""

RETURN = r"""
backups:
  description: The newest backup of each guest on the storage.
  returned: always
  type: list
  elements: dict
  contains:
    vmid:
      description: The guest.
      type: int
      returned: always
    volid:
      description: The backup's volume id.
      type: str
      returned: always
    time:
      description: When it was begun, in UTC.
      type: str
      returned: always
    size:
      description: Its size in bytes.
      type: int
      returned: always
    made:
      description: Whether this run made it.
      type: bool
      returned: always
    mode:
      description: How this run made it. For a VM that does not run this is V(stop).
      type: str
      returned: always
    seconds:
      description: How long this run took for it.
      type: int
      returned: always
  sample:
    - vmid: 110
      volid: backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst
      time: "2026-11-23T08:00:00Z"
      size: 8589934592
      made: true
      mode: snapshot
      seconds: 184
without:
  description: The guests that have no backup on the storage.
  returned: always
  type: list
  elements: int
  sample: []
steps:
  description: One line for each guest, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: back up guest 110: to backup, snapshot"]
before:
  description: The guests for which a step was planned, by number, with their newest backup. Null for one without.
  returned: always
  type: dict
  sample: {"110": null}
after:
  description: The same, as found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110": {backup: "backup:backup/vzdump-qemu-110-2026_11_23-08_00_00.vma.zst", time: "2026-11-23T08:00:00Z"}}
unmet:
  description: Guests without a backup, although every step succeeded.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run_operation
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup import BACKUP
from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.backup_backend import BackupBackend


def main() -> None:
    run_operation(BACKUP, BackupBackend)


if __name__ == "__main__":
    main()
