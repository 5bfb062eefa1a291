# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A running machine, as tests and people use it."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from lab.machine import image, leftovers, state
from lab.machine.disks import Disk, Disks
from lab.machine.programs import CannotRun, missing
from lab.machine.progress import Progress
from lab.machine.qemu import Qemu, command
from lab.machine.recipe import NODE, Recipe
from lab.machine.shell import Shell

# What two machines that woke from the same state must not share, and the time that has passed since.
_WAKE = """\
set -e
date -u -s "@$2" >/dev/null
python3 - "$3" <<'PYTHON'
import fcntl, os, sys
random = os.open("/dev/urandom", os.O_RDWR)
fcntl.ioctl(random, 0x40085203, bytes.fromhex(sys.argv[1]))  # RNDADDENTROPY
fcntl.ioctl(random, 0x5207)  # RNDRESEEDCRNG
PYTHON
hostname "$1"
echo "$1" >/etc/hostname
printf '127.0.0.1 localhost\\n127.0.1.1 %s\\n' "$1" >/etc/hosts
if [ -e /etc/openvswitch/system-id.conf ]; then
    id=$(cat /proc/sys/kernel/random/uuid)
    echo "$id" >/etc/openvswitch/system-id.conf
    ovs-vsctl --no-wait set Open_vSwitch . external_ids:hostname="$1" external_ids:system-id="$id"
fi
# What storage tells hosts apart by.
if [ -e /etc/iscsi/initiatorname.iscsi ]; then
    echo "InitiatorName=iqn.1993-08.org.debian:01:$1" >/etc/iscsi/initiatorname.iscsi
fi
! command -v zgenhostid >/dev/null || zgenhostid -f "$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')"
shift 3
for service; do systemctl start --job-mode=ignore-dependencies "$service"; done
"""


class Machine:
    """`with Machine("alpha") as machine:` and then `machine.ssh("ip", "link")`.

    name: its host name, also what its network cards' addresses are made of: no two machines on one cable share it.
    The first one that is ever started builds the image, which takes minutes and says so on standard error.
    """

    def __init__(self, name: str = "machine", recipe: Recipe = NODE) -> None:
        self.name = name
        self._recipe = recipe
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if lacking := missing():
            raise CannotRun(f"The emulated machine cannot run here: {lacking}.")
        progress = Progress(f"machine {self._recipe.name}")
        leftovers.end()
        built = image.built(self._recipe, progress)
        booted = state.booted(self._recipe, built, progress)
        with ExitStack() as opened:
            self._folder = opened.enter_context(leftovers.running(self.name))
            disk, console = booted.overlay(self._folder / "disk.qcow2"), self._folder / "console.log"
            self._qemu = opened.enter_context(Qemu(command(self._recipe, built, disk, console), console, booted.memory))
            leftovers.note(self._folder, self._qemu.pid)
            self._shell = opened.enter_context(Shell(built, self._qemu.ssh_port()))
            self._disks = Disks(self.name, self._folder, self._qemu)
            self.address, self.port, self.user, self.key = "127.0.0.1", self._shell.port, "root", built.key
            self._shell.wait(60, self._qemu)
            self.ssh("sh", "-s", self.name, f"{time.time():.2f}", _entropy(), *self._recipe.individual, stdin=_WAKE)
            self._open = opened.pop_all()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._open.close()

    def ssh(
        self, *argv: str, stdin: str = "", check: bool = True, timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Run a program as root. check: CannotRun with what it said when it fails. timeout: seconds."""
        return self._shell.run(*argv, stdin=stdin, check=check, timeout=timeout)

    def sh(self, script: str, *arguments: str, check: bool = True, timeout: float = 120) -> str:
        """Run a shell script, which ends at the first command that fails; its standard output."""
        return self.ssh("sh", "-e", "-s", *arguments, stdin=script, check=check, timeout=timeout).stdout

    def put(self, path: str, text: str) -> None:
        """Write a file, and the folders it needs."""
        quoted = shlex.quote(path)
        self.ssh("sh", "-ec", f'mkdir -p "$(dirname {quoted})"; cat >{quoted}', stdin=text)

    def reset(self) -> None:
        """Press the reset button: nothing is written, nothing is shut down; back when SSH answers."""
        self._shell.close()
        self._qemu.do("system_reset")
        time.sleep(1)  # the button is pressed by the monitor's thread a little after its answer
        self._shell.wait(state.BOOT_SECONDS, self._qemu)

    def returns(self) -> None:
        """Wait until SSH answers again after it started anew by itself, for example because a watchdog reset it."""
        self._shell.close()
        self._shell.wait(state.BOOT_SECONDS, self._qemu)

    def watchdog(self) -> None:
        """Plug in the watchdog that a guest of Proxmox VE has (i6300esb). It stays over a reset."""
        if said := self.monitor("device_add i6300esb,id=watchdog").strip():
            raise CannotRun(f"{self.name} cannot have a watchdog: {said}")

    def settle(self, timeout: float = 600) -> None:
        """Wait until everything that starts with the machine has started. Raises CannotRun naming what failed."""
        done = self.ssh("systemctl", "is-system-running", "--wait", check=False, timeout=timeout)
        if done.stdout.strip() != "running":
            failed = self.ssh("systemctl", "list-units", "--failed", "--no-legend", "--plain", check=False)
            raise CannotRun(f"{self.name} is {done.stdout.strip()}: {failed.stdout.strip()}")

    def monitor(self, line: str) -> str:
        """A command of QEMU's monitor, as a person types it, and its answer."""
        return self._qemu.monitor(line)

    def plug(self, nic: int, netdev: dict[str, Any]) -> str:
        """Plug in the network card eno<nic> (1 to 16) with that back end (QMP netdev_add without its id); its name.
        It stays over a reset."""
        name = f"eno{nic}"
        number = zlib.crc32(self.name.encode()) & 0xFFFF
        self._qemu.do("netdev_add", id=f"net{nic}", **netdev)
        self._qemu.do(
            "device_add",
            driver="virtio-net-pci",
            id=name,
            netdev=f"net{nic}",
            speed=10000,  # unknown, the kernel's 802.3ad would use none of its members
            duplex="full",
            mac=f"52:54:00:{number >> 8:02x}:{number & 0xFF:02x}:{nic:02x}",
        )
        there = f"for i in $(seq 100); do ! [ -e /sys/class/net/{name} ] || exit 0; sleep 0.2; done; ip link; exit 1"
        try:
            self.sh(there, timeout=60)
        except CannotRun:  # an emulated machine that stood still for long has lost the connection, not the card
            self._shell.close()
            self._shell.wait(state.BOOT_SECONDS, self._qemu)
            self.sh(there)
        return name

    def carrier(self, nic: str, *, up: bool) -> None:
        """Pull the cable out of that card, or put it back."""
        self._qemu.do("set_link", name=nic, up=up)

    def disk(self, name: str, size: str = "1G", *, serial: str = "", wwn: str = "", **properties: Any) -> Disk:
        """Plug in a SCSI disk, blank, and wait until it is there as /dev/disk/by-id/scsi-3<wwn>. It stays over a reset.

        wwn: 16 hexadecimal digits. properties: of QEMU's scsi-hd, for example physical_block_size=4096."""
        disk = self._disks.add(name, size, serial, wwn, properties)
        self._appears(disk)
        return disk

    def pull(self, name: str) -> None:
        """Pull a disk out while it runs, and wait until the kernel has noticed."""
        disk = self._disks.pull(name)
        self.sh(f"for i in $(seq 100); do [ -e {disk.path} ] || exit 0; sleep 0.2; done; lsblk; exit 1")

    def push(self, name: str) -> None:
        """Push a pulled disk in again, with all that is on it, into another bay: its SCSI address is new."""
        self._appears(self._disks.push(name))

    def _appears(self, disk: Disk) -> None:
        there = f"[ -b {disk.path} ]"
        self.sh(f"for i in $(seq 300); do ! {there} || break; sleep 0.2; done; udevadm settle; {there}")

    def variables(self) -> dict[str, str]:
        """Inventory variables with which Ansible reaches the machine."""
        return {
            "ansible_connection": "ssh",
            "ansible_host": self.address,
            "ansible_port": str(self.port),
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(self._shell.options()),
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def ssh_config(self) -> str:
        """A paragraph for a file of ssh's, with which `ssh -F FILE NAME` reaches the machine."""
        trust = f"StrictHostKeyChecking yes\n    UserKnownHostsFile {self._shell.known_hosts}\n    LogLevel ERROR"
        who = f"HostName {self.address}\n    Port {self.port}\n    User {self.user}\n    IdentityFile {self.key}"
        return f"Host {self.name}\n    {who}\n    IdentitiesOnly yes\n    BatchMode yes\n    {trust}\n"

    def how_to_reach(self) -> str:
        """The command line of ssh."""
        return shlex.join(self._shell.command())


def join(first: Machine, second: Machine, nic: int, other_nic: int = 0) -> str:
    """A cable between two machines, with the card eno<nic> at each end; its name. other_nic: of the second machine."""
    with _free_ports() as (one, other):
        pass
    for machine, card, here, there in ((first, nic, one, other), (second, other_nic or nic, other, one)):
        # Datagrams on the loopback: a frame each, and a machine that is off is a cable into nothing.
        machine.plug(card, {"type": "socket", "udp": f"127.0.0.1:{there}", "localaddr": f"127.0.0.1:{here}"})
    return f"eno{nic}"


@contextmanager
def _free_ports() -> Iterator[tuple[int, int]]:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        for probe in (one, other):
            probe.bind(("127.0.0.1", 0))
        yield one.getsockname()[1], other.getsockname()[1]


def _entropy() -> str:
    """struct rand_pool_info: 512 bits of entropy in 64 bytes."""
    size = 64
    return ((size * 8).to_bytes(4, "little") + size.to_bytes(4, "little") + os.urandom(size)).hex()
