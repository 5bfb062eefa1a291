# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""`mgmt` of groups, LUNs and initiators of a target."""

from __future__ import annotations

import errno

from lab.scst import sessions
from lab.scst.state import Group, Kernel, Lun, Target, refuse

MOST_LUN = 16383


def groups(kernel: Kernel, target: Target, text: str) -> None:
    """create, del. Only the first word of a name counts; a slash in it becomes an exclamation mark."""
    action, *words = text.split() or [""]
    if action not in ("create", "del") or not words:
        raise _unknown(kernel, action)
    name = _file_name(words[0])
    if action == "create":
        if name in target.groups:
            kernel.error(f"acg name {name} exist")
            raise refuse(errno.EEXIST)
        target.groups[name] = Group(name)
        return
    if name not in target.groups:
        kernel.error(f"Group {name} not found")
        raise refuse(errno.EINVAL)
    if any(session.group == name for session in target.sessions.values()):
        kernel.error(f"Group {name} is not empty")
        raise refuse(errno.EBUSY)
    del target.groups[name]


def luns(kernel: Kernel, target: Target, group: Group, text: str) -> None:
    """add, replace, del, clear. An unclaimed device is taken all the same."""
    action, *words = text.split() or [""]
    if action in ("add", "replace", "replace_no_ua"):
        _put(kernel, target, group, action, words)
    elif action == "del":
        # The recordings are silent about what is no number.
        number = int(words[0]) if words and words[0].isdigit() else -1
        if number not in group.luns:
            kernel.error(f"Device is not found in group {group.name}")
            raise refuse(errno.EINVAL)
        del group.luns[number]
        kernel.say(f"Removed LUN {number} from group {group.name} (target {target.name})")
    elif action == "clear":
        group.luns.clear()
        kernel.say(f"Removed all devices from group {group.name}")
    else:
        raise _unknown(kernel, action)


def _put(kernel: Kernel, target: Target, group: Group, action: str, words: list[str]) -> None:
    device = kernel.devices.get(words[0]) if words else None
    if device is None:
        kernel.error(f"Device '{words[0] if words else ''}' not found")
        raise refuse(errno.EINVAL)
    if len(words) < 2 or not words[1].isdigit():
        kernel.error(f"Valid LUN required for dev {device.hcil} (res -22)")
        raise refuse(errno.EINVAL)
    number, read_only = int(words[1]), False
    if number > MOST_LUN:
        kernel.error(f"Too big LUN {number} (max {MOST_LUN})")
        raise refuse(errno.EINVAL)
    for parameter in " ".join(words[2:]).split(";"):
        name, _equals, value = parameter.strip().partition("=")
        if name and name != "read_only":
            kernel.error(f"Unknown parameter {name} (device {device.hcil})")
            raise refuse(errno.EINVAL)
        read_only = read_only or (name == "read_only" and value.strip() not in ("", "0"))
    if action == "add" and number in group.luns:
        kernel.error(f"virt lun {number} already exists in group {group.name}")
        raise refuse(errno.EEXIST)
    # The recordings are silent about replacing a LUN that is not there: it is added.
    if number in group.luns:
        kernel.say(f"Removed LUN {number} from group {group.name} (target {target.name})")
    group.luns[number] = Lun(device.hcil, read_only, device.exports)
    device.exports += 1
    flags = (0x2 if action == "add" else 0x8) | int(read_only)
    kernel.say(
        f"Added device {device.hcil} to group {group.name} (LUN {number}, flags 0x{flags:x}) to target {target.name}"
    )


def initiators(kernel: Kernel, target: Target, group: Group, text: str) -> None:
    """add, del, move, clear. One name may be in several groups; open sessions follow their names."""
    action, *words = text.split() or [""]
    if action == "clear":
        # A name that had a slash is not found again by its file.
        group.initiators = [name for name in group.initiators if "/" in name]
    elif action == "add" and words:
        _admit(kernel, target, group, words[0])
    elif action == "del" and words:
        _leave(kernel, group, words[0])
    elif action == "move" and len(words) == 2 and words[1] in target.groups:
        _leave(kernel, group, words[0])
        _admit(kernel, target, target.groups[words[1]], words[0])
    else:
        raise _unknown(kernel, action)
    sessions.reassign(kernel, target)


def _admit(kernel: Kernel, target: Target, group: Group, name: str) -> None:
    if name in group.initiators:
        kernel.error(f"Name {name} already exists in group {group.name}")
        raise refuse(errno.EEXIST)
    group.initiators.append(name)
    kernel.say(f"Added name {name} to group {group.name} (target {target.name})")


def _leave(kernel: Kernel, group: Group, name: str) -> None:
    if name not in group.initiators:
        kernel.error(f"Unable to find initiator '{name}' in group '{group.name}'")
        raise refuse(errno.EINVAL)
    group.initiators.remove(name)


def _unknown(kernel: Kernel, action: str) -> OSError:
    kernel.error(f'Unknown action "{action}"')
    return refuse(errno.EINVAL)


def _file_name(name: str) -> str:
    return name.replace("/", "!")
