# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A cable between two ports, and what happens to cables."""

from __future__ import annotations

from dataclasses import dataclass

from lab.hosts.namespaces import Port


@dataclass(frozen=True)
class Link:
    """near: the port of the host under test; far: its partner's."""

    near: Port
    far: Port

    def pull(self) -> None:
        """The cable is pulled: neither end has a carrier."""
        self.far.set("down")

    def plug(self) -> None:
        self.far.set("up")

    def silence(self) -> None:
        """No frame arrives at either end any more, and both still have their carrier."""
        self.near.silence()
        self.far.silence()

    def heal(self) -> None:
        self.near.heal()
        self.far.heal()

    def carry(self, mtu: int) -> None:
        """What the partner's end takes, as on a switch set up for jumbo frames: it loses longer ones. The near end's
        MTU is what is under test."""
        self.far.set("mtu", str(mtu))
