#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_note
short_description: Notes that every node of a Proxmox VE cluster sees
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Reads, writes or removes a note in the cluster's own file system, where it is the same on every node and stays when
    a run is killed or a node is gone.
  - A note may have an owner. Whoever else writes or removes it needs consent that names the owner, so a note also keeps
    two runs from doing the same at once. Which of two that write at the same moment is first, the cluster decides.
  - Runs on any node of the cluster.
options:
  name:
    description: The note's name, of small letters, digits, dots and dashes.
    type: str
    required: true
  action:
    description: What is done with it.
    type: str
    choices: [read, write, remove]
    default: read
  owner:
    description: Who writes or removes it. A note without an owner is everybody's.
    type: str
  content:
    description: What is written. Nothing secret, since everybody who sees the cluster's files can read it.
    type: dict
  path:
    description: Where notes are kept. The directory above it must be there.
    type: path
    default: /etc/pve/hospital-continuity
requirements:
  - Proxmox VE on the managed host, and root
notes:
  - "Words of consent: V(take_note:<owner>) for a note that belongs to somebody else. One that cannot be read belongs to
    V(unreadable)."
  - Without quorum nothing can be written, because Proxmox VE makes the directory read-only.
seealso:
  - module: hospital.continuity.pve_node_maintenance
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: Say that we are at work
  hospital.continuity.pve_note:
    name: upgrade
    action: write
    owner: control1:4711
    content: {since: "2026-11-22 03:00:00"}

- name: See who is
  hospital.continuity.pve_note:
    name: upgrade
  register: found

- name: Take it over from somebody who is certainly dead
  hospital.continuity.pve_note:
    name: upgrade
    action: write
    owner: control2:815
    allow: ["take_note:control1:4711"]

- name: Be done
  hospital.continuity.pve_note:
    name: upgrade
    action: remove
    owner: control2:815
"""

RETURN = r"""
note:
  description: The note as it is now.
  returned: always
  type: dict
  contains:
    exists:
      description: Whether there is one.
      type: bool
      returned: always
    owner:
      description: Whose it is. Empty where it is everybody's.
      type: str
      returned: always
    content:
      description: What it says.
      type: dict
      returned: always
  sample: {exists: true, owner: "control1:4711", content: {since: "2026-11-22 03:00:00"}}
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: write note upgrade"]
before:
  description: The note as it was, where a step was planned. Null where there was none.
  returned: always
  type: dict
  sample: {"upgrade": null}
after:
  description: The note as it was found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"upgrade": {"owner": "control1:4711", "content": {}}}
unmet:
  description: Empty; a note that was written is there.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import module
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.notes import NOTE
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.notes_backend import open_backend


def main() -> None:
    arguments = {"path": {"type": "path", "default": "/etc/pve/hospital-continuity"}}
    module.run_operation(NOTE, arguments, open_backend)


if __name__ == "__main__":
    main()
