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
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lab.hosts.podman import WORK, podman, program

_PREFIX = "localhost/hospital-continuity"


@dataclass(frozen=True)
class Recipe:
    """An image: packages upon another image's, or a whole system, and commands run in it at the end."""

    name: str
    packages: tuple[str, ...]
    commands: tuple[str, ...] = ()
    base: Recipe | None = None

    @property
    def tag(self) -> str:
        text = repr((self, platform.freedesktop_os_release().get("VERSION_CODENAME", ""), _DEBOOTSTRAP))
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

RECIPES = {recipe.name: recipe for recipe in (BASE, OVS, SCST)}


def ensure(recipe: Recipe) -> str:
    """Make, import or find the image; its name for podman. Takes about a minute the first time."""
    with _alone():
        if not _exists(recipe):
            if not recipe.tar.exists():
                _make(recipe)
            elif recipe.base:
                podman("load", "--quiet", "--input", str(recipe.tar), timeout=300)
            else:
                _import(recipe)
            _forget_older(recipe)
    return recipe.image


def _exists(recipe: Recipe) -> bool:
    return bool(podman("images", "--quiet", recipe.image).strip())


def _make(recipe: Recipe) -> None:
    # Under another name until it is whole: a run may be killed here.
    unfinished = recipe.tar.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    if recipe.base is None:
        print(f"Making the image {recipe.name} with mmdebstrap (about a minute, once) …", flush=True)
        release, mirrors = _release_and_mirrors()
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
        if recipe.base.tar.exists():
            _import(recipe.base)
        else:
            _make(recipe.base)
    print(f"Making the image {recipe.name} upon {recipe.base.name} …", flush=True)
    install = (
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "
        f"{' '.join(recipe.packages)} && apt-get clean && rm -rf /var/lib/apt/lists/*"
    )
    with TemporaryDirectory() as context:
        steps = [f"FROM {recipe.base.image}", *(f"RUN {command}" for command in (install, *recipe.commands))]
        Path(context, "Containerfile").write_text("\n".join(steps) + "\n")
        # The machine's own network and resolver, and no namespaces: it is no more than a chroot that apt works in.
        podman("build", "--quiet", "--network=host", "--isolation=chroot", "--tag", recipe.image, context, timeout=600)
    podman("save", "--quiet", "--output", str(unfinished), recipe.image, timeout=300)
    unfinished.rename(recipe.tar)


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


def _release_and_mirrors() -> tuple[str, list[str]]:
    """This machine's Debian or Ubuntu release, and its sources as apt knows them, whatever files they stand in."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    lines = _sources(release)
    if not lines:  # an image of a machine comes without apt's lists
        program("apt-get", "-o", "DPkg::Lock::Timeout=300", "update", "-qq", timeout=300)
        lines = _sources(release)
    if not lines:
        raise RuntimeError(f"apt has no source for the release '{release}' of this machine")
    return release, lines


def _sources(release: str) -> list[str]:
    wanted = (release, f"{release}-updates", f"{release}-security")
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    found: dict[tuple[str, str], list[str]] = {}
    for line in program("apt-get", "indextargets", "--format", fields, "Identifier: Packages").splitlines():
        uri, suite, component = line.split()
        if suite in wanted and component in ("main", "universe"):
            found.setdefault((uri, suite), []).append(component)
    if not any(suite == release for _uri, suite in found):
        return []
    return [f"deb {uri} {suite} {' '.join(sorted(set(parts)))}" for (uri, suite), parts in found.items()]


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
