# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What can go wrong, as types. Only the runner (module.py) turns one into the text a person reads."""

from __future__ import annotations


class SubsystemError(Exception):
    """The managed system said no, or said nothing.

    `message` is one sentence in the user's words, `hint` what to do about it. `affects_everything` is true for what
    would fail every further step as well (unreachable, no quorum …): the run then stops instead of failing 450 times.
    """

    affects_everything = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidInput(SubsystemError):
    """The declaration itself is wrong: known before the first write."""


class ConsentMissing(SubsystemError):
    """A step would interrupt or destroy, and `allow` does not name it."""


def listed(problems: list[str] | tuple[str, ...], *, most: int = 10) -> str:
    """Several problems as one text: all of a few, the first of many with the number left out."""
    shown = list(problems[:most])
    if len(problems) > most:
        shown.append(f"and {len(problems) - most} more")
    return "; ".join(shown)
