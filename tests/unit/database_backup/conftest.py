# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role's program is imported as the role puts it together."""

from __future__ import annotations

from tests.unit.role_program import importable

importable("database_backup", "databasebackup")
