#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_ha_rule
short_description: Where and with whom highly available guests run
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Rules for the HA manager of Proxmox VE 9. A rule of type V(node-affinity) says on which nodes guests run, one of
    type V(resource-affinity) that guests run on the same node or never do.
  - All guests of a rule have to be resources of M(hospital.continuity.pve_ha_resource) already, which is looked at
    before anything is written.
options:
  config:
    description: The rules.
    type: list
    elements: dict
    required: true
    suboptions:
      rule:
        description:
          - The name of the rule.
        type: str
        required: true
      type:
        description:
          - What the rule is about. Needed to create one, fixed afterwards.
        type: str
        choices: ["node-affinity", "resource-affinity"]
      resources:
        description:
          - The guests, V(vm:100), V(ct:101) or just their numbers, in any order.
        type: list
        elements: str
      nodes:
        description:
          - The nodes, for type V(node-affinity), in any order. V(pve1:2) has a priority of 2 and is preferred to
            those with a lower one; without a number it is 0.
        type: list
        elements: str
      strict:
        description:
          - Whether the guests stay down rather than run on a node that is not listed, for type V(node-affinity).
        type: bool
      affinity:
        description:
          - V(positive) keeps the guests together on one node, V(negative) keeps each on a node of its own, for type
            V(resource-affinity).
        type: str
        choices: ["positive", "negative"]
      disable:
        description:
          - Whether the rule is switched off.
        type: bool
      comment:
        description:
          - One line of plain ASCII. Proxmox VE refuses more.
        type: str
      reset:
        description:
          - Options of this rule that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - Needs the privileges Sys.Console and Sys.Audit on C(/).
seealso:
  - module: hospital.continuity.pve_ha_resource
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.scope
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: The heavy servers prefer the big nodes, and never share one
  hospital.continuity.pve_ha_rule:
    config:
      - rule: pacs-on-big-nodes
        type: node-affinity
        resources: [vm:110, vm:111]
        nodes: [pve1, pve2, pve3]
      - rule: pacs-apart
        type: resource-affinity
        resources: [vm:110, vm:111]
        affinity: negative

- name: Switch a rule off for a while
  hospital.continuity.pve_ha_rule:
    config:
      - rule: pacs-apart
        disable: true

- name: These are all rules whose names begin with pacs
  hospital.continuity.pve_ha_rule:
    config:
      - rule: pacs-on-big-nodes
    unlisted: absent
    scope:
      rule: pacs-*
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create ha_rule pacs-apart"]
before:
  description: The rules a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"pacs-apart": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"pacs-apart": {"rule": "pacs-apart", "type": "resource-affinity", "affinity": "negative"}}
unmet:
  description: Always empty. What the manager makes of a rule shows in where the guests are.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_rule import HA_RULE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(HA_RULE)


if __name__ == "__main__":
    main()
