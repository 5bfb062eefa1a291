# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""corosync.conf: who is in the cluster, over which links, with how many votes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Member:
    """A node as corosync.conf has it; `links` are its addresses by link number."""

    name: str
    nodeid: int
    links: dict[int, str]
    votes: int = 1

    def entry(self) -> dict[str, Any]:
        """As GET /cluster/config/nodes shows it."""
        rings = {f"ring{number}_addr": address for number, address in self.links.items()}
        return {"name": self.name, "nodeid": str(self.nodeid), "quorum_votes": str(self.votes), **rings}


@dataclass
class Corosync:
    """One cluster's configuration. `up`: corosync runs with it; `priorities` are those of links, by number."""

    name: str
    members: dict[str, Member] = field(default_factory=dict)
    links: dict[int, int | None] = field(default_factory=lambda: {0: None})
    token_coefficient: int = 125
    version: int = 1
    up: bool = True
    # What `pvecm expected` said, until the configuration changes.
    expected: int = 0
    qdevice: dict[str, Any] = field(default_factory=dict)

    def free_id(self) -> int:
        used = {member.nodeid for member in self.members.values()}
        return next(number for number in range(1, len(used) + 2) if number not in used)

    def add(self, member: Member) -> None:
        self.members[member.name] = member
        self._changed()

    def remove(self, name: str) -> None:
        del self.members[name]
        self._changed()

    def _changed(self) -> None:
        self.version += 1
        self.expected = 0

    def interface(self, number: int) -> dict[str, str]:
        priority = self.links[number]
        more = {} if priority is None else {"knet_link_priority": str(priority)}
        return {"linknumber": str(number), **more}

    def totem(self) -> dict[str, Any]:
        """As the API shows it: all text."""
        return {
            "cluster_name": self.name,
            "config_version": str(self.version),
            "interface": {str(number): self.interface(number) for number in self.links},
            "ip_version": "ipv4-6",
            "link_mode": "passive",
            "secauth": "on",
            "token_coefficient": str(self.token_coefficient),
            "version": "2",
        }

    def file(self) -> str:
        """The file itself."""
        nodes = "\n".join(
            _section("node", member.entry(), "  ") for member in sorted(self.members.values(), key=lambda m: m.name)
        )
        totem = {name: value for name, value in self.totem().items() if name != "interface"}
        interfaces = "\n".join(_section("interface", self.interface(number), "  ") for number in self.links)
        lines = [f"  {name}: {totem[name]}" for name in ("cluster_name", "config_version")] + [interfaces]
        lines += [
            f"  {name}: {value}" for name, value in totem.items() if name not in ("cluster_name", "config_version")
        ]
        return (
            "logging {\n  debug: off\n  to_syslog: yes\n}\n\n"
            f"nodelist {{\n{nodes}\n}}\n\n"
            "quorum {\n  provider: corosync_votequorum\n}\n\n" + "totem {\n" + "\n".join(lines) + "\n}\n\n"
        )

    def digest(self) -> str:
        return hashlib.sha1(self.file().encode()).hexdigest()


def _section(name: str, values: dict[str, Any], indent: str) -> str:
    inner = "\n".join(f"{indent}  {key}: {value}" for key, value in values.items())
    return f"{indent}{name} {{\n{inner}\n{indent}}}"
