# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Recorded answers the lab does not give, each with the reason. One that is given after all is a failure too."""

from __future__ import annotations

OTHERS = "other sessions' guests and volumes were on the recorded cluster; the lab holds those of the recording alone"
RESTARTING = "the node was restarting, a moment the lab does not know: a node is there or it is not"
MANAGER_LAGS = "the HA manager's view of nodes lags behind without quorum and after a restart; the lab's does not"

# <file's number>#<number of the exchange in it>
EXCHANGES = {
    "13#43": "a node that is just off times out before its neighbours know that there is no route to it",
    "22#57": OTHERS,
    "22#164": OTHERS,
    "24#276": OTHERS,
    "24#326": OTHERS,
    "25#11": RESTARTING,
    "25#47": MANAGER_LAGS,
    "25#48": RESTARTING,
    "25#75": MANAGER_LAGS,
    "25#78": MANAGER_LAGS,
    "26#75": "the zone localnetwork is listed only some time after the cluster's start; the lab lists it at once",
    "26#89": OTHERS,
}

GONE = "the row before it had removed or replaced the subject, so the recorded answer is about its absence"
MEMBER = "the guest was a member already, left over from an earlier row"
NO_PROGRAM = "the recorded host lacked a program or a file that real ones have (genisoimage, virt-fw-vars, OVMF images)"

NEIGHBOURS = "its place counts interfaces of other rows that were still staged on the recorded node"

# The row's number among the kinds that are replayed, with its parameter as a check.
ROWS = {
    (73, "vms"): MEMBER,
    (74, "vms"): MEMBER,
    (116, "strict"): GONE,
    (117, "strict"): GONE,
    (118, "(create)"): "the order counts a rule of another row that was still there",
    (131, "rule"): GONE,
    (360, "efidisk0"): NO_PROGRAM,
    (361, "efidisk0"): NO_PROGRAM,
    (392, "ide0"): NO_PROGRAM,
    (393, "ide0"): NO_PROGRAM,
    (473, "sata0"): NO_PROGRAM,
    (474, "sata0"): NO_PROGRAM,
    (483, "scsi1"): NO_PROGRAM,
    (484, "scsi1"): NO_PROGRAM,
    (604, "ide2"): NO_PROGRAM,
    (1831, "(create)"): NEIGHBOURS,
    (2077, "(create)"): NEIGHBOURS,
    (2155, "migration_unsecure"): "what changed is another option than the one that is looked at",
    (2156, "migration_unsecure"): "the row before it had left migration set, and its old name is kept only beside it",
    (2213, "id"): "it was there already, left over from an earlier row",
    (1463, "encryption-key"): "the recorded host lacked proxmox-backup-client, which makes the key",
}
