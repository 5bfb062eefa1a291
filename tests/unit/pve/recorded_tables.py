# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How recorded rows read: a call's parameters as items of `config`, an answer of GET as what our backend reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pve.registry import KINDS
from tests.unit.pve.recorded import Row

BEFORE, AFTER = "before", "after"
RESOURCES = [{"type": "qemu", "vmid": 100}, {"type": "qemu", "vmid": 101}, {"type": "lxc", "vmid": 102}]


class Table:
    """A kind that is a plain table."""

    def __init__(self, name: str) -> None:
        self.kind: Any = KINDS[name].kind

    def declared(self, item: Mapping[str, Any], update_secrets: str) -> Declaration:
        declared: Declaration = self.kind.resolve(
            self.kind.declare({"config": [item], "update_secrets": update_secrets}),
            {"/cluster/resources?type=vm": RESOURCES, "/cluster/ha/resources": []},
        )
        return declared

    def item(self, row: Row) -> dict[str, Any]:
        """What was sent, as an item."""
        kind = self.kind
        identity = {kind.rows[name].wire_name for name in kind.identity}
        if isinstance(row.sent, Mapping):
            return self.options(row.sent)
        if row.raw["method"] == "POST":
            shown = row.raw.get("object_after", {})
            made = {name: shown.get(name, value) for name, value in row.creating.items() if not shown or name in shown}
            return self.options({**made, row.parameter: row.sent})
        named = {name: value for name, value in {**row.base, **row.creating}.items() if name in identity}
        return self.options({**named, **row.beside, row.parameter: row.sent})

    def options(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        return {self.option_of(name): value for name, value in sent.items()}

    def option_of(self, wire: str) -> str:
        return str(self.kind.option_of(wire))

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        return row.after if stage == AFTER else row.before

    def thing(self, row: Row, stage: str) -> Thing:
        thing: Thing = self.kind.decode(self.raw(row, stage))
        return thing

    def key(self, row: Row, stage: str) -> tuple[Any, ...]:
        key: tuple[Any, ...] = self.kind.key_of({**row.base, **self.raw(row, stage)})
        return key

    def changes(self, row: Row, item: Mapping[str, Any]) -> set[str]:
        """The options in which the item differs from the thing before."""
        kind, before = self.kind, self.thing(row, BEFORE).state
        names = {name for name in item if name not in kind.identity}
        names |= {self.option_of(name) for name in row.deleted_beside}
        result = set()
        for name in names & set(kind.rows):
            option = kind.row_for(kind.rows[name], {"type": row.type or None})
            if (
                option.write_only
                if not option.compared
                else not option.same(before.get(name), option.canonical(item.get(name)))
            ):
                result.add(name)
        return result

    def parameters(self, steps: Iterable[Step]) -> dict[str, Any]:
        """All that we would send."""
        parameters: dict[str, Any] = {}
        for step in steps:
            for request in self.kind.requests(step):
                parameters.update(request.parameters)
        return parameters

    def says_the_same(self, wire: str, ours: Any, sent: Any) -> bool:
        option = self.kind.rows[self.option_of(wire)]
        return bool(option.canonical(ours) == option.canonical(sent))


class Pools(Table):
    """The recording says that `members` changed, not always how: what was sent became a member."""

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        raw = super().raw(row, stage)
        if stage == BEFORE:
            return raw
        given = {**row.beside, row.parameter: row.sent}
        members = [{"type": "qemu", "vmid": int(vmid)} for vmid in str(given.get("vms") or "").split(",") if vmid]
        members += [{"type": "storage", "storage": name} for name in str(given.get("storage") or "").split(",") if name]
        return {**raw, "members": members}


class Replications(Table):
    """Jobs have a type, of which there is only one: we send it, and it is no option."""

    def options(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        return super().options({name: value for name, value in sent.items() if name != "type"})

    def says_the_same(self, wire: str, ours: Any, sent: Any) -> bool:
        return bool(ours == sent) if wire == "type" else super().says_the_same(wire, ours, sent)


class Guests(Table):
    """VMs and containers: devices by slot, and a configuration that is read with what waits for a restart."""

    _SIZED = re.compile(r"(?P<storage>[\w-]+):(?P<size>\d+(?:\.\d+)?)")
    _HERE = "pve1"

    def __init__(self, name: str, vmid: int) -> None:
        super().__init__(name)
        self.vmid = vmid

    def declared(self, item: Mapping[str, Any], update_secrets: str) -> Declaration:
        declared: Declaration = self.kind.declare({"config": [item], "update_secrets": update_secrets})
        return declared

    def item(self, row: Row) -> dict[str, Any]:
        sent = dict(row.sent) if isinstance(row.sent, Mapping) else {**row.beside, row.parameter: row.sent}
        vmid = int(sent.pop("vmid", self.vmid))
        item = {"vmid": vmid, **self.options(sent)}
        return {"node": self._HERE, **item} if row.kind.endswith("(create)") else item

    def options(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        options: dict[str, Any] = {}
        for wire, value in sent.items():
            wire = "ide2" if wire == "cdrom" else wire
            family = self.kind.family_of(wire)
            if family is None:
                options[self.option_of(wire)] = value
            else:
                device = self.device(family, wire, str(value))
                if "cdrom" in sent:
                    device["media"] = "cdrom"
                options.setdefault(family.option, []).append(device)
        return options

    def device(self, family: Any, slot: str, text: str) -> dict[str, Any]:
        """A property string as a mapping of options."""
        device: dict[str, Any] = {"slot": slot}
        for wire, value in family.pairs(text).items():
            if (wire, value) == ("type", "veth"):  # the only one there is, and no option
                continue
            option = next((row.name for row in family.fields if row.wire_name == wire), wire)
            device[option] = value
        named = device.get(getattr(family, "volume", ""), "")
        sized = self._SIZED.fullmatch(named)
        if sized or named.endswith(":cloudinit"):
            device.pop(family.volume)
            device["storage"] = named.partition(":")[0]
        if sized and float(sized["size"]):
            device["size"] = f"{sized['size']}G"
        if named.endswith(":cloudinit"):
            device["media"] = "cloudinit"
        elif named in ("none", "cdrom"):
            device["media"] = "cdrom"
        return device

    def option_of(self, wire: str) -> str:
        family = self.kind.family_of("ide2" if wire == "cdrom" else wire)
        return str(family.option if family else self.kind.option_of(wire))

    def raw(self, row: Row, stage: str) -> Mapping[str, Any]:
        raw = dict(super().raw(row, stage))
        if stage == AFTER and isinstance(row.raw.get("returned_by_get"), Mapping):
            raw.pop(row.parameter, None)
            raw.update({name: value for name, value in row.raw["returned_by_get"].items() if value is not None})
        if row.parameter == "boot":
            # The rows do not show the whole configuration; the VM had what it boots from.
            raw = {
                "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0",
                "scsi0": "local:500/vm-500-disk-0.raw,size=1G",
                **raw,
            }
        if "cdrom" in raw:
            raw["ide2"] = raw.pop("cdrom")
        return raw

    def thing(self, row: Row, stage: str) -> Thing:
        raw = self.raw(row, stage)
        facts = {"node": self._HERE, "status": "stopped", "lock": None, "ha": False, "vmgenid": raw.get("vmgenid")}
        if stage == AFTER and isinstance(row.raw.get("resources_entry"), Mapping):
            facts |= {name: row.raw["resources_entry"].get(name) for name in ("pool", "status")}
        entries = [{"key": name, "value": value} for name, value in raw.items()]
        thing: Thing = self.kind.thing_of(entries, facts)
        return thing

    def key(self, row: Row, stage: str) -> tuple[Any, ...]:
        return (int(row.sent["vmid"]) if isinstance(row.sent, Mapping) and "vmid" in row.sent else self.vmid,)

    def changes(self, row: Row, item: Mapping[str, Any]) -> set[str]:
        devices = {family.option for family in self.kind.families}
        plain = {name: value for name, value in item.items() if name not in devices}
        before = self.thing(row, BEFORE).state
        unlike = {name for name in devices & set(item) if not before.get(name)}
        return super().changes(row, plain) | unlike

    def says_the_same(self, wire: str, ours: Any, sent: Any) -> bool:
        family = self.kind.family_of(wire)
        if family is None:
            return super().says_the_same(wire, ours, sent)
        return self.device_canonical(family, wire, ours) == self.device_canonical(family, wire, sent)

    def device_canonical(self, family: Any, slot: str, text: Any) -> dict[str, Any]:
        device = self.device(family, slot, str(text))
        rows = {row.name: row for row in family.fields}
        if getattr(family, "volume", "") in device:
            device.pop("size", None)  # a volume that exists has its size, whatever is written
        return {
            name: value
            for name, value in (
                (name, rows[name].effective(rows[name].canonical(given))) for name, given in device.items()
            )
            if value != rows[name].effective(None)
        }


def tables() -> dict[str, Table]:
    """By the recording's word for the kind."""
    from tests.unit.pve.recorded_access import access_tables
    from tests.unit.pve.recorded_network import RECORDED, Interfaces

    return {
        **access_tables(),
        RECORDED: Interfaces(),
        "cluster/options": Table("cluster_options"),
        # No row of the recording is about these.
        "snapshots": Table("snapshot"),
        "cluster/replication": Replications("replication"),
        "storage": Table("storage"),
        "pools": Pools("pool"),
        "pools (PUT /pools)": Pools("pool"),
        "cluster/ha/resources": Table("ha_resource"),
        "cluster/ha/rules": Table("ha_rule"),
        "cluster/backup": Table("backup_job"),
        "qemu/config": Guests("vm", 500),
        "qemu (create)": Guests("vm", 501),
        "lxc/config": Guests("container", 600),
        "lxc (create)": Guests("container", 601),
    }
