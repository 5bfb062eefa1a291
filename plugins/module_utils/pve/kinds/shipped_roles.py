# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The two roles this collection brings along: the fewest privileges with which its modules work.

docs/access.md shows which call needs which of them and why, and is checked against the API's own schema.
"""

from __future__ import annotations

from collections.abc import Mapping

AUTOMATION, ACCESS = "HospitalAutomation", "HospitalAccess"

SHIPPED: Mapping[str, tuple[str, ...]] = {
    # Everything but access: who holds it decides about nobody.
    AUTOMATION: (
        "Datastore.Allocate",
        "Datastore.AllocateSpace",
        "Datastore.Audit",
        "Mapping.Use",
        "Pool.Allocate",
        "Pool.Audit",
        "SDN.Use",
        "Sys.Audit",
        "Sys.Console",
        "Sys.Modify",
        "VM.Allocate",
        "VM.Audit",
        "VM.Backup",
        "VM.Clone",
        "VM.Config.CDROM",
        "VM.Config.CPU",
        "VM.Config.Cloudinit",
        "VM.Config.Disk",
        "VM.Config.HWType",
        "VM.Config.Memory",
        "VM.Config.Network",
        "VM.Config.Options",
        "VM.Migrate",
        "VM.PowerMgmt",
        "VM.Replicate",
        "VM.Snapshot",
    ),
    # Users, groups, roles, tokens, realms and the ACL.
    ACCESS: (
        "Group.Allocate",
        "Permissions.Modify",
        "Realm.Allocate",
        "Realm.AllocateUser",
        "Sys.Audit",
        "Sys.Modify",
        "User.Modify",
    ),
}
