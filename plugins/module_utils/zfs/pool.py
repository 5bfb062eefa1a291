# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Pools of ZFS: their options, and what one task does about them. Source: zpool(8), zpoolprops(7), zpoolconcepts(7)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Key,
    Number,
    TextByKey,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Dependant, Properties
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import size_text_short
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.forms import Word
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import (
    ABSENT,
    CLASSES,
    PRESENT,
    TYPES,
    Layout,
    Row,
    Rows,
    command_words,
    disk_name,
    mismatch,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_plan import (
    ADD,
    Change,
    LayoutPlan,
    planned,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout_status import PoolStatus
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.pool_import import Waiting

IMPORT = "import"

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_.: -]*$")
# What zpool takes for a vdev or a class, and refuses to create.
_RESERVED = re.compile(r"^(mirror|raidz|draid|spare|c[0-9]|log$)")
_PROPERTY = re.compile(r"^[a-z0-9][a-z0-9:_.+-]*$")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_KEYS = ("encryption", "keyformat", "keylocation", "pbkdf2iters")
# No pool is so large that an ashift beyond these would be anything but a typing error. zpoolprops(7).
_ASHIFT = range(9, 17)


@dataclass(frozen=True)
class Replacements:
    """`replace`: the disk, or its vdev's GUID, that goes, and the one that takes its place."""

    def canonical(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{value!r} is not a mapping; write old: new")
        result = {}
        for old, new in value.items():
            text = str(old).strip()
            result[text if text.isdigit() else disk_name(text)] = disk_name(new)
        if len(set(result.values())) < len(result) or set(result) & set(result.values()):
            raise ValueError("a disk is in it twice")
        return {old: result[old] for old in sorted(result)} or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class FilesystemProperties(TextByKey):
    """What the pool's root dataset is created with; YAML's booleans are on and off."""

    def canonical(self, value: Any) -> Any:
        result = super().canonical(value) or {}
        for name, text in result.items():
            if not _PROPERTY.match(name):
                raise ValueError(f"{name!r} is no name of a property")
            if name in _KEYS:
                raise ValueError(f"{name}: encrypt a dataset of the pool instead, with zfs_dataset")
            if _CONTROL.search(text) or not text:
                raise ValueError(f"{name}: {text!r} is no value of a property")
            result[name] = {"true": "on", "false": "off"}.get(text, text)
        return result or None


@dataclass(frozen=True)
class Comment:
    """A pool's comment; one that is not set reads as a dash. zpoolprops(7): 32 printable ASCII characters."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if len(text) > 32 or not text.isascii() or _CONTROL.search(text):
            raise ValueError(f"{value!r} is not up to 32 printable ASCII characters")
        return None if text in ("", "-") else text

    def wire(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class CacheFile:
    """Where the host remembers the pool; the usual file is the default, and reads as a dash."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if text in ("", "-", "/etc/zfs/zpool.cache"):
            return None
        if text != "none" and (not text.startswith("/") or _CONTROL.search(text) or text.endswith("/")):
            raise ValueError(f"{value!r} is neither none nor the path of a file")
        return text

    def wire(self, value: Any) -> str:
        return str(value)


@dataclass(frozen=True)
class Ashift(Number):
    def canonical(self, value: Any) -> Any:
        number = super().canonical(value)
        if number not in _ASHIFT:
            raise ValueError(f"{value!r} is not between 9 and 16; 12 is for sectors of 4096 bytes")
        return number


def _switch(name: str, *, default: bool = False) -> Field:
    return Field(name, Boolean(true="on", false="off"), type="bool", default=default)


PROPERTIES = (
    _switch("autoexpand"),
    _switch("autoreplace"),
    _switch("autotrim"),
    Field("cachefile", CacheFile()),
    Field("comment", Comment()),
    Field("compatibility", Word(pattern=r"[^\x00-\x20\x7f]+"), default="off"),
    _switch("delegation", default=True),
    Field("failmode", Word(), choices=("wait", "continue", "panic"), default="wait"),
    _switch("listsnapshots"),
    _switch("multihost"),
)

LAYOUT_FIELDS = (
    Field("type", choices=TYPES),
    Field("class", choices=CLASSES),
    Field("disks", type="list", elements="str"),
    Field("draid_data", Number(), type="int"),
    Field("draid_spares", Number(), type="int"),
    Field("state", choices=(PRESENT, ABSENT)),
)

FIELDS = (
    Field("name"),
    Field("layout", Layout(), type="list", elements="dict", fields=LAYOUT_FIELDS, required=True, kept=True),
    Field("replace", Replacements(), type="dict", creating=True),
    Field("ashift", Ashift(), type="int", create_only=True),
    *PROPERTIES,
    Field("fs_properties", FilesystemProperties(), type="dict", creating=True),
)


@dataclass(frozen=True)
class Contents:
    """What would be lost with a pool."""

    datasets: tuple[Dependant, ...] = ()
    used: int = 0


@dataclass(frozen=True)
class PoolKind(Kind):
    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        name = str(item.key[0])
        if not _NAME.match(name) or len(name) > 200 or name != name.strip(" "):
            raise InvalidInput(
                f"name: {name!r} is no name of a pool.", hint="Begin with a letter; then letters, digits and _ . : - ."
            )
        rows: Rows = item.options.get("layout") or ()
        listed_disks = {disk for row in rows for disk in row.disks if row.state == PRESENT}
        for old, new in (item.options.get("replace") or {}).items():
            if old in listed_disks:
                raise InvalidInput(f"replace: {old} goes, and layout still lists it.", hint=f"List {new} in its place.")
            if rows and new not in listed_disks:
                raise InvalidInput(f"replace: {new} comes, and layout does not list it.", hint="List it.")

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None:
            return super().plan_present(item, thing, declared)
        waiting = waiting_of(thing)
        if waiting is not None:
            return (self._with_consents(self._import(item, waiting, declared)),)
        return self._update(item, thing, declared)

    def _update(self, item: Item, thing: Thing, declared: Declaration) -> Sequence[Step]:
        plan = layout_plan(item, thing)
        if plan.problems:
            raise InvalidInput(f"layout: {listed(plan.problems)}")
        options = {name: value for name, value in item.options.items() if name != "layout"}
        if "ashift" in options and thing.facts.get("ashift_unknown"):
            # OpenZFS 2.1 does not tell what its vdevs have when nobody said it at creation.
            del options["ashift"]
        steps = super().plan_present(replace(item, options=options), thing, declared)
        if not plan.changes:
            return steps
        after = dict((steps[0].after if steps else thing.state) or {})
        after["layout"] = plan.after
        step = Step(
            UPDATE,
            self.name,
            item.key,
            before=thing.state,
            after=after,
            options=("layout", *(steps[0].options if steps else ())),
            facts={**thing.facts, "changes": plan.changes},
        )
        return (self._with_consents(step),)

    def _import(self, item: Item, waiting: Waiting, declared: Declaration) -> Step:
        if not waiting.usable:
            raise InvalidInput(
                f"it is on the disks of this host and cannot be imported: {waiting.described} It is not absent, and "
                "is not created anew: its data may be whole. Attach or mend what is missing (zpool import shows it)"
            )
        after = {
            row.name: item.options[row.name]
            for row in self.option_rows
            if row.compared and item.options.get(row.name) is not None
        }
        facts = {"waiting": waiting, "item": item, "declared": declared}
        lacking = (f"without {listed(waiting.lacking)}",) if waiting.lacking else ()
        return Step(IMPORT, self.name, item.key, after=after, options=lacking, facts=facts)

    def plan_create(self, item: Item) -> Step:
        if _RESERVED.match(str(item.key[0])):
            raise InvalidInput(f"name: {item.key[0]!r} is a word of zpool's own.", hint="Choose another name.")
        step = super().plan_create(item)
        rows: Rows = tuple(row for row in step.after["layout"] if row.state == PRESENT) if step.after else ()
        if not any(row.vdev_class == "normal" for row in rows):
            raise InvalidInput("layout has no vdev of class normal, without which there is no pool.")
        why = mismatch(rows)
        if why:
            raise InvalidInput(f"layout: {why}; ZFS refuses to mix them, and it is not forced to here.")
        return replace(step, after={**(step.after or {}), "layout": rows})

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        waiting = waiting_of(thing) if thing is not None else None
        if waiting is not None:
            raise InvalidInput(
                f"it is on the disks of this host and not imported, which is not absent ({waiting.described}) Import "
                f"it first (zpool import {waiting.name}), look at what is in it, and run again"
            )
        return super().plan_absent(key, thing)

    def consents(self, step: Step) -> Sequence[Consent]:
        name = str(step.key[0])
        if step.action == DELETE:
            return (Consent(f"destroy_pool:{name}", lost_with(step.facts.get("contents") or Contents())),)
        if step.action == IMPORT:
            waiting: Waiting = step.facts["waiting"]
            if not waiting.foreign:
                return ()
            who = f"host {waiting.last_host}" if waiting.last_host else "another host"
            return (
                Consent(
                    f"import_foreign_pool:{name}",
                    f"it was last used by {who}; if that host still has it, both write to it and all of it is lost",
                ),
            )
        loses = [change.loses for change in changes_of(step) if change.loses]
        return (Consent(f"change_pool_layout:{name}", listed(loses)),) if loses else ()

    # -- reading ----------------------------------------------------------------------------------------------------

    def decode(self, pool: PoolStatus, properties: Properties, ashift: int, contents: Contents | None = None) -> Thing:
        """What zpool says of an imported pool, as a state. ashift: of its vdevs, 0 where that cannot be read."""
        state: dict[str, Any] = {"layout": pool.layout}
        if ashift:
            state["ashift"] = ashift
        for row in PROPERTIES:
            found = properties.get(row.name)
            if found is None or found.value == "-" or not found.is_set:
                continue
            try:
                value = row.canonical(found.value)
            except ValueError:
                value = found.value
            if value is not None and value != row.canonical(row.default):
                state[row.name] = value
        health = properties["health"].value if "health" in properties else pool.state
        facts = {
            "status": pool,
            "health": health,
            "readonly": "readonly" in properties and properties["readonly"].value == "on",
            "ashift": ashift,
            "ashift_unknown": not ashift,
            "ashift_set": properties["ashift"].value if "ashift" in properties else "0",
            "capacity": _percent(properties),
            "contents": contents,
        }
        return Thing(state, facts)

    # -- writing ----------------------------------------------------------------------------------------------------

    def commands(self, step: Step) -> Sequence[tuple[str, ...]]:
        """The programs of a step, in order."""
        name = str(step.key[0])
        if step.action == DELETE:
            return (("zpool", "destroy", name),)
        if step.action == CREATE:
            return (self.create_command(step),)
        commands = [change.argv(name, step.facts.get("ashift", 0)) for change in changes_of(step)]
        after = step.after or {}
        for row in PROPERTIES:
            if row.name in step.options:
                value = after.get(row.name, row.canonical(row.default))
                text = "" if value is None else row.form.wire(value)
                commands.append(("zpool", "set", f"{row.name}={text}", name))
        return commands

    def create_command(self, step: Step, *flags: str) -> tuple[str, ...]:
        after = step.after or {}
        argv = ["zpool", "create", *flags]
        for row in (self.rows["ashift"], *PROPERTIES):
            if row.name in after:
                argv += ["-o", f"{row.name}={row.form.wire(after[row.name])}"]
        for name, text in (step.inputs.get("fs_properties") or {}).items():
            argv += ["-O", f"{name}={text}"]
        return (*argv, str(step.key[0]), *command_words(after["layout"]))

    def trials(self, step: Step) -> Sequence[tuple[str, ...]]:
        """Programs that do nothing (-n) and say whether ZFS would refuse."""
        name = str(step.key[0])
        if step.action == CREATE:
            return (self.create_command(step, "-n"),)
        ashift = step.facts.get("ashift", 0)
        adds = [change.argv(name, ashift) for change in changes_of(step) if change.verb == ADD]
        return [(*argv[:2], "-n", *argv[2:]) for argv in adds]

    # -- what success does not promise ------------------------------------------------------------------------------

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        result: list[Unmet] = []
        items = {item.key: item for item in declared.items}
        for key in sorted(things):
            thing = things[key]
            if waiting_of(thing) is not None:
                continue
            plan = layout_plan(items[key], thing)
            result.extend(Unmet(f"{key[0]}: {text}") for text in plan.unmet)
            status: PoolStatus = thing.facts["status"]
            if status.data_errors:
                result.append(Unmet(f"{key[0]}: {status.data_errors} data errors; zpool status -v names the files."))
            given, real = str(thing.facts.get("ashift_set", "0")), thing.facts.get("ashift", 0)
            if real and given not in ("0", "-", str(real)):
                result.append(
                    Unmet(
                        f"{key[0]}: its property ashift was set to {given} later, and its vdevs have {real}: vdevs "
                        f"that are added by hand will not fit. Set it back: zpool set ashift={real} {key[0]}."
                    )
                )
        return result


def _percent(properties: Properties) -> int | None:
    found = properties.get("capacity")
    text = found.value.rstrip("%") if found is not None else ""
    return int(text) if text.isdigit() else None


def waiting_of(thing: Thing) -> Waiting | None:
    """The pool that is not imported, where the thing is one."""
    waiting: Waiting | None = thing.facts.get("waiting")
    return waiting


def changes_of(step: Step) -> Sequence[Change]:
    changes: Sequence[Change] = step.facts.get("changes", ())
    return changes


def new_disks(step: Step) -> list[str]:
    """The by-id names of the disks that a step takes."""
    if step.action == CREATE:
        rows: Sequence[Row] = (step.after or {}).get("layout", ())
        return [disk for row in rows for disk in row.disks]
    return [disk for change in changes_of(step) for disk in change.disks]


def layout_plan(item: Item, thing: Thing) -> LayoutPlan:
    return planned(thing.facts["status"], item.options.get("layout"), item.options.get("replace") or {})


def lost_with(contents: Contents) -> str:
    """What goes with a pool, in a sentence."""
    datasets = [one.name for one in contents.datasets if one.type in ("filesystem", "volume")]
    snapshots = [one.name for one in contents.datasets if one.type == "snapshot"]
    parts = [f"{size_text_short(contents.used)} in {len(datasets)} datasets ({listed(datasets)})"]
    if snapshots:
        parts.append(f"{len(snapshots)} snapshots ({listed(snapshots)})")
    held = [one.name for one in contents.datasets if one.holds]
    if held:
        # zpool does not ask who holds them, as zfs does.
        parts.append(f"of these {len(held)} are held, by replications that go on from them ({listed(held)})")
    return f"all its data is lost: {' and '.join(parts)}"


POOL = PoolKind(
    name="pool",
    identity=("name",),
    words=("wipe_disk", "destroy_pool", "import_foreign_pool", "change_pool_layout"),
    fields=FIELDS,
)
