# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Calendar events of PVE: what is known to be none. The rest is PVE's to judge."""

from __future__ import annotations

import re

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput

_CLOCK = re.compile(r"(?<![\d./*-])(\d+):(\d+)(?![\d./])")


def check_schedule(schedule: str) -> None:
    """YAML reads an unquoted 21:00 as a number to the base of 60; PVE would take a number for something else."""
    if schedule.isdecimal() and int(schedule) >= 60:
        hour, minute = divmod(int(schedule), 60)
        raise InvalidInput(
            f"schedule: {schedule} is no time.",
            hint=f'Put times in quotes ("{hour}:{minute:02}"): without them YAML makes one number of it.',
        )
    for hour, minute in _CLOCK.findall(schedule):
        if int(hour) > 23 or int(minute) > 59:
            raise InvalidInput(f"schedule: there is no time {hour}:{minute}.", hint="Hours go to 23, minutes to 59.")
