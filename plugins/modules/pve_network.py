#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_network
short_description: Network interfaces of a Proxmox VE node
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Describes what stands in a node's C(/etc/network/interfaces), through Proxmox VE's API. Linux and Open vSwitch
    bridges, bonds, VLANs and ports, network cards and aliases.
  - Everything a task changes on a node is staged first, read back and compared, because Proxmox VE accepts some changes
    and silently does something else. Only when all of it is staged as written is it put in force, at once. When
    anything is not, all of it is taken back.
  - Afterwards the module waits for the node's reload, through an interruption of the connection too, and looks at both
    the file and what is up.
  - The members of an Open vSwitch bond that runs are changed on the node itself before the file is, in one transaction,
    because ifupdown2 leaves such a bond as it was and says that all is well. See O(node_host).
  - A change of a bridge leaves its ports alone.
options:
  config:
    description: The interfaces. In one task something may change on one node only.
    type: list
    elements: dict
    required: true
    suboptions:
      node:
        description:
          - The node, by its name in the cluster.
        type: str
        required: true
      iface:
        description:
          - The name of the interface, of at most 15 characters.
          - Proxmox VE concludes some types from names. A Linux bond is called V(bond0) and so on; V(vmbr0) is a bridge;
            what begins with V(en) is a network card; V(bond0.100) is VLAN 100 on V(bond0); V(vmbr0:1) is an alias.
        type: str
        required: true
      type:
        description:
          - What it is. Needed to create one.
          - Another type means that it is removed and made again. Only network cards change between V(eth) and
            V(OVSPort) in place.
          - Network cards are found, not made. With O(state=absent) one loses its configuration.
        type: str
        choices: [bridge, bond, vlan, eth, alias, OVSBridge, OVSBond, OVSPort, OVSIntPort]
      autostart:
        description:
          - Whether it is started when the node boots and when the network is reloaded. Without it, it is not.
          - Ports of an Open vSwitch bridge always are, and so are the members of a bond.
        type: bool
      cidr:
        description:
          - The IPv4 address with its network, as in V(10.0.0.1/24). There is no other form; Proxmox VE shows the same
            as address and netmask, too.
        type: str
      gateway:
        description:
          - The default gateway for IPv4. A node has one.
        type: str
      cidr6:
        description:
          - The IPv6 address with its network, as in V(fd00::1/64).
        type: str
      gateway6:
        description:
          - The default gateway for IPv6. A node has one.
        type: str
      mtu:
        description:
          - The largest packet in bytes, from 1280 to 65520. What carries frames must take as large ones as what it
            carries. A Linux bridge is carried by its ports, a VLAN by its device, a bond's members by the bond, ports
            of Open vSwitch by their bridge.
        type: int
      comments:
        description:
          - Text for people, in one or more lines.
        type: str
      bridge_ports:
        description:
          - For V(bridge), its ports. Their order means nothing.
        type: list
        elements: str
      bridge_vlan_aware:
        description:
          - For V(bridge), whether it knows VLANs, so that guests' network cards can have one.
        type: bool
      bridge_vids:
        description:
          - For V(bridge), the VLANs it lets pass, as numbers and ranges like V(20-29). All of them (V(2-4094)) where
            nothing is said.
        type: list
        elements: str
      slaves:
        description:
          - For V(bond), its members. Their order means nothing.
        type: list
        elements: str
      ovs_bonds:
        description:
          - For V(OVSBond), its members, which are network cards. Their order means nothing.
        type: list
        elements: str
      bond_mode:
        description:
          - How the members of a bond share the work. For V(bond) one of V(balance-rr) (the default), V(active-backup),
            V(balance-xor), V(broadcast), V(802.3ad), V(balance-tlb) and V(balance-alb).
          - For V(OVSBond) one of V(active-backup) (the default), V(balance-slb), V(lacp-balance-slb) and
            V(lacp-balance-tcp).
        type: str
        choices: [balance-rr, active-backup, balance-xor, broadcast, 802.3ad, balance-tlb, balance-alb, balance-slb,
                  lacp-balance-slb, lacp-balance-tcp]
      bond_xmit_hash_policy:
        description:
          - For V(bond) in the modes V(802.3ad) and V(balance-xor), what decides about the member that a packet takes.
        type: str
        choices: [layer2, layer2+3, layer3+4]
      bond_primary:
        description:
          - For V(bond) in the mode V(active-backup), the member that is used while it works.
        type: str
      vlan_id:
        description:
          - For V(vlan), its number, where the name does not say it. Fixed once it exists.
        type: int
      vlan_raw_device:
        description:
          - For V(vlan), the interface it is on, where the name does not say it. Fixed once it exists.
        type: str
      ovs_bridge:
        description:
          - For V(OVSBond), V(OVSPort) and V(OVSIntPort), the bridge it is a port of. Said here and not at the bridge,
            which therefore has no list of ports.
        type: str
      ovs_tag:
        description:
          - For V(OVSBond), V(OVSPort) and V(OVSIntPort), the VLAN of its untagged frames.
        type: int
      ovs_options:
        description:
          - "For the types of Open vSwitch, what else it is told about the port or bridge, as a mapping:
            C({vlan_mode: native-untagged, trunks: [10, 20], 'other_config:lacp-time': fast}). Also taken as the text
            that Proxmox VE shows."
          - Keys that are not listed stay as they are. An empty value takes one out.
        type: raw
      reset:
        description:
          - Options of this interface that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
  node_host:
    description:
      - Where the node itself is reached, as C(ssh://root@192.0.2.11). Needed for the members of an Open vSwitch bond
        that runs, and to see whether a network checkpoint is armed; used to compare bonds, their LACP and MTUs with the
        file.
      - Without it the node itself is asked if the module runs there, otherwise only the API.
      - The machine on which the module runs connects to it, with its own SSH keys and known hosts.
    type: str
  database:
    description:
      - Where the node's Open vSwitch database listens, as C(ovs-vsctl --db) takes it. Without it, where Debian's
        package puts it on the node.
      - Without O(node_host), and when the module does not run on the node, it is asked from here.
    type: str
  management_address:
    description:
      - The address through which the node is managed. Interfaces on the way to it are guarded by the word
        V(management_path).
      - Without it those count that have an address by which the API or the cluster calls the node, and the one with the
        default gateway; where none of these is known, all that have an address.
    type: str
notes:
  - "Words for O(allow):"
  - V(cut_bridge:<iface>) to remove a bridge that has ports or an address, or to give it another type.
  - V(cut_port:<iface>) to remove an interface that is up or in use, or to take it from its bridge.
  - V(bond_flap) for changes of a bond that cannot be made while it is up, as another mode of a Linux bond, for LACP
    turned on or off on a bond of Open vSwitch, and for a change that leaves no member in place.
  - V(management_path) to change what is on the path through which the node is managed. A network checkpoint must be
    armed on the node as well, see M(hospital.continuity.network_checkpoint).
  - V(apply_pending:<node>) to apply, together with these, changes that somebody else has staged and not applied. With
    nothing else to do they are applied alone.
  - V(discard_pending:<node>) to drop such changes instead.
  - Without one of the last two a task that has something to do on a node with such changes is refused; a task that has
    nothing to do says so in RV(unmet).
  - Everything is compared with the pending file where there is one, because that is what Proxmox VE shows.
  - Comments of an interface's IPv6 part are left alone. Lines that Proxmox VE does not know stay as they are as long as
    the interface does not have to be made again.
  - Needs the privileges Sys.Modify on C(/nodes/<node>), and SDN.Audit on C(/sdn/zones/localnetwork) to see bridges.
seealso:
  - module: hospital.continuity.network_checkpoint
  - module: hospital.continuity.ovs_bond
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: The LAN trunk of the first node, two ports with LACP
  hospital.continuity.pve_network:
    config:
      - node: pve1
        iface: vmbr1
        type: OVSBridge
        autostart: true
        comments: wards and machines
      - node: pve1
        iface: bond0
        type: OVSBond
        ovs_bridge: vmbr1
        ovs_bonds: [eno2, eno3]
        bond_mode: lacp-balance-tcp
        ovs_options:
          trunks: [10, 20, 30]
          other_config:lacp-time: fast
      - node: pve1
        iface: pacs
        type: OVSIntPort
        ovs_bridge: vmbr1
        ovs_tag: 20
        cidr: 10.20.0.11/24

- name: Jumbo frames for the storage network, on a Linux bridge
  hospital.continuity.pve_network:
    config:
      - node: pve2
        iface: eno4
        mtu: 9000
      - node: pve2
        iface: vmbr2
        type: bridge
        autostart: true
        bridge_ports: [eno4]
        mtu: 9000
        cidr: 10.98.0.12/24

- name: The bridge is no longer needed
  hospital.continuity.pve_network:
    config:
      - node: pve2
        iface: vmbr2
    state: absent
    allow: ["cut_bridge:vmbr2"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode). Those of a node end all alike.
  returned: always
  type: list
  elements: str
  sample: ["done: create network pve1/vmbr1", "done: create network pve1/bond0"]
before:
  description: The interfaces a step was planned for, by node and name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"pve1/vmbr1": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"pve1/vmbr1": {"node": "pve1", "iface": "vmbr1", "type": "OVSBridge", "autostart": true}}
unmet:
  description: What does not hold although the file is as written. An interface that is not up, a bond that runs
    otherwise than its file says, LACP that has not come about, another MTU, changes that are staged and not applied.
  returned: always
  type: list
  elements: str
  sample: ["vmbr1 on pve1 is not up"]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import CONNECTION_ARGUMENTS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network import open_backend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network_node import ARGUMENTS


def main() -> None:
    run(NETWORK, {**CONNECTION_ARGUMENTS, **ARGUMENTS}, open_backend)


if __name__ == "__main__":
    main()
