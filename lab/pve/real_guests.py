# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Guests that are real machines: their power is switched by the API, and their status is the machine's."""

from __future__ import annotations

from typing import Any, Protocol

from aiohttp import web

from lab.pve.guests import Guest
from lab.pve.real_directory import RealDirectories


class Powered(Protocol):
    """lab.hosts.Host, or what has power like it."""

    @property
    def powered(self) -> bool:
        """Whether it runs."""

    def power_off(self) -> None:
        """At once; it is off when this returns."""

    def switch_on(self) -> None:
        """Power; it may still be starting when this returns."""


class RealGuests(RealDirectories):
    """`powered`: the machine behind a vmid."""

    powered: dict[int, Powered]

    async def _answer_call(self, request: web.Request, path: str, values: dict[str, Any]) -> Any:
        self._look_at_machines()
        return await super()._answer_call(request, path, values)

    def _look_at_machines(self) -> None:
        for vmid, machine in self.powered.items():
            guest = self.guest(vmid)
            if guest is not None and guest.running != (runs := machine.powered):
                (self.mark_running if runs else self.mark_stopped)(guest)

    def halt(self, guest: Guest) -> None:
        machine = self.powered.get(guest.vmid)
        if machine is not None and machine.powered:
            machine.power_off()
        super().halt(guest)

    def awaken(self, guest: Guest) -> None:
        machine = self.powered.get(guest.vmid)
        if machine is not None and not machine.powered:
            machine.switch_on()
        super().awaken(guest)

    def strike(self, guest: Guest) -> None:
        machine = self.powered.get(guest.vmid)
        if machine is not None:
            machine.power_off()
            machine.switch_on()
        super().strike(guest)
