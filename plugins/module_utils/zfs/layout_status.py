# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What `zpool status` says of a pool, as one model with two readers: its JSON (OpenZFS 2.3 and later) and its text."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.layout import (
    BY_ID,
    CACHE,
    CLASSES,
    DEDUP,
    DISK,
    LOG,
    MIRROR,
    NORMAL,
    SPARE,
    SPECIAL,
    Row,
    Rows,
    merged,
)

# Where a top-level vdev stands in the JSON, and the heading it stands under in the text.
_GROUPS = {"special": SPECIAL, "dedup": DEDUP, "logs": LOG, "l2cache": CACHE, "cache": CACHE, "spares": SPARE}
# What is left of a vdev that was removed, and a dRAID's distributed spares: no disks of anybody's.
_GHOSTS = ("hole", "indirect", "missing", "dspare")
# Inner vdevs that last until a resilver is over, or a spare goes back.
REPLACING, SPARING = "replacing", "spare"
_STATES = "ONLINE|DEGRADED|FAULTED|OFFLINE|UNAVAIL|REMOVED|AVAIL|INUSE|SPLIT|CANT_OPEN|CORRUPT"
_ROW = re.compile(rf"^( *)(.+?)  *({_STATES})(?: +(\d+) +(\d+) +(\d+))?(?: +(.*))?$")
_NUMBERED = re.compile(r"^(mirror|raidz[123]?|draid[123]?|replacing|spare|indirect|hole)(:\S+)?-\d+$")
_DRAID = re.compile(r"^draid([123]):(\d+)d:(\d+)c:(\d+)s")
_FIELD = re.compile(
    r"^ {0,7}(pool|id|state|status|action|comment|see|scan|remove|expand|checkpoint|config|errors):(.*)$"
)
_STAMP = r"(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})"


@dataclass(frozen=True)
class Vdev:
    """One vdev of a pool. `type` is disk (also for a file), mirror, raidz1, draid2, replacing, spare …

    `guid` is what it keeps for ever; `path` where it is, of a disk. errors: read, write, checksum.
    """

    name: str
    type: str
    state: str
    guid: str = ""
    path: str = ""
    errors: tuple[int, int, int] = (0, 0, 0)
    resilvering: bool = False
    children: tuple[Vdev, ...] = ()

    @property
    def leaves(self) -> tuple[Vdev, ...]:
        if not self.children:
            return (self,)
        return tuple(leaf for child in self.children for leaf in child.leaves)

    @property
    def disk(self) -> str:
        """The name of a leaf's disk: of a whole disk without its partition.

        One that is missing is named by GUID, and was somewhere once. Where that was sdX, another disk may be there now:
        only a lasting name is believed.
        """
        name = self.name
        if self.name.isdigit() and self.path.startswith(BY_ID):
            name = re.sub(r"-part1(/old)?$", "", self.path)
        return name[len(BY_ID) :] if name.startswith(BY_ID) else name.rpartition("/")[2]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The places for disks: a disk that is being replaced, or stood in for by a spare, is one place."""
        if not self.children:
            return (Slot(self.disk, self.guid),)
        if self.type in (REPLACING, SPARING):
            first, *others = self.leaves
            return (Slot(first.disk, first.guid, tuple(leaf.disk for leaf in others), self.type),)
        return tuple(slot for child in self.children for slot in child.slots)


@dataclass(frozen=True)
class Slot:
    """A disk's place in a vdev. `others`: disks that are there beside it for now, because of `why`."""

    disk: str
    guid: str = ""
    others: tuple[str, ...] = ()
    why: str = ""

    def holds(self, disk: str) -> bool:
        return disk == self.disk or disk in self.others


@dataclass(frozen=True)
class Scan:
    """The last scrub or resilver. Times are seconds since the epoch. state: scanning, paused, finished or canceled."""

    function: str = ""
    state: str = ""
    start: Optional[int] = None
    end: Optional[int] = None
    errors: int = 0

    @property
    def resilvering(self) -> bool:
        return self.function == "resilver" and self.state in ("scanning", "paused")


@dataclass(frozen=True)
class PoolStatus:
    """One imported pool. `vdevs`: its top-level vdevs by class. `moving`: a removal or an expansion that goes on.
    errors_hidden: why it cannot be told whether there are data errors.  checkpoint: there is one, and ZFS lets no
    device leave or join a vdev meanwhile.  unread: why nothing else is known of it."""

    name: str
    state: str
    guid: str = ""
    status: str = ""
    action: str = ""
    vdevs: Mapping[str, tuple[Vdev, ...]] = field(default_factory=dict)
    scan: Scan = Scan()
    errors: tuple[int, int, int] = (0, 0, 0)
    data_errors: int = 0
    errors_hidden: str = ""
    moving: str = ""
    checkpoint: bool = False
    unread: str = ""

    @property
    def leaves(self) -> tuple[Vdev, ...]:
        return tuple(leaf for vdevs in self.vdevs.values() for vdev in vdevs for leaf in vdev.leaves)

    def of_class(self, vdev_class: str) -> tuple[Vdev, ...]:
        return self.vdevs.get(vdev_class, ())

    @property
    def layout(self) -> Rows:
        """As it is written in `config`: with a spare at work, or a disk being replaced, still what was there before."""
        return merged(row_of(vdev, which) for which in CLASSES for vdev in self.of_class(which))


def row_of(vdev: Vdev, vdev_class: str) -> Row:
    disks = tuple(slot.disk for slot in vdev.slots)
    found = _DRAID.match(vdev.name)
    if found:
        return Row(vdev_class, f"draid{found.group(1)}", disks, int(found.group(2)), int(found.group(4)))
    return Row(vdev_class, DISK if vdev.type in (REPLACING, SPARING) else vdev.type, disks)


# -- JSON ----------------------------------------------------------------------------------------------------------


def from_json(text: str) -> dict[str, PoolStatus]:
    """`zpool status -j --json-int`. Raises ZfsError."""
    try:
        pools = json.loads(text)["pools"] if text.strip() else {}
        return {str(raw["name"]): _pool_from_json(raw) for raw in pools.values()}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ZfsError(
            f"zpool status -j answered what cannot be read ({problem}): {text[:80]!r}.", hint="Which OpenZFS is this?"
        ) from None


def _pool_from_json(raw: Mapping[str, Any]) -> PoolStatus:
    root: Mapping[str, Any] = next(iter(raw.get("vdevs", {}).values()), {})
    vdevs: dict[str, tuple[Vdev, ...]] = {}
    scan = _scan_from_json(raw.get("scan_stats", {}))
    if any(str(one.get("state", "")).upper() == "ACTIVE" for one in _mappings(raw.get("rebuild_stats"))):
        scan = Scan("resilver", "scanning")
    grouped = {NORMAL: root.get("vdevs", {}), **{which: raw[key] for key, which in _GROUPS.items() if key in raw}}
    for which, members in grouped.items():
        found = tuple(_vdev_from_json(member, resilvering=scan.resilvering) for member in members.values())
        vdevs[which] = tuple(vdev for vdev in found if vdev.type not in _GHOSTS)
    moving = [
        what
        for key, what in (("removal_stats", "a removal"), ("raidz_expand_stats", "an expansion"))
        if str(raw.get(key, {}).get("state", "")).upper() in ("SCANNING", "ACTIVE")
    ]
    return PoolStatus(
        name=str(raw["name"]),
        state=str(raw.get("state", "")),
        guid=str(raw.get("pool_guid", "")),
        status=_one_line(str(raw.get("status", ""))),
        action=_one_line(str(raw.get("action", ""))),
        vdevs={which: found for which, found in vdevs.items() if found},
        scan=scan,
        errors=_errors(root),
        data_errors=_count(raw.get("error_count")),
        moving=" and ".join(moving),
        checkpoint=str(raw.get("checkpoint_stats", {}).get("state", "")).upper() in ("EXISTS", "DISCARDING"),
    )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    """The mappings in a mapping, itself included."""
    if not isinstance(value, Mapping):
        return []
    return [value, *(inner for inner in value.values() if isinstance(inner, Mapping))]


def _count(value: Any) -> int:
    """A counter; what is none counts nothing, rather than to keep all pools from being read."""
    return int(value) if str(value).isdigit() else 0


def _vdev_from_json(raw: Mapping[str, Any], *, resilvering: bool) -> Vdev:
    name = str(raw["name"])
    children = tuple(_vdev_from_json(child, resilvering=resilvering) for child in raw.get("vdevs", {}).values())
    return Vdev(
        name=name,
        type=_type(name, str(raw.get("vdev_type", ""))),
        state=str(raw.get("state", "")),
        guid=str(raw.get("guid", "")),
        path=str(raw.get("path", raw.get("was", ""))),
        errors=_errors(raw),
        # A scrub that repairs counts there too.
        resilvering=(resilvering and "scan_processed" in raw) or bool(raw.get("resilver_deferred")),
        children=children,
    )


def _errors(raw: Mapping[str, Any]) -> tuple[int, int, int]:
    read, write, checksum = (_count(raw.get(f"{name}_errors")) for name in ("read", "write", "checksum"))
    return read, write, checksum


def _type(name: str, told: str = "") -> str:
    found = _NUMBERED.match(name)
    if found:
        return found.group(1) if found.group(1) != "raidz" else "raidz1"
    return told if told in (*_GHOSTS, MIRROR, REPLACING) else DISK


def _scan_from_json(raw: Mapping[str, Any]) -> Scan:
    function = str(raw.get("function", "")).lower()
    if function not in ("scrub", "resilver"):
        return Scan()
    state = {"scanning": "scanning", "finished": "finished", "canceled": "canceled"}.get(
        str(raw.get("state", "")).lower(), ""
    )
    if state == "scanning" and _seconds(raw.get("scrub_pause")):
        state = "paused"
    end = _seconds(raw.get("end_time")) if state in ("finished", "canceled") else None
    return Scan(function, state, _seconds(raw.get("start_time")), end, int(raw.get("errors", 0) or 0))


def _seconds(value: Any) -> Optional[int]:
    """A time of the JSON: a number with --json-int; some fields are dates all the same."""
    if value in (None, "", "-", 0, "0"):
        return None
    if isinstance(value, int) or str(value).isdigit():
        return int(value)
    return stamp(str(value))


# -- text ----------------------------------------------------------------------------------------------------------


class Changed(ZfsError):
    """The readings of one pool do not show the same pool."""


def from_text(names: str, paths: str, guids: str) -> dict[str, PoolStatus]:
    """`zpool status -p`, and the same with -P and with -g, which show other names of the same vdevs line by line. An
    empty reading was not made. Raises Changed: without GUIDs a plan would not know which vdev it is about."""
    result: dict[str, PoolStatus] = {}
    readings = [list(sections(text)) for text in (names, paths, guids)]
    by_path = {section["pool"]: section["config"] for section in readings[1]}
    by_guid = {section["pool"]: section["config"] for section in readings[2]}
    for section in readings[0]:
        name = section["pool"]
        lines = list(table(section["config"]))
        with_path, with_guid = list(table(by_path.get(name, ""))), list(table(by_guid.get(name, "")))
        if (paths and not _same_shape(lines, with_path)) or (guids and not _same_shape(lines, with_guid)):
            raise Changed(f"Pool {name} changed while it was read.", hint="Run again.")
        if paths:
            lines = [replace(line, path=other.name) for line, other in zip(lines, with_path)]
        if guids:
            lines = [replace(line, guid=other.name) for line, other in zip(lines, with_guid)]
        root, vdevs = _tree(lines)
        result[name] = PoolStatus(
            name=name,
            state=section.get("state", ""),
            status=_one_line(section.get("status", "")),
            action=_one_line(section.get("action", "")),
            vdevs=vdevs,
            scan=_scan_from_text(section.get("scan", "")),
            errors=root.errors,
            data_errors=_data_errors(section.get("errors", "")),
            errors_hidden=_errors_hidden(section.get("errors", "")),
            moving=" and ".join(
                what
                for key, what in (("remove", "a removal"), ("expand", "an expansion"))
                if "in progress" in section.get(key, "")
            ),
            checkpoint=bool(section.get("checkpoint")),
        )
    return result


@dataclass(frozen=True)
class Line:
    indent: int
    name: str
    state: str = ""
    errors: tuple[int, int, int] = (0, 0, 0)
    note: str = ""
    path: str = ""
    guid: str = ""


def _same_shape(one: Sequence[Line], other: Sequence[Line]) -> bool:
    """Whether two readings show the same pool, which may have changed between them."""
    return [line.indent for line in one] == [line.indent for line in other]


def sections(text: str) -> Iterator[dict[str, str]]:
    """The fields of each pool: `  pool: backup`, ` state: ONLINE`, with the lines that follow each."""
    section: dict[str, str] = {}
    current = ""
    for line in text.splitlines():
        found = _FIELD.match(line)
        if found:
            current = found.group(1)
            if current == "pool" and section:
                yield section
                section = {}
            section[current] = found.group(2).strip()
        elif current:
            section[current] += f"\n{line}"
    if section:
        yield {key: value if key == "config" else value.strip() for key, value in section.items()}


def table(config: str) -> Iterator[Line]:
    """The rows of the table, without the tab before each and without its heading."""
    for raw in config.splitlines():
        line = raw[1:].rstrip() if raw.startswith("\t") else ""
        if not line or line.startswith("NAME "):
            continue
        found = _ROW.match(line)
        if found:
            numbers = tuple(int(found.group(number) or 0) for number in (4, 5, 6))
            errors = (numbers[0], numbers[1], numbers[2])
            yield Line(len(found.group(1)), found.group(2), found.group(3), errors, found.group(7) or "")
        else:
            yield Line(len(line) - len(line.lstrip()), line.strip())


def _tree(lines: Sequence[Line]) -> tuple[Vdev, dict[str, tuple[Vdev, ...]]]:
    """The root, and the top-level vdevs by class."""
    root = Vdev("", "root", "")
    vdevs: dict[str, tuple[Vdev, ...]] = {}
    which = NORMAL
    index = 0
    while index < len(lines):
        line = lines[index]
        if line.indent == 0:
            if line.state:
                root = Vdev(line.name, "root", line.state, line.guid, errors=line.errors)
                which = NORMAL
            else:
                which = _GROUPS.get(line.name, NORMAL)
            index += 1
            continue
        vdev, index = _subtree(lines, index)
        if vdev.type not in _GHOSTS and not (which == SPARE and vdev.name.startswith("draid")):
            vdevs[which] = (*vdevs.get(which, ()), vdev)
    return root, vdevs


def _subtree(lines: Sequence[Line], index: int) -> tuple[Vdev, int]:
    line = lines[index]
    children: list[Vdev] = []
    index += 1
    while index < len(lines) and lines[index].indent > line.indent:
        child, index = _subtree(lines, index)
        children.append(child)
    sort = _type(line.name)
    was = re.search(r"was (\S+)", line.note)
    path = line.path if line.path.startswith("/") else was.group(1) if was else ""
    vdev = Vdev(
        name=line.name,
        type=sort,
        state=line.state,
        guid=line.guid,
        path="" if children else path,
        errors=line.errors,
        resilvering="resilvering" in line.note,
        children=tuple(children),
    )
    return vdev, index


def _scan_from_text(text: str) -> Scan:
    for function, done in (("scrub", "scrub repaired"), ("resilver", "resilvered")):
        found = re.match(rf"{done} .* with (\d+) errors on {_STAMP}", text)
        if found:
            return Scan(function, "finished", None, stamp(found.group(2)), int(found.group(1)))
        found = re.match(rf"{function}(?: \(\S+\))? (in progress|paused) since {_STAMP}", text)
        if found:
            state = "paused" if found.group(1) == "paused" else "scanning"
            started = re.search(rf"scrub started on {_STAMP}", text)
            return Scan(function, state, stamp(started.group(1) if started else found.group(2)))
        found = re.match(rf"{function} canceled on {_STAMP}", text)
        if found:
            return Scan(function, "canceled", None, stamp(found.group(1)))
    return Scan()


def stamp(text: str) -> Optional[int]:
    """Seconds since the epoch of `Sat Nov 21 23:59:09 2026`, which is the host's local time."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    found = re.match(r"^\w{3} (\w{3}) +(\d+) (\d+):(\d+):(\d+) (\d{4})$", text.strip())
    if not found or found.group(1) not in months:
        return None
    day, hour, minute, second, year = (int(found.group(number)) for number in range(2, 7))
    return int(time.mktime((year, months.index(found.group(1)) + 1, day, hour, minute, second, 0, 0, -1)))


def begun_scrub(history: str) -> Optional[int]:
    """When the last scrub was begun that `zpool history` does not tell the end of, in seconds since the epoch."""
    begun: Optional[int] = None
    pattern = r"^(\d{4})-(\d\d)-(\d\d)\.(\d\d):(\d\d):(\d\d) zpool scrub (.*)$"
    for found in re.finditer(pattern, history, re.MULTILINE):
        flags = {letter for word in found.group(7).split() if word.startswith("-") for letter in word[1:]}
        if flags & {"s", "p"}:
            # What was cancelled or stopped half-way has not looked at everything.
            begun = None
        elif "e" not in flags:
            year, month, day, hour, minute, second = (int(found.group(number)) for number in range(1, 7))
            begun = int(time.mktime((year, month, day, hour, minute, second, 0, 0, -1)))
    return begun


def _data_errors(text: str) -> int:
    """`No known data errors`, or `3 data errors, use '-v' for a list`."""
    found = re.match(r"(\d+) ", text)
    return int(found.group(1)) if found else 0


def _errors_hidden(text: str) -> str:
    """`List of errors unavailable: permission denied`"""
    return _one_line(text) if "unavailable" in text else ""


def _one_line(text: str) -> str:
    return " ".join(text.split())
