# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The state of a machine that has just booted, saved once: from it a machine is up in seconds instead of a minute."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from lab.machine import cache
from lab.machine.image import Image
from lab.machine.programs import run
from lab.machine.progress import Progress
from lab.machine.qemu import Qemu, command
from lab.machine.recipe import Recipe
from lab.machine.shell import Shell

# Half a minute of a whole processor. Beside other suites it may get a tenth of one.
BOOT_SECONDS = 900


@dataclass(frozen=True)
class Booted:
    """disk: what booting wrote, over the image's. memory: the processors, memory and devices at that moment."""

    image: Image
    disk: Path
    memory: Path

    def overlay(self, path: Path) -> Path:
        """A disk of a machine's own, that starts as this one is."""
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(self.disk), str(path))
        return path


def booted(recipe: Recipe, image: Image, progress: Progress) -> Booted:
    """The saved state, made now or in an earlier run."""
    folder = image.folder / f"booted-{_key(recipe, image)}"
    with cache.locked(recipe.name):
        if not folder.exists():
            with cache.made(folder) as unfinished, progress.step("starting Debian for the first time"):
                _boot(recipe, image, unfinished)
    return Booted(image, folder / "disk.qcow2", folder / "memory.zst")


def _boot(recipe: Recipe, image: Image, folder: Path) -> None:
    disk, console = folder / "disk.qcow2", folder / "console.log"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "../disk.raw", disk.name, cwd=str(folder))
    with Qemu(command(recipe, image, disk, console), console) as qemu, Shell(image, qemu.ssh_port()) as shell:
        shell.wait(BOOT_SECONDS, qemu)
        # Not one thing that is still starting, or every machine would start with it.
        shell.run("systemctl", "is-system-running", "--wait")
        for service in recipe.individual:
            shell.run("systemctl", "stop", "--job-mode=ignore-dependencies", service)
        shell.run("sync")
        shell.close()
        qemu.save(folder / "memory.zst")


def _key(recipe: Recipe, image: Image) -> str:
    machine = command(recipe, image, Path("disk"), Path("console"))
    parts = (machine, run("qemu-system-x86_64", "--version"), Path(__file__).read_text())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
