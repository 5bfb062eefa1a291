# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What has to be written to the tree, and in which order, so that a target becomes what is wanted. Pure.

Devices are claimed before anything is put on them, what closes comes before what opens, LUNs are there before anybody
is let in, and enabling is last. Access is never wider on the way than before or after: a new CHAP user or portal is
added before the old one goes, because a target without any is open to all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Optional, Union

from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import SHORTEST_SECRET
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import (
    DEFAULTS,
    ISCSI,
    PASS_THROUGH,
    Group,
    Lun,
    Session,
    Target,
    Tree,
)

BASE = ("targets", ISCSI)
MGMT = "mgmt"
# Only what has a name can be deleted: an entry that was emptied gets these first. The address is of those that nobody
# has (RFC 5737).
_NOBODY, _NOWHERE = "nobody", "192.0.2.1"


@dataclass(frozen=True)
class Write:
    """One line for one file of the tree. shown: what messages show instead of it (it holds a secret).
    gone_is_fine: that the file or its object is gone already is no failure."""

    path: tuple[str, ...]
    text: str = field(repr=False)
    shown: str = ""
    gone_is_fine: bool = False


@dataclass(frozen=True)
class Gone:
    """Wait until a session has ended."""

    path: tuple[str, ...]


Action = Union[Write, Gone]


@dataclass(frozen=True)
class WantedLun:
    """device: as SCST names it now.  handler: what must have claimed it; empty for a virtual device."""

    device: str
    read_only: bool = False
    handler: str = ""


@dataclass(frozen=True)
class WantedGroup:
    luns: Mapping[int, WantedLun] = field(default_factory=dict)
    initiators: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """A target as it shall be, all of it. settings: by SCST's names.  close_default: its own LUNs, open to everybody,
    have to go."""

    enabled: bool = True
    portals: tuple[str, ...] = ()
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    outgoing: Optional[tuple[str, str]] = field(default=None, repr=False)
    settings: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, WantedGroup] = field(default_factory=dict)
    close_default: bool = False


def towards(tree: Tree, name: str, wanted: Wanted) -> list[Action]:
    """From the tree as it is to the target as it shall be."""
    result: list[Action] = list(_claims(tree, wanted))
    now = tree.targets.get(name)
    if now is None:
        result.append(Write((*BASE, MGMT), f"add_target {name}"))
        now = Target(settings=DEFAULTS)
    where = (*BASE, name)
    result.extend(_closing(where, now, wanted))
    result.extend(_settings(where, now, wanted))
    result.extend(_users(name, now, wanted))
    result.extend(_portals(name, now, wanted))
    for group in sorted(wanted.groups):
        result.extend(_group(where, group, now.groups.get(group), wanted.groups[group]))
    released = _devices(now) - {lun.device for group in wanted.groups.values() for lun in group.luns.values()}
    result.extend(_unclaims(tree, name, released if wanted.close_default or not now.luns else released - _own(now)))
    if wanted.enabled and not now.enabled:
        result.append(Write((*where, "enabled"), "1"))
    if wanted.enabled and not tree.driver_enabled:
        result.append(Write((*BASE, "enabled"), "1"))
    return result


def removal(tree: Tree, name: str) -> list[Action]:
    """The reverse: nobody new, everybody out, the target, then what only it had claimed."""
    now = tree.targets.get(name)
    if now is None:
        return []
    where = (*BASE, name)
    return [
        *([Write((*where, "enabled"), "0")] if now.enabled else []),
        *_ended(where, now.sessions),
        Write((*BASE, MGMT), f"del_target {name}", gone_is_fine=True),
        *_unclaims(tree, name, _devices(now)),
    ]


def cut(now: Target, wanted: Optional[Wanted]) -> list[Session]:
    """The sessions that end, or lose or change a LUN they see, on the way; all of them where the target goes."""
    if wanted is None or not wanted.enabled:
        return list(now.sessions)
    return [session for session in now.sessions if _disturbed(now, wanted, session)]


def disturbed_elsewhere(tree: Tree, name: str, wanted: Wanted) -> dict[str, list[str]]:
    """Who is logged in at other targets, of whatever driver, and uses a device that goes to another handler; by
    target."""
    luns = [lun for group in wanted.groups.values() for lun in group.luns.values()]
    moved = {
        lun.device
        for lun in luns
        if lun.handler and lun.device in tree.devices and tree.devices[lun.device].handler not in ("", lun.handler)
    }
    result: dict[str, set[str]] = {}
    for other, target in tree.targets.items():
        for session in target.sessions if other != name else ():
            seen = target.groups[session.group].luns if session.group in target.groups else target.luns
            if moved & {lun.device for lun in seen.values()}:
                result.setdefault(other, set()).add(session.initiator)
    for device in moved:
        for driver, other in {tuple(one.split("/")[:2]) for one in tree.devices[device].exported}:
            for session_path in tree.other_sessions:
                if driver != ISCSI and session_path.startswith(f"{driver}/{other}/"):
                    result.setdefault(other, set()).add(session_path.rpartition("/")[2])
    return {other: sorted(initiators) for other, initiators in sorted(result.items())}


def _disturbed(now: Target, wanted: Wanted, session: Session) -> bool:
    if not session.group:
        # Nobody listed it; it sees the target's own LUNs, if there are any.
        return bool(now.luns) and wanted.close_default
    group = wanted.groups.get(session.group)
    if group is None or not any(fnmatchcase(session.initiator, name) for name in group.initiators):
        return True
    return bool(_leaving(now.groups[session.group], group)) if session.group in now.groups else False


def _leaving(now: Group, wanted: WantedGroup) -> list[int]:
    """The LUNs of a group that go or become something else."""
    return [number for number, lun in sorted(now.luns.items()) if not _same(lun, wanted.luns.get(number))]


def _same(now: Lun, wanted: Optional[WantedLun]) -> bool:
    return wanted is not None and (now.device, now.read_only) == (wanted.device, wanted.read_only)


def _claims(tree: Tree, wanted: Wanted) -> Iterator[Write]:
    """A LUN on a device that nothing has claimed is accepted, and nobody sees it: so claiming comes first. A claim by
    another handler of the same type moves the device."""
    done: set[str] = set()
    for group in wanted.groups.values():
        for lun in group.luns.values():
            device = tree.devices.get(lun.device)
            if lun.handler and lun.device not in done and (device is None or device.handler != lun.handler):
                done.add(lun.device)
                yield Write(("handlers", lun.handler, MGMT), f"add_device {lun.device}")


def _unclaims(tree: Tree, name: str, devices: Iterable[str]) -> Iterator[Write]:
    """Give back what no LUN of any other target is on, of whatever driver."""
    elsewhere = {device for other, target in tree.targets.items() if other != name for device in _devices(target)}
    for address in sorted(set(devices) - elsewhere):
        device = tree.devices.get(address)
        mine = f"{ISCSI}/{name}/"
        if (
            device is not None
            and device.handler in PASS_THROUGH
            and all(one.startswith(mine) for one in device.exported)
        ):
            yield Write(("handlers", device.handler, MGMT), f"del_device {address}")


def _own(target: Target) -> set[str]:
    return {lun.device for lun in target.luns.values()}


def _devices(target: Target) -> set[str]:
    return _own(target) | {lun.device for group in target.groups.values() for lun in group.luns.values()}


def _closing(where: tuple[str, ...], now: Target, wanted: Wanted) -> Iterator[Action]:
    """Whoever is to lose something loses it, before anybody gets something."""
    if now.enabled and not wanted.enabled:
        yield Write((*where, "enabled"), "0")
    if wanted.close_default:
        for number in sorted(now.luns):
            yield Write((*where, "luns", MGMT), f"del {number}")
    out: list[Session] = [] if wanted.enabled else list(now.sessions)
    for name in sorted(now.groups):
        keep = wanted.groups.get(name, WantedGroup()).initiators
        for initiator in now.groups[name].initiators:
            if initiator not in keep:
                # First it may not come back, then it has to go: the other way round it would be back at once.
                yield Write((*where, "ini_groups", name, "initiators", MGMT), f"del {initiator}")
                out.extend(one for one in now.sessions if one.initiator == initiator and one not in out)
        out.extend(one for one in now.sessions if one.group == name and name not in wanted.groups and one not in out)
    if wanted.close_default and now.luns:
        out.extend(one for one in now.sessions if not one.group and one not in out)
    yield from _ended(where, out)
    for name in sorted(now.groups):
        if name not in wanted.groups:
            yield Write((*where, "ini_groups", MGMT), f"del {name}")


def _ended(where: tuple[str, ...], sessions: Iterable[Session]) -> Iterator[Action]:
    listed = list(sessions)
    for session in listed:
        yield Write((*where, "sessions", session.name, "force_close"), "1", gone_is_fine=True)
    for session in listed:
        yield Gone((*where, "sessions", session.name))


def _settings(where: tuple[str, ...], now: Target, wanted: Wanted) -> Iterator[Write]:
    for name in sorted(wanted.settings):
        if now.settings.get(name) != wanted.settings[name]:
            yield Write((*where, name), wanted.settings[name])


def _users(name: str, now: Target, wanted: Wanted) -> Iterator[Write]:
    where = (*BASE, name)
    have = {user.name: user for user in now.incoming if user.name}
    emptied = [user.file for user in now.incoming if not user.name]
    for user in sorted(wanted.users):
        secret = wanted.users[user]
        if user not in have and emptied:
            yield _secret_written((*where, emptied.pop(0)), user, secret)
        elif user not in have:
            yield _attribute(name, "IncomingUser", user, secret)
        elif have[user].secret != secret:
            yield _secret_written((*where, have[user].file), user, secret)
    for user in sorted(have):
        if user not in wanted.users:
            yield Write((*BASE, MGMT), f"del_target_attribute {name} IncomingUser {user}")
    for file in emptied:
        yield from _emptied(name, file, "IncomingUser", min(wanted.users.values(), default="x" * SHORTEST_SECRET))
    if wanted.outgoing is None:
        if now.outgoing is not None and now.outgoing.name:
            yield Write((*BASE, MGMT), f"del_target_attribute {name} OutgoingUser {now.outgoing.name}")
        elif now.outgoing is not None:
            yield from _emptied(name, now.outgoing.file, "OutgoingUser", "x" * SHORTEST_SECRET)
    elif now.outgoing is None:
        yield _attribute(name, "OutgoingUser", *wanted.outgoing)
    elif (now.outgoing.name, now.outgoing.secret) != wanted.outgoing:
        # There can be one only: adding a second wedges the attribute until the target is deleted.
        yield _secret_written((*where, now.outgoing.file), *wanted.outgoing)


def _emptied(target: str, file: str, sort: str, secret: str) -> Iterator[Write]:
    yield _secret_written((*BASE, target, file), _NOBODY, secret)
    yield Write((*BASE, MGMT), f"del_target_attribute {target} {sort} {_NOBODY}")


def _attribute(target: str, sort: str, user: str, secret: str) -> Write:
    text = f"add_target_attribute {target} {sort} {user}"
    return Write((*BASE, MGMT), f"{text} {secret}", f"{text} ***")


def _secret_written(path: tuple[str, ...], user: str, secret: str) -> Write:
    return Write(path, f"{user} {secret}", f"{user} ***")


def _portals(name: str, now: Target, wanted: Wanted) -> Iterator[Write]:
    emptied = list(now.emptied_portals)
    for portal in wanted.portals:
        if portal not in now.portals and emptied:
            yield Write((*BASE, name, emptied.pop(0)), portal)
        elif portal not in now.portals:
            yield Write((*BASE, MGMT), f"add_target_attribute {name} allowed_portal {portal}")
    for portal in sorted(set(now.portals)):
        if portal and portal not in wanted.portals:
            yield Write((*BASE, MGMT), f"del_target_attribute {name} allowed_portal {portal}")
    for file in emptied:
        yield Write((*BASE, name, file), _NOWHERE)
        yield Write((*BASE, MGMT), f"del_target_attribute {name} allowed_portal {_NOWHERE}")


def _group(where: tuple[str, ...], name: str, now: Optional[Group], wanted: WantedGroup) -> Iterator[Write]:
    if now is None:
        yield Write((*where, "ini_groups", MGMT), f"create {name}")
        now = Group()
    luns = (*where, "ini_groups", name, "luns", MGMT)
    for number in _leaving(now, wanted):
        yield Write(luns, f"del {number}")
    for number in sorted(wanted.luns):
        lun = wanted.luns[number]
        if not (number in now.luns and _same(now.luns[number], lun)):
            yield Write(luns, f"add {lun.device} {number}{' read_only=1' if lun.read_only else ''}")
    for initiator in wanted.initiators:
        if initiator not in now.initiators:
            yield Write((*where, "ini_groups", name, "initiators", MGMT), f"add {initiator}")
