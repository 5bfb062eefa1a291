# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""`mgmt` of the iSCSI driver: targets, and the attributes that come and go (users, portals)."""

from __future__ import annotations

import errno

from lab.scst import sessions
from lab.scst.state import Group, Kernel, Session, Target, refuse

SHORTEST_SECRET = 12
_DRIVER_ATTRIBUTES = ("IncomingUser", "OutgoingUser")
_TARGET_ATTRIBUTES = (*_DRIVER_ATTRIBUTES, "allowed_portal")


def command(kernel: Kernel, text: str) -> None:
    daemon = kernel.listening()
    action, _blank, rest = text.strip().partition(" ")
    if action == "add_target":
        name, _blank, parameters = rest.strip().partition(" ")
        _add(kernel, name, parameters)
    elif action == "del_target":
        _delete(kernel, rest.strip())
    elif action in ("add_attribute", "del_attribute"):
        attribute, _blank, value = rest.strip().partition(" ")
        if attribute not in _DRIVER_ATTRIBUTES:
            raise refuse(errno.EINVAL)
        _change(daemon.users.setdefault(attribute, {}), action == "add_attribute", attribute, value)
    elif action in ("add_target_attribute", "del_target_attribute"):
        name, _blank, assignment = rest.strip().partition(" ")
        attribute, _blank, value = assignment.strip().partition(" ")
        if name not in kernel.targets:
            raise refuse(errno.ENOENT)
        _target_attribute(kernel, kernel.targets[name], action == "add_target_attribute", attribute, value)
    else:
        # The recordings are silent about this message.
        kernel.error(f'Unknown action "{action}"')
        raise refuse(errno.EINVAL)


def _add(kernel: Kernel, name: str, parameters: str) -> None:
    """Names are not validated. EINVAL for parameters but the attributes above."""
    daemon = kernel.listening()
    if not name:  # the recordings are silent
        raise refuse(errno.EINVAL)
    if name in kernel.targets:
        raise refuse(errno.EEXIST)
    target = Target(name, daemon.targets_made + 1, Group(name))
    for parameter in parameters.split(";"):
        attribute, _equals, value = parameter.strip().partition("=")
        if attribute:
            _target_attribute(kernel, target, True, attribute, value)
    daemon.targets_made += 1
    kernel.targets[name] = target
    kernel.say(f"Target {name} for template iscsi registered successfully", thread=daemon.pid)


def _delete(kernel: Kernel, name: str) -> None:
    """With its groups and LUNs; EBUSY while there are sessions."""
    target = kernel.targets.get(name)
    if target is None:
        kernel.error(f"Target {name} not found", "iscsi-scst")
        raise refuse(errno.ENOENT)
    if target.sessions:
        raise refuse(errno.EBUSY)
    del kernel.targets[name]
    kernel.say(f"Target {name} for template iscsi unregistered successfully", thread=kernel.listening().pid)


def _target_attribute(kernel: Kernel, target: Target, adding: bool, attribute: str, value: str) -> None:
    if attribute not in _TARGET_ATTRIBUTES:
        raise refuse(errno.EINVAL)
    values = target.dynamic.setdefault(attribute, {})
    if attribute == "OutgoingUser" and (target.wedged or (adding and values)):
        if adding:
            target.wedged = True
            kernel.error(f"Attribute OutgoingUser for {target.name} already exist", "iscsi-scst")
            raise refuse(errno.EEXIST)
        raise refuse(errno.ENOENT)
    _change(values, adding, attribute, value)


def _change(values: dict[int, str], adding: bool, attribute: str, value: str) -> None:
    """Files are numbered by the lowest free number, so that gaps are filled."""
    words = _words(value)
    if attribute == "allowed_portal":
        if len(words) != 1 or adding == (words[0] in values.values()):
            raise refuse(errno.EINVAL)
        where = [index for index, there in values.items() if there == words[0]]
        text = words[0]
    else:
        where = [index for index, there in values.items() if there.split(" ")[0] == (words[0] if words else "")]
        if adding and (len(words) < 2 or len(words[1]) < SHORTEST_SECRET or where):
            raise refuse(errno.EINVAL)
        if not adding and not where:
            raise refuse(errno.ENOENT)
        text = " ".join(words[:2])
    if adding:
        values[next(index for index in range(len(values) + 1) if index not in values)] = text
    else:
        del values[where[0]]


def _words(text: str) -> list[str]:
    """iscsi-scstd takes = for a blank (config_sep_string), so that the end of a secret in base64 is lost."""
    return text.replace("=", " ").split()


def overwrite(values: dict[int, str], index: int, attribute: str, text: str) -> None:
    """Writing the attribute's own file: nothing is checked, and what is left out is `(null)`."""
    words = _words(text)
    if attribute == "allowed_portal":
        values[index] = words[0] if words else ""
    else:
        values[index] = f"{words[0] if words else ''} {words[1] if len(words) > 1 else '(null)'}"


def enable(kernel: Kernel, target: Target, text: str) -> None:
    """The first time it gets a relative id, if it has none. Sessions outlive 0."""
    if text not in ("0", "1"):
        kernel.error(f"scst_tgt_enable_store: Requested action not understood: {text}\n")
        raise refuse(errno.EINVAL)
    if text == "1" and not target.relative_id:
        taken = {other.relative_id for other in kernel.targets.values()}
        kernel.relative_ids = next(number for number in range(kernel.relative_ids + 1, 65536) if number not in taken)
        target.relative_id = kernel.relative_ids
        kernel.say(f"Using autogenerated relative target id {target.relative_id} for target {target.name}")
    target.enabled = text == "1"


def force_close(kernel: Kernel, target: Target, session: Session) -> None:
    kernel.say(f"Force closing session {session.sid} with initiator {session.initiator}", "iscsi-scst", 1046)
    sessions.logout(kernel, target, session.initiator)
