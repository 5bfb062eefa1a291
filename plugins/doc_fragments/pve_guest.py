# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation that VMs and containers share, and the numbered families of options written out."""

from __future__ import annotations

import textwrap

HEAD = """
options:
  config:
    description:
      - The guests. Options that an item leaves out stay as they are, see O(unlisted_options).
      - Options have the names they have in the API of Proxmox VE, with underscores for dashes.
    type: list
    elements: dict
    required: true
    suboptions:
"""

BOTH = """
vmid:
  description:
    - The number of the guest, from 100 to 999999999. It is what identifies a guest, on whatever node it is.
  type: int
  required: true
node:
  description:
    - The node on which the guest is created. Needed for that, unless O(config[].clone) is given.
    - An existing guest stays where it is. That high availability or somebody moved it to another node is no
      difference.
  type: str
pool:
  description:
    - The resource pool that a new guest is put into. The pool must exist.
    - An existing guest is not moved; use M(hospital.continuity.pve_pool) for that.
  type: str
clone:
  description:
    - Make the guest by cloning this one, given by number or name. Of several with the same name, the template is meant.
    - Everything else in the item is applied to the clone before it is started for the first time. Only options with a
      value in the item differ from the original.
    - Looked at only while the guest does not exist.
  type: str
full:
  description:
    - Whether the clone gets disks of its own. A linked clone of a template shares the template's disks and needs a
      storage that can do that, such as LVM-thin, ZFS, Ceph or qcow2 files, but not LVM.
    - Leaving it out means linked for a template and full for other guests.
  type: bool
snapname:
  description:
    - The snapshot of the original to clone, instead of its present state.
  type: str
template:
  description:
    - V(true) makes the guest a template, once everything else is as the item says. There is no way back.
    - The guest must be stopped.
  type: bool
description:
  description:
    - Any text, shown in the guest's summary. White space at the end does not matter.
  type: str
onboot:
  description:
    - Whether the guest is started when its node starts. Proxmox VE's default is V(false).
    - Guests under high availability are started by it, whatever is written here.
  type: bool
protection:
  description:
    - Whether Proxmox VE refuses to remove the guest and its disks. The default is V(false).
    - A protected guest is refused by O(state=absent) before anything is done.
  type: bool
startup:
  description:
    - Order and delays of starting and stopping with the node, for example V(order=2,up=30,down=60), seconds for the
      delays. Also written as a mapping with C(order), C(up) and C(down).
  type: raw
tags:
  description:
    - Labels, without order. Proxmox VE keeps them in lower case.
  type: list
  elements: str
hookscript:
  description:
    - The volume id of a script that the node runs around start and stop, for example V(local:snippets/hook.pl).
    - Only root@pam with its password may set it, no API token may.
  type: str
nameserver:
  description:
    - Addresses of DNS servers for the guest, the first one first.
  type: list
  elements: str
searchdomain:
  description:
    - Domains in which the guest looks names up, the first one first.
  type: list
  elements: str
shutdown_timeout:
  description:
    - How many seconds to wait for the guest to shut down or restart, before that counts as failed.
    - Without it Proxmox VE decides, which is a minute or more.
  type: int
force_stop:
  description:
    - With V(true), a guest that has not shut down in time is switched off, which is like pulling the plug.
  type: bool
purge:
  description:
    - With O(state=absent), also take the guest out of backup jobs, replication and high availability.
    - Without it a guest that is managed by high availability is not removed.
  type: bool
destroy_unreferenced_disks:
  description:
    - With O(state=absent), also destroy volumes that carry the guest's number but are in no slot, on all storages.
  type: bool
reset:
  description:
    - Options of this guest that go back to their default, whatever O(unlisted_options) says.
    - The name, the status, the boot order, the machine type, disks and network cards have none.
  type: list
  elements: str
"""

STATUS = """
status:
  description:
    - Whether the guest runs. Without the option its power is not touched; a new guest is then left stopped.
    - V(running) starts it, resumes a paused one and wakes a hibernated one, after everything else has been changed.
    - V(stopped) shuts it down before anything else is changed, which needs the consent C(stop_guest).
{paused}    - The power of a guest under high availability belongs to its HA resource. As long as it agrees nothing
      happens; otherwise the item is refused. Use M(hospital.continuity.pve_ha_resource) then.
  type: str
  choices: [{choices}]
"""

VOLUME_RULES = """
    - A disk is made once, with O(config[].disks[].storage) and O(config[].disks[].size). After that its options are
      compared, and it grows when O(config[].disks[].size) does. It never shrinks, moves to another storage or is
      exchanged for another volume; such an item is refused before anything is changed.
    - Slots that are not listed are left alone, whatever O(unlisted_options) says.
"""


def suboptions(*parts: str) -> str:
    """The parts, indented to be below `suboptions` of `config`."""
    return HEAD + "".join(textwrap.indent(part.strip("\n") + "\n", " " * 6) for part in parts)


def family(name: str, count: int, of_type: str, *description: str) -> str:
    """Documentation of name0, name1 and so on: the first in full, the others by pointing there."""
    lines = [f"{name}0:", "  description:", *(f"    - {text}" for text in description), f"  type: {of_type}"]
    for number in range(1, count):
        lines += [f"{name}{number}:", f"  description: See O(config[].{name}0).", f"  type: {of_type}"]
    return "\n".join(lines) + "\n"


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
notes:
  - Guests are found by number with one request, and read with one request each, side by side. A task with hundreds
    of guests that are as they should be takes seconds.
  - A running guest is compared with what it will be after its next restart. What waits for that is returned in
    RV(unmet). With C(restart_guest) in O(allow), the guest is restarted when something in its item waits or would wait.
  - "The words for O(allow) are as follows. Each can be limited to one guest, as in V(restart_guest:100)."
  - C(restart_guest) restarts running guests so that changes take effect.
  - C(stop_guest) shuts guests down or pauses them, and with O(state=absent) stops them before they are removed.
  - C(rename_guest) gives a guest another name. A guest that has another name than the item's may be another guest than
    the one meant, so without the consent nothing about it is changed.
  - C(detach_disk) takes a disk out of its slot. The volume is kept, as C(unusedN).
  - C(destroy_disk:<vmid>/<slot>) destroys a disk with its data, for example V(destroy_disk:100/scsi1).
  - C(detach_nic) removes a network card.
  - C(destroy_guest:<vmid>) removes the guest with all its disks, for example V(destroy_guest:100).
  - With O(unlisted_options=reset), disks and network cards that the item does not list stay. So do the name, the
    status, the boot order, the machine type and what Proxmox VE assigned, such as MAC addresses and UUIDs.
  - Not options here. Restoring a backup is an operation of its own. High availability is
    M(hospital.continuity.pve_ha_resource). C(lock), C(unusedN) and the parameters that only steer one request belong to
    Proxmox VE.
seealso:
  - module: hospital.continuity.pve_ha_resource
  - module: hospital.continuity.pve_pool
  - module: hospital.continuity.pve_info
"""
