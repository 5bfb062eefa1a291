#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_bridge
short_description: Bridges of Open vSwitch
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the bridges of an Open vSwitch as they are written, or absent.
  - What is there is read from Open vSwitch's database. All that has to change in a task, at however many bridges, is
    written in one transaction, and only what differs is written.
  - Ports and bonds of a bridge are not this module's. It never adds or removes one, except that a bridge which is
    removed takes its ports with it, for which it asks.
options:
  config:
    description: The bridges.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - The bridge's name, which is also the name of its local port, a network interface of the host.
          - A new one may have 15 characters.
        type: str
        required: true
      datapath_type:
        description:
          - How frames are forwarded. V(system) is the kernel's datapath and what Open vSwitch takes when nothing is
            said, V(netdev) the one in user space.
          - A type that this Open vSwitch does not have is refused before anything is written.
          - Changing it takes the bridge down for a moment, so with ports on the bridge it needs consent.
        type: str
      fail_mode:
        description:
          - What the bridge does while no controller answers. V(standalone), where nothing is said, forwards like any
            switch. V(secure) forwards nothing by itself.
        type: str
        choices: [standalone, secure]
      stp_enable:
        description: Whether the bridge takes part in the spanning tree protocol. Excludes O(config[].rstp_enable).
        type: bool
      rstp_enable:
        description: Whether the bridge takes part in the rapid spanning tree protocol. Excludes O(config[].stp_enable).
        type: bool
      mcast_snooping_enable:
        description: Whether the bridge learns who listens to which multicast group, and sends only there.
        type: bool
      protocols:
        description: Versions of OpenFlow a controller may speak, in any order. Empty means Open vSwitch's own choice.
        type: list
        elements: str
        choices: [OpenFlow10, OpenFlow11, OpenFlow12, OpenFlow13, OpenFlow14, OpenFlow15]
      controller:
        description:
          - The OpenFlow controllers, in any order, for example V(tcp:192.0.2.1:6653) or V(ptcp:6653).
          - A controller that stays in the list keeps its connection when others come or go.
        type: list
        elements: str
      mtu_request:
        description: The MTU of the bridge's local port. Not set, it follows the smallest MTU of the bridge's ports.
        type: int
      other_config:
        description:
          - Further settings of the bridge, for example C(mac-table-size). Numbers and booleans are compared as the text
            that Open vSwitch keeps.
          - Keys that are not listed are left alone. A key with an empty value is removed.
        type: dict
      external_ids:
        description:
          - Marks that other programs put on the bridge. Treated as O(config[].other_config) is, but never reset.
        type: dict
      reset:
        description: Names of options of this bridge that go back to their default.
        type: list
        elements: str
notes:
  - "Words for O(allow): V(cut_bridge:<name>) lets a bridge be removed that still has ports beside its own, and lets a
    change through that interrupts the ports of the bridge (O(config[].datapath_type), O(config[].fail_mode=secure),
    turning on O(config[].stp_enable) or O(config[].rstp_enable)). The message that asks for it names the ports.
    V(management_path) lets the path be touched through which this host is managed; that takes an armed checkpoint as
    well."
  - A command of Open vSwitch can succeed although nothing works. This module therefore looks whether C(ovs-vswitchd)
    runs and has taken up the configuration, whether the bridge has a datapath, whether its local port works, and
    whether the controllers listed are connected; see RV(unmet).
extends_documentation_fragment:
  - hospital.continuity.ovs
  - hospital.continuity.ovs.management
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: The bridge of the guests, in user space
  hospital.continuity.ovs_bridge:
    config:
      - name: vmbr0
        datapath_type: netdev
        rstp_enable: true
        other_config:
          mac-table-size: 4096
          rstp-priority: 28672

- name: Two bridges at once, one of them with larger frames for iSCSI
  hospital.continuity.ovs_bridge:
    config:
      - name: vmbr1
        datapath_type: netdev
        mcast_snooping_enable: true
      - name: vmbr2
        datapath_type: netdev
        mtu_request: 9000
        external_ids:
          purpose: iscsi

- name: The same bridge with one setting fewer and another back to its default
  hospital.continuity.ovs_bridge:
    config:
      - name: vmbr0
        other_config:
          rstp-priority: ""
        reset: [rstp_enable]

- name: No such bridge, whatever ports it still has
  hospital.continuity.ovs_bridge:
    config:
      - name: vmbr1
    state: absent
    allow: ["cut_bridge:vmbr1"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update bridge vmbr0: rstp_enable, other_config"]
before:
  description: The bridges a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"vmbr0": {"name": "vmbr0", "datapath_type": "netdev"}}
after:
  description: The same bridges, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"vmbr0": {"name": "vmbr0", "datapath_type": "netdev", "rstp_enable": true}}
unmet:
  description: What does not hold although everything is configured as written.
  returned: always
  type: list
  elements: str
  sample: ["ovs-vswitchd is not running: the configuration is in the database and nothing acts on it."]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.bridge import BRIDGE
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.module import run


def main() -> None:
    run(BRIDGE)


if __name__ == "__main__":
    main()
