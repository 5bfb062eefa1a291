# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a cluster has exactly one of: it is neither created nor removed, only its options change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request, RestKind


@dataclass(frozen=True)
class SettingsKind(RestKind):
    """One thing without a name, at `item`: GET reads it, PUT changes it. `absent` means that no option is set.

    always: an answer that lacks this key is not the whole one: the rest of it is hidden from us.
    """

    always: str = ""

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        return self.plan_present(Item(key), thing, Declaration((), unlisted_options=RESET))

    def requests(self, step: Step) -> Sequence[Request]:
        return (Request("PUT", self.item, self.encode(step)),)

    def key_of(self, raw: Mapping[str, Any]) -> Key:
        return ()
