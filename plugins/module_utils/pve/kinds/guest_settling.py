# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""An item in view of what is there: what the system chose where the user left the choice counts as asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import State
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.disk import holds_data
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import Family, left_out
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_table import is_unused
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import Volumes


def settled(families: Sequence[Family], item: Item, state: State) -> Item:
    """The item in view of what is there: what PVE chose where the user left the choice counts as asked for."""
    options = dict(item.options)
    for family in families:
        given = options.get(family.option)
        if not given:
            continue
        now = state.get(family.option) or {}
        settled: dict[str, Any] = {}
        for slot, device in given.items():
            if left_out(device):
                if slot in now:
                    settled[slot] = device
            elif slot in now:
                settled[slot] = family.settled(slot, device, now[slot])
            else:
                device = family.completed(slot, device)
                family.check_new(slot, device)
                settled[slot] = device
        options[family.option] = settled
    _settle_machine(options, state)
    _settle_ids(options, state)
    return replace(item, options=options)


def check_new_disks(families: Sequence[Family], item: Item, thing: Thing) -> None:
    """A new disk is empty. Raises InvalidInput where the one that was in its place may have been taken out by somebody,
    with the data that is missed now."""
    for family in families:
        given, now = item.options.get(family.option) or {}, thing.state.get(family.option) or {}
        if not isinstance(family, Volumes):
            continue
        for slot, device in given.items():
            if slot in now or left_out(device) or not holds_data(device) or device.get("import_from") is not None:
                continue
            where = f"{family.option} {slot}"
            leaving, then = thing.facts.get("waiting", {}).get(slot, (None, None))
            if leaving is not None and then is None:
                raise InvalidInput(
                    f"{where} has been taken out ({leaving}) and leaves at the next restart; a new one would be empty.",
                    hint="Revert its removal in PVE's web interface, or restart the guest first.",
                )
            for unused, held in now.items():
                blank = device.get(family.volume) is None and device.get("storage") == held.get("storage")
                if blank and is_unused(unused) and unused not in given:
                    volume = held.get(family.volume)
                    raise InvalidInput(
                        f"{where} is not there, but {volume}, which was taken out, is ({unused}); a new disk would be "
                        "empty.",
                        hint=f"To put it back write {family.volume}: {volume}. To have a new one all the same, list "
                        f"slot: {unused} as well (with state: absent it is destroyed).",
                    )


def completed(families: Sequence[Family], item: Item, copy: State) -> Item:
    """The item of a new guest: new devices complete, those that should not be there left out."""
    options = dict(item.options)
    for family in families:
        given = options.get(family.option)
        if not given:
            continue
        there = copy.get(family.option) or {}
        complete: dict[str, Any] = {}
        for slot, device in given.items():
            if slot in there:
                complete[slot] = device
            elif not left_out(device):
                device = family.completed(slot, device)
                family.check_new(slot, device)
                complete[slot] = device
        options[family.option] = complete or None
    return replace(item, options={name: value for name, value in options.items() if value is not None})


def _settle_machine(options: dict[str, Any], state: State) -> None:
    """PVE pins the machine of a Windows guest to the version it was made with (`q35` becomes `pc-q35-10.1`)."""
    if "machine" not in options:
        return
    ostype = str(options.get("ostype") or state.get("ostype") or "other")
    asked = dict(options["machine"] or {})
    held = (state.get("machine") or {}).get("type") if isinstance(state.get("machine"), Mapping) else None
    family = {"pc": "pc-i440fx-", "q35": "pc-q35-"}.get(asked.get("type", "pc"))
    if held and family and ostype.startswith("w") and str(held).startswith(family):
        options["machine"] = dict(sorted({**asked, "type": held}.items()))


def _settle_ids(options: dict[str, Any], state: State) -> None:
    """A UUID that is there stays, unless another one is named."""
    if "smbios1" in options:
        held, asked = state.get("smbios1"), options["smbios1"]
        if asked is None:
            del options["smbios1"]
        elif isinstance(held, Mapping) and "uuid" in held and "uuid" not in asked:
            options["smbios1"] = dict(sorted({**asked, "uuid": held["uuid"]}.items()))
    if "vmgenid" in options and options["vmgenid"] in (None, "1"):
        held = state.get("vmgenid")
        if held is not None and held != "0":
            options["vmgenid"] = held
