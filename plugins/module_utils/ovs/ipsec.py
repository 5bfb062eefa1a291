# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Whether what goes to a tunnel's peer is encrypted, from what the kernel says of IPsec. Pure.

openvswitch-ipsec reads keys from OVSDB and gives them to an IKE daemon. What that came to is seen only here.
Source: the texts of `ip xfrm state` and `ip xfrm policy` (iproute2 has no JSON for them).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_STATE = re.compile(r"^src (?P<src>\S+) dst (?P<dst>\S+)\s*$")
_POLICY = re.compile(r"^src (?P<src>\S+?)(?:/\d+)? dst (?P<dst>\S+?)(?:/\d+)?(?: proto (?P<proto>\S+))?(?:\s.*)?$")
# What a tunnel's frames are, as the selector of a policy calls it.
_CARRIED_BY = {
    "gre": ("gre", "47"),
    "ip6gre": ("gre", "47"),
    "vxlan": ("udp", "17"),
    "geneve": ("udp", "17"),
    "stt": ("tcp", "6"),
}


@dataclass(frozen=True)
class Associations:
    """(source, destination) of every ESP security association, and of every policy by direction."""

    states: frozenset[tuple[str, str]]
    policies: Mapping[str, frozenset[tuple[str, str, str]]]


def read(state: str, policy: str) -> Associations:
    states: set[tuple[str, str]] = set()
    pair, esp = ("", ""), False
    for line in state.splitlines():
        match, words = _STATE.match(line), line.split()
        if match:
            pair, esp = (_usual(match.group("src")), _usual(match.group("dst"))), False
        elif words[:1] == ["proto"]:
            esp = words[1:2] == ["esp"]
        elif esp and words[:1] in (["aead"], ["enc"]) and "cipher_null" not in line:
            # One without a cipher only waits for keys that the IKE daemon has yet to agree on, or never will.
            states.add(pair)
    policies: dict[str, set[tuple[str, str, str]]] = {}
    selector = ("", "", "")
    for line in policy.splitlines():
        match = _POLICY.match(line)
        parts = line.split()
        if match:
            selector = (_usual(match.group("src")), _usual(match.group("dst")), match.group("proto") or "")
        elif parts[:1] == ["dir"] and len(parts) > 1 and selector[0]:
            policies.setdefault(parts[1], set()).add(selector)
    return Associations(frozenset(states), {name: frozenset(found) for name, found in policies.items()})


def lacking(found: Associations, tunnel: str, remote: str) -> Sequence[str]:
    """What keeps a tunnel of this type to this address from being encrypted; nothing when it is, both ways."""
    remote = _usual(remote)
    result = []
    if not any(dst == remote for _src, dst in found.states):
        result.append("no security association to it")
    if not any(src == remote for src, _dst in found.states):
        result.append("none from it")
    carried = ("", *_CARRIED_BY.get(tunnel, ()))
    outward = [proto for _src, dst, proto in found.policies.get("out", ()) if dst == remote]
    inward = [proto for src, _dst, proto in found.policies.get("in", ()) if src == remote]
    if not any(proto in carried for proto in outward):
        result.append("no policy that encrypts what goes there")
    if not any(proto in carried for proto in inward):
        result.append("none that wants encrypted what comes from there")
    return result


def _usual(address: str) -> str:
    """An address as everybody else writes it: IPv6 has many spellings."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
