#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bond
short_description: Bonds of Open vSwitch, with LACP that proves itself
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the bonds of an Open vSwitch as they are written, or absent.
  - What is there is read from Open vSwitch's database. All that has to change in a task, at however many bonds, is
    written in one transaction, so a member can go from one bond to another, and nothing is ever half done.
  - Members, mode, LACP, VLANs and everything else of a bond that exists are changed in place. Members that stay keep
    forwarding.
  - Afterwards, and also when nothing had to be changed, LACP has to prove itself on every member; see RV(unmet).
options:
  config:
    description: The bonds.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The bond's name.
        type: str
        required: true
      bridge:
        description:
          - The bridge that the bond is a port of. Needed for a new bond.
          - A bond that goes to another bridge takes all its members down for a moment, which needs consent.
        type: str
      members:
        description:
          - The interfaces in it, in any order. Needed for a new bond, which takes two or more.
          - Refused before anything is written are an interface that this host does not have, one that is a port of a
            bridge, and one that is in another bond (unless the same task takes it out there).
        type: list
        elements: str
      mode:
        description:
          - How traffic is spread over the members. V(active-backup), where nothing is said, uses one at a time.
            V(balance-slb) spreads by source address and VLAN without the switch's help, V(balance-tcp) by connection,
            for which it needs O(config[].lacp).
        type: str
        choices: [active-backup, balance-slb, balance-tcp]
      lacp:
        description: Whether the bond speaks LACP with the switch. V(passive) waits until the switch begins, V(off) is
          what holds where nothing is said.
        type: str
        choices: [active, passive, "off"]
      lacp_time:
        description:
          - How often the switch is asked to say that it is there. V(fast) is every second, V(slow), where nothing is
            said, every 30.
          - A member without a word for three of these intervals is out. So with V(fast), a link that is dead although
            it has a carrier costs about 3 seconds.
        type: str
        choices: [fast, slow]
      lacp_fallback_ab:
        description: Whether the bond works as V(active-backup) while no partner answers, instead of not at all.
        type: bool
      lacp_system_id:
        description: The MAC address by which the switch knows this host in LACP. Not set, it is the bridge's.
        type: str
      lacp_system_priority:
        description: Who decides in LACP, the lower number of the two sides. From 1 to 65535.
        type: int
      bond_updelay:
        description: Milliseconds a member must have a carrier before it is used.
        type: int
      bond_downdelay:
        description: Milliseconds a member may be without a carrier before it is no longer used.
        type: int
      rebalance_interval:
        description: Milliseconds between two times that traffic is spread anew, at least 1000. 0 is never.
        type: int
      detect_mode:
        description: How a lost carrier is noticed. V(carrier), where nothing is said, lets the driver tell; V(miimon)
          asks it every O(config[].miimon_interval).
        type: str
        choices: [carrier, miimon]
      miimon_interval:
        description: Milliseconds between two looks at the carrier with O(config[].detect_mode=miimon).
        type: int
      vlan_mode:
        description:
          - What the bond does with VLANs. V(access) carries the VLAN O(config[].tag) without its tag, V(trunk) all of
            O(config[].trunks) with their tags. V(native-tagged) and V(native-untagged) carry trunks, and what has no
            tag belongs to VLAN O(config[].tag). V(dot1q-tunnel) puts everything into VLAN O(config[].tag), tags and
            all.
          - Not set, a bond with a tag is V(access) and one without is V(trunk).
        type: str
        choices: [access, trunk, native-tagged, native-untagged, dot1q-tunnel]
      tag:
        description: The VLAN, from 0 to 4095, of frames without a tag.
        type: int
      trunks:
        description: The VLANs that are carried with their tag, each by its number, from 0 to 4095, in any order.
          Empty or not set, they are all of them.
        type: list
        elements: int
      cvlans:
        description: The inner VLANs that O(config[].vlan_mode=dot1q-tunnel) lets through, each by its number. Empty
          or not set, they are all of them.
        type: list
        elements: int
      mtu:
        description:
          - The MTU that is asked for on every member. More than a member's driver can do is refused before anything is
            written.
          - Counts as not set when the members differ.
        type: int
      other_config:
        description:
          - Further settings of the bond, for example C(bond-primary). Numbers and booleans are compared as the text
            that Open vSwitch keeps. Settings that are an option here are not accepted a second time.
          - Keys that are not listed are left alone. A key with an empty value is removed.
        type: dict
      external_ids:
        description: Marks that other programs put on the bond. Treated as O(config[].other_config) is, but never reset.
        type: dict
      reset:
        description: Names of options of this bond that go back to their default.
        type: list
        elements: str
notes:
  - "Words for O(allow): V(bond_flap) lets a bond go to another bridge, which takes all its members down for a moment,
    lets LACP be turned on or off, with which nothing passes until the switch's side agrees, and lets all members be
    replaced at once. V(cut_port:<name>) lets a bond be removed. Neither is asked for while every member is down.
    V(management_path) lets the path be touched through which this host is managed; that takes an armed checkpoint as
    well."
  - "That a bond calls itself negotiated proves nothing: it stays so with one of two members C(defaulted), and even
    without any partner. So every member has to be C(current attached) and enabled, and all have to see the same
    partner. What is not so is in RV(unmet), with the member, its partner and the likely cause. Without LACP, every
    member has to be enabled."
extends_documentation_fragment:
  - hospital.continuity.ovs
  - hospital.continuity.ovs.management
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: The trunk to the switch stack
  hospital.continuity.ovs_bond:
    config:
      - name: bond0
        bridge: vmbr0
        members: [eno1, eno2]
        mode: balance-tcp
        lacp: active
        lacp_time: fast
        trunks: [10, 20, 30]

- name: The iSCSI network, with large frames and without LACP
  hospital.continuity.ovs_bond:
    config:
      - name: bond1
        bridge: vmbr1
        members: [eno3, eno4]
        mode: active-backup
        tag: 40
        mtu: 9000

- name: Another NIC, another mode and one VLAN more, all at once and without losing a frame
  hospital.continuity.ovs_bond:
    config:
      - name: bond0
        members: [eno1, eno5]
        mode: balance-slb
        trunks: [10, 20, 30, 50]

- name: No such bond
  hospital.continuity.ovs_bond:
    config:
      - name: bond1
    state: absent
    allow: ["cut_port:bond1"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update bond bond0: members, trunks"]
before:
  description: The bonds a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"bond0": {"name": "bond0", "bridge": "vmbr0", "members": ["eno1", "eno2"]}}
after:
  description: The same bonds, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"bond0": {"name": "bond0", "bridge": "vmbr0", "members": ["eno1", "eno3"]}}
unmet:
  description: What does not hold although everything is configured as written.
  returned: always
  type: list
  elements: str
  sample:
    - "bond bond0: member eno2 has no carrier: look at its cable and at the switch's port."
"""

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bond import BOND
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.module import run


def main() -> None:
    run(BOND)


if __name__ == "__main__":
    main()
