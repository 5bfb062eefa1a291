# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for what a cluster has exactly one of."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import TableBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.settings import SettingsKind


class SettingsBackend(TableBackend):
    """Reads the one thing, which is always there."""

    def observe(  # type: ignore[override]  # it serves kinds of settings only
        self, kind: SettingsKind, keys: Collection[Key] | None, options: Collection[str]
    ) -> Mapping[Key, Thing]:
        answer = self.client.get(kind.item) or {}
        if kind.always and kind.always not in answer:
            self.require_sight(kind, keys)
        return {(): kind.decode(answer)}
