# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Stand-ins for the programs of a host with SCST and a tape library. Each `main` takes argv without the name."""

from __future__ import annotations
