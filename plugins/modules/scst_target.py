#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: scst_target
short_description: Tape drives and changers exported by iSCSI with SCST
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes iSCSI targets of SCST as they are written, or absent, in the running SCST and in C(scst.conf), so that a
    reboot brings them back.
  - A device is known by what does not move, its serial number or its name below C(/dev/tape/by-id), and is looked up at
    every run. A drive that vanished and came back under another number is exported again by one run. A drive that is
    not there is told in RV(unmet), and the rest is exported all the same. Only where none of the devices is there, the
    module fails.
  - "Closed by default: an initiator that is in no group of a target sees nothing, a target that is granted to nobody is
    open to nobody, and a drive is granted to one initiator only."
  - SCST checks next to nothing of what it is told. So names, addresses and secrets are checked here before anything is
    written.
  - SCST is loaded and started when it is not, and its daemon when it has died. C(scstadmin) is not used.
options:
  config:
    description: The targets.
    type: list
    elements: dict
    required: true
    suboptions:
      target:
        description:
          - The target's iSCSI name (IQN), in lower case, as C(iqn.YEAR-MONTH.REVERSED.DOMAIN:NAME).
        type: str
        required: true
      enabled:
        description:
          - Whether the target serves anybody. Where nothing is said, a target does.
          - Disabling one ends its sessions, which needs consent.
        type: bool
      allowed_portals:
        description:
          - The addresses of this host under which the target is found and logged in to, as addresses or patterns like
            V(10.10.90.*). Not set, or empty, they are all of them.
          - The daemon listens everywhere all the same. Sessions that are open stay.
        type: list
        elements: str
      incoming_users:
        description:
          - With which names and secrets initiators prove themselves (CHAP). The list is complete; a user who is not in
            it cannot log in. An empty list lets everybody in without a secret who is in a group.
          - Sessions that are open stay when it is changed.
        type: list
        elements: dict
        suboptions:
          user:
            description: The name, without blanks and C(=).
            type: str
            required: true
          secret:
            description:
              - The secret, of 12 to 128 ASCII characters without blanks, C(=), quotes, braces, C(#) and backslash.
                Initiators on Windows take at most 16.
              - It is compared and never shown. A user that is there keeps its secret where none is given.
            type: str
      outgoing_user:
        description: With which name the target proves itself to initiators that ask it to. There is one at most.
        type: str
      outgoing_secret:
        description:
          - The secret of O(config[].outgoing_user), another one than those of O(config[].incoming_users).
          - It is compared and never shown. Left out, it stays.
        type: str
      groups:
        description:
          - Who gets what. The list is complete, as are those of initiators and LUNs in it, but what an item leaves out
            stays as it is.
        type: list
        elements: dict
        suboptions:
          name:
            description: The group's name, of letters, digits, C(-), C(_) and C(.).
            type: str
            required: true
          initiators:
            description:
              - The iSCSI names of the initiators, written out. An initiator is in one group of a target only.
            type: list
            elements: str
          luns:
            description: What the group's initiators see.
            type: list
            elements: dict
            suboptions:
              lun:
                description: The number, from 0 to 16383.
                type: int
                required: true
              device:
                description:
                  - The tape drive or medium changer, by its serial number, its NAA (C(naa.5000...)) or its name below
                    C(/dev/tape/by-id). M(hospital.continuity.scst_info) shows them.
                  - A virtual device that SCST already has is known by its name.
                type: str
              read_only:
                description:
                  - Whether nothing may be written to it. SCST cannot change it in place, so the LUN is taken away for a
                    moment.
                type: bool
              handler:
                description:
                  - What claims the device in SCST. It has to be for the device's sort. Not set, a device that is
                    claimed stays with its handler, and another is claimed by V(dev_tape) or V(dev_changer).
                type: str
                choices:
                  - dev_cdrom
                  - dev_changer
                  - dev_disk
                  - dev_disk_perf
                  - dev_modisk
                  - dev_modisk_perf
                  - dev_processor
                  - dev_raid
                  - dev_tape
                  - dev_tape_perf
      comment:
        description: A text for people.
        type: str
      max_sessions:
        description: How many sessions the target takes, from 0 to 65535. V(0), where nothing is said, is no limit.
        type: int
      queued_commands:
        description: How many commands an initiator may have under way, from 1 to 2048. Where nothing is said, 32.
        type: int
      nop_in_interval:
        description:
          - Seconds of silence after which an initiator is asked whether it is still there, up to 60, where nothing is
            said 30. V(0) never asks.
        type: int
      nop_in_timeout:
        description: Seconds it may take to answer that, from 2 to 60, where nothing is said 30.
        type: int
      rsp_timeout:
        description: Seconds after which a session without an answer ends, from 2 to 65535, where nothing is said 90.
        type: int
      header_digest:
        description: The checksums offered for headers, V(None), V(CRC32C) or both with a comma. Where nothing is said,
          V(None).
        type: str
      data_digest:
        description: The checksums offered for data, as O(config[].header_digest).
        type: str
      reset:
        description: Names of options of this target that go back to their default.
        type: list
        elements: str
notes:
  - "Word for O(allow): V(cut_session), or V(cut_session:<target>) for one target, lets sessions be ended or LUNs be
    taken from initiators that are logged in: when a target is removed or disabled, when an initiator leaves its
    group, and when a LUN in use goes, gets another device or another O(config[].groups[].luns[].read_only). It also
    lets LUNs go that a target offers to everybody, which is done wherever O(config[].groups) is given. Whoever is
    about to lose access may first not come back, is then put out, and is waited for."
  - In C(scst.conf), everything about tape drives, changers and iSCSI targets is what runs. What else is in it, like
    other target drivers and virtual disks, stays as it is. The file is written whole or not at all, with mode 0600,
    because it holds the secrets. A file that differs is put right by the next run.
  - A drive that is missing when SCST starts keeps all of SCST from starting. O(state_directory) holds what is needed
    against that.
seealso:
  - module: hospital.continuity.scst_info
  - module: hospital.continuity.tape_library
extends_documentation_fragment:
  - hospital.continuity.scst
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
"""

EXAMPLES = r"""
- name: The tape library for the backup server
  hospital.continuity.scst_target:
    config:
      - target: iqn.2016-01.ar.hospital:ts3200
        allowed_portals: [10.10.90.*]
        incoming_users:
          - user: backupuser
            secret: "{{ tape_secret | default('keep-it-in-vault') }}"
        groups:
          - name: backup
            initiators: [iqn.1993-08.org.debian:01:backup]
            luns:
              - {lun: 0, device: HOSLIB0001}
              - {lun: 1, device: HOSDRV01}
              - {lun: 2, device: HOSDRV02}

- name: Another server reads, and nobody is logged in at the moment
  hospital.continuity.scst_target:
    config:
      - target: iqn.2016-01.ar.hospital:ts3200
        groups:
          - name: backup
            initiators: [iqn.1993-08.org.debian:01:restore]
        queued_commands: 64

- name: No such target
  hospital.continuity.scst_target:
    config:
      - target: iqn.2016-01.ar.hospital:ts3200
    state: absent
    allow: ["cut_session:iqn.2016-01.ar.hospital:ts3200"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode). V(scst.conf) in it means that
    only the file differed.
  returned: always
  type: list
  elements: str
  sample: ["done: update target iqn.2016-01.ar.hospital:ts3200: groups"]
before:
  description: The targets a step was planned for, by name, as they were. Null for one that did not run. C(saved) tells
    whether a reboot would have brought it back.
  returned: always
  type: dict
  sample:
    iqn.2016-01.ar.hospital:ts3200:
      target: iqn.2016-01.ar.hospital:ts3200
      enabled: true
      saved: true
after:
  description: The same targets, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample:
    iqn.2016-01.ar.hospital:ts3200:
      target: iqn.2016-01.ar.hospital:ts3200
      enabled: true
      groups:
        - name: backup
          initiators: ["iqn.1993-08.org.debian:01:backup"]
          luns: [{"lun": 0, "device": "HOSLIB0001", "read_only": false, "handler": "dev_changer"}]
      saved: true
unmet:
  description: What does not hold although everything is configured as written, such as a drive that is not there.
  returned: always
  type: list
  elements: str
  sample:
    - "target iqn.2016-01.ar.hospital:ts3200: HOSDRV02 is not on this host, so LUN 2 of group backup is not exported.
      Look at the device's power and cable, then run this again."
"""

from ansible_collections.hospital.continuity.plugins.module_utils.scst.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import TARGET


def main() -> None:
    run(TARGET)


if __name__ == "__main__":
    main()
