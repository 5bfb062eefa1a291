# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What SCST's tree holds at a moment, as plain data."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.scst.sysfs import Sysfs

ISCSI = "iscsi"
OPEN, CLOSED = "open", "closed"
# Handlers that pass a real SCSI device through, by the type they take. Sources: SCST's README, Documentation/…
PASS_THROUGH: Mapping[str, int] = {
    "dev_disk": 0,
    "dev_disk_perf": 0,
    "dev_tape": 1,
    "dev_tape_perf": 1,
    "dev_processor": 3,
    "dev_cdrom": 5,
    "dev_modisk": 7,
    "dev_modisk_perf": 7,
    "dev_changer": 8,
    "dev_raid": 12,
}
TAPE, CHANGER = 1, 8
# What a device is claimed by when nobody says otherwise, and the kernel module that brings it.
HANDLERS: Mapping[int, str] = {TAPE: "dev_tape", CHANGER: "dev_changer"}
MODULES: Mapping[str, str] = {
    "dev_tape": "scst_tape",
    "dev_tape_perf": "scst_tape",
    "dev_changer": "scst_changer",
}
# What a target's settings are that nobody touched (SCST 3.11).
DEFAULTS: Mapping[str, str] = {
    "comment": "",
    "MaxSessions": "0",
    "QueuedCommands": "32",
    "NopInInterval": "30",
    "NopInTimeout": "30",
    "RspTimeout": "90",
    "HeaderDigest": "None",
    "DataDigest": "None",
}
_NUMBERED = re.compile(r"(IncomingUser|OutgoingUser|allowed_portal)\d*")
# Settings that are read by other means, or are no settings.
_NOT_SETTINGS = frozenset({"mgmt", "enabled", "trace_level"})
_GROUP_LINK = re.compile(r"ini_groups/([^/]+)/luns$")


@dataclass(frozen=True)
class Device:
    """name: H:C:I:L, or the name of a virtual device.  handler: what claimed it, empty for nothing.  type: the SCSI
    type.  scsi: it is a real one.  saved: settings SCST would save.  exported: where its LUNs are, below `targets`."""

    name: str
    handler: str = ""
    type: int = -1
    scsi: bool = True
    saved: Mapping[str, str] = field(default_factory=dict)
    exported: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lun:
    device: str
    read_only: bool = False


@dataclass(frozen=True)
class Group:
    luns: Mapping[int, Lun] = field(default_factory=dict)
    initiators: tuple[str, ...] = ()
    saved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Session:
    """name: its directory.  group: whose LUNs it sees, empty for the target's own.  addresses: where it comes from."""

    name: str
    initiator: str
    group: str = ""
    addresses: tuple[str, ...] = ()
    commands: int = 0


@dataclass(frozen=True)
class User:
    """A CHAP user. file: the attribute that holds it."""

    name: str
    secret: str = field(repr=False)
    file: str = ""


@dataclass(frozen=True)
class Target:
    """luns: its own, which everybody sees who is in no group.  settings: by SCST's names; saved: the names of those
    that SCST would save.  wedged: two OutgoingUser were added, and SCST shows neither.  emptied_portals: the files of
    portals that somebody wrote nothing into."""

    enabled: bool = False
    luns: Mapping[int, Lun] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    sessions: tuple[Session, ...] = ()
    incoming: tuple[User, ...] = ()
    outgoing: Optional[User] = None
    wedged: bool = False
    portals: tuple[str, ...] = ()
    emptied_portals: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    saved: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Tree:
    """loaded: SCST is in the kernel.  driver: so is its iSCSI target.  open_state: whether iscsi-scstd is connected.
    driver_users, driver_outgoing: CHAP of the discovery.  handlers: by name, with the SCSI type.  other_sessions: of
    other target drivers, `driver/target/initiator`."""

    loaded: bool = False
    driver: bool = False
    open_state: str = CLOSED
    driver_enabled: bool = False
    driver_users: tuple[User, ...] = ()
    driver_outgoing: tuple[User, ...] = ()
    driver_saved: Mapping[str, str] = field(default_factory=dict)
    handlers: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, Device] = field(default_factory=dict)
    targets: Mapping[str, Target] = field(default_factory=dict)
    other_sessions: tuple[str, ...] = ()
    version: str = ""

    @property
    def serves(self) -> bool:
        """Whether targets can be made at all."""
        return self.driver and self.open_state == OPEN


def read(sysfs: Sysfs) -> Tree:
    """The whole tree. Raises ScstError where it cannot be read."""
    if not sysfs.exists("devices"):
        return Tree()
    driver = sysfs.exists("targets", ISCSI)
    base = ("targets", ISCSI)
    files = sysfs.files(*base) if driver else []
    users, _wedged = _users(sysfs, base, files, "IncomingUser")
    outgoing, _wedged = _users(sysfs, base, files, "OutgoingUser")
    return Tree(
        loaded=True,
        driver=driver,
        open_state=sysfs.read(*base, "open_state").value if driver else CLOSED,
        driver_enabled=sysfs.read(*base, "enabled").value == "1",
        driver_users=users,
        driver_outgoing=outgoing,
        driver_saved={name: value for name, (value, saved) in _settings(sysfs, base, files).items() if saved},
        handlers={name: _type(sysfs, "handlers", name) for name in sysfs.directories("handlers")},
        devices={name: _device(sysfs, name) for name in sysfs.directories("devices")},
        targets={name: _target(sysfs, (*base, name)) for name in sysfs.directories(*base)},
        other_sessions=_other_sessions(sysfs),
        version=sysfs.read("version").value.split("\n")[0].rpartition(" ")[2],
    )


def _type(sysfs: Sysfs, *where: str) -> int:
    number = sysfs.read(*where, "type").value.partition(" ")[0]
    return int(number) if number.isdigit() else -1


def _device(sysfs: Sysfs, name: str) -> Device:
    handler = sysfs.link("devices", name, "handler").rpartition("/")[2]
    settings = _settings(sysfs, ("devices", name)) if handler else {}
    return Device(
        name,
        handler,
        _type(sysfs, "devices", name),
        bool(sysfs.link("devices", name, "scsi_device")),
        {setting: value for setting, (value, saved) in settings.items() if saved},
        tuple(
            sysfs.link("devices", name, "exported", one).rpartition("/targets/")[2]
            for one in sysfs.names("devices", name, "exported")
        ),
    )


def _settings(sysfs: Sysfs, where: tuple[str, ...], names: Sequence[str] | None = None) -> dict[str, tuple[str, bool]]:
    """What can be set and read, with whether SCST would save it; several of one name are read elsewhere."""
    result = {}
    for name in sysfs.files(*where) if names is None else names:
        if name in _NOT_SETTINGS or _NUMBERED.fullmatch(name):
            continue
        found = sysfs.read(*where, name)
        if found.readable:
            result[name] = (found.value, found.saved)
    return result


def _target(sysfs: Sysfs, where: tuple[str, ...]) -> Target:
    files = sysfs.files(*where)
    settings = _settings(sysfs, where, files)
    incoming, _none = _users(sysfs, where, files, "IncomingUser")
    outgoing, wedged = _users(sysfs, where, files, "OutgoingUser")
    portals = {name: sysfs.read(*where, name).value for name in files if re.fullmatch(r"allowed_portal\d*", name)}
    return Target(
        enabled=sysfs.read(*where, "enabled").value == "1",
        luns=_luns(sysfs, (*where, "luns")),
        groups={name: _group(sysfs, (*where, "ini_groups", name)) for name in sysfs.directories(*where, "ini_groups")},
        sessions=tuple(_session(sysfs, where, name) for name in sysfs.directories(*where, "sessions")),
        incoming=incoming,
        outgoing=outgoing[0] if outgoing else None,
        wedged=wedged,
        portals=tuple(portals.values()),
        emptied_portals=tuple(name for name, value in portals.items() if not value),
        settings={name: value for name, (value, _saved) in settings.items()},
        saved=frozenset(name for name, (_value, saved) in settings.items() if saved),
    )


def _users(sysfs: Sysfs, where: tuple[str, ...], files: Sequence[str], sort: str) -> tuple[tuple[User, ...], bool]:
    """The CHAP users, whose files are numbered with gaps, and whether one cannot be read."""
    users, wedged = [], False
    for name in files:
        if not re.fullmatch(rf"{sort}\d*", name):
            continue
        found = sysfs.read(*where, name)
        wedged = wedged or not found.readable
        if found.readable:
            user, _blank, secret = found.value.partition(" ")
            users.append(User(user, secret, name))
    return tuple(users), wedged


def _luns(sysfs: Sysfs, where: tuple[str, ...]) -> dict[int, Lun]:
    result = {}
    for name in sysfs.directories(*where):
        device = sysfs.link(*where, name, "device").rpartition("/")[2]
        if name.isdigit() and device:
            result[int(name)] = Lun(device, sysfs.read(*where, name, "read_only").value == "1")
    return result


def _group(sysfs: Sysfs, where: tuple[str, ...]) -> Group:
    initiators = [name for name in sysfs.names(*where, "initiators") if name != "mgmt"]
    settings = _settings(sysfs, where)
    return Group(
        _luns(sysfs, (*where, "luns")),
        tuple(initiators),
        {name: value for name, (value, saved) in settings.items() if saved},
    )


def _session(sysfs: Sysfs, target: tuple[str, ...], name: str) -> Session:
    where = (*target, "sessions", name)
    group = _GROUP_LINK.search(sysfs.link(*where, "luns"))
    addresses = [sysfs.read(*where, part, "ip").value for part in sysfs.directories(*where)]
    commands = sysfs.read(*where, "active_commands").value
    return Session(
        name,
        sysfs.read(*where, "initiator_name").value or name,
        group.group(1) if group else "",
        tuple(address for address in addresses if address),
        int(commands) if commands.isdigit() else 0,
    )


def _other_sessions(sysfs: Sysfs) -> tuple[str, ...]:
    """Who else is served. SCST's own copy manager always has a session with itself."""
    return tuple(
        f"{driver}/{target}/{session}"
        for driver in sysfs.directories("targets")
        if driver not in (ISCSI, "copy_manager")
        for target in sysfs.directories("targets", driver)
        for session in sysfs.directories("targets", driver, target, "sessions")
    )
