#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_info
short_description: What a Proxmox VE cluster is made of, and what is wrong with it
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Reads the cluster and returns every kind of thing in the form in which the other modules take it, so that a cluster
    that was built by hand can be pasted into a playbook.
  - What it returns given as C(config) to the module of that kind, with C(unlisted_options) set to V(reset), changes
    nothing. Passwords and other secrets are not in it, because Proxmox VE does not tell them.
  - Also returns what is wrong at the moment, in words.
  - Nothing is changed, in check mode or not.
options:
  kinds:
    description: Which kinds to read. Each is one of the modules C(pve_<kind>).
    type: list
    elements: str
    choices:
      - storage
      - pool
      - ha_resource
      - ha_rule
      - backup_job
      - network
      - vm
      - container
      - cluster_options
      - replication
      - snapshot
      - realm
      - group
      - user
      - role
      - token
      - acl
    default:
      - storage
      - pool
      - ha_resource
      - ha_rule
      - backup_job
      - network
      - vm
      - container
      - cluster_options
      - replication
      - snapshot
      - realm
      - group
      - user
      - role
      - token
      - acl
  names:
    description:
      - Only things with one of these names, which may be shell patterns like V(pacs*). Guests go by number and by name,
        snapshots by V(110/before-upgrade).
      - Does not narrow RV(health).
    type: list
    elements: str
    default: []
notes:
  - A token sees only what it may see. What is missing for want of a privilege cannot be told from what is not there,
    except that a list which is empty for that reason is an error. The role PVEAuditor on C(/) is enough for everything.
  - Guests whose node is offline cannot be read. They are in RV(health), not in RV(config). The network of such a node
    is left out, too.
  - Roles that are built into Proxmox VE are left out.
  - The network of a node is read as Proxmox VE tells it. With changes staged and not applied, that is as it would be
    with them.
seealso:
  - module: hospital.continuity.pve_storage
  - module: hospital.continuity.pve_pool
  - module: hospital.continuity.pve_ha_resource
  - module: hospital.continuity.pve_ha_rule
  - module: hospital.continuity.pve_backup_job
  - module: hospital.continuity.pve_network
  - module: hospital.continuity.pve_vm
  - module: hospital.continuity.pve_container
  - module: hospital.continuity.pve_cluster_options
  - module: hospital.continuity.pve_replication
  - module: hospital.continuity.pve_snapshot
  - module: hospital.continuity.pve_realm
  - module: hospital.continuity.pve_group
  - module: hospital.continuity.pve_user
  - module: hospital.continuity.pve_role
  - module: hospital.continuity.pve_token
  - module: hospital.continuity.pve_acl
extends_documentation_fragment:
  - hospital.continuity.pve
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
  check_mode:
    description: Can run in check mode.
    support: full
  diff_mode:
    description: Changes nothing, so there is nothing to show.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Look at everything
  hospital.continuity.pve_info:
  register: cluster

- name: Say what is wrong
  ansible.builtin.debug:
    msg: "{{ cluster.health | map(attribute='message') | list }}"

- name: Only what decides where guests run
  hospital.continuity.pve_info:
    kinds: [ha_resource, ha_rule]

- name: Storages as they would stand in a playbook
  ansible.builtin.debug:
    msg: "{{ cluster.config.storage | to_nice_yaml }}"
"""

RETURN = r"""
config:
  description: The things, by kind, in the form that O(hospital.continuity.pve_storage#module:config) and its like take.
  returned: always
  type: dict
  sample: {"pool": [{"poolid": "imaging", "vms": [110, 111]}]}
health:
  description: What is wrong. Empty when nothing is.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: What it is about.
      type: str
      sample: node pve2
    state:
      description: One word for it.
      type: str
      sample: offline
    message:
      description: A sentence for people.
      type: str
      sample: Node pve2 is not there; what it runs is down, unless HA has moved it.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    CONNECTION_ARGUMENTS,
    Connection,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
            "names": {"type": "list", "elements": "str", "default": []},
            **CONNECTION_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        with Client(Connection.from_options(module.params)) as client:
            found = gather(client, module.params["kinds"], module.params["names"])
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
