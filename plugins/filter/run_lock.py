# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filters of the role run_lock."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Callable, Mapping

from ansible.errors import AnsibleFilterError

from ansible_collections.hospital.continuity.plugins.module_utils.pve_node import run_lock


def run_lock_claim(doing: str, lease: int = 3600, template: Any = "", job: Any = "") -> dict[str, Any]:
    seat = run_lock.our_seat(str(template), str(job))
    return {"owner": seat.owner, "content": run_lock.content_of(seat, str(doing), int(lease), time.time())}


def run_lock_verdict(note: Any, template: Any = "", job: Any = "") -> dict[str, Any]:
    if not isinstance(note, Mapping) or "exists" not in note:
        raise AnsibleFilterError("run_lock_verdict takes the note that hospital.continuity.pve_note returned.")
    seat = run_lock.our_seat(str(template), str(job))
    return asdict(run_lock.verdict(note, seat, time.time()))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"run_lock_claim": run_lock_claim, "run_lock_verdict": run_lock_verdict}
