#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_cluster
short_description: Which nodes form a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Creates a cluster at its first node, has another node join it, or removes a node that is gone.
  - A node is put into a cluster through its own API, so O(api_host) is that node. It is removed through another one's.
  - Without O(config[].hostname) the cluster is created. With it, the node joins the cluster that O(config[].hostname)
    is a member of. That member is known by the fingerprint of its certificate; nothing is sent to anybody else.
  - "Refused before anything is written: a node that belongs to another cluster, carries guests, runs another release,
    or has not the addresses in O(config[].links); a member with another fingerprint or in another cluster; a cluster
    without quorum, or with a node that is offline and would not learn of the new one."
  - While a node joins, its API is away for some seconds. That is waited for, and then until the cluster has quorum.
  - A join that was cut short is cleared away and begun again. One that is still under way is waited for.
options:
  config:
    description: The memberships.
    type: list
    elements: dict
    required: true
    suboptions:
      clustername:
        description: The name of the cluster, up to 15 letters, digits and dashes.
        type: str
        required: true
      node:
        description: The node, by its name.
        type: str
        required: true
      links:
        description:
          - The node's addresses in the networks that corosync uses. Fixed once the node is a member.
          - Without them corosync uses the address of the node's name, as link 0. A cluster with several links needs an
            address for each.
        type: list
        elements: dict
        suboptions:
          link:
            description: The number of the link, 0 to 7.
            type: int
            required: true
          address:
            description: The IP address of this node on it. It has to be configured on the node.
            type: str
          priority:
            description:
              - 0 to 255. Of the links that work, the one with the highest is used. The default is 0.
              - It belongs to the link and not to the node, and is fixed when the cluster is created.
            type: int
      nodeid:
        description: The number of the node in the cluster. Without it, the lowest that is free. Fixed.
        type: int
      votes:
        description: How many votes the node has. The default is 1. Fixed.
        type: int
      token_coefficient:
        description:
          - Milliseconds by which corosync waits longer for each node more than two. The default is 125.
          - Fixed when the cluster is created.
        type: int
      hostname:
        description:
          - A member of the cluster to join, by the name or address at which this node reaches it. Its API is asked at
            the port of O(api_host).
          - Looked at only while the node is no member.
        type: str
      fingerprint:
        description:
          - SHA-256 fingerprint of the certificate of O(config[].hostname), 32 pairs of hexadecimal digits.
            C(pvenode cert info) shows it there.
        type: str
      password:
        description: The password of root@pam at O(config[].hostname).
        type: str
notes:
  - "Words of consent: V(remove_node:<node>) for removing a node, and for taking the place of one of the same name that
    was a member and is off."
  - Needs root@pam. To join, O(api_user) and O(api_password) are needed, because the node forgets its API tokens, users
    and storages when it takes over those of the cluster.
  - After it has joined, the node's certificate is signed by the cluster's CA. What O(ca_path) names has to hold that
    from the next task on.
  - A node that was removed must never be started again as it is. Install it anew.
  - Proxmox VE's C(force) is not used.
seealso:
  - module: hospital.continuity.pve_qdevice
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
- name: The first node creates the cluster
  hospital.continuity.pve_cluster:
    api_host: "{{ pve1 }}"
    config:
      - clustername: cordoba
        node: pve1
        links:
          - {link: 0, address: "{{ pve1_corosync }}", priority: 20}
          - {link: 1, address: "{{ pve1 }}", priority: 10}

- name: The second node joins it
  hospital.continuity.pve_cluster:
    api_host: "{{ pve2 }}"
    config:
      - clustername: cordoba
        node: pve2
        hostname: "{{ pve1 }}"
        fingerprint: "{{ pve1_fingerprint }}"
        password: "{{ root_password }}"
        links:
          - {link: 0, address: "{{ pve2_corosync }}"}
          - {link: 1, address: "{{ pve2 }}"}
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create cluster cordoba/pve2"]
before:
  description: The memberships a step was planned for, by cluster and node, as they were. Null for one that was not
    there.
  returned: always
  type: dict
  sample: {"cordoba/pve2": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample:
    cordoba/pve2:
      clustername: cordoba
      node: pve2
      links: [{link: 0, address: 10.10.10.2}]
      nodeid: 2
      votes: 1
      token_coefficient: 125
unmet:
  description: What does not hold although the cluster is configured, above all that it has no quorum.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.cluster import ClusterBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster import CLUSTER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(CLUSTER, ClusterBackend)


if __name__ == "__main__":
    main()
