# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Directory listings: what GET of a guest's path names below it."""

from __future__ import annotations

from typing import Any

from lab.pve.power import Power

QEMU = (
    "config", "cloudinit", "pending", "status", "unlink", "vncproxy", "termproxy", "migrate", "resize", "move", "rrd",
    "rrddata", "monitor", "agent", "snapshot", "spiceproxy", "sendkey", "firewall", "mtunnel", "remote_migrate",
)  # fmt: skip
QEMU_STATUS = ("current", "start", "stop", "reset", "shutdown", "suspend", "reboot")
LXC = (
    "config", "pending", "status", "vncproxy", "termproxy", "vncwebsocket", "spiceproxy", "migrate", "clone", "rrd",
    "rrddata", "firewall", "snapshot", "resize", "interfaces",
)  # fmt: skip
LXC_STATUS = ("current", "start", "stop", "shutdown", "migrate")


class Indexes(Power):
    """The listings themselves are constants."""

    def endpoints_indexes(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/nodes/{node}/qemu/{vmid}", self._listing(QEMU)),
            ("GET", "/nodes/{node}/qemu/{vmid}/status", self._listing(QEMU_STATUS)),
            ("GET", "/nodes/{node}/lxc/{vmid}", self._listing(LXC)),
            ("GET", "/nodes/{node}/lxc/{vmid}/status", self._listing(LXC_STATUS)),
        ]

    @staticmethod
    def _listing(names: tuple[str, ...]) -> Any:
        async def answer(v: dict[str, Any], user: str) -> Any:
            return [{"subdir": name} for name in names]

        return answer
