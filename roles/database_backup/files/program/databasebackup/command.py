# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""database_backup run|verify|list|status|ship|restore|side|export, as a person, systemd and Ansible call it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from databasebackup import backups, records, restore, swap
from databasebackup.prune import prune, readable
from databasebackup.settings import Places, Refused, Settings, load
from databasebackup.ship import ship
from databasebackup.status import RUN, UNKNOWN, report, verdict
from databasebackup.take import take
from databasebackup.times import told
from databasebackup.verify import verify


def main(words: Sequence[str], places: Places | None = None) -> int:
    """Returns the exit code."""
    places = places or Places()
    arguments = _parser().parse_args(list(words))
    try:
        settings = load(places)
        return int(arguments.act(settings, places, arguments))
    except (Refused, OSError) as problem:
        if getattr(arguments, "json", False):
            _print({"failed": True, "changed": False, "msg": str(problem)})
        sys.stderr.write(f"{problem}\n")
        return UNKNOWN if arguments.command == "status" else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="database_backup", description="Backups of a database, and what they are good for."
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, act: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(act=act)
        return added

    command("run", _run, "take a backup, verify it, and take away what the policy no longer keeps")
    again = command("verify", _verify, "restore a backup beside and look at it; by default the newest")
    again.add_argument("backup", nargs="?", default="")
    again.add_argument("--all", action="store_true")
    command("list", _list, "the backups, as JSON")
    command("status", _status, "as JSON; exit code 0 fine, 1 a backup or the logs are late, 2 an error")
    command("ship", _ship, "receive the writer's binary logs; systemd runs it")
    back = command("restore", _restore, "the database of a given second in a side instance")
    back.add_argument("--to", required=True, help="'2026-11-22 14:03:17' (that second is still in it), or latest")
    back.add_argument("--name", default="", help="of the side instance; by default the time")
    back.add_argument("--json", action="store_true")
    back.add_argument("--unless-swapped", action="store_true", help="nothing where it is in the server's place already")
    back.add_argument("--check", action="store_true", help="only say what would be done")
    beside = command("side", _side, "start, stop or remove a side instance")
    beside.add_argument("what", choices=["start", "stop", "remove"])
    beside.add_argument("name")
    beside.add_argument("--json", action="store_true")
    hidden = command("side-run", _side_run, "be a side instance; systemd runs it")
    hidden.add_argument("name")
    out = command("export", _export, "SQL of a side instance's tables, to standard output")
    out.add_argument("name")
    out.add_argument("database")
    out.add_argument("table", nargs="*")
    swapped = command("swap", _swap, "put a side instance in the place of this host's server")
    swapped.add_argument("name")
    swapped.add_argument("--allow", default="", help="consent: replace_database:<this host>")
    swapped.add_argument("--json", action="store_true")
    swapped.add_argument("--check", action="store_true", help="refuse what would be refused, and do nothing")
    return parser


def _print(data: Any) -> None:
    sys.stdout.write(json.dumps(data, indent=1) + "\n")


def _run(settings: Settings, places: Places, _arguments: argparse.Namespace) -> int:
    record: dict[str, Any] = {"at": backups.now(), "error": None}
    try:
        with records.alone(places.run / "backup.lock", "a backup"):
            made = take(settings, places)
            record["backup"] = made.name
            if readable(settings, places):
                made = verify(settings, places, made)
                if not made.verified:
                    raise Refused(str(made.verification["error"]))
            record["removed"] = prune(settings, places)
    except (Refused, OSError) as problem:
        record["error"] = str(problem)
        raise
    finally:
        records.write(places.var / RUN, record)
    _print({"backup": made.name, "verified": made.verified, "removed": record["removed"]})
    return 0


def _verify(settings: Settings, places: Places, arguments: argparse.Namespace) -> int:
    found = backups.listed(settings)
    if not found:
        raise Refused(f"There is no backup in {settings.backups}.")
    those = found if arguments.all else [backups.one(settings, arguments.backup) if arguments.backup else found[-1]]
    with records.alone(places.run / "backup.lock", "a verification"):
        results = [verify(settings, places, one) for one in those]
    _print([{"backup": one.name, **one.verification} for one in results])
    return 0 if all(one.verified for one in results) else 1


def _list(settings: Settings, _places: Places, _arguments: argparse.Namespace) -> int:
    wanted = ("host", "server", "role", "position", "size", "dump_size", "encrypted")
    _print(
        [
            {
                "backup": one.name,
                "taken": told(one.taken),
                **{name: one.manifest[name] for name in wanted},
                "verified": one.verified,
                "verification": one.verification,
            }
            for one in backups.listed(settings)
        ]
    )
    return 0


def _status(settings: Settings, places: Places, _arguments: argparse.Namespace) -> int:
    found = report(settings, places)
    _print(found)
    return verdict(found)


def _ship(settings: Settings, places: Places, _arguments: argparse.Namespace) -> int:
    ship(settings, places)
    return 0


def _restore(settings: Settings, places: Places, arguments: argparse.Namespace) -> int:
    done = records.read(places.var / swap.DONE) if arguments.unless_swapped else {}
    if done and done["to"] == arguments.to.strip() and done["name"] not in restore.names(settings):
        _print({**done, "changed": False})
        return 0
    _print(restore.restore(settings, places, arguments.to, arguments.name, check=arguments.check))
    return 0


def _side(settings: Settings, _places: Places, arguments: argparse.Namespace) -> int:
    act = {"start": restore.start, "stop": restore.stop, "remove": restore.remove}[arguments.what]
    _print({"changed": act(settings, arguments.name), "name": arguments.name})
    return 0


def _side_run(settings: Settings, _places: Places, arguments: argparse.Namespace) -> int:
    restore.side(settings, arguments.name).become()
    return 0


def _export(settings: Settings, _places: Places, arguments: argparse.Namespace) -> int:
    return restore.export(settings, arguments.name, arguments.database, arguments.table)


def _swap(settings: Settings, places: Places, arguments: argparse.Namespace) -> int:
    _print(swap.swap(settings, places, arguments.name, arguments.allow.split(","), check=arguments.check))
    return 0
