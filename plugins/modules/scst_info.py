#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: scst_info
short_description: What SCST exports, to whom, and what is wrong
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Reads SCST and returns its iSCSI targets in the form in which M(hospital.continuity.scst_target) takes them, so that
    an export that was made by hand can be pasted into a playbook. Given back with C(unlisted_options) set to V(reset),
    they change nothing. Secrets are not in it.
  - Also returns the SCSI devices of the host with the names that do not move, who is logged in, what the attached tape
    libraries hold, and what is wrong at the moment, in words.
  - Nothing is changed, in check mode or not.
options:
  names:
    description:
      - Only targets with one of these names, which may be shell patterns.
      - Narrows C(target) in RV(config) only.
    type: list
    elements: str
    default: []
  libraries:
    description:
      - Whether the attached medium changers are asked what they hold, with C(mtx). A robot that has just been started
        may take minutes to answer.
    type: bool
    default: true
seealso:
  - module: hospital.continuity.scst_target
  - module: hospital.continuity.tape_library
extends_documentation_fragment:
  - hospital.continuity.scst
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
  hospital.continuity.scst_info:
  register: scst

- name: Say what is wrong
  ansible.builtin.debug:
    msg: "{{ scst.health | map(attribute='message') | list }}"

- name: The names to write into a playbook
  ansible.builtin.debug:
    msg: "{{ scst.devices | selectattr('imported', 'false') | items2dict(key_name='device', value_name='type') }}"

- name: One target, without asking the robot
  hospital.continuity.scst_info:
    names: ["iqn.2016-01.ar.hospital:*"]
    libraries: false
"""

RETURN = r"""
config:
  description: The targets as C(target), in the form that O(hospital.continuity.scst_target#module:config) takes.
  returned: always
  type: dict
  sample: {"target": [{"target": "iqn.2016-01.ar.hospital:ts3200", "enabled": true}]}
open_state:
  description: V(open) while the daemon C(iscsi-scstd) serves. That the service counts as active says nothing.
  returned: always
  type: str
  sample: open
version:
  description: The version of SCST that is loaded. Empty when none is.
  returned: always
  type: str
  sample: 3.11.0-pre
devices:
  description: The SCSI devices of the host.
  returned: always
  type: list
  elements: dict
  contains:
    device:
      description: The name to know it by. An address only where it has no other.
      type: str
      sample: HOSDRV01
    address:
      description: Where it is at the moment, as H:C:I:L.
      type: str
      sample: "7:0:1:0"
    type:
      description: Its sort.
      type: str
      sample: tape drive
    vendor:
      description: Who made it.
      type: str
      sample: IBM
    model:
      description: What it is called by its maker.
      type: str
      sample: ULT3580-TD5
    serial:
      description: Its serial number.
      type: str
      sample: HOSDRV01
    naa:
      description: Its NAA.
      type: str
      sample: naa.5000000000000001
    by_id:
      description: Its names below C(/dev/tape/by-id) and C(/dev/disk/by-id).
      type: list
      elements: str
    generic:
      description: Its generic device at the moment.
      type: str
      sample: /dev/sg9
    handler:
      description: What has claimed it in SCST. Empty for nothing.
      type: str
      sample: dev_tape
    imported:
      description: Whether this host itself gets it by iSCSI. Such a device is never exported.
      type: bool
    exported_by:
      description: The targets, groups and LUNs that offer it.
      type: list
      elements: str
      sample: ["iqn.2016-01.ar.hospital:ts3200 backup LUN 1"]
sessions:
  description: Who is logged in.
  returned: always
  type: list
  elements: dict
  contains:
    target:
      description: Where.
      type: str
    initiator:
      description: Who.
      type: str
      sample: iqn.1993-08.org.debian:01:backup
    group:
      description: The group whose LUNs it sees. Empty for none.
      type: str
      sample: backup
    addresses:
      description: Where it comes from.
      type: list
      elements: str
    active_commands:
      description: How many commands are under way.
      type: int
libraries:
  description: What the medium changers attached to this host hold.
  returned: always
  type: list
  elements: dict
  contains:
    library:
      description: The changer.
      type: str
      sample: HOSLIB0001
    drives:
      description: Its drives by number, each with C(full), C(barcode) and C(from_slot).
      type: list
      elements: dict
      sample: [{"drive": 0, "full": true, "barcode": "HOS001L5", "from_slot": 1}]
    slots:
      description: Its slots by number, each with C(full), C(barcode), C(import_export) and C(cleaning).
      type: list
      elements: dict
      sample: [{"slot": 5, "full": true, "barcode": "CLN001L5", "import_export": false, "cleaning": true}]
health:
  description: What is wrong. Empty when nothing is.
  returned: always
  type: list
  elements: dict
  contains:
    subject:
      description: What it is about.
      type: str
      sample: target iqn.2016-01.ar.hospital:ts3200
    message:
      description: A sentence for people.
      type: str
      sample: HOSDRV02 is not on this host, so LUN 2 of group backup is not exported.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.information import gather
from ansible_collections.hospital.continuity.plugins.module_utils.scst.module import ARGUMENTS, open_backend


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "names": {"type": "list", "elements": "str", "default": []},
            "libraries": {"type": "bool", "default": True},
            **ARGUMENTS,
        },
        supports_check_mode=True,
    )
    try:
        found = gather(open_backend(module.params), module.params["names"], libraries=module.params["libraries"])
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
