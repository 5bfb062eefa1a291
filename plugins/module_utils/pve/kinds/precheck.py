# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the cluster's own lists tell before the first write. A list may be short of what the token does not see, so the
texts say that, too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing

Rows = Sequence[Mapping[str, Any]]

UNSEEN = "does not exist, or the token does not see it"


def unknown_nodes(names: Iterable[str] | None, nodes: Rows | None) -> list[str]:
    """A problem for each node that the cluster does not have. `nodes` is GET /nodes; names may carry `:priority`."""
    known = sorted(str(row["node"]) for row in nodes or ())
    wanted = sorted({str(name).partition(":")[0] for name in names or ()})
    return [f"{name} is no node of this cluster, which has {', '.join(known)}" for name in wanted if name not in known]


def guests(resources: Rows | None) -> dict[int, Mapping[str, Any]]:
    """Guests by vmid, of GET /cluster/resources."""
    return {int(row["vmid"]): row for row in resources or () if row.get("type") in ("qemu", "lxc")}


def unknown_guests(vmids: Iterable[int] | None, resources: Rows | None) -> list[str]:
    known = guests(resources)
    return [Missing(f"guest {vmid} {UNSEEN}") for vmid in vmids or () if vmid not in known]


def storage_problems(name: str, storages: Rows | None, *, content: str = "") -> list[str]:
    """Why the storage cannot be used for `content`. `storages` is GET /storage."""
    row = next((row for row in storages or () if row.get("storage") == name), None)
    if row is None:
        return [Missing(f"storage {name} {UNSEEN}")]
    if content and content not in str(row.get("content", "")).split(","):
        return [f"storage {name} does not hold {content}: add it to the content of the storage"]
    return []
