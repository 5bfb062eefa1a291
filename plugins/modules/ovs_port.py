#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: ovs_port
short_description: Ports of Open vSwitch, tagged, trunked, internal, and tunnels that are encrypted
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes the ports of an Open vSwitch as they are written, or absent. A port here is one with a single interface;
    those with several are M(hospital.continuity.ovs_bond)'s, and a bridge's own local port is
    M(hospital.continuity.ovs_bridge)'s.
  - What is there is read from Open vSwitch's database. All that has to change in a task is written in one
    transaction, so a tunnel never exists without its encryption.
options:
  config:
    description: The ports.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the port and of its interface. With O(config[].type=internal) a new one may have 15
          characters.
        type: str
        required: true
      bridge:
        description: The bridge that it is a port of. Needed for a new port. Moving it to another one needs consent.
        type: str
      type:
        description:
          - What is behind the port. V(system), where nothing is said, is a network interface of this host by that
            name, V(internal) a new one for the host itself, V(patch) a port of another bridge, and V(gre), V(vxlan),
            V(geneve) and others that this Open vSwitch has are tunnels.
          - A network interface that this host does not have, or that is in a bond, is refused before anything is
            written.
        type: str
      mac:
        description: The MAC address, with O(config[].type=internal).
        type: str
      vlan_mode:
        description:
          - What the port does with VLANs. V(access) carries the VLAN O(config[].tag) without its tag, V(trunk) all of
            O(config[].trunks) with their tags. V(native-tagged) and V(native-untagged) carry trunks, and what has no
            tag belongs to VLAN O(config[].tag). V(dot1q-tunnel) puts everything into VLAN O(config[].tag), tags and
            all.
          - Not set, a port with a tag is V(access) and one without is V(trunk).
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
      mtu_request:
        description: The MTU of the interface. More than a driver can do is refused before anything is written.
        type: int
      peer:
        description: The port at the other end, with O(config[].type=patch).
        type: str
      remote_ip:
        description: The address of a tunnel's other end, or V(flow).
        type: str
      local_ip:
        description: This host's address that a tunnel goes out from, or V(flow).
        type: str
      key:
        description: What keeps tunnels between the same two addresses apart (a VXLAN's or Geneve's VNI). A number, or
          V(flow). It is no secret.
        type: str
      dst_port:
        description: The UDP or TCP port of a tunnel, where it is not the usual one.
        type: int
      psk:
        description:
          - The pre-shared key that encrypts a tunnel with IPsec. Needs C(openvswitch-ipsec) on both sides, which
            reads it from the database.
          - It is compared with the one in the database and never shown. It is written through the database's socket
            and never stands in a command line or a log.
          - Left out, the key that is there stays. An empty one takes it away. Excludes O(config[].remote_cert) and
            O(config[].remote_name).
        type: str
      remote_cert:
        description:
          - The file with the other side's own certificate, which encrypts a tunnel with IPsec.
          - This side's certificate and key are set once for the whole Open vSwitch, in its C(other_config).
        type: str
      remote_name:
        description: The name in the other side's certificate, which a common authority has signed, to encrypt a
          tunnel with IPsec.
        type: str
      options:
        description:
          - Further settings of the interface, for example C(tos) of a tunnel. Numbers and booleans are compared as
            the text that Open vSwitch keeps. Settings that are an option here are not accepted a second time.
          - Keys that are not listed are left alone. A key with an empty value is removed.
        type: dict
      other_config:
        description: Further settings of the port. Treated as O(config[].options) are.
        type: dict
      external_ids:
        description: Marks that other programs put on the port. Treated as O(config[].options) are, but never reset.
        type: dict
      reset:
        description: Names of options of this port that go back to their default.
        type: list
        elements: str
notes:
  - "Words for O(allow): V(cut_port:<name>) lets a port be removed, go to another bridge, or become one of another
    O(config[].type). It is not asked for while its link is down. V(management_path) lets the path be touched through
    which this host is managed; that takes an armed checkpoint as well."
  - A tunnel with O(config[].psk), O(config[].remote_cert) or O(config[].remote_name) is looked at in the kernel
    afterwards, and also when nothing had to be changed. Unless it is encrypted in both directions, RV(unmet) says so.
extends_documentation_fragment:
  - hospital.continuity.ovs
  - hospital.continuity.ovs.management
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: The host's own interface in the management VLAN, and a server on VLAN 20
  hospital.continuity.ovs_port:
    config:
      - name: mgmt
        bridge: vmbr0
        type: internal
        tag: 10
      - name: eno3
        bridge: vmbr0
        tag: 20

- name: The same server also on other VLANs, tagged
  hospital.continuity.ovs_port:
    config:
      - name: eno3
        vlan_mode: native-untagged
        trunks: [30, 40]

- name: A tunnel to the other building that nobody can listen to
  hospital.continuity.ovs_port:
    config:
      - name: vx-annex
        bridge: vmbr0
        type: vxlan
        remote_ip: 192.0.2.20
        key: 100
        psk: "{{ vault_annex_psk | default('from your vault') }}"

- name: Two bridges, connected
  hospital.continuity.ovs_port:
    config:
      - name: to-vmbr1
        bridge: vmbr0
        type: patch
        peer: to-vmbr0
      - name: to-vmbr0
        bridge: vmbr1
        type: patch
        peer: to-vmbr1

- name: No such port
  hospital.continuity.ovs_port:
    config:
      - name: eno3
    state: absent
    allow: ["cut_port:eno3"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update port eno3: vlan_mode, trunks"]
before:
  description: The ports a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"eno3": {"name": "eno3", "bridge": "vmbr0", "tag": 20}}
after:
  description: The same ports, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"eno3": {"name": "eno3", "bridge": "vmbr0", "tag": 20, "trunks": [30, 40], "vlan_mode": "native-untagged"}}
unmet:
  description: What does not hold although everything is configured as written.
  returned: always
  type: list
  elements: str
  sample: ["port eno3: it has no carrier: look at its cable and at the port at its other end."]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.port import PORT


def main() -> None:
    run(PORT)


if __name__ == "__main__":
    main()
