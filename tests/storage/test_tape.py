# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A tape library that is reached over iSCSI, by the initiator's side of the role tape_export, as its user sees it."""

from __future__ import annotations

import shlex

import pytest

from lab.machine import STORAGE, Machine, join
from lab.machine.targets import tape_target
from tests.machine.plays import until
from tests.storage.roles import converge, words

TARGET = "iqn.2016-01.example.hospital:ts3200"
LIBRARY = "10.1.1.1"
USER, SECRET = "backup", "of a test's, with \" and $ and \\"


class Guest:
    """The machine that backs up to tape, and the one with the library."""

    def __init__(self, library, machine, folder):
        self.machine, self.folder = machine, folder
        card = join(library, machine, 1)
        library.sh(f"ip link set {card} up; ip addr add {LIBRARY}/24 dev {card}")
        machine.sh(f"ip link set {card} up; ip addr add 10.1.1.2/24 dev {card}")
        tape_target(library, TARGET, media=("HC0001L5", "HC0002L5"), user=USER, secret=SECRET)

    def role(self, *, fails=False, **variables):
        described = {
            "tape_export_target": TARGET,
            "tape_export_portals": [LIBRARY],
            "tape_export_user": USER,
            "tape_export_secret": SECRET,
            **variables,
        }
        return converge(self.folder, {self.machine: described}, "tape_export", "initiator", fails=fails)

    @property
    def changer(self):
        (found,) = (unit[-1] for unit in self.units() if unit[1] == "mediumx")
        return found

    def units(self):
        """What lsscsi says of the library: its controller, drives and changer."""
        said = self.machine.ssh("lsscsi", "-g").stdout
        return [line.split() for line in said.splitlines() if line.split()[1] in {"tape", "mediumx", "storage"}]

    def inventory(self):
        return self.machine.ssh("mtx", "-f", self.changer, "status").stdout

    def mtx(self, *argv):
        return self.machine.ssh("mtx", "-f", self.changer, *argv)


@pytest.fixture(scope="module")
def guest(tmp_path_factory):
    with Machine("library", STORAGE) as library, Machine("guest", STORAGE) as machine:
        yield Guest(library, machine, tmp_path_factory.mktemp("guest"))


def test_nobody_gets_in_with_a_wrong_secret(guest):
    told = words(guest.role(fails=True, tape_export_secret="of nobody's at all"))
    assert "of nobody's at all" not in told
    assert guest.units() == []


def test_the_role_logs_in_and_a_second_run_changes_nothing(guest):
    told = words(guest.role())
    assert SECRET not in told
    until(lambda: len(guest.units()) == 4, 60, lambda: guest.machine.sh("lsscsi -g"))
    guest.machine.ssh("udevadm", "settle")
    names = guest.machine.sh("ls /dev/tape/by-id").split()
    again = guest.role(tape_export_devices=names)
    assert [result["task"] for result in again.results if result.get("changed")] == []
    assert "nobody" in words(guest.role(fails=True, tape_export_devices=["nobody"], tape_export_devices_timeout=1))


def test_drives_slots_and_barcodes_are_seen(guest):
    assert sorted(unit[1] for unit in guest.units()) == ["mediumx", "storage", "tape", "tape"]
    told = guest.inventory()
    assert told.count("Data Transfer Element") == 2
    assert "Storage Element 1:Full :VolumeTag=HC0001L5" in told
    assert "Storage Element 2:Full :VolumeTag=HC0002L5" in told
    names = guest.machine.sh("ls /dev/tape/by-id")
    for serial in ("DRIVE01", "DRIVE02", "CHANGER"):
        assert serial in names


def test_an_initiator_without_a_kernel_sees_it_too(guest):
    as_user = f"LIBISCSI_CHAP_USERNAME={USER} LIBISCSI_CHAP_PASSWORD={shlex.quote(SECRET)}"
    told = guest.machine.sh(f"{as_user} iscsi-ls --show-luns iscsi://{LIBRARY}")
    assert told.count("SEQUENTIAL_ACCESS") == 2
    assert told.count("MEDIA_CHANGER") == 1
    told = guest.machine.sh(f"{as_user} iscsi-inq iscsi://{LIBRARY}/{TARGET}/3")
    assert "3573-TL" in told


def test_what_is_written_to_a_tape_reads_back(guest):
    guest.mtx("load", "2", "0")
    assert "Data Transfer Element 0:Full (Storage Element 2 Loaded):VolumeTag = HC0002L5" in guest.inventory()
    guest.machine.sh(
        """
        until mt -f /dev/nst0 status | grep -q ONLINE; do sleep 0.5; done
        mkdir -p /var/tmp/backup
        for file in 1 2 3; do head -c 3M /dev/urandom >/var/tmp/backup/$file; done
        tar -C /var/tmp -b 128 -cf /dev/nst0 backup
        dd if=/var/tmp/backup/2 of=/dev/nst0 bs=64k status=none
        mt -f /dev/nst0 rewind
        tar -C /var/tmp -b 128 --compare -f /dev/nst0
        mt -f /dev/nst0 rewind
        mt -f /dev/nst0 fsf 1
        dd if=/dev/nst0 of=/var/tmp/again bs=64k status=none
        cmp /var/tmp/again /var/tmp/backup/2
        mt -f /dev/nst0 offline
        """
    )
    guest.mtx("unload", "2", "0")
    assert "Storage Element 2:Full :VolumeTag=HC0002L5" in guest.inventory()
    guest.mtx("load", "2", "1")  # a tape is the same in any drive
    guest.machine.sh("until mt -f /dev/nst1 status | grep -q ONLINE; do sleep 0.5; done")
    guest.machine.sh("tar -C /var/tmp -b 128 --compare -f /dev/nst1")
    guest.mtx("unload", "2", "1")
