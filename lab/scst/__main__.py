# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""python -m lab.scst: the levers of the simulated machine this runs on, and its two services.

python -m lab.scst LEVER [NAME=VALUE …]     for example: login target=iqn.2016-01.ar.hospital:ts3200 initiator=iqn.x:y
python -m lab.scst                          which levers there are
python -m lab.scst serve | attach           what the host's units run
python -m lab.scst mount DIRECTORY SOCKET   kernel, bus, class and devices of /sys there, until it is unmounted

A VALUE that is JSON is taken as such.
"""

from __future__ import annotations

import inspect
import json
import sys

from lab.scst.control import Client, Problem
from lab.scst.levers import Levers


def main(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        for name, method in inspect.getmembers(Levers, inspect.isfunction):
            if not name.startswith("_") and name != "call":
                parameters = ", ".join(list(inspect.signature(method).parameters)[1:])
                print(f"  {name}({parameters})  {(method.__doc__ or '').splitlines()[0] if method.__doc__ else ''}")
        return 0
    if words[0] in ("serve", "attach"):
        from lab.scst import mounts  # only these need FUSE

        (mounts.start if words[0] == "serve" else mounts.attach)()
        return 0
    if words[0] == "mount":
        from lab.scst import mounts

        mounts.alone(*words[1:])
        return 0
    try:
        answer = Client().call(words[0], **dict(_argument(word) for word in words[1:]))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as problem:
        print(f"There is no simulated machine here: {problem}", file=sys.stderr)
        return 1
    if answer is not None:
        print(answer if isinstance(answer, str) else json.dumps(answer, indent=1))
    return 0


def _argument(word: str) -> tuple[str, object]:
    name, _equals, value = word.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
