# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What VMs and containers have in common: planning, and the requests a step takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ALWAYS,
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import State
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED, Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import Locked
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import (
    Answers,
    PveKind,
    Request,
    decoded,
    deleted,
    encoded,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.disk import holds_data
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import ABSENT, Family, left_out
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import Ranged
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import Volumes

START, RESUME, SHUTDOWN, STOP, PAUSE = "start", "resume", "shut down", "stop", "pause"
RESTART, CONVERT, DESTROY_VOLUMES = "restart", "convert", "destroy volumes of"
RUNNING, STOPPED, PAUSED = "running", "stopped", "paused"
SUSPENDED = "suspended"  # the lock of a hibernated VM
WORDS = (
    "restart_guest",
    "rename_guest",
    "stop_guest",
    "destroy_guest",
    "detach_disk",
    "destroy_disk",
    "detach_nic",
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
# Options that are no parameters of the configuration: each has steps of its own.
_OWN_STEPS = ("status", "template")


def power_fields(*statuses: str) -> tuple[Field, ...]:
    return (
        Field("status", choices=statuses, kept=True),
        Field("shutdown_timeout", Ranged(least=0), type="int", creating=True),
        boolean("force_stop", creating=True),
    )


REMOVAL_FIELDS = (
    boolean("purge", creating=True),
    boolean("destroy_unreferenced_disks", wire="-", creating=True),
)


@dataclass(frozen=True)
class GuestDeclaration(Declaration):
    """A declaration with the guests that are to be cloned, by vmid."""

    prototypes: Mapping[int, Thing] = field(default_factory=dict)


@dataclass(frozen=True)
class GuestKind(PveKind):
    """guest_type: PVE's word for it.  named_by: the option that holds its name.  families: its devices by slot.
    waits: what a running guest takes at its next start only (live.py).  created_with, cloned_with: the parameters that
    only creating and cloning take.  needed: the options without which none is created.

    A Thing's facts: `node`, `status`, `lock`, `ha` (managed by the HA manager), `digest`, `raw` (the configuration as
    it will be after a restart, by wire name), `waiting` (wire name -> what runs now and what waits).
    """

    guest_type: str = ""
    named_by: str = "name"
    families: tuple[Family, ...] = ()
    waits: Callable[[str, str | None, str | None, Mapping[str, object]], bool] = lambda *_: True
    created_with: tuple[str, ...] = ()
    cloned_with: tuple[str, ...] = ()
    needed: tuple[str, ...] = ("node",)

    # -- what PVE says ----------------------------------------------------------------------------------------------

    @cached_property
    def plain_rows(self) -> tuple[Field, ...]:
        """The options that are one parameter of the configuration each."""
        owned = {family.option for family in self.families}
        return tuple(
            row
            for row in self.option_rows
            if row.name not in owned and row.name not in _OWN_STEPS and (row.compared or row.write_only)
        )

    @cached_property
    def plain_rows_by_wire(self) -> dict[str, Field]:
        return {row.wire_name: row for row in self.plain_rows}

    def family_of(self, wire: str) -> Family | None:
        return next((family for family in self.families if family.owns(wire)), None)

    def option_of(self, wire: str) -> str:
        family = self.family_of(wire)
        return f"{family.option} {wire}" if family else super().option_of(wire)

    def path(self, node: str, *more: object) -> str:
        segments = ("nodes", node, self.guest_type, *more)
        return "".join("/" + quote(str(segment), safe="") for segment in segments)

    def state_of(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """A configuration by wire name as canonical options."""
        by_wire = self.plain_rows_by_wire
        state = decoded([by_wire[key] for key in raw if key in by_wire], raw)
        if raw.get("template") is not None and str(raw["template"]) == "1":
            state["template"] = True
        for family in self.families:
            slots = sorted(key for key in raw if family.owns(key))
            if slots:
                state[family.option] = {slot: family.decode(slot, str(raw[slot])) for slot in slots}
        return state

    def thing_of(self, entries: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> Thing:
        """GET …/pending as a Thing. `facts` brings node and what is known of status, lock, ha and pool."""
        raw: dict[str, Any] = {}
        waiting: dict[str, tuple[Any, Any]] = {}
        for entry in entries:
            key, now = entry["key"], entry.get("value")
            then = None if entry.get("delete") else entry.get("pending", now)
            if "pending" in entry or entry.get("delete"):
                waiting[key] = (now, then)
            if then is not None:
                raw[key] = then
        digest = raw.pop("digest", None)
        lock = raw.pop("lock", None) or facts.get("lock")
        if raw.get("vmgenid") == "(secret)":
            raw["vmgenid"] = facts.get("vmgenid")
        state = self.state_of(raw)
        state["node"] = facts["node"]
        for name in ("pool", "status"):
            if facts.get(name):
                state[name] = facts[name]
        known = {**facts, "raw": raw, "waiting": waiting, "lock": lock}
        return Thing(state, {**known, "digest": digest} if digest else known)

    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        name = item.options.get(self.named_by)
        if name is not None and not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{self.named_by}: {name!r} is no DNS name.", hint="Use letters, digits, hyphens and dots."
            )
        if item.options.get("template") and item.options.get("status") not in (None, STOPPED):
            raise InvalidInput("template: a template does not run.", hint="Leave status out.")
        if item.options.get("clone") and item.options.get("ostemplate"):
            raise InvalidInput("clone and ostemplate exclude each other.", hint="Give the one to start from.")
        for family in self.families:
            for slot, given in (item.options.get(family.option) or {}).items():
                family.check_slot(slot, given)

    # -- planning ---------------------------------------------------------------------------------------------------

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None:
            return self._plan_new(item, declared)
        return self._plan_existing(item, thing, declared)

    def _plan_existing(self, item: Item, thing: Thing, declared: Declaration) -> Sequence[Step]:
        mine = self.wire_names(item, declared)
        item = self._settled(item, thing.state)
        state, facts = thing.state, thing.facts
        self._check_power(item, thing)
        after, options = self.wanted(_configuration(item), state, declared)
        secrets = self._writable_secrets(item) if declared.update_secrets == ALWAYS else {}
        removed = self._removed(state, after)
        self._check_boot(item, after)
        steps: list[Step] = []
        status, target = facts.get("status"), item.options.get("status")
        stopping = target == STOPPED and status in (RUNNING, PAUSED)
        if stopping:
            down = {**state, "status": STOPPED}
            steps.append(self._power_step(SHUTDOWN, item, state, down, facts, stops=True))
            state, after = down, {**after, "status": STOPPED}
        if options or secrets:
            steps.append(
                Step(
                    UPDATE,
                    self.name,
                    item.key,
                    before=state,
                    after=after,
                    options=(*options, *secrets),
                    secrets=secrets,
                    inputs={"destroyed": self._destroyed(item, removed)},
                    # A stop writes what was pending: the digest that was read is then no longer the guest's.
                    facts={**facts, "refresh": stopping},
                    consent=self._consents(item, thing, removed),
                )
            )
        state = after
        running = status in (RUNNING, PAUSED) and not stopping
        if not stopping and target is not None and target != status:
            steps.extend(self._power_up(item, state, str(status), target, facts))
            state = steps[-1].after or state
        elif running and self._may_restart(item, declared) and self._to_restart(thing, after, options, mine):
            steps.append(self._restart_step(item, state, facts))
        steps.extend(self._volume_steps(item, thing, removed, state, running, steps))
        if item.options.get("template") and not thing.state.get("template"):
            steps.append(
                Step(
                    CONVERT,
                    self.name,
                    item.key,
                    before=state,
                    after={**state, "template": True},
                    options=("template",),
                    facts=facts,
                )
            )
        self._refuse_locked(item, facts, steps)
        return steps

    def _plan_new(self, item: Item, declared: Declaration) -> Sequence[Step]:
        prototype = None
        if item.options.get("clone") is not None:
            prototypes = declared.prototypes if isinstance(declared, GuestDeclaration) else {}
            prototype = prototypes.get(item.options["clone"])
            if prototype is None:
                raise InvalidInput(f"clone: there is no {self.name} {item.options['clone']} to clone.")
        else:
            lacking = [name for name in self.needed if item.options.get(name) is None]
            if lacking:
                raise InvalidInput(f"does not exist and cannot be created without {' and '.join(lacking)}.")
        steps = self._clone_steps(item, prototype, declared) if prototype else self._create_steps(item)
        state, facts = steps[-1].after or {}, steps[-1].facts
        if item.options.get("template"):
            after = {**state, "template": True}
            steps.append(
                Step(CONVERT, self.name, item.key, before=state, after=after, options=("template",), facts=facts)
            )
        elif item.options.get("status") in (RUNNING, PAUSED):
            steps.extend(self._power_up(item, state, STOPPED, item.options["status"], facts))
        return steps

    def _create_steps(self, item: Item) -> list[Step]:
        item = self._completed(item, {})
        step = self.plan_create(_configuration(item))
        self._check_boot(item, step.after or {})
        after = {**(step.after or {}), "node": item.options["node"]}
        if "status" in item.options:
            after["status"] = STOPPED
        facts = {"node": item.options["node"], "refresh": True}
        inputs = {name: value for name, value in step.inputs.items() if not self.rows[name].write_only}
        steps = [replace(step, after=after, facts=facts, inputs=inputs)]
        if any(
            given.get("import_from") is not None and given.get("size") is not None
            for family in self.families
            for given in (after.get(family.option) or {}).values()
        ):
            # How large an imported image is shows only when it is there.
            steps.append(Step(UPDATE, self.name, item.key, before=after, after=after, options=("disks",), facts=facts))
        return steps

    def _clone_steps(self, item: Item, prototype: Thing, declared: Declaration) -> list[Step]:
        copy = self._copied(item, prototype)
        item = self._settled(self._completed(item, copy), copy)
        facts = {"node": copy["node"], "refresh": True}
        inputs = {
            **{name: item.options[name] for name in self.cloned_with if name in item.options},
            "clone": item.options["clone"],
            "clone_node": prototype.facts["node"],
        }
        name = item.options.get(self.named_by)
        created = Step(
            CREATE,
            self.name,
            item.key,
            after=copy,
            options=tuple(row for row in item.options if item.options[row] is not None),
            inputs=inputs,
            facts=facts,
        )
        if name is not None:
            copy = {**copy, self.named_by: name}
            created = replace(created, after=copy)
        wanted = _configuration(item)
        after, differing = self.wanted(wanted, copy, declared)
        self._check_boot(item, after)
        rows = self.rows
        stated = [
            option
            for option in wanted.options
            if rows[option].compared and option != self.named_by and not rows[option].key
        ]
        secrets = self._writable_secrets(item)
        options = tuple(dict.fromkeys([*stated, *(name for name in differing if name != self.named_by)]))
        if not options and not secrets:
            return [created]
        removed = self._removed(copy, after)
        return [
            created,
            Step(
                UPDATE,
                self.name,
                item.key,
                before=copy,
                after=after,
                options=(*options, *secrets),
                secrets=secrets,
                inputs={"destroyed": self._destroyed(item, removed)},
                facts=facts,
            ),
        ]

    def _copied(self, item: Item, prototype: Thing) -> dict[str, Any]:
        """The state of a clone before anything of the item's is applied to it."""
        state: dict[str, Any] = {
            name: value for name, value in prototype.state.items() if name not in ("template", "pool", "status")
        }
        storage = item.options.get("storage")
        for family in self.families:
            slots = {slot: now for slot, now in (state.pop(family.option, None) or {}).items() if not _unused(slot)}
            if slots:
                state[family.option] = {slot: family.of_clone(now, storage) for slot, now in slots.items()}
        for row in self.option_rows:
            if row.assigned and row.name in state and self.guest_type != "lxc":
                state[row.name] = ASSIGNED
        state["node"] = item.options.get("node") or prototype.facts["node"]
        if "status" in item.options:
            state["status"] = STOPPED
        for name in ("pool",):
            if item.options.get(name):
                state[name] = item.options[name]
        return state

    def plan_removal(self, item: Item, thing: Thing | None) -> Sequence[Step]:
        if thing is None:
            return ()
        facts, vmid = thing.facts, label(item.key)
        name = thing.state.get(self.named_by, "without a name")
        given = item.options.get(self.named_by)
        if given is not None and given != thing.state.get(self.named_by):
            raise InvalidInput(
                f"is called {name}, not {given}: it is not the one that was meant.",
                hint=f"Correct {self.named_by} or vmid, or leave {self.named_by} out.",
            )
        if thing.state.get("protection"):
            raise InvalidInput(
                f"({name}) is protected against removal.", hint="Set protection: false first, in a task of its own."
            )
        active = facts.get("status") in (RUNNING, PAUSED)
        if facts.get("ha"):
            if not item.options.get("purge"):
                raise InvalidInput(
                    f"({name}) is managed by high availability, which would keep looking for it.",
                    hint="Remove it with pve_ha_resource first, or set purge: true to take it out of all jobs and HA.",
                )
            if active:
                raise InvalidInput(
                    f"({name}) runs under high availability, which would start it again.",
                    hint="Set state: stopped with pve_ha_resource first, or remove it there.",
                )
        steps: list[Step] = []
        state = thing.state
        if active:
            stopped = {**state, "status": STOPPED}
            steps.append(self._power_step(STOP, item, state, stopped, facts, stops=True))
            state = stopped
        disks = [
            f"{slot} {now.get('volume') or now.get('file')}"
            for family in self.families
            if isinstance(family, Volumes)
            for slot, now in (state.get(family.option) or {}).items()
            if holds_data(now)
        ]
        loses = f"{name} on {facts['node']} is destroyed with {', '.join(disks) if disks else 'its configuration'}"
        steps.append(
            Step(
                DELETE,
                self.name,
                item.key,
                before=state,
                inputs={
                    name: item.options[name]
                    for name in ("purge", "destroy_unreferenced_disks")
                    if item.options.get(name) is not None
                },
                facts=facts,
                consent=(Consent(f"destroy_guest:{vmid}", loses),),
            )
        )
        self._refuse_locked(item, facts, steps)
        return steps

    # -- planning: parts --------------------------------------------------------------------------------------------

    def _settled(self, item: Item, state: State) -> Item:
        """The item in view of what is there: what PVE chose where the user left the choice counts as asked for."""
        options = dict(item.options)
        for family in self.families:
            given = options.get(family.option)
            if not given:
                continue
            now = state.get(family.option) or {}
            settled: dict[str, Any] = {}
            for slot, device in given.items():
                if left_out(device):
                    if slot in now:
                        settled[slot] = device
                elif slot in now:
                    settled[slot] = family.settled(slot, device, now[slot])
                else:
                    device = family.completed(slot, device)
                    family.check_new(slot, device)
                    settled[slot] = device
            options[family.option] = settled
        _settle_machine(options, state)
        _settle_ids(options, state)
        return replace(item, options=options)

    def _completed(self, item: Item, copy: State) -> Item:
        """The item of a new guest: new devices complete, those that should not be there left out."""
        options = dict(item.options)
        for family in self.families:
            given = options.get(family.option)
            if not given:
                continue
            there = copy.get(family.option) or {}
            complete: dict[str, Any] = {}
            for slot, device in given.items():
                if slot in there:
                    complete[slot] = device
                elif not left_out(device):
                    device = family.completed(slot, device)
                    family.check_new(slot, device)
                    complete[slot] = device
            options[family.option] = complete or None
        return replace(item, options={name: value for name, value in options.items() if value is not None})

    def _check_power(self, item: Item, thing: Thing) -> None:
        target, status = item.options.get("status"), thing.facts.get("status")
        template = bool(thing.state.get("template"))
        if item.options.get("template") is False and template:
            raise InvalidInput("is a template and cannot become a guest again.", hint="Clone it instead.")
        if template and target in (RUNNING, PAUSED):
            raise InvalidInput("is a template and cannot run.", hint="Clone it, or leave status out.")
        if item.options.get("template") and not template and status in (RUNNING, PAUSED) and target != STOPPED:
            raise InvalidInput("runs and cannot become a template.", hint="Add status: stopped.")
        if target is not None and target != status and thing.facts.get("ha"):
            raise InvalidInput(
                f"status is {status} and its power belongs to high availability, which would undo {target}.",
                hint=f"Set state: {'started' if target == RUNNING else 'stopped'} with pve_ha_resource, and leave "
                "status out here.",
            )

    def _check_boot(self, item: Item, after: State) -> None:
        """Every device that is to be booted from exists."""
        there = {slot for family in self.families for slot in after.get(family.option) or {}} | set(after)
        for device in item.options.get("boot") or ():
            if not device.startswith("legacy=") and device not in there:
                raise InvalidInput(
                    f"boot: the VM has no {device}.", hint="List it among disks or nics, or take it out of boot."
                )

    def _removed(self, state: State, after: State) -> dict[str, tuple[Family, Mapping[str, Any]]]:
        """The devices that a change takes out, by slot."""
        return {
            slot: (family, now)
            for family in self.families
            for slot, now in (state.get(family.option) or {}).items()
            if slot not in (after.get(family.option) or {})
        }

    def _destroyed(self, item: Item, removed: Mapping[str, Any]) -> tuple[str, ...]:
        """The slots whose volumes go with them."""
        return tuple(
            slot
            for slot, (family, now) in removed.items()
            if isinstance(family, Volumes)
            and holds_data(now)
            and (item.options.get(family.option) or {}).get(slot, {}).get("state") == ABSENT
        )

    def _consents(self, item: Item, thing: Thing, removed: Mapping[str, Any]) -> tuple[Consent, ...]:
        vmid, state = label(item.key), thing.state
        result = []
        name, given = state.get(self.named_by), item.options.get(self.named_by)
        if name is not None and given is not None and name != given:
            result.append(
                Consent(
                    f"rename_guest:{vmid}",
                    f"the {self.name} with vmid {vmid} on {thing.facts['node']} is called {name}, not {given}; it may "
                    "be another guest than the one meant",
                )
            )
        destroyed = self._destroyed(item, removed)
        for slot, (family, now) in removed.items():
            if not isinstance(family, Volumes):
                if family.option == "nics":
                    result.append(Consent(f"detach_nic:{vmid}", f"{name} loses its network connection {slot}"))
                continue
            if not holds_data(now):
                continue
            if state.get("protection"):
                raise InvalidInput(
                    f"disks {slot}: the guest is protected, so its disks cannot be removed.",
                    hint="Set protection: false first, in a task of its own.",
                )
            volume = now.get("volume") or now.get("file")
            if slot in destroyed:
                result.append(Consent(f"destroy_disk:{vmid}/{slot}", f"the data on {volume} of {name} is lost"))
            else:
                result.append(
                    Consent(f"detach_disk:{vmid}", f"{name} loses the disk {slot}; {volume} is kept as unused")
                )
        return tuple(result)

    def _writable_secrets(self, item: Item) -> dict[str, Any]:
        """Secrets that can be written at any time, not only when the guest is made."""
        rows = self.rows
        return {name: value for name, value in self._secrets(item).items() if not rows[name].creating}

    # -- planning: power --------------------------------------------------------------------------------------------

    def _power_step(
        self, action: str, item: Item, before: State, after: State, facts: Mapping[str, Any], *, stops: bool = False
    ) -> Step:
        name = before.get(self.named_by, "without a name")
        loses = f"{name} on {facts['node']} stops working"
        return Step(
            action,
            self.name,
            item.key,
            before=before,
            after=after,
            inputs=_shutdown_inputs(item),
            facts=facts,
            consent=(Consent(f"stop_guest:{label(item.key)}", loses),) if stops else (),
        )

    def _power_up(self, item: Item, state: State, status: str, target: str, facts: Mapping[str, Any]) -> list[Step]:
        """From `status` to running or paused."""
        steps: list[Step] = []
        if status not in (RUNNING, PAUSED):
            after = {**state, "status": RUNNING}
            steps.append(self._power_step(START, item, state, after, facts))
            state, status = after, RUNNING
        if target == RUNNING and status == PAUSED:
            steps.append(self._power_step(RESUME, item, state, {**state, "status": RUNNING}, facts))
        elif target == PAUSED and status == RUNNING:
            steps.append(self._power_step(PAUSE, item, state, {**state, "status": PAUSED}, facts, stops=not steps))
        return steps

    def _restart_step(self, item: Item, state: State, facts: Mapping[str, Any]) -> Step:
        name = state.get(self.named_by, "without a name")
        return Step(
            RESTART,
            self.name,
            item.key,
            before=state,
            after=state,
            inputs=_shutdown_inputs(item),
            facts=facts,
            consent=(Consent(f"restart_guest:{label(item.key)}", f"{name} is down while it restarts"),),
        )

    @staticmethod
    def _may_restart(item: Item, declared: Declaration) -> bool:
        return consent.given(f"restart_guest:{label(item.key)}", declared.allow)

    def _to_restart(self, thing: Thing, after: State, options: Sequence[str], mine: frozenset[str] | None) -> bool:
        """Whether something of the item's waits for a restart, or will. `mine` are the item's wire names."""
        if any(self._concerns(key, mine) for key in thing.facts.get("waiting", {})):
            return True
        raw = thing.facts.get("raw", {})
        return any(self.waits(key, old, new, raw) for key, old, new in self.changes(options, after, raw))

    def changes(
        self, options: Iterable[str], after: State, raw: Mapping[str, Any]
    ) -> list[tuple[str, str | None, str | None]]:
        """(wire name, value now, value then) of what `options` changes."""
        result: list[tuple[str, str | None, str | None]] = []
        names = set(options)
        for row in self.plain_rows:
            if row.name in names and row.compared:
                old, new = raw.get(row.wire_name), after.get(row.name)
                result.append((row.wire_name, _text(old), None if new is None else str(row.form.wire(new))))
        for family in self.families:
            if family.option in names:
                wanted = after.get(family.option) or {}
                for slot in sorted({key for key in raw if family.owns(key)} | set(wanted)):
                    old = _text(raw.get(slot))
                    device = wanted.get(slot)
                    new = None if device is None else family.encode(slot, device, old)
                    if not _same_device(family, slot, old, new):
                        result.append((slot, old, new))
        return result

    def wire_names(self, item: Item, declared: Declaration) -> frozenset[str] | None:
        """The parameters that an item is about; None for all."""
        if declared.unlisted_options == RESET:
            return None
        rows, by_wire = self.rows, self.plain_rows_by_wire
        names = {rows[name].wire_name for name in (*item.options, *item.reset)} & set(by_wire)
        for family in self.families:
            names.update(item.options.get(family.option) or ())
        return frozenset(names)

    @staticmethod
    def _concerns(key: str, mine: frozenset[str] | None) -> bool:
        return mine is None or key in mine

    def _volume_steps(
        self,
        item: Item,
        thing: Thing,
        removed: Mapping[str, tuple[Family, Mapping[str, Any]]],
        state: State,
        running: bool,
        steps: Sequence[Step],
    ) -> list[Step]:
        """A container's volume can be destroyed once its mount point has gone: when stopped, or after a restart."""
        if self.guest_type != "lxc":
            return []
        slots = [slot for slot in self._destroyed(item, removed) if not _unused(slot)]
        if not slots or (running and not any(step.action == RESTART for step in steps)):
            return []
        volumes = {slot: removed[slot][1].get("volume") for slot in slots}
        return [
            Step(
                DESTROY_VOLUMES,
                self.name,
                item.key,
                before=state,
                after=state,
                options=tuple(slots),
                inputs={"volumes": tuple(volumes.values())},
                facts={**thing.facts, "refresh": True},
            )
        ]

    def _refuse_locked(self, item: Item, facts: Mapping[str, Any], steps: Sequence[Step]) -> None:
        lock = facts.get("lock")
        if not lock or not steps:
            return
        if lock == SUSPENDED and [step.action for step in steps] == [START]:
            return
        if lock == SUSPENDED:
            hint = "It is hibernated: start it first (status: running, in a task of its own)."
        else:
            hint = (
                f"Wait until its {lock} has finished. If none is running, release it with `qm unlock` or `pct unlock`."
            )
        raise Locked(
            f"{self.described(item.key)} is locked ({lock}) on {facts.get('node')}; nothing was changed.",
            waitable=False,
            lock=lock,
            hint=hint,
        )

    # -- what does not hold -----------------------------------------------------------------------------------------

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        result = []
        hidden = {row.wire_name for row in self.fields if row.write_only}
        for item in declared.items:
            thing = things.get(item.key)
            if thing is None or thing.facts.get("status") == STOPPED:
                continue
            mine = self.wire_names(item, declared)
            for key, (now, then) in sorted(thing.facts.get("waiting", {}).items()):
                if self._concerns(key, mine) and key not in hidden:
                    what = self._waits_text(key, now, then)
                    result.append(
                        Unmet(
                            f"{what[0]} waits for a restart of {self.described(item.key)} (now {what[1]}); allow "
                            "restart_guest to have it restarted"
                        )
                    )
        return result

    def _waits_text(self, key: str, now: Any, then: Any) -> tuple[str, str]:
        option = self.option_of(key)
        if self.family_of(key):
            return (f"removal of {option}" if then is None else f"{option} {then}"), ("none" if now is None else now)
        return f"{option} {'the default' if then is None else then}", ("the default" if now is None else now)

    # -- requests ---------------------------------------------------------------------------------------------------

    def requests(self, step: Step) -> Sequence[Request]:
        base = self.path(step.facts["node"], *step.key)
        if step.action == CREATE:
            return (self._create_request(step),)
        if step.action == UPDATE:
            return self._update_requests(step, base)
        if step.action == DELETE:
            parameters = {self.rows[name].wire_name: int(value) for name, value in step.inputs.items()}
            return (Request("DELETE", base, parameters),)
        if step.action == CONVERT:
            return (Request("POST", f"{base}/template"),)
        if step.action == DESTROY_VOLUMES:
            return self._destroy_requests(step, base)
        return self._power_requests(step, base)

    def _power_requests(self, step: Step, base: str) -> Sequence[Request]:
        if step.action == SHUTDOWN:
            down = Request("POST", f"{base}/status/shutdown", dict(step.inputs))
            if (step.before or {}).get("status") == PAUSED:
                # Nothing in a paused guest hears the request to shut down.
                return Request("POST", f"{base}/status/resume"), down
            return (down,)
        if step.action == RESTART:
            timeout = {name: value for name, value in step.inputs.items() if name == "timeout"}
            return (Request("POST", f"{base}/status/reboot", timeout),)
        verb = {START: "start", RESUME: "resume", STOP: "stop", PAUSE: "suspend"}[step.action]
        return (Request("POST", f"{base}/status/{verb}"),)

    def _create_request(self, step: Step) -> Request:
        vmid = step.key[0]
        rows, inputs, after = self.rows, step.inputs, step.after or {}
        if "clone" in inputs:
            parameters: dict[str, Any] = {"newid": vmid, **_wired(rows, inputs, self.cloned_with)}
            if step.facts["node"] != inputs["clone_node"]:
                parameters["target"] = step.facts["node"]
            if self.named_by in step.options:
                parameters[self.named_by] = after[self.named_by]
            return Request("POST", self.path(inputs["clone_node"], inputs["clone"], "clone"), parameters)
        parameters = {"vmid": vmid, **_wired(rows, inputs, self.created_with)}
        names = set(step.options)
        parameters.update(encoded([row for row in self.plain_rows if row.name in names], {**after, **step.secrets}))
        for family in self.families:
            for slot, device in (after.get(family.option) or {}).items():
                parameters[slot] = family.encode(slot, device, None)
        return Request("POST", self.path(step.facts["node"]), parameters)

    def _update_requests(self, step: Step, base: str) -> Sequence[Request]:
        raw, after = step.facts["raw"], step.after or {}
        values = {**after, **step.secrets}
        rows = [row for row in self.plain_rows if row.name in step.options]
        parameters = encoded(rows, values)
        gone = deleted(rows, values)
        forced: list[str] = []
        allocates = False
        resizes: list[Request] = []
        for family in self.families:
            if family.option not in step.options:
                continue
            wanted = after.get(family.option) or {}
            for slot in (step.before or {}).get(family.option) or ():
                if slot not in wanted and slot in raw:
                    force = slot in step.inputs.get("destroyed", ()) and self.guest_type == "qemu"
                    (forced if force and not _unused(slot) else gone).append(slot)
            for slot, device in wanted.items():
                old = _text(raw.get(slot))
                new = family.encode(slot, device, old)
                if not _same_device(family, slot, old, new):
                    parameters[slot] = new
                    allocates = allocates or (old is None and isinstance(family, Volumes))
                if isinstance(family, Volumes) and old is not None:
                    resizes.extend(self._resize(base, family, slot, device, old))
        if gone:
            parameters["delete"] = ",".join(sorted(gone))
        requests: list[Request] = []
        if parameters:
            if "digest" in step.facts:
                parameters["digest"] = step.facts["digest"]
            # A VM's disks are made by a task, because that may take longer than a request may.
            method = "POST" if allocates and self.guest_type == "qemu" else "PUT"
            requests.append(Request(method, f"{base}/config", parameters))
        if forced:
            requests.append(Request("PUT", f"{base}/config", {"delete": ",".join(sorted(forced)), "force": 1}))
        return (*requests, *resizes)

    @staticmethod
    def _resize(base: str, family: Family, slot: str, device: Mapping[str, Any], old: str) -> list[Request]:
        size, held = device.get("size"), family.decode(slot, old).get("size")
        if not isinstance(size, int) or not isinstance(held, int) or size <= held:
            return []
        row = family.rows["size"]
        return [Request("PUT", f"{base}/resize", {"disk": slot, "size": row.form.wire(size)})]

    @staticmethod
    def _destroy_requests(step: Step, base: str) -> Sequence[Request]:
        """Delete the unusedN entries that hold the volumes; PVE destroys the volumes with them."""
        volumes = set(step.inputs["volumes"])
        keys = [key for key, value in step.facts["raw"].items() if _unused(key) and str(value).split(",")[0] in volumes]
        return (Request("PUT", f"{base}/config", {"delete": ",".join(sorted(keys))}),) if keys else ()


def _configuration(item: Item) -> Item:
    """The item without the options that have steps of their own."""
    options = {name: value for name, value in item.options.items() if name not in _OWN_STEPS}
    return replace(item, options=options)


def _shutdown_inputs(item: Item) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    if item.options.get("shutdown_timeout") is not None:
        inputs["timeout"] = item.options["shutdown_timeout"]
    if item.options.get("force_stop"):
        inputs["forceStop"] = 1
    return inputs


def _settle_machine(options: dict[str, Any], state: State) -> None:
    """PVE pins the machine of a Windows guest to the version it was made with (`q35` becomes `pc-q35-10.1`)."""
    if "machine" not in options:
        return
    ostype = str(options.get("ostype") or state.get("ostype") or "other")
    asked = dict(options["machine"] or {})
    held = (state.get("machine") or {}).get("type") if isinstance(state.get("machine"), Mapping) else None
    family = {"pc": "pc-i440fx-", "q35": "pc-q35-"}.get(asked.get("type", "pc"))
    if held and family and ostype.startswith("w") and str(held).startswith(family):
        options["machine"] = dict(sorted({**asked, "type": held}.items()))


def _settle_ids(options: dict[str, Any], state: State) -> None:
    """A UUID that is there stays, unless another one is named."""
    if "smbios1" in options:
        held, asked = state.get("smbios1"), options["smbios1"]
        if asked is None:
            del options["smbios1"]
        elif isinstance(held, Mapping) and "uuid" in held and "uuid" not in asked:
            options["smbios1"] = dict(sorted({**asked, "uuid": held["uuid"]}.items()))
    if "vmgenid" in options and options["vmgenid"] in (None, "1"):
        held = state.get("vmgenid")
        if held is not None and held != "0":
            options["vmgenid"] = held


def _wired(rows: Mapping[str, Field], inputs: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {rows[name].wire_name: rows[name].form.wire(inputs[name]) for name in names if inputs.get(name) is not None}


def _unused(slot: str) -> bool:
    return slot.startswith("unused")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _same_device(family: Family, slot: str, old: str | None, new: str | None) -> bool:
    if old is None or new is None:
        return old == new
    return family.pairs(old) == family.pairs(new) or _effective(family, slot, old) == _effective(family, slot, new)


def _effective(family: Family, slot: str, raw: str) -> dict[str, Any]:
    state = family.decode(slot, raw)
    return {row.name: row.effective(state.get(row.name)) for row in family.fields}
