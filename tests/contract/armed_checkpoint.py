# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A network checkpoint that counts as armed on this host for a while, and would do nothing."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from ansible_collections.hospital.continuity.plugins.module_utils.network import checkpoint

SECONDS = 600


@contextlib.contextmanager
def armed_checkpoint() -> Iterator[None]:
    """Modules that run in this process find it; the host's own state file is left alone."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
    boot = checkpoint.boot_of(boot_id, Path("/proc/1/stat").read_text(encoding="ascii"))
    deadline = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0]) + SECONDS
    armed = checkpoint.Checkpoint(checkpoint.ARMED, "hct", "2026-01-01T00:00:00Z", "tests", SECONDS, deadline, boot)
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(checkpoint, "DIRECTORY", folder):
        (Path(folder) / checkpoint.STATE).write_text(json.dumps(checkpoint.encoded(armed)) + "\n", encoding="utf-8")
        yield
