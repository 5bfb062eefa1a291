# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Pools that are on this host's disks and not imported: what `zpool import` and `zdb -l` say of them. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import sections, table

_USABLE = ("ONLINE", "DEGRADED")


@dataclass(frozen=True)
class Waiting:
    """One pool. members: its vdevs' names and what is wrong with them.  last_host: who used it last, where that is not
    certainly this host.  claimed: ZFS imports it only when it is forced, because another host did not let go of it."""

    name: str
    guid: str
    state: str
    status: str = ""
    action: str = ""
    members: tuple[tuple[str, str], ...] = ()
    last_host: str = ""
    claimed: bool = False

    @property
    def usable(self) -> bool:
        return self.state in _USABLE

    @property
    def foreign(self) -> bool:
        return bool(self.last_host) or self.claimed

    @property
    def lacking(self) -> list[str]:
        return [f"{name} {state}" for name, state in self.members if state not in _USABLE]

    @property
    def described(self) -> str:
        told = ". ".join(part.rstrip(".") for part in (self.status, self.action) if part)
        lacking = f" Missing or broken: {', '.join(self.lacking)}." if self.lacking else ""
        return f"state {self.state}. {told}.{lacking}"


@dataclass(frozen=True)
class Label:
    """What the label on a disk says of its pool. hostid 0: nothing.  txg: the higher, the newer the label."""

    pool: str = ""
    guid: str = ""
    hostid: int = 0
    hostname: str = ""
    txg: int = 0


def parsed_waiting(text: str) -> list[Waiting]:
    """`zpool import` without a pool."""
    result: list[Waiting] = []
    for section in sections(text):
        name = section.get("pool", "")
        status, action = (" ".join(section.get(key, "").split()) for key in ("status", "action"))
        members = tuple(
            (line.name, line.state or line.note)
            for line in table(section.get("config", ""))
            if line.state and line.indent > 0
        )
        told = f"{status} {action}"
        claimed = "another system" in told or "other system" in told
        state = section.get("state", "").split(" ")[0]
        result.append(Waiting(name, section.get("id", ""), state, status, action, members, claimed=claimed))
    return result


def parsed_label(text: str) -> Label:
    """`zdb -l DEVICE`: the first label."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        found = re.match(r"^    (name|pool_guid|hostid|hostname|txg): '?(.*?)'?$", line)
        if found:
            values.setdefault(found.group(1), found.group(2))
    hostid, txg = (int(text) if text.isdigit() else 0 for text in (values.get("hostid", ""), values.get("txg", "")))
    return Label(values.get("name", ""), values.get("pool_guid", ""), hostid, values.get("hostname", ""), txg)


def last_host(labels: Sequence[Label], guid: str, hostid: int, hostname: str) -> str:
    """Who used a pool last, in words; empty where that was certainly this host, of that hostid (0: none) and name.

    Equal host ids prove nothing by themselves: cloned hosts have the same one, and many have none.
    """
    mine = [label for label in labels if label.guid == guid]
    if not mine:
        return "that cannot be told, its labels cannot be read"
    newest = max(mine, key=lambda label: label.txg)
    if newest.hostid == hostid and newest.hostname in ("", hostname):
        return ""
    return f"{newest.hostname or 'without a name'} ({newest.hostid:08x})"
