# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Start one by hand: python -m lab.zfs [POOL...] [--disks BY-ID,...] [--env-file FILE]"""

from __future__ import annotations

import argparse
import signal
from contextlib import suppress
from pathlib import Path

from lab.zfs.disks import LabDisk
from lab.zfs.lab import ZfsLab


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.zfs", description=__doc__)
    parser.add_argument("pools", nargs="*", help="pools that it begins with; tank, where none is named")
    parser.add_argument(
        "--disks", default="", help="blank disks the host has as well, by their names in /dev/disk/by-id"
    )
    parser.add_argument("--env-file", type=Path, help="where to write what to export, for a shell to source")
    options = parser.parse_args()
    with ZfsLab(*options.pools) as lab:
        with lab.change() as state:
            for number, name in enumerate(filter(None, options.disks.split(","))):
                state.disks[f"sdx{chr(ord('a') + number)}"] = LabDisk((name,))
        export = f"export PATH={lab.path}:$PATH"
        if options.env_file:
            options.env_file.write_text(f"{export}\n")
        print("A zfs and a zpool to try things on, until you press Ctrl-C. In another terminal:\n")
        print(f"  {export}\n  zfs list", flush=True)
        # A shell's `kill` too shall leave nothing behind.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
