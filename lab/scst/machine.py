# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The part of /sys that describes the machine's SCSI devices, and /dev's names for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lab.scst import modules
from lab.scst.hardware import CHANGER, TAPE, Device, numbered
from lab.scst.nodes import Directory, File, Link, Node, constant, directory
from lab.scst.state import Kernel

_CLASSES = {TAPE: "scsi_tape", CHANGER: "scsi_changer"}


def names_of(kernel: Kernel, device: Device) -> dict[str, list[str]]:
    """Class -> the device's names in it, which are those in /dev."""
    found = {"scsi_generic": [f"sg{device.generic}"]}
    if device.type in _CLASSES:
        order = numbered(kernel.hardware.present(), device.type)(device)
        prefixes = ("st", "nst") if device.type == TAPE else ("sch",)
        found[_CLASSES[device.type]] = [f"{prefix}{order}" for prefix in prefixes]
    return found


def by_id(kernel: Kernel) -> dict[str, str]:
    """/dev/tape/by-id: the changer by its generic device, a drive by both of its names, as udev links them."""
    links = {}
    for device in kernel.hardware.present():
        here = names_of(kernel, device)
        if device.type == CHANGER:
            links[device.by_id] = here["scsi_generic"][0]
        elif device.type == TAPE:
            links[device.by_id], links[f"{device.by_id}-nst"] = here["scsi_tape"]
    return links


def device_nodes(kernel: Kernel) -> list[str]:
    return sorted(
        name for device in kernel.hardware.present() for found in names_of(kernel, device).values() for name in found
    )


class SysTree:
    """`bus`, `class` and `devices` of /sys."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def bus(self) -> Mapping[str, Node]:
        def entries() -> Mapping[str, Node]:
            return {one.hcil: Link(f"../../../devices/{one.parent}/{one.hcil}") for one in self._present()}

        return {"scsi": directory({"devices": Directory(entries)})}

    def classes(self) -> Mapping[str, Node]:
        found: dict[str, dict[str, Node]] = {"scsi_device": {}, "scsi_host": {}}
        for device in self._present():
            place = f"../../devices/{device.parent}/{device.hcil}"
            found["scsi_device"][device.hcil] = Link(f"{place}/scsi_device/{device.hcil}")
            for kind, members in names_of(self.kernel, device).items():
                for name in members:
                    found.setdefault(kind, {})[name] = Link(f"{place}/{kind}/{name}")
        # A host adapter stays when its devices are gone.
        for device in self.kernel.hardware.devices:
            host = f"host{device.hcil.partition(':')[0]}"
            place = device.parent.rpartition("/")[0]
            found["scsi_host"][host] = Link(f"../../devices/{place}/scsi_host/{host}")
        return {name: directory(entries) for name, entries in found.items()}

    def devices(self) -> Mapping[str, Node]:
        paths: dict[str, Node] = {}
        for device in self.kernel.hardware.devices:
            host = f"host{device.hcil.partition(':')[0]}"
            place = device.parent.rpartition("/")[0]
            paths[f"{place}/scsi_host/{host}/scan"] = File(0o200, None, self._scan(host[4:]))
            if device.present:
                for name, node in self._unit(device).items():
                    paths[f"{device.parent}/{device.hcil}/{name}"] = node
        return _nested(paths)

    def _present(self) -> list[Device]:
        return self.kernel.hardware.present()

    def _unit(self, device: Device) -> Mapping[str, Node]:
        up = "../" * (device.parent.count("/") + 3)
        found: dict[str, Node] = {
            "delete": File(0o200, None, lambda text: self._delete(device)),
            "model": constant(f"{device.model:16}\n"),
            "rev": constant(f"{device.revision:4}\n"),
            "scsi_level": constant("6\n"),
            "state": constant("running\n"),
            "subsystem": Link(f"{up}bus/scsi"),
            "type": constant(f"{device.type}\n"),
            "vendor": constant(f"{device.vendor:8}\n"),
            "vpd_pg80": File(0o444, device.page80),
            "vpd_pg83": File(0o444, device.page83),
            f"scsi_device/{device.hcil}/device": Link(f"../../../{device.hcil}"),
            "generic": Link(f"scsi_generic/sg{device.generic}"),
        }
        for kind, members in names_of(self.kernel, device).items():
            for name in members:
                found[f"{kind}/{name}/device"] = Link(f"../../../{device.hcil}")
                found[f"{kind}/{name}/subsystem"] = Link(f"{up}../../class/{kind}")
        if device.type == TAPE:
            found["tape"] = Link(f"scsi_tape/{names_of(self.kernel, device)['scsi_tape'][0]}")
        return found

    def _delete(self, device: Device) -> None:
        modules.vanish(self.kernel, device.hcil)

    def _scan(self, host: str) -> Callable[[str], None]:
        def scan(text: str) -> None:
            """What is plugged in and was deleted is found again, where it was."""
            for device in list(self.kernel.hardware.devices):
                if device.hcil.partition(":")[0] == host:
                    modules.come_back(self.kernel, device.hcil)

        return scan


def _nested(paths: Mapping[str, Node]) -> Mapping[str, Node]:
    """Directories from paths."""
    inner: dict[str, dict[str, Node]] = {}
    found: dict[str, Node] = {}
    for path, node in paths.items():
        head, _slash, rest = path.partition("/")
        if rest:
            inner.setdefault(head, {})[rest] = node
        else:
            found[head] = node
    return found | {head: directory(_nested(below)) for head, below in inner.items()}
