# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Names and secrets as the standards want them. SCST checks next to none of this: it half accepts bad names ("a b"
makes "a", "a/b" makes "a!b") and stores secrets too short to log in with. Sources: RFC 3720 (3.2.6), RFC 3721 (1.1).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

LONGEST_NAME = 223
LONGEST_TEXT = 200
SHORTEST_SECRET, LONGEST_SECRET = 12, 128
# What initiators on Windows take at most.
WINDOWS_SECRET = 16
HIGHEST_LUN = 16383

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_IQN = re.compile(rf"iqn\.\d{{4}}-(?:0[1-9]|1[0-2])(?:\.{_LABEL})+(?::[a-z0-9.:-]+)?")
_EUI = re.compile(r"eui\.[0-9A-Fa-f]{16}")
_NAA = re.compile(r"naa\.(?:[0-9A-Fa-f]{16}|[0-9A-Fa-f]{32})")
_GROUP = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
# Blanks and = end a word for iscsi-scstd; quotes, braces, # and \ mean something in scst.conf.
_WORD = re.compile(r"[!$-<>-\[\]-z|~]+")
_TEXT = re.compile(r"[ !$-\[\]-z|~]*")
_BY_ID = re.compile(r"/dev/(?:tape|disk)/by-id/")
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.:+=@,-]*")
ADDRESS = re.compile(r"\d+:\d+:\d+:\d+")


@dataclass(frozen=True)
class Form:
    """A text that is compared as it stands, once it is known to be good."""

    def canonical(self, value: Any) -> Any:
        text = str(value)
        if not text:
            return None
        self.check(text)
        return text

    def check(self, text: str) -> None:
        """Raises ValueError with what is wrong."""

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class IscsiName(Form):
    """The name of a target or an initiator."""

    def check(self, text: str) -> None:
        if len(text) > LONGEST_NAME:
            raise ValueError(f"the iSCSI name {text[:40]}... is longer than {LONGEST_NAME} characters")
        if _IQN.fullmatch(text) or _EUI.fullmatch(text) or _NAA.fullmatch(text):
            return
        if "*" in text or "?" in text:
            raise ValueError(f"{text!r} is a pattern; write each name out, so that nobody else comes in by chance")
        if text != text.lower() and _IQN.fullmatch(text.lower()):
            raise ValueError(f"{text!r} has capitals, which iSCSI names do not have; write {text.lower()}")
        raise ValueError(
            f"{text!r} is no iSCSI name; write iqn.YEAR-MONTH.REVERSED.DOMAIN:NAME, for example "
            "iqn.2016-01.ar.hospital:ts3200 (or eui. or naa. and hexadecimal digits)"
        )


def several(initiators: Collection[str]) -> bool:
    """Whether these names let in more than one; a pattern, which only people at the host write, may."""
    return len(initiators) > 1 or any("*" in name or "?" in name for name in initiators)


@dataclass(frozen=True)
class GroupName(Form):
    def check(self, text: str) -> None:
        if not _GROUP.fullmatch(text) or text == "mgmt":
            raise ValueError(f"{text!r} is no name for a group; write letters, digits, '-', '_' and '.', at most 64")


@dataclass(frozen=True)
class ChapUser(Form):
    def check(self, text: str) -> None:
        if len(text) > LONGEST_SECRET or not _WORD.fullmatch(text):
            raise ValueError(
                f"{text[:40]!r} is no CHAP user; write up to {LONGEST_SECRET} characters without blanks, =, "
                "quotes, braces, # and \\"
            )


@dataclass(frozen=True)
class ChapSecret(Form):
    """What is wrong is said without saying the secret."""

    def check(self, text: str) -> None:
        if not SHORTEST_SECRET <= len(text) <= LONGEST_SECRET:
            raise ValueError(
                f"a CHAP secret has {SHORTEST_SECRET} to {LONGEST_SECRET} characters (initiators on Windows take at "
                f"most {WINDOWS_SECRET}), this one has {len(text)}"
            )
        if not _WORD.fullmatch(text):
            raise ValueError("a CHAP secret is of ASCII characters without blanks, =, quotes, braces, # and \\")


@dataclass(frozen=True)
class Portal(Form):
    """An address of this host, or a pattern of addresses: 10.10.90.*, fd00:90:*."""

    def check(self, text: str) -> None:
        if not _is_portal(text):
            raise ValueError(
                f"{text!r} is no address of a portal; write for example 10.10.90.5, 10.10.90.* or fd00:90::5"
            )


def _is_portal(text: str) -> bool:
    if "*" not in text:
        return _is_address(text)
    if ":" in text:
        head = text[:-1]
        return text.endswith(":*") and bool(re.fullmatch(r"(?:[0-9a-f]{1,4}:){1,7}", head))
    parts = text.split(".")
    numbers = parts[: parts.index("*")]
    stars = parts[len(numbers) :]
    octets = all(part.isascii() and part.isdigit() and str(int(part)) == part and int(part) <= 255 for part in numbers)
    return bool(numbers) and octets and set(stars) == {"*"} and len(parts) <= 4


def _is_address(text: str) -> bool:
    try:
        # As it is compared: 010.1.1.1, capitals or an address with a zone would never match.
        return str(ipaddress.ip_address(text)) == text and "%" not in text
    except ValueError:
        return False


@dataclass(frozen=True)
class Comment(Form):
    def check(self, text: str) -> None:
        if len(text) > LONGEST_TEXT or not _TEXT.fullmatch(text) or text != text.strip():
            raise ValueError(
                f"{text[:40]!r} is no comment; write up to {LONGEST_TEXT} ASCII characters without quotes, braces, # "
                "and \\"
            )


@dataclass(frozen=True)
class DeviceName(Form):
    """What a SCSI device is called by: its serial, the name of its NAA, or of its link below /dev/tape/by-id."""

    def canonical(self, value: Any) -> Any:
        text = _BY_ID.sub("", str(value).strip(), count=1)
        return super().canonical(text)

    def check(self, text: str) -> None:
        if len(text) > LONGEST_NAME or not _DEVICE.fullmatch(text):
            raise ValueError(
                f"{text[:60]!r} is no device; write its serial number or its name below /dev/tape/by-id, which "
                "scst_info shows"
            )


@dataclass(frozen=True)
class Digest(Form):
    """Which digests are offered. SCST reads them back in an order of its own."""

    def canonical(self, value: Any) -> Any:
        given = {part.strip() for part in str(value).split(",") if part.strip()}
        if not given:
            return None
        if not given <= {"None", "CRC32C"}:
            raise ValueError(f"{value!r} is none of None, CRC32C and None,CRC32C")
        return ",".join(word for word in ("None", "CRC32C") if word in given)


@dataclass(frozen=True)
class Within:
    """A whole number between two others."""

    least: int
    most: int

    def canonical(self, value: Any) -> Any:
        try:
            if isinstance(value, bool):
                raise ValueError
            number = int(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
        if not self.least <= number <= self.most:
            raise ValueError(f"{str(number)[:40]} is not between {self.least} and {self.most}")
        return number

    def wire(self, value: Any) -> Any:
        return value
