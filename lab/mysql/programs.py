# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The servers' programs: MariaDB's from this machine's packages, MySQL's unpacked beside, from Debian's unstable.

Both cannot be installed together, and MySQL is in no released Debian. So its packages are unpacked below .work/mysql
with the libraries they need, and started by their own dynamic loader: nothing of it is installed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.mirrors import mirror

WORK = Path(__file__).resolve().parent.parent.parent / ".work" / "mysql"
MARIADB, MYSQL = "mariadb", "mysql"
DIALECTS = (MARIADB, MYSQL)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SUITE = "sid"
_PACKAGES = ("mysql-server-core", "mysql-client-core")


@dataclass(frozen=True)
class Programs:
    """How to run the programs of one dialect. prefix: what comes before the server's program and before options."""

    dialect: str
    server: tuple[str, ...]
    folder: Path
    options: tuple[str, ...] = ()

    def tool(self, name: str) -> list[str]:
        """The command of a program beside the server, for example mysqldump."""
        if self.dialect == MARIADB:
            return [shutil.which(name, path=_PATH) or name]
        return [*_loader(self.folder), str(self.folder / "usr" / "bin" / name)]


def why_not(dialect: str) -> str:
    """Why the servers of a dialect cannot run here; empty where they can."""
    if dialect == MARIADB:
        wanted = ("mariadbd", "mariadb-install-db", "my_print_defaults")
        missing = [name for name in wanted if not shutil.which(name, path=_PATH)]
        return "mariadb-server-core and mariadb-client-core are not installed" if missing else ""
    if _unpacked().exists():
        return ""
    if os.geteuid() != 0:
        return "unpacking MySQL's packages needs root"
    return "" if shutil.which("mmdebstrap", path=_PATH) else "mmdebstrap is not installed"


def programs(dialect: str) -> Programs:
    """The programs of a dialect. MySQL's are fetched the first time, which takes half a minute."""
    problem = why_not(dialect)
    if problem:
        raise RuntimeError(problem)
    if dialect == MARIADB:
        return Programs(MARIADB, (str(shutil.which("mariadbd", path=_PATH)),), Path("/usr"))
    folder = _unpacked()
    _unpack(folder)
    share = folder / "usr" / "share" / "mysql"
    options = (
        f"--basedir={folder / 'usr'}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        f"--plugin-dir={folder / 'usr' / 'lib' / 'mysql' / 'plugin'}",
    )
    return Programs(MYSQL, (*_loader(folder), str(folder / "usr" / "sbin" / "mysqld")), folder, options)


def _unpacked() -> Path:
    return WORK / _SUITE


def _loader(folder: Path) -> list[str]:
    (loader,) = folder.glob("usr/lib/*/ld-linux-*.so.*")
    return [str(loader), "--library-path", str(loader.parent)]


def _unpack(folder: Path) -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return
        print("Unpacking MySQL from Debian's packages (half a minute, once) …", flush=True)
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        command = ["mmdebstrap", "--variant=extract", "--quiet", f"--include={','.join(_PACKAGES)}"]
        command += ['--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Check-Valid-Until "false"']
        command += ["--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*"]
        command += [_SUITE, str(unfinished), mirror()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode:
            raise RuntimeError(f"mmdebstrap could not unpack MySQL: {done.stderr.strip()[-1000:]}")
        unfinished.rename(folder)
