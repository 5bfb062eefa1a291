# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Filesystems and volumes of ZFS, and how they inherit.

A property is part of a dataset's state when it is set there (source local or received). What is declared is compared
with the effective value, so a declared value that is inherited already needs nothing; unless the same task is about to
change it where it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, size_text
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import Dependant, Pool, Properties
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.properties import (
    CLEARED,
    FIELDS,
    FILESYSTEM,
    KIB,
    NATIVE,
    ONLY_FOR,
    VOLUME,
)

_COMPONENT = re.compile(r"^[A-Za-z0-9_.:-][A-Za-z0-9_.: -]*$")
_PASSPHRASE = range(8, 513)


class _Unknown:
    """A value that nobody knows before it is read again."""


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class Command:
    """One program to run. `secret` is what it reads from its standard input."""

    argv: tuple[str, ...]
    secret: str = ""


@dataclass(frozen=True)
class DatasetKind(Kind):
    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        options = item.options
        check_name(str(item.key[0]))
        for option in ("volsize", "volblocksize"):
            if options.get(option) == 0:
                raise InvalidInput(f"{option}: it cannot be 0.", hint="Give a size such as 32G.")
        _check_key(options)

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan(self, observed: Mapping[Key, Thing], declared: Declaration) -> Plan:
        if declared.state == ABSENT:
            return super().plan(observed, declared)
        coming: dict[str, dict[str, Any]] = {}
        items: dict[Key, Item] = {}
        for item in sorted(declared.items, key=lambda one: str(one.key[0]).count("/")):
            thing = observed.get(item.key)
            if thing is not None:
                item = _without_inherited(item, thing, coming, self.rows)
                try:
                    after, changed = self.wanted(item, thing.state, declared)
                    coming[str(item.key[0])] = _changes(thing.state, after, changed)
                except InvalidInput:
                    # Said by the plan itself, together with everything else that is impossible.
                    coming[str(item.key[0])] = {}
            items[item.key] = item
        return super().plan(observed, replace(declared, items=tuple(items[item.key] for item in declared.items)))

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None:
            return super().plan_present(item, thing, declared)
        kind = str(thing.state.get("type", FILESYSTEM))
        _check_sort(item, kind)
        volsize = item.options.get("volsize")
        if volsize is not None:
            fitted = _fitted(volsize, int(thing.state.get("volsize", 0)), int(thing.state.get("volblocksize", 0)))
            item = replace(item, options={**item.options, "volsize": fitted})
        return super().plan_present(item, thing, declared)

    def plan_create(self, item: Item) -> Step:
        name = str(item.key[0])
        if "/" not in name:
            raise InvalidInput(
                "there is no such pool. A dataset without a slash in its name is a pool, which is not created here."
            )
        options = {"type": FILESYSTEM, **item.options}
        kind = str(options["type"])
        _check_sort(item, kind)
        if kind == VOLUME and options.get("volsize") is None:
            raise InvalidInput("does not exist and cannot be created without volsize.")
        if options.get("keylocation") == "prompt" and not options.get("encryption_key"):
            raise InvalidInput("keylocation prompt needs encryption_key to create the dataset with.")
        return super().plan_create(replace(item, options=options))

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        if thing is not None and "/" not in str(key[0]):
            raise InvalidInput("is the root of a pool, which is not destroyed here. Use zpool destroy.")
        return super().plan_absent(key, thing)

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        name = str(step.key[0])
        used = step.facts.get("used")
        data = f"its data ({size_text_short(used)})" if used else "its data"
        words = [Consent(f"destroy_dataset:{name}", f"{data} is lost for ever")]
        snapshots: dict[str, list[str]] = {}
        for one in dependants(step.facts):
            if one.type == "snapshot":
                owner, _at, short = one.name.partition("@")
                snapshots.setdefault(owner, []).append(short)
            elif one.type in (FILESYSTEM, VOLUME):
                words.append(Consent(f"destroy_dataset:{one.name}", f"{one.type} {one.name} below it is lost with it"))
        for owner, shorts in snapshots.items():
            loses = f"the snapshots of {owner} are lost with it ({len(shorts)}: {listed(shorts)})"
            words.append(Consent(f"destroy_snapshot:{owner}", loses))
        return words

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """Parents before what is in them; when removing, what is in them, and clones, before."""
        keys = {str(step.key[0]): step.key for step in steps}
        result = []
        for step in steps:
            name = str(step.key[0])
            if step.action == DELETE:
                first = [one.name for one in dependants(step.facts)]
                first += [clone for one in dependants(step.facts) for clone in one.clones]
            else:
                first = ancestors(name)
            needs = tuple(keys[one] for one in dict.fromkeys(first) if one in keys and one != name)
            result.append(replace(step, needs=needs))
        return tuple(result)

    # -- reading ----------------------------------------------------------------------------------------------------

    def decode(
        self, name: str, properties: Properties, *, xattr_on: str = "on", below: Sequence[Dependant] = ()
    ) -> Thing:
        """What `zfs get all` gives, as a state. `xattr_on` is what `on` means: sa since OpenZFS 2.3, dir before."""
        state: dict[str, Any] = {"type": properties["type"].value}
        effective: dict[str, Any] = {}
        sources: dict[str, str] = {}
        for row in NATIVE:
            found = properties.get(row.wire_name)
            if found is None or found.value == "-":
                continue
            value = _readable(row, found.value)
            if row.name == "xattr" and value == "on":
                value = xattr_on
            effective[row.name] = value
            sources[row.name] = found.inherited_from
            default = row.canonical(row.default)
            if value is not None and value != default and (found.is_set or row.create_only or row.name == "volsize"):
                state[row.name] = value
        own = {key: found for key, found in properties.items() if ":" in key}
        mine = {key: own[key].value for key in sorted(own) if own[key].is_set}
        if mine:
            state["properties"] = mine
        for key, found in own.items():
            sources[key] = found.inherited_from
        facts = {
            "effective": effective,
            "inherited": {key: found.value for key, found in own.items() if not found.is_set},
            "sources": sources,
            "used": _number(properties, "used"),
            "referenced": _number(properties, "referenced"),
            "mounted": properties["mounted"].value if "mounted" in properties else "-",
            "keystatus": properties["keystatus"].value if "keystatus" in properties else "-",
            "below": tuple(below),
        }
        return Thing(state, facts)

    # -- writing ----------------------------------------------------------------------------------------------------

    def commands(self, step: Step) -> Sequence[Command]:
        """The programs of a step, in order."""
        name = str(step.key[0])
        if step.action == DELETE:
            recursive = ("-r",) if dependants(step.facts) else ()
            return (Command(("zfs", "destroy", *recursive, name)),)
        if step.action == CREATE:
            return (self._create(name, step),)
        before, after = step.before or {}, step.after or {}
        settings: list[str] = []
        inherited: list[str] = []
        for option in step.options:
            if option == "properties":
                mine, wanted = before.get(option) or {}, after.get(option) or {}
                settings += [f"{key}={value}" for key, value in wanted.items() if mine.get(key) != value]
                inherited += [key for key in mine if key not in wanted]
            elif option in step.secrets:
                continue
            elif option in after:
                settings.append(_setting(self.rows[option], after[option]))
            elif option in CLEARED:
                settings.append(f"{option}={CLEARED[option]}")
            else:
                inherited.append(option)
        commands = [Command(("zfs", "set", *settings, name))] if settings else []
        commands += [Command(("zfs", "inherit", option, name)) for option in inherited]
        if step.secrets:
            commands.append(Command(("zfs", "change-key", name), step.secrets["encryption_key"]))
        return commands

    def _create(self, name: str, step: Step) -> Command:
        after = step.after or {}
        argv = ["zfs", "create"]
        if step.inputs.get("create_parents"):
            argv.append("-p")
        if after["type"] == VOLUME:
            argv += (["-s"] if step.inputs.get("sparse") else []) + ["-V", str(after["volsize"])]
        for row in NATIVE:
            if row.name in after and row.name != "volsize":
                argv += ["-o", _setting(row, after[row.name])]
        for key, value in (after.get("properties") or {}).items():
            argv += ["-o", f"{key}={value}"]
        return Command((*argv, name), step.secrets.get("encryption_key", ""))

    # -- what can be known beforehand, and what success does not promise --------------------------------------------

    def problems(self, plan: Plan, pools: Mapping[str, Pool], parents: Mapping[str, str]) -> Sequence[str]:
        """What would fail. `parents`: type of those parents of new datasets that exist."""
        created = {str(step.key[0]): step for step in plan if step.action == CREATE}
        removed = {str(step.key[0]) for step in plan if step.action == DELETE}
        problems: list[str] = []
        for step in plan:
            name = str(step.key[0])
            pool = pools.get(pool_of(name))
            if pool is not None and pool.health in ("SUSPENDED", "FAULTED", "UNAVAIL"):
                problems.append(f"{name}: pool {pool.name} is {pool.health}, nothing can be written; see zpool status")
            elif pool is not None and pool.readonly:
                problems.append(f"{name}: pool {pool.name} is imported read-only")
            elif step.action == DELETE:
                problems.extend([*_clones(step, removed), *_held(step)])
            elif step.action == CREATE:
                problems.extend(_parent(name, step, parents, created))
            else:
                problems.extend(_limits(name, step))
        return problems

    def unmet(self, things: Mapping[Key, Thing]) -> Sequence[Unmet]:
        result = []
        for key in sorted(things):
            facts, state = things[key].facts, things[key].state
            effective = facts.get("effective", {})
            where = effective.get("mountpoint")
            if facts.get("keystatus") == "unavailable":
                result.append(Unmet(f"{key[0]}: its encryption key is not loaded, so nobody reaches its data."))
            elif (
                state.get("type") == FILESYSTEM
                and facts.get("mounted") == "no"
                and effective.get("canmount", "on") == "on"
                and where not in (None, "none", "legacy")
            ):
                result.append(
                    Unmet(f"{key[0]}: it is not mounted; what is written to {where} goes to the directory underneath.")
                )
        return result


def check_name(name: str, option: str = "name") -> None:
    """Raises InvalidInput for what is no name of a dataset."""
    parts = name.split("/")
    if len(name) > 255 or not all(_COMPONENT.match(part) and part not in (".", "..") for part in parts):
        raise InvalidInput(
            f"{option}: {name!r} is no name of a dataset.", hint="Write pool/path with letters, digits and _ . : - ."
        )
    if not parts[0][0].isalpha():
        raise InvalidInput(f"{option}: the pool {parts[0]!r} does not begin with a letter.", hint="Correct it.")
    if any(part != part.strip(" ") for part in parts):
        raise InvalidInput(f"{option}: {name!r} has a space at an edge.", hint="Correct it.")


def pool_of(name: str) -> str:
    return name.partition("/")[0]


def ancestors(name: str) -> list[str]:
    """The datasets above one, the nearest first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]


def dependants(facts: Mapping[str, Any]) -> Sequence[Dependant]:
    """What lies below the dataset that these are the facts of."""
    below: Sequence[Dependant] = facts.get("below", ())
    return below


def size_text_short(number: int) -> str:
    """A number of bytes as a person takes it in: 1.4G."""
    power = min((number.bit_length() - 1) // 10, 5) if number else 0
    return f"{number / KIB**power:.3g}{'KMGTP'[power - 1] if power else ''}"


def _setting(row: Field, value: Any) -> str:
    return f"{row.wire_name}={row.form.wire(value)}"


def _readable(row: Field, text: str) -> Any:
    """A value of a newer ZFS that this table does not know stays as it is written."""
    try:
        return row.canonical(text)
    except ValueError:
        return text


def _number(properties: Properties, name: str) -> int:
    found = properties.get(name)
    return int(found.value) if found is not None and found.value.isdigit() else 0


def _check_key(options: Mapping[str, Any]) -> None:
    key, form = options.get("encryption_key"), options.get("keyformat")
    if key is None:
        return
    if options.get("keylocation", "prompt") != "prompt":
        raise InvalidInput(
            "encryption_key and a keylocation that is a file exclude each other.", hint="Give one of the two."
        )
    if form == "raw":
        raise InvalidInput("encryption_key cannot be given for keyformat raw.", hint="Use keylocation: file:///…")
    if form == "hex" and not re.match(r"^[0-9A-Fa-f]{64}$", key):
        raise InvalidInput("encryption_key of keyformat hex is not 64 hexadecimal digits.", hint="Correct it.")
    if "\n" in key or (form != "hex" and len(key) not in _PASSPHRASE):
        raise InvalidInput("encryption_key is not one line of 8 to 512 characters.", hint="Correct it.")


def _check_sort(item: Item, kind: str) -> None:
    wrong = [name for name in item.options if ONLY_FOR.get(name, kind) != kind and item.options[name] is not None]
    if wrong:
        other = VOLUME if kind == FILESYSTEM else FILESYSTEM
        raise InvalidInput(f"{' and '.join(sorted(wrong))} is for a {other}, and this is a {kind}.")


def rounded(size: int, block: int) -> int:
    return -(-size // block) * block


def _fitted(wanted: int, current: int, block: int) -> int:
    """The volsize to set: `current` where ZFS itself rounded `wanted` up to it, else a multiple of the block size."""
    if not block:
        return wanted
    size = rounded(wanted, block)
    if current in (wanted, size, rounded(wanted, 128 * KIB)):
        return current
    if size < current:
        raise InvalidInput(
            f"volsize is {size_text(current)} ({current} bytes) and would shrink to {size_text(wanted)} ({wanted} "
            "bytes), which cuts off the end of its data. Only growing is done here."
        )
    return size


def _without_inherited(
    item: Item, thing: Thing, coming: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Field]
) -> Item:
    """The item without what it already has from above."""
    name, facts = str(item.key[0]), thing.facts
    effective, sources = facts.get("effective", {}), facts.get("sources", {})
    options = dict(item.options)
    for option, value in item.options.items():
        if option == "properties":
            options[option] = _keys_not_inherited(name, value or {}, thing, coming)
        elif option in thing.state or option in CLEARED or option not in effective or value is None:
            continue
        elif rows[option].same(_afterwards(name, option, effective[option], sources.get(option, ""), coming), value):
            del options[option]
    return replace(item, options=options)


def _keys_not_inherited(
    name: str, wanted: Mapping[str, str], thing: Thing, coming: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    inherited, sources = thing.facts.get("inherited", {}), thing.facts.get("sources", {})
    mine = thing.state.get("properties", {})
    result = {}
    for key, value in wanted.items():
        unchanged = key not in mine and key in inherited
        if not unchanged or _afterwards(name, key, inherited[key], sources.get(key, ""), coming) != value:
            result[key] = value
    return result


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], changed: Sequence[str]) -> dict[str, Any]:
    """What a dataset will hand down anew: options, and user properties by their own names."""
    result = {option: after.get(option, UNKNOWN) for option in changed if option != "properties"}
    if "properties" in changed:
        mine, wanted = before.get("properties") or {}, after.get("properties") or {}
        result.update({key: wanted.get(key, UNKNOWN) for key in {*mine, *wanted} if mine.get(key) != wanted.get(key)})
    return result


def _afterwards(name: str, option: str, now: Any, source: str, coming: Mapping[str, Mapping[str, Any]]) -> Any:
    """What an inherited value will be when this task is done with the datasets above."""
    for above in ancestors(name):
        changed = coming.get(above, {})
        if option in changed:
            # A directory is inherited with the dataset's own path behind it.
            return UNKNOWN if option == "mountpoint" else changed[option]
        if above == source:
            break
    return now


def _clones(step: Step, removed: set[str]) -> Sequence[str]:
    inside = {one.name for one in dependants(step.facts)} | removed
    return [
        f"{step.key[0]}: {clone} is a clone of {one.name} and would be destroyed with it, which is never done; "
        f"promote it (zfs promote {clone}) or remove it by name"
        for one in dependants(step.facts)
        for clone in one.clones
        if clone not in inside
    ]


def _held(step: Step) -> Sequence[str]:
    held = [one.name for one in dependants(step.facts) if one.holds]
    text = (
        f"{step.key[0]}: {listed(held)} is held, which a replication or a person did, and cannot be destroyed; "
        "see who with zfs holds, and let go with zfs release"
    )
    return (text,) if held else ()


def mounts(plan: Plan, above: Mapping[str, str]) -> Mapping[str, str]:
    """The directories at which a plan will mount filesystems that are not there yet, and which ones. `above`:
    mountpoints of the parents of new datasets."""
    result: dict[str, str] = {}
    for step in plan:
        after, name = step.after or {}, str(step.key[0])
        if step.action not in (CREATE, UPDATE) or after.get("type") != FILESYSTEM or after.get("overlay"):
            continue
        if after.get("canmount", "on") != "on" or (step.action == UPDATE and "mountpoint" not in step.options):
            continue
        parent, _slash, last = name.rpartition("/")
        inherited = f"{above[parent].rstrip('/')}/{last}" if above.get(parent, "").startswith("/") else ""
        where = str(after.get("mountpoint") or inherited)
        if where.startswith("/"):
            result[where] = name
    return result


def _parent(name: str, step: Step, parents: Mapping[str, str], created: Mapping[str, Step]) -> Sequence[str]:
    parent = ancestors(name)[0]
    if parent in created:
        kind = str((created[parent].after or {}).get("type"))
    elif parent in parents:
        kind = parents[parent]
    elif step.inputs.get("create_parents"):
        return ()
    else:
        return (f"{name}: its parent {parent} does not exist; list it too, or give create_parents: true",)
    if kind == VOLUME:
        return (f"{name}: {parent} is a volume, in which nothing can be created",)
    return ()


def _limits(name: str, step: Step) -> Sequence[str]:
    result = []
    for option, what in (("quota", "used"), ("refquota", "referenced")):
        limit, now = (step.after or {}).get(option), step.facts.get(what, 0)
        if option in step.options and limit is not None and limit < now:
            result.append(f"{name}: {option} {size_text(limit)} is less than what is used already ({now} bytes)")
    return result


DATASET = DatasetKind(
    name="dataset",
    identity=("name",),
    words=("destroy_dataset", "destroy_snapshot"),
    fields=FIELDS,
)
