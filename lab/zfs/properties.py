# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The native properties of a dataset: in which order, of which datasets, what values, and how they come about.

Order, defaults and texts are those of the recorded `zfs get -Hp all`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# how: `read` only read; `once` fixed at creation; `own` never inherited; `heir` inherited.
# of: f filesystems, v volumes, b both.
# form: a size, a number, free text, or the words that are allowed.
_TABLE = """
type                 read b text      -
creation             read b number    -
used                 read b number    -
available            read b number    -
referenced           read b number    -
compressratio        read b text      1.00
mounted              read f text      -
quota                own  f limit     0
reservation          own  b limit     0
volsize              own  v volsize   -
volblocksize         once v power     16384
recordsize           heir f power     131072
mountpoint           heir f path      -
sharenfs             heir f text      off
checksum             heir b on,off,fletcher2,fletcher4,sha256,noparity,sha512,skein,edonr,blake3 on
compression          heir b compression off
atime                heir f on,off    on
devices              heir f on,off    on
exec                 heir f on,off    on
setuid               heir f on,off    on
readonly             heir b on,off    off
zoned                heir f on,off    off
snapdir              heir f disabled,hidden,visible hidden
aclmode              heir f discard,groupmask,passthrough,restricted discard
aclinherit           heir f discard,noallow,restricted,passthrough,passthrough-x restricted
createtxg            read b number    -
canmount             own  f on,off,noauto on
xattr                heir f off,dir,sa,on on
copies               heir b 1,2,3     1
version              read f number    5
utf8only             once f on,off    off
normalization        once f none,formC,formD,formKC,formKD none
casesensitivity      once f sensitive,insensitive,mixed sensitive
vscan                heir f on,off    off
nbmand               heir f on,off    off
sharesmb             heir f text      off
refquota             own  f limit     0
refreservation       own  b limit     0
guid                 read b number    -
primarycache         heir b all,none,metadata all
secondarycache       heir b all,none,metadata all
usedbysnapshots      read b number    -
usedbydataset        read b number    -
usedbychildren       read b number    -
usedbyrefreservation read b number    -
logbias              heir b latency,throughput latency
objsetid             read b number    -
dedup                heir b on,off,verify,sha256,sha256,verify,sha512,skein,blake3 off
mlslabel             heir b text      none
sync                 heir b standard,always,disabled standard
dnodesize            heir f legacy,auto,1k,2k,4k,8k,16k legacy
refcompressratio     read b text      1.00
written              read b number    -
logicalused          read b number    -
logicalreferenced    read b number    -
volmode              heir b default,full,geom,dev,none default
filesystem_limit     own  f limit     none
snapshot_limit       own  b limit     none
filesystem_count     read f number    none
snapshot_count       read b number    none
snapdev              heir b hidden,visible hidden
acltype              heir f off,nfsv4,posix off
context              heir b text      none
fscontext            heir b text      none
defcontext           heir b text      none
rootcontext          heir b text      none
relatime             heir f on,off    on
redundant_metadata   heir b all,most,some,none all
overlay              heir f on,off    on
encryption           once b on,off,aes-128-ccm,aes-192-ccm,aes-256-ccm,aes-128-gcm,aes-192-gcm,aes-256-gcm off
keylocation          own  b text      none
keyformat            once b none,raw,hex,passphrase none
pbkdf2iters          once b number    0
special_small_blocks heir f block     0
prefetch             heir b none,metadata,all all
direct               heir f standard,always,disabled standard
longname             heir f on,off    off
"""

# As the program itself lists them.
_COMPRESSION = (
    "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast | "
    "zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]"
)
_COMPRESSION_WORDS = re.compile(
    r"^(on|off|lzjb|gzip(-[1-9])?|zle|lz4|zstd(-([1-9]|1[0-9]))?|zstd-fast(-([1-9]|[1-9]0|100|500|1000))?)$"
)
# Other words for a value, of which the program shows the second. `sa` is what 2.3 shows as `on` (recorded).
_SHOWN = {
    "xattr": {"sa": "on"},
    "acltype": {"posixacl": "posix", "noacl": "off"},
    "encryption": {"on": "aes-256-gcm"},
}
_UNITS = "KMGTP"


class Refused(Exception):
    """What the program prints when it does not accept a value, without the "cannot ..." before it."""


@dataclass(frozen=True)
class Native:
    name: str
    how: str
    of: str
    form: str
    default: str

    def applies(self, kind: str) -> bool:
        return self.of == "b" or self.of == kind[0]


NATIVE: dict[str, Native] = {row.name: row for row in (Native(*line.split()) for line in _TABLE.strip().splitlines())}


def parsed(name: str, text: str) -> str:
    """The value as `-p` shows it. Raises Refused."""
    row = NATIVE[name]
    if row.form == "compression":
        if not _COMPRESSION_WORDS.match(text):
            raise Refused(f"'{name}' must be one of '{_COMPRESSION}'")
        return text
    if row.form in ("limit", "volsize", "power", "block"):
        if row.form == "limit" and text == "none":
            return row.default
        return _size(name, row.form, text)
    if row.form == "path":
        if text not in ("none", "legacy") and not text.startswith("/"):
            raise Refused(f"'{name}' must be an absolute path, 'none', or 'legacy'")
        return text
    if row.form in ("text", "number"):
        return text
    words = row.form.split(",")
    if text not in words and text not in _SHOWN.get(name, {}):
        raise Refused(f"'{name}' must be one of '{' | '.join(words)}'")
    return _SHOWN.get(name, {}).get(text, text)


def _size(name: str, form: str, text: str) -> str:
    found = re.match(r"^(\d+(?:\.\d+)?)([KMGTP]?)(?:i?B)?$", text, re.IGNORECASE)
    if found is None:
        raise Refused(f"bad numeric value '{text}'")
    unit = found.group(2).upper()
    number = int(float(found.group(1)) * 1024 ** (_UNITS.index(unit) + 1)) if unit else int(float(found.group(1)))
    power_of_two = number & (number - 1) == 0 and 512 <= number <= 16 * 1024**2
    if not power_of_two and (form == "power" or (form == "block" and number)):
        largest = "128K" if name == "volblocksize" else "16M"
        raise Refused(f"'{name}' must be power of 2 from 512B to {largest}")
    return str(number)


def short(number: int) -> str:
    """A number of bytes in five characters at most, as without `-p`."""
    if number < 1024:
        return str(number)
    power = min((number.bit_length() - 1) // 10, 5)
    unit = _UNITS[power - 1]
    if number % 1024**power == 0:
        return f"{number // 1024**power}{unit}"
    texts = (f"{number / 1024**power:.{digits}f}{unit}" for digits in (2, 1, 0))
    return next((text for text in texts if len(text) <= 5), texts)


def human(name: str, value: str) -> str:
    """A value as it is shown without `-p`."""
    row = NATIVE.get(name)
    if row is not None and value.isdigit():
        if row.form == "limit":
            return short(int(value)) if value != "0" else "none"
        if row.form in ("volsize", "power") or name in ("used", "available", "referenced"):
            return short(int(value))
    return value
