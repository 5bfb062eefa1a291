# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What zpool shows: list, status, get, and the pools that could be imported."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.zfs.base import Base, Unknown, flags_of
from lab.zfs.disks import BY_ID, LabVdev
from lab.zfs.pool_state import GROUPS, SETTABLE, Pool, vdev_state
from lab.zfs.properties import NATIVE

# What a class is called in the text and in the JSON.
_HEADINGS = {"dedup": "dedup", "special": "special", "log": "logs", "cache": "cache", "spare": "spares"}
_IN_JSON = {**_HEADINGS, "cache": "l2cache"}
_CLASS = {"cache": "l2cache", "log": "log"}
_SECOND = "Sufficient replicas exist for the pool to continue functioning in a\n\tdegraded state."
_REPLACE = "'zpool replace'."
# state of a disk -> status and action of its pool
_TOLD = {
    "OFFLINE": (
        f"One or more devices has been taken offline by the administrator.\n\t{_SECOND}",
        f"Online the device using 'zpool online' or replace the device with\n\t{_REPLACE}",
    ),
    "REMOVED": (
        f"One or more devices have been removed.\n\t{_SECOND}",
        f"Online the device using zpool online' or replace the device with\n\t{_REPLACE}",
    ),
    "FAULTED": (
        "One or more devices are faulted in response to persistent errors.\n\t" + _SECOND,
        "Replace the faulted device, or use 'zpool clear' to mark the device\n\trepaired.",
    ),
    "UNAVAIL": (
        (
            "One or more devices could not be used because the label is missing or\n\tinvalid.  Sufficient replicas "
            "exist for the pool to continue\n\tfunctioning in a degraded state."
        ),
        f"Replace the device using {_REPLACE}",
    ),
}
_RESILVERING = (
    (
        "One or more devices is currently being resilvered.  The pool will\n\tcontinue to function, possibly in a "
        "degraded state."
    ),
    "Wait for the resilver to complete.",
)


@dataclass(frozen=True)
class _Names:
    """Which names of vdevs are shown: by-id, with their path (-P), by the kernel (-L), by GUID (-g)."""

    path: bool = False
    kernel: bool = False
    guid: bool = False

    def of(self, vdev: LabVdev) -> str:
        if self.guid:
            return str(vdev.guid)
        if vdev.children:
            return vdev.name
        if self.kernel:
            return f"/dev/{vdev.disk}1" if self.path else vdev.disk
        return vdev.path if self.path else vdev.name


class PoolShow(Base):
    def pool(self, name: str) -> Pool:
        found = self.state.pools.get(name)
        if found is None or not found.imported:
            raise self.fail(f"cannot open '{name}': no such pool")
        return found

    def chosen(self, names: list[str]) -> dict[str, Pool]:
        if names:
            return {name: self.pool(name) for name in names}
        return {name: pool for name, pool in sorted(self.state.pools.items()) if pool.imported}

    def filesystem_properties(self) -> tuple[str, ...]:
        return tuple(name for name, row in NATIVE.items() if row.how != "read")

    # -- zpool list -------------------------------------------------------------------------------------------------

    def do_list(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "Hpjo:")
        pools = self.chosen(names)
        if not pools:
            if "-H" not in flags and "-j" not in flags:
                self.say("no pools available")
            return 0
        if "-H" not in flags or "-j" in flags:
            raise Unknown("zpool list without -H")
        columns = flags.get("-o", "name,size,alloc,free,ckpoint,expandsz,frag,cap,dedup,health,altroot").split(",")
        for name, pool in pools.items():
            self.say("\t".join(self._cell(name, pool, column) for column in columns))
        return 0

    def _cell(self, name: str, pool: Pool, column: str) -> str:
        column = {"alloc": "allocated", "cap": "capacity", "frag": "fragmentation", "dedup": "dedupratio"}.get(
            column, column
        )
        if column in ("ckpoint", "expandsz"):
            return "-"
        return name if column == "name" else self._property(pool, column)[0]

    # -- zpool status -----------------------------------------------------------------------------------------------

    def do_status(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "jpPLgxv", ["json-int"])
        pools = self.chosen(names)
        if "-j" in flags:
            shown = {name: self._pool_as_json(name, pool) for name, pool in pools.items()}
            version = {"command": "zpool status", "vers_major": 0, "vers_minor": 1}
            self.say(json.dumps(_texts({"output_version": version, "pools": shown}, "--json-int" in flags)))
            return 0
        if not pools:
            self.say("no pools available")
            return 0
        if "-x" in flags:
            pools = {name: pool for name, pool in pools.items() if self._told(pool)}
            if not pools:
                self.say("all pools are healthy")
                return 0
        shown_names = _Names("-P" in flags, "-L" in flags, "-g" in flags)
        self.say("\n\n".join("\n".join(self._lines(name, pool, shown_names)) for name, pool in pools.items()))
        return 0

    def _lines(self, name: str, pool: Pool, names: _Names) -> Iterator[str]:
        yield f"  pool: {name}"
        yield f" state: {pool.state(self.state.disks)}"
        told = self._told(pool)
        if told:
            yield f"status: {told[0]}"
            yield f"action: {told[1]}"
        if pool.scan:
            yield f"  scan: {self._scan(pool)}"
        yield "config:\n"
        rows = list(self._rows(name, pool, names))
        width = max(10, *(len(row[0]) for row in rows))
        yield f"\t{'NAME':<{width}}  STATE     READ WRITE CKSUM"
        for shown, state, errors, note in rows:
            if not state:
                yield f"\t{shown}"
            elif state in ("AVAIL", "INUSE"):
                yield f"\t{shown:<{width}}  {state:<8}{note}"
            else:
                counts = " ".join(f"{count:>5}" for count in errors)
                yield f"\t{shown:<{width}}  {state:<8} {counts}{note}"
        text = f"{pool.data_errors} data errors, use '-v' for a list" if pool.data_errors else "No known data errors"
        yield f"\nerrors: {text}"

    def _rows(self, name: str, pool: Pool, names: _Names) -> Iterator[tuple[str, str, tuple[int, int, int], str]]:
        yield name, pool.state(self.state.disks), (0, 0, 0), ""
        for group in GROUPS:
            if group in _HEADINGS and pool.vdevs.get(group):
                # The classes that came later end in a tab.
                yield _HEADINGS[group] + ("\t" if group in ("dedup", "special", "log") else ""), "", (0, 0, 0), ""
            for vdev in pool.vdevs.get(group, []):
                if group == "spare":
                    busy = self._stands_in(pool, vdev)
                    yield f"  {names.of(vdev)}", busy, (0, 0, 0), "  currently in use" if busy == "INUSE" else ""
                else:
                    yield from self._tree(vdev, names, 1)

    def _tree(self, vdev: LabVdev, names: _Names, depth: int) -> Iterator[tuple[str, str, tuple[int, int, int], str]]:
        note = "  (resilvering)" if vdev.resilvering else ""
        yield f"{'  ' * depth}{names.of(vdev)}", vdev_state(vdev, self.state.disks), vdev.errors, note
        for child in vdev.children:
            yield from self._tree(child, names, depth + 1)

    def _stands_in(self, pool: Pool, spare: LabVdev) -> str:
        used = {leaf.disk for group, vdev in pool.rows if group != "spare" for leaf in vdev.leaves}
        return "INUSE" if spare.disk in used else "AVAIL"

    def _told(self, pool: Pool) -> tuple[str, str] | None:
        if pool.resilver:
            return _RESILVERING
        for leaf in [leaf for group, vdev in pool.rows if group != "spare" for leaf in vdev.leaves]:
            state = vdev_state(leaf, self.state.disks)
            if state in _TOLD:
                return _TOLD[state]
        if pool.data_errors:
            return (
                (
                    "One or more devices has experienced an error resulting in data\n\tcorruption.  Applications may "
                    "be affected."
                ),
                "Restore the file in question if possible.  Otherwise restore the\n\tentire pool from backup.",
            )
        return None

    def _scan(self, pool: Pool) -> str:
        when = time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(pool.scrubbed))
        if pool.resilver:
            return f"resilver in progress since {when}"
        if pool.scan == "resilver":
            return f"resilvered 3.93M in 00:00:02 with 0 errors on {when}"
        return f"scrub repaired 0B in 00:00:03 with 0 errors on {when}"

    def _pool_as_json(self, name: str, pool: Pool) -> dict[str, Any]:
        told = self._told(pool)
        shown: dict[str, Any] = {
            "name": name,
            "state": pool.state(self.state.disks),
            "pool_guid": pool.guid,
            "txg": 4,
            "spa_version": 5000,
            "zpl_version": 5,
        }
        if told:
            shown.update(status=f"{told[0]}\n", action=f"{told[1]}\n")
        if pool.scan:
            state = "SCANNING" if pool.resilver else "FINISHED"
            shown["scan_stats"] = {
                "function": pool.scan.upper(),
                "state": state,
                "start_time": pool.scrubbed,
                "end_time": 0 if pool.resilver else pool.scrubbed,
                "errors": 0,
            }
        root = {
            "name": name,
            "vdev_type": "root",
            "guid": pool.guid,
            "class": "normal",
            "state": pool.state(self.state.disks),
            **_no_errors((0, 0, 0)),
            "vdevs": self._group_as_json(pool, "normal"),
        }
        shown["vdevs"] = {name: root}
        for group, key in _IN_JSON.items():
            if pool.vdevs.get(group):
                shown[key] = self._group_as_json(pool, group)
        shown["error_count"] = pool.data_errors
        return shown

    def _group_as_json(self, pool: Pool, group: str) -> dict[str, Any]:
        result = {}
        for vdev in pool.vdevs.get(group, []):
            one = self._vdev_as_json(vdev, _CLASS.get(group, group))
            if group == "spare":
                one["state"] = self._stands_in(pool, vdev)
            result[vdev.name] = one
        return result

    def _vdev_as_json(self, vdev: LabVdev, group: str) -> dict[str, Any]:
        sort = "raidz" if vdev.sort.startswith("raidz") else "draid" if vdev.sort.startswith("draid") else vdev.sort
        shown: dict[str, Any] = {"name": vdev.name, "vdev_type": sort, "guid": vdev.guid}
        if not vdev.children:
            shown.update(path=vdev.path, devid=vdev.path.rpartition("/")[2])
        shown.update({"class": group, "state": vdev_state(vdev, self.state.disks), **_no_errors(vdev.errors)})
        if vdev.resilvering:
            shown["scan_processed"] = 1
        if vdev.children:
            shown["vdevs"] = {child.name: self._vdev_as_json(child, group) for child in vdev.children}
        return shown

    # -- zpool get --------------------------------------------------------------------------------------------------

    def do_get(self, arguments: list[str]) -> int:
        flags, words = flags_of(arguments, "Hpo:")
        asked, names = words[0].split(","), words[1:]
        if asked == ["all"]:
            raise Unknown("zpool get all")
        pools = self.chosen(names[:1] if len(names) == 2 and names[1] not in self.state.pools else names)
        if "-H" not in flags:
            raise Unknown("zpool get without -H")
        columns = flags.get("-o", "name,property,value,source").split(",")
        for name, pool in pools.items():
            if len(names) == 2 and names[1] not in self.state.pools:
                vdev = next(
                    (one for _group, top in pool.rows for one in top.walk() if names[1] in _all_names(one)), None
                )
                if vdev is None or asked != ["ashift"]:
                    raise Unknown(f"zpool get {asked} of a vdev")
                cells = {"name": vdev.name, "property": "ashift", "value": str(pool.ashift), "source": "-"}
                self.say("\t".join(cells[column] for column in columns))
                continue
            for prop in asked:
                value, source = self._property(pool, prop)
                cells = {"name": name, "property": prop, "value": value, "source": source}
                self.say("\t".join(cells[column] for column in columns))
        return 0

    def _property(self, pool: Pool, prop: str) -> tuple[str, str]:
        if prop in pool.properties:
            return pool.properties[prop], "local"
        if prop in SETTABLE:
            return SETTABLE[prop][1], "default"
        size = len(pool.leaves) * 964 * 1024**2
        allocated = size * pool.capacity // 100 or 1253376
        values = {
            "health": pool.state(self.state.disks),
            "guid": str(pool.guid),
            "capacity": str(pool.capacity),
            "readonly": "on" if pool.readonly else "off",
            "size": str(size),
            "allocated": str(allocated),
            "free": str(size - allocated),
            "fragmentation": "0",
            "dedupratio": "1.00",
            "altroot": "-",
        }
        if prop not in values:
            raise self.fail(f"bad property list: invalid property '{prop}'", 2)
        return values[prop], "-"

    # -- zpool import -----------------------------------------------------------------------------------------------

    def list_waiting(self, waiting: Mapping[str, Pool]) -> int:
        if not waiting:
            self.complain("no pools available to import")
        for name, pool in waiting.items():
            state = pool.state(self.state.disks)
            self.say(f"   pool: {name}\n     id: {pool.guid}\n  state: {state}")
            status, action = "", pool.action
            if state not in ("ONLINE", "DEGRADED"):
                status = "One or more devices contains corrupted data."
                action = "The pool cannot be imported due to damaged devices or data."
            elif not pool.exported and pool.hostid != self.state.hostid:
                status = "The pool was last accessed by another system."
                action = "The pool can be imported using its name or numeric identifier and\n\tthe '-f' flag."
            if status:
                self.say(f" status: {status}")
            self.say(f" action: {action}\ncomment: ")
            self.say(" config:\n")
            caches = {f"  {vdev.name}" for vdev in pool.vdevs.get("cache", [])}
            rows = list(self._rows(name, pool, _Names()))
            width = max(len(row[0]) for row in rows)
            for shown, one, _errors, _note in rows:
                # Nobody looks at caches and spares before the pool is imported.
                known = one not in ("AVAIL", "INUSE") and shown not in caches
                self.say(f"\t{shown:<{width}}  {one}".rstrip() if known else f"\t{shown}")
        return 0


def _all_names(vdev: LabVdev) -> tuple[str, ...]:
    return vdev.name, str(vdev.guid), f"{BY_ID}{vdev.name}"


def _no_errors(errors: tuple[int, int, int]) -> dict[str, int]:
    return dict(zip(("read_errors", "write_errors", "checksum_errors"), errors, strict=True))


def _texts(value: Any, integers: bool) -> Any:
    """Numbers are texts unless --json-int is given."""
    if isinstance(value, dict):
        keep = {"vers_major", "vers_minor"}
        return {key: inner if key in keep else _texts(inner, integers) for key, inner in value.items()}
    return value if integers or not isinstance(value, int) else str(value)
