# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""SCST and a tape library on the host that SCST_HOST names. It is left as it was found."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from tests.contract.invocation import Result
from tests.contract.places import Remote
from tests.contract.scst_system import CONF, STATE, ScsiDevice, ScstSystem

# The host's own file while the suite runs, kept there too: a run that is killed must not lose it.
_BEFORE, _NONE_BEFORE = f"{CONF}.before-hct", f"{CONF}.none-before-hct"


class RealScst(ScstSystem):
    """SCST_HOST. It must begin bare: SCST installed, no module of it loaded."""

    is_lab: ClassVar[bool] = False
    fails_writes: ClassVar[bool] = False
    patience: ClassVar[int] = 20
    slowness: ClassVar[int] = 6

    def __init__(self, url: str, key: str = "") -> None:
        self.place = self._remote = Remote(url, key)
        loaded = self.shell("lsmod | grep -w scst", check=False).strip()
        if loaded:
            raise RuntimeError(
                f"{url}: SCST is loaded there. The suite begins and ends with SCST installed and not loaded, so it "
                "would cut that host's sessions: stop it first (systemctl stop scst), if nobody uses it."
            )
        missing = self.shell("for p in iscsi-scstd modprobe; do command -v $p >/dev/null || echo $p; done").split()
        if missing:
            raise RuntimeError(f"{url}: not installed there: {', '.join(missing)}")
        # Of a test of a run that was killed: scstadmin can only fail there.
        self.shell('umount "$(command -v scstadmin)" 2>/dev/null', check=False)
        self._has_mtx = bool(self.shell("command -v mtx", check=False).strip())
        self.shell(
            f"[ -e {_BEFORE} ] || [ -e {_NONE_BEFORE} ] || "
            f"if [ -e {CONF} ]; then cp -p {CONF} {_BEFORE}; else touch {_NONE_BEFORE}; fi"
        )
        self._enabled = self.shell("systemctl is-enabled scst", check=False).strip() == "enabled"
        # A run that was killed has left it there already.
        self.shell(f"[ -e {STATE} ] && [ ! -e {STATE}.before-hct ] && mv {STATE} {STATE}.before-hct", check=False)
        super().__init__()
        self._session = ""
        self._vanished: list[ScsiDevice] = []
        self._moved = False
        if len(self.devices(1)) < 2:
            # What a run let vanish that was killed.
            self.shell("for scan in /sys/class/scsi_host/host*/scan; do echo '- - -' > $scan; done")
        if len(self.devices(8)) < 1 or len(self.devices(1)) < 2:
            raise RuntimeError(f"{url}: a changer and two tape drives are needed, as /sys/bus/scsi/devices shows them")
        self._media = self._inventory()

    def _end(self) -> None:
        """As it was found."""
        try:
            self.reset()
        finally:
            self.shell(f"[ -e {STATE}.before-hct ] && rm -rf {STATE} && mv {STATE}.before-hct {STATE}", check=False)
            self.shell(f"[ -e {_BEFORE} ] && mv {_BEFORE} {CONF}; rm -f {_NONE_BEFORE}")
        super()._end()
        self._remote.close()

    def reset(self) -> None:
        if self._session:
            self.logout(self._session)
        self.unload()
        self.shell(f"rm -rf {STATE} {CONF}")
        for device in list(self._vanished):
            self.come_back(device)
        enabled = self.shell("systemctl is-enabled scst", check=False).strip() == "enabled"
        if enabled != self._enabled:
            self.shell(f"systemctl {'enable' if self._enabled else 'disable'} scst", check=False)
        if self._moved:
            self._media_home()
            self._moved = False
        self._mark()

    def run(
        self, module: str, config: list[Mapping[str, Any]] | None = None, *, check: bool = False, **arguments: Any
    ) -> Result:
        if module == "tape_library":
            self._need_mtx()
            self._moved = True
        return super().run(module, config, check=check, **arguments)

    def _need_mtx(self) -> None:
        if not self._has_mtx:
            pytest.skip("mtx is not installed on that host")

    def mtx(self, *words: str) -> str:
        self._need_mtx()
        self._moved = self._moved or words != ("status",)
        return super().mtx(*words)

    def vanish(self, device: ScsiDevice) -> None:
        self._vanished.append(device)
        super().vanish(device)

    def come_back(self, device: ScsiDevice, hcil: str = "") -> None:
        """Emulated drives may need their own service for it."""
        super().come_back(device, hcil)
        try:
            self._wait_for(device)
        except AssertionError:
            self.shell("systemctl restart 'vtltape@*'", check=False)
            super().come_back(device)
            self._wait_for(device)
        self._vanished = [one for one in self._vanished if one.serial != device.serial]

    def _wait_for(self, device: ScsiDevice) -> None:
        self.until(
            lambda: device.serial in [one.serial for one in self.devices(device.type)],
            f"the return of {device.serial} after a scan of its SCSI host",
        )

    def _inventory(self) -> dict[str, str]:
        """Bar code -> "drive 0" or "slot 3"."""
        found: dict[str, str] = {}
        if not self._has_mtx:
            return found
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
        """Its own, or where it has none an invented one, which cannot log in."""
        return self._initiator() or "iqn.1993-08.org.debian:01:hct"

    def _initiator(self) -> str:
        text = self.shell("cat /etc/iscsi/initiatorname.iscsi", check=False)
        return text.partition("InitiatorName=")[2].split()[0] if "InitiatorName=" in text else ""

    def login(self, target: str, user: str = "", secret: str = "") -> None:
        """From the host to itself."""
        if not self._initiator():
            pytest.skip("the host has no iSCSI initiator of its own (open-iscsi) to open a session with")
        # Already now: where the login is refused, the record with the secret has to go too.
        self._session = target
        node = f"iscsiadm -m node -T {shlex.quote(target)} -p 127.0.0.1"
        script = f"{node} -o new >/dev/null"
        # Else open-iscsi tries for minutes where it is refused.
        script += f" && {node} -o update -n node.session.initial_login_retry_max -v 1"
        if user:
            settings = {"authmethod": "CHAP", "username": user, "password": secret}
            for name, value in settings.items():
                script += f" && {node} -o update -n node.session.auth.{name} -v {shlex.quote(value)}"
        done = self.place.run("bash", "-c", f"{script} && {node} --login", check=False, timeout=300)
        assert done.returncode == 0, done.stderr

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
