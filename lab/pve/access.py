# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Logins."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.access_realms import Realms


class Access(Realms):
    """/access/ticket."""

    one_time_password: str | None

    def endpoints_access(self) -> list[tuple[str, str, Any]]:
        return [("POST", "/access/ticket", self._login)]

    async def _login(self, v: dict[str, Any], user: str) -> Any:
        name, password = str(v.get("username", "")), str(v.get("password", ""))
        if "@" not in name and v.get("realm"):
            name += "@" + str(v["realm"])
        challenge = v.get("tfa-challenge")
        if challenge:
            # The second step: the first one's ticket, and a one-time password in place of the password.
            if self.one_time_password is None or password != "totp:" + self.one_time_password:
                await self._refuse()
            return self._session(name)
        if not self.check_password(name, password):
            await self._refuse()
        if self.one_time_password is not None and v.get("otp") != self.one_time_password:
            ticket, csrf = self.issue_ticket(name)
            self.tickets.pop(ticket)
            return {"ticket": "PVE:!tfa!" + ticket[4:], "CSRFPreventionToken": csrf, "username": name, "NeedTFA": 1}
        return self._session(name)

    async def _refuse(self) -> None:
        await self.pause(3)
        raise PveError(401, "authentication failure")

    def _session(self, name: str) -> dict[str, Any]:
        ticket, csrf = self.issue_ticket(name)
        return {
            "ticket": ticket,
            "CSRFPreventionToken": csrf,
            "username": name,
            "cap": {},
            "clustername": self.cluster_name,
        }
