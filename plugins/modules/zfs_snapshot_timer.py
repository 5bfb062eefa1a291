#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: zfs_snapshot_timer
short_description: A host that takes and prunes its ZFS snapshots itself
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Installs a program that applies the policies of M(hospital.continuity.zfs_snapshot), and a timer of systemd that
    runs it. Snapshots are then taken and pruned without anybody running Ansible.
  - The program reads the policies that are kept at the datasets of the imported pools, and does what
    M(hospital.continuity.zfs_snapshot) does when it is given a dataset and a prefix alone. It is the same code.
  - What goes wrong with one policy does not keep the others from being applied. It is a line in the journal, and
    C(hospital-continuity-snapshots.service) has failed then. A pool that is not C(ONLINE) or C(DEGRADED) is told and
    left alone.
options:
  state:
    description:
      - V(present) installs the program and the timer, and brings them up to date with this collection.
      - V(absent) takes them away. Policies and snapshots stay.
    type: str
    choices: [present, absent]
    default: present
  calendar:
    description:
      - When it runs, as C(OnCalendar) of systemd takes it. What is due at no run is not taken, so it should be at least
        as often as the shortest period of the policies.
      - A run that was missed because the host was down is made up for after the boot.
    type: str
    default: hourly
requirements:
  - systemd, Python 3.9 or later and OpenZFS 2.1 or later on the managed host, and root
notes:
  - "The journal has what was done: C(journalctl -u hospital-continuity-snapshots)."
  - The program is C(/var/lib/hospital.continuity/snapshots/snapshots.pyz) and needs nothing but Python.
  - Only policies that were set at a dataset itself are applied. One that came with a replication is the sender's.
seealso:
  - module: hospital.continuity.zfs_snapshot
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
"""

EXAMPLES = r"""
- name: Let the host take its snapshots every hour
  hospital.continuity.zfs_snapshot_timer:

- name: Every quarter of an hour
  hospital.continuity.zfs_snapshot_timer:
    calendar: "*:0/15"

- name: Leave it to Ansible again
  hospital.continuity.zfs_snapshot_timer:
    state: absent
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: install snapshot timer snapshots"]
before:
  description: The timer as it was, where a step was planned. C(content) stands for the program and its units.
  returned: always
  type: dict
  sample: {"snapshots": {"calendar": "daily", "content": "8d3e6f0a1b2c4d5e", "active": true}}
after:
  description: The timer as it was found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"snapshots": {"calendar": "hourly", "content": "0c9b8a7d6e5f4a3b", "active": true}}
unmet:
  description: What does not hold although every step succeeded, such as a timer that is not active.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_timer import SNAPSHOT_TIMER
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot_timer_backend import TimerBackend


def main() -> None:
    module.run_operation(SNAPSHOT_TIMER, {}, lambda params: TimerBackend())


if __name__ == "__main__":
    main()
