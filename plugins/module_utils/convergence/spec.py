# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a kind of thing is made of: one declarative row an option.

From these rows follow the module's argument_spec, how values are normalised, compared and written, what a reset
touches and what stays out of every output.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Text, plain

ASSIGNED = "(assigned by the system)"


@dataclass(frozen=True)
class Field:
    """One option.

    name: the option, snake_case.  form: its canonical form (values.py).  type, elements, choices: Ansible's.
    wire: the subsystem's own name, where it is not `name`.
    key, fields: for a list of things inside the thing: the option that identifies one, and its options.
    default: what the subsystem does when the option is not set; stating it is then no change.
    written: the subsystem cannot unset it, so that going back to the default writes the default.
    required: needed when the thing is created.
    write_only: the system never shows it (passwords).  secret: shown by the system, never by us.
    assigned: the system chooses it when the user does not, and it is kept for ever.
    create_only: fixed once the thing exists; another value is an error that says so.
    creating: takes part in creating only, and is neither read back nor compared (a template to clone from).
    kept: never reset (the disks of a guest).
    merged: a mapping of which only the listed keys are the user's; a key with an empty value is taken out.
    since: the subsystem's version that first has it, e.g. (9, 1).
    """

    name: str
    form: Any = Text()
    type: str = "str"
    elements: str | None = None
    choices: tuple[Any, ...] = ()
    wire: str = ""
    key: str = ""
    fields: tuple[Field, ...] = ()
    default: Any = None
    written: bool = False
    required: bool = False
    write_only: bool = False
    secret: bool = False
    assigned: bool = False
    create_only: bool = False
    creating: bool = False
    kept: bool = False
    merged: bool = False
    since: tuple[int, ...] = ()

    @property
    def wire_name(self) -> str:
        return self.wire or self.name

    @property
    def compared(self) -> bool:
        return not (self.write_only or self.creating)

    @property
    def resettable(self) -> bool:
        return self.compared and not (self.assigned or self.create_only or self.required or self.kept)

    def canonical(self, value: Any) -> Any:
        """The canonical value; None means not set. ValueError says what is wrong with `value`."""
        if value is None:
            return None
        if self.key:
            return self._keyed(value)
        canonical = self.form.canonical(value)
        single = canonical is not None and not isinstance(canonical, tuple)
        if self.choices and single and str(canonical) not in {str(choice) for choice in self.choices}:
            raise ValueError(f"{value!r} is none of {', '.join(map(str, self.choices))}")
        return canonical

    def _keyed(self, value: Any) -> dict[str, dict[str, Any]] | None:
        items = [{self.key: key, **item} for key, item in value.items()] if isinstance(value, Mapping) else value
        result: dict[str, dict[str, Any]] = {}
        for item in items:
            key = item.get(self.key)
            if key in (None, ""):
                raise ValueError(f"an item lacks {self.key}")
            if key in result:
                raise ValueError(f"{self.key} {key} is listed twice")
            result[key] = normalised(self.fields, item, where=f"{self.name} {key}.")
        return {key: result[key] for key in sorted(result)} or None

    def same(self, one: Any, other: Any) -> bool:
        """Equal for the subsystem: a value that is not set equals the stated default."""
        return bool(self.effective(one) == self.effective(other))

    def effective(self, value: Any) -> Any:
        return self.canonical(self.default) if value is None and self.default is not None else value

    def argument(self, *, required: bool = False) -> dict[str, Any]:
        """This option's entry in argument_spec."""
        spec: dict[str, Any] = {"type": self.type}
        if self.elements:
            spec["elements"] = self.elements
        if self.choices:
            spec["choices"] = list(self.choices)
        if required:
            spec["required"] = True
        if self.write_only or self.secret:
            spec["no_log"] = True
        elif self.name == "key" or any(
            word in self.name
            for word in ("password", "secret", "token", "keys", "keyring", "pubkey", "keylocation", "certkey")
        ):
            # Ansible asks for a word on anything that sounds secret.
            spec["no_log"] = False
        if self.fields:
            spec["options"] = {sub.name: sub.argument(required=sub.name == self.key) for sub in self.fields}
        return spec


def normalised(fields: Iterable[Field], values: Mapping[str, Any], *, where: str = "") -> dict[str, Any]:
    """The options of `values` that are set, canonical. InvalidInput names the option and what is wrong with it."""
    by_name = {row.name: row for row in fields}
    result: dict[str, Any] = {}
    for name, value in values.items():
        if value is None:
            continue
        if name not in by_name:
            raise InvalidInput(f"{where}{name} is no option of this kind.", hint="Look at ansible-doc for its options.")
        try:
            result[name] = by_name[name].canonical(value)
        except ValueError as problem:
            raise InvalidInput(f"{where}{name}: {problem}.", hint="Correct the value.") from None
    return result


def visible(fields: Iterable[Field], state: Mapping[str, Any]) -> dict[str, Any]:
    """A state as a person may see it and `config` takes it: lists instead of keyed mappings, no secret in it."""
    result: dict[str, Any] = {}
    for row in fields:
        value = state.get(row.name)
        if value is None or row.write_only or row.secret:
            continue
        if row.key:
            result[row.name] = [{row.key: key, **visible(row.fields, item)} for key, item in value.items()]
        else:
            result[row.name] = plain(value) if not hasattr(row.form, "shown") else row.form.shown(value)
    return result


def optional(row: Field) -> Field:
    """The same row, not required: where one table serves creating and a subset of things."""
    return replace(row, required=False)
