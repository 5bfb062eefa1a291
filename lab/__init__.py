# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Laboratories: simulated systems that the modules are tried on."""

from __future__ import annotations
