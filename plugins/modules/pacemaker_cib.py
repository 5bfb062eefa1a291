#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pacemaker_cib
short_description: Resources, constraints, fencing and properties of a Pacemaker cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes elements of a Pacemaker cluster's configuration as they are written, or absent. Elements that are not listed
    stay as they are.
  - All changes of a task reach the cluster as one. Pacemaker's C(crm_verify) looks at the configuration as it would be
    before anything is written, in check mode too.
options:
  config:
    description: The elements.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: The element's id.
        type: str
        required: true
      section:
        description: The part of the configuration that it is in. It cannot be moved to another one.
        type: str
        choices: [crm_config, resources, constraints, fencing-topology, op_defaults, rsc_defaults, acls, tags, alerts]
      element:
        description:
          - The whole element as XML, with O(config[].id) as its id.
          - It is compared by what it says. White space between elements and the order of attributes do not matter.
        type: str
  timeout:
    description: Seconds that one of Pacemaker's programs may take.
    type: int
    default: 60
requirements:
  - Pacemaker 2.1 or later with its command line programs, running on the managed host, and root
notes:
  - One node of the cluster is enough; the cluster tells the others.
  - Every user of the cluster can read its configuration, and so does the output of this module show it. A fence agent
    takes its password from a program named in C(password_script).
  - "Words of consent: V(run_unfenced) for C(stonith-enabled) V(false), and for taking a fence device away."
  - What is wrong in the configuration already, elsewhere, does not keep a change back.
extends_documentation_fragment:
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: An address that moves with the cluster
  hospital.continuity.pacemaker_cib:
    config:
      - id: address
        section: resources
        element: >-
          <primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
            <instance_attributes id="address-parameters">
              <nvpair id="address-ip" name="ip" value="192.0.2.10"/>
            </instance_attributes>
            <operations>
              <op id="address-monitor" name="monitor" interval="5s" timeout="10s"/>
            </operations>
          </primitive>
  run_once: true

- name: It stays where it is
  hospital.continuity.pacemaker_cib:
    config:
      - id: defaults
        section: rsc_defaults
        element: >-
          <meta_attributes id="defaults">
            <nvpair id="defaults-stickiness" name="resource-stickiness" value="100"/>
          </meta_attributes>
  run_once: true

- name: It is no longer needed
  hospital.continuity.pacemaker_cib:
    config:
      - id: address
    state: absent
  run_once: true
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create element address"]
before:
  description: The elements a step was planned for, by id, as they were. Null for one that was not there.
  returned: always
  type: dict
  sample: {"address": null}
after:
  description: The same elements as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"address": {"id": "address", "section": "resources", "element": "<primitive id=\"address\" ...>"}}
unmet:
  description: What does not hold although everything is configured as written.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.backend import open_backend
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.element import ELEMENT


def main() -> None:
    module.run(ELEMENT, {"timeout": {"type": "int", "default": 60}}, open_backend)


if __name__ == "__main__":
    main()
