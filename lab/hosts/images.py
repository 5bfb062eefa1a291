# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The hosts' images: made by mmdebstrap of the release and from the mirrors that this machine's own apt uses.

An image is kept as a tar file below .work/hosts, under a name with the hash of its recipe, and imported again from it.
"""

from __future__ import annotations

import fcntl
import hashlib
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.hosts.podman import WORK, podman, program
from lab.mirrors import release_and_mirrors
from lab.mysql.programs import MYSQL as MYSQL_DIALECT
from lab.mysql.programs import programs

_PREFIX = "localhost/hospital-continuity"


@dataclass(frozen=True)
class Recipe:
    """An image: packages upon another image's, or a whole system, and commands run in it at the end.

    shm_size: of /dev/shm in its containers, where podman's 64 MB do not do. It is no part of the image.
    files: written before the commands, by their paths.  mysql: with MySQL's programs below /opt/mysql, see lab.mysql.
    """

    name: str
    packages: tuple[str, ...]
    commands: tuple[str, ...] = ()
    base: Recipe | None = None
    shm_size: str = field(default="", repr=False)
    files: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    mysql: bool = field(default=False, repr=False)

    @property
    def tag(self) -> str:
        made = (self, platform.freedesktop_os_release().get("VERSION_CODENAME", ""), _DEBOOTSTRAP)
        text = repr(made) + (repr((self.files, self.mysql)) if self.files or self.mysql else "")
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def image(self) -> str:
        return f"{_PREFIX}/{self.name}:{self.tag}"

    @property
    def tar(self) -> Path:
        return WORK / f"{self.name}-{self.tag}.tar"


_DEBOOTSTRAP = (
    "--variant=minbase",
    "--quiet",
    '--aptopt=Acquire::Check-Valid-Until "false"',
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
)

# Consoles, logins, devices, kernel settings and timers are this machine's: a privileged container would change them.
_MASKED = (
    "getty.target console-getty.service systemd-logind.service systemd-udevd.service systemd-udevd-kernel.socket "
    "systemd-udevd-control.socket systemd-udev-trigger.service systemd-binfmt.service systemd-sysctl.service "
    "systemd-modules-load.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer "
    "e2scrub_reap.service fstrim.timer"
)

BASE = Recipe(
    "base",
    (
        "apt",
        "ca-certificates",
        "dbus",
        "ethtool",
        "iproute2",
        "iputils-ping",
        "nftables",
        "openssh-server",
        "procps",
        "python3",
        "python3-apt",
        "sudo",
        "systemd",
        "systemd-sysv",
        "udev",
    ),
    (": > /etc/machine-id", f"systemctl mask {_MASKED}"),
)
OVS = Recipe("ovs", ("openvswitch-switch", "ifupdown2", "tcpdump"), base=BASE)

SCST = Recipe("scst", ("fuse3", "kmod"), base=BASE)

# What starts by itself would start without its configuration, so the roles enable it.
MARIADB = Recipe(
    "mariadb",
    ("mariadb-server", "mariadb-backup", "python3-pymysql", "rsync"),
    ("systemctl disable mariadb.service",),
    base=BASE,
)
# Pacemaker's schemas come with pacemaker-common; corosync keeps its ring buffers in /dev/shm.
_CLUSTER = (
    "corosync",
    "corosync-qdevice",
    "corosync-qnetd",
    "fence-agents",
    "libxml2-utils",  # what ocf-tester looks at an agent's description with
    "nginx-light",
    "pacemaker",
    "pacemaker-cli-utils",
    "resource-agents",
)
_NO_CLUSTER = "systemctl disable corosync corosync-qdevice corosync-qnetd pacemaker nginx"
HA = Recipe("ha", _CLUSTER, (_NO_CLUSTER,), base=MARIADB, shm_size="256m")

# MySQL is in no released Debian. Its programs are those of Debian's unstable, with their own libraries; the rest is
# made here as its packages make it: a user, a data directory, root by the socket, a unit. The cluster is as in `ha`.
_MYSQL_UNIT = """[Unit]
Description=MySQL Community Server
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
User=mysql
Group=mysql
RuntimeDirectory=mysqld
RuntimeDirectoryMode=0755
ExecStart=/usr/sbin/mysqld
TimeoutSec=infinity
Restart=on-failure
RestartPreventExitStatus=1
LimitNOFILE=10000

[Install]
WantedBy=multi-user.target
"""
_MYSQL_FOLDERS = "\n".join(f"!includedir /etc/mysql/{name}/" for name in ("conf.d", "mysql.conf.d")) + "\n"
_MYSQL_SETTINGS = """[mysqld]
user = mysql
basedir = /opt/mysql/usr
lc_messages_dir = /opt/mysql/usr/share/mysql
character_sets_dir = /opt/mysql/usr/share/mysql/charsets
plugin_dir = /opt/mysql/usr/lib/mysql/plugin
datadir = /var/lib/mysql
socket = /run/mysqld/mysqld.sock
pid_file = /run/mysqld/mysqld.pid
log_error = /var/log/mysql/error.log
innodb_buffer_pool_size = 128M
innodb_redo_log_capacity = 32M
# The kernel has only so many requests for all hosts (fs.aio-max-nr).
innodb_use_native_aio = OFF
mysqlx = OFF

[client]
socket = /run/mysqld/mysqld.sock
"""
_MYSQL_PROGRAMS = ("mysql", "mysqladmin", "mysqlbinlog", "mysqldump")
_MYSQL_ROOT = """INSTALL PLUGIN auth_socket SONAME 'auth_socket.so';
ALTER USER root@localhost IDENTIFIED WITH auth_socket;
"""
_OWN_LIBRARIES = (
    "set -e; cd /opt/mysql/usr; libraries=$(dirname $(ls $PWD/lib/*/ld-linux-*.so.*)); "
    "for program in *bin/mysql*; do "
    "patchelf --set-interpreter $(ls $libraries/ld-linux-*.so.*) --force-rpath --set-rpath $libraries $program; "
    "ln -s $PWD/$program /usr/$program; done"
)
_MYSQL_DATA = (
    "set -e; useradd --system --home-dir /nonexistent --shell /bin/false mysql; "
    "mkdir -p /etc/mysql/conf.d; install -d -o mysql -g mysql -m 750 /var/lib/mysql /var/log/mysql "
    "/var/lib/mysql-files; "
    "mysqld --initialize-insecure --init-file=/opt/mysql/root.sql; rm /var/lib/mysql/auto.cnf /opt/mysql/root.sql"
)
MYSQL = Recipe(
    "mysql",
    (*_CLUSTER, "patchelf", "python3-cryptography", "python3-pymysql", "rsync"),
    (_OWN_LIBRARIES, _MYSQL_DATA, _NO_CLUSTER),
    base=BASE,
    shm_size="256m",
    files=(
        ("/etc/mysql/my.cnf", _MYSQL_FOLDERS),
        ("/etc/mysql/mysql.conf.d/mysqld.cnf", _MYSQL_SETTINGS),
        ("/etc/systemd/system/mysql.service", _MYSQL_UNIT),
        ("/opt/mysql/root.sql", _MYSQL_ROOT),
    ),
    mysql=True,
)

SYNC = Recipe("sync", ("lsyncd", "rsync", "attr"), base=BASE)

# A hospital's database server with everything that follows the active side.
SILVERCREEK = Recipe(
    "silvercreek",
    ("age", "attr", "curl", "haproxy", "lsyncd", "zstd"),
    ("systemctl disable haproxy",),
    base=HA,
    shm_size=HA.shm_size,
)

# What a pair is compared with.
KEEPALIVED = Recipe("keepalived", ("keepalived",), ("systemctl disable keepalived.service",), base=MARIADB)

RECIPES = {recipe.name: recipe for recipe in (BASE, OVS, SCST, MARIADB, HA, MYSQL, SYNC, SILVERCREEK, KEEPALIVED)}


def ensure(recipe: Recipe) -> str:
    """Make, import or find the image; its name for podman. Takes about a minute the first time."""
    with _alone():
        if not _exists(recipe):
            _find_or_make(recipe)
            _forget_older(recipe)
    return recipe.image


def _exists(recipe: Recipe) -> bool:
    return bool(podman("images", "--quiet", recipe.image).strip())


def _find_or_make(recipe: Recipe) -> None:
    if not recipe.tar.exists():
        _make(recipe)
    elif recipe.base:
        podman("load", "--quiet", "--input", str(recipe.tar), timeout=300)
    else:
        _import(recipe)


def _make(recipe: Recipe) -> None:
    # Under another name until it is whole: a run may be killed here.
    unfinished = recipe.tar.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    if recipe.base is None:
        print(f"Making the image {recipe.name} with mmdebstrap (about a minute, once) …", flush=True)
        release, mirrors = release_and_mirrors()
        hooks = [f'--customize-hook=chroot "$1" sh -c "{command}"' for command in recipe.commands]
        packages = f"--include={','.join(recipe.packages)}"
        program(
            "mmdebstrap",
            *_DEBOOTSTRAP,
            packages,
            *hooks,
            "--format=tar",
            release,
            str(unfinished),
            *mirrors,
            timeout=900,
        )
        unfinished.rename(recipe.tar)
        _import(recipe)
        return
    if not _exists(recipe.base):
        _find_or_make(recipe.base)
    print(f"Making the image {recipe.name} upon {recipe.base.name} …", flush=True)
    install = (
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
        f"{' '.join(recipe.packages)} && apt-get clean && rm -rf /var/lib/apt/lists/*"
    )
    with TemporaryDirectory() as context:
        _write(recipe, Path(context, "files"))
        steps = [f"FROM {recipe.base.image}", f"RUN {install}", "COPY files/ /"]
        steps += [f"RUN {command}" for command in recipe.commands]
        Path(context, "Containerfile").write_text("\n".join(steps) + "\n")
        # The machine's own network and resolver, and no namespaces: it is no more than a chroot that apt works in.
        podman("build", "--quiet", "--network=host", "--isolation=chroot", "--tag", recipe.image, context, timeout=600)
    podman("save", "--quiet", "--output", str(unfinished), recipe.image, timeout=300)
    unfinished.rename(recipe.tar)


def _write(recipe: Recipe, folder: Path) -> None:
    folder.mkdir()
    for path, text in recipe.files:
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    if recipe.mysql:
        theirs, ours = programs(MYSQL_DIALECT).folder / "usr", folder / "opt" / "mysql" / "usr"
        for part in ("sbin/mysqld", *(f"bin/{name}" for name in _MYSQL_PROGRAMS), "lib", "share/mysql"):
            (ours / part).parent.mkdir(parents=True, exist_ok=True)
            program("cp", "--archive", str(theirs / part), str(ours / part))


def _import(recipe: Recipe) -> None:
    changes = ['CMD ["/sbin/init"]', "STOPSIGNAL SIGRTMIN+3"]
    words = [word for change in changes for word in ("--change", change)]
    podman("import", "--quiet", *words, str(recipe.tar), recipe.image, timeout=300)


def _forget_older(recipe: Recipe) -> None:
    for tar in WORK.glob(f"{recipe.name}-*.tar"):
        if tar != recipe.tar:
            tar.unlink()
    listed = podman("images", "--format", "{{.Repository}}:{{.Tag}}", f"{_PREFIX}/{recipe.name}").split()
    for image in listed:
        if image != recipe.image:
            with suppress(RuntimeError):  # still in use by a set of another clone
                podman("rmi", image)


@contextmanager
def _alone() -> Iterator[None]:
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def clean() -> None:
    """Remove images and tar files."""
    for recipe in RECIPES.values():
        recipe.tar.unlink(missing_ok=True)
        with suppress(RuntimeError, subprocess.SubprocessError):
            podman("rmi", recipe.image)
