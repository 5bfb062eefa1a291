# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether a bond of Open vSwitch works, from what ovs-vswitchd says of it. Pure.

Source: the texts of `ovs-appctl lacp/show` and `ovs-appctl bond/show`, Open vSwitch 2.13 to 3.5 (`slave` became
`member` in 2.16). The database knows less: its `lacp_current` stays true on a member that is `expired`. And
`negotiated`, in both texts, stays true as long as one member of many has a partner.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet

_SECTION = re.compile(r"^---- (?P<name>.+?) ----\s*$")
_LACP_MEMBER = re.compile(r"^(?:member|slave): (?P<name>[^:\s]+): (?P<state>.+?)\s*$")
_BOND_MEMBER = re.compile(r"^(?:member|slave) (?P<name>[^:\s]+): (?P<state>\w+)\s*$")
_VALUE = re.compile(r"^\s*(?P<key>[^:]+):\s*(?P<value>.*?)\s*$")
NOBODY = "00:00:00:00:00:00"


@dataclass(frozen=True)
class Member:
    """One member as LACP sees it. state: e.g. `current attached`; partner: the other side's system id; group: its key,
    by which a switch tells its groups apart; own_key: ours."""

    name: str
    state: str
    partner: str = ""
    group: str = ""
    own_key: str = ""

    @property
    def heard(self) -> bool:
        """Whether anybody ever answered."""
        return self.partner not in ("", NOBODY) and "defaulted" not in self.state.split()


@dataclass(frozen=True)
class Bond:
    """One bond as ovs-vswitchd runs it. enabled: by member."""

    name: str
    mode: str = ""
    enabled: Mapping[str, bool] = field(default_factory=dict)


def read_lacp(text: str) -> dict[str, tuple[Member, ...]]:
    """The members of every port with LACP, from `lacp/show`."""
    result: dict[str, list[Member]] = {}
    found: dict[str, str] = {}
    port = ""

    def close() -> None:
        if port and found:
            result.setdefault(port, []).append(Member(**found))
        found.clear()

    for line in text.splitlines():
        section, member = _SECTION.match(line), _LACP_MEMBER.match(line.strip())
        if section:
            close()
            port = section.group("name")
            result.setdefault(port, [])
        elif member:
            close()
            found.update(name=member.group("name"), state=member.group("state"))
        elif found:
            value = _VALUE.match(line)
            if value and value.group("key") == "partner sys_id":
                found["partner"] = value.group("value").lower()
            elif value and value.group("key") == "partner key":
                found["group"] = value.group("value")
            elif value and value.group("key") == "actor key":
                found["own_key"] = value.group("value")
    close()
    return {name: tuple(members) for name, members in result.items()}


def read_bonds(text: str) -> dict[str, Bond]:
    """Every bond, from `bond/show`."""
    result: dict[str, Bond] = {}
    name, mode = "", ""
    enabled: dict[str, bool] = {}
    for line in [*text.splitlines(), "---- end ----"]:
        section, member = _SECTION.match(line), _BOND_MEMBER.match(line.strip())
        if section:
            if name:
                result[name] = Bond(name, mode, dict(enabled))
            name, mode = section.group("name"), ""
            enabled.clear()
        elif member:
            enabled[member.group("name")] = member.group("state") == "enabled"
        elif line.startswith("bond_mode:"):
            mode = line.partition(":")[2].strip()
    return result


def problems(
    bond: str,
    lacp_show: str,
    bond_show: str,
    *,
    lacp: bool,
    members: Collection[str] = (),
    carriers: Optional[Mapping[str, bool]] = None,
    off: Collection[str] = (),
    fallback: bool = False,
) -> Sequence[Unmet]:
    """What keeps a bond from being as good as it looks. All of it may pass: LACP takes its time.

    lacp_show, bond_show: the texts, of this bond or of all.  lacp: whether it is configured with LACP.
    members: those it shall have; without them, those it has.  carriers: by interface, as far as known.
    off: interfaces that are switched off.  fallback: whether it is configured with lacp-fallback-ab.
    """
    running = read_bonds(bond_show).get(bond)
    if running is None:
        return (_unmet(bond, "ovs-vswitchd does not run it: it has not taken it up, or too few members work"),)
    negotiated = {member.name: member for member in read_lacp(lacp_show).get(bond, ())}
    links = carriers or {}
    result: list[Unmet] = []
    for name in sorted(set(members) or set(running.enabled)):
        if name not in running.enabled:
            result.append(_unmet(bond, f"member {name} takes no part: Open vSwitch cannot open this interface"))
        elif name in off:
            result.append(_unmet(bond, f"member {name} is switched off; ip link set {name} up switches it on"))
        elif links.get(name) is False:
            result.append(_unmet(bond, f"member {name} has no carrier: look at its cable and at the switch's port"))
        else:
            trouble = _unnegotiated(negotiated.get(name), fallback) if lacp else ""
            if not trouble and not running.enabled[name]:
                trouble = "disabled although nothing else is wrong with it" if lacp else "disabled"
                trouble += ": a delay of the bond is not over yet, the other side does not forward, or a person did it"
            if trouble:
                result.append(_unmet(bond, f"member {name} is {trouble}"))
    if lacp:
        result.extend(_different_partners(bond, list(negotiated.values())))
    return result


def _unnegotiated(member: Optional[Member], fallback: bool) -> str:
    """Why a member with carrier is no good for LACP; empty when it is."""
    if member is None:
        return "without LACP: ovs-vswitchd has not taken it up"
    if not member.heard:
        text = (
            f"{member.state}, without any partner: the switch's side has no LACP, its port is not in the group, or "
            "nothing comes through although there is a carrier"
        )
        return f"{text}; until then it is used without LACP (lacp_fallback_ab)" if fallback else text
    if "expired" in member.state.split():
        return (
            f"{member.state}, its partner {member.partner} has fallen silent: the link is dead although there is a "
            "carrier, or LACP was turned off at the switch"
        )
    if member.state.split() == ["current", "attached"]:
        return ""
    return f"{member.state}, its partner is {member.partner}, group {member.group or 'unknown'}"


def _different_partners(bond: str, members: Sequence[Member]) -> Sequence[Unmet]:
    heard = [member for member in members if member.heard]
    if len({member.partner for member in heard}) > 1:
        seen = ", ".join(f"{member.name} sees {member.partner}" for member in heard)
        cause = "they are cabled to two switches that are not one stack, or to different devices"
        return (_unmet(bond, f"its members have different partners ({seen}): {cause}"),)
    if len({member.group for member in heard}) > 1:
        seen = ", ".join(f"{member.name} is in group {member.group}" for member in heard)
        return (_unmet(bond, f"its members are in different groups of {heard[0].partner} ({seen}): put them into one"),)
    return ()


def _unmet(bond: str, text: str) -> Unmet:
    return Unmet(f"bond {bond}: {text}.", passing=True)
