#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_pool
short_description: Pools of ZFS, from the layout of their disks to their properties
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the pools of a host as they are written. A pool that does not exist is created, one that waits on the disks of
    this host to be imported is imported, and one that exists grows where that is asked for.
  - The layout is compared by the disks that are meant, not by how they are written. Any name of a disk below
    C(/dev/disk/by-id) is that disk, and the order of vdevs and disks means nothing.
  - A pool that cannot be imported is an error, never absent. It is not created anew, because its data may be whole.
  - While a pool is not C(ONLINE), resilvers, replaces a disk or has a spare at work, nothing about its layout is
    planned. A layout that is declared as it was before is then no change; one that asks for more is refused with the
    reason.
  - What a pool has and O(config[].layout) does not list stays, and is told in RV(unmet). Nothing is forced.
options:
  config:
    description:
      - The pools. Apart from the options described as this module's own, options are properties of ZFS pools under
        their own names.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the pool.
        type: str
        required: true
      layout:
        description:
          - The vdevs of the pool. A new pool needs it.
          - A listed vdev that is not there is added. A disk that a listed mirror lacks is attached to it; a disk that
            stands alone becomes a mirror that way.
          - Vdevs of data must be able to lose equally many disks. ZFS refuses to mix others, and is not forced to.
          - A pool on one volume of a hardware RAID is one vdev with one disk. Its checksums detect damage and cannot
            repair it, which M(hospital.continuity.zfs_info) says.
        type: list
        elements: dict
        suboptions:
          type:
            description:
              - What the vdev is. Not given, it is V(disk). Several disks in one entry of that type stand alone, each a
                vdev without redundancy of its own.
              - V(disk) is the only type of classes V(cache) and V(spare). A V(log) is a V(disk) or V(mirror).
            type: str
            choices: [disk, mirror, raidz1, raidz2, raidz3, draid1, draid2, draid3]
          class:
            description:
              - What the vdev is for. Not given, it is V(normal), which holds data.
              - Losing a V(special) or V(dedup) vdev is losing the pool.
            type: str
            choices: [normal, special, dedup, log, cache, spare]
          disks:
            description:
              - The disks, by their names below C(/dev/disk/by-id), with or without that path.
              - Names like C(/dev/sdb) are refused, because they move.
              - Partitions, C(scsi-...-part2), may be listed, but no two of one disk in a mirror, raidz or dRAID, and
                none of a disk that is listed as a whole.
            type: list
            elements: str
          draid_data:
            description: Disks of data in a redundancy group of a dRAID. Not given, ZFS chooses.
            type: int
          draid_spares:
            description: Distributed spares of a dRAID.
            type: int
          state:
            description:
              - V(absent) takes a V(cache), V(spare), V(log), V(special) or V(dedup) vdev out of the pool.
              - Vdevs that are not listed are never removed for that reason.
            type: str
            choices: [present, absent]
      replace:
        description:
          - Disks that take the place of others, as old disk to new disk. The old one may be given by the GUID of its
            vdev. The layout lists the new one.
          - When the new disk is in the pool, there is nothing to do.
        type: dict
      ashift:
        description:
          - Exponent of the smallest block, V(12) for disks with sectors of 4096 bytes. Fixed when the pool is created;
            vdevs that are added later get that of the pool.
        type: int
      autoexpand:
        description: Whether the pool grows when all disks of a vdev have become larger.
        type: bool
      autoreplace:
        description: Whether a new disk found in the place of a broken one replaces it by itself.
        type: bool
      autotrim:
        description: Whether freed blocks are told to the disks at once.
        type: bool
      cachefile:
        description: Where the host remembers the pool's disks, a path, or V(none) to be imported by no boot.
        type: str
      comment:
        description: Up to 32 printable ASCII characters that stay with the pool.
        type: str
      compatibility:
        description: Which feature flags may be enabled, V(off) for all, V(legacy), or names of files that list them.
        type: str
      delegation:
        description: Whether rights may be given to users with C(zfs allow).
        type: bool
      failmode:
        description: What happens to writes when the pool loses its disks.
        type: str
        choices: [wait, continue, panic]
      listsnapshots:
        description: Whether C(zfs list) shows snapshots too.
        type: bool
      multihost:
        description: Whether ZFS checks that no other host has the pool. Needs a host identifier.
        type: bool
      fs_properties:
        description:
          - Properties of the root dataset of a new pool, for example its C(mountpoint). They take part in creating
            only; M(hospital.continuity.zfs_dataset) keeps them as they are written.
        type: dict
      reset:
        description: Names of options of this pool that go back to their default.
        type: list
        elements: str
  timeout:
    description: How many seconds one program may take.
    type: int
    default: 120
requirements:
  - OpenZFS 2.1 or later on the managed host, with C(zfs), C(zpool) and C(zdb)
  - C(lsblk) and C(wipefs) of util-linux 2.37 or later, C(readlink), C(uname) and C(od), and C(udevadm)
notes:
  - "Words for O(allow): V(wipe_disk:<disk>) lets what is on that disk be wiped when it comes into a pool. A disk that
    is mounted, or belongs to an imported pool, to LVM or to another device, is refused with the word too."
  - "V(destroy_pool:<name>) lets a pool be destroyed. V(import_foreign_pool:<name>) lets a pool be imported that another
    host used last. V(change_pool_layout:<name>) lets its layout be changed in a way that cannot be taken back or takes
    something out, which is adding a vdev of data, replacing a disk, removing a vdev."
  - The message that asks for a word names what it would cost.
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
seealso:
  - module: hospital.continuity.zfs_dataset
  - module: hospital.continuity.zfs_info
"""

EXAMPLES = r"""
- name: Eight disks, all in one task
  hospital.continuity.zfs_pool:
    config:
      - name: backup
        ashift: 12
        autoexpand: true
        layout:
          - type: raidz1
            disks: [scsi-35000c500a0000001, scsi-35000c500a0000002, scsi-35000c500a0000003]
          - type: mirror
            class: special
            disks: [scsi-35000c500a0000004, scsi-35000c500a0000005]
          - {class: log, disks: [scsi-35000c500a0000006]}
          - {class: cache, disks: [scsi-35000c500a0000007]}
          - {class: spare, disks: [scsi-35000c500a0000008]}
        fs_properties:
          compression: lz4
          mountpoint: /srv/backup

- name: The one volume of a hardware RAID
  hospital.continuity.zfs_pool:
    config:
      - name: archive
        layout:
          - disks: [/dev/disk/by-id/scsi-35000c500a0000009]

- name: A second disk makes it a mirror
  hospital.continuity.zfs_pool:
    config:
      - name: archive
        layout:
          - type: mirror
            disks: [scsi-35000c500a0000009, scsi-35000c500a000000a]

- name: A new disk in the place of an old one
  hospital.continuity.zfs_pool:
    config:
      - name: archive
        replace: {scsi-35000c500a000000a: scsi-35000c500a000000b}
    allow: ["change_pool_layout:archive"]

- name: The cache is not needed any more
  hospital.continuity.zfs_pool:
    config:
      - name: backup
        layout:
          - {class: cache, disks: [scsi-35000c500a0000007], state: absent}
    allow: ["change_pool_layout:backup"]

- name: The archive is not needed any more either
  hospital.continuity.zfs_pool:
    config:
      - name: archive
    state: absent
    allow: ["destroy_pool:archive"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create pool backup"]
before:
  description: The pools a step was planned for, by name. Null for one that did not exist or was not imported.
  returned: always
  type: dict
  sample: {"backup": null}
after:
  description: The same pools, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"backup": {"name": "backup", "layout": [{"type": "mirror", "disks": ["scsi-1", "scsi-2"]}], "ashift": 12}}
unmet:
  description: What does not hold although everything is set as written, and what the pool has that is not listed.
  returned: always
  type: list
  elements: str
  sample: ["backup: it is DEGRADED, disk scsi-2 is REMOVED; nothing about its layout is planned."]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool import POOL
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_backend import PoolBackend


def main() -> None:
    run(POOL, PoolBackend)


if __name__ == "__main__":
    main()
