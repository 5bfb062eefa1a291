# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""An initiator's way in: portals, CHAP, groups and default LUNs; and its way out."""

from __future__ import annotations

from fnmatch import fnmatchcase

from lab.scst.state import Group, Kernel, Session, Target

AUTHORIZATION = 24  # open-iscsi: "iSCSI login failed due to authorization failure"
REFUSED = 19  # "encountered non-retryable iSCSI login failure"


class LoginFailed(Exception):
    """`status`: iscsiadm's exit code for it."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def login(
    kernel: Kernel, target_name: str, initiator: str, user: str = "", secret: str = "", portal: str = "127.0.0.1"
) -> Session:
    """`portal`: the address of ours that the initiator came to. Raises LoginFailed.

    The recordings are silent about a second session of one initiator to one target; here it is refused."""
    target = kernel.targets.get(target_name)
    if kernel.daemon is None or not kernel.daemon.enabled:
        raise LoginFailed(REFUSED, "the target's host does not answer")
    if target is None or not target.enabled or not _lets_in(target, portal):
        raise LoginFailed(REFUSED, "no such target at this portal")
    known = [text.split(" ", 1) for text in target.dynamic.get("IncomingUser", {}).values()]
    if known and [user, secret] not in known:
        raise LoginFailed(AUTHORIZATION, "no such user and secret")
    group = group_of(target, initiator)
    if group is target.own and not group.luns:
        raise LoginFailed(REFUSED, "the initiator is in no group, and the target has no default LUNs")
    if initiator in target.sessions:
        raise LoginFailed(REFUSED, "this initiator is logged in already")
    count = kernel.logins[initiator] = kernel.logins.get(initiator, 0) + 1
    session = Session(initiator, f"{len(kernel.logins)}{count:02x}00003d0200", group.name, target_ip=portal)
    target.sessions[initiator] = session
    where = f"(target {target.name})"
    kernel.say(f'Using security group "{group.name}" for initiator "{initiator}" {where}', thread=kernel.daemon.pid)
    kernel.say(f"Session created: tid {target.tid}, sid 0x{session.sid}, initiator {initiator}", "iscsi-scst")
    return session


def _lets_in(target: Target, portal: str) -> bool:
    patterns = target.dynamic.get("allowed_portal", {}).values()
    return not patterns or any(fnmatchcase(portal, pattern) for pattern in patterns)


def discover(kernel: Kernel, initiator: str, user: str = "", secret: str = "", portal: str = "127.0.0.1") -> list[str]:
    """The targets that an initiator is shown at one of our addresses: those that let it in. Raises LoginFailed."""
    if kernel.daemon is None or not kernel.daemon.enabled:
        raise LoginFailed(REFUSED, "the target's host does not answer")
    known = [text.split(" ", 1) for text in kernel.daemon.users.get("IncomingUser", {}).values()]
    if known and [user, secret] not in known:
        raise LoginFailed(AUTHORIZATION, "no such user and secret")
    found = [target for target in kernel.targets.values() if target.enabled and _lets_in(target, portal)]
    return [target.name for target in found if group_of(target, initiator) is not target.own or target.own.luns]


def group_of(target: Target, initiator: str) -> Group:
    """The first group with a name or pattern that fits, else the target's own LUNs."""
    for group in target.groups.values():
        if any(fnmatchcase(initiator, pattern) for pattern in group.initiators):
            return group
    return target.own


def reassign(kernel: Kernel, target: Target) -> None:
    """After names changed: open sessions move to the group that is theirs now."""
    for session in target.sessions.values():
        now = group_of(target, session.initiator)
        if now.name != session.group:
            kernel.say(
                f"sess {session.sid} (initiator {session.initiator}) will be reassigned from acg {session.group} "
                f"to acg {now.name}"
            )
            session.group = now.name


def visible(kernel: Kernel, target_name: str, initiator: str) -> dict[int, str]:
    """What a logged-in initiator can use: LUN -> H:C:I:L. A LUN whose device nobody claimed is not there for it."""
    target = kernel.targets[target_name]
    luns = target.group(target.sessions[initiator].group).luns
    return {number: lun.device for number, lun in sorted(luns.items()) if kernel.devices[lun.device].handler}


def logout(kernel: Kernel, target: Target, initiator: str) -> None:
    session = target.sessions.pop(initiator)
    kernel.say(f"Freeing session (SID {session.sid})", "iscsi-scst", 2676)
