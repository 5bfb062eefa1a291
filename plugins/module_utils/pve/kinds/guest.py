# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""VMs and containers: what to do to get from the guest that is there to the one that is asked for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ALWAYS,
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
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import ASSIGNED
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.disk import holds_data
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import ABSENT, Family
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_power import GuestPower
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_requests import (
    CONVERT,
    DESTROY_VOLUMES,
    RESTART,
    SHUTDOWN,
    STOP,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_settling import (
    check_new_disks,
    completed,
    settled,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_table import (
    OWN_STEPS,
    PAUSED,
    RUNNING,
    STOPPED,
    is_unused,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import Volumes

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


REMOVAL_FIELDS = (
    boolean("purge", creating=True),
    boolean("destroy_unreferenced_disks", wire="-", creating=True),
)


@dataclass(frozen=True)
class GuestDeclaration(Declaration):
    """A declaration with the guests that are to be cloned, by vmid."""

    prototypes: Mapping[int, Thing] = field(default_factory=dict)


@dataclass(frozen=True)
class GuestKind(GuestPower):
    """A virtual machine or a container; its parts are GuestTable's."""

    # -- what the user asks for -------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        name = item.options.get(self.named_by)
        if name is None and self.named_by in item.options and self.guest_type == "lxc":
            raise InvalidInput(
                f"{self.named_by} is empty, and a container is never without one.", hint="Give one, or leave it out."
            )
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
        check_new_disks(self.families, item, thing)
        item = settled(self.families, item, thing.state)
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
        item = completed(self.families, item, {})
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
        item = settled(self.families, completed(self.families, item, copy), copy)
        facts = {"node": copy["node"], "refresh": True}
        inputs = {
            **{name: item.options[name] for name in self.cloned_with if name in item.options},
            "clone": item.options["clone"],
            "clone_node": prototype.facts["node"],
            "clone_storages": self._storages(prototype.state),
        }
        if prototype.state.get("template") and not item.options.get("full"):
            inputs["linked"] = True
            if item.options.get("storage"):
                raise InvalidInput("storage: a linked clone stays where its template is.", hint="Add full: true.")
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

    def _storages(self, state: State) -> tuple[str, ...]:
        """The storages of a guest's disks."""
        return tuple(
            dict.fromkeys(
                str(now["storage"])
                for family in self.families
                if isinstance(family, Volumes)
                for slot, now in (state.get(family.option) or {}).items()
                if holds_data(now) and now.get("storage") and not is_unused(slot)
            )
        )

    def _copied(self, item: Item, prototype: Thing) -> dict[str, Any]:
        """The state of a clone before anything of the item's is applied to it."""
        state: dict[str, Any] = {
            name: value for name, value in prototype.state.items() if name not in ("template", "pool", "status")
        }
        storage = item.options.get("storage")
        for family in self.families:
            slots = {slot: now for slot, now in (state.pop(family.option, None) or {}).items() if not is_unused(slot)}
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
        slots = [slot for slot in self._destroyed(item, removed) if not is_unused(slot)]
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


def _configuration(item: Item) -> Item:
    """The item without the options that have steps of their own."""
    options = {name: value for name, value in item.options.items() if name not in OWN_STEPS}
    return replace(item, options=options)
