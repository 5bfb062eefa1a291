#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_qdevice
short_description: The vote of a machine outside a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Sets up a QDevice, so that two nodes can tell which of them was cut off, or takes it away.
  - Runs on any node of the cluster, by C(pvecm qdevice), because the API only shows it. All nodes have to be online.
  - A cluster with an odd number of nodes is refused one, as Proxmox VE does.
options:
  config:
    description: The QDevice. A cluster has one at most.
    type: list
    elements: dict
    required: true
    suboptions:
      host:
        description: The IP address of the machine with C(corosync-qnetd).
        type: str
        required: true
      network:
        description: The network through which it is reached, where it is not the nodes' own. Used only to set it up.
        type: str
  conf_path:
    description: Where the cluster's corosync configuration is.
    type: path
    default: /etc/pve/corosync.conf
  timeout:
    description: Seconds that C(pvecm) may take.
    type: int
    default: 180
requirements:
  - Proxmox VE 9 on the managed host, and root
  - C(corosync-qdevice) on every node, C(corosync-qnetd) on the other machine
  - root of this node must be able to log in to the other machine by key, without questions
notes:
  - "Words of consent: V(remove_qdevice:<host>) for taking it away."
seealso:
  - module: hospital.continuity.pve_cluster
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: The backup server decides when two nodes do not see each other
  hospital.continuity.pve_qdevice:
    config:
      - host: 10.99.0.50
  run_once: true

- name: There are three nodes now
  hospital.continuity.pve_qdevice:
    config:
      - host: 10.99.0.50
    state: absent
    allow: ["remove_qdevice:10.99.0.50"]
  run_once: true
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create qdevice 10.99.0.50"]
before:
  description: The QDevice a step was planned for. Null where there was none.
  returned: always
  type: dict
  sample: {"10.99.0.50": null}
after:
  description: The same, as it was found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"10.99.0.50": {"host": "10.99.0.50"}}
unmet:
  description: Nodes that cannot reach it, and that it has no vote yet.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.qdevice import QDEVICE
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.qdevice_backend import open_backend


def main() -> None:
    arguments = {
        "conf_path": {"type": "path", "default": "/etc/pve/corosync.conf"},
        "timeout": {"type": "int", "default": 180},
    }
    module.run(QDEVICE, arguments, open_backend)


if __name__ == "__main__":
    main()
