# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Before SCST starts: scst.conf with the devices that are here, where they are now.

SCST starts whole or not at all: one device in scst.conf that is not there, or has another H:C:I:L today, and nothing is
exported. So this waits for what was declared (SAS discovery is slow), finds each device by what it is called by, and
writes the file anew. It ends well whatever happens: the file is then as it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.scst import conf, record
from ansible_collections.hospital.continuity.plugins.module_utils.scst.conf import Node, changed, node
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, gather
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import ADDRESS, several
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import Granted, Record, located
from ansible_collections.hospital.continuity.plugins.module_utils.scst.saved import (
    DEVICE,
    DRIVER,
    GROUP,
    HANDLER,
    INITIATOR,
    LUN,
    TARGET,
    lun_node,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import HANDLERS, ISCSI, PASS_THROUGH, TAPE

_PAUSE = 2.0
# Seconds after which this host has found all devices that it ever will by itself.
_SETTLED = 900.0
_LEFT_OUT = "# Left out before a start, because it was not there: "


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def rewritten(nodes: Sequence[Node], known: Record, inventory: Inventory) -> tuple[Node, ...]:
    """The file for the devices as they are: what is not here is left out, what is elsewhere is followed, what has come
    back is put in. What is left out and remembered nowhere becomes a comment. Pure."""
    where = {address: located(inventory, names) for address, names in known.addresses.items() if names}
    claims, away = _claims(nodes, where, inventory)
    back = {address for address, names in known.addresses.items() if any(one.names == names for one in known.luns)}
    lost = [f"HANDLER {handler} DEVICE {address}" for address, handler in away.items() if address not in back]

    def now(address: str) -> str:
        """Where the device is that had this address; empty for nowhere. A virtual device is where it was."""
        if not ADDRESS.fullmatch(address):
            return address
        if address in away:
            return ""
        return where[address] if address in where else (address if inventory.at(address) else "")

    claimed = {address for devices in claims.values() for address in devices}
    targets = {child.name for one in nodes if _is_iscsi(one) for child in one.named(TARGET)}
    granted = _granted(nodes, known, inventory, now)
    lost.extend(_lost_luns(nodes, granted, now))
    for lun in known.luns:
        found = inventory.at(located(inventory, lun.names))
        if found is None or lun.target not in targets or found.address in claimed or lun.place not in granted:
            continue
        handler = lun.handler or HANDLERS.get(found.type, "")
        if PASS_THROUGH.get(handler) == found.type:
            claimed.add(found.address)
            claims.setdefault(handler, {})[found.address] = node(DEVICE, found.address)
    result: list[Node] = [Node(comment=f"{_LEFT_OUT}{text}") for text in lost]
    for one in nodes:
        if one.keyword == HANDLER and one.name in PASS_THROUGH:
            devices = claims.pop(one.name, {})
            if devices:
                result.append(changed(one, devices.values()))
        elif _is_iscsi(one):
            result.extend(node(HANDLER, name, children=devices.values()) for name, devices in sorted(claims.items()))
            claims = {}
            children = [_target(child, now, granted, inventory) if child.keyword == TARGET else child
                        for child in one.children]  # fmt: skip
            result.append(changed(one, children))
        else:
            result.append(one)
    return tuple(result)


def _claims(
    nodes: Sequence[Node], where: Mapping[str, str], inventory: Inventory
) -> tuple[dict[str, dict[str, Node]], dict[str, str]]:
    """What the handlers of a file can claim, by handler and address, and the addresses they can not, each with its
    handler: nothing is there, or something of another sort. SCST would not start with one of those."""
    claims: dict[str, dict[str, Node]] = {}
    away: dict[str, str] = {}
    for one in nodes:
        if one.keyword != HANDLER or one.name not in PASS_THROUGH:
            continue
        claims.setdefault(one.name, {})
        for device in one.named(DEVICE):
            address = where.get(device.name, device.name)
            found = inventory.at(address)
            if not ADDRESS.fullmatch(device.name) or (found and found.type == PASS_THROUGH[one.name]):
                claims[one.name][address] = node(DEVICE, address, children=device.children)
            else:
                away[device.name] = one.name
    return claims, away


def _is_iscsi(one: Node) -> bool:
    return one.keyword == DRIVER and one.name == ISCSI


def _granted(
    nodes: Sequence[Node], known: Record, inventory: Inventory, now: Callable[[str], str]
) -> dict[tuple[str, str, int], Granted]:
    """The remembered LUNs by their place. One that is not in the file is put back where it was left out for want of its
    device, and not where its tape drive would then serve two initiators: they would overwrite each other's backups."""
    groups = _groups(nodes)
    initiators = {place: {line.name for line in group.named(INITIATOR)} for place, group in groups.items()}
    filed = {
        (*place, int(line.name)): now(line.words[2])
        for place, group in groups.items()
        for line in group.named(LUN)
        if len(line.words) > 2 and line.name.isdigit()
    }
    away = [one for one in known.luns if one.away or one.place in filed]
    users: dict[str, set[str]] = {}
    for place, address in [*filed.items(), *((one.place, located(inventory, one.names)) for one in away)]:
        users.setdefault(address, set()).update(initiators.get(place[:2], ()))
    result = {}
    for one in away:
        found = inventory.at(located(inventory, one.names))
        shared = found is not None and found.type == TAPE and several(users[found.address])
        if one.names and (one.place in filed or not shared):
            result[one.place] = one
    return result


def _groups(nodes: Sequence[Node]) -> dict[tuple[str, str], Node]:
    """The groups of the iSCSI targets in a file, by target and name."""
    return {
        (target.name, group.name): group
        for one in nodes
        if _is_iscsi(one)
        for target in one.named(TARGET)
        for group in target.named(GROUP)
    }


def _places(nodes: Sequence[Node]) -> set[tuple[str, str, int]]:
    """Where the groups in a file have LUNs."""
    return {
        (*place, int(line.name))
        for place, group in _groups(nodes).items()
        for line in group.named(LUN)
        if line.name.isdigit()
    }


def _lost_luns(
    nodes: Sequence[Node], granted: Container[tuple[str, str, int]], now: Callable[[str], str]
) -> Iterator[str]:
    """The LUNs of iSCSI targets that go with their device and that nobody remembers."""
    for target in (target for one in nodes if _is_iscsi(one) for target in one.named(TARGET)):
        for place, group in [("", target), *((group.name, group) for group in target.named(GROUP))]:
            for line in group.named(LUN):
                known = line.name.isdigit() and (target.name, place, int(line.name)) in granted
                if len(line.words) > 2 and not known and not now(line.words[2]):
                    yield f"TARGET {target.name} {f'GROUP {place} ' if place else ''}{' '.join(line.words)}"


def _target(
    one: Node, now: Callable[[str], str], granted: dict[tuple[str, str, int], Granted], inventory: Inventory
) -> Node:
    children = []
    for child in _luns(one, now, {}):
        if child.keyword == GROUP:
            mine = {place[2]: lun for place, lun in granted.items() if place[:2] == (one.name, child.name)}
            found = {
                number: lun_node(number, address, lun.read_only)
                for number, lun in mine.items()
                for address in [located(inventory, lun.names)]
                if address
            }
            child = changed(child, _luns(child, now, found, managed=set(mine)))
        children.append(child)
    return changed(one, children)


def _luns(
    one: Node, now: Callable[[str], str], found: dict[int, Node], managed: Optional[set[int]] = None
) -> list[Node]:
    """The children of a target or group: the LUNs that we know where they are now, others followed or left out."""
    others = []
    for child in one.children:
        if child.keyword != LUN:
            others.append(child)
        elif len(child.words) > 2 and child.name.isdigit() and int(child.name) not in (managed or ()):
            address = now(child.words[2])
            if address:
                others.append(node(LUN, child.name, address, children=child.children))
    return [*(found[number] for number in sorted(found)), *others]


def missing(known: Record, inventory: Inventory) -> list[str]:
    """The devices that should be here and are not, by their best name."""
    names = [*known.addresses.values(), *(one.names for one in known.luns)]
    return sorted({one[0] for one in names if one and not located(inventory, one)})


def refreshed(known: Record, inventory: Inventory, before: Sequence[Node], after: Sequence[Node]) -> Record:
    """The record with the addresses as they are, and with what was now left out of the file or put in; what is not
    here keeps only its LUNs."""
    had, has = _places(before), _places(after)
    luns = tuple(replace(one, away=one.place not in has and (one.away or one.place in had)) for one in known.luns)
    places = {located(inventory, names): names for names in known.addresses.values()}
    places.update({located(inventory, one.names): one.names for one in known.luns})
    return Record({address: names for address, names in places.items() if address}, luns)


def prepare(
    path: str,
    state: str,
    *,
    wait: float,
    look: Callable[[], Inventory] = gather,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    say: Callable[[str], None] = _say,
) -> None:
    """Wait for the devices, and write the file. Raises SubsystemError."""
    text, mode = conf.load(path)
    known = record.parse(conf.load(str(Path(state, record.FILE)))[0])
    if not text or not (known.addresses or known.luns):
        say("Nothing is known of SCST's devices; scst.conf stays as it is.")
        return
    deadline = now() + wait
    inventory = look()
    while missing(known, inventory) and now() < deadline:
        sleep(_PAUSE)
        inventory = look()
    lost = missing(known, inventory)
    if lost:
        say(f"Not on this host, and left out of {path}: {', '.join(lost)}.")
    before = conf.parse(text, path)
    after = rewritten(before, known, inventory)
    noted = {one.comment for one in before}
    for comment in (one.comment for one in after if one.comment and one.comment not in noted):
        say(f"{path}: {comment.lstrip('# ')}. Nobody declared it, so it stays in the file as a comment only.")
    kept = str(Path(state, record.FILE))
    fresh = refreshed(known, inventory, before, after)
    # First what would otherwise be forgotten if this host went down between the two.
    marked = {one.place for one in fresh.luns if one.away}
    first = Record(known.addresses, tuple(replace(one, away=one.away or one.place in marked) for one in known.luns))
    if first != known:
        conf.store(kept, first.text().encode())
    if conf.meaning(after) != conf.meaning(before) or mode != conf.MODE or not conf.startable(text, before):
        conf.store(path, conf.render(after).encode("utf-8", "surrogateescape"))
        say(f"{path} was written for the devices as they are now.")
    if fresh != first:
        conf.store(kept, fresh.text().encode())


def due(wait: float, uptime: str = "/proc/uptime") -> float:
    """How long to wait for devices: only after a boot do they come late, and who restarts SCST later on waits for
    nothing."""
    try:
        up = float(Path(uptime).read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return wait
    return wait if up < max(_SETTLED, wait) else 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Write scst.conf for the devices that are here, before SCST starts.")
    parser.add_argument("--conf", default=conf.PATH, help="the file SCST starts from")
    parser.add_argument("--state", default=record.DIRECTORY, help="where the declared devices are remembered")
    parser.add_argument(
        "--wait", type=float, default=180.0, metavar="SECONDS", help="how long to wait for devices after a boot"
    )
    arguments = parser.parse_args()
    try:
        prepare(arguments.conf, arguments.state, wait=due(arguments.wait))
    except SubsystemError as problem:
        # SCST may still start; and if not, it says why itself.
        sys.stderr.write(f"{problem}\n")
    return 0
