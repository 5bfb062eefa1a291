# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The engine's I/O for SCST: the tree live, the same state in scst.conf, and beside it what a boot has to know."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing, Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    InvalidInput,
    SubsystemError,
    listed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.scst import actions, conf, program, record, saved
from ansible_collections.hospital.continuity.plugins.module_utils.scst.boot import refreshed, rewritten
from ansible_collections.hospital.continuity.plugins.module_utils.scst.conf import Node, node
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice, gather
from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ScstError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import ADDRESS, WINDOWS_SECRET
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import Granted, Record, located
from ansible_collections.hospital.continuity.plugins.module_utils.scst.service import Service, kernel_log
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import (
    HANDLERS,
    ISCSI,
    PASS_THROUGH,
    Tree,
    read,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.sysfs import TREE, Sysfs
from ansible_collections.hospital.continuity.plugins.module_utils.scst.target import (
    CUT_SESSION,
    TargetKind,
    wanted_target,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.view import states, troubles

_SESSION_END = 30.0


@dataclass(frozen=True)
class Places:
    """Where things are; a test puts them elsewhere."""

    tree: str = TREE
    root: str = "/"
    conf: str = conf.PATH
    state: str = record.DIRECTORY


class ScstBackend:
    # SCST takes one request after another.
    parallel = 1

    def __init__(
        self,
        places: Places = Places(),
        *,
        runner: Runner = run,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.places = places
        self.service = Service(runner)
        self.sysfs = Sysfs(places.tree, log=lambda: kernel_log(runner), sleep=sleep, now=now)
        self._sleep = sleep
        self._now = now
        self._missing: tuple[Granted, ...] = ()
        self._declared: frozenset[str] = frozenset()
        self._settled: Callable[[Granted], bool] = lambda one: False
        self._files = 0
        self._seen: Optional[tuple[Tree, Inventory]] = None

    @property
    def writes(self) -> int:
        return self.sysfs.writes + self.service.writes + self._files

    def close(self) -> None:
        """There is no connection to keep."""

    # -- looking ----------------------------------------------------------------------------------------------------

    def tree(self) -> Tree:
        """The running SCST as it is now."""
        return read(self.sysfs)

    def inventory(self) -> Inventory:
        """The SCSI devices as they are now."""
        return gather(self.places.root)

    def _look(self) -> tuple[Tree, Inventory]:
        """Both, as they were when they were last looked at; what we write ourselves makes us look again."""
        if self._seen is None:
            self._seen = (self.tree(), self.inventory())
        return self._seen

    def resolve(self, kind: TargetKind, declared: Declaration) -> Declaration:
        """Devices by the name that info shows, each with its handler; those that are not here are left out, and told
        in `unmet`. Raises InvalidInput for what cannot be exported, or where nothing that was declared is here."""
        self._declared = frozenset(str(key[0]) for key in declared.keys)
        self._settled = partial(_is_settled, declared)
        if declared.state == ABSENT:
            return declared
        tree, inventory = self._look()
        old = self.remembered()
        finder = Finder(tree, inventory, old)
        items = tuple(finder.item(item) for item in declared.items)
        finder.problems.extend(self._shared(declared, finder.missing, old))
        if finder.problems:
            raise InvalidInput(listed(finder.problems).rstrip(".") + ".", hint="Nothing was changed.")
        self._missing = tuple(finder.missing)
        if self._missing and not finder.found:
            names = sorted({one.names[0] for one in self._missing})
            raise InvalidInput(
                f"None of the devices is on this host: {listed(names)}.",
                hint="Look at power, cables and names: scst_info shows the devices that are here. Nothing was changed.",
            )
        return replace(declared, items=items)

    def _shared(self, declared: Declaration, missing: Sequence[Granted], old: Record) -> list[str]:
        """Tape drives that are not here and would serve two initiators when they come back."""
        tree, inventory = self._look()
        now = {
            (name, group): members.initiators
            for name, target in tree.targets.items()
            for group, members in target.groups.items()
        }
        text, _mode = conf.load(self.places.conf)
        filed = saved.initiators(conf.parse(text, self.places.conf))
        given = {
            (str(item.key[0]), name): tuple(group["initiators"] or ())
            for item in declared.items
            for name, group in (item.options.get("groups") or {}).items()
            if "initiators" in group
        }
        elsewhere = [one for one in old.luns if one.target not in self._declared and not located(inventory, one.names)]
        return record.shared(missing, elsewhere, old, {**filed, **now, **given})

    def observe(self, kind: TargetKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        """All targets, asked for or not: whether a drive may be granted depends on the others."""
        tree, inventory = self._look()
        text, mode = conf.load(self.places.conf)
        existing = conf.parse(text, self.places.conf)
        kept = self._is_saved(text, existing, mode, tree, inventory)
        addresses = self._addresses(tree, inventory)
        result = {
            key: Thing(
                {**state, "saved": kept},
                {
                    "running": True,
                    "target": tree.targets[str(key[0])],
                    "wedged": tree.targets[str(key[0])].wedged,
                    "addresses": addresses,
                },
            )
            for key, state in states(kind, tree, inventory).items()
        }
        for name in saved.targets(existing):
            result.setdefault((name,), Thing({"saved": True}, {"running": False, "wedged": False, "addresses": {}}))
        return result

    @staticmethod
    def _addresses(tree: Tree, inventory: Inventory) -> dict[str, str]:
        """Where the devices are now, by the name that a state bears."""
        result = {inventory.identity(device.address): device.address for device in inventory.devices}
        result.update({name: name for name, device in tree.devices.items() if not device.scsi})
        return result

    def _is_saved(self, text: str, existing: Sequence[Node], mode: int, tree: Tree, inventory: Inventory) -> bool:
        """Whether a boot would bring back what runs. A file of which nothing runs needs nothing."""
        wanted = saved.merged(existing, tree)
        if not wanted and not existing:
            return True
        if conf.meaning(wanted) != conf.meaning(existing) or mode != conf.MODE or not conf.startable(text, existing):
            return False
        old = self.remembered()
        return (
            old.text() == self._expected(old, tree, inventory, existing).text()
            and self._kept(record.PROGRAM) == program.archive()
            and bool(self._kept(record.FILE))
        )

    def _expected(
        self, old: Record, tree: Tree, inventory: Inventory, existing: Sequence[Node], dropped: Collection[str] = ()
    ) -> Record:
        return record.expected(
            old,
            tree,
            inventory,
            missing=self._missing,
            settled=self._settled,
            dropped=dropped,
            filed=set(saved.targets(existing)),
        )

    def remembered(self) -> Record:
        """What was declared the last time, as a boot finds it."""
        return record.parse(self._kept(record.FILE).decode("utf-8", "replace"))

    def _kept(self, name: str) -> bytes:
        """A file of ours beside scst.conf; empty where it is not there, or others could have written it."""
        path = Path(self.places.state, name)
        try:
            with path.open("rb") as file:
                return file.read() if os.fstat(file.fileno()).st_mode & 0o7777 == conf.MODE else b""
        except FileNotFoundError:
            return b""
        except OSError as problem:
            raise ScstError(f"{path} cannot be read: {problem.strerror}.", hint="Become root (become: true).") from None

    # -- before and after -------------------------------------------------------------------------------------------

    def precheck(self, kind: TargetKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        tree, _inventory = self._look()
        needed = any(step.action in (CREATE, UPDATE) for step in plan)
        if needed and not tree.loaded and not self.service.installed():
            return [Missing("SCST is not installed on this host: install its kernel modules and tools")]
        return []

    def consents(self, kind: TargetKind, plan: Plan, declared: Declaration) -> Mapping[Key, Sequence[Consent]]:
        """What other targets' sessions lose when a device goes to another handler."""
        tree, inventory = self._look()
        addresses = self._addresses(tree, inventory)
        result: dict[Key, list[Consent]] = {}
        for step in plan:
            if step.action not in (CREATE, UPDATE):
                continue
            wanted = wanted_target(step.after or {}, addresses)
            for target, initiators in actions.disturbed_elsewhere(tree, str(step.key[0]), wanted).items():
                loses = (
                    f"{listed(initiators)} of {target} is logged in, and a device that it uses gets another handler; "
                    "what it reads or writes there breaks off"
                )
                result.setdefault(step.key, []).append(Consent(f"{CUT_SESSION}:{target}", loses))
        return result

    def verify(self, kind: TargetKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        result = [
            Unmet(
                f"target {one.target}: {one.names[0]} is not on this host, so LUN {one.lun} of group {one.group} is "
                "not exported. Look at the device's power and cable, then run this again."
            )
            for one in self._missing
        ]
        tree, _inventory = self._look()
        for name in sorted(self._declared):
            if name in tree.targets:
                result.extend(Unmet(f"target {name}: {text}") for text in troubles(tree, name))
        if things:
            result.extend(Unmet(text) for text in self.service.problems())
        return result

    # -- doing ------------------------------------------------------------------------------------------------------

    def apply(self, kind: TargetKind, step: Step) -> Sequence[str]:
        name = str(step.key[0])
        self._seen = None
        # Where devices are was true a moment ago; one that moved since then must not be taken for another.
        inventory = self.inventory()
        if step.action == DELETE:
            self._carry_out(actions.removal(self.tree(), name), inventory)
            self._save(inventory, dropped={name})
            return ()
        if set(step.options) != {"scst.conf"}:
            handlers = {
                str(lun["handler"])
                for group in ((step.after or {}).get("groups") or {}).values()
                for lun in (group.get("luns") or {}).values()
                if lun.get("handler")
            }
            tree = self.service.ready(self.tree, sorted(handlers), self._put_in_order)
            wanted = wanted_target(step.after or {}, self._addresses(tree, inventory))
            self._carry_out(actions.towards(tree, name, wanted), inventory)
        self._save(inventory)
        return _warnings(step)

    def _carry_out(self, listed_actions: Sequence[actions.Action], inventory: Inventory) -> None:
        try:
            for action in listed_actions:
                if isinstance(action, actions.Write):
                    self.sysfs.write(action.path, action.text, shown=action.shown, gone_is_fine=action.gone_is_fine)
                else:
                    self._wait_for_end(action.path)
        except ScstError:
            # Who was put out already must not be back after a boot; the error itself is what people need to read.
            with contextlib.suppress(SubsystemError):
                self._save(inventory)
            self._seen = None
            raise

    def _wait_for_end(self, path: Sequence[str]) -> None:
        deadline = self._now() + _SESSION_END
        while self.sysfs.exists(*path):
            if self._now() >= deadline:
                raise ScstError(
                    f"The session {path[-1]} of {path[-3]} was told to end and did not within {_SESSION_END:g} s.",
                    hint="Log the initiator out (iscsiadm --logout), then run again.",
                )
            self._sleep(0.1)

    def _save(self, inventory: Inventory, dropped: Collection[str] = ()) -> None:
        """Everything that runs, in scst.conf; what a boot has to know first, so that no boot finds the one without the
        other."""
        tree = self.tree()
        self._seen = (tree, inventory)
        text, mode = conf.load(self.places.conf)
        existing = conf.parse(text, self.places.conf)
        wanted = saved.merged(existing, tree, dropped)
        old = self.remembered()
        fresh = self._expected(old, tree, inventory, existing, dropped)
        if wanted or existing:
            self._keep(record.PROGRAM, program.archive())
            self._keep(record.FILE, fresh.text().encode())
        differs = conf.meaning(wanted) != conf.meaning(existing) or not conf.startable(text, existing)
        if differs or (mode != conf.MODE and (wanted or existing)):
            self._files += 1
            conf.store(self.places.conf, conf.render(wanted).encode("utf-8", "surrogateescape"))

    def _keep(self, name: str, content: bytes) -> None:
        if self._kept(name) == content:
            return
        self._files += 1
        try:
            Path(self.places.state).mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as problem:
            raise ScstError(
                f"{self.places.state} cannot be made: {problem.strerror}.", hint="Look at the file system."
            ) from None
        conf.store(str(Path(self.places.state, name)), content)

    def _put_in_order(self) -> None:
        """Before SCST starts: no device in its file that is not here, and its iSCSI target."""
        text, mode = conf.load(self.places.conf)
        existing = conf.parse(text, self.places.conf)
        known, inventory = self.remembered(), self.inventory()
        wanted = list(rewritten(existing, known, inventory))
        if not any(one.keyword == saved.DRIVER and one.name == ISCSI for one in wanted):
            wanted.append(node(saved.DRIVER, ISCSI, children=[node("enabled", "1")]))
        if conf.meaning(wanted) != conf.meaning(existing) or mode != conf.MODE or not conf.startable(text, existing):
            self._files += 1
            conf.store(self.places.conf, conf.render(wanted).encode("utf-8", "surrogateescape"))
        if known.addresses or known.luns:
            self._keep(record.FILE, refreshed(known, inventory, existing, wanted).text().encode())


class Finder:
    """The devices of a declaration, looked up."""

    def __init__(self, tree: Tree, inventory: Inventory, old: Record) -> None:
        self.tree, self.inventory, self.old = tree, inventory, old
        self.missing: list[Granted] = []
        self.problems: list[str] = []
        self.found = 0
        self._handlers: dict[str, str] = {}

    def item(self, item: Item) -> Item:
        given = item.options.get("groups")
        if not given:
            return item
        groups = {}
        for name, group in given.items():
            groups[name] = dict(group)
            if group.get("luns"):
                found = {
                    number: self._lun(lun, Granted(str(item.key[0]), name, number, (lun["device"],)))
                    for number, lun in group["luns"].items()
                }
                groups[name]["luns"] = {number: lun for number, lun in found.items() if lun}
        return replace(item, options={**item.options, "groups": groups})

    def _lun(self, lun: Mapping[str, Any], place: Granted) -> Optional[dict[str, Any]]:
        """The LUN with its device as the system knows it; None where it is not here, or cannot be exported."""
        name = str(lun["device"])
        virtual = self.tree.devices.get(name)
        if virtual is not None and not virtual.scsi:
            self.found += 1
            return {"read_only": False, **lun, "handler": virtual.handler, "type": virtual.type}
        try:
            device = self._device(name)
            if device is None:
                handler = str(lun.get("handler") or "")
                self.missing.append(replace(place, read_only=bool(lun.get("read_only")), handler=handler))
                return None
            handler = self._handler(device, lun.get("handler"))
        except ScstError as problem:
            self.problems.append(f"target {place.target}: LUN {place.lun} of {place.group}: {problem}")
            return None
        self.found += 1
        identity = self.inventory.identity(device.address)
        return {"read_only": False, **lun, "device": identity, "handler": handler, "type": device.type}

    def _device(self, name: str) -> Optional[ScsiDevice]:
        if ADDRESS.fullmatch(name):
            device = self.inventory.at(name)
            identity = self.inventory.identity(name)
            if device is None or identity != name:
                better = f"; the device there now is {identity}" if device is not None else ""
                raise ScstError(
                    f"{name} is a place, and after a boot something else may be there{better}.",
                    hint="Give the device's serial number or its name below /dev/tape/by-id.",
                )
        else:
            device = self.inventory.find(name)
        if device is None or device.imported:
            # udev makes a link late, or takes it for what this host imports of its own export.
            device = self.inventory.at(located(self.inventory, self.old.names_of(name))) or device
        if device is not None and device.imported:
            raise ScstError(
                f"{name} ({device.address}) comes to this host itself by iSCSI.",
                hint="Export it where it is attached.",
            )
        return device

    def _handler(self, device: ScsiDevice, asked: Optional[str]) -> str:
        claimed = self.tree.devices[device.address].handler if device.address in self.tree.devices else ""
        fitting = claimed if PASS_THROUGH.get(claimed) == device.type else HANDLERS.get(device.type, "")
        handler = asked or fitting
        if not handler or (asked and device.type not in HANDLERS and asked != claimed):
            raise ScstError(
                f"{self.inventory.identity(device.address)} ({device.address}) is a {device.sort}; only tape drives "
                "and medium changers are exported."
            )
        if PASS_THROUGH[handler] != device.type:
            raise ScstError(f"handler {handler} is for another sort of device than a {device.sort}.")
        if self._handlers.setdefault(device.address, handler) != handler:
            raise ScstError(
                f"{self.inventory.identity(device.address)} has one handler, and two are asked for: "
                f"{self._handlers[device.address]} and {handler}."
            )
        return handler


def _is_settled(declared: Declaration, lun: Granted) -> bool:
    """Whether a declaration says what is to be at a LUN's place: what it leaves out stays, here or not."""
    for item in declared.items:
        if str(item.key[0]) == lun.target and "groups" in item.options:
            groups = item.options["groups"] or {}
            return lun.group not in groups or "luns" in groups[lun.group] or declared.unlisted_options == RESET
    return False


def _warnings(step: Step) -> list[str]:
    before = (step.before or {}).get("incoming_users") or {}
    after = (step.after or {}).get("incoming_users") or {}
    return [
        f"the secret of {user} has more than {WINDOWS_SECRET} characters, which initiators on Windows do not take"
        for user, options in sorted(after.items())
        if len(options["secret"]) > WINDOWS_SECRET and before.get(user) != options
    ]
