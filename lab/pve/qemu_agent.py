# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The guest agent of QEMU guests."""

from __future__ import annotations

from typing import Any

from fakepve import agent as guest_agent
from fakepve.model import PveError

from lab.pve import qemu_values as q
from lab.pve import schema
from lab.pve.guests import Vm
from lab.pve.qemu_guests import agent_wanted
from lab.pve.qemu_migration import QemuMigration

PREFIX = "/nodes/{node}/qemu/{vmid}/agent"


def commands() -> list[tuple[str, str]]:
    """(method, command) of every agent endpoint in the schema."""
    paths = schema.load().paths
    found = [path for path in paths if path.startswith(PREFIX + "/")]
    return [(method, path[len(PREFIX) + 1 :]) for path in found for method in paths[path]]


class QemuAgent(QemuMigration):
    """/nodes/{node}/qemu/{vmid}/agent."""

    def endpoints_qemu_agent(self) -> list[tuple[str, str, Any]]:
        table: list[tuple[str, str, Any]] = [
            ("GET", PREFIX, self._agent_index),
            ("POST", PREFIX, self._agent_any),
        ]
        for method, name in commands():
            table.append((method, f"{PREFIX}/{name}", self._agent_command(name)))
        return table

    def _agent_ready(self, v: dict[str, Any]) -> Vm:
        vm = self.find(v["node"], v["vmid"])
        if not agent_wanted(vm):
            raise PveError(500, "No QEMU guest agent configured")
        if not vm.running:
            raise PveError(500, f"VM {vm.vmid} is not running")
        if vm.agent_hangs or not vm.acpi:
            raise PveError(500, "QEMU guest agent is not running")
        return vm

    async def _agent_index(self, v: dict[str, Any], user: str) -> Any:
        self.find(v["node"], v["vmid"])
        return [{"name": name} for name in sorted({name for _method, name in commands()})]

    async def _agent_any(self, v: dict[str, Any], user: str) -> Any:
        return await self._agent_command(v["command"])(v, user)

    def _agent_command(self, command: str) -> Any:
        async def run(v: dict[str, Any], user: str) -> Any:
            vm = self._agent_ready(v)
            if command == "network-get-interfaces" and "interfaces" not in (vm.agent or {}):
                return {"result": self.agent_interfaces(vm)}
            vm.agent = vm.agent or {}
            return guest_agent.result(vm, command, v)

        return run

    @staticmethod
    def agent_interfaces(vm: Vm) -> list[dict[str, Any]]:
        """What a Linux guest reports: lo, and one interface a NIC with an address of its own."""
        out: list[dict[str, Any]] = [
            {
                "name": "lo",
                "hardware-address": "00:00:00:00:00:00",
                "ip-addresses": [
                    {"ip-address": "127.0.0.1", "ip-address-type": "ipv4", "prefix": 8},
                    {"ip-address": "::1", "ip-address-type": "ipv6", "prefix": 128},
                ],
            }
        ]
        for number, key in enumerate(sorted((k for k in vm.config if q.NET.match(k)), key=q.natural)):
            mac = str(vm.config[key]).split(",", 1)[0].partition("=")[2].lower()
            address = f"10.{100 + number}.{vm.vmid // 250 % 250}.{vm.vmid % 250 + 1}"
            out.append(
                {
                    "name": f"ens{18 + number}",
                    "hardware-address": mac,
                    "ip-addresses": [{"ip-address": address, "ip-address-type": "ipv4", "prefix": 16}],
                }
            )
        return out
