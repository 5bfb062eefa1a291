# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A source whose emptiness would be spread is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filesync.source import Unsound, check_source, mounted


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    """proc(5), mountinfo."""
    path = tmp_path / "mountinfo"
    path.write_text(
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "40 22 8:17 / /srv/a\\040b rw,relatime shared:5 - ext4 /dev/sdb1 rw\n"
    )
    return path


def test_mount_points_are_read_with_their_spaces(mounts: Path) -> None:
    assert mounted(mounts) == ["/", "/srv/a b"]


def test_the_machines_own_root_is_mounted() -> None:
    assert "/" in mounted()


def test_a_sound_source_is_taken(make: Callable[..., Any], mounts: Path) -> None:
    settings = make(mountpoint="/srv/a b", sentinel="index.html")
    (settings.path / "index.html").write_text("x")
    check_source(settings, mounts)


def test_an_unmounted_source(make: Callable[..., Any], mounts: Path) -> None:
    with pytest.raises(Unsound, match="/srv is not mounted on a") as caught:
        check_source(make(mountpoint="/srv"), mounts)
    assert caught.value.unmounted


def test_an_empty_source(make: Callable[..., Any]) -> None:
    settings = make()
    (settings.path / ".file_sync-partial").mkdir()
    with pytest.raises(Unsound, match="is empty"):
        check_source(settings)


def test_a_source_without_its_sentinel(make: Callable[..., Any]) -> None:
    settings = make(sentinel="KEEP")
    (settings.path / "other").write_text("x")
    with pytest.raises(Unsound, match="lacks KEEP"):
        check_source(settings)


def test_a_source_of_another_set(make: Callable[..., Any]) -> None:
    settings = make()
    settings.marker.write_text("mail\n")
    with pytest.raises(Unsound, match="part of the set mail, not of web"):
        check_source(settings)


def test_a_source_that_is_not_there(make: Callable[..., Any], tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="is missing"):
        check_source(make(path=tmp_path / "nothing"))
