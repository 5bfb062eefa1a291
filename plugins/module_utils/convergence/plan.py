# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A plan: what would be done, as plain data that can be compared, shown and consented to before anything acts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key

CREATE, UPDATE, DELETE = "create", "update", "delete"


def label(key: Key) -> str:
    """An identity as people write it."""
    return "/".join(str(part) for part in key)


def named(kind: str, key: Key) -> str:
    """A thing as people call it: `storage backup`; just `cluster_options` where there is only one."""
    return f"{kind} {label(key)}".rstrip()


@dataclass(frozen=True)
class Thing:
    """One observed thing: `state` is compared, by option name and canonical; `facts` is what the backend needs to act
    on it (digest, node, …) and is neither compared nor shown."""

    state: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Consent:
    """A word that `allow` must contain, and what the step would interrupt or lose."""

    word: str
    loses: str


@dataclass(frozen=True)
class Step:
    """One thing to do. `before`/`after` are canonical states (None: does not exist), `options` what differs, `secrets`
    the write-only options to be written, `inputs` what only creating takes, `needs` the keys whose own steps come
    first."""

    action: str
    kind: str
    key: Key
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    options: tuple[str, ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    consent: tuple[Consent, ...] = ()
    needs: tuple[Key, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def line(self) -> str:
        """One line for people: `update storage backup: content, nodes`."""
        text = f"{self.action} {named(self.kind, self.key)}"
        return f"{text}: {', '.join(self.options)}" if self.options and self.action != CREATE else text


@dataclass(frozen=True)
class Plan:
    steps: tuple[Step, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def with_consents(self, further: Mapping[Key, Sequence[Consent]]) -> Plan:
        """The same plan with further consents, by the key of their thing; its first step asks for them."""
        left = dict(further)
        steps = []
        for step in self.steps:
            added = tuple(consent for consent in left.pop(step.key, ()) if consent not in step.consent)
            steps.append(replace(step, consent=(*step.consent, *added)) if added else step)
        return Plan(tuple(steps))

    def before(self) -> dict[Key, Mapping[str, Any] | None]:
        """The state of everything the plan touches, before its first step."""
        result: dict[Key, Mapping[str, Any] | None] = {}
        for step in self.steps:
            result.setdefault(step.key, step.before)
        return result

    def after(self) -> dict[Key, Mapping[str, Any] | None]:
        """The state of everything the plan touches, after its last step."""
        return {step.key: step.after for step in self.steps}
