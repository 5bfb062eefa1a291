# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The simulated machine on its host: /sys's own directories replaced by ours, and /dev's names kept as udev would."""

from __future__ import annotations

import ctypes
import os
import stat
import time
from pathlib import Path

from lab.scst.control import serve
from lab.scst.fuse import SysFs
from lab.scst.levers import Machine
from lab.scst.machine import by_id, device_nodes

OURS = Path("/run/lab-scst/sys")
REAL = Path("/run/lab-scst/real-sys")
HARDWARE = Path("/var/lib/lab-scst/hardware.json")
TOPS = ("kernel", "bus", "class", "devices")
_NULL = os.makedev(1, 3)
_BIND_ALL = 0x1000 | 0x4000  # MS_BIND, MS_REC


def start() -> None:
    """Serve until the end. `attach` puts it into /sys."""
    for place in (OURS, REAL, HARDWARE.parent):
        place.mkdir(parents=True, exist_ok=True)
    # A look at the real directories before they are hidden.
    stubs = {top: {entry.name: entry.is_dir() for entry in Path("/sys", top).iterdir()} for top in TOPS}
    for name in ("scsi_device", "scsi_host", "scsi_generic", "scsi_tape", "scsi_changer"):
        stubs["class"].pop(name, None)
    for top, name in (("bus", "scsi"), ("devices", "pci0000:00"), ("devices", "mhvtl_pseudo"), ("kernel", "scst_tgt")):
        stubs[top].pop(name, None)
    machine = Machine(HARDWARE, stubs, changed=name_devices)
    machine.keep()
    serve(machine)
    SysFs(machine.root(), machine.version, machine.store, machine.lock).serve(str(OURS))


def alone(mountpoint: str, socket: str) -> None:
    """Only the tree of SCST's own /sys and a control socket, anywhere: for a look without a host, and for tests. The
    hardware is as it comes, and nothing is loaded."""
    machine = Machine()
    serve(machine, Path(socket))
    SysFs(machine.root(), machine.version, machine.store, machine.lock).serve(mountpoint)


def attach() -> None:
    """Once it is served: our directories over /sys's, and the real entries back into them. They are bound there one by
    one, so the rest of /sys is as it was."""
    deadline = time.monotonic() + 10
    while not (OURS / "kernel").is_dir():
        if time.monotonic() > deadline:
            raise TimeoutError("the simulated machine does not answer")
        time.sleep(0.02)
    _bind(Path("/sys"), REAL)
    for top in TOPS:
        for entry in sorted((REAL / top).iterdir()):
            ours = OURS / top / entry.name
            # Links (of bus and class) lead to where they led before.
            if not entry.is_symlink() and ours.exists() and not any(_own(ours)):
                _bind(entry, ours)
        _bind(OURS / top, Path("/sys", top))


def _own(place: Path) -> list[Path]:
    return list(place.iterdir()) if place.is_dir() else []


def _bind(what: Path, where: Path) -> None:
    """mount --rbind, a hundred times as fast."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(bytes(what), bytes(where), None, _BIND_ALL, None):
        code = ctypes.get_errno()
        raise OSError(code, f"{where}: {os.strerror(code)}")


def name_devices(machine: Machine) -> None:
    """The names in /dev. What they lead to is the null device: nobody reads a tape here."""
    wanted, links = set(device_nodes(machine.kernel)), by_id(machine.kernel)
    for path in Path("/dev").glob("s[tgc]*"):
        if path.name not in wanted and path.name.lstrip("nstgch").isdigit():
            path.unlink()
    for path in Path("/dev").glob("nst*"):
        if path.name not in wanted:
            path.unlink()
    for name in wanted:
        path = Path("/dev", name)
        if path.exists() and path.stat().st_rdev != _NULL:
            path.unlink()
        if not path.exists():
            os.mknod(path, stat.S_IFCHR | 0o660, _NULL)
    folder = Path("/dev/tape/by-id")
    folder.mkdir(parents=True, exist_ok=True)
    for link in folder.iterdir():
        link.unlink()
    for name, target in links.items():
        (folder / name).symlink_to(f"../../{target}")
