# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What goes wrong on the active side while a client writes, and how it is mended afterwards."""

from __future__ import annotations

import time
from typing import ClassVar, Generic, TypeVar

from lab.failover.observers import ADDRESS, SERVER
from lab.failover.pair import OTHER, Pair
from lab.failover.scene import Scene
from lab.hosts import wait_until

STALL_SECONDS = 0.5
# Any pair, or only one that has what the fault takes.
Where_contra = TypeVar("Where_contra", bound=Pair, contravariant=True)


class Fault(Generic[Where_contra]):
    """`moves`: whether the other one of the pair is the active side afterwards.
    `problems`: what was not as it has to be, besides what is counted for every fault.
    `planned`: what counts is how long nobody could write, and not how long it took from the command on."""

    name: ClassVar[str]
    moves: ClassVar[bool] = True
    planned: ClassVar[bool] = False

    def __init__(self) -> None:
        self.problems: list[str] = []

    def prepare(self, scene: Where_contra, active: str) -> None:
        """Before the fault, while all is well."""

    def strike(self, scene: Where_contra, active: str) -> None:
        """The fault itself; the clock runs from the call on."""
        raise NotImplementedError

    def over(self, scene: Where_contra, active: str) -> bool:
        """Whether the active side is where it is to be. That writes are acknowledged is looked at besides."""
        return scene.active() == (OTHER[active] if self.moves else active)

    def mend(self, scene: Where_contra, active: str) -> str:
        """What the administrator does next; what there is to say about the fault, in words."""
        return ""


class Crash(Fault[Pair]):
    name = "kill -9 of the primary"

    def strike(self, scene: Pair, active: str) -> None:
        scene.hosts[active].run("systemctl", "kill", "--signal=KILL", scene.dialect.unit)

    def mend(self, scene: Pair, active: str) -> str:
        scene.forgive()
        return f"{OTHER[active]} writes; {active} came back read-only and follows"


class PowerOff(Fault[Pair]):
    name = "power off of the active node"

    def strike(self, scene: Pair, active: str) -> None:
        scene.hosts[active].power_off()

    def mend(self, scene: Pair, active: str) -> str:
        scene.power_on(active)
        scene.forgive()
        return f"{OTHER[active]} writes; {active} stayed off until it was switched on"


class DaemonsKilled(PowerOff):
    """Where no quorum and no fence is, both have the address then."""

    name = "the cluster's daemons killed on the active node"

    def strike(self, scene: Pair, active: str) -> None:
        # Or systemd would start them again.
        scene.hosts[active].run("systemctl", "mask", "--runtime", "--quiet", "corosync.service", "pacemaker.service")
        scene.hosts[active].run("pkill", "-KILL", "-f", "corosync -f|pacemaker", check=False)

    def mend(self, scene: Pair, active: str) -> str:
        off = not scene.hosts[active].powered
        if not off:
            self.problems.append(f"{active} still runs, with its services")
        scene.power_on(active)
        scene.forgive()
        return f"{active} was switched off by its fence; {OTHER[active]} writes"


class Cut(Fault[Pair]):
    name = "active node cut from the network"

    def strike(self, scene: Pair, active: str) -> None:
        scene.lan.isolate(active)

    def mend(self, scene: Pair, active: str) -> str:
        off = not scene.hosts[active].powered
        scene.lan.rejoin(active)
        if off:
            scene.power_on(active)
        scene.forgive()
        return f"{active} was {'switched off by its fence' if off else 'not fenced'}; {OTHER[active]} writes"


class CutUnfenced(Fault[Scene]):
    """The Proxmox VE answers only after a while: nothing moves until the fence has worked, and the cut node stops
    serving by itself."""

    name = "the same, fence out of reach at first"

    def strike(self, scene: Scene, active: str) -> None:
        scene.pve.fail_requests("POST", "/access/ticket$", status=500, reason="out of order", times=1000)
        scene.lan.isolate(active)
        self._stopped = self._wait_for_stop(scene, active)
        self._others = scene.observers.now(SERVER)
        self._powered = scene.hosts[active].powered
        scene.pve.answer_again()

    @staticmethod
    def _wait_for_stop(scene: Scene, active: str) -> float:
        began = time.monotonic()
        wait_until(
            lambda: active not in scene.observers.now(ADDRESS) and active not in scene.observers.now(SERVER),
            f"{active} stops serving by itself",
            60,
        )
        return time.monotonic() - began

    def mend(self, scene: Scene, active: str) -> str:
        scene.lan.rejoin(active)
        if not scene.hosts[active].powered:
            scene.power_on(active)
        scene.forgive()
        said = f"{active} stopped serving by itself after {self._stopped:.1f} s"
        if not self._powered or self._others:
            self.problems.append(f"{active} was off already, or another one wrote: {self._others}")
        return f"{said}, still powered and with nobody else writing; then it was fenced"


class Switchover(Fault[Scene]):
    name = "switchover under load"
    planned = True

    def strike(self, scene: Scene, active: str) -> None:
        scene.module(active, "pacemaker_move", resource="writer", node=OTHER[active], timeout=60)

    def mend(self, scene: Scene, active: str) -> str:
        return f"{OTHER[active]} writes, {active} follows"


class Stall(Fault[Pair]):
    name = "a stall of 500 ms"
    moves = False

    def strike(self, scene: Pair, active: str) -> None:
        for signal in ("STOP", "CONT"):
            scene.hosts[active].run("systemctl", "kill", f"--signal={signal}", scene.dialect.unit)
            time.sleep(STALL_SECONDS if signal == "STOP" else 0)

    def mend(self, scene: Pair, active: str) -> str:
        return f"nothing moved: {active} writes"


class DiskFull(Fault[Pair]):
    name = "disk full on the active node"
    # Nobody makes room at once: the server has to come back later too.
    full_seconds = 12
    _filler = "/var/lib/mysql/filler"

    def strike(self, scene: Pair, active: str) -> None:
        self._fill(scene, active)

    def mend(self, scene: Pair, active: str) -> str:
        self._make_room(scene, active)
        return f"{OTHER[active]} writes; {active} follows since there is room again"

    def _fill(self, scene: Pair, name: str) -> None:
        host = scene.hosts[name]
        free = int(host.run("df", "--output=avail", "--block-size=1", "/var/lib/mysql").stdout.split()[-1])
        # The last of it is written, as what is free changes meanwhile.
        host.run("fallocate", f"--length={free - (8 << 20)}", self._filler)
        host.run("dd", "if=/dev/zero", "bs=64K", f"of={self._filler}", "oflag=append", "conv=notrunc", check=False)

    def _make_room(self, scene: Pair, name: str) -> None:
        time.sleep(self.full_seconds)
        scene.hosts[name].run("rm", self._filler)
        scene.forgive()


class StandbyFull(DiskFull):
    """The active side waits for it until it has said that it does not follow."""

    name = "disk full on the standby"
    moves = False

    def strike(self, scene: Pair, active: str) -> None:
        self._fill(scene, OTHER[active])

    def mend(self, scene: Pair, active: str) -> str:
        self._make_room(scene, OTHER[active])
        return f"{active} writes on; {OTHER[active]} follows since there is room again"


EVERY_FAULT = (Crash, PowerOff, DaemonsKilled, Cut, CutUnfenced, Switchover, Stall, DiskFull, StandbyFull)
