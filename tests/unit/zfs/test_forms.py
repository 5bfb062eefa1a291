# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One value of ZFS, however it is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.properties import FIELDS

ROWS = {row.name: row for row in FIELDS}


@pytest.mark.parametrize(
    ("option", "one", "other"),
    [
        ("quota", "10M", "10485760"),
        ("quota", "10M", 10485760),
        ("quota", "none", "0"),
        ("quota", "none", None),
        ("refreservation", "1.5G", 1610612736),
        ("recordsize", "1M", "1048576"),
        ("recordsize", "128k", 131072),
        ("compression", "zstd-3", "zstd"),
        ("compression", "gzip-6", "gzip"),
        ("compression", True, "on"),
        ("compression", "True", "on"),
        ("acltype", "posixacl", "posix"),
        ("encryption", "on", "aes-256-gcm"),
        ("atime", "on", True),
        ("atime", "off", "no"),
        ("canmount", False, "off"),
        ("copies", "2", 2),
        ("mountpoint", "/srv/backup/", "/srv/backup"),
        ("properties", {"a:b": 1, "c:d": True}, {"c:d": "true", "a:b": "1"}),
    ],
)
def test_the_same_value(option, one, other):
    assert ROWS[option].canonical(one) == ROWS[option].canonical(other)


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("quota", "ten", "not a size"),
        ("quota", "-1", "not a size"),
        ("recordsize", "3k", "power of two from 512 to 16M"),
        ("recordsize", "1T", "power of two"),
        ("recordsize", "0", "power of two"),
        ("compression", "bogus", "'bogus' is not understood; write for example lz4"),
        ("compression", "zstd-20", "not understood"),
        ("mountpoint", "relative", "neither an absolute path nor none nor legacy"),
        ("keylocation", "/etc/key", "write prompt or file:///path"),
        ("copies", 4, "none of 1, 2, 3"),
        ("properties", {"nocolon": "x"}, "no name of a user property"),
        ("properties", {"Upper:case": "x"}, "no name of a user property"),
        ("properties", {"a:b": "x\ny"}, "control character"),
        ("properties", {"a:b": ["x"]}, "not a text"),
        ("properties", "a:b=c", "not a mapping"),
    ],
)
def test_a_bad_value_says_what_is_wrong(option, value, complaint):
    with pytest.raises(ValueError, match=complaint):
        ROWS[option].canonical(value)


@given(st.sampled_from(sorted(ROWS)), st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.floats()))
def test_canonical_is_idempotent_and_never_breaks(option, value):
    try:
        canonical = ROWS[option].canonical(value)
    except ValueError:
        return
    assert ROWS[option].canonical(canonical) == canonical
