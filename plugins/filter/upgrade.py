# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the role node_upgrade and the playbook upgrade."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Callable, Iterable, Mapping

from ansible_collections.hospital.continuity.plugins.module_utils.pve import upgrading


def upgrade_pending(text: str) -> dict[str, Any]:
    found = asdict(upgrading.pending(str(text)))
    return {
        "packages": [dict(row) for row in found["packages"]],
        "removed": list(found["removed"]),
        "major": list(found["major"] or ()),
    }


def upgrade_kernel(text: str) -> str:
    return upgrading.kernel_to_start(str(text))


def upgrade_checklist(text: str) -> dict[str, list[str]]:
    return upgrading.checklist(str(text))


def upgrade_doubts(health: Iterable[Mapping[str, Any]], tolerated: Iterable[str] = ()) -> list[str]:
    return upgrading.doubts(health, set(tolerated))


def upgrade_order(nodes: Iterable[Mapping[str, Any]], evacuations: Iterable[Mapping[str, Any]] = ()) -> list[str]:
    return upgrading.order(nodes, evacuations)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "upgrade_pending": upgrade_pending,
            "upgrade_kernel": upgrade_kernel,
            "upgrade_checklist": upgrade_checklist,
            "upgrade_doubts": upgrade_doubts,
            "upgrade_order": upgrade_order,
        }
