# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Emulated machines by hand, and what molecule's playbooks call.

python -m lab.machine [--recipe storage] [NAME...]      start them; several are joined by a cable, eno1 at each end
python -m lab.machine up --file topology.yml            start a set that stays, print the file for ssh -F
python -m lab.machine down NAME                         end it
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from lab.machine import CLUSTER, NODE, STORAGE, CannotRun, Machine, Recipe, join, topology


def foreground(names: list[str], recipe: Recipe) -> None:
    began = time.monotonic()
    with ExitStack() as running:
        machines = [running.enter_context(Machine(name, recipe)) for name in names]
        for nic, (first, second) in enumerate(itertools.pairwise(machines), start=1):
            join(first, second, nic)
        seconds = time.monotonic() - began
        print(f"\nDebian 13 with a kernel of its own, started in {seconds:.0f} s, until you press Ctrl-C.")
        for machine in machines:
            print(f"\n{machine.name}:\n  {machine.how_to_reach()}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.machine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--recipe", choices=["node", "storage", "cluster"], default="node")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    command, *rest = arguments.names or ["machine"]
    for end in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores Ctrl-C
        signal.signal(end, signal.default_int_handler)
    try:
        if command == "up":
            print(topology.up(arguments.file))
        elif command == "down":
            topology.down(rest[0])
        elif command == "hold":
            topology.Topology.read(arguments.file).hold()
        else:
            foreground([command, *rest], {"node": NODE, "storage": STORAGE, "cluster": CLUSTER}[arguments.recipe])
    except KeyboardInterrupt:
        return 130
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
