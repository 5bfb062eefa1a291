# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The simulated cluster: fakepve, with the lab's own parts in front of it."""

from __future__ import annotations

import secrets
import time
from typing import Any

from lab.pve import state
from lab.pve.faults import Faults
from lab.pve.membership import Membership
from lab.pve.recorder import Recorder

VERSION, RELEASE, REPOID = "9.1.9", "9.1", "3e0b6409de49d3e1"


class Cluster(Membership):
    """All mixins together."""

    def __init__(self, nodes: list[state.NodeSpec], host: str, port: int, password: str) -> None:
        self.specs = nodes
        super().__init__(password=password, host=host, port=port)
        self.populate()

    def populate(self) -> None:
        """What a new lab holds."""
        self.repoid = REPOID
        self.booted_at = time.time()
        self.by_vmid, self.jobs = {}, set()
        self.storage_writes = 0
        self.ha_master, self.ha_active = None, False
        self.maintained = set()
        self.one_time_password = None
        self.populate_access()
        self.ha_resources, self.ha_rules, self.backup_jobs = {}, {}, {}
        self.cluster_options = {}
        self.replication, self.replicated, self.replication_faults = {}, {}, {}
        self.dir_mappings, self.metric_servers = {}, {}
        self.networks, self.machines, self.powered = {}, {}, {}
        self.dumping, self.backup_secs, self.restore_secs, self.migration_secs = {}, 1.0, 1.0, 1.0
        self.recorder = Recorder()
        self.faults = Faults()
        self.delay = 0.0
        self.version, self.release_version = VERSION, RELEASE
        self.nodes = {spec.name: {"online": True} for spec in self.specs}
        self.storages = state.storages()
        self.cluster_name = "lab"
        self.local, self.corosync_locked = next(iter(self.nodes)), False
        self.corosync = self.ready_cluster(self.cluster_name)
        self.pools = {}
        self.pool_info = {}

    def endpoints_lab(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/version", self._get_version),
            ("GET", "/nodes/{node}/version", self._get_version),
        ]

    async def _get_version(self, v: dict[str, Any], user: str) -> Any:
        return {"version": self.version, "release": self.release_version, "repoid": REPOID}

    def add_token(self, token_id: str) -> str:
        """A new API token's secret."""
        secret = secrets.token_hex(16)
        self.apitokens[token_id] = secret
        return secret

    def keep_token(self, token_id: str, secret: str) -> None:
        """A token of root@pam's own, which may do everything that a token may."""
        userid, _bang, name = token_id.partition("!")
        self.accounts[userid]["tokens"][name] = {"privsep": 0, "expire": 0}
        self.apitokens[token_id] = secret
