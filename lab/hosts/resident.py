# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""An image's programs kept in memory while something is measured.

A server has them there because it does nothing else. A machine that shares its memory with others may lose them from
its cache within seconds, and then each program that is started is read from disk: tenths of a second that say nothing
about what is measured.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.hosts.podman import podman

_PROGRAM = "vmtouch"  # Debian's package of that name
_FOLDERS = ("usr/bin", "usr/sbin", "usr/lib")


@contextmanager
def resident(image: str) -> Iterator[str]:
    """What to say about it, as a sentence without its full stop."""
    program = shutil.which(_PROGRAM)
    if program is None:
        yield f"{_PROGRAM} is not installed: programs may be read from disk anew each time"
        return
    # In the foreground it holds them until it is ended.
    holding = subprocess.Popen([program, "-l", "-q", *map(str, _folders(image))], stdin=subprocess.DEVNULL)
    try:
        yield "the hosts' programs are kept in memory"
    finally:
        holding.terminate()
        holding.wait()


def _folders(image: str) -> list[Path]:
    """Of the layers that the image's containers share."""
    template = "{{.GraphDriver.Data.UpperDir}}:{{.GraphDriver.Data.LowerDir}}"
    layers = podman("image", "inspect", "--format", template, image).strip().split(":")
    found = [Path(layer) / folder for layer in layers for folder in _FOLDERS]
    return [folder for folder in found if folder.is_dir()]
