# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The lab reads /etc/network/interfaces as it writes it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.pve import network_ovs_options as ovs_options
from lab.pve.network_interfaces import FIRST_PRIORITY, Entry, Interfaces, format_file, parse

CARDS = ("eno1", "eno2", "eno3", "eno4")
# One line of what people write: no control characters, nothing str.splitlines() takes for an end of line.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=20)
COMMENTS = st.lists(WORDS, min_size=1, max_size=3).map(lambda lines: "\n".join(lines) + "\n")
PREFIX = st.integers(8, 30)
ADDRESS = st.ip_addresses(v=4).map(str)
ADDRESS6 = st.ip_addresses(v=6).map(str)
MTU = st.integers(1280, 9000).map(str)
CARD_LISTS = st.lists(st.sampled_from(CARDS), unique=True).map(" ".join)
OTHER_WORDS = st.lists(st.sampled_from(["other_config:lacp-time=fast", "vlan_mode=trunk", "trunks=10,20"]), unique=True)


@st.composite
def addressed(draw: st.DrawFn) -> Entry:
    """The part every type has, in every form of its addresses."""
    entry: Entry = {"families": [], "method": "manual", "method6": "manual"}
    for suffix, address, family in (("", ADDRESS, "inet"), ("6", ADDRESS6, "inet6")):
        if draw(st.booleans()):
            host, prefix = draw(address), str(draw(PREFIX))
            entry.update({
                "address" + suffix: host, "netmask" + suffix: prefix, "cidr" + suffix: f"{host}/{prefix}",
                "method" + suffix: "static",
            })  # fmt: skip
            entry["families"].append(family)
            if draw(st.booleans()):
                entry["gateway" + suffix] = draw(address)
    entry["families"] = entry["families"] or ["inet"]
    if draw(st.booleans()):
        entry["autostart"] = 1
    if draw(st.booleans()):
        entry["comments"] = draw(COMMENTS)
    if len(entry["families"]) == 2 and draw(st.booleans()):
        entry["comments6"] = draw(COMMENTS)
    if draw(st.booleans()):
        entry["mtu"] = draw(MTU)
    if draw(st.booleans()):
        entry["options"] = draw(st.lists(st.sampled_from(["post-up true", "pre-up ip link", "hwaddress a:b"])))
    if not entry.get("options"):
        entry.pop("options", None)
    return entry


def _bridge(draw: st.DrawFn) -> Entry:
    entry: Entry = {"type": "bridge", "bridge_ports": draw(CARD_LISTS), "bridge_stp": "off", "bridge_fd": "0"}
    if draw(st.booleans()):
        entry.update(bridge_vlan_aware=1, bridge_vids=draw(st.sampled_from(["2-4094", "2-100 200"])))
    return entry


def _bond(draw: st.DrawFn) -> Entry:
    mode = draw(st.sampled_from(["802.3ad", "active-backup"]))
    return {"type": "bond", "slaves": draw(CARD_LISTS), "bond_miimon": "100", "bond_mode": mode}


def _ovs_bond(draw: st.DrawFn) -> Entry:
    entry: Entry = {"type": "OVSBond", "ovs_type": "OVSBond", "ovs_bridge": "vmbr1"}
    entry["bond_mode"] = draw(st.sampled_from(ovs_options.MODES))
    members = draw(CARD_LISTS)
    return {**entry, **({"ovs_bonds": members} if members else {}), **_ovs_words(draw)}


def _ovs_words(draw: st.DrawFn) -> dict[str, str]:
    words, tag = " ".join(draw(OTHER_WORDS)), draw(st.none() | st.integers(1, 4094))
    return {**({"ovs_options": words} if words else {}), **({"ovs_tag": str(tag)} if tag else {})}


def _int_port(draw: st.DrawFn) -> Entry:
    return {"type": "OVSIntPort", "ovs_type": "OVSIntPort", "ovs_bridge": "vmbr1", **_ovs_words(draw)}


def _ovs_bridge(draw: st.DrawFn) -> Entry:
    return {"type": "OVSBridge", "ovs_type": "OVSBridge", "ovs_ports": "bond1 int1"}


def _vlan(draw: st.DrawFn) -> Entry:
    return {"type": "vlan", "vlan-raw-device": "eno1", "vlan-id": str(draw(st.integers(1, 4094))), "exists": None}


KINDS = {
    "vmbr0": _bridge, "lan": _bridge, "bond0": _bond, "bond1": _ovs_bond, "int1": _int_port, "vmbr1": _ovs_bridge,
    "storage": _vlan,
}  # fmt: skip


@st.composite
def configurations(draw: st.DrawFn) -> Interfaces:
    """Interfaces of all types, as PVE knows them after reading."""
    entries: dict[str, Any] = {card: {**draw(addressed()), "type": "eth"} for card in CARDS}
    for name in draw(st.lists(st.sampled_from(sorted(KINDS)), unique=True)):
        entries[name] = {**draw(addressed()), **KINDS[name](draw)}
    for place, entry in enumerate(entries.values()):
        entry["priority"] = FIRST_PRIORITY + place
    return Interfaces(entries, draw(st.sampled_from([[], ["source /etc/network/interfaces.d/*"]])))


@given(configurations())
def test_what_is_written_is_read(found: Interfaces) -> None:
    assert parse(format_file(found)) == found


LINES = st.lists(
    st.sampled_from([
        "auto lo eno1", "iface lo inet loopback", "iface eno1 inet manual", "iface eno1 inet6 static",
        "iface vmbr0 inet static", "iface bond0 inet manual", "iface eno1.5 inet dhcp", "\taddress 10.0.0.1/8",
        "\taddress 10.0.0.1", "\tnetmask 255.255.255.0", "\tgateway 10.0.0.2", "\tbridge-ports none",
        "\tbridge_ports eno1 eno2", "\tbond_mode 4", "\tovs_type OVSBridge", "\tovs_type OVSBond", "\tmtu 9000",
        "\tovs_options lacp=active bond_mode=balance-tcp tag=7", "\tpost-up true", "# a comment", "",
        "source-directory /etc/network/other", "mapping eth0", "\tovs_tag 30", "\tvlan-raw-device eno1",
    ]),
    max_size=25,
)  # fmt: skip


@given(LINES)
@settings(max_examples=300)
def test_after_one_writing_the_file_stays_the_same(lines: list[str]) -> None:
    """Whatever somebody wrote by hand: PVE's writer puts it into its form once."""
    once = format_file(parse("\n".join(lines) + "\n"))
    assert format_file(parse(once)) == once


@given(st.sampled_from(ovs_options.MODES), st.none() | st.integers(1, 4094), OTHER_WORDS)
def test_words_of_a_bond_fold_and_unfold(mode: str, tag: int | None, others: list[str]) -> None:
    entry: Entry = {"type": "OVSBond", "bond_mode": mode}
    if tag:
        entry["ovs_tag"] = str(tag)
    if others:
        entry["ovs_options"] = " ".join(others)
    read: Entry = {"type": "OVSBond", "ovs_options": ovs_options.fold(entry)}
    ovs_options.unfold(read)
    assert read == entry
