# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One simulated machine: its kernel, its /sys as nodes, and the levers that tests pull.

Every public method of `Levers` is a lever: plain values in, plain values out. They are called over the control socket
and by `python -m lab.scst`.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.scst import modules, sessions
from lab.scst.hardware import Device, Hardware, Library
from lab.scst.machine import SysTree, by_id, device_nodes, names_of
from lab.scst.nodes import Directory, File, Link, Node, directory, find
from lab.scst.state import Kernel, refuse
from lab.scst.tree import Tree

SCST = "/kernel/scst_tgt"


class Machine:
    """`hardware_file`: where what is plugged in, and where the tapes are, outlives a restart. `stubs`: names of the
    real /sys that are hidden behind these nodes, by directory, with whether they are directories; the real ones are
    bound there. `changed`: told when devices came or went."""

    def __init__(
        self,
        hardware_file: Path | None = None,
        stubs: Mapping[str, Mapping[str, bool]] | None = None,
        changed: Callable[[Machine], None] = lambda machine: None,
    ) -> None:
        self._file, self._stubs, self._changed = hardware_file, stubs or {}, changed
        self.kernel = Kernel(Hardware.load(hardware_file) if hardware_file else Hardware())
        self.tree = Tree(self.kernel)
        self.lock = threading.RLock()
        self._version = 0

    def version(self) -> int:
        """Another one after every change."""
        return self._version

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Around whatever may change something."""
        with self.lock:
            try:
                yield
            finally:
                self._version += 1

    def root(self) -> Directory:
        """What stands for /sys: kernel, bus, class, devices."""
        system = SysTree(self.kernel)
        parts: dict[str, Callable[[], Mapping[str, Node]]] = {
            "kernel": lambda: {"scst_tgt": self.tree.root()} if "scst" in self.kernel.modules else {},
            "bus": system.bus,
            "class": system.classes,
            "devices": system.devices,
        }
        return directory({name: Directory(self._with_stubs(name, make)) for name, make in parts.items()})

    def _with_stubs(self, name: str, make: Callable[[], Mapping[str, Node]]) -> Callable[[], Mapping[str, Node]]:
        empty: dict[bool, Node] = {True: directory({}), False: File(0o444, lambda: "")}
        stubs = {entry: empty[is_directory] for entry, is_directory in self._stubs.get(name, {}).items()}
        return lambda: {**stubs, **make()}

    def store(self, path: str, file: File, text: str) -> None:
        """A write that came through the file system."""
        with self.changing():
            if path.startswith(f"{SCST}/"):
                self.tree.store(file, text)
            elif file.write:
                file.write(text.rstrip("\n"))
                self.keep()

    def keep(self) -> None:
        """After the hardware changed."""
        if self._file:
            self.kernel.hardware.save(self._file)
        self._changed(self)


class Levers:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """LookupError for one there is not."""
        method = None if name.startswith("_") or name == "call" else getattr(self, name, None)
        if method is None:
            raise LookupError(f"no lever {name}")
        with self._machine.changing():
            return method(**arguments)

    @property
    def _kernel(self) -> Kernel:
        return self._machine.kernel

    # modules and the daemon

    def load(self, module: str) -> None:
        """modprobe."""
        if module in self._kernel.modules:
            return
        with self._kernel.write():
            modules.load(self._kernel, module)

    def unload(self, module: str) -> None:
        """rmmod."""
        with self._kernel.write():
            modules.unload(self._kernel, module)

    def loaded(self) -> list[tuple[str, int, list[str]]]:
        """Module, size and users, the newest first, as lsmod lists them."""
        kernel = self._kernel
        return [(name, modules.SIZES[name], modules.users(kernel, name)) for name in reversed(kernel.modules)]

    def dmesg(self, clear: bool = False) -> list[str]:
        messages = list(self._kernel.messages)
        if clear:
            self._kernel.messages.clear()
        return messages

    # initiators

    def login(
        self, target: str, initiator: str, user: str = "", secret: str = "", portal: str = "127.0.0.1"
    ) -> dict[str, Any]:
        """{"failed": iscsiadm's exit code, "why": …} or {"failed": 0, "group": …}."""
        try:
            session = sessions.login(self._kernel, target, initiator, user, secret, portal)
        except sessions.LoginFailed as problem:
            return {"failed": problem.status, "why": str(problem)}
        return {"failed": 0, "group": session.group}

    def logout(self, target: str, initiator: str) -> None:
        sessions.logout(self._kernel, self._kernel.targets[target], initiator)

    def discover(self, initiator: str, user: str = "", secret: str = "", portal: str = "127.0.0.1") -> dict[str, Any]:
        """{"failed": iscsiadm's exit code, "why": …} or {"failed": 0, "targets": […]}."""
        try:
            targets = sessions.discover(self._kernel, initiator, user, secret, portal)
        except sessions.LoginFailed as problem:
            return {"failed": problem.status, "why": str(problem)}
        return {"failed": 0, "targets": targets}

    def visible(self, target: str, initiator: str) -> dict[str, str]:
        """What a logged-in initiator can use: LUN -> H:C:I:L."""
        return {str(number): hcil for number, hcil in sessions.visible(self._kernel, target, initiator).items()}

    # hardware

    def plug_in(self, devices: list[dict[str, Any]]) -> None:
        """Other devices than the lab's: the fields of lab.scst.hardware.Device. They are there from the start."""
        for device in list(self._kernel.hardware.devices):
            modules.vanish(self._kernel, device.hcil)
        self._kernel.hardware.devices = [Device(**fields) for fields in devices]
        if "scst" in self._kernel.modules:
            for one in self._kernel.hardware.devices:
                modules.attach(self._kernel, one)
        self._machine.keep()

    def vanish(self, device: str) -> None:
        """By H:C:I:L, serial or by-id name."""
        modules.vanish(self._kernel, device)
        self._machine.keep()

    def come_back(self, device: str, hcil: str = "") -> None:
        modules.come_back(self._kernel, device, hcil)
        self._machine.keep()

    def hardware(self) -> dict[str, Any]:
        """Devices and library, with the names in /dev."""
        return {**asdict(self._kernel.hardware), "by_id": by_id(self._kernel), "nodes": device_nodes(self._kernel)}

    def names(self, device: str) -> list[str]:
        """In /dev."""
        kernel = self._kernel
        return [name for found in names_of(kernel, kernel.hardware.find(device)).values() for name in found]

    def jam(self, jammed: bool = True) -> None:
        """The robot moves nothing."""
        self._kernel.hardware.library.jammed = jammed
        self._machine.keep()

    def library(self, drives: list[str] | None = None, slots: list[str] | None = None) -> dict[str, Any]:
        """Put bar codes somewhere by hand; what is where."""
        library = self._kernel.hardware.library
        if drives is not None:
            library.drives, library.origin = drives, [0] * len(drives)
        if slots is not None:
            library.slots = slots
        self._machine.keep()
        return asdict(library)

    def mtx_status(self, name: str) -> str:
        return self._kernel.hardware.library.status(name)

    def mtx_move(self, source: list[Any], destination: list[Any]) -> None:
        """["slot", 3] and ["drive", 0]. EIO while it is jammed. That it is possible was asked before."""
        library = self._kernel.hardware.library
        if library.jammed:
            raise refuse(errno.EIO)
        with self._kernel.write():
            library.move(source, destination)
            self._machine.keep()

    # faults and counts

    def writes(self) -> int:
        """Writes to files of SCST, modules loaded and unloaded, the daemon's starts, moves of media, `touch`es: all
        since the machine started."""
        return self._kernel.writes

    def touch(self) -> None:
        """Counts as a write, and fails as one: for what is written elsewhere, scst.conf."""
        with self._kernel.write():
            pass

    def fail_write(self, number: int, lost: bool = False) -> None:
        """The number-th write from here on answers EIO; `lost`: it is carried out. 0: no more."""
        self._kernel.faults.fail_write, self._kernel.faults.lost = number, lost

    def queue(self, writes: int) -> None:
        """So many writes answer EAGAIN and are carried out; last_sysfs_mgmt_res says -11 thrice, then the result."""
        self._kernel.faults.queued = writes

    def bare(self) -> None:
        """Nothing of SCST is loaded, at once."""
        modules.daemon_dies(self._kernel)
        for module in reversed(list(self._kernel.modules)):
            modules.unload(self._kernel, module)

    def reset(self) -> None:
        """Everything plugged in as it came, no fault, no message. SCST itself is the tests' to put back."""
        kernel = self._kernel
        fresh = Hardware()
        for device in list(kernel.hardware.devices):
            modules.vanish(kernel, device.hcil)
        kernel.hardware.devices, kernel.hardware.library = fresh.devices, Library(**asdict(fresh.library))
        if "scst" in kernel.modules:
            for device in kernel.hardware.devices:
                modules.attach(kernel, device)
        kernel.faults = type(kernel.faults)()
        kernel.messages.clear()
        self._machine.keep()

    def dump(self) -> list[str]:
        """The whole of /sys/kernel/scst_tgt but statistics, a line an entry: comparable."""
        found: list[str] = []
        if "scst" in self._kernel.modules:
            self._walk("", found)
        return found

    def _walk(self, path: str, found: list[str]) -> None:
        tree = self._machine.tree
        for name in tree.listing(path):
            inner = f"{path}/{name}".lstrip("/")
            node = find(tree.root(), inner)
            if name in ("sgv", "last_sysfs_mgmt_res", "copy_manager", "latency"):
                continue
            if isinstance(node, Directory):
                found.append(f"{inner}/")
                self._walk(inner, found)
            elif isinstance(node, Link):
                found.append(f"{inner} -> {node.target}")
            elif node.read:
                try:
                    found.append(f"{inner} = {node.read()!r}")
                except OSError as problem:
                    found.append(f"{inner}: {errno.errorcode[problem.errno or 0]}")
