# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What cannot be done to a node's network, by what is known before the first write. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, label
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_requests import is_made_again
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.network_types import CARDS


def cannot_be_kept(step: Step) -> Iterator[str]:
    """What PVE's API loses when it writes an interface."""
    raw, after = step.facts.get("raw") or {}, step.after
    for method, option in (("method", "cidr"), ("method6", "cidr6")):
        if after is not None and raw.get(method, "manual") not in ("manual", "static") and not after.get(option):
            yield (
                f"{label(step.key)}: it gets its address by {raw[method]}, which Proxmox VE's API turns off with every "
                f"change: give it a fixed one with {option}"
            )
    if after is not None and is_made_again(step) and (raw.get("options") or raw.get("options6")):
        lines = [*(raw.get("options") or ()), *(raw.get("options6") or ())]
        yield (
            f"{label(step.key)}: it has to be removed and made again, and Proxmox VE's API cannot write these lines of "
            f"its again: {'; '.join(str(line) for line in lines)}"
        )


def no_card(step: Step) -> Iterator[str]:
    """Network cards are found, not made."""
    kind = str((step.after or {}).get("type"))
    if kind in CARDS and (step.before is None or step.before.get("type") not in CARDS):
        yield f"{label(step.key)}: type: there is no network card {step.key[1]} on the node"
