# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two small pools on a host with a real OpenZFS, for what is below pools.

They lie in files below /var/tmp: a pool of a whole disk takes an emulated machine twenty seconds, and datasets do
not care. What disks have to do with it is in test_pool*.py.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.contract.case import PREFIX
from tests.contract.invocation import Result
from tests.contract.system import refused, succeeded
from tests.zfs.host import ZfsHost, forwarders

ONE, TWO = f"{PREFIX}one", f"{PREFIX}two"
# Programs that the modules for datasets run beside those of pools.
FURTHER = ("date", "find")


class Pools:
    """Pools hct-one and hct-two of a host. Each test makes a dataset of its own in them."""

    def __init__(self, host: ZfsHost) -> None:
        self.host = host
        self._date = shutil.which("date")

    def sh(self, script: str, *arguments: str, stdin: str = "") -> str:
        return self.host.sh(script, *arguments, stdin=stdin)

    def get(self, name: str, *properties: str) -> list[str]:
        """Values, exact."""
        return self.sh('zfs get -Hpo value "$1" "$2"', ",".join(properties), name).splitlines()

    def snapshots(self, name: str) -> list[str]:
        """The names behind the @, the oldest first."""
        listing = self.sh('zfs list -Hpt snapshot -s createtxg -o name -d 1 "$1"', name)
        return [line.partition("@")[2] for line in listing.split()]

    def holds(self, name: str) -> set[str]:
        """The names behind the @ of the snapshots that somebody holds."""
        listing = self.sh('zfs list -Hpt snapshot -o name,userrefs -d 1 "$1"', name)
        rows = [line.split("\t") for line in listing.splitlines()]
        return {full.partition("@")[2] for full, count in rows if count != "0"}

    def write(self, name: str, megabytes: int, file: str = "data") -> None:
        """Something that does not compress, in a mounted filesystem."""
        self.sh('dd if=/dev/urandom of="/$1/$3" bs=1M count="$2" status=none', name, str(megabytes), file)

    @contextlib.contextmanager
    def later(self, *, days: int) -> Iterator[None]:
        """The host's `date`, as the modules ask it, is ahead by some days."""
        text = f"#!/bin/sh\nexpr $({self._date} +%s) + {days * 86400}\n"
        with on_path("date", text):
            yield

    def run(self, module: str, config: Sequence[Mapping[str, Any]] | None = None, **arguments: Any) -> Result:
        return succeeded(self.host.run(module, config, **arguments))

    def fails(self, module: str, config: Sequence[Mapping[str, Any]] | None = None, **arguments: Any) -> str:
        """Run a module that must refuse; what it says."""
        return refused(self.host.run(module, config, **arguments)).message

    def rests(self, module: str, config: Sequence[Mapping[str, Any]] | None = None, **arguments: Any) -> Result:
        """Run a module that must find nothing to do."""
        again = self.run(module, config, **arguments)
        assert not again.changed, again.steps
        return again


_MAKE = """
for pool in "$@"; do
    truncate -s 512M "/var/tmp/$pool"
    zpool create "$pool" "/var/tmp/$pool"
done
"""
_TAKE_AWAY = """
for pool in "$@"; do
    if zpool list "$pool" >/dev/null 2>&1; then zpool destroy -f "$pool"; fi
    rm -f "/var/tmp/$pool"
done
"""


@contextlib.contextmanager
def two_pools(host: ZfsHost) -> Iterator[Pools]:
    """The pools, made and taken away."""
    host.sh(_TAKE_AWAY, ONE, TWO)
    with forwarders(host, FURTHER), ssh_as(host):
        host.sh(_MAKE, ONE, TWO)
        try:
            yield Pools(host)
        finally:
            host.sh(_TAKE_AWAY, ONE, TWO)


@contextlib.contextmanager
def ssh_as(host: ZfsHost) -> Iterator[None]:
    """What a person's own ~/.ssh would hold: the key, and where host keys are known. The modules take no options."""
    words = host.ssh_command[1:-1]
    if "-p" in words:
        at = words.index("-p")
        words = words[:at] + words[at + 2 :]
    quoted = " ".join(f"'{word}'" for word in words)
    with on_path("ssh", f'#!/bin/sh\nexec {shutil.which("ssh")} {quoted} "$@"\n'):
        yield


@contextlib.contextmanager
def on_path(name: str, text: str) -> Iterator[None]:
    """A program that stands before others of its name."""
    folder = Path(tempfile.mkdtemp(prefix="zfs-path-"))
    program = folder / name
    program.write_text(text)
    program.chmod(0o755)
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{folder}:{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before
        shutil.rmtree(folder, ignore_errors=True)
