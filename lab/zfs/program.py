# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The zfs program. What it was never seen to do, it refuses to do: exit code 64 and `lab.zfs does not know`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from lab.zfs.base import Failed, Unknown, flags_of, pairs_of
from lab.zfs.properties import NATIVE, Refused, human, parsed
from lab.zfs.snapshots import Snapshots
from lab.zfs.state import Dataset
from lab.zfs.streams import Streams

# What `zfs list` shows when it is not asked, and how wide; a column without a width is as wide as what is in it.
_LISTED = {"used": 5, "available": 5, "referenced": 5}
_HEADERS = {"name": "NAME", "used": "USED", "available": "AVAIL", "referenced": "REFER", "mountpoint": "MOUNTPOINT"}
_SHORT = {"avail": "available", "refer": "referenced", "volblock": "volblocksize", "compress": "compression"}


# Properties that only some datasets show.
_SOMETIMES = ("keystatus", "receive_resume_token")


class Program(Snapshots, Streams):
    """One run of the program."""

    # -- reading ----------------------------------------------------------------------------------------------------

    def do_version(self, arguments: list[str]) -> None:
        flags, _names = flags_of(arguments, "j")
        if "-j" in flags:
            versions = {"userland": f"zfs-{self.state.release}", "kernel": f"zfs-kmod-{self.state.release}"}
            self.say(_json("zfs version", {"zfs_version": versions}))
            return
        self.say(f"zfs-{self.state.release}\nzfs-kmod-{self.state.release}")

    def do_list(self, arguments: list[str]) -> int:
        options, names = flags_of(arguments, "Hpjrd:t:o:", ["json-int"])
        chosen, status = self._chosen(names, options, listing=True)
        asked = options.get("-o", "name,used,available,referenced,mountpoint").split(",")
        columns = [_SHORT.get(one, one) for one in asked]
        if "-j" in options:
            self.say(_json("zfs list", {"datasets": {name: self._as_json(name, columns, options) for name in chosen}}))
            return status
        if not chosen and not names and "-H" not in options:
            self.complain("no datasets available")
            return status
        rows = [[self._cell(name, column, options) for column in columns] for name in chosen]
        if "-H" in options:
            for row in rows:
                self.say("\t".join(row))
        elif rows:
            self._table(columns, rows)
        return status

    def do_get(self, arguments: list[str]) -> int:
        options, words = flags_of(arguments, "Hpjrt:o:s:", ["json-int"])
        if not words:
            raise Unknown("zfs get without a property")
        asked, names = words[0].split(","), words[1:]
        for prop in asked:
            if prop != "all" and ":" not in prop and prop not in NATIVE and prop not in _SOMETIMES:
                raise self.fail(f"bad property list: invalid property '{prop}'", 2)
        chosen, status = self._chosen(names, options, listing=False)
        if "-j" in options:
            columns = asked if asked != ["all"] else list(NATIVE)
            data = {name: self._as_json(name, columns, options, number_as_text=True) for name in chosen}
            self.say(_json("zfs get", {"datasets": data}))
            return status
        fields = options.get("-o", "name,property,value,source").split(",")
        rows = []
        for name in chosen:
            for prop in self._properties(name, asked):
                found = self._value(name, prop)
                value, source = found if found is not None else ("-", "-")
                wanted = options.get("-s")
                if wanted is not None and source.partition(" ")[0] not in wanted.split(","):
                    continue
                shown = value if "-p" in options else human(prop, value)
                cells = {"name": name, "property": prop, "value": shown, "source": source}
                rows.append([cells[one] for one in fields])
        if "-H" not in options:
            raise Unknown("zfs get without -H")
        for row in rows:
            self.say("\t".join(row))
        return status

    def _chosen(self, names: Sequence[str], options: dict[str, str], *, listing: bool) -> tuple[list[str], int]:
        """The datasets (and snapshots) a command is about, in the order the program shows them."""
        types = set(options.get("-t", "filesystem,volume").split(","))
        if "all" in types or (not listing and "-t" not in options and names):
            types |= {"filesystem", "volume", "snapshot", "bookmark"}
        visible, status = self.state.visible, 0
        chosen: list[str] = []
        for name in names or [one for one in visible if "/" not in one]:
            base, at, short = name.partition("@")
            if base not in visible or (at and short not in visible[base].snapshots):
                self.complain(f"cannot open '{name}': dataset does not exist")
                status = 1
                continue
            if "-r" in options or "-d" in options or not names:
                deeper = [] if options.get("-d") == "1" else sorted(self.state.below(base))
                for one in [base, *deeper]:
                    chosen.append(one)
                    chosen.extend(f"{one}@{snapshot}" for snapshot in visible[one].snapshots)
            else:
                chosen.append(name)
        unique = sorted(dict.fromkeys(chosen), key=lambda one: one.replace("@", "\0"))
        return [one for one in unique if self._type(one) in types], status

    def _type(self, name: str) -> str:
        return "snapshot" if "@" in name else self.state.datasets[name].type

    def _properties(self, name: str, asked: Sequence[str]) -> list[str]:
        if list(asked) != ["all"]:
            return list(asked)
        if "@" in name:
            raise Unknown("zfs get all of a snapshot")
        native = [prop for prop in NATIVE if self.state.value(name, prop) is not None]
        parts = name.split("/")
        lineage = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        own = {prop for one in lineage for prop in self.state.datasets[one].local if ":" in prop}
        if self.state.value(name, "encryption") not in (None, ("off", "default"), ("off", "-")):
            native.append("keystatus")
        if self.state.datasets[name].partial is not None:
            native.append("receive_resume_token")
        return [*native, *sorted(own)]

    def _value(self, name: str, prop: str) -> tuple[str, str] | None:
        if "@" in name:
            raise Unknown(f"zfs get {prop} of a snapshot")
        if prop == "keystatus":
            return "available" if self.state.datasets[name].key_loaded else "unavailable", "-"
        if prop == "receive_resume_token":
            partial = self.state.datasets[name].partial
            return (partial.token if partial is not None else "-"), "-"
        return self.state.value(name, prop)

    def _cell(self, name: str, column: str, options: dict[str, str]) -> str:
        if column == "name":
            return name
        if column == "type":
            return self._type(name)
        if column == "clones":
            base, _at, short = name.partition("@")
            return ",".join(self.state.datasets[base].snapshots[short].clones) or "-" if "@" in name else "-"
        if "@" in name:
            return self.of_snapshot(name, column, exact="-p" in options)
        found = self._value(name, column)
        value = found[0] if found is not None else "-"
        return value if "-p" in options else human(column, value)

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [
            _LISTED.get(column, max([len(_HEADERS.get(column, column)), *(len(row[number]) for row in rows)]))
            for number, column in enumerate(columns)
        ]
        for row in [[_HEADERS.get(column, column.upper()) for column in columns], *rows]:
            cells = [
                cell.rjust(width) if column in _LISTED else cell.ljust(width)
                for cell, width, column in zip(row, widths, columns, strict=True)
            ]
            self.say("  ".join(cells).rstrip())

    def _as_json(
        self, name: str, columns: Sequence[str], options: dict[str, str], *, number_as_text: bool = False
    ) -> dict[str, object]:
        values = {}
        for column in columns:
            found = self._value(name, column) if column != "name" else None
            if found is None:
                continue
            value: object = found[0] if "-p" in options or "--json-int" in options else human(column, found[0])
            if "--json-int" in options and found[0].isdigit():
                value = int(found[0])
            word, _from, above = found[1].partition(" from ")
            kind = {"-": "NONE"}.get(word, word.upper())
            values[column] = {"value": value, "source": {"type": kind, "data": above or "-"}}
        born = int(self.state.datasets[name].fixed.get("createtxg", "1"))
        return {
            "name": name,
            "type": self._type(name).upper(),
            "pool": name.partition("/")[0],
            "createtxg": str(born) if number_as_text else born,
            "properties": values,
        }

    # -- creating ---------------------------------------------------------------------------------------------------

    def do_create(self, arguments: list[str]) -> int:
        pairs, words = pairs_of(arguments, "psV:b:o:")
        flags = {flag: value for flag, value in pairs if flag != "-o"}
        (name,) = words
        settings = [value.partition("=")[::2] for flag, value in pairs if flag == "-o"]
        if "-b" in flags:
            settings.append(("volblocksize", flags["-b"]))
        self._check_name(name)
        kind = "volume" if "-V" in flags else "filesystem"
        dataset = Dataset(kind)
        try:
            for prop, text in settings:
                self._place(dataset, prop, text, creating=True)
        except Refused as problem:
            raise self.fail(f"cannot create '{name}': {problem}") from None
        if name.partition("/")[0] not in self.state.visible:
            raise self.fail(f"cannot create '{name}': no such pool '{name.partition('/')[0]}'")
        if name in self.state.visible:
            if "-p" in flags:
                return 0
            raise self.fail(f"cannot create '{name}': dataset already exists")
        parent = name.rpartition("/")[0]
        if parent not in self.state.visible and "-p" not in flags:
            raise self.fail(f"cannot create '{name}': parent does not exist")
        missing = []
        while parent and parent not in self.state.visible:
            missing.append(parent)
            parent = parent.rpartition("/")[0]
        if kind == "volume":
            self._volume(dataset, parsed("volsize", flags["-V"]), thick="-s" not in flags)
        self._key(name, dataset)
        for one in reversed(missing):
            self._add(one, Dataset("filesystem"))
        self._add(name, dataset)
        return 0

    def _volume(self, dataset: Dataset, size: str, *, thick: bool) -> None:
        block = int(dataset.fixed.get("volblocksize", NATIVE["volblocksize"].default))
        dataset.local["volsize"] = str(-(-int(size) // block) * block)
        if thick:
            dataset.local["refreservation"] = reservation(int(dataset.local["volsize"]))
        dataset.fixed["used"] = "57344"

    def _key(self, name: str, dataset: Dataset) -> None:
        if dataset.fixed.get("encryption", "off") == "off":
            return
        if dataset.fixed.get("keyformat", "none") == "none":
            above = [one for one in _above(name) if self.state.datasets.get(one, dataset).fixed.get("keyformat")]
            if not above:
                raise self.fail(f"cannot create '{name}': Keyformat required for new encryption root.")
            return
        dataset.local.setdefault("keylocation", "prompt")
        if dataset.local["keylocation"] == "prompt":
            dataset.key = self.stdin.rstrip("\n")
            if len(dataset.key) < 8:
                raise self.fail("Passphrase too short (min 8).\n" + f"cannot create '{name}': invalid key")

    def _add(self, name: str, dataset: Dataset) -> None:
        self.state.datasets[name] = dataset
        dataset.fixed["guid"] = str(self.state.guid())
        if dataset.type == "filesystem":
            found = self.state.value(name, "mountpoint")
            can = dataset.local.get("canmount", "on")
            dataset.mounted = can == "on" and found is not None and found[0] not in ("none", "legacy")

    def _check_name(self, name: str) -> None:
        if "@" in name:
            raise self.fail(f"cannot create '{name}': snapshot delimiter '@' is not expected here")
        if name.endswith("/"):
            raise self.fail(f"cannot create '{name}': trailing slash in name")
        bad = re.search(r"[^A-Za-z0-9_.:/ -]", name)
        if bad:
            raise self.fail(f"cannot create '{name}': invalid character '{bad.group(0)}' in name")

    def do_clone(self, arguments: list[str]) -> int:
        _flags, (source, name) = flags_of(arguments, "")
        base, _at, short = source.partition("@")
        self.opened(base).snapshots[short].clones.append(name)
        dataset = Dataset(self.state.datasets[base].type, origin=source)
        if dataset.type == "volume":
            dataset.local["volsize"] = self.state.datasets[base].local["volsize"]
        self._add(name, dataset)
        return 0

    # -- changing ---------------------------------------------------------------------------------------------------

    def do_set(self, arguments: list[str]) -> int:
        _flags, words = flags_of(arguments, "")
        settings = [word.partition("=")[::2] for word in words if "=" in word]
        names = [word for word in words if "=" not in word]
        for name in names:
            dataset = self.opened(name)
            before = self.state.value(name, "mountpoint")
            try:
                for prop, text in settings:
                    self._limits(name, prop, text)
                    self._place(dataset, prop, text)
            except Refused as problem:
                raise self.fail(f"cannot set property for '{name}': {problem}", 255) from None
            if before != self.state.value(name, "mountpoint") and dataset.busy:
                complaint = f"cannot unmount '{before[0] if before else name}': pool or dataset is busy"
                raise self.fail(f"{complaint}\nproperty may be set but unable to remount filesystem")
            if any(prop == "sharenfs" and text != "off" for prop, text in settings):
                self.complain(f"cannot share '{name}: system error': NFS share creation failed")
                self.complain("property may be set but unable to reshare filesystem")
        return 0

    def _limits(self, name: str, prop: str, text: str) -> None:
        if prop in ("quota", "refquota"):
            limit = int(parsed(prop, text))
            if 0 < limit < self.state.used(name):
                raise Refused("size is less than current used or reserved space")

    def _place(self, dataset: Dataset, prop: str, text: str, *, creating: bool = False) -> None:
        """Put a value where it belongs. Raises Refused."""
        if ":" in prop:
            dataset.local[prop] = text
            return
        row = NATIVE.get(prop)
        if row is None:
            raise Refused(f"invalid property '{prop}'")
        if row.how == "read" or (row.how == "once" and not creating):
            raise Refused(f"'{prop}' is readonly")
        if not row.applies(dataset.type):
            raise Refused(f"'{prop}' does not apply to datasets of this type")
        value = parsed(prop, text)
        if row.how == "once":
            dataset.fixed[prop] = value
            return
        if prop == "volsize" and not creating:
            block = int(dataset.fixed.get("volblocksize", NATIVE["volblocksize"].default))
            if int(value) % block:
                raise Refused(f"'volsize' must be a multiple of volume block size ({block // 1024}K)")
            if dataset.local.get("refreservation") == reservation(int(dataset.local["volsize"])):
                dataset.local["refreservation"] = reservation(int(value))
        dataset.local[prop] = value

    def do_inherit(self, arguments: list[str]) -> int:
        _flags, (prop, *names) = flags_of(arguments, "")
        row = NATIVE.get(prop)
        if row is None and ":" not in prop:
            raise self.fail(f"invalid property '{prop}'")
        if row is not None and row.how == "read":
            raise self.fail(f"{prop} property is read-only")
        if row is not None and row.how in ("own", "once"):
            self.complain(f"'{prop}' property cannot be inherited")
            if prop in ("quota", "reservation", "refquota", "refreservation"):
                self.complain(f"use 'zfs set {prop}=none' to clear")
                self.complain(f"use 'zfs inherit -S {prop}' to revert to received value")
            raise Failed
        for name in names:
            dataset = self.opened(name)
            dataset.local.pop(prop, None)
            dataset.received.pop(prop, None)
        return 0

    def do_change_key(self, arguments: list[str]) -> int:
        _flags, (name,) = flags_of(arguments, "")
        dataset = self.opened(name)
        if not dataset.key:
            raise self.fail("Key change error: Dataset is not an encryption root.", 255)
        dataset.key = self.stdin.rstrip("\n")
        return 0

    def do_rename(self, arguments: list[str]) -> int:
        _flags, (old, new) = flags_of(arguments, "")
        self.opened(old)
        if new.rpartition("/")[0] not in self.state.visible:
            raise self.fail(f"cannot create '{new}': parent does not exist")
        if new in self.state.visible:
            raise self.fail(f"cannot rename '{old}': dataset already exists")
        for one in [old, *self.state.below(old)]:
            self.state.datasets[new + one[len(old) :]] = self.state.datasets.pop(one)
        return 0

    def do_mount(self, arguments: list[str]) -> int:
        _flags, (name,) = flags_of(arguments, "")
        dataset = self.opened(name)
        if dataset.mounted:
            raise self.fail(f"cannot mount '{name}': filesystem already mounted")
        dataset.mounted = True
        return 0

    def do_umount(self, arguments: list[str]) -> int:
        _flags, (name,) = flags_of(arguments, "")
        dataset = self.opened(name)
        if not dataset.mounted:
            raise self.fail(f"cannot unmount '{name}': not currently mounted")
        if dataset.busy:
            raise self.fail(f"cannot unmount '{self._mountpoint(name)}': pool or dataset is busy")
        dataset.mounted = False
        return 0

    do_unmount = do_umount

    # -- destroying -------------------------------------------------------------------------------------------------

    def do_destroy(self, arguments: list[str]) -> int:
        flags, (name,) = flags_of(arguments, "nvr")
        if "@" in name:
            return self.destroy_snapshots(name)
        dataset = self.opened(name)
        below = self.state.below(name)
        recursive = "-r" in flags
        if "/" not in name:
            if recursive:
                raise Unknown("zfs destroy -r of a pool")
            self.complain(f"cannot destroy '{name}': operation does not apply to pools")
            self.complain(f"use 'zfs destroy -r {name}' to destroy all datasets in the pool")
            raise self.fail(f"use 'zpool destroy {name}' to destroy the pool itself")
        snapshots = [f"{one}@{short}" for one in [*below, name] for short in self.state.datasets[one].snapshots]
        if not recursive and (below or snapshots):
            self.complain(f"cannot destroy '{name}': {dataset.type} has children")
            self.complain("use '-r' to destroy the following datasets:")
            raise self.fail("\n".join([*snapshots, *below]))
        self._no_clones(name, below)
        if "-n" in flags:
            if "-v" in flags:
                self.say("\n".join(f"would destroy {one}" for one in [*snapshots, *below, name]))
            return 0
        for one in [*below, name]:
            if self.state.datasets[one].busy:
                raise self.fail(f"cannot unmount '{self._mountpoint(one)}': pool or dataset is busy")
            self._remove(one)
        return 0

    def _no_clones(self, name: str, below: Sequence[str]) -> None:
        inside = {name, *below}
        for one in inside:
            for short, snapshot in self.state.datasets[one].snapshots.items():
                if snapshot.holds:
                    raise self.fail(
                        f"cannot destroy snapshot {one}@{short}: it's being held. "
                        f"Run 'zfs holds -r {one}@{short}' to see holders."
                    )
                outside = [clone for clone in snapshot.clones if clone not in inside]
                if outside:
                    self.complain(f"cannot destroy '{name}': filesystem has dependent clones")
                    self.complain("use '-R' to destroy the following datasets:")
                    raise self.fail("\n".join(outside))

    def _remove(self, name: str) -> None:
        origin = self.state.datasets.pop(name).origin
        base, _at, short = origin.partition("@")
        if base in self.state.datasets and short in self.state.datasets[base].snapshots:
            self.state.datasets[base].snapshots[short].clones.remove(name)

    # -- finding ----------------------------------------------------------------------------------------------------

    def _mountpoint(self, name: str) -> str:
        found = self.state.value(name, "mountpoint")
        return found[0] if found is not None else name


def reservation(volsize: int) -> str:
    """What a volume of this size reserves: its blocks and the metadata that points to them. The recorded pool, a
    raidz2, reserves about a tenth more."""
    blocks, metadata = volsize // 16384, 7
    while blocks > 1:
        blocks = -(-blocks // 1024)
        metadata += blocks
    return str(volsize + metadata * 2 * 128 * 1024)


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _json(command: str, data: dict[str, object]) -> str:
    head = {"output_version": {"command": command, "vers_major": 0, "vers_minor": 1}}
    return json.dumps({**head, **data}, separators=(",", ":"))
