# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What can go wrong with SCST, as types."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError


class ScstError(SubsystemError):
    """SCST refused something, or is not as it has to be. `number` is the errno it answered, 0 where there is none."""

    def __init__(self, message: str, *, hint: str = "", number: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.number = number


class ScstUnavailable(ScstError):
    """SCST does not run and could not be started: nothing further can succeed either."""

    affects_everything = True


class ConfUnreadable(ScstError):
    """scst.conf is not what SCST itself could read: it is left alone."""

    affects_everything = True
