# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two servers that are guests of a Proxmox VE, a third in another data centre, one network, and a client.

examples/silvercreek as lab.silvercreek has it, made by the collection's own playbook. Besides, the database of each has
a disk of its own that can be filled, and every host is looked at all the time.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Self

from lab.failover.client import DATABASE, TABLE, USER
from lab.failover.dialect import Dialect
from lab.failover.pair import NETWORK, OTHER, PAIR, Pair, State
from lab.hosts import Host, wait_until
from lab.pve.lab import Lab
from lab.silvercreek import Run, Silvercreek

_DISK, _DATA = "/var/lib/lab-database.img", "/var/lib/mysql"
# Room for the data and the logs of a run, and little enough to be filled.
_DISK_MIB = 2048
MINIMUM_FREE_MIB = 200
_MOUNT = f"""[Unit]
Description=A disk of its own for the database
Before=mariadb.service mysql.service

[Mount]
What={_DISK}
Where={_DATA}
Type=ext4
Options=loop

[Install]
WantedBy=multi-user.target
RequiredBy=mariadb.service mysql.service
"""


class PlayFailed(Exception):
    """A playbook ended with another exit code than 0."""


class Scene(Pair):
    """`with Scene(dialect, directory) as scene:`, then `converge`, then `begin`."""

    pve: Lab

    def __init__(self, dialect: Dialect, directory: Path) -> None:
        writer = {
            "semi_sync": "preferred",
            "unit": dialect.unit,
            "witness_check": "true",
            "minimum_free": str(MINIMUM_FREE_MIB),
            "followers": "{{ silvercreek_addresses.c }}:3306",
            "followers_defaults_file": "/etc/mysql/hospital.continuity/followers.cnf",
        }
        # A machine that runs all of it at once may keep a server from answering for seconds.
        variables = {"ha_cluster_writer": writer, "ha_cluster_writer_timeout": 15, **dialect.variables}
        self.site = Silvercreek(NETWORK, directory, image=dialect.image, variables=variables)
        super().__init__(dialect, self.site.hosts, self.site.floating)

    def __enter__(self) -> Self:
        self.site.__enter__()
        self.lan, self.pve = self.site.lan, self.site.pve
        try:
            self.everywhere(_own_disk)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.rest()
        for host in self.hosts:
            if host.powered:  # or the loop device would stay busy for a while
                host.run("umount", "--lazy", "--detach-loop", _DATA, check=False)
        self.site.__exit__()

    # ------------------------------------------------------------- the beginning

    def converge(self) -> Run:
        """What the inventory describes, made by the collection."""
        return self.play(*self.dialect.converge)

    def play(self, playbook: str, *words: str, **variables: Any) -> Run:
        """Raises PlayFailed with Ansible's own words."""
        run = self.site.play(playbook, *words, **variables)
        if run.code:
            raise PlayFailed(f"{playbook}: {run.text[-4000:]}")
        return run

    def module(self, host: str, name: str, **options: Any) -> dict[str, Any]:
        """What a module of the collection answers on that host. Raises PlayFailed with its message."""
        run = self.site.module(host, name, **options)
        head, _arrow, answer = run.text.partition(" => ")
        if "SUCCESS" not in head and "CHANGED" not in head:
            raise PlayFailed(run.text)
        found: dict[str, Any] = json.loads(answer)
        return found

    def begin(self) -> None:
        """Observers on all hosts, and the client's first acknowledged write."""
        self.watch()
        self.sql(self.active(), f"CREATE TABLE IF NOT EXISTS {DATABASE}.{TABLE} (n BIGINT PRIMARY KEY)")
        self.write(self.site.passwords[USER])

    def look(self, host: Host) -> None:
        super().look(host)
        self.files.run(host)

    # ----------------------------------------------------------------- looks

    def state(self) -> State:
        active = self.active()
        if not active:
            return State("", "no host, or more than one, has the address")
        standby = OTHER.get(active, "")
        if not standby or not self.hosts[standby].powered:
            return State(active, "the other one of the pair is off")
        seen = self.hosts[active].run("crm_mon", "--one-shot", check=False).stdout
        if "Online: [ a b ]" not in seen:
            return State(active, "the cluster does not have both nodes")
        if "Failed Resource Actions" in seen or "UNCLEAN" in seen:
            return State(active, f"the cluster remembers a failure: {seen.partition('Failed ')[2]}")
        if marked := [name for name in PAIR if self.behind(name)]:
            return State(active, f"marked as behind: {marked}")
        if self.sql(active, self.dialect.waits, check=False) != "1":
            return State(active, "the writer waits for nobody")
        if self.sql(active, self.dialect.clients, check=False).split()[-1:] != ["1"]:
            return State(active, "nobody acknowledges what the writer sends")
        for follower in (standby, "c"):
            if not self.follows(follower):
                return State(active, f"{follower} does not follow: {self.channel(follower)}")
        return State(active, "")

    def behind(self, name: str) -> bool:
        """Whether the cluster keeps that node from becoming the writer."""
        words = ("--quiet", "--lifetime=forever", f"--node={name}", "--name=writer-behind", "--query", "--default=0")
        return self.hosts[self.active()].run("crm_attribute", *words, check=False).stdout.strip() == "1"

    # ----------------------------------------------------------------- deeds

    def settle(self, seconds: float = 90) -> str:
        active = super().settle(seconds)
        self.hosts[active].run("crm_resource", "--wait", "--timeout=20s", check=False)
        return active

    def refill(self, name: str) -> str:
        if not self.dialect.lacks:
            return ""
        wait_until(lambda: self.follows(name), f"{name} follows", 60)
        executed = self.sql(name, self.dialect.executed).replace("\\n", "")
        if self.sql(self.active(), self.dialect.lacks.format(executed)) != "1":
            return ""
        # Only a person gives a transaction up, and before that it must not come back with this server as the writer.
        wait_until(lambda: self.behind(name), f"{name} is kept from becoming the writer", 30)
        word = self.fill_anew(name)
        return f"; it had kept what nobody was told of, and was filled anew with {word}"

    def fill_anew(self, name: str) -> str:
        """With the consent that this takes, which is told."""
        word = f"reseed_replica:{name}"
        self.play(*self.dialect.database, replicated_database_allow=[word])
        return word

    def power_on(self, *names: str) -> None:
        for name in names:
            self.hosts[name].switch_on()
        for name in names:
            host = self.hosts[name]
            self.look(host)
            deadline = time.monotonic() + 60
            while host.run("systemctl", "is-system-running", check=False).stdout.strip() in ("", "starting", "offline"):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{name} is still starting")
                time.sleep(0.1)

    def forgive(self) -> None:
        # When the cluster is done with it.
        there = next(name for name in (self.active(), *PAIR) if name and self.hosts[name].powered)
        self.hosts[there].run("crm_resource", "--wait", "--timeout=60s", check=False, timeout=90)
        self.hosts[there].run("crm_resource", "--cleanup", check=False)


def _own_disk(host: Host) -> None:
    """The database's folder becomes a file system of its own, with what the package had put there."""
    host.run("systemctl", "stop", "mariadb.service", "mysql.service", check=False)
    host.run("truncate", f"--size={_DISK_MIB}M", _DISK)
    host.run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", _DISK)
    host.run("cp", "--archive", _DATA, f"{_DATA}.packaged")
    host.write("/etc/systemd/system/var-lib-mysql.mount", _MOUNT)
    host.run("systemctl", "daemon-reload")
    host.run("systemctl", "enable", "--quiet", "--now", "var-lib-mysql.mount")
    host.run("rmdir", f"{_DATA}/lost+found")
    host.run("sh", "-c", f"cp --archive {_DATA}.packaged/. {_DATA}/ && rm -r {_DATA}.packaged")
