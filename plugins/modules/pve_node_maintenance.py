#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_node_maintenance
short_description: Nodes of Proxmox VE that are in maintenance
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Puts nodes into maintenance, or ends it. Guests under high availability leave a node that is in maintenance, and
    come back when it ends. Other guests stay, and are nobody's business here.
  - It is waited for until the HA manager has taken the order up, and then, for O(verify_timeout) seconds, until all
    have left. Who has not is in RV(unmet).
  - Runs on any node of the cluster, by C(ha-manager), because the API does not offer it.
options:
  config:
    description: The nodes. With O(state=present) they are in maintenance, with O(state=absent) they are not.
    type: list
    elements: dict
    required: true
    suboptions:
      node:
        description: The node, by its name.
        type: str
        required: true
  timeout:
    description: Seconds that C(ha-manager) may take, and the manager to take the order up.
    type: int
    default: 60
requirements:
  - Proxmox VE 9 on the managed host, and root
notes:
  - "Words of consent: V(restart_guest) where containers under high availability run on the node. They stop and start
    elsewhere, while virtual machines move as they run."
  - It is refused where no other node is left to take guests in, without quorum, and for a node that is offline.
seealso:
  - module: hospital.continuity.pve_ha_resource
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: Everything that is highly available leaves this node before its update
  hospital.continuity.pve_node_maintenance:
    config:
      - node: pve3
    verify_timeout: 600

- name: It may come back
  hospital.continuity.pve_node_maintenance:
    config:
      - node: pve3
    state: absent
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create node_maintenance pve3"]
before:
  description: The nodes a step was planned for. Null for one that was not in maintenance.
  returned: always
  type: dict
  sample: {"pve3": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"pve3": {"node": "pve3"}}
unmet:
  description: Guests that have not left yet.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance import MAINTENANCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance_backend import open_backend


def main() -> None:
    module.run(MAINTENANCE, {"timeout": {"type": "int", "default": 60}}, open_backend)


if __name__ == "__main__":
    main()
