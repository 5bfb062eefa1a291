# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Every parameter of the API for guests is an option under its own name, or is left out for a reason."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.container import CONTAINER
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import GuestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import VM

SCHEMA = Path(__file__).parents[3] / "data" / "pve" / "api-schema.json.gz"
REQUEST_ONLY = {"digest", "skiplock", "revert", "delete", "background_delay", "force"}
RESTORE = {"archive", "live-restore", "restore", "unique"}
LEFT_OUT = {
    **dict.fromkeys(REQUEST_ONLY, "steers one request"),
    **dict.fromkeys(RESTORE, "belongs to a restore"),
    "lock": "PVE's own",
    "ha-managed": "pve_ha_resource",
    "start": "status: running",
    "cdrom": "disks: ide2",
    "smp": "sockets",
    "template": "a step of its own, under the same name",
}
COUNTS = {"hostpci": 16, "ipconfig": 32, "numa": 8, "parallel": 3, "serial": 4, "usb": 14, "virtiofs": 10}


def parameters(path: str, methods: tuple[str, ...]) -> dict[str, Any]:
    with gzip.open(SCHEMA, "rt", encoding="utf-8") as file:
        endpoints = json.load(file)["endpoints"]
    found: dict[str, Any] = {}
    for endpoint in endpoints:
        if endpoint["path"] == path and endpoint["method"] in methods:
            found.update(endpoint["parameters"]["properties"])
    return found


def offered(kind: GuestKind, name: str) -> bool:
    first = name.replace("[n]", "0")
    if kind.family_of(first):
        return True
    return any(row.wire_name == first for row in kind.fields)


@pytest.mark.parametrize("kind", [VM, CONTAINER], ids=["vm", "container"])
def test_every_parameter_is_an_option_or_is_left_out_for_a_reason(kind: GuestKind) -> None:
    base = f"/nodes/{{node}}/{kind.guest_type}"
    given = {**parameters(base, ("POST",)), **parameters(f"{base}/{{vmid}}/config", ("PUT",))}
    assert len(given) > 40
    missing = [name for name in given if not offered(kind, name) and name not in LEFT_OUT]
    assert missing == []
    assert [name for name in given if name in LEFT_OUT and name != "template" and offered(kind, name)] == []


@pytest.mark.parametrize("kind", [VM, CONTAINER], ids=["vm", "container"])
def test_words_to_choose_from_are_those_of_the_api(kind: GuestKind) -> None:
    base = f"/nodes/{{node}}/{kind.guest_type}"
    given = {**parameters(base, ("POST",)), **parameters(f"{base}/{{vmid}}/config", ("PUT",))}
    for row in kind.plain_rows:
        schema = given.get(re.sub(r"\d+$", "[n]", row.wire_name)) or given.get(row.wire_name, {})
        if row.choices or schema.get("enum"):
            assert sorted(map(str, row.choices)) == sorted(map(str, schema["enum"])), row.name


def test_the_options_of_a_device_are_those_of_the_api() -> None:
    given = parameters("/nodes/{node}/qemu", ("POST",))
    for slot in ("ide[n]", "sata[n]", "scsi[n]", "virtio[n]", "efidisk0", "tpmstate0", "net[n]"):
        family = VM.family_of(slot.replace("[n]", "0"))
        assert family is not None
        names = {name for name, rule in given[slot]["format"].items() if "alias" not in rule}
        assert names - {row.wire_name for row in family.fields} == set(), slot
    given = parameters("/nodes/{node}/lxc", ("POST",))
    for slot in ("rootfs", "mp[n]", "net[n]", "dev[n]"):
        family = CONTAINER.family_of(slot.replace("[n]", "0"))
        assert family is not None
        names = {name for name, rule in given[slot]["format"].items() if "alias" not in rule}
        assert names - {row.wire_name for row in family.fields} - {"type"} == set(), slot


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_numbered_options_are_all_there(name: str, count: int) -> None:
    numbers = {int(row.name[len(name) :]) for row in VM.fields if re.fullmatch(rf"{name}\d+", row.name)}
    assert numbers == set(range(count))


@pytest.mark.parametrize(
    ("kind", "slot", "owned"),
    [
        (VM, "ide3", True),
        (VM, "ide4", False),
        (VM, "sata5", True),
        (VM, "sata6", False),
        (VM, "scsi30", True),
        (VM, "scsi31", False),
        (VM, "virtio15", True),
        (VM, "virtio16", False),
        (VM, "net31", True),
        (VM, "net32", False),
        (VM, "efidisk1", False),
        (CONTAINER, "mp255", True),
        (CONTAINER, "mp256", False),
        (CONTAINER, "dev255", True),
        (CONTAINER, "dev256", False),
    ],
)
def test_slots_are_those_of_the_api(kind: GuestKind, slot: str, owned: bool) -> None:
    assert (kind.family_of(slot) is not None) is owned
