#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_snapshot
short_description: Snapshots of ZFS datasets by policy, taken and pruned
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Takes a snapshot of a dataset when one is due, and destroys those that the dataset's policy no longer keeps. Run it
    at least as often as snapshots are due, for example every hour, or let the host do so
    (M(hospital.continuity.zfs_snapshot_timer)). Another run within the same period takes none.
  - "A policy says how many hours, days, weeks, months and years keep a snapshot. The shortest of these periods says how
    often one is due. The newest snapshot of a period stands for it. Only periods that have a snapshot are counted, so
    after an interruption the older ones stay."
  - "The snapshots are named after their period in UTC: C(auto-2026-11-22T08Z), C(auto-2026-11-22), C(auto-2026-W47),
    C(auto-2026-11) or C(auto-2026). Nothing that is named otherwise is ever destroyed by a policy."
  - Whatever the policy says, these stay. What is held (C(zfs hold)) or has a clone, the newest one, what is younger
    than an hour, and what lies in the future because a clock is or was wrong. What stayed for being young goes in a
    later run.
  - What goes anyway is destroyed before a snapshot is taken, so that a pool that is full gets room.
options:
  config:
    description: The policies, by dataset and prefix.
    type: list
    elements: dict
    required: true
    suboptions:
      dataset:
        description: The filesystem or volume, as C(pool/path). It must exist.
        type: str
        required: true
      prefix:
        description:
          - How the names of the policy's snapshots begin. Several policies of one dataset have different prefixes.
          - Lower-case letters, digits and C(. _ -).
        type: str
        required: true
      hourly:
        description: For how many hours one snapshot is kept each.
        type: int
      daily:
        description: For how many days one snapshot is kept each.
        type: int
      weekly:
        description: For how many weeks, which begin on Monday, one snapshot is kept each.
        type: int
      monthly:
        description: For how many months one snapshot is kept each.
        type: int
      yearly:
        description: For how many years one snapshot is kept each.
        type: int
      recursive:
        description:
          - Whether the policy is also for all datasets below. Their snapshots are taken in one moment, and pruned
            dataset by dataset.
          - Datasets below that have a policy of the same prefix themselves, or that receive a replication
            (M(hospital.continuity.zfs_replication)), are left out.
          - When not said, V(false).
        type: bool
      take:
        description:
          - Whether snapshots are taken. V(false) only prunes, which is what the receiver of a replication needs.
            There, a snapshot that is not the sender's would end the replication, so taking one is refused.
          - When not said, V(true).
        type: bool
      names:
        description:
          - Further snapshots by name, what comes after the C(@), for example V(before-upgrade). One that is not there
            is taken. They are kept for ever.
          - With O(state=absent) those listed here are destroyed as well, of a recursive policy also those of the same
            name at the datasets below that it is for.
          - Names that are not listed are left alone.
        type: list
        elements: str
      reset:
        description: Names of options of this policy that go back to their default.
        type: list
        elements: str
  timeout:
    description: How many seconds one run of C(zfs) or C(zpool) may take.
    type: int
    default: 120
requirements:
  - OpenZFS 2.1 or later on the managed host, with C(zfs) and C(zpool)
notes:
  - The policy is kept at the dataset, in the user property C(hospital.continuity:snapshots.PREFIX). A later task that
    names only the dataset and the prefix applies it as it is.
  - Pruning asks for nothing in O(allow), because the policy says what goes. With O(state=absent) the policy and all of
    its snapshots go.
  - "Words for O(allow): V(destroy_snapshot:<dataset>@<prefix>) lets O(state=absent) destroy the snapshots of a policy,
    V(destroy_snapshot:<dataset>@<name>) one that is listed in O(config[].names)."
  - To stop taking snapshots and keep those there are, set O(config[].take=false) and counts that are large enough.
  - Time is the managed host's own clock.
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: A day of hours, a week of days, a year of months
  hospital.continuity.zfs_snapshot:
    config:
      - dataset: tank/backup
        prefix: auto
        hourly: 24
        daily: 7
        monthly: 12
        recursive: true

- name: A snapshot by hand, which stays until it is taken away
  hospital.continuity.zfs_snapshot:
    config:
      - dataset: tank/backup
        prefix: auto
        names: [before-upgrade]

- name: The upgrade went well
  hospital.continuity.zfs_snapshot:
    config:
      - dataset: tank/backup
        prefix: upgrade
        names: [before-upgrade]
    state: absent
    allow: ["destroy_snapshot:tank/backup@before-upgrade"]

- name: On the receiver of a replication, keep more than the sender does
  hospital.continuity.zfs_snapshot:
    config:
      - dataset: tank/replica
        prefix: auto
        take: false
        hourly: 24
        daily: 31
        monthly: 36
"""

RETURN = r"""
steps:
  description: One line for each step with the snapshots it is about, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample:
    - "done: take snapshot tank/backup/auto: tank/backup@auto-2026-11-22T08Z"
    - "done: destroy snapshot tank/backup/auto: tank/backup@auto-2026-11-21T08Z"
before:
  description: The policies a step was planned for, with the snapshots they had. Null where there was neither.
  returned: always
  type: dict
  sample: {"tank/backup/auto": {"dataset": "tank/backup", "prefix": "auto", "hourly": 1,
    "snapshots": ["tank/backup@auto-2026-11-21T08Z"]}}
after:
  description: The same policies and their snapshots as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"tank/backup/auto": {"dataset": "tank/backup", "prefix": "auto", "hourly": 1,
    "snapshots": ["tank/backup@auto-2026-11-22T08Z"]}}
unmet:
  description: What does not hold although every step succeeded, such as a snapshot that lies in the future.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import SNAPSHOTS
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_backend import SnapshotBackend


def main() -> None:
    run(SNAPSHOTS, SnapshotBackend)


if __name__ == "__main__":
    main()
