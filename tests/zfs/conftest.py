# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One host with a real OpenZFS for the whole run, blank before each test."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.zfs.host import ZfsHost, a_host


@pytest.fixture(scope="session")
def zfs_host() -> Iterator[ZfsHost]:
    """The host as it is: for what puts its own things away."""
    try:
        opened = a_host()
        host = opened.__enter__()
    except LookupError as problem:
        if os.environ.get("ZFS_HOST"):
            pytest.exit(str(problem), returncode=2)
        pytest.skip(str(problem))
    try:
        yield host
    finally:
        opened.__exit__(None, None, None)


@pytest.fixture
def host(zfs_host: ZfsHost) -> ZfsHost:
    """The host with no pool of the tests' and nothing on their disks."""
    zfs_host.blank()
    return zfs_host
