# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST and a tape library on the host that SCST_HOST names. It is left as it was found."""

from __future__ import annotations

import contextlib
import shlex
from typing import Any, ClassVar

import pytest

from tests.contract.places import Remote, write
from tests.contract.scst_system import BARE, CONF, STATE, ScstSystem


class RealScst(ScstSystem):
    """SCST_HOST. It must begin bare: SCST installed, no module of it loaded."""

    is_lab: ClassVar[bool] = False
    patience: ClassVar[int] = 20

    def __init__(self, url: str, key: str = "") -> None:
        self.place = self._remote = Remote(url, key)
        loaded = self.shell("lsmod | grep -w scst", check=False).strip()
        if loaded:
            raise RuntimeError(
                f"{url}: SCST is loaded there. The suite begins and ends with SCST installed and not loaded, so it "
                "would cut that host's sessions: stop it first (systemctl stop scst), if nobody uses it."
            )
        missing = self.shell("for p in iscsi-scstd mtx modprobe; do command -v $p >/dev/null || echo $p; done").split()
        if missing:
            raise RuntimeError(f"{url}: not installed there: {', '.join(missing)}")
        self._conf = self.shell(f"[ -e {CONF} ] && stat -c %a {CONF} && cat {CONF}", check=False)
        self._enabled = self.shell("systemctl is-enabled scst", check=False).strip() == "enabled"
        # A run that was killed has left it there already.
        self.shell(f"[ -e {STATE} ] && [ ! -e {STATE}.before-hct ] && mv {STATE} {STATE}.before-hct", check=False)
        super().__init__()
        if len(self.devices(8)) < 1 or len(self.devices(1)) < 2:
            raise RuntimeError(f"{url}: a changer and two tape drives are needed, as /sys/bus/scsi/devices shows them")
        self._media = self._inventory()
        self._session = ""

    def _end(self) -> None:
        """As it was found."""
        self.reset()
        self.shell(f"[ -e {STATE}.before-hct ] && mv {STATE}.before-hct {STATE}", check=False)
        super()._end()
        self._remote.close()

    def reset(self) -> None:
        if self._session:
            self.logout(self._session)
        self.shell(f"{BARE}\nrm -rf {STATE}")
        # What a test let vanish.
        self.shell("for scan in /sys/class/scsi_host/host*/scan; do echo '- - -' > $scan; done")
        if self._conf:
            mode, _newline, text = self._conf.partition("\n")
            write(self.place, CONF, text, f"0{mode}")
        else:
            self.shell(f"rm -f {CONF}")
        self.shell(f"systemctl {'enable' if self._enabled else 'disable'} scst", check=False)
        if hasattr(self, "_media"):
            self._media_home()
        self._mark()

    def _inventory(self) -> dict[str, str]:
        """Bar code -> "drive 0" or "slot 3"."""
        found = {}
        for line in self.mtx("status").splitlines():
            place, _colon, rest = line.strip().partition(":")
            words = place.split()
            if "VolumeTag" in rest and words[:1] in (["Data"], ["Storage"]):
                where = f"drive {words[3]}" if words[0] == "Data" else f"slot {words[2]}"
                found[rest.rpartition("=")[2].strip()] = where
        return found

    def _media_home(self) -> None:
        """Drives first, as they must be empty for what follows."""
        for wanted in ("drive", "slot"):
            for code, now in self._inventory().items():
                home = self._media.get(code, now)
                if home != now and now.startswith(wanted):
                    kinds = (now.split()[0], home.split()[0])
                    numbers = [now.split()[1], home.split()[1]]
                    words = {
                        ("drive", "slot"): ["unload", numbers[1], numbers[0]],
                        ("slot", "slot"): ["transfer", *numbers],
                        ("slot", "drive"): ["load", *numbers],
                    }.get(kinds)
                    if words:
                        self.mtx(*words)

    def initiator(self) -> str:
        text = self.shell("cat /etc/iscsi/initiatorname.iscsi", check=False)
        if "InitiatorName=" not in text:
            pytest.skip("the host has no iSCSI initiator of its own (open-iscsi) to open a session with")
        return text.partition("InitiatorName=")[2].split()[0]

    def login(self, target: str, user: str = "", secret: str = "") -> None:
        """From the host to itself."""
        self.initiator()
        node = f"iscsiadm -m node -T {shlex.quote(target)} -p 127.0.0.1"
        script = f"{node} -o new >/dev/null"
        if user:
            settings = {"authmethod": "CHAP", "username": user, "password": secret}
            for name, value in settings.items():
                script += f" && {node} -o update -n node.session.auth.{name} -v {shlex.quote(value)}"
        self.shell(f"{script} && {node} --login")
        self._session = target

    def logout(self, target: str) -> None:
        node = f"iscsiadm -m node -T {shlex.quote(target)} -p 127.0.0.1"
        self.shell(f"{node} --logout; {node} -o delete", check=False)
        self._session = ""

    def failing_write(self, number: int, *, lost: bool = False) -> contextlib.AbstractContextManager[Any]:
        pytest.skip("only in the lab: writes that are made to fail")

    def variables(self) -> dict[str, Any]:
        return {
            "ansible_connection": "ssh",
            "ansible_host": self._remote.name,
            "ansible_port": self._remote.port,
            "ansible_user": self._remote.user,
            "ansible_ssh_common_args": " ".join(self._remote.options),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_remote_tmp": "/root/.ansible/tmp",
        }
