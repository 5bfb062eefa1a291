# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A simulated Proxmox VE cluster, see lab/README.md."""

from __future__ import annotations

from lab.pve.formation import Formation
from lab.pve.lab import Lab
from lab.pve.recorder import Request
from lab.pve.state import NodeSpec

__all__ = ["Formation", "Lab", "NodeSpec", "Request"]
