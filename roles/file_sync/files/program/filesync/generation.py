# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Who may write: generations, which are numbers that only grow, and their holders."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Held:
    """The highest generation that was heard of, and the side that took it. 0: none yet."""

    generation: int = 0
    holder: str = ""


def refusal(known: Held, presented: Held) -> str:
    """Why a writer that presents its generation is not let in; empty where it is."""
    if presented.generation > known.generation or presented == known:
        return ""
    return (
        f"generation {known.generation} is held by {known.holder or 'nobody'}, and {presented.holder} writes with "
        f"generation {presented.generation}"
    )


def newest(known: Held, others: Collection[Held]) -> Held:
    """The highest of all; of equal ones, what is known here."""
    return max([known, *others], key=lambda held: held.generation)


def older_files(files: int, highest: Held, me: str, origin: str) -> str:
    """Why this side must not begin to write; empty where it may.

    files: the generation whose files this side has. Writing would put older files over newer ones everywhere.
    """
    if highest.generation == 0:
        if me == origin:
            return ""
        return f"the set was never written, and its first files are those of {origin}, not of {me}"
    if files >= highest.generation:
        return ""
    return (
        f"{highest.holder} wrote generation {highest.generation}, and the files here are of generation {files}: "
        "they would be put over newer ones"
    )


def files_after_claim(files: int, base: int, claimed: int) -> int:
    """The generation of a receiver's files once a writer has begun upon `base`: a side that had all of the base has
    what the new one began with, and is behind by its lag only."""
    return claimed if files == base and base > 0 else files
