# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Network cards of VMs and containers, and devices passed into containers. Pure.

PVE API: the parameters netN and devN of /nodes/{node}/qemu and /nodes/{node}/lxc and their config.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Mac, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.family import (
    ABSENT,
    PRESENT,
    Family,
    Options,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import Ranged
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text

MODELS = (
    "virtio",
    "e1000",
    "e1000-82540em",
    "e1000-82544gc",
    "e1000-82545em",
    "e1000e",
    "i82551",
    "i82557b",
    "i82559er",
    "ne2k_isa",
    "ne2k_pci",
    "pcnet",
    "rtl8139",
    "vmxnet3",
)
_SLOTS = r"net(?:[12]?\d|3[01])"
_STATE = Field("state", choices=(PRESENT, ABSENT))
_TAG = Field("tag", Ranged(least=1, most=4094), type="int")
_TRUNKS = Field("trunks", Unordered(joined_by=";"), type="list", elements="str")
_RATE = Field("rate", Ranged(least=0), type="float")
_MTU = Field("mtu", Ranged(least=1, most=65535), type="int")
_FIREWALL = boolean("firewall", default=False)
_LINK_DOWN = boolean("link_down", default=False)


@dataclass(frozen=True)
class VmNics(Family):
    """PVE writes the model as a key of its own: `virtio=BC:24:11:…,bridge=vmbr0`."""

    @property
    def described_slots(self) -> str:
        return "net0 to net31"

    def pairs(self, raw: str) -> dict[str, str]:
        pairs = super().pairs(raw)
        for model in MODELS:
            if model in pairs:
                pairs["model"], pairs["macaddr"] = model, pairs.pop(model)
        return pairs

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        model, mac = pairs.pop("model"), pairs.pop("macaddr", None)
        return self.written(f"{model}={mac}" if mac else model, pairs)

    def completed(self, slot: str, given: Options) -> dict[str, Any]:
        return {"model": "virtio", **given}


@dataclass(frozen=True)
class ContainerNics(Family):
    @property
    def described_slots(self) -> str:
        return "net0 to net31"

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        name = pairs.pop("name")
        pairs.pop("type", None)
        return self.written(f"name={name}", pairs)

    def check_new(self, slot: str, given: Options) -> None:
        lacking = [name for name in ("name", "bridge") if given.get(name) is None]
        if lacking:
            raise InvalidInput(
                f"nics {slot} does not exist and cannot be made without {' and '.join(lacking)}.",
                hint="For example name: eth0 and bridge: vmbr0.",
            )


@dataclass(frozen=True)
class PassedDevices(Family):
    @property
    def described_slots(self) -> str:
        return "dev0 to dev255"

    def check_new(self, slot: str, given: Options) -> None:
        if given.get("path") is None:
            raise InvalidInput(f"devices {slot} does not exist and cannot be made without path.", hint="Give its path.")

    def joined(self, slot: str, wanted: Options, pairs: dict[str, str], raw: str | None) -> str:
        return self.written(pairs.pop("path"), pairs)


@dataclass(frozen=True)
class FileMode:
    """An octal file mode; PVE wants all four digits."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if not text.isdigit() or len(text) > 4 or set(text) & set("89"):
            raise ValueError(f"{value!r} is not a file mode; write for example '0660'")
        return text.zfill(4)

    def wire(self, value: Any) -> Any:
        return value


VM_NICS = VmNics(
    option="nics",
    slots=_SLOTS,
    bare="model",
    fields=(
        text("slot"),
        _STATE,
        Field("model", choices=MODELS, kept=True),
        text("bridge", kept=True),
        Field("macaddr", Mac(), assigned=True),
        _FIREWALL,
        _LINK_DOWN,
        _MTU,
        Field("queues", Ranged(least=0, most=64), type="int"),
        _RATE,
        _TAG,
        _TRUNKS,
    ),
)

CONTAINER_NICS = ContainerNics(
    option="nics",
    slots=_SLOTS,
    fields=(
        text("slot"),
        _STATE,
        text("name", kept=True),
        text("bridge", kept=True),
        Field("hwaddr", Mac(), assigned=True),
        _FIREWALL,
        text("gw"),
        text("gw6"),
        boolean("host_managed", wire="-", default=False),
        text("ip"),
        text("ip6"),
        _LINK_DOWN,
        _MTU,
        _RATE,
        _TAG,
        _TRUNKS,
    ),
)

DEVICES = PassedDevices(
    option="devices",
    slots=r"dev(?:\d{1,2}|1\d\d|2[0-4]\d|25[0-5])",
    bare="path",
    fields=(
        text("slot"),
        _STATE,
        text("path", kept=True),
        boolean("deny_write", wire="-", default=False),
        Field("gid", Ranged(least=0), type="int"),
        Field("mode", FileMode()),
        Field("uid", Ranged(least=0), type="int"),
    ),
)
