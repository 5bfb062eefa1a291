# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Start one by hand: python -m lab.machine [NAME...]; several are joined by a cable, eno1 at each end."""

from __future__ import annotations

import itertools
import signal
import sys
import time
from contextlib import ExitStack, suppress

from lab.machine import CannotRun, Machine, join


def main() -> int:
    began = time.monotonic()
    for end in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores Ctrl-C
        signal.signal(end, signal.default_int_handler)
    try:
        with ExitStack() as running:
            machines = [running.enter_context(Machine(name)) for name in sys.argv[1:] or ["machine"]]
            for nic, (first, second) in enumerate(itertools.pairwise(machines), start=1):
                join(first, second, nic)
            seconds = time.monotonic() - began
            print(f"\nDebian 13 with a kernel of its own, started in {seconds:.0f} s, until you press Ctrl-C.")
            for machine in machines:
                print(f"\n{machine.name}:\n  {machine.how_to_reach()}", flush=True)
            with suppress(KeyboardInterrupt):
                signal.pause()
    except KeyboardInterrupt:
        return 130
    except CannotRun as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
