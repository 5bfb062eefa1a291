# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for guests: found by vmid wherever they are, read with what is pending, written where they are.

One GET /cluster/resources finds all of them; then one GET …/pending a guest that is looked at, side by side, and one
GET …/status/current only where the power matters.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    ABSENT,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NodeOffline,
    NotFound,
    NotPermitted,
    PveError,
    RejectedParameters,
    TaskFailed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds import guest_checks
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import GuestDeclaration, GuestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_requests import RESTART
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_table import RUNNING, STOPPED

_RESOURCES = "/cluster/resources"
_HOTPLUG = "hotplug problem"
# Seconds that PVE may take from a guest's end to its start in a reboot.
_BACK_AFTER_REBOOT = 60.0
_WORDS = {"qemu": "a VM (pve_vm)", "lxc": "a container (pve_container)"}


class GuestBackend(PveBackend[GuestKind]):
    """How guests are found, read and written. It serves guest kinds only."""

    def __init__(self, client: Client) -> None:
        super().__init__(client)
        self._listing: dict[int, Mapping[str, Any]] | None = None
        self._live = False
        # Where this run made guests: the list of resources learns of them seconds later.
        self._placed: dict[int, str] = {}

    # -- finding ----------------------------------------------------------------------------------------------------

    def resolve(self, kind: GuestKind, declared: Declaration) -> Declaration:
        """Templates by vmid, with their state, for those that are to be cloned."""
        listing = self._listing = self._resources()
        self._live = declared.state == ABSENT or any(word.startswith("restart_guest") for word in declared.allow)
        if declared.state == ABSENT:
            return declared
        cloned = {str(item.options["clone"]) for item in declared.items if item.options.get("clone") is not None}
        if any(not name.isdigit() or int(name) not in listing for name in cloned):
            listing = self._named(kind, listing)
        items: list[Item] = []
        templates: dict[int, Mapping[str, Any]] = {}
        problems = []
        for item in declared.items:
            name = item.options.get("clone")
            if name is None or item.key[0] in listing:
                items.append(item)
                continue
            try:
                entry = _template(kind, str(name), listing)
            except InvalidInput as problem:
                problems.append(f"{kind.described(item.key)}: {problem.message}")
                continue
            templates[int(entry["vmid"])] = entry
            items.append(replace(item, options={**item.options, "clone": int(entry["vmid"])}))
        if problems:
            raise InvalidInput(f"{listed(problems)}", hint="Nothing was changed.")
        if not templates:
            return declared
        prototypes = self._read(kind, templates, live=False, genid=False)
        return GuestDeclaration(**{**declared.__dict__, "items": tuple(items)}, prototypes=prototypes)

    def observe(self, kind: GuestKind, keys: Collection[Key] | None, options: Collection[str]) -> Mapping[Key, Thing]:
        listing, self._listing = self._listing or self._resources(), None
        # What the list of resources says of it is some seconds old, and a template must not run.
        live = self._live or "status" in options or "template" in options
        genid = "vmgenid" in options
        found: dict[int, Mapping[str, Any]] = {}
        others = []
        wanted = sorted(listing) if keys is None else [int(key[0]) for key in keys]
        for vmid in wanted:
            entry = listing.get(vmid)
            if entry is None and vmid in self._placed:
                entry = {"vmid": vmid, "node": self._placed[vmid], "type": kind.guest_type, "status": "unknown"}
            if entry is None:
                continue
            if entry["type"] == kind.guest_type:
                found[vmid] = entry
            elif keys is not None:
                name = entry.get("name") or "without a name"
                others.append(f"vmid {vmid} is {_WORDS[entry['type']]}, {name} on {entry['node']}, not a {kind.name}")
        if others:
            raise InvalidInput(
                f"{listed(others)}.", hint="Correct the vmid, or use the other module. Nothing was changed."
            )
        things = self._read(kind, found, live=live, genid=genid)
        return {(vmid,): thing for vmid, thing in things.items()}

    def _resources(self) -> dict[int, Mapping[str, Any]]:
        entries = self.client.get(_RESOURCES, type="vm") or ()
        return {int(entry["vmid"]): entry for entry in entries if entry.get("type") in _WORDS}

    def _named(self, kind: GuestKind, listing: Mapping[int, Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
        """The guests with their names as they are: those in the list of resources are some seconds old, which is none
        for a template just made, and another guest's where a vmid was used again. PVE API: GET /nodes/{node}/qemu, lxc.
        """
        nodes = sorted({str(entry["node"]) for entry in listing.values() if entry["type"] == kind.guest_type})
        answers = self.client.get_many([f"/nodes/{node}/{kind.guest_type}" for node in nodes])
        fresh = dict(listing)
        for answer in answers:
            if isinstance(answer, NodeOffline):
                continue  # what is known of its guests is in the list
            if isinstance(answer, PveError):
                raise answer
            for row in answer or ():
                vmid = int(row["vmid"])
                if vmid in listing:
                    known = {"name": row.get("name"), "template": row.get("template")}
                    fresh[vmid] = {**listing[vmid], **known}
        return fresh

    # -- reading ----------------------------------------------------------------------------------------------------

    def _read(
        self, kind: GuestKind, found: Mapping[int, Mapping[str, Any]], *, live: bool, genid: bool
    ) -> dict[int, Thing]:
        """The guests in `found`; one that moved meanwhile is looked for once more, one that is gone is left out."""
        things, lost = self._read_once(kind, found, live=live, genid=genid)
        if lost:
            listing = self._resources()
            moved = {
                vmid: listing[vmid] for vmid in lost if vmid in listing and listing[vmid]["node"] != found[vmid]["node"]
            }
            if moved:
                again, _gone = self._read_once(kind, moved, live=live, genid=genid)
                things.update(again)
        return things

    def _read_once(
        self, kind: GuestKind, found: Mapping[int, Mapping[str, Any]], *, live: bool, genid: bool
    ) -> tuple[dict[int, Thing], list[int]]:
        paths: dict[tuple[int, str], str] = {}
        for vmid, entry in found.items():
            paths[vmid, "pending"] = kind.path(entry["node"], vmid, "pending")
            if live or entry.get("status") not in (RUNNING, STOPPED):
                paths[vmid, "status"] = kind.path(entry["node"], vmid, "status", "current")
            if genid and kind.guest_type == "qemu":
                # Only the configuration shows it; what is pending hides it.
                paths[vmid, "config"] = kind.path(entry["node"], vmid, "config")
        answers = dict(zip(paths, self.client.get_many(list(paths.values()))))
        lost = {vmid for (vmid, _what), answer in answers.items() if isinstance(answer, NotFound)}
        self._raise_offline(kind, found, answers)
        for (vmid, _what), answer in answers.items():
            if isinstance(answer, PveError) and vmid not in lost:
                raise answer
        things = {}
        for vmid, entry in found.items():
            if vmid in lost:
                continue
            status = answers.get((vmid, "status"))
            config = answers.get((vmid, "config"))
            things[vmid] = kind.thing_of(answers[vmid, "pending"], _facts(entry, status, config))
        # Where something waits for the next start, it matters whether the guest runs, and the list is some seconds old.
        unsure = {
            vmid: kind.path(found[vmid]["node"], vmid, "status", "current")
            for vmid, thing in things.items()
            if thing.facts.get("waiting") and (vmid, "status") not in answers
        }
        for vmid, status in zip(unsure, self.client.get_many(list(unsure.values()))):
            if not isinstance(status, PveError):
                config = answers.get((vmid, "config"))
                things[vmid] = kind.thing_of(answers[vmid, "pending"], _facts(found[vmid], status, config))
        return things, sorted(lost)

    @staticmethod
    def _raise_offline(
        kind: GuestKind, found: Mapping[int, Mapping[str, Any]], answers: Mapping[tuple[int, str], Any]
    ) -> None:
        away: dict[str, list[str]] = {}
        for (vmid, _what), answer in answers.items():
            if isinstance(answer, NodeOffline):
                name = f"{vmid} ({found[vmid].get('name') or 'without a name'})"
                names = away.setdefault(str(found[vmid]["node"]), [])
                if name not in names:
                    names.append(name)
        for node, guests in away.items():
            raise NodeOffline(
                f"The node {node} is offline, so the configuration of {kind.name} {listed(guests)} cannot be read. "
                "Nothing was changed.",
                node=node,
                hint=f"Start {node} or mend its network, or leave its guests out of config until then.",
            )

    # -- before writing ---------------------------------------------------------------------------------------------

    def precheck(self, kind: GuestKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        untested = self.untested_release()
        if untested:
            return untested
        problems = guest_checks.check_cluster(kind, plan, self.client.get("/cluster/status") or ())
        if problems:
            return problems
        needs = guest_checks.storage_needs(kind, plan)
        images = guest_checks.image_paths(plan)
        linked = guest_checks.linked(plan)
        moved = guest_checks.moved(plan)
        pooled = guest_checks.pooled(plan)
        paths = [*(["/storage"] if needs or linked or moved else []), *(["/pools"] if pooled else [])]
        answers = self.read(paths)
        if "/storage" in answers:
            problems += guest_checks.check_storages(kind, needs, answers["/storage"] or ())
            problems += guest_checks.check_linked(kind, plan, answers["/storage"] or ())
            problems += guest_checks.check_moved(kind, plan, answers["/storage"] or ())
        if "/pools" in answers:
            problems += guest_checks.check_pools(kind, plan, answers["/pools"] or ())
        if not problems and images:
            listings = self.read(list(images))
            for path, steps in images.items():
                problems += guest_checks.check_images(kind, steps, listings[path] or ())
        return problems

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, kind: GuestKind, step: Step) -> Sequence[str]:
        if step.action == RESTART:
            if not self._refreshed(kind, step).facts["waiting"]:
                return (f"nothing waited for a restart, so {kind.described(step.key)} was not restarted",)
            return self._restart(kind, step)
        if step.facts.get("refresh") and step.action != CREATE:
            step = self._refreshed(kind, step)
        warnings: list[str] = []
        for request in kind.requests(step):
            try:
                warnings.extend(self._write(kind, request))
            except NotPermitted as problem:
                raise _permission(kind, step, problem, self.client.connection.identity) from None
        if step.action == CREATE:
            self._placed[int(step.key[0])] = str(step.facts["node"])
        return warnings

    def _restart(self, kind: GuestKind, step: Step) -> Sequence[str]:
        """Reboot a guest, hard where it does not listen and that is allowed, and wait until it is back.

        The task of a reboot ends when the guest is down; PVE starts it after that, outside of any task.
        """
        base = kind.path(step.facts["node"], *step.key)
        warnings: list[str] = []
        try:
            for request in kind.requests(step):
                warnings.extend(self._write(kind, request))
        except TaskFailed as problem:
            # Whether a guest is on that high availability looks after is not ours to say.
            if not step.inputs.get("forceStop") or step.facts.get("ha"):
                raise
            warnings.append(f"it did not shut down ({problem.exitstatus}), so it was stopped and started (force_stop)")
            for verb in ("stop", "start"):
                warnings.extend(self._write(kind, Request("POST", f"{base}/status/{verb}")))
        back = self.client.until(
            f"{base}/status/current", lambda now: now.get("status") == RUNNING, timeout=_BACK_AFTER_REBOOT
        )
        if not back:
            raise PveError(
                f"{kind.described(step.key)} was rebooted, went down, and was not started again by PVE within "
                f"{_BACK_AFTER_REBOOT:.0f} s.",
                hint="See its last start in the task history of the node; start it with status: running.",
            )
        return warnings

    def _refreshed(self, kind: GuestKind, step: Step) -> Step:
        """The step with the configuration as it is now: PVE has chosen volumes and addresses meanwhile."""
        node = step.facts["node"]
        entries = self.client.get(kind.path(node, *step.key, "pending"))
        thing = kind.thing_of(entries, {"node": node})
        return replace(step, facts={**step.facts, **thing.facts, "lock": step.facts.get("lock")})

    def _write(self, kind: GuestKind, request: Request) -> Sequence[str]:
        try:
            return self.write(request)
        except RejectedParameters as problem:
            if problem.errors and all(_HOTPLUG in text for text in problem.errors.values()):
                # PVE keeps the value for the next start all the same.
                return [f"{kind.option_of(name)}: {text.strip()}" for name, text in sorted(problem.errors.items())]
            raise problem.renamed(kind.option_of) from None
        except TaskFailed as problem:
            if _HOTPLUG in problem.exitstatus:
                return [" ".join(problem.exitstatus.split())]
            raise


def _permission(kind: GuestKind, step: Step, problem: NotPermitted, who: str) -> NotPermitted:
    """PVE does not say which privilege making a guest needs."""
    if step.action != CREATE or problem.privilege or "pool" in problem.message:
        return problem
    path = f"/vms/{step.key[0]}"
    return NotPermitted(
        problem.message,
        privilege="VM.Allocate",
        path=path,
        hint=f"Give {who} the privilege VM.Allocate on {path} or on the guest's pool (Datacenter > Permissions).",
        status=problem.status,
    )


def _facts(entry: Mapping[str, Any], status: Any, config: Any) -> dict[str, Any]:
    """What is known of a guest beside its configuration."""
    facts: dict[str, Any] = {
        "node": entry["node"],
        "status": entry.get("status"),
        "lock": entry.get("lock"),
        "ha": bool(entry.get("hastate")) and entry.get("hastate") not in ("unmanaged", "ignored"),
        "pool": entry.get("pool"),
    }
    if isinstance(status, Mapping):
        paused = status.get("qmpstatus") in ("paused", "suspended")
        facts["status"] = "paused" if paused and status.get("status") == RUNNING else status.get("status")
        facts["ha"] = bool((status.get("ha") or {}).get("managed"))
        facts["lock"] = status.get("lock")
    if isinstance(config, Mapping):
        facts["vmgenid"] = config.get("vmgenid")
    return facts


def _template(kind: GuestKind, name: str, listing: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any]:
    """The guest to clone, by vmid or name. A template comes before a guest of the same name."""
    own = [entry for entry in listing.values() if entry["type"] == kind.guest_type]
    matches = [entry for entry in own if str(entry["vmid"]) == name]
    if not matches:
        named = [entry for entry in own if entry.get("name") == name]
        matches = [entry for entry in named if entry.get("template")] or named
    if not matches:
        raise InvalidInput(f"clone: there is no {kind.name} {name} to clone.", hint="Give its vmid or its name.")
    if len(matches) > 1:
        vmids = ", ".join(sorted(str(entry["vmid"]) for entry in matches))
        raise InvalidInput(f"clone: {name} is the name of several ({vmids}).", hint="Give the vmid.")
    return matches[0]
