# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A host with a real OpenZFS under test: one of yours (ZFS_HOST), or the emulated machine.

The modules run here; zfs, zpool and the other programs they use are forwarders that run them there over SSH.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import pytest

from tests.contract.case import PREFIX
from tests.contract.invocation import Result, run_module
from tests.zfs.relay import Relay

# The programs by which the modules reach the host.
PROGRAMS = (
    *("zfs", "zpool", "zdb", "lsblk", "wipefs", "blkid", "readlink", "udevadm", "systemctl", "mbuffer"),
    *("date", "find", "pvs", "od", "uname"),
)
NEEDED = 8

# Notes what may change something, and lets a write fail where the tests have said so: {"number": 3, "lost": false}.
_FORWARDER = """#!{python} -IS
import json, os, shlex, socket, subprocess, sys
words = [{name!r}, *sys.argv[1:]]
ssh = {ssh!r} + ["PATH=$PATH:/usr/sbin:/sbin LC_ALL=C exec " + shlex.join(words)]
reads = words[:2] in {reading!r} or words == ["zpool", "import"] or words[0] in {only_read!r}
if not reads and "-n" not in words and "--no-act" not in words:
    with open({log!r}, "a") as log:
        log.write(json.dumps(words) + "\\n")
    failing = json.load(open({failing!r}))
    if failing["number"] and len(open({log!r}).readlines()) == failing["number"]:
        if failing["lost"]:
            subprocess.run(ssh, capture_output=True)
        sys.exit("internal error: the test lets this write fail")
if words[0] == "mbuffer" or words[:2] in {streams!r}:
    os.execvp("ssh", ssh)
with socket.socket(socket.AF_UNIX) as relay:
    relay.connect({relay!r})
    relay.sendall(json.dumps([words, sys.stdin.buffer.read().decode("latin-1")]).encode() + b"\\n")
    status, output, errors = json.loads(relay.makefile("rb").read())
sys.stdout.buffer.write(output.encode("latin-1"))
sys.stderr.buffer.write(errors.encode("latin-1"))
sys.exit(status)
"""
_READING = [
    *(["zfs", word] for word in ("list", "get", "version", "send", "holds")),
    *(["zpool", word] for word in ("list", "get", "status", "history", "version")),
]
# What has data on its standard input or output.
_STREAMS = [["zfs", word] for word in ("send", "receive", "recv")]
_ONLY_READ = (
    *("zdb", "lsblk", "blkid", "readlink", "udevadm", "systemctl", "mbuffer", "date", "find", "pvs", "od", "uname"),
)

# Every partition that is made or goes costs an emulated machine seconds of other people's looking at it.
_LEAN = """
systemctl -q stop multipathd.service multipathd.socket
for rules in 60-multipath 69-vdev 69-lvm; do ln -sf /dev/null /etc/udev/rules.d/$rules.rules; done
udevadm control --reload
cd /etc/zfs/zed.d
rm -f all-syslog.sh history_event-zfs-list-cacher.sh *-led.sh *-slot_off.sh
systemctl restart zfs-zed.service
"""

# Takes the tests' pools away, and from the tests' disks everything that can be found there.
_BLANK = """
zpool list -H -o name | grep '^{prefix}' | while read -r pool; do
    zpool destroy -f "$pool" || {{ zpool clear "$pool"; zpool destroy -f "$pool"; }}
done
for disk in "$@"; do
    disk=$(readlink -e "/dev/disk/by-id/$disk")
    parts=$(ls "$disk"[0-9]* "$disk"p[0-9]* 2>/dev/null || true)
    [ -n "$parts" ] || [ -n "$(wipefs -n "$disk")" ] || continue
    [ -z "$parts" ] || wipefs -aqf $parts
    wipefs -aqf "$disk"
    # multipathd or udev may be looking at it.
    for second in 1 2 3 4 5 6 7 8 9; do
        blockdev --rereadpt "$disk" 2>/dev/null && break
        sleep 1
    done
done
udevadm settle
"""


class ZfsHost:
    """address: ssh://user@host:port, as modules take it.  ssh: the words that begin an SSH command line to it.
    disks: by-id names of eight blank disks."""

    def __init__(self, address: str, ssh: Sequence[str], disks: Sequence[str], *, emulated: bool) -> None:
        self.address = address
        self.ssh_command = list(ssh)
        self.disks = list(disks)
        self.emulated = emulated
        self.forwarders: Forwarders | None = None

    # -- by hand ----------------------------------------------------------------------------------------------------

    def try_sh(
        self, script: str, *arguments: str, stdin: str = "", timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a shell script there as root, whatever comes of it."""
        whole = f"PATH=$PATH:/usr/sbin:/sbin LC_ALL=C exec {shlex.join(['sh', '-ec', script, 'sh', *arguments])}"
        return subprocess.run(
            [*self.ssh_command, whole], input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )

    def sh(self, script: str, *arguments: str, stdin: str = "", timeout: float = 600) -> str:
        """Run a shell script there as root, which ends at the first command that fails; its output."""
        done = self.try_sh(script, *arguments, stdin=stdin, timeout=timeout)
        assert done.returncode == 0, f"{script}\nended with {done.returncode}: {done.stderr}{done.stdout}"
        return done.stdout

    def blank(self) -> None:
        """No pool of the tests' is left, and nothing on their disks."""
        self.rescan()
        self.sh(_BLANK.format(prefix=PREFIX), *self.disks)

    # -- what goes wrong --------------------------------------------------------------------------------------------

    def kernel_name(self, disk: str) -> str:
        """sdc of a by-id name."""
        return Path(self.sh('readlink -e "/dev/disk/by-id/$1"', disk).strip()).name

    def pull(self, *disks: str) -> None:
        """Take disks away as if somebody pulled them out; `rescan` puts them back."""
        for disk in disks:
            self.sh('echo 1 >"/sys/block/$1/device/delete"; udevadm settle', self.kernel_name(disk))

    def rescan(self) -> None:
        """Find pulled disks again."""
        missing = 'for d in "$@"; do [ -e "/dev/disk/by-id/$d" ] || echo "$d"; done'
        if not self.sh(missing, *self.disks).split():
            return
        script = 'for host in /sys/class/scsi_host/host*; do echo "- - -" >"$host/scan"; done; udevadm settle'
        for _attempt in range(10):
            self.sh(script)
            if not self.sh(missing, *self.disks).split():
                return
            self.sh("sleep 1")
        raise AssertionError("a pulled disk did not come back")

    @contextlib.contextmanager
    def another_identity(self) -> Iterator[None]:
        """What is done with pools meanwhile, another host does. Only of the emulated machine: a host of yours that was
        left with another identity would be in trouble."""
        if not self.emulated:
            pytest.skip("a host of yours keeps its identity")
        had = self.try_sh("cp -p /etc/hostid /run/hct-hostid").returncode == 0
        self.sh("zgenhostid -f 0badcafe")
        try:
            yield
        finally:
            self.sh("mv /run/hct-hostid /etc/hostid" if had else "rm -f /etc/hostid")

    # -- the modules ------------------------------------------------------------------------------------------------

    def run(
        self,
        module: str,
        config: Sequence[Mapping[str, Any]] | None = None,
        *,
        check: bool = False,
        **arguments: Any,
    ) -> Result:
        """Run a module of the collection against this host."""
        given = dict(arguments)
        if config is not None:
            # A busy emulated machine needs a minute for what takes a second.
            given = {"config": list(config), "verify_timeout": 5, "timeout": 900, **given}
        return run_module(module, given, check=check)


class Forwarders:
    """Programs on PATH that run the host's, and what they were asked to change."""

    def __init__(self, host: ZfsHost, programs: Sequence[str] = PROGRAMS) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="zfs-forward-"))
        self._log, self._failing = self._folder / "log", self._folder / "failing"
        self._log.touch()
        self.let_fail(0)
        (self._folder / "bin").mkdir()
        self._relay = Relay(host.ssh_command)
        told = {"python": sys.executable, "ssh": host.ssh_command, "reading": _READING, "only_read": _ONLY_READ}
        told |= {"relay": self._relay.path, "streams": _STREAMS}
        for name in programs:
            program = self._folder / "bin" / name
            words = {**told, "name": name, "log": str(self._log), "failing": str(self._failing)}
            program.write_text(_FORWARDER.format(**words))
            program.chmod(0o755)

    def __enter__(self) -> Self:
        self._before = os.environ["PATH"]
        os.environ["PATH"] = f"{self._folder / 'bin'}:{self._before}"
        self._relay.__enter__()
        return self

    def __exit__(self, *_exception: object) -> None:
        os.environ["PATH"] = self._before
        self._relay.__exit__()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> list[list[str]]:
        """The programs that may have changed something, with their arguments."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    def forget(self) -> None:
        self._log.write_text("")

    def let_fail(self, number: int, *, lost: bool = False) -> None:
        """The number-th write that is in the log then; 0: none."""
        self._failing.write_text(json.dumps({"number": number, "lost": lost}))


def forwarders(host: ZfsHost, programs: Sequence[str] = PROGRAMS) -> Forwarders:
    """Further programs."""
    return Forwarders(host, programs)


@contextlib.contextmanager
def a_host() -> Iterator[ZfsHost]:
    """The host of ZFS_HOST, or the emulated machine; its programs on PATH. Raises LookupError for what is wrong with
    the variables or the disks, before anything is done."""
    with contextlib.ExitStack() as stack:
        given = os.environ.get("ZFS_HOST", "")
        host = stack.enter_context(_of_yours(given) if given else _emulated())
        for disk in host.disks:
            refuse_unless_blank(host, disk)
        host.forwarders = stack.enter_context(Forwarders(host))
        stack.callback(host.blank)
        yield host


@contextlib.contextmanager
def _of_yours(url: str) -> Iterator[ZfsHost]:
    disks = [disk for disk in os.environ.get("ZFS_TEST_DISKS", "").replace(",", " ").split() if disk]
    if len(set(disks)) < NEEDED:
        raise LookupError(f"ZFS_TEST_DISKS names {len(set(disks))} disks; the tests need {NEEDED}, blank, by-id.")
    parts = urlsplit(url)
    if parts.scheme != "ssh" or not parts.hostname:
        raise LookupError(f"ZFS_HOST is {url!r}; write ssh://root@host:port.")
    key = os.environ.get("ZFS_KEY", "")
    # A socket's path has 107 characters at most.
    folder = Path(tempfile.mkdtemp(prefix="zfs-", dir="/tmp"))
    options = [
        *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR"),
        *("-o", "StrictHostKeyChecking=accept-new", "-o", f"UserKnownHostsFile={folder / 'known_hosts'}"),
        *("-o", "ControlMaster=auto", "-o", f"ControlPath={folder / 'ssh'}", "-o", "ControlPersist=120"),
        *(("-o", "IdentitiesOnly=yes", "-i", key) if key else ()),
    ]
    target = f"{parts.username or 'root'}@{parts.hostname}"
    ssh = ["ssh", *options, "-p", str(parts.port or 22), target]
    try:
        yield ZfsHost(url, ssh, [disk.rpartition("/")[2] for disk in disks[:NEEDED]], emulated=False)
    finally:
        subprocess.run([*ssh[:-1], "-O", "exit", target], capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _emulated() -> Iterator[ZfsHost]:
    from lab.machine import STORAGE, Machine, missing

    if lacking := missing():
        raise LookupError(f"the emulated machine cannot run here: {lacking}")
    with Machine("zfs", STORAGE) as machine:
        common = shlex.split(machine.variables()["ansible_ssh_common_args"])
        ssh = ["ssh", *common, "-i", str(machine.key), "-p", str(machine.port), f"root@{machine.address}"]
        machine.sh(_LEAN)
        disks = [machine.disk(f"zfs{number}", "1G").by_id for number in range(1, NEEDED + 1)]
        address = f"ssh://root@{machine.address}:{machine.port}"
        yield ZfsHost(address, ssh, disks, emulated=True)


def refuse_unless_blank(host: ZfsHost, disk: str) -> None:
    """Raises LookupError that names the disk and what is on it."""
    script = """
path=/dev/disk/by-id/$1
[ -b "$path" ] || { echo "it is not there"; exit 0; }
lsblk -nro NAME,TYPE,MOUNTPOINTS "$path" | tail -n +2 | sed 's/^/it has /'
lsblk -ndro MOUNTPOINTS "$path" | sed -n '/./s/^/it is mounted at /p'
wipefs -n "$path" | tail -n +2 | sed 's/^/it carries /'
"""
    found = host.sh(script, disk).strip()
    if found:
        raise LookupError(
            f"The test disk {disk} is not blank: {'; '.join(found.splitlines())}. The tests write to their disks: "
            "give others in ZFS_TEST_DISKS, or wipe it yourself. Nothing was done."
        )
