# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""zfs(8) and zpool(8) as functions. The tab-separated `-Hp` output serves OpenZFS 2.1, which has no JSON, and newer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError, refused

_MISSING = re.compile(r"^cannot open '(?P<name>.*)': dataset does not exist$")
# A pool in another state lets whoever asks for what is in it wait.
ANSWERING = ("ONLINE", "DEGRADED")
# Over SSH a command line is one argument, which may have 128 KiB.
_AT_ONCE = 64 * 1024


@dataclass(frozen=True)
class Property:
    """A value and where it comes from: local, received, default, temporary, `inherited from <dataset>`, or - ."""

    value: str
    source: str

    @property
    def is_set(self) -> bool:
        return self.source in ("local", "received")

    @property
    def inherited_from(self) -> str:
        prefix = "inherited from "
        return self.source[len(prefix) :] if self.source.startswith(prefix) else ""


Properties = Mapping[str, Property]


@dataclass(frozen=True)
class Dependant:
    """Something that goes when a dataset is destroyed. `clones`: datasets made from it, `holds`: how many it has, if
    it is a snapshot."""

    name: str
    type: str
    clones: tuple[str, ...] = ()
    holds: int = 0


@dataclass(frozen=True)
class Snapshot:
    """created: seconds since 1970.  order: the transaction of the pool it was made in.  holds: how many there are.
    clones: datasets made from it."""

    name: str
    guid: str
    created: int
    order: int
    holds: int = 0
    clones: tuple[str, ...] = ()

    @property
    def dataset(self) -> str:
        return self.name.partition("@")[0]

    @property
    def short(self) -> str:
        """The name behind the @."""
        return self.name.partition("@")[2]


@dataclass(frozen=True)
class Pool:
    name: str
    health: str
    readonly: bool = False
    action: str = ""


class CommandLine:
    """`timeout` in seconds for one program. `writes` counts the programs that changed something."""

    def __init__(self, *, timeout: int = 60, runner: Runner = run) -> None:
        self.timeout = timeout
        self.writes = 0
        self._run = runner

    # -- reading ----------------------------------------------------------------------------------------------------

    def version(self) -> tuple[int, int]:
        """The version of the programs, as (2, 3)."""
        done = self._program(["zfs", "version"])
        found = re.search(r"^zfs-(\d+)\.(\d+)", done.output, re.MULTILINE)
        if found is None:
            raise ZfsError(f"`zfs version` answered {done.output[:80]!r}.", hint="Is this OpenZFS?")
        return int(found.group(1)), int(found.group(2))

    def properties(self, names: Sequence[str] | None) -> dict[str, dict[str, Property]]:
        """All properties of those of the datasets that exist; of every dataset where `names` is None."""
        head = ["zfs", "get", "-Hp", "-o", "name,property,value,source", "-t", "filesystem,volume", "all"]
        result: dict[str, dict[str, Property]] = {}
        for some in chunks(names):
            result.update(parsed_properties(self._existing([*head, *some], some)))
        return result

    def local_properties(self, pool: str) -> dict[str, dict[str, Property]]:
        """What is set at the datasets of a pool themselves."""
        columns = "name,property,value,source"
        words = ["zfs", "get", "-Hp", "-r", "-s", "local", "-o", columns, "-t", "filesystem,volume", "all", pool]
        return parsed_properties(self._program(words).output)

    def types(self, names: Sequence[str]) -> dict[str, str]:
        """Name and type of those of the datasets that exist."""
        result: dict[str, str] = {}
        for some in chunks(names):
            output = self._existing(["zfs", "list", "-H", "-o", "name,type", "-t", "filesystem,volume", *some], some)
            for line in output.splitlines():
                name, kind = _split(line, 2)
                result[name] = kind
        return result

    def mountpoints(self, names: Sequence[str]) -> dict[str, str]:
        """Where those of the datasets that exist are, or would be, mounted: a path, none, legacy, or - for volumes."""
        result: dict[str, str] = {}
        for some in chunks(names):
            head = ["zfs", "get", "-H", "-o", "name,value", "-t", "filesystem,volume", "mountpoint"]
            for line in self._existing([*head, *some], some).splitlines() if some else ():
                name, where = _split(line, 2)
                result[name] = where
        return result

    def occupied(self, directories: Sequence[str]) -> set[str]:
        """Those of the directories that have something in them."""
        if not directories:
            return set()
        # A directory that is not there makes find complain and go on.
        done = self._run(["find", *directories, "-maxdepth", "0", "-type", "d", "!", "-empty"], timeout=self.timeout)
        return set(done.output.splitlines()) & set(directories)

    def dependants(self, name: str) -> list[Dependant]:
        """What lies below a dataset: datasets, snapshots and bookmarks."""
        done = self._program(["zfs", "list", "-Hp", "-r", "-t", "all", "-o", "name,type,clones,userrefs", name])
        rows = [_split(line, 4) for line in done.output.splitlines()]
        return [
            Dependant(row[0], row[1], tuple(one for one in row[2].split(",") if one not in ("", "-")), _whole(row[3]))
            for row in rows
            if row[0] != name
        ]

    def snapshots(self, name: str, *, recursive: bool = False) -> list[Snapshot]:
        """The snapshots of a dataset, in the order they were made; `recursive`: and of all below it."""
        depth = ["-r"] if recursive else ["-d", "1"]
        columns = "name,guid,creation,createtxg,userrefs,clones"
        done = self._program(["zfs", "list", "-Hp", *depth, "-t", "snapshot", "-o", columns, name])
        found = []
        for line in done.output.splitlines():
            full, guid, created, order, holds, clones = _split(line, 6)
            names = tuple(one for one in clones.split(",") if one not in ("", "-"))
            found.append(Snapshot(full, guid, _whole(created), _whole(order), _whole(holds), names))
        return sorted(found, key=lambda one: (one.order, one.name))

    def below(self, name: str) -> list[str]:
        """A dataset and all datasets below it."""
        words = ["zfs", "list", "-H", "-r", "-o", "name", "-t", "filesystem,volume", name]
        return self._program(words).output.splitlines()

    def marks(self, name: str, properties: Sequence[str]) -> dict[str, dict[str, str]]:
        """Those of the user properties that are set at a dataset, and at each of those below it, by their names."""
        head = ["zfs", "get", "-H", "-r", "-s", "local", "-o", "name,property,value", "-t", "filesystem,volume"]
        result: dict[str, dict[str, str]] = {one: {} for one in self.below(name)}
        for line in self._program([*head, ",".join(properties), name]).output.splitlines():
            one, prop, value = _split(line, 3)
            result.setdefault(one, {})[prop] = value
        return result

    def holds(self, names: Sequence[str]) -> dict[str, set[str]]:
        """The tags that hold each of the snapshots."""
        result: dict[str, set[str]] = {name: set() for name in names}
        for some in chunks(names):
            if some:
                for line in self._program(["zfs", "holds", "-H", *some]).output.splitlines():
                    name, tag = _split(line, 2)
                    result.setdefault(name, set()).add(tag)
        return result

    def token(self, token: str) -> tuple[str, str, bool]:
        """What a receive_resume_token says: the snapshot in full, its GUID, and whether a transfer can go on with it
        here. Empty texts for one that says nothing."""
        done = self._run(["zfs", "send", "-nvt", token], timeout=self.timeout)
        said = f"{done.output}\n{done.errors}"
        name = re.search(r"^\s*toname = (.+)$", said, re.MULTILINE)
        guid = re.search(r"^\s*toguid = (0x[0-9a-f]+)$", said, re.MULTILINE)
        return name.group(1).strip() if name else "", str(int(guid.group(1), 16)) if guid else "", done.status == 0

    def now(self) -> int:
        """The host's clock, in seconds since 1970."""
        said = self._program(["date", "+%s"]).output.strip()
        if not said.isdigit():
            raise ZfsError(f"`date +%s` answered {said[:80]!r}.", hint="Is this GNU date?")
        return int(said)

    def pools(self) -> dict[str, Pool]:
        """The imported pools."""
        done = self._program(["zpool", "list", "-H", "-o", "name,health,readonly"])
        rows = [_split(line, 3) for line in done.output.splitlines()]
        return {row[0]: Pool(row[0], row[1], row[2] == "on") for row in rows}

    def importable(self) -> dict[str, Pool]:
        """The pools that are on this host's disks and not imported, whether or not they could be. Slow: reads disks."""
        return parsed_import(self._program(["zpool", "import"]).output)

    def read(self, argv: Sequence[str]) -> str:
        """The output of any program that only reads."""
        return self._program(argv).output

    def attempt(self, argv: Sequence[str]) -> Completed:
        """Any program that only reads, whatever comes of it."""
        return self._run(argv, timeout=self.timeout)

    # -- writing ----------------------------------------------------------------------------------------------------

    def write(
        self, argv: Sequence[str], *, secret: str = "", may_fail: bool = False, at_least: int = 0
    ) -> Sequence[str]:
        """Run a program that changes something. Returns what it warned of. `secret` goes to its standard input.
        may_fail: whether it does what it should is seen later.  at_least: seconds, for what must not be stopped."""
        self.writes += 1
        if may_fail:
            self.attempt(argv)
            return ()
        done = self._program(argv, stdin=f"{secret}\n" if secret else "", at_least=at_least)
        return [line.strip() for line in done.errors.splitlines() if line.strip()]

    def _existing(self, argv: Sequence[str], names: Sequence[str]) -> str:
        """The output of a reading program for which it is no error that some of the names do not exist."""
        done = self._run(argv, timeout=self.timeout)
        if done.status != 0:
            for line in done.errors.splitlines():
                missing = _MISSING.match(line)
                if missing is None or missing.group("name") not in names:
                    raise refused(done)
        return done.output

    def _program(self, argv: Sequence[str], *, stdin: str = "", at_least: int = 0) -> Completed:
        done = self._run(argv, stdin=stdin, timeout=max(self.timeout, at_least))
        if done.status != 0:
            raise refused(done)
        return done


def parsed_properties(output: str) -> dict[str, dict[str, Property]]:
    """`zfs get -Hp -o name,property,value,source`. A user property's value may hold tabs and line feeds."""
    records: list[str] = []
    for line in output.split("\n"):
        if records and not re.search(r"\t(local|received|default|temporary|none|-|inherited from .*)$", records[-1]):
            records[-1] += f"\n{line}"
        else:
            records.append(line)
    result: dict[str, dict[str, Property]] = {}
    for record in records:
        parts = record.split("\t", 2)
        if len(parts) == 3:
            value, _tab, source = parts[2].rpartition("\t")
            result.setdefault(parts[0], {})[parts[1]] = Property(value, source)
    return result


def parsed_import(output: str) -> dict[str, Pool]:
    """`zpool import` without arguments."""
    result: dict[str, Pool] = {}
    name = ""
    for line in output.splitlines():
        field, _colon, value = (part.strip() for part in line.partition(": "))
        if field == "pool":
            name = value
            result[name] = Pool(name, "")
        elif name and field == "state":
            result[name] = Pool(name, value)
        elif name and field == "action":
            result[name] = Pool(name, result[name].health, action=value)
        elif field == "config:":
            name = ""
    return result


def _split(line: str, fields: int) -> tuple[str, ...]:
    parts = line.split("\t")
    return tuple([*parts, *[""] * fields][:fields])


def _whole(text: str) -> int:
    return int(text) if text.isdigit() else 0


def chunks(names: Sequence[str] | None) -> Iterable[Sequence[str]]:
    """Names in as many parts as command lines are needed for them."""
    if names is None:
        return [[]]
    parts: list[list[str]] = []
    size = _AT_ONCE
    for name in names:
        # Quotes and a blank come to each.
        length = len(name.encode()) + 3
        if size + length > _AT_ONCE:
            parts.append([])
            size = 0
        parts[-1].append(name)
        size += length
    return parts
