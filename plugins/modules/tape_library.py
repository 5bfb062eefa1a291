#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: tape_library
short_description: Whether a tape library holds what it should, and tapes in their places
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Looks into a tape library that is attached to the host and tells what is not as it should be, in RV(unmet). That is
    tapes that are missing, tapes that nobody expects, and drives and slots that are not there.
  - Tapes that were given a place are brought there. One that is in the way and has a place of its own goes there first.
    One that is in the way and was given no place is never moved.
  - The library is known by its serial number or its name below C(/dev/tape/by-id), and its C(/dev/sgN) is looked up at
    every run.
options:
  library:
    description: The medium changer, by its serial number, its NAA or its name below C(/dev/tape/by-id).
    type: str
    required: true
  slots:
    description: How many slots it should have, those for import and export not counted.
    type: int
  import_export_slots:
    description: How many slots for import and export it should have.
    type: int
  drives:
    description:
      - The drives it should have, by serial number, NAA or name below C(/dev/tape/by-id), in the order in which the
        library counts them.
    type: list
    elements: str
  media:
    description: The tapes it should hold.
    type: list
    elements: dict
    suboptions:
      barcode:
        description: The barcode on the tape's label.
        type: str
        required: true
      slot:
        description: The slot it should be in, as C(mtx) counts. Not set, it may be anywhere.
        type: int
      drive:
        description: The drive of O(drives) it should be in. Not set, it may be anywhere.
        type: str
  unexpected_media:
    description:
      - Whether tapes that O(media) does not list are told. Cleaning cartridges, whose barcode begins with C(CLN), are
        never unexpected.
    type: str
    choices: [report, ignore]
    default: report
  cleaning_cartridge:
    description: Whether there should be a cleaning cartridge.
    type: bool
notes:
  - "Word for O(allow): V(unload_drive:<drive>) lets a tape be taken out of that drive, by its name in O(drives), or
    by its number where it is not listed there. Whoever writes to it at the moment is cut off."
  - A tape that is missing, or in the way of another one and without a place, is not searched for.
  - The library is moved by C(mtx). End what uses it from elsewhere, such as a backup program on a guest, before tapes
    are moved behind its back.
seealso:
  - module: hospital.continuity.scst_target
  - module: hospital.continuity.scst_info
requirements:
  - C(mtx) on the managed host
extends_documentation_fragment:
  - hospital.continuity.convergence.operation
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: Every tape in its place
  hospital.continuity.tape_library:
    library: HOSLIB0001
    slots: 8
    import_export_slots: 1
    drives: [HOSDRV01, HOSDRV02]
    cleaning_cartridge: true
    media:
      - {barcode: HOS001L5, slot: 2}
      - {barcode: HOS002L5, slot: 1}
      - {barcode: HOS003L5}
      - {barcode: HOS004L5}

- name: Tonight's tape into the first drive
  hospital.continuity.tape_library:
    library: HOSLIB0001
    drives: [HOSDRV01, HOSDRV02]
    media:
      - {barcode: HOS003L5, drive: HOSDRV01}
    unexpected_media: ignore

- name: And back
  hospital.continuity.tape_library:
    library: HOSLIB0001
    drives: [HOSDRV01, HOSDRV02]
    media:
      - {barcode: HOS003L5, slot: 3}
    unexpected_media: ignore
    allow: ["unload_drive:HOSDRV01"]
"""

RETURN = r"""
steps:
  description: One line for each movement, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: load tape HOS003L5"]
before:
  description: Where the tapes were that are moved, by barcode.
  returned: always
  type: dict
  sample: {"HOS003L5": {"barcode": "HOS003L5", "slot": 3}}
after:
  description: Where they were found afterwards, or will be in check mode.
  returned: always
  type: dict
  sample: {"HOS003L5": {"barcode": "HOS003L5", "drive": 0}}
unmet:
  description: What is not as it should be. Not looked at in check mode while tapes have to move.
  returned: always
  type: list
  elements: str
  sample: ["library HOSLIB0001: tape HOS004L5 is not in it."]
library:
  description: What the library holds, as RV(hospital.continuity.scst_info#module:libraries) shows it. In check mode,
    what it holds before anything moves.
  returned: always
  type: dict
  sample:
    library: HOSLIB0001
    drives: [{"drive": 0, "full": true, "barcode": "HOS003L5", "from_slot": 3}]
    slots: [{"slot": 1, "full": false, "barcode": "", "import_export": false, "cleaning": false}]
"""

from ansible_collections.hospital.continuity.plugins.module_utils.tape.library import LIBRARY
from ansible_collections.hospital.continuity.plugins.module_utils.tape.module import run


def main() -> None:
    run(LIBRARY)


if __name__ == "__main__":
    main()
