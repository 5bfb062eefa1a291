# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Data directories as a new server has them, made once and copied: making one takes ten times as long."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from lab.mysql.programs import MARIADB, WORK, Programs

ADMIN, ADMIN_PASSWORD = "admin", "lab-admin"
REPLICATION, REPLICATION_PASSWORD = "repl", "lab-replication"
# A server refuses to be root's. Nobody else's either: the folders are given away before.
UNPRIVILEGED = (65534, 65534)
# Small, or every copy has hundreds of megabytes.
SMALL = ("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M")
SMALL_MYSQL = ("--innodb-buffer-pool-size=64M", "--innodb-redo-log-capacity=8M")
_ACCOUNTS = (
    f"CREATE USER '{ADMIN}'@'%' IDENTIFIED BY '{ADMIN_PASSWORD}';",
    f"GRANT ALL PRIVILEGES ON *.* TO '{ADMIN}'@'%' WITH GRANT OPTION;",
    f"CREATE USER '{REPLICATION}'@'%' IDENTIFIED BY '{REPLICATION_PASSWORD}';",
    f"GRANT REPLICATION SLAVE ON *.* TO '{REPLICATION}'@'%';",
)


def account() -> tuple[int, int]:
    """The user and group servers run as."""
    return UNPRIVILEGED if os.geteuid() == 0 else (os.geteuid(), os.getegid())


def give_away(folder: Path) -> None:
    """Make a folder and all in it the servers' own."""
    if os.geteuid() != 0:
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, *UNPRIVILEGED)


def run_as_server(command: list[str], cwd: Path, timeout: float = 180) -> None:
    user, group = account()
    done = subprocess.run(
        command,
        cwd=cwd,
        user=user,
        group=group,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def prepared(programs: Programs) -> Path:
    """The data directory to copy."""
    version = subprocess.run(
        [*programs.server, "--no-defaults", *programs.options, "--version"], capture_output=True, text=True, check=True
    )
    words = version.stdout.split()
    number = words[words.index("Ver") + 1]
    folder = WORK / f"data-{programs.dialect}-{number}"
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "data.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _make(programs, folder)
    return folder


def _make(programs: Programs, folder: Path) -> None:
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    # Below a folder that everybody may enter: the server's user cannot look into root's.
    made = Path("/tmp") / f"{folder.name}-{os.getpid()}"
    made.mkdir(mode=0o755)
    try:
        # MariaDB begins without its tables of accounts.
        first = ("FLUSH PRIVILEGES;",) if programs.dialect == MARIADB else ()
        (made / "accounts.sql").write_text("\n".join((*first, *_ACCOUNTS)) + "\n")
        data = made / "data"
        data.mkdir()
        give_away(made)
        accounts, datadir = made / "accounts.sql", f"--datadir={data}"
        if programs.dialect == MARIADB:
            more = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--extra-file={accounts}"]
            command = [*programs.tool("mariadb-install-db"), "--no-defaults", datadir, *more, *SMALL]
        else:
            command = [*programs.server, "--no-defaults", *programs.options, datadir, *SMALL_MYSQL]
            command += ["--initialize-insecure", f"--init-file={accounts}", f"--log-error={made / 'error.log'}"]
        try:
            run_as_server(command, made)
        except RuntimeError as problem:
            log = made / "error.log"
            raise RuntimeError(f"{problem}\n{log.read_text()[-2000:] if log.exists() else ''}") from None
        # Two servers with the same would take each other for themselves.
        (data / "auto.cnf").unlink(missing_ok=True)
        shutil.copytree(data, unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
