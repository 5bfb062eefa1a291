# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCSI devices known by what does not move."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import (
    Ambiguous,
    Inventory,
    ScsiDevice,
    gather,
    naa_name,
    serial_number,
)


def page80(serial: str) -> bytes:
    body = serial.encode()
    return bytes([1, 0x80, 0, len(body)]) + body


def page83(naa: str) -> bytes:
    text = b"IBM     ULT3580-TD5     0001"
    body = bytes([2, 1, 0, len(text)]) + text
    # A port's name beside the unit's: association 1.
    body += bytes([1, 0x13, 0, 8]) + bytes.fromhex("5000000000000099")
    body += bytes([1, 3, 0, 8]) + bytes.fromhex(naa)
    return bytes([1, 0x83, 0, len(body)]) + body


def test_the_pages_are_read() -> None:
    assert serial_number(page80("XYZZY_A1  ")) == "XYZZY_A1"
    assert naa_name(page83("50050763120a0001")) == "naa.50050763120a0001"
    for broken in (b"", b"\x01\x80", b"\x01\x80\x00\x20ab", bytes([1, 0x83, 0, 8, 1, 3, 0, 8, 1])):
        serial_number(broken)
        assert naa_name(broken) == ""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A changer and a drive of this host, and the same drive imported again by iSCSI."""
    parents = {"7:0:1:1": "pci0/host7/target7:0:1", "7:0:1:0": "pci0/host7/target7:0:1"}
    parents["8:0:0:1"] = "platform/host8/session1/target8:0:0"
    bus = tmp_path / "sys/bus/scsi/devices"
    bus.mkdir(parents=True)
    for address, (kind, serial, naa, generic) in {
        "7:0:1:1": ("8", "LIB", "", "sg8"),
        "7:0:1:0": ("1", "DRV1", "50050763120a0001", "sg9"),
        "8:0:0:1": ("1", "DRV1", "50050763120a0001", "sg12"),
    }.items():
        where = tmp_path / "sys/devices" / parents[address] / address
        (where / "scsi_generic" / generic).mkdir(parents=True)
        (where / "type").write_text(f"{kind}\n")
        (where / "vendor").write_text("IBM     \n")
        (where / "model").write_text("ULT3580-TD5     \n")
        (where / "vpd_pg80").write_bytes(page80(serial))
        if naa:
            (where / "vpd_pg83").write_bytes(page83(naa))
        (bus / address).symlink_to(where)
    links = tmp_path / "dev/tape/by-id"
    links.mkdir(parents=True)
    for name, node, sort, address in (
        ("scsi-1IBM_LIB", "sg8", "scsi_generic", "7:0:1:1"),
        ("scsi-35005-nst", "nst0", "scsi_tape", "7:0:1:0"),
    ):
        (links / name).symlink_to(f"../../{node}")
        entry = tmp_path / "sys/class" / sort / node
        entry.mkdir(parents=True)
        (entry / "device").symlink_to(bus / address)
    (links / "dangling").symlink_to("../../nst9")
    return tmp_path


def test_devices_are_found_by_every_name_they_have(root: Path) -> None:
    inventory = gather(str(root))
    assert [device.address for device in inventory.devices] == ["7:0:1:0", "7:0:1:1", "8:0:0:1"]
    for name in ("DRV1", "naa.50050763120a0001", "50050763120a0001", "scsi-35005-nst"):
        found = inventory.find(name)
        assert found is not None and found.address == "7:0:1:0", f"{name}: the one of this host, not the imported one"
    changer = inventory.find("scsi-1IBM_LIB")
    assert changer is not None and (changer.serial, changer.generic, changer.vendor) == ("LIB", "/dev/sg8", "IBM")
    assert inventory.find("nobody") is None
    assert inventory.identity("7:0:1:0") == "DRV1"


def test_what_this_host_imports_is_told_apart(root: Path) -> None:
    imported = gather(str(root)).at("8:0:0:1")
    assert imported is not None and imported.imported
    assert not [one for one in gather(str(root)).devices if one.imported and one.address.startswith("7:")]


def test_a_serial_that_two_sorts_of_devices_bear_is_no_name() -> None:
    """Some libraries answer with their own serial for changer and drive."""
    inventory = Inventory(
        (ScsiDevice("1:0:0:1", 8, serial="S", by_id=("changer",)), ScsiDevice("1:0:0:0", 1, serial="S", naa="naa.5"))
    )
    with pytest.raises(Ambiguous, match=r"tape drive .*1:0:0:0"):
        inventory.find("S")
    assert inventory.identity("1:0:0:1") == "changer"
    assert inventory.identity("1:0:0:0") == "naa.5"
    assert Inventory((ScsiDevice("1:0:0:5", 1),)).identity("1:0:0:5") == "1:0:0:5", "it has no other name"


def test_two_ways_to_one_drive_are_one_drive() -> None:
    drive = ScsiDevice("1:0:0:0", 1, serial="S", naa="naa.5")
    other = ScsiDevice("2:0:0:0", 1, serial="S", naa="naa.5")
    found = Inventory((drive, other)).find("S")
    assert found == drive
