# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The requests that the steps of a guest's plan take. Pure. PVE API: /nodes/{node}/qemu and /nodes/{node}/lxc."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import CREATE, DELETE, UPDATE, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Request, deleted, encoded
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import Family
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_table import (
    PAUSED,
    GuestTable,
    is_unused,
    same_device,
    text_of,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.volume import Volumes

START, RESUME, SHUTDOWN, STOP, PAUSE = "start", "resume", "shut down", "stop", "pause"
RESTART, CONVERT, DESTROY_VOLUMES = "restart", "convert", "destroy volumes of"


@dataclass(frozen=True)
class GuestRequests(GuestTable):
    """A guest that can be written."""

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
                    (forced if force and not is_unused(slot) else gone).append(slot)
            for slot, device in wanted.items():
                old = text_of(raw.get(slot))
                new = family.encode(slot, device, old)
                if not same_device(family, slot, old, new):
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
        keys = [
            key
            for key, value in step.facts["raw"].items()
            if is_unused(key) and str(value).split(",", maxsplit=1)[0] in volumes
        ]
        return (Request("PUT", f"{base}/config", {"delete": ",".join(sorted(keys))}),) if keys else ()


def _wired(rows: Mapping[str, Field], inputs: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {rows[name].wire_name: rows[name].form.wire(inputs[name]) for name in names if inputs.get(name) is not None}
