#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_info
short_description: What an Open vSwitch is made of, and what is wrong with it
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Reads an Open vSwitch and returns its bridges, bonds and ports in the form in which the other modules take them,
    so that a switch that was built by hand can be pasted into a playbook.
  - What it returns given as C(config) to the module of that kind, with C(unlisted_options) set to V(reset), changes
    nothing. Pre-shared keys are not in it.
  - Also returns what is wrong at the moment, in words. That a bond calls itself negotiated is not believed; every
    member is looked at.
  - Nothing is changed, in check mode or not.
options:
  kinds:
    description: Which kinds to read. Each is one of the modules C(ovs_<kind>).
    type: list
    elements: str
    choices: [bridge, bond, port]
    default: [bridge, bond, port]
  names:
    description:
      - Only things with one of these names, which may be shell patterns like V(bond*).
      - Does not narrow RV(health).
    type: list
    elements: str
    default: []
seealso:
  - module: hospital.continuity.ovs_bridge
  - module: hospital.continuity.ovs_bond
  - module: hospital.continuity.ovs_port
extends_documentation_fragment:
  - hospital.continuity.ovs
attributes:
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
  hospital.continuity.ovs_info:
  register: switch

- name: Say what is wrong
  ansible.builtin.debug:
    msg: "{{ switch.health | map(attribute='message') | list }}"

- name: Only the bonds to the switch stack
  hospital.continuity.ovs_info:
    kinds: [bond]
    names: ["bond*"]

- name: Bonds as they would stand in a playbook
  ansible.builtin.debug:
    msg: "{{ switch.config.bond | to_nice_yaml }}"
"""

RETURN = r"""
config:
  description: The things, by kind, in the form that O(hospital.continuity.ovs_bond#module:config) and its like take.
  returned: always
  type: dict
  sample: {"bond": [{"name": "bond0", "bridge": "vmbr0", "members": ["eno1", "eno2"], "lacp": "active"}]}
health:
  description: What is wrong. Empty when nothing is.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: What it is about.
      type: str
      sample: bond bond0
    message:
      description: A sentence for people.
      type: str
      sample: "bond bond0: member eno2 has no carrier: look at its cable and at the switch's port."
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.information import KINDS, gather
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.module import READING_ARGUMENTS, open_backend


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "kinds": {"type": "list", "elements": "str", "choices": list(KINDS), "default": list(KINDS)},
            "names": {"type": "list", "elements": "str", "default": []},
            **READING_ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        found = gather(open_backend(module.params), module.params["kinds"], module.params["names"])
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
