#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_replication
short_description: Send the snapshots of a ZFS dataset to another pool or host
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Sends what the receiver does not have yet, once, from the host the module runs on to another dataset of it or of
    O(target_host). The first time that is everything, into a dataset that does not exist, later only what is new.
  - The newest snapshot that both ends have is found by its GUID, whatever it is called. It is the recovery point, and
    is held (C(zfs hold)) at both ends. The hold before it is let go when the new one is in place.
  - A transfer that was cut off goes on where it stopped at the next run.
  - The replica is read-only, is not mounted by itself, and bears the user property
    C(hospital.continuity:replica). M(hospital.continuity.zfs_snapshot) takes no snapshots of it.
  - "Nothing at the receiver is rolled back or destroyed unasked. A receiver that was written to, or that has a snapshot
    which the source does not have, is refused, and the message says what would be lost."
options:
  source:
    description: The dataset on this host. It needs at least one snapshot.
    type: str
    required: true
  target:
    description:
      - The replica, as C(pool/path). Its parent must exist.
      - Where it exists, it must have a snapshot in common with O(source).
    type: str
    required: true
  target_host:
    description:
      - Where the replica is, as V(ssh://root@192.0.2.12) or V(ssh://root@host:22). Without it, on this host.
      - OpenSSH's client of this host is used as it is set up, without questions. The other host's key must be known,
        and a key of this host's user be accepted there.
    type: str
  recursive:
    description:
      - Whether all datasets below O(source) are replicated too, to the same names below O(target).
      - Each is a transfer of its own, with a recovery point of its own. What exists only below O(target) is left alone.
    type: bool
    default: false
  raw:
    description:
      - Whether an encrypted dataset is sent as it is stored, so that the receiver never needs its key.
      - When not said, encrypted datasets are, and others are not. V(false) needs the key to be loaded, and sends the
        content readable.
      - A replica stays as it began. One that came readable gets nothing as it is stored, nor the other way round; that
        is refused.
    type: bool
  bandwidth:
    description: The most that is sent in a second, on the average, for example V(20M). Without it, there is no limit.
    type: str
  newer_than:
    description:
      - Do nothing if the recovery point is younger than this, for example V(24h). One that lies in the future is not.
      - Where it is older even after the transfer, because the source has no newer snapshot, RV(unmet) says so.
      - Without it, whatever is newer at the source is sent.
    type: str
  resume:
    description:
      - Whether what arrived of a transfer that is cut off is kept, and gone on with at the next run.
      - V(false) throws away what is left of one.
    type: bool
    default: true
  intermediates:
    description:
      - Whether all snapshots between the recovery point and the newest are sent, or V(false) for the newest alone.
      - The first time, V(true) begins with the oldest.
    type: bool
    default: true
  timeout:
    description: How many seconds one run of C(zfs) or C(zpool) may take. Transfers take as long as they take.
    type: int
    default: 120
requirements:
  - OpenZFS 2.1 or later on both hosts, with C(zfs) and C(zpool)
  - For O(target_host) the client of OpenSSH
notes:
  - "Word for O(allow): V(rollback_receiver:<target>) lets a receiver that diverged be rolled back to the recovery point
    first, or one that became writable be made read-only again. The message that asks for it names what is lost."
  - Snapshots are not taken here. Use M(hospital.continuity.zfs_snapshot) at the source, and with
    O(hospital.continuity.zfs_snapshot#module:config[].take=false) at the receiver to prune there.
  - Properties of the source are not sent. Set what the replica needs (C(compression), C(quota)) at its parent, or at
    the replica with M(hospital.continuity.zfs_dataset).
  - The first transfer can take hours. Give the task C(async), so that it does not depend on Ansible's connection.
  - A part of a transfer that is not of O(source) is never thrown away. It is named in the error.
  - "The holds are tagged C(hospital.continuity:) and the other end: at the source the receiver's host and dataset, at
    the receiver the source. When a replication ends for good, or O(target_host) is written another way, the last hold
    stays and keeps its snapshot: C(zfs holds) shows it, C(zfs release) lets it go. One that is 30 days behind is told
    in RV(unmet)."
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: Copy the backups to the other pool
  hospital.continuity.zfs_replication:
    source: tank/backup
    target: vault/backup
    bandwidth: 50M

- name: Again, unless that was less than a day ago
  hospital.continuity.zfs_replication:
    source: tank/backup
    target: vault/backup
    newer_than: 24h
  register: replication

- name: Fail when the copy is older than two days
  ansible.builtin.assert:
    that: replication.recovery_point.age < 172800
    fail_msg: "The copy ends at {{ replication.recovery_point.time }}."

# To another host: target_host: ssh://root@192.0.2.12
"""

RETURN = r"""
recovery_point:
  description:
    - The newest snapshot that both ends have. With O(recursive=true), the oldest of those of all datasets.
    - One that lies in the future, because a clock is or was wrong, only counts where there is no other.
  returned: always
  type: dict
  contains:
    snapshot:
      description: Its full name at the source. Empty where nothing has arrived.
      type: str
      returned: always
    time:
      description: When it was taken, in UTC.
      type: str
      returned: always
    age:
      description: How many seconds ago that was. Null where nothing has arrived, or only what lies in the future.
      type: int
      returned: always
  sample: {snapshot: tank/backup@auto-2026-11-22T08Z, time: "2026-11-22T08:00:04Z", age: 912}
datasets:
  description: The same for each dataset.
  returned: always
  type: list
  elements: dict
  contains:
    source:
      description: The dataset at the source.
      type: str
      returned: always
    target:
      description: Its replica.
      type: str
      returned: always
    recovery_point:
      description: As above.
      type: dict
      returned: always
    bytes:
      description: How many bytes were sent for it in this run.
      type: int
      returned: always
bytes:
  description: How many bytes were sent in this run.
  returned: always
  type: int
  sample: 73400320
seconds:
  description: How many seconds that took.
  returned: always
  type: float
  sample: 1.4
resumed:
  description: Whether a transfer that had been cut off was gone on with.
  returned: always
  type: bool
  sample: false
steps:
  description: One line for each dataset with the snapshots that are sent, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: replicate dataset vault/backup: tank/backup@auto-2026-11-22T08Z (incremental)"]
before:
  description: The replicas for which a step was planned, by name, with their recovery point. Null for a new one.
  returned: always
  type: dict
  sample: {vault/backup: {source: tank/backup, recovery_point: auto-2026-11-22T07Z}}
after:
  description: The same replicas as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {vault/backup: {source: tank/backup, recovery_point: auto-2026-11-22T08Z}}
unmet:
  description: What does not hold although every step succeeded, such as a dataset without a snapshot, a replica that
    can be written to, or a recovery point that lies in the future.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_module import run
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_operation import REPLICATION


def main() -> None:
    run(REPLICATION)


if __name__ == "__main__":
    main()
