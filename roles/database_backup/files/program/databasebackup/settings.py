# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the role wrote, and where things are on this host."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Mapping

from databasebackup.retention import Policy

MARIADB, MYSQL = "mariadb", "mysql"


class Refused(Exception):
    """Not done; the text says why, and what to do."""


@dataclass(frozen=True)
class Places:
    """Directories of the program. Tests have others."""

    etc: Path = Path("/etc/hospital.continuity/database_backup")
    var: Path = Path("/var/lib/hospital.continuity/database_backup")
    run: Path = Path("/run/hospital.continuity/database_backup")

    @property
    def dump_login(self) -> Path:
        """The option file with which this host's server is asked and dumped."""
        return self.etc / "dump.cnf"

    @property
    def ship_login(self) -> Path:
        """The option file with which the writer is asked for its logs."""
        return self.etc / "ship.cnf"

    @property
    def recipients(self) -> Path:
        return self.etc / "recipients"

    @property
    def identity(self) -> Path:
        return self.etc / "identity"


@dataclass(frozen=True)
class Settings:
    """name: of this host.  directory: of backups and logs.  restores: of side instances.  user: of the servers started
    here.  programs: argv of server, install, client, dump, binlog.  mountpoint: what has to be mounted, or empty.
    Times are in seconds."""

    name: str
    dialect: str
    directory: Path
    restores: Path
    mountpoint: str = ""
    encrypted: bool = True
    user: str = "mysql"
    unit: str = ""
    systemd: bool = True
    max_lag: int = 300
    on_writer: bool = True
    max_age: int = 8 * 3600
    max_log_lag: int = 60
    log_days: int = 14
    dump_id: int = 4000000001
    ship_poll: float = 5.0
    minimum_free: int = 1 << 30
    policy: Policy = field(default_factory=Policy)
    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def backups(self) -> Path:
        return self.directory / "backups"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"


def load(places: Places) -> Settings:
    """Raises Refused where the role has not been here."""
    path = places.etc / "settings.json"
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise Refused(f"{path} does not exist: the role database_backup has not been applied to this host.") from None
    except (OSError, ValueError) as problem:
        raise Refused(f"{path} cannot be read: {problem}") from None
    data["programs"] = {name: tuple(words) for name, words in data["programs"].items()}
    data["policy"] = Policy(**data["policy"])
    data["directory"], data["restores"] = Path(data["directory"]), Path(data["restores"])
    return Settings(**data)
