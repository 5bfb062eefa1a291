#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_container
short_description: Containers of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Creates containers, changes them to be as written, and removes them.
  - A container is found by its number, on whatever node it is. All options of the API are here under their own names.
    Its root file system and mount points, network cards and passed-through devices are lists, matched by slot.
  - Only what differs is written. Volumes are made once and grow, but never shrink, move or get lost, and a network card
    keeps its MAC address.
  - What can be known beforehand is refused before anything is written, with the option, what is wrong and what to do.
    That includes nodes that are offline, storages that do not take containers, a template that is not there, locked
    guests and a missing quorum.
extends_documentation_fragment:
  - hospital.continuity.pve_container
  - hospital.continuity.pve_guest
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
"""

EXAMPLES = r"""
- name: A container for the PXE server, running
  hospital.continuity.pve_container:
    config:
      - vmid: 210
        hostname: pxe
        node: pve1
        ostemplate: local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst
        unprivileged: true
        features: nesting=1
        memory: 1024
        cores: 1
        onboot: true
        nameserver: [192.0.2.1]
        searchdomain: [hospital.example]
        disks:
          - slot: rootfs
            storage: shared
            size: 8G
          - slot: mp0
            storage: shared
            size: 20G
            mp: /srv/tftp
            backup: true
        nics:
          - slot: net0
            name: eth0
            bridge: vmbr0
            ip: 192.0.2.30/24
            gw: 192.0.2.1
        status: running

- name: More memory, and more room for images
  hospital.continuity.pve_container:
    config:
      - vmid: 210
        memory: 2048
        disks:
          - slot: mp0
            size: 40G

- name: Stop and remove it
  hospital.continuity.pve_container:
    config:
      - vmid: 210
        hostname: pxe
    state: absent
    allow: [stop_guest, destroy_guest:210]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create container 210", "done: start container 210"]
before:
  description: The containers a step was planned for, by number, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"210": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"210": {"vmid": 210, "hostname": "pxe", "node": "pve1", "memory": 1024, "status": "running"}}
unmet:
  description: What is set and waits for a restart, for the options in O(config).
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.guests import GuestBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(CONTAINER, GuestBackend)


if __name__ == "__main__":
    main()
