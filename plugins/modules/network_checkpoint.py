#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: network_checkpoint
short_description: A way back from a change of a host's network
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Saves the network's configuration and arms a rollback that comes by itself, so that a change which cuts the host off
    is undone without anybody walking to it. The change stays only when it is confirmed in time.
  - "The configuration is C(/etc/network/interfaces) with C(interfaces.d), the bridges of Open vSwitch with all that
    belongs to them, and the kernel's addresses, routes and MTUs."
  - Two things roll back. A timer of systemd, when O(timeout) is over, and after a reset of the host a unit that runs
    before networking is started. Neither needs Ansible or the network.
  - M(hospital.continuity.ovs_bridge), M(hospital.continuity.ovs_bond), M(hospital.continuity.ovs_port) and
    M(hospital.continuity.pve_network) refuse to touch the path a host is managed through unless a checkpoint is armed.
options:
  action:
    description:
      - V(arm) saves the configuration and starts the time. It is refused while another checkpoint is armed, because
        that one would otherwise be replaced by the changed configuration.
      - V(confirm) keeps the change. The connection to the host is closed first, and the host must be reached anew. Then
        O(peers) must answer from it.
      - V(roll_back) undoes the change at once.
      - V(status) says what has become of the last checkpoint, and changes nothing.
    type: str
    choices: [arm, confirm, roll_back, status]
    required: true
  timeout:
    description:
      - Seconds from arming to the rollback, from 5 to 600.
      - Where a watchdog of high availability is active (C(watchdog-mux) or C(pve-ha-lrm) of Proxmox VE, or C(sbd)), at
        most 50. These reset a node that has lost its cluster for 60 seconds, and the rollback has to come before.
    type: int
    default: 45
  peers:
    description:
      - Who must answer from the host before the change is confirmed. An address or name is pinged, C(host:port) must
        accept a TCP connection. An IPv6 address with a port stands in brackets, as in V([fd00::1]:3260).
      - Given with O(action=arm) they must answer before the change already, and are those that V(confirm) asks. It may
        ask others.
    type: list
    elements: str
  reach_timeout:
    description:
      - How many seconds V(confirm) tries to reach the host, long enough for a host that was reset to start.
    type: int
    default: 300
  interfaces_file:
    description:
      - The configuration of ifupdown. Files in the directory of the same name with C(.d) behind it belong to it.
      - What Proxmox VE collects in C(interfaces.new) is not saved and not touched, except after a reset while armed,
        when Proxmox VE would put it in force at that start. It is put aside then, and the result of V(confirm) says
        where.
    type: path
    default: /etc/network/interfaces
  database:
    description:
      - Where Open vSwitch's database listens on the host, a C(unix:) or C(tcp:) address.
      - Where nothing is at the usual place, the host has no Open vSwitch to save.
    type: str
    default: unix:/var/run/openvswitch/db.sock
requirements:
  - systemd and iproute2 on the managed host, and root
notes:
  - Nothing is asked for in C(allow). Rolling back is what the checkpoint was armed for.
  - What a change task meets when it cuts its own connection is up to SSH. With C(ignore_unreachable) the play goes on
    to confirm, which tells in one message whether the host came back and with which configuration.
  - An SSH connection without keepalive does not notice that the host was reset, and the change task waits for hours.
    Set C(-o ServerAliveInterval=5 -o ServerAliveCountMax=3) in C(ansible_ssh_common_args).
  - "Ports of guests are left alone, by their names (C(tap*), C(veth<vmid>i<n>), C(fwpr*), C(fwln*), C(vnet*)): those of
    guests started meanwhile stay."
  - ifupdown2's C(ifreload -a) applies the files that were put back. With the older ifupdown, files come back, and
    addresses, routes and MTUs of interfaces that are there. An interface that was deleted since is not made again.
  - "The last copy stays in C(/var/lib/hospital.continuity/network-checkpoint), readable by root only."
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
"""

EXAMPLES = r"""
- name: Arm a way back
  hospital.continuity.network_checkpoint:
    action: arm
    timeout: 45

- name: What would happen if nobody confirmed
  hospital.continuity.network_checkpoint:
    action: status
  register: before_the_change

# Here comes the change itself, with allow: [management_path] and ignore_unreachable: true.

- name: Keep the change if this host can be reached, and reaches itself
  hospital.continuity.network_checkpoint:
    action: confirm
    peers: ["127.0.0.1"]

- name: Arm another
  hospital.continuity.network_checkpoint:
    action: arm

- name: Undo what was done since, without waiting
  hospital.continuity.network_checkpoint:
    action: roll_back
"""

RETURN = r"""
checkpoint:
  description: What has become of the last checkpoint.
  returned: always, except when the host cannot be reached
  type: dict
  contains:
    state:
      description: V(none), V(armed), V(confirmed), V(rolling_back) or V(rolled_back).
      type: str
      returned: always
    armed_at:
      description: When it was armed, in UTC.
      type: str
      returned: when there is one
    by:
      description: Who armed it.
      type: str
      returned: when there is one
    timeout:
      description: Seconds from arming to the rollback.
      type: int
      returned: when there is one
    remaining:
      description: Seconds left until the rollback.
      type: int
      returned: when there is one
    peers:
      description: Who must answer before it is confirmed.
      type: list
      elements: str
      returned: when there is one
    ended_at:
      description: When it was confirmed or rolled back, in UTC. Empty before.
      type: str
      returned: when there is one
    reason:
      description: Why it was rolled back.
      type: str
      returned: when there is one
    notes:
      description: What the rollback could not put back, or left alone.
      type: list
      elements: str
      returned: when there is one
  sample:
    state: rolled_back
    armed_at: "2026-03-01T01:00:00Z"
    by: admin from 192.0.2.10
    timeout: 45
    remaining: 0
    peers: []
    ended_at: "2026-03-01T01:00:46Z"
    reason: nobody confirmed within 45 s
    notes: []
unreached:
  description: How many seconds the host could not be reached, as V(confirm) saw it.
  returned: with O(action=confirm), from the control host
  type: int
  sample: 31
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: arm network checkpoint"]
before:
  description: The checkpoint as it was, where a step was planned.
  returned: always
  type: dict
  sample: {"checkpoint": {"state": "armed", "timeout": 45, "peers": []}}
after:
  description: The checkpoint as it was found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"checkpoint": {"state": "confirmed", "timeout": 45, "peers": []}}
unmet:
  description: What does not hold although every step succeeded, such as a timer that is not active.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint_operation import CHECKPOINT
from ansible_collections.hospital.continuity.plugins.module_utils.network.module import run


def main() -> None:
    run(CHECKPOINT)


if __name__ == "__main__":
    main()
