# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Run by the launchers that the role installs: `python3 -I DIRECTORY WORD...`. Python 3.9, nothing but its library."""

from __future__ import annotations

import sys

from filesync.command import main

sys.exit(main(sys.argv[1:]))
