# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Start one by hand: python -m lab.zfs [POOL...]"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from lab.zfs.lab import ZfsLab


def main() -> None:
    with ZfsLab(*sys.argv[1:]) as lab:
        print("A zfs and a zpool to try things on, until you press Ctrl-C. In another terminal:\n")
        print(f"  export PATH={lab.path}:$PATH\n  zfs list")
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
