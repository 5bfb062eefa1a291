# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What of an answer is compared: everything but what must differ from one cluster, or one minute, to the next."""

from __future__ import annotations

import json
import re
from typing import Any

UPID = re.compile(r"UPID:([^:]+):[0-9A-F]+:[0-9A-F]+:[0-9A-F]+:([^:]*):([^:]*):([^:]+):")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
MAC = re.compile(r"BC:24:11(:[0-9A-F]{2}){3}", re.I)
# Times, process ids, counters and usage: that they are there counts, not what they say.
FIGURES = {
    "digest", "starttime", "endtime", "pid", "pstart", "ctime", "uptime", "cpu", "mem", "memhost", "netin", "netout",
    "diskread", "diskwrite", "used", "avail", "total", "used_fraction", "timestamp", "snaptime", "next-run", "meta",
    "vmgenid", "ssl_fingerprint", "repoid", "nics", "saved", "cgroup-mode", "uid", "clustername", "ticket",
    "CSRFPreventionToken", "cap", "free", "available", "loadavg", "kversion", "wait", "idle", "ksm", "boot-info",
    "cpuinfo", "current-kernel", "pveversion", "rootfs", "pve_fp", "config_digest", "corosync_authkey",
}  # fmt: skip
# Usage of nodes and storages, where a guest's is always 0.
HARDWARE = {"disk"}
UNORDERED = {"content", "nodes"}


def _text(value: str) -> str:
    value = UPID.sub(lambda m: f"UPID:{m[1]}:{m[2]}:{m[3]}:{m[4]}", value)
    # The recording hides the secrets that PVE made up, which are UUIDs.
    return MAC.sub("<mac>", UUID.sub("<uuid>", value.replace("(secret)", "<uuid>")))


def normal(value: Any, key: str = "", owner: dict[str, Any] | None = None) -> Any:
    """A value in a form that compares equal for equal behaviour."""
    if key in FIGURES or key.startswith("pressure"):
        return "*"
    if isinstance(value, dict):
        if set(value) == {"total", "used", "free"} or (key == "memory" and "used" in value):
            return dict.fromkeys(value, "*")
        if value.get("key") in FIGURES and set(value) <= {"key", "value", "pending", "delete"}:
            return {"key": value["key"]}
        return {name: normal(item, name, value) for name, item in value.items()}
    if isinstance(value, list):
        items = [normal(item, key, owner) for item in value]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    if key in HARDWARE and (owner or {}).get("type") in ("node", "storage"):
        return "*"
    if isinstance(value, str):
        if key == "changes":
            return re.sub(r"\t\d{4}-\d\d-\d\d [\d:.]+ [+-]\d{4}$", "\t<time>", value, flags=re.M)
        if key in UNORDERED:
            value = ",".join(sorted(value.split(",")))
        if key == "status" and re.search(r"\b\d\d:\d\d:\d\d\b", value):
            value = re.sub(r"\w{3} \w{3} +\d+ [\d:]+ \d{4}", "<time>", value)
        return _text(value)
    return value


def differences(expected: Any, got: Any, path: str = "") -> list[str]:
    """What is different, for the message of a failing test."""
    if isinstance(expected, dict) and isinstance(got, dict):
        out = []
        for key in sorted(set(expected) | set(got)):
            if key not in got:
                out.append(f"{path}/{key}: missing, recorded {expected[key]!r}")
            elif key not in expected:
                out.append(f"{path}/{key}: not recorded, got {got[key]!r}")
            else:
                out += differences(expected[key], got[key], f"{path}/{key}")
        return out
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        out = []
        for number, (left, right) in enumerate(zip(expected, got, strict=True)):
            out += differences(left, right, f"{path}[{number}]")
        return out
    return [] if expected == got else [f"{path}: recorded {expected!r}, got {got!r}"]
