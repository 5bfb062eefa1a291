# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The rollback as a program of its own: what it needs, and what it does to files when nothing else is there."""

from __future__ import annotations

import base64
import errno
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.network import interfaces_files, program, rollback
from ansible_collections.hospital.continuity.plugins.module_utils.network.checkpoint import Checkpoint
from ansible_collections.hospital.continuity.plugins.module_utils.network.store import (
    Busy,
    Store,
    replaced,
    this_boot,
    uptime,
)
from ansible_collections.hospital.continuity.plugins.module_utils.network.units import NAME, Units


class Host:
    """A checkpoint of a host whose network is its files alone."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "checkpoint")
        self.units = folder / "units"
        self.interfaces = folder / "network" / "interfaces"
        self.beside = folder / "network" / "interfaces.d"
        self.asked: list[list[str]] = []
        for place in (self.units, self.beside):
            place.mkdir(parents=True)
        self.interfaces.write_text("old\n")
        self.interfaces.chmod(0o640)
        (self.beside / "sdn").write_text("old sdn\n")

    def run(self, argv: Any, *, stdin: str = "", timeout: float = 60.0) -> Completed:
        self.asked.append(list(argv))
        return Completed(tuple(argv), 0, "[]", "")

    def arm(self, **changes: Any) -> Checkpoint:
        self.store.make()
        empty: dict[str, Any] = {"links": [], "routes": [], "routes6": []}
        saved = {
            "interfaces": interfaces_files.saved(str(self.interfaces)),
            "kernel": empty,
            "switch": None,
            "units": str(self.units),
        }
        self.store.write_json("saved.json", saved)
        self.store.write("rollback.pyz", program.archive())
        self.store.write("armed", b"")
        Units(self.run, self.units).write_boot_unit(
            python=sys.executable, program=self.store.program, marker=self.store.marker, identifier="this"
        )
        fresh = Checkpoint("armed", "this", "2026-03-01T01:00:00Z", "root", 45, uptime() + 45, this_boot())
        return self.store.keep(fresh, **changes)

    def change(self) -> None:
        self.interfaces.write_text("new\n")
        (self.beside / "sdn").unlink()
        (self.beside / "more").write_text("more\n")
        (self.interfaces.parent / "interfaces.new").write_text("pending\n")

    def files(self) -> dict[str, str]:
        folder = self.interfaces.parent
        return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


OLD = {"interfaces": "old\n", "interfaces.d/sdn": "old sdn\n", "interfaces.new": "pending\n"}


def test_the_program_needs_nothing_but_python(host: Host) -> None:
    """As systemd starts it: no environment, no site-packages, no directory of ours on the path."""
    host.arm()
    words = [sys.executable, "-I", "-S", str(host.store.program)]
    done = subprocess.run([*words, "timer", "another"], env={}, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing to undo" in done.stdout
    done = subprocess.run(words, env={}, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 2 and "usage" in done.stderr
    imports = (
        f"import sys; sys.path.insert(0, {str(host.store.program)!r}); import {rollback.__name__}; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", imports], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith(("ansible", "yaml", "jinja"))}
    assert ours and not {name for name in ours if not f"{name}.".startswith("ansible_collections.")}


def test_files_come_back_with_mode_and_new_ones_are_put_aside(host: Host) -> None:
    host.arm()
    host.change()
    ended = rollback.roll_back(host.store, "timer", "this", runner=host.run)
    assert ended is not None and ended.state == "rolled_back"
    assert host.files() == OLD
    assert host.interfaces.stat().st_mode & 0o777 == 0o640
    assert (host.store.directory / "put_aside" / "more").read_text() == "more\n"
    assert any("more" in note for note in ended.notes) and any("interfaces.new" in note for note in ended.notes)
    assert ["ifreload", "-a"] in host.asked
    assert not list(host.units.rglob(f"{NAME}.service")) and not host.store.marker.exists()
    assert rollback.roll_back(host.store, "timer", "this", runner=host.run) is None, "once is enough"


def test_nothing_is_reloaded_where_no_file_changed(host: Host) -> None:
    """What is running may differ from the file for reasons of its own."""
    host.arm()
    ended = rollback.roll_back(host.store, "timer", "this", runner=host.run)
    assert ended is not None and ended.notes == ()
    assert ["ifreload", "-a"] not in host.asked


def test_before_networking_nothing_is_reloaded(host: Host) -> None:
    host.arm(boot="another start")
    host.change()
    ended = rollback.roll_back(host.store, "boot", "this", runner=host.run)
    assert ended is not None and "reset" in ended.reason
    # Proxmox VE would put in force what is staged, at this very start.
    assert host.files() == {name: text for name, text in OLD.items() if name != "interfaces.new"}
    assert (host.store.directory / "put_aside" / "interfaces.new").read_text() == "pending\n"
    assert any("interfaces.new" in note for note in ended.notes)
    assert host.asked == []


@pytest.mark.parametrize(
    ("changes", "occasion", "identifier"),
    [
        ({"state": "confirmed"}, "timer", "this"),
        ({"state": "rolled_back"}, "boot", "this"),
        ({}, "timer", "an older one"),
        ({}, "boot", "this"),
    ],
    ids=["confirmed", "rolled back", "another checkpoint", "no reset"],
)
def test_there_is_nothing_to_undo(host: Host, changes: dict[str, Any], occasion: str, identifier: str) -> None:
    host.arm(**changes)
    host.change()
    before = host.files()
    assert rollback.roll_back(host.store, occasion, identifier, runner=host.run) is None
    assert host.files() == before


def test_a_rollback_that_was_cut_off_is_ended_at_the_next_start(host: Host) -> None:
    host.arm(state="rolling_back", boot="another start", reason="nobody confirmed within 45 s")
    host.change()
    assert rollback.roll_back(host.store, "boot", "this", runner=host.run) is not None
    assert host.files()["interfaces"] == "old\n"


@pytest.mark.parametrize("problem", [errno.ENOSPC, errno.EROFS])
def test_a_disk_that_takes_nothing_does_not_keep_the_network_away(
    host: Host, problem: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.arm()
    host.change()
    state = (host.store.directory / "state.json").read_text()

    def full(path: Path, content: bytes, **_how: Any) -> None:
        if path.parent == host.store.directory:
            raise OSError(problem, "the disk takes nothing", str(path))
        replaced(path, content, **_how)

    monkeypatch.setattr("ansible_collections.hospital.continuity.plugins.module_utils.network.store.replaced", full)
    ended = rollback.roll_back(host.store, "timer", "this", runner=host.run)
    assert ended is not None and ended.state == "rolled_back"
    assert host.interfaces.read_text() == "old\n"
    assert (host.store.directory / "state.json").read_text() == state
    assert not host.store.marker.exists(), "or the next start of the host would undo what was done since"
    assert not [words for words in host.asked if words[0] == "systemctl"], "it counts as armed, so its timer stays"


def test_the_lock_can_be_had_on_a_read_only_disk(host: Host, tmp_path: Path) -> None:
    host.store.make()
    with host.store.locked():
        pass
    subprocess.run(["mount", "--bind", host.store.directory, host.store.directory], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", host.store.directory], check=True)
        with host.store.locked():
            pass
    finally:
        subprocess.run(["umount", host.store.directory], check=True)


def test_what_fails_does_not_keep_the_rest_from_its_turn(host: Host) -> None:
    host.arm()
    host.change()
    saved = dict(host.store.read_json("saved.json"))
    saved["switch"] = {"address": f"unix:{host.interfaces}.sock", "rows": {}}
    saved["kernel"] = {"links": "damaged"}
    host.store.write_json("saved.json", saved)
    ended = rollback.roll_back(host.store, "timer", "this", runner=host.run)
    assert ended is not None and ended.state == "rolled_back"
    assert host.files() == OLD
    told = " ".join(ended.notes)
    assert "Open vSwitch could not be put back" in told and "addresses and routes could not be put back" in told


def test_a_link_to_the_file_stays_a_link(host: Host, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    host.interfaces.rename(elsewhere)
    host.interfaces.symlink_to(elsewhere)
    host.arm()
    host.interfaces.write_text("new\n")
    assert rollback.roll_back(host.store, "timer", "this", runner=host.run) is not None
    assert host.interfaces.is_symlink() and elsewhere.read_text() == "old\n"


def test_any_content_is_saved_as_it_is(host: Host) -> None:
    host.interfaces.write_bytes(b"\xff\x00 no text\r\n")
    saved = interfaces_files.saved(str(host.interfaces))
    assert base64.b64decode(saved["files"][str(host.interfaces)]["content"]) == b"\xff\x00 no text\r\n"


def test_one_decides_at_a_time(host: Host) -> None:
    host.store.make()
    inside = threading.Event()

    def deciding() -> None:
        with host.store.locked():
            inside.set()
            time.sleep(0.5)

    other = threading.Thread(target=deciding)
    other.start()
    assert inside.wait(5)
    with pytest.raises(Busy, match="status"), host.store.locked():
        pass
    with host.store.locked(patience=5):
        assert not other.is_alive() or other.join(0.2) is None
    other.join()


def test_a_file_is_old_or_new_and_never_half(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")
    limited = tmp_path / "full"
    limited.mkdir()
    with pytest.raises(OSError, match="File name too long"):
        replaced(limited / ("x" * 250), b"new", mode=0o600)
    assert list(limited.iterdir()) == []
    replaced(path, b"new", mode=0o600)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"state.json", "full"}
