#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_vm
short_description: Virtual machines of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Creates virtual machines, changes them to be as written, and removes them.
  - A VM is found by its number, on whatever node it is. All options of the API are here under their own names. Disks
    and network cards are lists, matched by slot.
  - Only what differs is written. Disks are made once and grow, but never shrink, move or get lost, and a network card
    keeps its MAC address.
  - What can be known beforehand is refused before anything is written, with the option, what is wrong and what to do.
    That includes nodes that are offline, storages that do not take disks, locked guests and a missing quorum.
extends_documentation_fragment:
  - hospital.continuity.pve_vm
  - hospital.continuity.pve_guest
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
notes:
  - C(cdrom) of the API is the slot C(ide2) in O(config[].disks), and C(smp) is O(config[].sockets).
"""

EXAMPLES = r"""
- name: A Debian server on the shared storage, running
  hospital.continuity.pve_vm:
    config:
      - vmid: 110
        name: lamp
        node: pve1
        memory: 4096
        cores: 2
        ostype: l26
        scsihw: virtio-scsi-single
        agent: true
        onboot: true
        tags: [web, debian]
        disks:
          - slot: scsi0
            storage: shared
            size: 32G
            discard: 'on'
            ssd: true
            iothread: true
          - slot: ide2
            media: cdrom
        nics:
          - slot: net0
            bridge: vmbr0
            tag: 20
        status: running

- name: More memory at once, restarting the VM if it needs that
  hospital.continuity.pve_vm:
    config:
      - vmid: 110
        memory: 8192
    allow: [restart_guest]

- name: Grow the disk, and add one for data
  hospital.continuity.pve_vm:
    config:
      - vmid: 110
        disks:
          - slot: scsi0
            size: 40G
          - slot: scsi1
            storage: shared
            size: 100G

- name: Destroy the data disk again
  hospital.continuity.pve_vm:
    config:
      - vmid: 110
        disks:
          - slot: scsi1
            state: absent
    allow: [destroy_disk:110/scsi1]

- name: A Windows server with UEFI, TPM and both of its VLANs
  hospital.continuity.pve_vm:
    config:
      - vmid: 111
        name: dc1
        node: pve2
        memory: 8192
        cores: 4
        ostype: win11
        bios: ovmf
        machine: q35
        cpu: x86-64-v2-AES
        scsihw: virtio-scsi-single
        disks:
          - slot: efidisk0
            storage: shared
            efitype: 4m
          - slot: tpmstate0
            storage: shared
            version: v2.0
          - slot: scsi0
            storage: shared
            size: 80G
        nics:
          - slot: net0
            bridge: vmbr0
            trunks: [10, 20]

- name: A template with a cloud-init drive
  hospital.continuity.pve_vm:
    config:
      - vmid: 900
        name: debian-template
        node: pve1
        memory: 1024
        ostype: l26
        scsihw: virtio-scsi-single
        serial0: socket
        vga: serial0
        disks:
          - slot: scsi0
            storage: local-lvm
            size: 4G
          - slot: ide2
            media: cloudinit
            storage: local-lvm
        nics:
          - slot: net0
            bridge: vmbr0
        template: true

- name: A clone of it with its own disk, address and keys
  hospital.continuity.pve_vm:
    config:
      - vmid: 120
        name: unifi
        clone: debian-template
        full: true
        memory: 2048
        ciuser: admin
        ipconfig0: ip=192.0.2.20/24,gw=192.0.2.1
        disks:
          - slot: scsi0
            size: 16G
        status: running

- name: Stop and remove it
  hospital.continuity.pve_vm:
    config:
      - vmid: 120
        name: unifi
    state: absent
    allow: [stop_guest, destroy_guest:120]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update VM 110: memory", "done: restart VM 110"]
before:
  description: The VMs a step was planned for, by number, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"110": {"vmid": 110, "name": "lamp", "node": "pve1", "memory": 4096}}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"110": {"vmid": 110, "name": "lamp", "node": "pve1", "memory": 8192}}
unmet:
  description: What is set and waits for a restart, for the options in O(config).
  returned: always
  type: list
  elements: str
  sample: ["memory 8192 waits for a restart of VM 110 (now 4096); allow restart_guest to have it restarted"]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.guests import GuestBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(VM, GuestBackend)


if __name__ == "__main__":
    main()
