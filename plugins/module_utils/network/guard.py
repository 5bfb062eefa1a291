# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Commit-confirm in the modules: what touches the path a host is managed through needs a word and a way back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, label
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import Checkpoint
from ansible_collections.hospital.continuity.plugins.module_utils.network.management import ManagementPath

WORD = "management_path"

# For each step of a plan that can interrupt, by key: the interfaces, bridges, bonds and ports it touches.
Touches = Mapping[Key, Collection[str]]


def hits(touches: Touches, path: ManagementPath) -> dict[Key, tuple[str, ...]]:
    """The steps that touch the path, with what of it they touch."""
    found = {key: tuple(sorted(set(names) & path.interfaces)) for key, names in touches.items()}
    return {key: names for key, names in found.items() if names}


def consents(touches: Touches, path: ManagementPath) -> dict[Key, tuple[Consent, ...]]:
    """The consent each step needs that touches the path."""
    return {
        key: (Consent(WORD, f"{', '.join(names)} may cut this host off: {path.reason}"),)
        for key, names in hits(touches, path).items()
    }


def problems(touches: Touches, path: ManagementPath, checkpoint: Optional[Checkpoint]) -> Sequence[str]:
    """What is wrong with touching the path while no checkpoint is armed. An earlier task may be about to arm one, so in
    check mode it is a warning."""
    if checkpoint is not None:
        return ()
    found = hits(touches, path)
    if not found:
        return ()
    names = ", ".join(sorted({name for hit in found.values() for name in hit}))
    return (
        Missing(
            f"{', '.join(label(key) for key in found)}: on the path through which this host is managed ({path.reason}) "
            f"this touches {names}, and no network checkpoint is armed. Arm one before "
            f"(hospital.continuity.network_checkpoint, action: arm), give allow: [{WORD}], and confirm it after "
            "(action: confirm)"
        ),
    )
