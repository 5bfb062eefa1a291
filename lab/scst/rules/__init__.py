# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How writes change the kernel: what is accepted, what is refused with which error, and what dmesg says of it."""

from __future__ import annotations
