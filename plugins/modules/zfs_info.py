#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_info
short_description: What a host's ZFS is made of, and how its pools are
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Reads the pools, the datasets and the policies of snapshots of a host and returns them in the form in which the
    other modules take them, so that what was built by hand can be pasted into a playbook.
  - What it returns given as C(config) to the module of that kind, with C(unlisted_options) set to V(reset), changes
    nothing. Encryption keys are not in it.
  - Also returns how every pool is, with a verdict and its reasons, and the pools that are on the disks of this host and
    not imported.
  - A pool that is suspended or does not answer in time is V(critical) in RV(health), which says why, and what is in it
    is left out. The other pools are read all the same.
  - Nothing is changed, in check mode or not.
options:
  kinds:
    description: Which kinds to read. Each is one of the modules C(zfs_<kind>).
    type: list
    elements: str
    choices: [pool, dataset, snapshot]
    default: [pool, dataset, snapshot]
  names:
    description:
      - Only things with one of these names, which may be shell patterns like V(tank/*). Snapshots and their policies go
        by the name of their dataset.
      - Does not narrow RV(health).
    type: list
    elements: str
    default: []
  timeout:
    description: How many seconds one program may take.
    type: int
    default: 120
requirements:
  - OpenZFS 2.1 or later on the managed host, with C(zfs), C(zpool) and C(zdb)
  - C(lsblk) of util-linux 2.37 or later, C(readlink), C(uname) and C(od), and C(udevadm)
seealso:
  - module: hospital.continuity.zfs_pool
  - module: hospital.continuity.zfs_dataset
  - module: hospital.continuity.zfs_snapshot
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
  hospital.continuity.zfs_info:
  register: zfs

- name: Say what is wrong
  ansible.builtin.debug:
    msg: "{{ zfs.health | rejectattr('verdict', 'equalto', 'ok') | list }}"

- name: Only what is below one dataset
  hospital.continuity.zfs_info:
    kinds: [dataset]
    names: [tank/backup, "tank/backup/*"]

- name: The pools as they would stand in a playbook
  ansible.builtin.debug:
    msg: "{{ zfs.config.pool | to_nice_yaml }}"
"""

RETURN = r"""
config:
  description:
    - The things, by kind, in the form that O(hospital.continuity.zfs_pool#module:config) and its like take.
    - A policy of snapshots is one that M(hospital.continuity.zfs_snapshot) keeps.
  returned: always
  type: dict
  sample: {"pool": [{"name": "tank", "layout": [{"type": "mirror", "disks": ["scsi-1", "scsi-2"]}], "ashift": 12}]}
snapshots:
  description: The snapshots, where O(kinds) has V(snapshot).
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its full name.
      type: str
      sample: tank/backup@auto-2026-11-22T08Z
    dataset:
      description: The dataset it was taken of.
      type: str
      sample: tank/backup
    creation:
      description: When it was taken, in seconds since 1970.
      type: int
      sample: 1795334400
    used:
      description: How many bytes destroying it would free.
      type: int
      sample: 4096
    referenced:
      description: How many bytes it refers to.
      type: int
      sample: 1073741824
    guid:
      description: What it keeps for ever, in a copy on another host too.
      type: str
      sample: "2821745473833429140"
    holds:
      description: How many hold it against being destroyed.
      type: int
      sample: 0
health:
  description: How every pool is, the imported ones first.
  returned: always
  type: list
  elements: dict
  contains:
    pool:
      description: The name of the pool.
      type: str
      sample: tank
    state:
      description: Its state, as ZFS calls it.
      type: str
      sample: ONLINE
    verdict:
      description: V(ok), V(warning) or V(critical).
      type: str
      sample: ok
    reasons:
      description:
        - Sentences for people, which say why, and what to do.
        - That a pool has no redundancy by design is said here too, and is no reason for another verdict. One vdev
          without it in a pool whose others have it is a reason for V(warning).
      type: list
      elements: str
      sample: ["It is full to 83 percent; above 80 percent ZFS gets slow."]
    errors:
      description: How often reading, writing and checksums failed, and how many errors of data are known.
      type: dict
      sample: {"read": 0, "write": 0, "checksum": 0, "data": 0}
    scan:
      description: The last scrub or resilver, or the one that goes on.
      type: dict
      sample: {"function": "scrub", "state": "finished", "errors": 0, "resilvering": false}
    scrub_age:
      description: Seconds since the last scrub. Null where there never was one.
      type: int
      sample: 86400
    capacity:
      description: How full it is, in percent.
      type: int
      sample: 40
    spares:
      description: Each spare with its disk and state, V(available) or V(in use).
      type: list
      elements: dict
      sample: [{"disk": "scsi-3", "state": "available"}]
    redundancy:
      description: How many disks may still fail, in the worst place, before data is lost.
      type: int
      sample: 1
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import CommandLine
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.information import KINDS, gather
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.module import (
    CONNECTION_ARGUMENTS,
    checked_timeout,
)


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
        zfs = CommandLine(timeout=checked_timeout(module.params))
        found = gather(zfs, module.params["kinds"], module.params["names"])
    except SubsystemError as problem:
        module.fail_json(msg=str(problem))
    for text in found.pop("warnings"):
        module.warn(text)
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
