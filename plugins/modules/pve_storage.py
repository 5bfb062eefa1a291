#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_storage
short_description: Storage definitions of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Defines where a cluster keeps disks, templates, ISO images and backups. All types of storage that Proxmox VE 9
    knows.
  - A definition belongs to the whole cluster. O(config[].nodes) says on which nodes it is used.
  - The order of O(config[].content) and O(config[].nodes) means nothing, so another order is no change.
  - What a type cannot have is refused before anything is written, also content that Proxmox VE would drop without a
    word.
options:
  config:
    description: The storages.
    type: list
    elements: dict
    required: true
    suboptions:
      storage:
        description:
          - The name of the storage. It stands in the name of every volume on it and cannot be changed.
        type: str
        required: true
      type:
        description:
          - What kind of storage it is. Needed to create one, fixed afterwards.
          - V(zfspool) is a ZFS pool of the node itself, V(zfs) one on another machine that serves it by iSCSI.
        type: str
        choices: [btrfs, cephfs, cifs, dir, esxi, iscsi, iscsidirect, lvm, lvmthin, nfs, pbs, rbd, zfs, zfspool]
      content:
        description:
          - What may be kept there. V(images) are disks of virtual machines, V(rootdir) those of containers,
            V(vztmpl) templates of containers, V(import) disks and appliances to import, V(none) nothing.
          - "Where it is not given, the type's own: V(images) and V(rootdir) on V(dir), V(btrfs), V(lvmthin) and
            V(zfspool), V(backup) on V(pbs) and V(cephfs), V(import) on V(esxi), otherwise V(images)."
        type: list
        elements: str
      nodes:
        description:
          - The nodes that use it. Empty means all.
        type: list
        elements: str
      disable:
        description:
          - Whether it is switched off. The definition stays, nothing on it can be used.
        type: bool
      shared:
        description:
          - Whether the same data is there on all nodes, for a directory, btrfs, LVM or ESXi storage. Says it only,
            does not make it so.
          - Storages on a network are shared anyway and do not take the option.
        type: bool
      path:
        description:
          - The directory, for types V(dir) and V(btrfs); for V(nfs), V(cifs) and V(cephfs) where it is mounted,
            normally C(/mnt/pve/) and the name. Fixed once the storage exists.
        type: str
      is_mountpoint:
        description:
          - Whether the directory has to be a mount point, V(yes) or V(no), or the path of the mount point above it.
          - While nothing is mounted there the storage is not active, so that no backup fills the system disk and
            nobody takes the empty directory for the real one. Set it for a directory on a ZFS pool or another file
            system of its own.
          - For types V(dir) and V(btrfs).
        type: str
      mkdir:
        description:
          - Whether Proxmox VE makes the directory and what belongs into it. The older word for
            O(config[].create_base_path) and O(config[].create_subdirs) together.
        type: bool
      create_base_path:
        description:
          - Whether the directory itself is made where it is missing.
        type: bool
      create_subdirs:
        description:
          - Whether the directories for images, backups and so on are made in it.
        type: bool
      content_dirs:
        description:
          - "Other directories for kinds of content, below O(config[].path), as in C({iso: my/iso})."
        type: dict
      server:
        description:
          - Name or address of the server, for types V(nfs), V(cifs), V(pbs) and V(esxi). Can be changed later only
            for V(esxi).
        type: str
      port:
        description:
          - The server's port, for types V(pbs) and V(esxi).
        type: int
      export:
        description:
          - The path that the NFS server exports.
        type: str
      share:
        description:
          - The share of the CIFS server.
        type: str
      subdir:
        description:
          - A directory of the share or of the CephFS to mount instead of its root, beginning with a slash.
        type: str
      options:
        description:
          - Mount options, as mount takes them.
        type: str
      smbversion:
        description:
          - The version of the SMB protocol, for type V(cifs). V(default) takes the newest that both sides know.
        type: str
        choices: ["default", "2.0", "2.1", "3", "3.0", "3.11"]
      portal:
        description:
          - The iSCSI portal, a name or address with or without a port.
        type: str
      target:
        description:
          - The iSCSI target, its IQN.
        type: str
      iscsiprovider:
        description:
          - The software that serves the target on the other machine, for type V(zfs), for example V(LIO).
        type: str
      comstar_hg:
        description:
          - The host group for views, with the provider comstar.
        type: str
      comstar_tg:
        description:
          - The target group for views, with the provider comstar.
        type: str
      lio_tpg:
        description:
          - The target portal group, with the provider LIO, for example V(tpg1).
        type: str
      nowritecache:
        description:
          - Whether the target's write cache is off.
        type: bool
      zfs_base_path:
        description:
          - Where the other machine has the block devices of its ZFS volumes. Set by Proxmox VE when the storage is
            created, and never reset.
        type: str
      mountpoint:
        description:
          - Where the ZFS pool is mounted, for type V(zfspool). Set by Proxmox VE when the storage is created, and
            never reset.
        type: str
      vgname:
        description:
          - The LVM volume group, for types V(lvm) and V(lvmthin).
        type: str
      thinpool:
        description:
          - The LVM thin pool in the volume group, for type V(lvmthin).
        type: str
      base:
        description:
          - The volume that holds the volume group, for type V(lvm) on an iSCSI storage.
        type: str
      tagged_only:
        description:
          - Whether only logical volumes that Proxmox VE has tagged count, for type V(lvm).
        type: bool
      saferemove:
        description:
          - Whether a volume is overwritten with zeros when it is removed, for type V(lvm).
        type: bool
      saferemove_throughput:
        description:
          - How fast it is overwritten, in bytes a second, as cstream takes it with C(-t).
        type: str
      saferemove_stepsize:
        description:
          - How much is overwritten in one step, in MiB.
        type: int
        choices: [1, 2, 4, 8, 16, 32]
      pool:
        description:
          - The pool, for types V(zfspool) and V(zfs) a ZFS pool or a dataset in it (fixed once the storage exists),
            for V(rbd) a Ceph pool.
        type: str
      blocksize:
        description:
          - The block size of ZFS volumes, for example V(16k).
        type: str
      sparse:
        description:
          - Whether ZFS volumes take up room only as they are filled.
        type: bool
      monhost:
        description:
          - The Ceph monitors, names or addresses, in any order. Only for a Ceph cluster other than Proxmox VE's
            own.
        type: list
        elements: str
      data_pool:
        description:
          - A second Ceph pool that holds the data where O(config[].pool) holds the metadata, for erasure coding.
        type: str
      fs_name:
        description:
          - Which CephFS, where a cluster has several.
        type: str
      namespace:
        description:
          - A namespace in the Ceph pool, or in the datastore of the backup server.
        type: str
      krbd:
        description:
          - Whether disks are mapped by the kernel's driver also for virtual machines.
        type: bool
      fuse:
        description:
          - Whether CephFS is mounted by FUSE instead of the kernel.
        type: bool
      datastore:
        description:
          - The datastore on the Proxmox Backup Server.
        type: str
      fingerprint:
        description:
          - The SHA-256 fingerprint of the backup server's certificate, 32 pairs of digits with colons between.
        type: str
      skip_cert_verification:
        description:
          - Whether the certificate of the ESXi host is not checked.
        type: bool
      username:
        description:
          - Who logs in there, for types V(cifs), V(pbs), V(esxi), V(rbd) and V(cephfs).
        type: str
      domain:
        description:
          - The Windows domain of the user, for type V(cifs).
        type: str
      password:
        description:
          - The password, for types V(cifs), V(pbs) and V(esxi).
          - Cannot be read back. It is written when the storage is created, and again only with
            O(update_secrets=always).
        type: str
      keyring:
        description:
          - The Ceph keyring, for types V(rbd) and V(cephfs). Cannot be read back, see O(config[].password).
        type: str
      encryption_key:
        description:
          - "The key that backups are encrypted with, for type V(pbs): the content of the key file. Keep it
            elsewhere, too; without it the backups are lost."
          - V(autogen) makes a new one every time it is written and is not for playbooks. Cannot be read back, see
            O(config[].password).
        type: str
      master_pubkey:
        description:
          - A public RSA key in PEM, base64 encoded, with which the encryption key is put beside each backup. Cannot
            be read back, see O(config[].password).
        type: str
      format:
        description:
          - The format of disk images when nobody says. Types V(nfs) and V(cifs) have no V(subvol), V(btrfs) has
            only V(raw) and V(subvol), the others cannot choose.
        type: str
        choices: ["raw", "qcow2", "subvol", "vmdk"]
      preallocation:
        description:
          - How much room a raw or qcow2 image takes up when it is made.
        type: str
        choices: ['off', "metadata", "falloc", "full"]
      snapshot_as_volume_chain:
        description:
          - Whether snapshots are made as a chain of volumes. On V(dir), V(nfs) and V(cifs) fixed once the storage
            exists, on V(lvm) it can be changed.
        type: bool
      nocow:
        description:
          - Whether images are made without copy on write, for type V(btrfs). That switches its checksums off.
        type: bool
      prune_backups:
        description:
          - "Which backups are kept, as in C({keep-last: 3, keep-weekly: 4}). The keys are V(keep-all),
            V(keep-last), V(keep-hourly), V(keep-daily), V(keep-weekly), V(keep-monthly) and V(keep-yearly); 0 is
            the same as leaving one out."
        type: dict
      max_protected_backups:
        description:
          - How many protected backups a guest may have. V(-1) is as many as wanted.
        type: int
      bwlimit:
        description:
          - "Limits of the bandwidth in KiB a second, as in C({restore: 51200}). The keys are V(default), V(clone),
            V(migration), V(move) and V(restore); 0 is no limit."
        type: dict
      reset:
        description:
          - Options of this storage that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - "Consent: removing a definition needs C(remove_storage:<storage>) in O(allow). Data stays where it is, but
    guests with disks there no longer start."
  - A storage with O(config[].is_mountpoint) or a network behind it is defined even where it is not active. What is
    not active on a node is returned in RV(unmet).
  - Needs the privilege Datastore.Allocate on C(/storage).
seealso:
  - module: hospital.continuity.pve_backup_job
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: The volume group on the disk array, shared by all nodes
  hospital.continuity.pve_storage:
    config:
      - storage: ds3524
        type: lvm
        vgname: ds3524
        content: [images, rootdir]
        shared: true

- name: A directory on each node's own pool, for backups only, and only while the pool is mounted
  hospital.continuity.pve_storage:
    config:
      - storage: backup
        type: dir
        path: /tank/backup
        is_mountpoint: /tank
        content: [backup]
        prune_backups: {keep-last: 3, keep-weekly: 4, keep-monthly: 6}

- name: Change one option and leave the rest
  hospital.continuity.pve_storage:
    config:
      - storage: backup
        bwlimit: {restore: 102400}

- name: Take out a definition that nothing uses any more
  hospital.continuity.pve_storage:
    config:
      - storage: backup
    state: absent
    allow: ["remove_storage:backup"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update storage backup: content, nodes"]
before:
  description: The storages a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"backup": {"storage": "backup", "type": "dir", "path": "/tank/backup", "content": ["backup"]}}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"backup": {"storage": "backup", "type": "dir", "path": "/tank/backup", "content": ["backup", "iso"]}}
unmet:
  description: Storages that are not active on a node.
  returned: always
  type: list
  elements: str
  sample: ["storage backup is not active on pve2 (unknown); is_mountpoint is set: is the directory mounted there?"]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.storage import STORAGE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(STORAGE)


if __name__ == "__main__":
    main()
