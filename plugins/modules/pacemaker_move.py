#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pacemaker_move
short_description: Move what a Pacemaker cluster runs to another node
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Has a Pacemaker cluster run a resource or a group on O(node), or anywhere but on O(away_from), and waits until it
    and all that runs with it are there and the cluster has nothing more to do. Where that is so already, nothing is
    done.
  - "The constraint by which Pacemaker moves is taken away again in any case. Should nobody be left to do that, it ends
    by itself: a minute after O(timeout)."
  - "It is refused before anything is touched where it could not arrive: the node is offline, in standby or in
    maintenance, something that goes along failed there or may not run there, the node is marked as behind (an attribute
    named for the resource, C(<resource>-behind), as C(ocf:hospital:mysql_writer) sets it), there is no quorum, or
    Pacemaker's own scheduler, asked beforehand, would put it elsewhere."
options:
  resource:
    description: The resource or the group. Clones cannot be moved.
    type: str
    required: true
  node:
    description: The node to move it to. Either this or O(away_from).
    type: str
  away_from:
    description: The node to move it away from; where to is the cluster's to choose.
    type: str
  timeout:
    description: How many seconds it may take to arrive.
    type: int
    default: 60
requirements:
  - Pacemaker 2.1 or later with its command line programs, running on the managed host, and root
notes:
  - One node of the cluster is enough. It may be any one, also one that has nothing to do with the move.
  - What is moved is interrupted meanwhile. That is what this module is for, and needs no word of consent.
  - "Something stays where it was moved to only if C(resource-stickiness) is more than what draws it back. Where it goes
    back at once, the module fails and says so."
seealso:
  - module: hospital.continuity.pacemaker_cib
  - module: hospital.continuity.mysql_topology
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
"""

EXAMPLES = r"""
- name: Have b write from now on
  hospital.continuity.pacemaker_move:
    resource: writer
    node: b
  run_once: true

- name: Empty a before its maintenance
  hospital.continuity.pacemaker_move:
    resource: writer
    away_from: a
    timeout: 120
  run_once: true
"""

RETURN = r"""
nodes:
  description: Where the resource runs now. Empty where it runs nowhere.
  returned: always
  type: list
  elements: str
  sample: [b]
together:
  description: What can only be where the resource is, and went along.
  returned: always
  type: list
  elements: str
  sample: [address, nginx-service]
seconds:
  description: How many seconds it took in this run until everything had arrived and the cluster was at rest. 0 where
    nothing was moved.
  returned: always
  type: float
  sample: 1.62
steps:
  description: What was done, and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: move resource writer: to b"]
before:
  description: Where the resource was, by its name.
  returned: always
  type: dict
  sample: {writer: {nodes: [a]}}
after:
  description: Where it was found afterwards, or will be in check mode.
  returned: always
  type: dict
  sample: {writer: {nodes: [b]}}
unmet:
  description: What does not run although the move succeeded.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.move import MOVING
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.move_backend import MoveBackend


def main() -> None:
    module.run_operation(MOVING, {}, lambda params: MoveBackend(params["timeout"]))


if __name__ == "__main__":
    main()
