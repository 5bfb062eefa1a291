# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The I/O of tape_library: the library found by its name, asked and moved through mtx."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice, gather
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import CHANGER, TAPE
from ansible_collections.hospital.continuity.plugins.module_utils.tape.library import (
    DRIVE,
    LOAD,
    TRANSFER,
    LibraryOperation,
    Move,
    unmet,
)
from ansible_collections.hospital.continuity.plugins.module_utils.tape.mtx import Contents, LibraryError, Mtx

_KEY: Key = ("library",)


class LibraryBackend:
    # A robot has one arm.
    parallel = 1

    def __init__(self, root: str = "/", *, runner: Runner = run) -> None:
        self._root = root
        self._run = runner
        self._mtx: Optional[Mtx] = None

    @property
    def writes(self) -> int:
        return self._mtx.writes if self._mtx is not None else 0

    def close(self) -> None:
        """There is no connection to keep."""

    def observe(
        self, operation: LibraryOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        inventory = gather(self._root)
        device = self._changer(inventory, str(order.options["library"]))
        if self._mtx is None or self._mtx.device != device.generic:
            self._mtx = Mtx(device.generic, self._run)
        contents = self._mtx.contents()
        facts = {"contents": contents, "identity": inventory.identity(device.address)}
        result = {_KEY: Thing({}, facts)}
        for key in keys or ():
            state = _place_of(contents, str(key[0]))
            if state is not None:
                result[key] = Thing(state)
        return result

    def precheck(self, operation: LibraryOperation, plan: Plan, order: Order) -> Sequence[str]:
        return ()

    def apply(self, operation: LibraryOperation, step: Step) -> Sequence[str]:
        move: Move = step.inputs["move"]
        if self._mtx is None:
            raise LibraryError("The library was not looked at before.", hint="This is a defect of the module.")
        if move.action == TRANSFER:
            self._mtx.transfer(move.source[1], move.target[1])
        elif move.action == LOAD:
            self._mtx.load(move.source[1], move.target[1])
        else:
            self._mtx.unload(move.target[1], move.source[1])
        return ()

    def verify(self, operation: LibraryOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        facts = things[_KEY].facts
        inventory = gather(self._root, only=(TAPE,))
        declared = order.options.get("drives") or ()
        attached = [name for name in declared for found in [inventory.find(name)] if found and not found.imported]
        return [
            Unmet(f"library {order.options['library']}: {text}.") for text in unmet(facts["contents"], order, attached)
        ]

    @staticmethod
    def _changer(inventory: Inventory, name: str) -> ScsiDevice:
        device = inventory.find(name)
        if device is None or device.imported:
            have = [inventory.identity(one.address) for one in inventory.devices if one.type == CHANGER]
            there = f"; this host has {', '.join(sorted(set(have)))}" if have else ""
            raise InvalidInput(
                f"library: {name} is not on this host{there}.", hint="Look at its power, its cable and its name."
            )
        if device.type != CHANGER:
            raise InvalidInput(f"library: {name} is a {device.sort}, not a medium changer.", hint="Name the changer.")
        if not device.generic:
            raise InvalidInput(f"library: {name} has no /dev/sgN.", hint="Load the kernel module sg.")
        return device


def _place_of(contents: Contents, barcode: str) -> Optional[dict[str, object]]:
    """Where a tape is."""
    for sort, places in ((DRIVE, contents.drives), ("slot", contents.slots)):
        for number, place in places.items():
            if place.full and place.barcode == barcode:
                return {"barcode": barcode, sort: number}
    return None
