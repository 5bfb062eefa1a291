# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Binary logs as files: whole, cut off at any byte, and damaged. They are written here as the servers write them; that
real servers write them so is tried in tests/integration."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
from databasebackup.events import Damaged, summary
from databasebackup.gtid import GtidState
from databasebackup.settings import Refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUERY, ROTATE, FORMAT, XID, GTID, LIST = 2, 4, 15, 16, 162, 163


def event(time: int, kind: int, body: bytes, at: int) -> bytes:
    length = 19 + len(body) + 4
    head = struct.pack("<IBIIIH", time, kind, 7, length, at + length, 0)
    return head + body + struct.pack("<I", zlib.crc32(head + body))


def query(text: bytes) -> bytes:
    return struct.pack("<IIBHH", 1, 0, 0, 0, 0) + b"\0" + text


def written(*events: tuple[int, int, bytes]) -> bytes:
    data = b"\xfebin"
    for time, kind, body in events:
        data += event(time, kind, body, len(data))
    return data


def gtid(number: int, *, standalone: bool = False) -> bytes:
    return struct.pack("<QIB", number, 0, 1 if standalone else 0) + b"\0" * 6


START = (
    (100, FORMAT, struct.pack("<H50sIB", 4, b"10.11", 0, 19) + b"\0" * 40 + b"\1"),
    (100, LIST, struct.pack("<IIIQ", 1, 0, 5, 10)),
)
LOG = written(
    *START,
    (110, GTID, gtid(11)),
    (105, QUERY, query(b"INSERT")),
    (112, XID, b"\0" * 8),
    (120, GTID, gtid(12, standalone=True)),
    (120, QUERY, query(b"CREATE TABLE t (i INT)")),
    (130, GTID, gtid(13)),
    (130, QUERY, query(b"INSERT")),
    (131, QUERY, query(b"COMMIT")),
)


def test_a_whole_log(tmp_path: Path) -> None:
    path = tmp_path / "binlog.000001"
    path.write_bytes(LOG)
    found = summary(path, "mariadb", keep=True)
    assert found.known
    assert found.previous == GtidState({(0, 5): 10})
    assert found.contained == GtidState({(0, 5): 10, (0, 7): 13})
    # A transaction's time is its commit's, not its first statement's.
    assert [(str(group.transaction), group.time) for group in found.groups_list] == [
        ("0-7-11", 112),
        ("0-7-12", 120),
        ("0-7-13", 131),
    ]
    assert (found.groups, found.first_time, found.last_time, found.size) == (3, 112, 131, len(LOG))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(LOG)))
def test_one_that_was_cut_off_has_its_whole_transactions_and_no_half_one(tmp_path: Path, length: int) -> None:
    path = tmp_path / "cut"
    path.write_bytes(LOG[:length])
    found = summary(path, "mariadb", keep=True)
    assert found.size <= length or length <= 4
    for group in found.groups_list:
        assert group.end <= length
    ends = [group.end for group in _whole(tmp_path)]
    assert found.groups == sum(end <= length for end in ends)


def _whole(folder: Path) -> tuple:  # type: ignore[type-arg]
    path = folder / "whole"
    path.write_bytes(LOG)
    return summary(path, "mariadb", keep=True).groups_list


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(len(written(*START)), len(LOG) - 1), st.integers(1, 255))
def test_a_damaged_one_is_never_taken_for_another(tmp_path: Path, at: int, change: int) -> None:
    data = bytearray(LOG)
    data[at] ^= change
    path = tmp_path / "damaged"
    path.write_bytes(data)
    try:
        found = summary(path, "mariadb", keep=True)
    except Damaged:
        return
    # A length that was changed reads like an end that was cut off.
    whole = [str(group.transaction) for group in _whole(tmp_path)]
    assert [str(group.transaction) for group in found.groups_list] == whole[: found.groups]
    assert found.groups < 3


def test_what_has_no_gtid_and_what_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(written(START[0], (1, 34, b"\0" * 20)))
    with pytest.raises(Refused, match="without a GTID"):
        summary(path, "mysql")
    path.write_bytes(b"age-encryption.org")
    with pytest.raises(Damaged, match="no binary log"):
        summary(path, "mysql")
