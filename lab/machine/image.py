# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The image of a machine: a tree of Debian packages made by mmdebstrap, on an ext4 disk, with its kernel beside it."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.machine import cache, initrd
from lab.machine.programs import PATH, CannotRun, run
from lab.machine.progress import Progress
from lab.machine.recipe import Recipe


@dataclass(frozen=True)
class Image:
    """The folder of a built image: disk, kernel, initrd, the key that root lets in and the machine's own."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def key(self) -> Path:
        return self.folder / "id_ed25519"

    @property
    def host_key(self) -> str:
        """The machine's public key."""
        return (self.folder / "ssh_host_ed25519_key.pub").read_text()


def key(recipe: Recipe) -> str:
    """Changes with everything that goes into the image."""
    source = b"".join(Path(module).read_bytes() for module in (__file__, initrd.__file__))
    return hashlib.sha256(repr(recipe).encode() + source).hexdigest()[:16]


def built(recipe: Recipe, progress: Progress) -> Image:
    """The image, made now or in an earlier run."""
    folder = cache.ROOT / f"{recipe.name}-{key(recipe)}"
    with cache.locked(recipe.name):
        if not folder.exists():
            cache.forget(recipe.name)
            with cache.made(folder) as unfinished:
                _build(recipe, unfinished, progress)
    return Image(folder)


def _build(recipe: Recipe, folder: Path, progress: Progress) -> None:
    for name in ("id_ed25519", "ssh_host_ed25519_key"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name))
    # Not below the cache: apt's own user has to be able to enter it.
    with tempfile.TemporaryDirectory(prefix="machine-", dir=os.environ.get("TMPDIR", "/var/tmp")) as temporary:
        tree = Path(temporary) / "tree"
        with progress.step("unpacking Debian packages"):
            _unpack(recipe, tree, folder)
        with progress.step("making the disk"):
            _settle(recipe, tree, folder)
            kernel = max((tree / "boot").glob("vmlinuz-*"))
            shutil.copy(kernel, folder / "vmlinuz")
            (folder / "initrd").write_bytes(initrd.make(tree, kernel.name.removeprefix("vmlinuz-")))
            run("mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", str(tree), str(folder / "disk.raw"), recipe.disk)


def _unpack(recipe: Recipe, tree: Path, folder: Path) -> None:
    command = [
        *("mmdebstrap", "--quiet", "--mode=root", "--format=directory", "--variant=minbase"),
        f"--include={','.join(recipe.packages)}",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.left_out),
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--aptopt=APT::Install-Recommends "false"',
        '--aptopt=Acquire::Languages "none"',
        *(f'--customize-hook=chroot "$1" sh -ec {shlex.quote(line)}' for line in recipe.commands),
        recipe.suite,
        str(tree),
        *_sources(recipe),
    ]
    # INITRD=No: the kernel package would have Debian's initial RAM disk made, see initrd.py.
    environment = {**os.environ, "PATH": PATH, "LC_ALL": "C.UTF-8", "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive"}
    log = folder / "build.log"
    with log.open("wb") as output:
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if done.returncode != 0:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CannotRun(f"mmdebstrap could not make the machine's image:\n{said}")


def _settle(recipe: Recipe, tree: Path, folder: Path) -> None:
    """What is different in every image, or must be there before the first start."""
    for path, text in recipe.files.items():
        _write(tree, path, text)
    (tree / "etc/resolv.conf").unlink(missing_ok=True)  # of the host; there is no name server
    _write(tree, "/etc/machine-id", uuid.uuid4().hex + "\n")  # else the machine takes its start for its first
    _write(tree, "/root/.ssh/authorized_keys", (folder / "id_ed25519.pub").read_text(), 0o600)
    for made_by_debian in (tree / "etc/ssh").glob("ssh_host_*"):
        made_by_debian.unlink()
    _write(tree, "/etc/ssh/ssh_host_ed25519_key", (folder / "ssh_host_ed25519_key").read_text(), 0o600)
    _write(tree, "/etc/ssh/ssh_host_ed25519_key.pub", (folder / "ssh_host_ed25519_key.pub").read_text())


def _write(tree: Path, path: str, text: str, mode: int = 0o644) -> None:
    target = tree / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
    target.write_text(text)
    target.chmod(mode)


def _sources(recipe: Recipe) -> Iterator[str]:
    """Lines of sources.list for the recipe's suite, on the mirrors that this host's own apt uses."""
    ask = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)")
    if not run(*ask).strip():
        run("apt-get", "-qq", "update")
    mirrors: dict[str, str] = {}
    for line in run(*ask).splitlines():
        origin, label, uri = line.split("|")
        if origin == "Debian":
            mirrors.setdefault(label, uri)
    if "Debian" not in mirrors:
        raise CannotRun("apt on this host knows no mirror of Debian, from which the machine's packages could be taken")
    components = " ".join(recipe.components)
    for suite in (recipe.suite, f"{recipe.suite}-updates"):
        yield f"deb {mirrors['Debian']} {suite} {components}"
    if "Debian-Security" in mirrors:
        yield f"deb {mirrors['Debian-Security']} {recipe.suite}-security {components}"
