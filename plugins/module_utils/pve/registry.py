# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Every kind of thing in Proxmox VE that the collection describes, by the name it has in modules (`pve_<name>`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend, TokenBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.guests import GuestBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.acl import ACL_ENTRY
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.backup_job import BACKUP_JOB
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_options import CLUSTER_OPTIONS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.group import GROUP
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_resource import HA_RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.ha_rule import HA_RULE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network import NETWORK
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.pool import POOL
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm import REALM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.replication import REPLICATION
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.role import ROLE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.snapshot import SNAPSHOT
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.storage import STORAGE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.token import TOKEN
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.user import USER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.network import NetworkBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.replication import ReplicationBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.settings import SettingsBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.snapshots import SnapshotBackend


@dataclass(frozen=True)
class Registered:
    """A kind, and what reads and writes it."""

    kind: Any
    backend: Callable[[Client], Any] = TableBackend


KINDS: Mapping[str, Registered] = {
    "storage": Registered(STORAGE),
    "pool": Registered(POOL),
    "ha_resource": Registered(HA_RESOURCE),
    "ha_rule": Registered(HA_RULE),
    "backup_job": Registered(BACKUP_JOB),
    "network": Registered(NETWORK, NetworkBackend),
    "vm": Registered(VM, GuestBackend),
    "container": Registered(CONTAINER, GuestBackend),
    "cluster_options": Registered(CLUSTER_OPTIONS, SettingsBackend),
    "replication": Registered(REPLICATION, ReplicationBackend),
    "snapshot": Registered(SNAPSHOT, SnapshotBackend),
    "realm": Registered(REALM, AccessBackend),
    "group": Registered(GROUP, AccessBackend),
    "user": Registered(USER, AccessBackend),
    "role": Registered(ROLE, AccessBackend),
    "token": Registered(TOKEN, TokenBackend),
    "acl": Registered(ACL_ENTRY, AccessBackend),
}
