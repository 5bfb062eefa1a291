# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of zfs_info, which reads. Point 5 of every other zfs module is its round trip."""

from __future__ import annotations

from tests.contract.case import Case

CASE = Case(module="zfs_info", subsystem="zfs", base={}, options=(), several=[])
