# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The running SCST as scst.conf holds it. Pure.

What the running SCST says of tape drives, changers and iSCSI targets is in the file, and nothing else about them. What
is none of ours (other target drivers, virtual disks, device groups, settings of SCST) stays in the file as it stands,
and a target that is not running is kept: the daemon may be dead, and the file is then all that is left of it. So is the
claim of a device that such a target, or somebody else's, rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from ansible_collections.hospital.continuity.plugins.module_utils.scst.conf import Node, changed, node
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import (
    ISCSI,
    PASS_THROUGH,
    Group,
    Lun,
    Target,
    Tree,
    User,
)

HANDLER, DRIVER, TARGET = "HANDLER", "TARGET_DRIVER", "TARGET"
DEVICE, GROUP, LUN, INITIATOR = "DEVICE", "GROUP", "LUN", "INITIATOR"
DEVICE_GROUP = "DEVICE_GROUP"


def merged(existing: Sequence[Node], tree: Tree, dropped: Collection[str] = ()) -> tuple[Node, ...]:
    """The file as it should be. `dropped`: targets that were deleted on purpose."""
    existing = _without(existing, dropped)
    if not tree.loaded:
        return tuple(existing)
    handlers = _handlers(tree, _named_elsewhere(existing, tree))
    result: list[Node] = []
    placed: set[str] = set()
    driver_placed = False
    for one in existing:
        if one.keyword == HANDLER and one.name in PASS_THROUGH:
            if one.name in handlers and one.name not in placed:
                placed.add(one.name)
                result.append(handlers[one.name])
        elif one.keyword == HANDLER:
            placed.add(one.name)
            result.append(_with_virtual(one, tree))
        elif one.keyword == DRIVER and one.name == ISCSI:
            if not driver_placed:
                driver_placed = True
                result.append(_driver(one, tree))
        else:
            result.append(one)
    result.extend(block for name, block in handlers.items() if name not in placed)
    result.extend(block for name, block in _virtual(tree).items() if name not in placed)
    if not driver_placed and (tree.targets or tree.driver_enabled):
        result.append(_driver(node(DRIVER, ISCSI), tree))
    return tuple(result)


def targets(existing: Sequence[Node]) -> list[str]:
    """The iSCSI targets in a file."""
    drivers = [one for one in existing if one.keyword == DRIVER and one.name == ISCSI]
    return [child.name for one in drivers for child in one.named(TARGET)]


def initiators(existing: Sequence[Node]) -> dict[tuple[str, str], tuple[str, ...]]:
    """Who is in the groups of the iSCSI targets in a file, by target and group."""
    return {
        (target.name, group.name): tuple(line.name for line in group.named(INITIATOR))
        for one in existing
        if one.keyword == DRIVER and one.name == ISCSI
        for target in one.named(TARGET)
        for group in target.named(GROUP)
    }


def _without(existing: Sequence[Node], dropped: Collection[str]) -> Sequence[Node]:
    if not dropped:
        return existing
    return [
        changed(one, (child for child in one.children if not (child.keyword == TARGET and child.name in dropped)))
        if one.keyword == DRIVER and one.name == ISCSI and any(one.child(TARGET, name) for name in dropped)
        else one
        for one in existing
    ]


def _named_elsewhere(existing: Sequence[Node], tree: Tree) -> dict[str, list[Node]]:
    """The DEVICE lines of a file, by handler, on which something else in it rests than the iSCSI targets that run:
    other target drivers, device groups, targets that do not run. Without them SCST takes out what rests on them."""
    users: set[str] = set()
    for one in existing:
        if one.keyword == DRIVER:
            kept = (child for child in one.children if one.name != ISCSI or child.name not in tree.targets)
            users.update(line.words[2] for child in kept for line in _all(child) if _is_lun(line))
        elif one.keyword == DEVICE_GROUP:
            users.update(line.name for line in _all(one) if line.keyword == DEVICE)
    claimed = {device.name for device in tree.devices.values() if device.handler}
    result: dict[str, list[Node]] = {}
    for one in existing:
        if one.keyword == HANDLER and one.name in PASS_THROUGH:
            for line in one.named(DEVICE):
                if line.name in users and line.name not in claimed:
                    claimed.add(line.name)
                    result.setdefault(one.name, []).append(line)
    return result


def _all(one: Node) -> Iterator[Node]:
    yield one
    for child in one.children:
        yield from _all(child)


def _is_lun(one: Node) -> bool:
    return one.keyword == LUN and len(one.words) > 2


def _handlers(tree: Tree, beside: Mapping[str, Sequence[Node]]) -> dict[str, Node]:
    """What is claimed, by handler, and what is to be beside it."""
    result: dict[str, Node] = {}
    for name in sorted(PASS_THROUGH):
        claimed = [device for device in tree.devices.values() if device.handler == name]
        lines = [node(DEVICE, device.name, children=_settings(device.saved)) for device in claimed]
        lines.extend(beside.get(name, ()))
        if lines:
            result[name] = node(HANDLER, name, children=lines)
    return result


def _virtual(tree: Tree) -> dict[str, Node]:
    """Virtual devices that the running SCST has, by handler."""
    result: dict[str, Node] = {}
    for device in tree.devices.values():
        if device.handler and device.handler not in PASS_THROUGH and not device.scsi:
            line = node(DEVICE, device.name, children=_settings(device.saved))
            block = result.get(device.handler, node(HANDLER, device.handler))
            result[device.handler] = changed(block, (*block.children, line))
    return result


def _with_virtual(one: Node, tree: Tree) -> Node:
    """Somebody else's virtual devices as they stand, and those that the file lacks."""
    running = _virtual(tree).get(one.name)
    have = {child.name for child in one.named(DEVICE)}
    missing = [child for child in running.children if child.name not in have] if running else []
    return changed(one, (*one.children, *missing)) if missing else one


def _driver(one: Node, tree: Tree) -> Node:
    kept = [child for child in one.children if child.keyword == TARGET and child.name not in tree.targets]
    other = [child for child in one.children if child.keyword != TARGET]
    if tree.serves:
        # Comments say what people meant; the settings are what SCST says.
        other = [child for child in other if child.comment]
        other.extend([node("enabled", "1")] if tree.driver_enabled else [])
        other.extend(_settings(tree.driver_saved))
        for sort, users in (("IncomingUser", tree.driver_users), ("OutgoingUser", tree.driver_outgoing)):
            other.extend(node(sort, f"{user.name} {user.secret}") for user in _by_name(users))
    running = [target_node(name, tree.targets[name]) for name in sorted(tree.targets)]
    return changed(one, (*other, *kept, *running))


def target_node(name: str, target: Target) -> Node:
    users = [node("IncomingUser", f"{user.name} {user.secret}") for user in _by_name(target.incoming)]
    if target.outgoing is not None:
        users.append(node("OutgoingUser", f"{target.outgoing.name} {target.outgoing.secret}"))
    return node(
        TARGET,
        name,
        children=(
            *users,
            *_settings({name: target.settings[name] for name in target.saved}),
            *(node("allowed_portal", portal) for portal in sorted(target.portals)),
            node("enabled", "1" if target.enabled else "0"),
            *luns(target.luns),
            *(_group(group, target.groups[group]) for group in sorted(target.groups)),
        ),
    )


def _group(name: str, group: Group) -> Node:
    initiators = [node(INITIATOR, initiator) for initiator in group.initiators]
    return node(GROUP, name, children=(*luns(group.luns), *initiators, *_settings(group.saved)))


def luns(table: Mapping[int, Lun]) -> list[Node]:
    return [lun_node(number, table[number].device, table[number].read_only) for number in sorted(table)]


def lun_node(number: int, device: str, read_only: bool) -> Node:
    return node(LUN, str(number), device, children=[node("read_only", "1")] if read_only else ())


def _settings(values: Mapping[str, str]) -> list[Node]:
    # A value of several lines has no place in the file (what SCST remembers of reservations).
    return [node(name, values[name]) for name in sorted(values) if values[name] and "\n" not in values[name]]


def _by_name(users: Iterable[User]) -> list[User]:
    return sorted(users, key=lambda user: user.name)
