# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What takes minutes is said while it is done, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Progress:
    """Lines like "machine node: unpacking Debian packages ... 58 s"."""

    def __init__(self, name: str) -> None:
        self._name = name

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        print(f"{self._name}: {what} ...", file=sys.stderr, flush=True)
        yield
        print(f"{self._name}: {what}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
