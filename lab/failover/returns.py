# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What comes back, and what has to catch up: the other side goes on writing all the time."""

from __future__ import annotations

import time

from lab.failover.client import DATABASE, TABLE
from lab.failover.faults import Fault
from lab.failover.pair import OTHER
from lab.failover.scene import Scene
from lab.hosts import wait_until

BULK_MIB, ROWS_AT_ONCE = 200, 10
# No numbers the client writes. Two: after a crash MariaDB forgets what nobody was told of, and the first transaction
# afterwards may have the GTID of one that the other side has.
ERRANT = (-1, -2)


class Returns(Fault[Scene]):
    """`gone`: the former active node, which was switched off before."""

    name = "A returns and rejoins"
    moves = False
    takes_over = True

    def prepare(self, scene: Scene, active: str) -> None:
        self.gone = active
        scene.hosts[active].power_off()
        wait_until(
            lambda: scene.active() == OTHER[active] and scene.client.served_for(1), f"{OTHER[active]} took over", 90
        )

    def strike(self, scene: Scene, active: str) -> None:
        began = time.monotonic()
        scene.power_on(self.gone)
        scene.forgive()
        scene.settle()
        self.seconds = time.monotonic() - began

    def mend(self, scene: Scene, active: str) -> str:
        return f"{self.gone} was switched on, started read-only, and had everything {self.seconds:.0f} s later"


class ReturnsErrant(Returns):
    name = "A returns with a transaction nobody has"

    def strike(self, scene: Scene, active: str) -> None:
        name, host = self.gone, scene.hosts[self.gone]
        scene.lan.isolate(name)
        scene.power_on(name)
        wait_until(lambda: scene.sql(name, "SELECT 1", check=False) == "1", f"the server of {name} answers", 60)
        inserts = "; ".join(f"INSERT INTO {DATABASE}.{TABLE} VALUES ({number})" for number in ERRANT)
        scene.sql(name, f"{scene.dialect.as_root}{inserts}")
        self.transaction = scene.sql(name, scene.dialect.newest)
        scene.lan.rejoin(name)
        host.run("systemctl", "start", "corosync", "corosync-qdevice", "pacemaker", check=False)
        wait_until(lambda: self._joined(scene), f"{name} is in the cluster again", 60)
        time.sleep(3)

    def _joined(self, scene: Scene) -> bool:
        return "Online: [ a b ]" in scene.hosts[scene.active()].run("crm_mon", "--one-shot", check=False).stdout

    def mend(self, scene: Scene, active: str) -> str:
        name = self.gone
        # By the writer while it is away; once it has received something again, by itself, when it looks next.
        try:
            wait_until(lambda: scene.behind(name), f"{name} is marked as behind", 20)
        except TimeoutError:
            self.problems.append(f"the cluster would let {name} write")
        refused = scene.site.play(*scene.dialect.database)
        word = scene.fill_anew(name)
        if not refused.code or word not in refused.text:
            self.problems.append(f"{name} was not refused: {refused.text[-1500:]}")
        if self.transaction not in refused.text:
            self.problems.append(f"{self.transaction} was not named: {refused.text[-1500:]}")
        scene.forgive()
        scene.settle()
        if not (scene.numbers(name) | scene.numbers(scene.active())).isdisjoint(ERRANT):
            self.problems.append("what nobody had is still there")
        return f"{name} was refused, {self.transaction} named; with {word} it was filled anew and follows"


class ReplicaStopped(Fault[Scene]):
    name = f"a replica stopped while {BULK_MIB} MiB of binary log pass"
    moves = False

    def strike(self, scene: Scene, active: str) -> None:
        standby = OTHER[active]
        scene.sql(standby, scene.dialect.stop_replica)
        wait_until(lambda: scene.behind(standby), f"{standby} is marked as behind", 60)
        before = self._logged(scene, active)
        scene.sql(active, f"CREATE TABLE {DATABASE}.bulk (n INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)")
        rows = ", ".join(["(REPEAT(MD5(RAND()), 32768))"] * ROWS_AT_ONCE)
        while self._logged(scene, active) - before < BULK_MIB << 20:
            scene.sql(active, f"INSERT INTO {DATABASE}.bulk (b) VALUES {rows}")
        began = time.monotonic()
        scene.sql(standby, scene.dialect.start_replica)
        scene.settle(180)
        self.seconds = time.monotonic() - began

    @staticmethod
    def _logged(scene: Scene, active: str) -> int:
        """Bytes of binary log that the server has."""
        return sum(int(line.split("\t")[1]) for line in scene.sql(active, "SHOW BINARY LOGS").splitlines())

    def mend(self, scene: Scene, active: str) -> str:
        standby = OTHER[active]
        # What it has received it may become the writer with: everything is applied before that.
        wait_until(lambda: self._rows(scene, active) == self._rows(scene, standby), f"{standby} has every row", 120)
        scene.sql(active, f"DROP TABLE {DATABASE}.bulk")
        return f"{standby} could not become the writer until it had received all, {self.seconds:.0f} s after its start"

    @staticmethod
    def _rows(scene: Scene, name: str) -> str:
        return scene.sql(name, f"SELECT COUNT(*) FROM {DATABASE}.bulk")


RETURNS = (Returns, ReturnsErrant, ReplicaStopped)
