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
      - When C(ovs-vswitchd) does not take a change up in that time, this is told in RV(unmet).
    type: int
    default: 10
requirements:
  - C(ovs-vsctl) on the managed host, from the package openvswitch-switch
"""
