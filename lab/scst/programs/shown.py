# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Programs that show the machine: dmesg of SCST's messages, lsscsi, sg_inq."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from lab.scst.control import Client
from lab.scst.hardware import KINDS


def dmesg(words: list[str]) -> int:
    """`-c` prints and clears."""
    for line in Client().call("dmesg", clear="-c" in words or "-C" in words):
        if "-C" not in words:
            print(line)
    return 0


def lsscsi(words: list[str]) -> int:
    for one in sorted(_present(), key=lambda one: [int(part) for part in one["hcil"].split(":")]):
        kind = {"changer": "mediumx"}.get(KINDS[one["type"]], KINDS[one["type"]])
        generic = f" /dev/sg{one['generic']:<2}" if "-g" in words else ""
        node = next((name for name in _names(one["hcil"]) if name.startswith(("st", "sch"))), "")
        special = f"/dev/{node}" if node else "-"
        print(
            f"{'[' + one['hcil'] + ']':<12} {kind:<7} {one['vendor']:8} {one['model']:16} {one['revision']:4}  "
            f"{special:<9} {generic}"
        )
    return 0


def sg_inq(words: list[str]) -> int:
    """The standard answer, and page 0x80."""
    device = next((word for word in reversed(words) if not word.startswith("-")), "")
    name = Path(device).resolve().name
    found = [one for one in _present() if name == f"sg{one['generic']}" or name in _names(one["hcil"])]
    if not found:
        print(f"sg_inq: error opening file: {device}: No such device or address", file=sys.stderr)
        return 15
    one = found[0]
    if any(word in ("--page=0x80", "--page=sn", "-p0x80", "0x80", "sn") for word in words):
        print(f"VPD INQUIRY: Unit serial number page\n  Unit serial number: {one['serial']}")
        return 0
    print(f"standard INQUIRY:\n  PQual=0  PDT={one['type']}  RMB=1  LU_CONG=0  hot_pluggable=0  version=0x05  [SPC-3]")
    print(" [AERC=0]  [TrmTsk=0]  NormACA=0  HiSUP=0  Resp_data_format=2".replace(" [A", "  [A", 1))
    print(f" Vendor identification: {one['vendor']:8}\n Product identification: {one['model']:16}")
    print(f" Product revision level: {one['revision']:4}\n Unit serial number: {one['serial']}")
    return 0


def _present() -> list[dict[str, Any]]:
    return [one for one in Client().call("hardware")["devices"] if one["present"]]


def _names(hcil: str) -> list[str]:
    folder = Path("/sys/bus/scsi/devices", hcil)
    return [entry.name for kind in ("scsi_tape", "scsi_changer") for entry in sorted((folder / kind).glob("[!n]*"))]
