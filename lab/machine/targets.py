# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What another machine can find over iSCSI: a machine of the recipe STORAGE as a disk array or a tape library, by tgt.

A target is gone after a reset of its machine; what was written to it is not."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lab.machine.machine import Machine

# Element addresses of the changer, as SCSI has them; mtx counts drives from 0 and slots from 1.
_ARM, _DRIVES, _SLOTS, _MAIL = 1, 256, 4096, 16
_FOLDER = "/srv/tapes"


def disk_target(machine: Machine, target: str, *files: str, user: str = "", secret: str = "", number: int = 1) -> None:
    """A target with these files or block devices as LUN 1, 2 …, on all addresses of the machine, port 3260.

    user, secret: CHAP, asked of initiators. number: of the target on this machine."""
    _new_target(machine, target, number)
    for lun, file in enumerate(files, start=1):
        _tgtadm(machine, f"--mode logicalunit --op new --tid {number} --lun {lun} -b {file}")
    _open(machine, number, user, secret)


def tape_target(
    machine: Machine,
    target: str,
    *,
    drives: int = 2,
    slots: int = 6,
    media: Sequence[str] = (),
    user: str = "",
    secret: str = "",
    number: int = 1,
) -> None:
    """A tape library as a target: LUN 1 … are its drives, the next one is the changer; on all addresses of the machine.

    media: barcodes, in slots 1, 2 …; each holds 64 MiB. Serial numbers are DRIVE01, DRIVE02 … and CHANGER.
    user, secret: CHAP."""
    _new_target(machine, target, number)
    machine.sh(f"mkdir -p {_FOLDER}/media; truncate -s 1M {_FOLDER}/changer")
    for barcode in (*media, *(f"_drive{drive}" for drive in range(1, drives + 1))):
        words = f"--op new --device-type tape --barcode {barcode} --size 64 --type data"
        machine.sh(f"tgtimg {words} --file {_FOLDER}/media/{barcode}")
    for drive in range(1, drives + 1):
        unit = f"--mode logicalunit --tid {number} --lun {drive}"
        _tgtadm(machine, f"{unit} --op new -b {_FOLDER}/media/_drive{drive} --device-type tape --bstype ssc")
        named = f"vendor_id=IBM,product_id=ULT3580-HH5,product_rev=LAB1,scsi_sn=DRIVE{drive:02},removable=1,online=0"
        _tgtadm(machine, f"{unit} --op update --params {named}")
    unit = f"--mode logicalunit --tid {number} --lun {drives + 1}"
    _tgtadm(machine, f"{unit} --op new -b {_FOLDER}/changer --device-type changer")
    named = "vendor_id=IBM,product_id=3573-TL,product_rev=LAB1,scsi_sn=CHANGER,removable=1"
    _tgtadm(machine, f"{unit} --op update --params {named},media_home={_FOLDER}/media")
    for kind, first, quantity in ((1, _ARM, 1), (4, _DRIVES, drives), (2, _SLOTS, slots), (3, _MAIL, 1)):
        _tgtadm(machine, f"{unit} --op update --params element_type={kind},start_address={first},quantity={quantity}")
    for drive in range(drives):
        wired = f"element_type=4,address={_DRIVES + drive},tid={number},lun={drive + 1}"
        _tgtadm(machine, f"{unit} --op update --params {wired}")
    for slot, barcode in enumerate(media):
        filled = f"element_type=2,address={_SLOTS + slot},barcode={barcode},sides=1"
        _tgtadm(machine, f"{unit} --op update --params {filled}")
    _open(machine, number, user, secret)


def _new_target(machine: Machine, target: str, number: int) -> None:
    machine.sh("systemctl start tgt")
    _tgtadm(machine, f"--mode target --op new --tid {number} --targetname {target}")


def _open(machine: Machine, number: int, user: str, secret: str) -> None:
    if user:
        _tgtadm(machine, f"--mode account --op new --user {user} --password {shlex.quote(secret)}")
        _tgtadm(machine, f"--mode account --op bind --tid {number} --user {user}")
    _tgtadm(machine, f"--mode target --op bind --tid {number} -I ALL")


def _tgtadm(machine: Machine, words: str) -> None:
    machine.ssh("tgtadm", "--lld", "iscsi", *shlex.split(words))
