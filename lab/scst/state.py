# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What SCST's kernel modules keep; how it looks from outside is tree.py's, how it changes that of rules/."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.scst.hardware import CHANGER, DISK, TAPE, Hardware

# Module -> its handlers with the SCSI type they take. The last four are virtual ones: their devices are no hardware.
HANDLERS = {
    "scst_changer": {"dev_changer": CHANGER},
    "scst_tape": {"dev_tape": TAPE, "dev_tape_perf": TAPE},
    "scst_disk": {"dev_disk": DISK, "dev_disk_perf": DISK},
    "scst_vdisk": {"vdisk_fileio": DISK, "vdisk_blockio": DISK, "vdisk_nullio": DISK, "vcdrom": 5},
}
VIRTUAL = tuple(HANDLERS["scst_vdisk"])
NEEDS = {"iscsi_scst": "scst", "isert_scst": "iscsi_scst", **dict.fromkeys(HANDLERS, "scst")}
MODULES = ("scst", *NEEDS)


def refuse(code: int, *_explanation: str) -> OSError:
    return OSError(code, os.strerror(code))


@dataclass
class Attached:
    """A device as SCST sees it. `exports`: how many LUNs it has ever been."""

    hcil: str
    type: int
    handler: str = ""
    exports: int = 0
    was_claimed: bool = False


@dataclass
class Lun:
    device: str
    read_only: bool
    export: int


@dataclass
class Group:
    """Also a target's own LUNs, which have the target's name: the group of everybody who is in no other."""

    name: str
    luns: dict[int, Lun] = field(default_factory=dict)
    initiators: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class Session:
    initiator: str
    sid: str
    group: str  # the name of a group, or the target's
    ip: str = "127.0.0.1"
    target_ip: str = "127.0.0.1"


@dataclass
class Target:
    name: str
    tid: int
    own: Group
    groups: dict[str, Group] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    # By attribute: index of the file -> its text. "user secret", or an address pattern.
    dynamic: dict[str, dict[int, str]] = field(default_factory=dict)
    wedged: bool = False  # OutgoingUser after a second one was added
    enabled: bool = False
    relative_id: int = 0

    def all_groups(self) -> list[Group]:
        return [self.own, *self.groups.values()]

    def group(self, name: str) -> Group:
        return self.groups.get(name, self.own)


@dataclass
class Daemon:
    """iscsi-scstd: what it knows is gone with it."""

    pid: int
    enabled: bool = False
    attributes: dict[str, str] = field(default_factory=dict)
    users: dict[str, dict[int, str]] = field(default_factory=dict)
    targets_made: int = 0


@dataclass
class Faults:
    """What a test ordered."""

    fail_write: int = 0  # the so manyth write from here on fails
    lost: bool = False  # it is carried out all the same
    queued: int = 0  # so many writes are answered EAGAIN
    polls: int = 0  # and last_sysfs_mgmt_res says so for so many reads


@dataclass
class Kernel:
    """`running`: the machine's time in seconds, for dmesg."""

    hardware: Hardware = field(default_factory=Hardware)
    modules: list[str] = field(default_factory=list)
    devices: dict[str, Attached] = field(default_factory=dict)
    targets: dict[str, Target] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    daemon: Daemon | None = None
    last_result: int = 0
    relative_ids: int = 0
    logins: dict[str, int] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    messages: list[str] = field(default_factory=list)
    seconds: float = 150.0
    writes: int = 0

    def say(self, text: str, who: str = "scst", thread: int = 759) -> None:
        self.seconds += 0.0005
        self.messages.append(f"[{self.seconds:12.6f}] [{thread}]: {who}: {text}")

    def error(self, text: str, who: str = "scst") -> None:
        self.say(f"***ERROR***: {text}", who)

    def handlers(self) -> dict[str, int]:
        """By name, with their types."""
        return {name: kind for module, of in HANDLERS.items() if module in self.modules for name, kind in of.items()}

    def claimed(self, handler: str) -> list[str]:
        return [device.hcil for device in self.devices.values() if device.handler == handler]

    def exports(self, hcil: str) -> Iterator[tuple[int, Target, Group, int]]:
        """Everywhere a device is a LUN: number of the export, target, group, LUN."""
        for target in self.targets.values():
            for group in target.all_groups():
                for number, lun in group.luns.items():
                    if lun.device == hcil:
                        yield lun.export, target, group, number

    @contextmanager
    def write(self) -> Iterator[None]:
        """Something is about to be changed: counted, and failed if it is the one that a test ordered to fail."""
        self.writes += 1
        faults, ordered = self.faults, False
        if faults.fail_write:
            faults.fail_write -= 1
            ordered = not faults.fail_write
        if ordered and not faults.lost:
            raise refuse(errno.EIO)
        yield
        if ordered:
            raise refuse(errno.EIO)

    def listening(self) -> Daemon:
        """The daemon; EPERM and a line in dmesg without it."""
        if self.daemon is None:
            self.error("User space process is not connected. Is iscsi-scstd running?", "iscsi-scst")
            raise refuse(errno.EPERM)
        return self.daemon
