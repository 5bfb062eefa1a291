#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_backup_job
short_description: Scheduled backups of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Jobs that back up guests at set times.
  - A job backs up all guests, those listed, or those of a pool. Naming one of these takes the place of what the job
    had before.
  - What a job leaves out is as the node's C(/etc/vzdump.conf) says. Writing down Proxmox VE's own default is
    therefore a change the first time, and pins it.
options:
  config:
    description: The jobs.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description:
          - The name of the job.
        type: str
        required: true
      schedule:
        description:
          - When it runs, as a calendar event, for example V(21:00), V(sat 02:00) or V(mon..fri 21:00). Needed to
            create a job.
          - Write it in quotes. YAML reads V(21:00) without them as the number 1260, which is refused.
        type: str
      enabled:
        description:
          - Whether it runs at all.
        type: bool
      repeat_missed:
        description:
          - Whether a run that was missed because the node was off is made up for as soon as it is on again.
        type: bool
      comment:
        description:
          - One line of text.
        type: str
      all:
        description:
          - Whether all guests are backed up, except O(config[].exclude).
        type: bool
      vmid:
        description:
          - The guests to back up, by number, in any order.
        type: list
        elements: int
      pool:
        description:
          - The pool whose guests are backed up.
        type: str
      exclude:
        description:
          - Guests not to back up, with O(config[].all) or O(config[].pool).
        type: list
        elements: int
      node:
        description:
          - The only node on which the job runs. Without it, it runs on all, each for its own guests.
        type: str
      exclude_path:
        description:
          - Paths inside containers not to back up, in any order. Shell patterns work; a path that begins with a
            slash is one from the container's root.
        type: list
        elements: str
      stdexcludes:
        description:
          - Whether temporary files and logs are left out, for containers.
        type: bool
      storage:
        description:
          - The storage that takes the backups. It has to hold V(backup), which is looked at before anything is
            written.
        type: str
      dumpdir:
        description:
          - A directory that takes them instead. Only root may set it, no token.
        type: str
      prune_backups:
        description:
          - "Which backups are kept, as in C({keep-last: 3, keep-weekly: 4}). The keys are V(keep-all),
            V(keep-last), V(keep-hourly), V(keep-daily), V(keep-weekly), V(keep-monthly) and V(keep-yearly); 0 is
            the same as leaving one out."
          - Without it the storage's own setting holds.
        type: dict
      remove:
        description:
          - Whether old backups are removed as O(config[].prune_backups) says.
        type: bool
      protected:
        description:
          - Whether the backups are marked as protected, so that nothing removes them. Needs O(config[].storage).
        type: bool
      notes_template:
        description:
          - A note for each backup, with C({{cluster}}), C({{guestname}}), C({{node}}) and C({{vmid}}) filled in,
            and C(\\n) for a new line. Needs O(config[].storage).
          - In a playbook mark it with C(!unsafe), or ansible takes the braces for itself.
        type: str
      mode:
        description:
          - V(snapshot) backs up while the guest runs, V(suspend) suspends it, V(stop) shuts it down for the time.
        type: str
        choices: ["snapshot", "suspend", "stop"]
      compress:
        description:
          - How backups are compressed. V(0) not at all, V(1) is V(lzo).
        type: str
        choices: ["0", "1", "gzip", "lzo", "zstd"]
      pigz:
        description:
          - Use pigz with this many threads in place of gzip. V(1) uses half of the processor's cores, V(0) none.
        type: int
      zstd:
        description:
          - How many threads zstd uses. V(0) uses half of the processor's cores.
        type: int
      bwlimit:
        description:
          - The limit of the bandwidth, in KiB a second. V(0) is none.
        type: int
      ionice:
        description:
          - The priority of disk access under the BFQ scheduler, from V(0), the highest, to V(8), only when the disk
            is idle.
        type: int
      lockwait:
        description:
          - How many minutes to wait for another backup on the node to end.
        type: int
      stopwait:
        description:
          - How many minutes to wait for a guest to shut down.
        type: int
      stop:
        description:
          - Whether backups that run on the node are stopped first.
        type: bool
      quiet:
        description:
          - Whether less is said.
        type: bool
      fleecing:
        description:
          - "A storage that takes what a guest overwrites during its backup, so that a slow backup server does not
            slow the guest down, as in C({enabled: true, storage: fast})."
        type: dict
      performance:
        description:
          - "How hard a backup works, as in C({max-workers: 4}). The keys are V(max-workers) and
            V(pbs-entries-max)."
        type: dict
      pbs_change_detection_mode:
        description:
          - How changed files of containers are found, on a Proxmox Backup Server.
        type: str
        choices: ["legacy", "data", "metadata"]
      script:
        description:
          - A hook script. Only root may set it, no token.
        type: str
      tmpdir:
        description:
          - Where temporary files go. Only root may set it, no token.
        type: str
      notification_mode:
        description:
          - How somebody hears of it. V(auto) takes mail to O(config[].mailto) where that is set, and the
            notification system otherwise.
        type: str
        choices: ["auto", "legacy-sendmail", "notification-system"]
      mailto:
        description:
          - Who gets a mail, addresses or users, in any order.
        type: list
        elements: str
      mailnotification:
        description:
          - Whether mail comes always or only on failure.
        type: str
        choices: ["always", "failure"]
      reset:
        description:
          - Options of this job that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - The options C(starttime) and C(dow) of older versions are not offered. Proxmox VE turns them into
    O(config[].schedule) by itself.
  - Needs the privilege Sys.Modify on C(/), and Sys.Audit to see the jobs.
seealso:
  - module: hospital.continuity.pve_storage
  - module: hospital.continuity.pve_pool
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.scope
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: Everything at night, the heavy ones on Saturday
  hospital.continuity.pve_backup_job:
    config:
      - id: nightly
        schedule: "21:00"
        all: true
        exclude: [110, 111]
        storage: backup
        mode: snapshot
        compress: zstd
        prune_backups: {keep-last: 7, keep-weekly: 4}
        notes_template: !unsafe "{{guestname}} on {{node}}"
        mailto: [it@hospital.example]
      - id: pacs
        schedule: sat 02:00
        vmid: [110, 111]
        storage: backup
        fleecing: {enabled: true, storage: local-lvm}

- name: From now on the guests of a pool instead of a list
  hospital.continuity.pve_backup_job:
    config:
      - id: pacs
        pool: imaging

- name: These are all jobs that write to this storage
  hospital.continuity.pve_backup_job:
    config:
      - id: nightly
      - id: pacs
    unlisted: absent
    scope:
      storage: backup
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update backup_job pacs: vmid, pool"]
before:
  description: The jobs a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"pacs": {"id": "pacs", "schedule": "sat 02:00", "vmid": [110, 111], "storage": "backup"}}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"pacs": {"id": "pacs", "schedule": "sat 02:00", "pool": "imaging", "storage": "backup"}}
unmet:
  description: Always empty. Whether backups succeed shows in their tasks.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.backup_job import BACKUP_JOB
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(BACKUP_JOB)


if __name__ == "__main__":
    main()
