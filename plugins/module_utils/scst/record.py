# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What scst.conf cannot say and a boot needs: which device every H:C:I:L meant, and the LUNs of drives that are not
here. Kept beside the file, without secrets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Callable

from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import (
    Ambiguous,
    Inventory,
    ScsiDevice,
    lasting,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import several
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import PASS_THROUGH, TAPE, Tree

DIRECTORY = "/var/lib/hospital.continuity/scst"
FILE, PROGRAM = "export.json", "boot.pyz"
_VERSION = 1


@dataclass(frozen=True, order=True)
class Granted:
    """One LUN of a group. names: of its device, the best first.  handler: what claims it; empty where nobody said.
    away: it is not in scst.conf because its device is not here, so a boot puts it in when that is back. What somebody
    took out of the file by hand stays out."""

    target: str
    group: str
    lun: int
    names: tuple[str, ...]
    read_only: bool = False
    handler: str = ""
    away: bool = False

    @property
    def place(self) -> tuple[str, str, int]:
        return (self.target, self.group, self.lun)


@dataclass(frozen=True)
class Record:
    """addresses: the names of the device that was at an H:C:I:L.  luns: all that is granted, here or not."""

    addresses: Mapping[str, tuple[str, ...]]
    luns: tuple[Granted, ...] = ()

    def names_of(self, name: str) -> tuple[str, ...]:
        """All that the device with this name is remembered by."""
        known = (*(one.names for one in self.luns), *self.addresses.values())
        return next((names for names in known if name in names), ())

    def text(self) -> str:
        """The file's content."""
        luns = [
            {
                "target": one.target,
                "group": one.group,
                "lun": one.lun,
                "names": list(one.names),
                "read_only": one.read_only,
                "handler": one.handler,
                "away": one.away,
            }
            for one in sorted(self.luns)
        ]
        addresses = {address: list(names) for address, names in sorted(self.addresses.items())}
        return json.dumps({"version": _VERSION, "addresses": addresses, "luns": luns}, indent=1) + "\n"


def parse(text: str) -> Record:
    """The record in a file; an empty one where that says nothing we know."""
    try:
        data: Any = json.loads(text)
        if data["version"] != _VERSION:
            return Record({})
        luns = tuple(
            Granted(
                str(one["target"]),
                str(one["group"]),
                int(one["lun"]),
                tuple(map(str, one["names"])),
                bool(one["read_only"]),
                str(one["handler"]),
                bool(one.get("away", True)),  # of before there was such a thing
            )
            for one in data["luns"]
            if one["names"]
        )
        addresses = {str(address): tuple(map(str, names)) for address, names in data["addresses"].items() if names}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Record({})
    return Record(addresses, luns)


def located(inventory: Inventory, names: Iterable[str]) -> str:
    """The address of the device that bears one of the names, of those this host has itself; empty for none."""
    for name in names:
        try:
            found = inventory.find(name)
        except Ambiguous:
            continue
        if found is not None and not found.imported:
            return found.address
    return ""


def expected(
    old: Record,
    tree: Tree,
    inventory: Inventory,
    *,
    missing: Sequence[Granted] = (),
    settled: Callable[[Granted], bool] = lambda one: False,
    dropped: Collection[str] = (),
    filed: Collection[str] = (),
) -> Record:
    """The record as it should be: what runs, what was declared and is `missing`, and what was remembered and is not
    here, unless the declaration has `settled` that LUN's place. `filed`: the targets in scst.conf."""
    addresses = {
        address: names
        for address, claimed in tree.devices.items()
        for device in [inventory.at(address)]
        if claimed.handler in PASS_THROUGH and device is not None
        # One without any name is known by its address alone, and there is nothing to remember.
        for names in [_all_names(device, old)]
        if names
    }
    running = [
        Granted(target, group, number, addresses[lun.device], lun.read_only, tree.devices[lun.device].handler)
        for target, found in tree.targets.items()
        for group, members in found.groups.items()
        for number, lun in members.luns.items()
        if lun.device in addresses and target not in dropped
    ]
    known = {one.names: one for one in old.luns}
    taken = {one.place for one in running}
    lost = [_as_known(one, known) for one in missing if one.place not in taken and one.target not in dropped]
    kept = [
        replace(one, away=True) if one.target in tree.targets else one
        for one in old.luns
        if not settled(one)
        and one.target not in dropped
        and one.place not in taken
        and (not located(inventory, one.names) if one.target in tree.targets else one.target in filed)
    ]
    if not tree.loaded:
        addresses = dict(old.addresses)
    return Record(addresses, tuple(sorted([*running, *lost, *kept])))


def _all_names(device: ScsiDevice, old: Record) -> tuple[str, ...]:
    """What to remember a device by: its own names first, and the links it has or once had. udev makes those late, and
    takes them for a drive that this host imports of its own export."""
    own = tuple(lasting(device))
    links = set(device.by_id)
    for names in {*old.addresses.values(), *(one.names for one in old.luns)}:
        rest = names[len(own) :]
        # A changer may bear the serial of its drive, which has an NAA besides.
        if own and names[: len(own)] == own and not any(name.startswith("naa.") for name in rest):
            links.update(rest)
    return (*own, *sorted(links - set(own)))


def shared(
    declared: Sequence[Granted],
    elsewhere: Sequence[Granted],
    old: Record,
    initiators: Mapping[tuple[str, str], Collection[str]],
) -> list[str]:
    """What is wrong with granting the declared drives, none of which is here, to those who are in the groups; other
    targets have been granted some. What a device is cannot be seen now; a changer is told by its handler."""
    users: dict[tuple[str, ...], dict[str, str]] = {}
    asked = {old.names_of(one.names[0]) or one.names for one in declared}
    changers = {one.names for one in old.luns if PASS_THROUGH.get(one.handler, TAPE) != TAPE}
    for one in (*declared, *elsewhere):
        names = old.names_of(one.names[0]) or one.names
        if PASS_THROUGH.get(one.handler, TAPE) == TAPE and (one.handler or names not in changers):
            users.setdefault(names, {}).update(dict.fromkeys(initiators.get((one.target, one.group), ()), one.target))
    return [
        f"the tape drive {names[0]}, which is not on this host now, would be granted to "
        f"{' and '.join(f'{who} (target {target})' for who, target in sorted(found.items()))}; one drive serves one "
        "initiator (where it is a medium changer, say so: handler: dev_changer)"
        for names, found in sorted(users.items())
        if several(found) and names in asked
    ]


def _as_known(one: Granted, known: Mapping[tuple[str, ...], Granted]) -> Granted:
    """A missing drive under all the names it is remembered by, whichever the declaration uses."""
    for names, before in known.items():
        if set(one.names) & set(names):
            return replace(one, names=names, handler=one.handler or before.handler, away=True)
    return replace(one, away=True)
