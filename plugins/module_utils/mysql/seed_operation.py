# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The operation behind the module mysql_seed: its options, its plan, what it returns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Operation, Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_values import Plain, Words
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import History
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialects import dialect_for
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.server import Server
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.topology_operation import RESEED

SEED = "seed"
AUTO, CLONE, BACKUP, DUMP = "auto", "clone", "mariadb_backup", "dump"
EMPTY, DIVERGED, ALWAYS = "empty", "diverged", "always"
# A table there. What the server holds since then is half of a copy, and nobody's.
EMPTIED = "emptied"
# A folder of the data directory, which looks like a database: a copy that is being made.
COPY = "hospital_continuity_copy"
_SHOWN = 5


@dataclass(frozen=True)
class Side:
    """One of the two servers. databases: the users'.  size: of all data, in bytes.  free: in the file system of the
    data directory, None where that is not of this host.  clone: the plugin is loaded.  unfinished: see MARK.
    emptied: see EMPTIED.  readable: the login may read everything.  programs: those of mariadb-backup are on this host.
    elsewhere: settings that put files of the server outside of its data directory."""

    server: Server
    databases: tuple[str, ...] = ()
    size: int = 0
    free: Optional[int] = None
    clone: bool = False
    unfinished: bool = False
    emptied: bool = False
    readable: bool = True
    programs: bool = True
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    seconds: float = 0.0
    method: str = ""


@dataclass(frozen=True)
class SeedOperation(Operation):
    def plan(self, observed: Mapping[Key, Thing], order: Order) -> Plan:
        ((key, thing),) = observed.items()
        here: Side = thing.facts["here"]
        donor: Side = thing.facts["donor"]
        name = str(key[0])
        if here.server.id == donor.server.id:
            raise InvalidInput(
                f"The donor and {name} are the same server, or have the same id ({donor.server.id}).",
                hint="Nothing was changed.",
            )
        if here.server.dialect != donor.server.dialect:
            raise InvalidInput(
                f"The donor is {donor.server.dialect} {donor.server.version}, and {name} is {here.server.dialect} "
                f"{here.server.version}.",
                hint="Nothing was changed.",
            )
        if not self._needed(here, donor, str(order.options["if"])):
            return Plan()
        method = chosen(here, donor, str(order.options["method"]), backup=bool(order.options.get("backup_command")))
        after = {"databases": donor.databases, "unfinished": False}
        consent = self._consent(name, here, donor)
        options = (f"by {method} from {thing.facts['place']}",)
        return Plan(
            (
                Step(
                    SEED,
                    "server",
                    key,
                    thing.state,
                    after,
                    options,
                    consent=consent,
                    facts={**thing.facts, "method": method},
                ),
            )
        )

    @staticmethod
    def _needed(here: Side, donor: Side, condition: str) -> bool:
        if condition == ALWAYS or here.unfinished:
            return True
        if not here.databases:
            # A server that is as empty as the donor, and can follow it, lacks nothing.
            return bool(donor.databases) or bool(obstacles(here, donor))
        return condition == DIVERGED and bool(obstacles(here, donor))

    @staticmethod
    def _consent(name: str, here: Side, donor: Side) -> tuple[Consent, ...]:
        if not here.databases or here.emptied:
            return ()
        shown = ", ".join(here.databases[:_SHOWN])
        if len(here.databases) > _SHOWN:
            shown += f" and {len(here.databases) - _SHOWN} more"
        errant = dialect_for(here.server.version).lacked(History(here.server.has), History(donor.server.has), ())
        own = "".join(f"; of the donor: {text}" for text in errant)
        return (Consent(f"{RESEED}:{name}", f"its data is lost ({shown}){own}"),)

    @staticmethod
    def problems(step: Step) -> Sequence[str]:
        here: Side = step.facts["here"]
        donor: Side = step.facts["donor"]
        name, method = step.key[0], step.facts["method"]
        problems = []
        if donor.unfinished:
            problems.append("the donor itself holds a copy that did not come to its end, so it has not got everything")
        elif not donor.readable:
            problems.append("the donor's account may not read everything there, and what it does not see would be lost")
        elif here.databases and not donor.databases:
            problems.append(f"the donor has no data, and {name} has: are they the wrong way round?")
        if here.databases and here.server.writable and not here.unfinished:
            problems.append(
                f"{name} is writable: perhaps it is the one that others follow. Make it read-only first, with "
                "mysql_topology or SET GLOBAL read_only = 1"
            )
        if not (here.server.log_bin or here.server.dialect == "MySQL"):
            problems.append(f"{name} has no binary log (log_bin)")
        if donor.server.dialect == "MySQL" and not donor.server.gtid:
            problems.append("the donor has gtid_mode off, so the position of the copy could not be told")
        if donor.server.dialect == "MariaDB" and not donor.server.log_bin:
            problems.append("the donor has no binary log (log_bin), so nobody could follow it")
        # What is there goes first, also with a clone in place, but not where the copy is made beside.
        room = None if here.free is None else here.free + (0 if method == BACKUP else here.size)
        if room is not None and donor.size > room:
            problems.append(f"there is room for {_mib(room)}, and the donor has {_mib(donor.size)}")
        if method == BACKUP:
            problems += _without_backup(here, donor)
        if method == CLONE:
            problems += [f"the plugin clone is not loaded {where}" for where in _without_clone(here, donor)]
            if here.server.version != donor.server.version:
                problems.append(f"clone needs the same version: {here.server.version}, and {donor.server.version}")
        return problems

    def unmet(self, observed: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        ((key, thing),) = observed.items()
        here: Side = thing.facts["here"]
        if not here.databases:
            return ()
        return [Unmet(f"{key[0]} cannot follow the donor: {text}.") for text in obstacles(here, thing.facts["donor"])]

    def values(self, observed: Mapping[Key, Thing], order: Order) -> Mapping[str, Any]:
        ((_key, thing),) = observed.items()
        progress: Progress = thing.facts["progress"]
        return {
            "method": progress.method,
            "seconds": round(progress.seconds, 3),
            "position": thing.facts["here"].server.has.replace("\n", ""),
        }


def obstacles(here: Side, donor: Side) -> Sequence[str]:
    """Why this server cannot follow the donor."""
    dialect = dialect_for(here.server.version)
    return dialect.obstacles(History(here.server.has), History(donor.server.has, donor.server.purged), ())


def chosen(here: Side, donor: Side, method: str, *, backup: bool = False) -> str:
    """The method, where it is ours to choose or is of the other dialect's. backup: we are told how to run
    mariadb-backup at the donor."""
    mysql = here.server.dialect == "MySQL"
    if method == AUTO and not mysql:
        return BACKUP if backup and not _without_backup(here, donor) else DUMP
    if method == BACKUP and mysql:
        raise InvalidInput("method: mariadb_backup is MariaDB's; this is MySQL.", hint="Use clone, or dump.")
    if method == BACKUP and not backup:
        raise InvalidInput(
            "method: mariadb_backup needs backup_command.",
            hint="Say how it is run at the donor, as [ssh, root@192.0.2.12, mariadb-backup].",
        )
    if method == AUTO:
        cloneable = mysql and here.server.version == donor.server.version and not _without_clone(here, donor)
        return CLONE if cloneable else DUMP
    if method == CLONE and not mysql:
        raise InvalidInput("method: clone is MySQL's; this is MariaDB.", hint="Use dump.")
    return method


def _without_clone(here: Side, donor: Side) -> Sequence[str]:
    return [where for where, side in (("here", here), ("at the donor", donor)) if not side.clone]


def _without_backup(here: Side, donor: Side) -> Sequence[str]:
    """Why mariadb-backup cannot be used."""
    problems = []
    if not here.programs:
        problems.append("mariadb-backup and mbstream are not on this host; install mariadb-backup")
    if here.free is None:
        problems.append("the server's data directory is not on this host, where mariadb_backup has to put the copy")
    ours, theirs = (dialect_for(side.server.version).version[:2] for side in (here, donor))
    if ours != theirs:
        problems.append(f"mariadb_backup needs the same version: {here.server.version}, and {donor.server.version}")
    if here.elsewhere:
        problems.append(f"files of this server are outside of its data directory ({', '.join(here.elsewhere)})")
    if not donor.server.log_updates:
        problems.append("the donor does not log what it receives (log_slave_updates), so the copy has no position")
    return problems


def _mib(size: int) -> str:
    return f"{size / 1024**2:.0f} MiB"


SEEDING = SeedOperation(
    name="seeding",
    words=(RESEED,),
    fields=(
        Field("name", Plain(longest=255), required=True),
        Field("if", choices=(EMPTY, DIVERGED, ALWAYS), default=EMPTY),
        Field("method", choices=(AUTO, CLONE, BACKUP, DUMP), default=AUTO),
        Field("dump_command", Words(), type="list", elements="str"),
        Field("client_command", Words(), type="list", elements="str"),
        Field("backup_command", Words(), type="list", elements="str"),
        Field("stop_command", Words(), type="list", elements="str"),
        Field("start_command", Words(), type="list", elements="str"),
    ),
)
