# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""/etc/init.d/scst as it was recorded: modules by what scst.conf names, the daemon, scstadmin; all or nothing."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys
import time
from pathlib import Path

from lab.scst.control import Client
from lab.scst.programs import kmod, scstadmin

CONF = Path("/etc/scst.conf")
_MODULES = {
    "dev_changer": "scst_changer",
    "dev_tape": "scst_tape",
    "dev_tape_perf": "scst_tape",
    "dev_disk": "scst_disk",
    "dev_disk_perf": "scst_disk",
    "vdisk_fileio": "scst_vdisk",
    "vdisk_blockio": "scst_vdisk",
    "vdisk_nullio": "scst_vdisk",
    "vcdrom": "scst_vdisk",
}


def main(words: list[str]) -> int:
    actions = {"start": start, "stop": stop, "restart": restart, "force-reload": restart, "reload": reload}
    action = actions.get(words[0] if words else "")
    if action:
        return action()
    if words[:1] == ["status"]:  # recorded: it shows what systemd thinks
        return subprocess.run(["systemctl", "status", "scst", "--no-pager"], check=False).returncode
    print("Usage: /etc/init.d/scst {start|stop|restart|reload|force-reload|status}", file=sys.stderr)
    return 1


def start() -> int:
    print("Loading and configuring SCST", end="", flush=True)
    if "scst" in _loaded():
        print("Already started\n.")
        return 0
    kmod.modprobe(["scst", *_targets(), *_handlers()])
    if "iscsi_scst" in _loaded():
        subprocess.run(["/sbin/iscsi-scstd"], check=False)
    if CONF.exists() and _apply():
        _unload()
        print(" failed!")
        return 1
    print(".")
    return 0


def stop() -> int:
    """A driver that scst.conf does not name is not unloaded, and then neither is scst."""
    print("Stopping SCST", end="", flush=True)
    _unload()
    print(".")
    return 0


def restart() -> int:
    stop()
    return start()


def reload() -> int:
    """What is new in scst.conf is applied; what is no more in it stays."""
    return _apply()


def _unload() -> None:
    if _targets():
        subprocess.run(["pkill", "-x", "iscsi-scstd"], check=False)
        _wait_for_the_daemon()
    for module in sorted({*_MODULES.values()}) + list(reversed(_targets())) + ["scst"]:
        if module in _loaded():
            kmod.modprobe(["-r", module])


def _wait_for_the_daemon() -> None:
    state = Path("/sys/kernel/scst_tgt/targets/iscsi/open_state")
    deadline = time.monotonic() + 10
    while state.exists() and state.read_text() != "closed\n" and time.monotonic() < deadline:
        time.sleep(0.01)


def _named(key: str) -> list[str]:
    """Blocks with the brace in the same line; others are not seen."""
    text = CONF.read_text() if CONF.exists() else ""
    return re.findall(rf"^[ \t]*{key}[ \t]+(\S+)[ \t]*\{{", text, re.MULTILINE)


def _handlers() -> list[str]:
    return sorted({_MODULES[name] for name in _named("HANDLER") if name in _MODULES})


def _targets() -> list[str]:
    """The recordings always had an iSCSI driver in the configuration, with iSER beside it."""
    return ["iscsi_scst", "isert_scst"] if "iscsi" in _named("TARGET_DRIVER") else []


def _loaded() -> set[str]:
    return {name for name, _size, _users in Client().call("loaded")}


def _apply() -> int:
    """Quiet unless it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = scstadmin.main(["-noprompt", "-config", str(CONF)])
    if status:
        print(said.getvalue())
    return status
