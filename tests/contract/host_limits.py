# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a real cluster's hosts may lack, by what Proxmox VE says then. Programs and firmware, not behaviour."""

from __future__ import annotations

import re

_LACKING = re.compile(
    r"""
    command\ '[^\n]*(?:genisoimage|virt-fw-vars|swtpm|proxmox-backup-client|mkfs)[^\n]*'\ failed[^\n]*
    | open3:\ exec\ of\ [^\n]*
    | EFI\ (?:base|vars)\ image\ [^\n]*\ not\ found
    | uefi\ (?:base|vars)\ image\ [^\n]*\ not\ found
    | KVM\ virtualisation\ configured,\ but\ not\ available[^\n]*
    | could\ not\ load\ supported\ machine\ versions[^\n]*
    | qmp\ command\ 'query-backup'\ failed[^\n]*
    | Can't\ connect\ to\ destination\ address\ using\ public\ key
    | snapshot\ feature\ is\ not\ available
    | startup\ for\ container\ '\d+'\ failed
    | unable\ to\ find\ command\ [^\n]*
    """,
    re.VERBOSE,
)


def reason(text: str) -> str:
    """Why this cluster cannot do it, in its own words; empty where the text says nothing of that sort."""
    found = _LACKING.search(text)
    return f"this cluster cannot: {found[0][:300]}" if found else ""
