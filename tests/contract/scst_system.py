# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST and a tape library under test: in a container of the lab, or on the host that SCST_HOST names.

Modules run there. What a test finds is a host with SCST installed and not loaded, and that is how it is left; a real
host's /etc/scst.conf and the places of its media are put back.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from tests.contract.host_system import HOME, _packed
from tests.contract.invocation import Result
from tests.contract.module_server import ModuleServer
from tests.contract.places import Place, write
from tests.contract.system import System

SYSFS = "/sys/kernel/scst_tgt"
CONF = "/etc/scst.conf"
STATE = "/var/lib/hospital.continuity/scst"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In the order in which they can be unloaded.
_MODULES = "isert_scst iscsi_scst scst_tape scst_changer scst_disk scst_vdisk scst"
BARE = f"""
systemctl is-active --quiet scst && systemctl stop scst
pkill -x iscsi-scstd
while :; do
  loaded=" $(lsmod | cut -d' ' -f1 | tr '\\n' ' ')"
  left=
  for module in {_MODULES}; do
    case $loaded in *" $module "*) rmmod $module 2>/dev/null || left=1 ;; esac
  done
  [ -z "$left" ] && break
  if [ $SECONDS -ge 120 ]; then
    echo "SCST cannot be unloaded, this is still in use:" >&2
    lsmod | grep scst >&2
    exit 1
  fi
  sleep 0.2
done
systemctl reset-failed scst 2>/dev/null
true
"""
# Operations that wait for what they did.
_WAITING = ("tape_library",)
# Python rather than a shell's fifty processes. `devices()`: rows of ScsiDevice, changers and drives of this host's own.
_LOOKING = r"""
import json, os, subprocess, sys
from pathlib import Path

def devices():
    nodes = {}
    for link in sorted(Path("/dev/tape/by-id").glob("*"), reverse=True):
        nodes[link.resolve().name] = link.name
    for path in sorted(Path("/sys/bus/scsi/devices").glob("*:*:*:*")):
        kind = int((path / "type").read_text())
        if kind in (1, 8) and "/session" not in os.path.realpath(path):
            names = [entry.name for entry in (path / "scsi_generic").iterdir()]
            names += [entry.name for entry in path.glob("scsi_tape/st*") if entry.name[2:].isdigit()]
            serial = (path / "vpd_pg80").read_bytes()[4:].decode().strip(" \0")
            yield path.name, kind, names[0], serial, next((nodes[name] for name in names if name in nodes), "")

def said(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""

def tree(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(set(folders) - {"sgv", "copy_manager", "latency"})
        yield folder
        for name in sorted([*files, *(one for one in folders if os.path.islink(os.path.join(folder, one)))]):
            path = os.path.join(folder, name)
            try:
                text = os.readlink(path) if os.path.islink(path) else open(path).read()
            except OSError as problem:
                text = problem.strerror
            # What changes by itself, of a session too.
            own = "/sessions/" in path and name in ("state", "cid", "thread_pid")
            if not own and not name.endswith(("_count", "_kb", "commands", "last_sysfs_mgmt_res")):
                yield f"{path} {text!r}"

def everything(root, conf):
    changer = next(generic for _hcil, kind, generic, _serial, _link in devices() if kind == 8)
    status = os.stat(conf) if os.path.exists(conf) else None
    return [
        open(conf).read() if status else None,
        [status.st_mode, status.st_ino, status.st_mtime_ns] if status else None,
        said("systemctl", "is-enabled", "scst"),
        sorted(line.split()[0] for line in said("lsmod").splitlines() if "scst" in line.split()[0]),
        said("mtx", "-f", f"/dev/{changer}", "status"),
        *tree(root),
    ]
"""


@dataclass(frozen=True)
class ScsiDevice:
    """generic: its /dev/sgN.  by_id: its name below /dev/tape/by-id."""

    hcil: str
    type: int
    generic: str
    serial: str
    by_id: str


class ScstSystem(System):
    """`changer` and `drives` are read at every use: H:C:I:L and /dev/sgN can change. On a real host, levers that need a
    simulation skip the test with the reason."""

    failure: ClassVar[str] = "Input/output error"
    patience: ClassVar[int] = 2
    nonsense: ClassVar[int] = 20
    failures: ClassVar[int] = 6
    # How much longer than the lab it takes for everything.
    slowness: ClassVar[int] = 1
    place: Place

    def __init__(self) -> None:
        self._environment = {"PATH": _PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
        self._seen: Any = None
        self._changes = 0
        self._cursor = ""
        self.place.run("mkdir", "-p", HOME)
        subprocess.run(self.place.argv("tar", "-C", HOME, "-x"), input=_packed(), check=True)
        self._server = ModuleServer(self.place.argv, HOME)

    closed = False

    def close(self) -> None:
        """Several fixtures may have opened it; the first that closes it does."""
        if not self.closed:
            self.closed = True
            self._end()

    def _end(self) -> None:
        self._server.close()
        self.place.run("rm", "-rf", HOME)

    # --- running modules

    def run(
        self,
        module: str,
        config: list[Mapping[str, Any]] | None = None,
        *,
        check: bool = False,
        root: bool = False,
        verbosity: int = 0,
        **arguments: Any,
    ) -> Result:
        if config is not None:
            arguments = {"config": config, **arguments}
        if config is not None or module in _WAITING:
            arguments = {"verify_timeout": self.patience, **arguments}
        internal = {
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            "_ansible_verbosity": verbosity,
            "_ansible_module_name": f"hospital.continuity.{module}",
        }
        return self._server.run(
            module,
            {**arguments, **internal},
            environment=self._environment,
            on_replace=self.on_replace,
            lost=self.lost,
            timeout=120 * self.slowness,
        )

    on_replace: Mapping[str, str] = {}
    lost = False

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {}

    def read_info(self, kind: str, names: list[str]) -> list[Mapping[str, Any]]:
        result = self.run("scst_info", names=names, libraries=False)
        assert not result.failed, result.message
        return list(result.data["config"][kind])

    # --- looking and meddling, the same on both

    def shell(self, script: str, *, check: bool = True, stdin: str = "") -> str:
        """What somebody at the host's console does."""
        done = self.place.run("bash", "-c", script, check=check, stdin=stdin, timeout=150 * self.slowness)
        return done.stdout

    def read(self, path: str) -> str:
        """A file below /sys/kernel/scst_tgt, without the mark of what would be saved."""
        text = self.place.run("cat", f"{SYSFS}/{path}").stdout
        return text.strip().removesuffix("[key]").strip()

    def listing(self, path: str) -> list[str]:
        """Names in a directory there, without `mgmt`; empty where there is none."""
        names = self.place.run("ls", f"{SYSFS}/{path}", check=False).stdout.splitlines()
        return [name for name in names if name != "mgmt"]

    def write(self, path: str, text: str) -> str:
        """Somebody else's write there: "" or the name of the error, as EEXIST."""
        script = (
            "import errno, os, sys\n"
            "try:\n"
            "    handle = os.open(sys.argv[1], os.O_WRONLY)\n"
            "    os.write(handle, sys.stdin.buffer.read())\n"
            "except OSError as problem:\n"
            "    print(errno.errorcode[problem.errno])\n"
        )
        done = self.place.run("python3", "-c", script, f"{SYSFS}/{path}", stdin=f"{text}\n")
        return done.stdout.strip()

    def conf(self) -> str:
        """scst.conf; empty where there is none."""
        return self.place.run("cat", CONF, check=False).stdout

    def set_conf(self, text: str, mode: str = "0600") -> None:
        write(self.place, CONF, text, mode)

    def start(self) -> None:
        """Modules and daemon, nothing configured: what `systemctl start scst` leaves without an scst.conf."""
        # The daemon would hold the connection open.
        self.shell("modprobe -a scst scst_tape scst_changer iscsi_scst && iscsi-scstd </dev/null >/dev/null 2>&1")
        self.until(lambda: self.read("targets/iscsi/open_state") == "open", "iscsi-scstd's start")

    def unload(self) -> None:
        """Neither daemon nor modules. Failed where somebody else uses them."""
        self.shell(BARE)

    def kill_daemon(self) -> None:
        """iscsi-scstd dies. The service still counts as active, and every target is gone."""
        self.shell("pkill -x iscsi-scstd")
        self.until(lambda: self.read("targets/iscsi/open_state") == "closed", "the daemon's end")

    def reboot(self) -> None:
        self.need_simulation("a restart of the host")

    def devices(self, kind: int) -> list[ScsiDevice]:
        """Of a SCSI type: 1 or 8."""
        rows = self._look("list(devices())")
        found = [ScsiDevice(*row) for row in rows]
        return sorted((one for one in found if one.type == kind), key=lambda one: one.serial)

    def _look(self, expression: str) -> Any:
        """The value of a Python expression there."""
        script = f"{_LOOKING}\nprint(json.dumps({expression}))\n"
        return json.loads(self.place.run("python3", "-", stdin=script).stdout)

    @property
    def changer(self) -> ScsiDevice:
        return self.devices(8)[0]

    @property
    def drives(self) -> list[ScsiDevice]:
        """Two, in the order of their serial numbers."""
        return self.devices(1)[:2]

    def vanish(self, device: ScsiDevice) -> None:
        """The kernel loses it."""
        self.shell(f"echo 1 > /sys/bus/scsi/devices/{device.hcil}/delete")

    def come_back(self, device: ScsiDevice, hcil: str = "") -> None:
        """It is found again; only the lab can do so under another H:C:I:L."""
        if hcil:
            self.need_simulation("a device that returns under another H:C:I:L")
        self.shell(f"echo '- - -' > /sys/class/scsi_host/host{device.hcil.partition(':')[0]}/scan")

    def mtx(self, *words: str) -> str:
        return self.place.run("mtx", "-f", f"/dev/{self.changer.generic}", *words, timeout=300).stdout

    def initiator(self) -> str:
        """The name of an initiator that `login` logs in."""
        raise NotImplementedError

    def login(self, target: str, user: str = "", secret: str = "") -> None:
        """That initiator opens a session. AssertionError where it is refused."""
        raise NotImplementedError

    def logout(self, target: str) -> None:
        raise NotImplementedError

    def sessions(self, target: str) -> list[str]:
        return self.listing(f"targets/iscsi/{target}/sessions")

    def need_simulation(self, what: str) -> None:
        """Skip on a real host."""
        if not self.is_lab:
            pytest.skip(f"only in the lab: {what}")

    def until(self, condition: Any, what: str, seconds: float = 10) -> None:
        seconds *= self.slowness
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
            time.sleep(0.05)

    # --- what the suite asks of every system

    def inventory(self) -> Any:
        """Everything there is to see of SCST, its configuration, and where the media are."""
        mode_only = self._everything()
        if mode_only[1]:
            mode_only[1] = mode_only[1][0]
        return mode_only

    def _tree(self) -> list[str]:
        """The lines of /sys/kernel/scst_tgt: a directory's path, a file's path and repr. Without statistics."""
        return list(self._look(f"list(tree({SYSFS!r}))"))

    def _everything(self) -> list[Any]:
        return list(self._look(f"everything({SYSFS!r}, {CONF!r})"))

    def writes(self) -> int:
        """How often something was found changed."""
        now = self._everything()
        self._changes += self._seen is not None and now != self._seen
        self._seen = now
        return self._changes

    def readable(self) -> str:
        """The log since the last reset, files that others than root may read, and command lines are elsewhere."""
        words = ["journalctl", "--no-pager", "--output=cat", f"--after-cursor={self._cursor}"]
        log = self.place.run(*words, check=False).stdout if self._cursor else ""
        places = "/etc /var/lib /var/log /var/tmp /run /tmp"
        return log + self.shell(
            f"find {places} -xdev -type f -newer {HOME}/mark -perm /o=r -size -1024k -exec cat {{}} + "
            r"| tr -cd '\11\12\40-\176'",
            check=False,
        )

    def _mark(self) -> None:
        script = f"touch {HOME}/mark; journalctl --no-pager --lines=1 --show-cursor --output=cat"
        self._cursor = self.shell(script, check=False).rpartition("-- cursor: ")[2].strip()


@functools.cache
def open_scst_system() -> ScstSystem:
    """SCST_HOST with SCST_KEY, or else the lab. The same one for everybody in this run."""
    if url := os.environ.get("SCST_HOST", ""):
        from tests.contract.scst_real import RealScst

        return RealScst(url, os.environ.get("SCST_KEY", ""))
    from tests.contract.scst_lab import LabScst

    return LabScst()
