# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""mtx for the library: status, inventory, load, unload, transfer, inquiry. Texts and exit codes of mtx 1.3.12."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

from lab.scst.control import Client, Problem
from lab.scst.hardware import CHANGER

_USAGE = """Usage:
\tmtx --version
\tmtx [ -f <loader-dev> ] noattach <more commands>
\tmtx [ -f <loader-dev> ] inquiry | inventory 
\tmtx [ -f <loader-dev> ] [altres] [nobarcode] status
\tmtx [ -f <loader-dev> ] [altres] [invert] load <storage-element-number> [<drive#>]
\tmtx [ -f <loader-dev> ] [altres] [invert] unload [<storage-element-number>][<drive#>]
\tmtx [ -f <loader-dev> ] [altres] [eepos eepos-number] transfer <storage-element-number> <storage-element-number>
"""  # noqa: W291  (as it is printed)
_DRIVE_ADDRESS, _SLOT_ADDRESS, _MAIL_ADDRESS = 0x100, 0x1000, 0x10


class Stopped(Exception):
    """The text for standard error."""


def main(words: list[str]) -> int:
    if words == ["--version"]:
        print("mtx version 1.3.12")
        return 0
    device = os.environ.get("CHANGER", "/dev/changer")
    if words[:1] == ["-f"] and len(words) > 1:
        device, words = words[1], words[2:]
    words = [word for word in words if word not in ("noattach", "altres", "nobarcode", "invert")]
    if not words or words[0] not in ("status", "inventory", "inquiry", "load", "unload", "transfer"):
        print(_USAGE, end="", file=sys.stderr)
        return 1
    try:
        client = Client()
        _is_changer(client, device)
        return _command(client, device, words[0], [int(word) for word in words[1:]])
    except ValueError:
        print(_USAGE, end="", file=sys.stderr)
        return 1
    except Stopped as problem:
        print(problem, file=sys.stderr)
        return 1


def _is_changer(client: Client, device: str) -> None:
    """It speaks to generic devices only. The recordings are silent about a drive's: it has no elements to report."""
    if not Path(device).exists():
        raise Stopped(f"cannot open SCSI device '{device}' - No such file or directory")
    name = Path(device).resolve().name
    found = [one for one in client.call("hardware")["devices"] if one["present"] and f"sg{one['generic']}" == name]
    if not found:
        raise Stopped(f"{device} is not an sg device, or old sg driver")
    if found[0]["type"] != CHANGER:
        raise Stopped("READ ELEMENT STATUS Command Failed")


def _command(client: Client, device: str, command: str, numbers: list[int]) -> int:
    library = client.call("library")
    if command == "status":
        print(client.call("mtx_status", name=device), end="")
    elif command == "inquiry":
        one = next(one for one in client.call("hardware")["devices"] if one["type"] == CHANGER)
        print(f"Product Type: Medium Changer\nVendor ID: '{one['vendor']:8}'\nProduct ID: '{one['model']:16}'")
        print(f"Revision: '{one['revision']:4}'\nAttached Changer API: No")
    elif command == "load":
        _load(client, library, numbers)
    elif command == "unload":
        _unload(client, library, numbers)
    elif command == "transfer":
        if len(numbers) != 2:
            raise ValueError
        for number in numbers:
            if not 1 <= number <= len(library["slots"]):
                raise Stopped("Invalid source" if number is numbers[0] else "Invalid destination")
        _move(client, library, ["slot", numbers[0]], ["slot", numbers[1]])
    return 0


def _load(client: Client, library: dict[str, Any], numbers: list[int]) -> None:
    if not numbers:
        raise ValueError
    slot, drive = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if not 1 <= slot <= len(library["slots"]):
        raise Stopped(f"Invalid <storage-element-number> argument '{slot}' to 'load' command")
    if not 0 <= drive < len(library["drives"]):
        raise Stopped(f"illegal <drive-number> argument '{drive}' to 'load' command")
    if library["drives"][drive]:
        raise Stopped(f"Drive {drive} Full (Storage Element {library['origin'][drive]} loaded)")
    print(f"Loading media from Storage Element {slot} into drive {drive}...", end="", flush=True)
    _move(client, library, ["slot", slot], ["drive", drive])
    print("done")


def _unload(client: Client, library: dict[str, Any], numbers: list[int]) -> None:
    drive = numbers[1] if len(numbers) > 1 else 0
    if not 0 <= drive < len(library["drives"]):
        raise Stopped(f"illegal <drive-number> argument '{drive}' to 'unload' command")
    if not library["drives"][drive]:
        raise Stopped(f"Data Transfer Element {drive} is Empty")
    slot = numbers[0] if numbers else library["origin"][drive]
    if not slot:
        raise Stopped("Do not know which slot to unload tape into!")
    if not 1 <= slot <= len(library["slots"]):
        raise Stopped(f"illegal <storage-element-number> argument '{slot}' to 'unload' command")
    if library["slots"][slot - 1]:
        raise Stopped(f"Storage Element {slot} is Already Full")
    print(f"Unloading drive {drive} into Storage Element {slot}...", end="", flush=True)
    _move(client, library, ["drive", drive], ["slot", slot])
    print("done")


def _address(library: dict[str, Any], place: list[Any]) -> int:
    """As the recorded library numbers its elements."""
    kind, number = place
    if kind == "drive":
        return _DRIVE_ADDRESS + int(number)
    ordinary = len(library["slots"]) - library["import_export"]
    address = _SLOT_ADDRESS + number - 1 if number <= ordinary else _MAIL_ADDRESS + number - ordinary - 1
    return int(address)


def _move(client: Client, library: dict[str, Any], source: list[Any], destination: list[Any]) -> None:
    origin, goal = _address(library, source), _address(library, destination)
    held = {"slot": lambda number: library["slots"][number - 1], "drive": lambda number: library["drives"][number]}
    if not held[source[0]](source[1]):
        raise Stopped(f"Source Element Address {origin} is Empty")
    if held[destination[0]](destination[1]):
        raise Stopped(f"Destination Element Address {goal} is Already Full")
    try:
        client.call("mtx_move", source=source, destination=destination)
    except Problem as problem:
        if problem.code != errno.EIO:
            raise
        raise Stopped(f"MOVE MEDIUM from Element Address {origin} to {goal} Failed") from None
