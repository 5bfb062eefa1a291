# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a host shows beside its database: network interfaces, the state of bonds, IPsec. Each is read once, when it is
first asked for; a new Host sees anew. Reads only."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import ipsec, lacp
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import DEFAULT_ADDRESS, appctl


@dataclass(frozen=True)
class Link:
    """A network interface of the system. master: what holds it (a bridge or bond of Linux, `ovs-system`); the MTUs are
    0 where the driver says nothing. carrier: None while it is switched off."""

    name: str
    master: str = ""
    least_mtu: int = 0
    most_mtu: int = 0
    carrier: Optional[bool] = None


class Host:
    def __init__(self, runner: Runner = run, database: str = DEFAULT_ADDRESS) -> None:
        self._run = runner
        self._database = database

    @cached_property
    def links(self) -> Mapping[str, Link]:
        """By name. Raises CommandFailed."""
        done = self._run(["ip", "-json", "-details", "link", "show"])
        try:
            rows = json.loads(done.output) if done.status == 0 else None
        except ValueError:
            rows = None
        if rows is None:
            raise CommandFailed(
                f"The network interfaces cannot be listed: ip answered {done.errors.strip() or 'nothing usable'}.",
                hint="iproute2 4.19 or newer is needed.",
                completed=done,
            )
        return {row["ifname"]: _link(row) for row in rows if "ifname" in row}

    def bond_problems(
        self,
        name: str,
        *,
        lacp_on: bool,
        members: Collection[str] = (),
        carriers: Optional[Mapping[str, bool]] = None,
        off: Optional[Collection[str]] = None,
        fallback: bool = False,
    ) -> Sequence[Unmet]:
        """What keeps a bond from working, see lacp.problems. Without `carriers` and `off` the system is asked."""
        if isinstance(self._bonds, str):
            return (Unmet(f"bond {name}: ovs-vswitchd cannot be asked how it is: {self._bonds}.", passing=True),)
        lacp_show, bond_show = self._bonds
        return lacp.problems(
            name,
            lacp_show,
            bond_show,
            lacp=lacp_on,
            members=members,
            carriers=self._carriers if carriers is None else carriers,
            off=self._off if off is None else off,
            fallback=fallback,
        )

    def aggregation_key(self, bond: str) -> str:
        """The LACP key of a bond that runs; empty where none is to be had."""
        if isinstance(self._bonds, str):
            return ""
        keys = {member.own_key for member in lacp.read_lacp(self._bonds[0]).get(bond, ())}
        return keys.pop() if len(keys) == 1 else ""

    @cached_property
    def _bonds(self) -> tuple[str, str] | str:
        """The texts of lacp/show and bond/show, or why there are none."""
        texts = []
        for command in ("lacp/show", "bond/show"):
            done = self._run(appctl(self._database, command), timeout=15.0)
            if done.status != 0:
                return (done.errors.strip().splitlines() or ["no answer"])[-1].rstrip(".")
            texts.append(done.output)
        return texts[0], texts[1]

    @property
    def _carriers(self) -> Mapping[str, bool]:
        return {name: link.carrier for name, link in self.links.items() if link.carrier is not None}

    @property
    def _off(self) -> Collection[str]:
        return {name for name, link in self.links.items() if link.carrier is None}

    @cached_property
    def associations(self) -> ipsec.Associations:
        """What the kernel encrypts; empty where it cannot be asked, which is as good as nothing."""
        texts = []
        for what in ("state", "policy"):
            done = self._run(["ip", "xfrm", what])
            texts.append(done.output if done.status == 0 else "")
        return ipsec.read(texts[0], texts[1])


def _link(row: Mapping[str, object]) -> Link:
    flags = row.get("flags") or ()
    up = isinstance(flags, list) and "UP" in flags
    return Link(
        name=str(row["ifname"]),
        master=str(row.get("master") or ""),
        least_mtu=_number(row.get("min_mtu")),
        most_mtu=_number(row.get("max_mtu")),
        carrier=("LOWER_UP" in flags if isinstance(flags, list) else None) if up else None,
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
