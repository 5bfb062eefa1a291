# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of what every Open vSwitch module has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  database:
    description:
      - Where Open vSwitch's database listens, as C(ovs-vsctl --db) takes it.
    type: str
    default: unix:/var/run/openvswitch/db.sock
  timeout:
    description:
      - How many seconds one transaction may take. The time C(ovs-vswitchd) needs to carry it out is included.
      - That C(ovs-vswitchd) does not take a change up in that time is no failure, and is told.
    type: int
    default: 10
requirements:
  - C(ovs-vsctl) on the managed host, from the package openvswitch-switch
"""

    MANAGEMENT = r"""
options:
  management_address:
    description:
      - The address through which this host is managed. A change to an interface, bond, bridge or port that leads to it
        needs V(management_path) in O(allow) and an armed checkpoint (M(hospital.continuity.network_checkpoint)),
        because it may cut the host off.
      - Not set, it is the address of the SSH connection that Ansible came through. On a console or in a container there
        is none; then what holds the default routes is protected.
    type: str
"""
