#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_dataset
short_description: Filesystems and volumes of ZFS
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the filesystems and volumes of ZFS pools as they are written, or absent.
  - The datasets of one task are read together. Sizes, words and defaults are compared by what they mean, so V(10M)
    equals V(10485760) and a quota of V(none) is no quota.
  - A dataset whose pool is not imported is neither taken for absent nor created. It is an error.
options:
  config:
    description:
      - The datasets. Apart from the options described as this module's own, options are ZFS properties under their own
        names.
      - What is declared is compared with the value in effect. A dataset that inherits the declared value already needs
        nothing; when the same task changes it where it comes from, the value is set at the dataset itself.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The dataset, as C(pool/path). The name of a pool alone is its root dataset, which must exist.
        type: str
        required: true
      type:
        description: Whether it is a filesystem, which is what a new one becomes when nothing is said, or a volume.
        type: str
        choices: [filesystem, volume]
      create_parents:
        description: Whether missing datasets above a new one are created too.
        type: bool
      volsize:
        description:
          - Size of a volume, for example V(32G). A new volume needs it.
          - ZFS rounds it up to whole blocks. It grows when more is written here. It never shrinks, which would cut off
            data, so a smaller size is an error.
        type: str
      volblocksize:
        description: Block size of a volume, a power of two. Fixed when the volume is created.
        type: str
      volmode:
        description: How the volume appears to the host.
        type: str
        choices: [default, full, geom, dev, none]
      snapdev:
        description: Whether the volume's snapshots appear as devices.
        type: str
        choices: [hidden, visible]
      sparse:
        description: Whether a new volume is created without reserving its size. Takes part in creating only.
        type: bool
      mountpoint:
        description:
          - Where a filesystem is mounted, an absolute path, or V(none), or V(legacy).
          - A directory that has something in it is refused, because a mount would hide that, unless
            O(config[].overlay=true) is given.
        type: str
      canmount:
        description: Whether a filesystem is mounted by itself, not at all, or only on demand.
        type: str
        choices: ["on", "off", noauto]
      quota:
        description: The most that a filesystem and all below it may use. V(none) and V(0) mean no limit.
        type: str
      refquota:
        description: The most that a filesystem itself may use, without snapshots and what is below it.
        type: str
      reservation:
        description: What is kept free for a dataset and all below it. V(none) and V(0) mean nothing.
        type: str
      refreservation:
        description:
          - What is kept free for a dataset itself. A volume that is not sparse has one, which ZFS sets itself.
          - It is never reset by O(unlisted_options=reset); write V(none) to take it away.
        type: str
      recordsize:
        description: The largest block of a filesystem's files, a power of two from V(512) to V(16M).
        type: str
      special_small_blocks:
        description: Blocks up to this size go to the special vdevs of the pool. V(0) means none.
        type: str
      compression:
        description: How data is compressed, for example V(lz4), V(zstd), V(zstd-9), V(gzip-6), V(on) or V(off).
        type: str
      atime:
        description: Whether reading a file updates its access time.
        type: bool
      relatime:
        description: Whether the access time is updated only once a day and after changes.
        type: bool
      exec:
        description: Whether programs in the filesystem may be run.
        type: bool
      setuid:
        description: Whether set-user-ID bits have an effect in the filesystem.
        type: bool
      devices:
        description: Whether device nodes in the filesystem can be opened.
        type: bool
      readonly:
        description: Whether the dataset cannot be written to.
        type: bool
      overlay:
        description: Whether a filesystem may be mounted over a directory that is not empty.
        type: bool
      snapdir:
        description: Whether the directory C(.zfs) shows.
        type: str
        choices: [hidden, visible, disabled]
      xattr:
        description:
          - Whether and where extended attributes are kept.
          - V(on) is compared by what it means on the host, which is V(sa) since OpenZFS 2.3 and V(dir) before.
        type: str
        choices: ["on", "off", sa, dir]
      acltype:
        description: Which access control lists the filesystem has. V(posixacl) is V(posix), V(noacl) is V(off).
        type: str
        choices: ["off", noacl, posix, posixacl, nfsv4]
      aclinherit:
        description: What new files inherit from NFSv4 access control lists.
        type: str
        choices: [discard, noallow, restricted, passthrough, passthrough-x]
      aclmode:
        description: What becomes of NFSv4 access control lists when a file's mode is changed.
        type: str
        choices: [discard, groupmask, passthrough, restricted]
      dnodesize:
        description: Size of a file's dnode.
        type: str
        choices: [legacy, auto, 1k, 2k, 4k, 8k, 16k]
      sharenfs:
        description: V(off), V(on), or the options of an NFS export.
        type: str
      sharesmb:
        description: V(off), V(on), or the options of an SMB share.
        type: str
      sync:
        description: What becomes of synchronous writes. V(disabled) loses some of them when the power fails.
        type: str
        choices: [standard, always, disabled]
      logbias:
        description: Whether synchronous writes aim at latency or throughput.
        type: str
        choices: [latency, throughput]
      primarycache:
        description: What is kept in memory.
        type: str
        choices: [all, none, metadata]
      secondarycache:
        description: What is kept on cache devices.
        type: str
        choices: [all, none, metadata]
      copies:
        description: How many copies of each block are kept beside the redundancy of the pool.
        type: int
        choices: [1, 2, 3]
      checksum:
        description: How blocks are checked.
        type: str
        choices: ["on", "off", fletcher2, fletcher4, sha256, sha512, skein, edonr, blake3]
      dedup:
        description: Whether and how equal blocks are kept once, for example V(off), V(on) or V(sha512,verify).
        type: str
      redundant_metadata:
        description: How much of the metadata is kept twice.
        type: str
        choices: [all, most, some, none]
      encryption:
        description: How a new dataset is encrypted. V(on) is V(aes-256-gcm). Fixed when the dataset is created.
        type: str
        choices: ["off", "on", aes-128-ccm, aes-192-ccm, aes-256-ccm, aes-128-gcm, aes-192-gcm, aes-256-gcm]
      keyformat:
        description: What the encryption key is. Without it, a dataset below an encrypted one shares that one's key.
        type: str
        choices: [none, raw, hex, passphrase]
      keylocation:
        description: Where the encryption key comes from, V(prompt) or V(file:///path).
        type: str
      encryption_key:
        description:
          - The key for O(config[].keylocation=prompt), a passphrase or 64 hexadecimal digits. It is handed to ZFS
            through standard input only.
          - With O(update_secrets=always) the key is changed to this one at every run.
        type: str
      utf8only:
        description: Whether only names in UTF-8 are accepted. Fixed when the dataset is created.
        type: bool
      casesensitivity:
        description: How upper and lower case in names compare. Fixed when the dataset is created.
        type: str
        choices: [sensitive, insensitive, mixed]
      normalization:
        description: How names in Unicode compare. Fixed when the dataset is created.
        type: str
        choices: [none, formC, formD, formKC, formKD]
      properties:
        description:
          - User properties, whose names have a colon, for example C(com.hospital:role).
          - Those that are not listed are left alone. One with an empty value is removed, and may then be inherited.
        type: dict
      reset:
        description:
          - Names of options of this dataset that go back to what is inherited, or to their default where ZFS does not
            inherit them (quotas, reservation, canmount).
        type: list
        elements: str
  timeout:
    description: How many seconds one run of C(zfs) or C(zpool) may take.
    type: int
    default: 120
requirements:
  - OpenZFS 2.1 or later on the managed host, with C(zfs) and C(zpool)
notes:
  - "Words for O(allow): V(destroy_dataset:<name>) lets a dataset be destroyed. What is below it needs words of its own:
    V(destroy_dataset:<name>) for each dataset, V(destroy_snapshot:<dataset>) for the snapshots of each dataset. The
    message that asks for them names everything."
  - A clone elsewhere of one of the snapshots is never destroyed. It is named, to be promoted or removed first. So is a
    snapshot that is held.
  - Values set by C(zfs receive) count as set.
  - A filesystem that should be mounted and is not, and a key that is not loaded, are told in RV(unmet).
  - A replica (M(hospital.continuity.zfs_replication)) is read-only and not mounted by itself by its own properties.
    With O(unlisted_options=reset) give it O(config[].readonly=true) and O(config[].canmount=noauto).
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
"""

EXAMPLES = r"""
- name: Where the backups go
  hospital.continuity.zfs_dataset:
    config:
      - name: tank/backup
        compression: zstd
        atime: false
        recordsize: 1M
        mountpoint: /srv/backup
        quota: 500G
        properties:
          com.hospital:role: backup
      - name: tank/backup/pacs
        refquota: 200G

- name: A volume of a guest, and later a larger one
  hospital.continuity.zfs_dataset:
    config:
      - name: tank/guests/vm-101-disk-0
        type: volume
        volsize: 32G
        volblocksize: 16K
        sparse: true
        create_parents: true

- name: No limit any more, and compression as the pool has it
  hospital.continuity.zfs_dataset:
    config:
      - name: tank/backup
        quota: none
        reset: [compression]

- name: An encrypted filesystem, whose passphrase the vault knows
  hospital.continuity.zfs_dataset:
    config:
      - name: tank/records
        encryption: aes-256-gcm
        keyformat: passphrase
        keylocation: prompt
        encryption_key: "{{ vault_records_passphrase | default('an example, not a secret') }}"

- name: The volume is not needed any more
  hospital.continuity.zfs_dataset:
    config:
      - name: tank/guests/vm-101-disk-0
    state: absent
    allow: ["destroy_dataset:tank/guests/vm-101-disk-0"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update dataset tank/backup: compression, quota"]
before:
  description: The datasets a step was planned for, by name, with what was set at them. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"tank/backup": {"name": "tank/backup", "type": "filesystem", "compression": "lz4"}}
after:
  description: The same datasets, as they were found afterwards, or as planned in check mode. Sizes are in bytes.
  returned: always
  type: dict
  sample: {"tank/backup": {"name": "tank/backup", "type": "filesystem", "compression": "zstd", "quota": 536870912000}}
unmet:
  description: What does not hold although everything is set as written.
  returned: always
  type: list
  elements: str
  sample: ["tank/backup: it is not mounted; what is written to /srv/backup goes to the directory underneath."]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DATASET
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.module import run


def main() -> None:
    run(DATASET)


if __name__ == "__main__":
    main()
