# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A host with SCST's packages installed, a tape library and nothing loaded: `lab.hosts`' image `scst` with this in it.

with Hosts("tape1", image="scst", ssh=True) as hosts:
    scst = ScstHost(hosts["tape1"])
    scst.lever("vanish", device="7:0:1:0")
"""

from __future__ import annotations

import io
import subprocess
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lab.hosts.host import Host
from lab.scst.control import SOCKET, Client

HOME = "/usr/lib/lab-scst"
_LAB = Path(__file__).resolve().parent.parent

# Where a program is -> the module and function of lab.scst.programs.
_PROGRAMS = {
    "/usr/sbin/modprobe": "kmod.modprobe",
    "/usr/sbin/rmmod": "kmod.rmmod",
    "/usr/sbin/lsmod": "kmod.lsmod",
    "/usr/sbin/modinfo": "kmod.modinfo",
    "/usr/bin/lsmod": "kmod.lsmod",
    "/usr/sbin/iscsi-scstd": "iscsi_scstd.main",
    "/usr/sbin/scstadmin": "scstadmin.main",
    "/usr/sbin/mtx": "mtx.main",
    "/usr/bin/dmesg": "shown.dmesg",
    "/usr/bin/lsscsi": "shown.lsscsi",
    "/usr/bin/sg_inq": "shown.sg_inq",
    "/etc/init.d/scst": "init_script.main",
}
_PROGRAM = """#!/usr/bin/python3
{header}import sys
sys.path.insert(0, {home!r})
from lab.scst.programs.{module} import {function}
sys.exit({function}(sys.argv[1:]))
"""
# What systemd-sysv-install wants; the runlevels as recorded.
_HEADER = """### BEGIN INIT INFO
# Provides:          scst
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Default-Start:     3 5
# Default-Stop:      0 1 2 4 6
# Short-Description: SCST
### END INIT INFO
"""
_MACHINE = f"""[Unit]
Description=The lab's SCSI hardware and SCST modules
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup.service
Before=sysinit.target
[Service]
Environment=PYTHONPATH={HOME}
ExecStart=/usr/bin/python3 -m lab.scst serve
ExecStartPost=/usr/bin/python3 -m lab.scst attach
[Install]
WantedBy=sysinit.target
"""
_SERVICE = """[Unit]
Description=SCST - A Generic SCSI Target Subsystem
Documentation=man:scstadmin(1) man:scst.conf(5)
After=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/init.d/scst start
ExecStop=/etc/init.d/scst stop
ExecReload=/etc/init.d/scst reload
[Install]
WantedBy=multi-user.target
"""
MACHINE_UNIT = "lab-scst.service"


def install(host: Host) -> None:
    """Put hardware and programs on a running host of the image `scst`."""
    host.run("rm", "-f", *_PROGRAMS)  # some are links to others
    subprocess.run(host.argv("tar", "-C", "/", "-x"), input=_packed(), check=True)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", "--now", MACHINE_UNIT)


def _packed() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in [_LAB / "__init__.py", *sorted((_LAB / "scst").rglob("*.py"))]:
            tar.add(path, f"{HOME}/lab/{path.relative_to(_LAB)}".lstrip("/"))
        tar.add(_mfusepy(), f"{HOME}/mfusepy.py".lstrip("/"))
        for place, what in _PROGRAMS.items():
            module, _dot, function = what.partition(".")
            header = _HEADER if place.startswith("/etc/init.d/") else ""
            _file(tar, place, _PROGRAM.format(home=HOME, module=module, function=function, header=header), 0o755)
        _file(tar, f"/usr/lib/systemd/system/{MACHINE_UNIT}", _MACHINE)
        _file(tar, "/usr/lib/systemd/system/scst.service", _SERVICE)
    return buffer.getvalue()


def _file(tar: tarfile.TarFile, path: str, text: str, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(text.encode()), mode
    tar.addfile(entry, io.BytesIO(text.encode()))


class ScstHost:
    """`lever`: what `python -m lab.scst` offers on it."""

    def __init__(self, host: Host) -> None:
        self.host = host
        install(host)

    def lever(self, name: str, **arguments: Any) -> Any:
        """Over the host's control socket, which this machine sees through the host's own root directory."""
        client = Client(Path(f"/proc/{self.host.pid}/root{SOCKET}"))
        try:
            return client.call(name, **arguments)
        finally:
            client.close()


def _mfusepy() -> str:
    """The library's only file. It is not imported here: that would need libfuse on this machine, too."""
    found = find_spec("mfusepy")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("mfusepy is not installed: see requirements/lab.txt")
    return found.origin
