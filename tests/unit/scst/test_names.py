# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is refused before SCST could half accept it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import (
    ChapSecret,
    ChapUser,
    Comment,
    DeviceName,
    Digest,
    GroupName,
    IscsiName,
    Portal,
    Within,
)

GOOD: list[tuple[Any, str, str]] = [
    (IscsiName(), "iqn.2016-01.ar.hospital:ts3200", ""),
    (IscsiName(), "iqn.1993-08.org.debian:01:scstvm", ""),
    (IscsiName(), "iqn.1991-05.com.microsoft:pacs-1.hospital.example", ""),
    (IscsiName(), "iqn.2016-01.ar.hospital", ""),
    (IscsiName(), "eui.02004567A425678D", ""),
    (IscsiName(), "naa.52004567BA64678D", ""),
    (IscsiName(), "naa.62004567BA64678D0123456789ABCDEF", ""),
    (GroupName(), "backup", ""),
    (GroupName(), "a.b_c-1", ""),
    (ChapUser(), "backup@hospital", ""),
    (ChapSecret(), "x" * 12, ""),
    (ChapSecret(), "Aa1!$%&()*+,-./:;<>?@[]^_|~", ""),
    (Portal(), "10.10.90.*", ""),
    (Portal(), "10.*.*.*", ""),
    (Portal(), "127.0.0.1", ""),
    (Portal(), "fd00:90::5", ""),
    (Portal(), "fd00:90:*", ""),
    (Comment(), "the library in the cellar", ""),
    (DeviceName(), "/dev/tape/by-id/scsi-350050763120a0001", "scsi-350050763120a0001"),
    (DeviceName(), "/dev/disk/by-id/wwn-0x5000", "wwn-0x5000"),
    (DeviceName(), " HOSDRV01 ", "HOSDRV01"),
    (Digest(), "CRC32C, None", "None,CRC32C"),
    (Digest(), "CRC32C", ""),
]
BAD: list[tuple[Any, str]] = [
    *(
        (IscsiName(), text)
        for text in ("not_an_iqn", "iqn.absent", "iqn.a:b", "iqn.2016-13.ar.hospital:x", "iqn.2016-01")
    ),
    *(
        (IscsiName(), text)
        for text in ("iqn.2016-01.ar.hospital:a b", "iqn.2016-01.ar.hospital:a/b", "iqn.x:foo*", "*")
    ),
    *(
        (IscsiName(), text)
        for text in ("IQN.2016-01.AR.Hospital:UPPER", "iqn.2016-01.ar.hospital:", "eui.123", "naa.5")
    ),
    *((IscsiName(), text) for text in ("iqn.2016-01.ar.hospital:" + "x" * 200, "iqn.2016-01.ar.hospital:x\n", " ")),
    *((GroupName(), text) for text in ("bad name", "a/b", "mgmt", ".", "..", "-a", "x" * 65, "ü")),
    *((ChapUser(), text) for text in ("two words", 'quo"te', "a#b", "a{b", "back\\slash", "ü", "a=b")),
    # iscsi-scstd ends a word at =, so that the end of what base64 makes would be lost.
    *((ChapSecret(), text) for text in ("c2VjcmV0c2VjcmV0MTI=", "abcdef=ghijkl", "=xxxxxxxxxxxxx")),
    *(
        (ChapSecret(), text)
        for text in ("short", "x" * 11, "x" * 129, "with a blank 1", 'quoted"secret"', "hash#hash#hash")
    ),
    *((ChapSecret(), text) for text in ("line\nbreak\nbreak", "secreto-ñandú-1", "braces{braces}", "(null) (null)")),
    *(
        (Portal(), text)
        for text in ("999.1.2.3", "not an ip", "*", "10.10.90.*.5", "10.1*", "010.1.1.1", "fe80::1%eth0")
    ),
    *((Portal(), text) for text in ("10.10.90.0/24", "10.10.90.1:3260", "0.0.0", "::ffff:1.2.3.4.5", "1.2.3.4\n", "²")),
    *((Comment(), text) for text in ("# no", 'quo"te', "two\nlines", "x" * 201, " blanks ", "brace }")),
    *((DeviceName(), text) for text in ("../../etc/passwd", "/dev/sg8", "a/b", "", "a\nb", "x" * 300)),
    *((Digest(), text) for text in ("MD5", "crc32c", "none")),
    *((Within(0, 16383), text) for text in ("16384", "-1", "x", "1.5", "")),
]


@pytest.mark.parametrize(("form", "text", "canonical"), GOOD)
def test_what_is_good_is_kept(form: Any, text: str, canonical: str) -> None:
    assert form.canonical(text) == (canonical or text)
    assert form.canonical(form.canonical(text)) == form.canonical(text)


@pytest.mark.parametrize(("form", "text"), BAD)
def test_what_scst_would_half_accept_is_refused(form: Any, text: str) -> None:
    try:
        accepted = form.canonical(text)
    except ValueError as problem:
        assert str(problem)
        assert not isinstance(form, ChapSecret) or text not in str(problem), "the secret is in the message"
    else:
        assert accepted is None, f"{text!r} was accepted"
