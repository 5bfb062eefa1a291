# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A kind of thing: its spec, and planning for everything that is a table of options.

Pure: nothing here does I/O. A kind whose system is odd overrides one of the named hooks at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    ALWAYS,
    IGNORE,
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
    named,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import (
    ASSIGNED,
    Field,
    normalised,
    visible,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

State = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """name: the word for one of it.  identity: the options that identify one; none where there is just one.
    fields: all options, identity first.  words: the consent words its steps may need.  scope: the options by which
    `unlisted: absent` may be limited; empty where removing what is not listed is never safe.  lingers: removing one
    goes on after the call has returned, and what is left of it is unmet."""

    name: str
    identity: tuple[str, ...]
    fields: tuple[Field, ...]
    words: tuple[str, ...] = ()
    scope: tuple[str, ...] = ()
    lingers: bool = False

    @cached_property
    def rows(self) -> dict[str, Field]:
        return {row.name: row for row in self.fields}

    @cached_property
    def option_rows(self) -> tuple[Field, ...]:
        return tuple(row for row in self.fields if row.name not in self.identity)

    def described(self, key: Key) -> str:
        return named(self.name, key)

    def visible(self, key: Key, state: State | None) -> dict[str, Any] | None:
        """A state in `config`'s own form; None stays None."""
        if state is None:
            return None
        return {**dict(zip(self.identity, key)), **visible(self.option_rows, state)}

    # -- what the user asks for -------------------------------------------------------------------------------------

    def declare(self, params: Mapping[str, Any]) -> Declaration:
        """The module's parameters as a Declaration. Raises InvalidInput naming the option."""
        items: list[Item] = []
        seen: dict[Key, int] = {}
        for number, raw in enumerate(params.get("config") or []):
            try:
                item = self.declare_item(raw)
            except InvalidInput as problem:
                raise InvalidInput(f"{self._numbered(number, raw)}: {problem.message}", hint=problem.hint) from None
            if item.key in seen:
                raise InvalidInput(
                    f"config[{number}]: {self.described(item.key)} is already config[{seen[item.key]}].",
                    hint="List each thing once.",
                )
            seen[item.key] = number
            items.append(item)
        allow = frozenset(params.get("allow") or ())
        consent.validate(allow, self.words)
        declared = Declaration(
            items=tuple(items),
            state=params.get("state") or "present",
            unlisted_options=params.get("unlisted_options") or IGNORE,
            unlisted=params.get("unlisted") or IGNORE,
            scope=self._scope(params),
            max_removals=3 if params.get("max_removals") is None else int(params["max_removals"]),
            update_secrets=params.get("update_secrets") or "on_create",
            allow=allow,
        )
        if declared.unlisted == ABSENT and declared.state == ABSENT:
            raise InvalidInput("unlisted: absent goes with state: present only.", hint="Leave one of them out.")
        return declared

    def _numbered(self, number: int, raw: Mapping[str, Any]) -> str:
        """An item as a person finds it in a long list: `config[37] (vmid 138)`."""
        named = ", ".join(f"{name} {raw[name]}" for name in self.identity if raw.get(name) not in (None, ""))
        return f"config[{number}] ({named})" if named else f"config[{number}]"

    def declare_item(self, raw: Mapping[str, Any]) -> Item:
        values = {name: value for name, value in raw.items() if value is not None and name != "reset"}
        options = normalised(self.fields, values)
        key = []
        for name in self.identity:
            if options.get(name) is None:
                raise InvalidInput(f"{name} is missing.", hint=f"Each item needs {' and '.join(self.identity)}.")
            key.append(options.pop(name))
        item = Item(tuple(key), options, self._reset(raw.get("reset") or (), options))
        self.check(item)
        return item

    def _reset(self, names: Sequence[str], options: Mapping[str, Any]) -> frozenset[str]:
        for name in names:
            row = self.rows.get(name)
            if row is None:
                raise InvalidInput(f"reset: {name} is no option of {self.name}.", hint="Name one of its options.")
            if name in self.identity or not row.resettable:
                raise InvalidInput(f"reset: {name} has no default to go back to.", hint="Take it out of reset.")
            if name in options:
                raise InvalidInput(f"reset: {name} also has a value.", hint="Give either the value or the reset.")
        return frozenset(names)

    def _scope(self, params: Mapping[str, Any]) -> dict[str, Any]:
        if params.get("unlisted") != ABSENT:
            return {}
        scope = {name: value for name, value in (params.get("scope") or {}).items() if value is not None}
        if not scope:
            raise InvalidInput(
                "unlisted: absent needs a scope.", hint=f"Say with scope what is yours, by {' or '.join(self.scope)}."
            )
        if not params.get("config"):
            raise InvalidInput(
                "unlisted: absent with an empty config would remove everything in the scope.",
                hint="List what should stay, or remove things by name with state: absent.",
            )
        for name in scope:
            if name not in self.scope:
                raise InvalidInput(f"scope: {name} cannot limit it.", hint=f"Use {' or '.join(self.scope)}.")
        # Names are patterns, so they stay as they are written.
        patterns = {name: value for name, value in scope.items() if name in self.identity}
        values = {name: value for name, value in scope.items() if name not in self.identity}
        return {**patterns, **normalised(self.fields, values, where="scope.")}

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan(self, observed: Mapping[Key, Thing], declared: Declaration) -> Plan:
        """What to do to get from `observed` to `declared`. Raises InvalidInput with all that is impossible."""
        steps: list[Step] = []
        problems: list[str] = []
        for item in declared.items:
            thing = observed.get(item.key)
            try:
                if declared.state == ABSENT:
                    steps.extend(self.plan_removal(item, thing))
                else:
                    steps.extend(self.plan_present(item, thing, declared))
            except InvalidInput as problem:
                problems.append(f"{self.described(item.key)}: {problem}")
        if problems:
            raise InvalidInput(listed(problems).rstrip(".") + ".", hint="Nothing was changed.")
        if declared.unlisted == ABSENT:
            steps.extend(self._plan_unlisted(observed, declared))
        return Plan(self.order(tuple(steps)))

    def _plan_unlisted(self, observed: Mapping[Key, Thing], declared: Declaration) -> list[Step]:
        listed_keys = set(declared.keys)
        keys = [key for key in sorted(observed) if key not in listed_keys]
        keys = [key for key in keys if self.in_scope(key, observed[key].state, declared.scope)]
        if len(keys) > declared.max_removals:
            raise InvalidInput(
                f"unlisted: absent would remove {len(keys)} of {self.name} ({listed([label(key) for key in keys])}), "
                f"more than max_removals ({declared.max_removals}).",
                hint="Check config and scope, or raise max_removals. Nothing was changed.",
            )
        return [step for key in keys for step in self.plan_absent(key, observed[key])]

    def in_scope(self, key: Key, state: State, scope: Mapping[str, Any]) -> bool:
        """Whether a thing lies inside the scope; identities match by pattern (`night-*`), other options by value."""
        identity = dict(zip(self.identity, key))
        for name, wanted in scope.items():
            if name in identity:
                if not fnmatchcase(str(identity[name]), str(wanted)):
                    return False
            elif not self.rows[name].same(state.get(name), wanted):
                return False
        return True

    def plan_removal(self, item: Item, thing: Thing | None) -> Sequence[Step]:
        """A listed thing that shall not exist; a kind may look at the item's other options."""
        return self.plan_absent(item.key, thing)

    def plan_absent(self, key: Key, thing: Thing | None) -> Sequence[Step]:
        if thing is None:
            return ()
        step = Step(DELETE, self.name, key, before=thing.state, facts=thing.facts)
        return (self._with_consents(step),)

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None:
            return (self._with_consents(self.plan_create(item)),)
        after, options = self.wanted(item, thing.state, declared)
        secrets = self._secrets(item) if declared.update_secrets == ALWAYS else {}
        if not options and not secrets:
            return ()
        step = Step(
            UPDATE,
            self.name,
            item.key,
            before=thing.state,
            after=after,
            options=(*options, *secrets),
            secrets=secrets,
            facts=thing.facts,
        )
        return (self._with_consents(step),)

    def plan_create(self, item: Item) -> Step:
        lacking = [row.name for row in self.option_rows if row.required and item.options.get(row.name) is None]
        if lacking:
            raise InvalidInput(f"does not exist and cannot be created without {' and '.join(lacking)}.")
        after: dict[str, Any] = {}
        for row in self.option_rows:
            value = item.options.get(row.name)
            if row.compared and (value is not None or row.assigned):
                value = merged_mapping(None, value) if row.merged else value
                after[row.name] = merged_keyed(row, None, value, RESET) if row.key else _assigned(row, value)
        return Step(
            CREATE,
            self.name,
            item.key,
            after={name: value for name, value in after.items() if value is not None},
            options=tuple(name for name in item.options if item.options[name] is not None),
            secrets=self._secrets(item),
            inputs={
                row.name: item.options[row.name]
                for row in self.option_rows
                if row.creating and row.name in item.options
            },
        )

    def wanted(self, item: Item, current: State, declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        """The state after, and the options in which it differs from `current`."""
        after = dict(current)
        options: list[str] = []
        for row in self.option_rows:
            if not row.compared:
                continue
            row = self.row_for(row, current)
            now = current.get(row.name)
            if row.name in item.options:
                value = item.options[row.name]
                if value is None and ((row.kept and row.key) or row.required):
                    continue
                if row.key and value is not None:
                    # None now means that the last of them goes.
                    value = merged_keyed(row, now, value, declared.unlisted_options)
                elif row.merged:
                    value = merged_mapping(now, value)
            elif row.name in item.reset and not row.resettable:
                raise InvalidInput(f"reset: {row.name} has no default to go back to.")
            elif row.name in item.reset or (declared.unlisted_options == RESET and row.resettable):
                value = None
            else:
                continue
            if same_keyed(row, now, value) if row.key else row.same(now, value):
                continue
            if row.create_only:
                raise InvalidInput(
                    f"{row.name} is {now!r} and cannot become {value!r}: it is fixed when the {self.name} is created."
                )
            options.append(row.name)
            if value is None:
                after.pop(row.name, None)
            else:
                after[row.name] = value
        return after, options

    def _secrets(self, item: Item) -> dict[str, Any]:
        return {
            row.name: item.options[row.name]
            for row in self.option_rows
            if row.write_only and item.options.get(row.name) is not None
        }

    def _with_consents(self, step: Step) -> Step:
        wanted = tuple(self.consents(step))
        return Step(**{**step.__dict__, "consent": wanted}) if wanted else step

    # -- hooks: where one kind is odd -------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        """Raises InvalidInput for what is wrong in an item whatever the system holds."""

    def row_for(self, row: Field, current: State) -> Field:
        """The option as it is for a thing in this state: some defaults and fixed options depend on the thing's type."""
        return row

    def consents(self, step: Step) -> Sequence[Consent]:
        """What the step interrupts or destroys."""
        return ()

    def order(self, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        """The same steps, with `needs` filled in where one thing must come before another."""
        return steps


def _assigned(row: Field, value: Any) -> Any:
    return ASSIGNED if value is None and row.assigned else value


def merged_mapping(current: Mapping[str, str] | None, wanted: Mapping[str, str] | None) -> dict[str, str] | None:
    """A mapping after a change: what is not listed stays; a key with an empty value goes."""
    result = {**(current or {}), **(wanted or {})}
    return {key: result[key] for key in sorted(result) if result[key] != ""} or None


def merged_keyed(
    row: Field, current: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None, unlisted_options: str
) -> dict[str, Any] | None:
    """The things inside a thing after a change: what is not listed stays; `state: absent` takes one out."""
    result = {key: dict(value) for key, value in (current or {}).items()}
    for key, given in (wanted or {}).items():
        if given.get("state") not in (None, "present"):
            result.pop(key, None)
            continue
        now = (current or {}).get(key, {})
        merged = dict(now)
        for sub in row.fields:
            if sub.name in ("state", row.key):
                continue
            if sub.name in given:
                merged[sub.name] = given[sub.name]
            elif not now and sub.assigned:
                merged[sub.name] = ASSIGNED
            elif unlisted_options == RESET and sub.resettable:
                merged.pop(sub.name, None)
        result[key] = {name: value for name, value in merged.items() if value is not None}
    return {key: result[key] for key in sorted(result)} or None


def same_keyed(row: Field, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two keyed collections hold the same things with the same effective options."""
    left, right = one or {}, other or {}
    if set(left) != set(right):
        return False
    return all(
        sub.same(left[key].get(sub.name), right[key].get(sub.name))
        for key in left
        for sub in row.fields
        if sub.compared and sub.name not in ("state", row.key)
    )
