# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A stand-in for zfs and zpool, built from recorded sessions of OpenZFS 2.3.9 (tests/data/zfs)."""

from __future__ import annotations

from lab.zfs.lab import ZfsLab

__all__ = ["ZfsLab"]
