# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The kernel's interfaces, addresses and routes at a checkpoint, and the commands that put back what is gone. Pure.

An interface that Open vSwitch deleted and made anew comes back without its address, and with another MAC, under which
nobody looks for it. Only what the checkpoint saw is put back; addresses and routes of others are not taken away, except
where an address moved to another interface and a default route to another way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.network.topology import is_guests

Raw = Mapping[str, Any]
Command = tuple[str, ...]
_FOREVER = 4294967295
_KERNEL_BRIDGES = ("bridge", "bond", "team")
# Routes that somebody set. Others come with an address, or from a neighbour or a routing daemon, by themselves.
_SET_ROUTES = (None, "boot", "static", "dhcp")


def saved(links: Sequence[Raw], routes: Sequence[Raw], routes6: Sequence[Raw]) -> dict[str, Any]:
    """What `ip -j -d address show`, `ip -j route show` and `ip -j -6 route show` said, without guests' interfaces."""
    return {
        "links": [dict(link) for link in links if link.get("ifname") and not is_guests(link["ifname"])],
        "routes": [dict(route) for route in routes if route.get("protocol") in _SET_ROUTES],
        "routes6": [dict(route) for route in routes6 if route.get("protocol") in _SET_ROUTES],
    }


def missing(before: Raw, now: Raw) -> list[str]:
    """The interfaces that were there and are not."""
    have = {link["ifname"] for link in now["links"]}
    return [link["ifname"] for link in before["links"] if link["ifname"] not in have]


def movable_gone(before: Raw, now: Raw) -> list[str]:
    """The addresses that are gone and may be at home elsewhere by now: a cluster's service address is a second one
    beside a host's own, or alone in its network."""
    have = {address["local"] for link in now["links"] for address in _addresses(link)}
    return [
        address["local"]
        for link in before["links"]
        for address in _addresses(link)
        if address["local"] not in have and (address.get("secondary") or address["prefixlen"] in (32, 128))
    ]


def commands(before: Raw, now: Raw, *, internal: Collection[str], taken: Collection[str]) -> list[Command]:
    """What makes links, addresses and routes what they were. `internal`: Open vSwitch's internal ports, whose MAC is
    the checkpoint's to put back. `taken`: addresses that another host answers for."""
    current = {link["ifname"]: link for link in now["links"]}
    found: list[Command] = []
    for link in before["links"]:
        name = link["ifname"]
        if name in current:
            found.extend(_of_link(link, current[name], current, internal))
    found.extend(_moved(before, now))
    for link in before["links"]:
        if link["ifname"] in current:
            found.extend(_of_addresses(link, current[link["ifname"]], taken))
    for family in ("routes", "routes6"):
        found.extend(_of_routes(before[family], now[family], current, family == "routes6"))
    return found


def _of_link(was: Raw, link: Raw, current: Mapping[str, Raw], internal: Collection[str]) -> Iterator[Command]:
    change = ("ip", "link", "set", "dev", was["ifname"])
    if was["ifname"] in internal and was.get("address") != link.get("address"):
        yield (*change, "address", was["address"])
    if was.get("mtu") != link.get("mtu"):
        yield (*change, "mtu", str(was["mtu"]))
    enslaved = tuple(_of_master(was.get("master"), link.get("master"), current))
    for words in enslaved:
        yield (*change, *words)
    if "UP" in was.get("flags", ()) and ("UP" not in link.get("flags", ()) or enslaved):
        yield (*change, "up")


def _of_master(was: Any, now: Any, current: Mapping[str, Raw]) -> Iterator[Command]:
    """Back into the kernel's bridge or bond; what Open vSwitch holds is Open vSwitch's."""
    if was == now:
        return
    if was and _kind(current.get(was)) in _KERNEL_BRIDGES:
        if _kind(current[was]) != "bridge":
            yield ("down",)
        yield ("master", was)
    elif not was and _kind(current.get(now)) in _KERNEL_BRIDGES:
        yield ("nomaster",)


def _moved(before: Raw, now: Raw) -> Iterator[Command]:
    """Addresses that are on another interface than they were."""
    homes: dict[str, set[str]] = {}
    for link in before["links"]:
        for address in _addresses(link):
            homes.setdefault(address["local"], set()).add(link["ifname"])
    for link in now["links"]:
        for address in _addresses(link):
            if link["ifname"] not in homes.get(address["local"], {link["ifname"]}):
                yield ("ip", "address", "del", f"{address['local']}/{address['prefixlen']}", "dev", link["ifname"])


def _of_addresses(was: Raw, link: Raw, taken: Collection[str]) -> Iterator[Command]:
    have = {(address["local"], address["prefixlen"]) for address in _addresses(link)}
    for address in _addresses(was):
        if (address["local"], address["prefixlen"]) in have or address["local"] in taken:
            continue
        words = ["ip", "address", "add", f"{address['local']}/{address['prefixlen']}"]
        if address.get("broadcast"):
            words += ["broadcast", address["broadcast"]]
        if address.get("scope") not in (None, "global"):
            words += ["scope", str(address["scope"])]
        words += ["dev", was["ifname"]]
        if address.get("label") and address["family"] == "inet":
            words += ["label", address["label"]]
        if address.get("valid_life_time", _FOREVER) != _FOREVER:
            words += ["valid_lft", str(address["valid_life_time"])]
            words += ["preferred_lft", str(min(address["preferred_life_time"], address["valid_life_time"]))]
        if address["family"] == "inet6":
            # It was this host's a moment ago: waiting for duplicate detection only keeps it away longer.
            words.append("nodad")
        if address.get("noprefixroute"):
            words.append("noprefixroute")
        yield tuple(words)


def _of_routes(before: Sequence[Raw], now: Sequence[Raw], current: Mapping[str, Raw], six: bool) -> Iterator[Command]:
    ip = ("ip", "-6", "route") if six else ("ip", "route")
    have = [_route(route) for route in now]
    wanted = [_route(route) for route in before]
    if any(route[0] == "default" for route in wanted):
        for route in have:
            # A new default route, to another gateway, would go on taking what leaves this host.
            if route[0] == "default" and route not in wanted:
                yield (*ip, "del", *route)
    for raw, route in zip(before, wanted):
        if route not in have and all(device in current for device in _devices(raw)):
            yield (*ip, "replace", *route)


def _route(raw: Raw) -> Command:
    """A route as `ip route` takes it."""
    words = [*([raw["type"]] if raw.get("type") not in (None, "unicast") else []), str(raw["dst"])]
    words += _hop(raw)
    for name, word in (("protocol", "proto"), ("scope", "scope"), ("prefsrc", "src"), ("metric", "metric")):
        if raw.get(name) not in (None, "", "boot" if name == "protocol" else None):
            words += [word, str(raw[name])]
    for hop in raw.get("nexthops") or ():
        words += ["nexthop", *_hop(hop), "weight", str(hop.get("weight", 1))]
    return tuple(words)


def _hop(raw: Raw) -> list[str]:
    words: list[str] = []
    via = raw.get("via") or {}
    if raw.get("gateway"):
        words += ["via", str(raw["gateway"])]
    elif via:
        words += ["via", str(via["family"]), str(via["host"])]
    if raw.get("dev"):
        words += ["dev", str(raw["dev"])]
    if "onlink" in (raw.get("flags") or ()):
        words.append("onlink")
    return words


def _devices(raw: Raw) -> list[str]:
    return [str(hop["dev"]) for hop in (raw, *(raw.get("nexthops") or ())) if hop.get("dev")]


def _addresses(link: Raw) -> list[Raw]:
    """The addresses somebody gave; the kernel makes the link-local ones, and loopback is nobody's."""
    if link.get("ifname") == "lo" or is_guests(str(link.get("ifname"))):
        return []
    return [
        address
        for address in link.get("addr_info") or ()
        if address.get("local")
        and not (address.get("family") == "inet6" and address.get("scope") == "link")
        and not address.get("mngtmpaddr")
        and not address.get("temporary")
    ]


def _kind(link: Raw | None) -> str:
    return str(((link or {}).get("linkinfo") or {}).get("info_kind") or "")
