# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The zpool program. What it was never seen to do, it refuses to do."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from lab.zfs.base import Unknown, flags_of, pairs_of
from lab.zfs.disks import LabVdev
from lab.zfs.pool_show import PoolShow
from lab.zfs.pool_state import READ_ONLY, SETTABLE, Pool, vdev_state
from lab.zfs.program import Program
from lab.zfs.properties import Refused
from lab.zfs.state import Dataset

_CLASSES = {"log": "log", "cache": "cache", "spare": "spare", "special": "special", "dedup": "dedup"}
_SORT = re.compile(r"^(mirror|raidz[123]?|draid[123]?(:\d+[dcs])*)$")
_DATA = ("normal", "special", "dedup")


class PoolProgram(PoolShow):
    # -- creating, destroying ---------------------------------------------------------------------------------------

    def do_create(self, arguments: list[str]) -> int:
        pairs, (name, *words) = pairs_of(arguments, "fno:O:m:")
        force, dry = ("-f", "") in pairs, ("-n", "") in pairs
        self._check_name(name)
        settings = [value.partition("=")[::2] for flag, value in pairs if flag == "-o"]
        for prop, _text in settings:
            if prop not in SETTABLE and ":" not in prop:
                raise self.fail(f"property '{prop}' is not a valid pool or vdev property")
        properties = {prop: self._value(prop, text) for prop, text in settings}
        for flag, value in pairs:
            if flag == "-O" and value.partition("=")[0] not in self.filesystem_properties():
                raise self.fail(f"property '{value.partition('=')[0]}' is not a valid filesystem property")
        groups = self.parse(words)
        pool = Pool(guid=self.state.guid(), hostid=self.state.hostid, hostname=self.state.hostname)
        pool.ashift = int(properties.get("ashift", "0")) or 12
        self._check_use(groups, force)
        self._check_replication(groups, {}, force)
        if name in self.state.pools and self.state.pools[name].imported:
            raise self.fail(f"cannot create '{name}': pool already exists")
        root = Dataset("filesystem", mounted=True)
        try:
            for flag, value in pairs:
                if flag == "-O":
                    prop, _equals, text = value.partition("=")
                    Program(self.state)._place(root, prop, text, creating=True)
                elif flag == "-m":
                    root.local["mountpoint"] = value
        except Refused as problem:
            raise self.fail(f"cannot create '{name}': {problem}") from None
        if dry:
            self._would(name, groups, f"would create '{name}' with the following layout:")
            return 0
        pool.properties.update({prop: text for prop, text in properties.items() if text != SETTABLE[prop][1]})
        root.fixed["creation"] = str(self.state.now())
        self.state.pools[name] = pool
        self._number(pool, groups)
        pool.vdevs = groups
        self._label(name, pool)
        self.state.datasets[name] = root
        self.note(pool, "create", arguments)
        return 0

    def _check_name(self, name: str) -> None:
        omitted = "\npool name may have been omitted"
        if re.match(r"^(mirror|raidz|draid|spare|log$)", name):
            raise self.fail(f"cannot create '{name}': name is reserved{omitted}")
        if not name[:1].isalpha():
            raise self.fail(f"cannot create '{name}': name must begin with a letter{omitted}")

    def do_destroy(self, arguments: list[str]) -> int:
        _flags, (name,) = flags_of(arguments, "f")
        pool = self.pool(name)
        below = [one for one in self.state.datasets if one == name or one.startswith(f"{name}/")]
        busy = [one for one in below if self.state.datasets[one].busy]
        if busy:
            self.complain(f"cannot unmount '/{busy[0]}': pool or dataset is busy")
            raise self.fail(f"could not destroy '{name}': could not unmount datasets")
        for one in below:
            del self.state.datasets[one]
        for leaf in pool.leaves:
            # The label stays, and says that its pool is no more.
            disk = self.state.disks.get(leaf.disk)
            if disk is not None and disk.present:
                disk.signatures["1"] = [("zfs_member", name)]
        del self.state.pools[name]
        return 0

    # -- growing ----------------------------------------------------------------------------------------------------

    def do_add(self, arguments: list[str]) -> int:
        pairs, (name, *words) = pairs_of(arguments, "fno:")
        pool = self.pool(name)
        force, dry = ("-f", "") in pairs, ("-n", "") in pairs
        groups = self.parse(words)
        own = {leaf.disk for leaf in pool.leaves}
        again = any(leaf.disk in own for vdevs in groups.values() for vdev in vdevs for leaf in vdev.leaves)
        if again and set(groups) == {"spare"}:
            raise self.fail(f"cannot add to '{name}': one or more vdevs refer to the same device")
        self._check_use(groups, force)
        self._check_replication(groups, pool.vdevs, force)
        given = dict(pair.partition("=")[::2] for flag, pair in pairs if flag == "-o").get("ashift")
        ashift = int(given or pool.properties.get("ashift", "0")) or pool.ashift
        if ashift != pool.ashift and set(groups) & {"log", "normal", "special", "dedup"}:
            raise self.fail(
                f"cannot add to '{name}': adding devices with different physical sector sizes is not allowed"
            )
        if dry:
            self._would(name, groups, f"would update '{name}' to the following configuration:")
            return 0
        self._number(pool, groups)
        for group, vdevs in groups.items():
            pool.vdevs.setdefault(group, []).extend(vdevs)
        self._label(name, pool)
        self.note(pool, "add", arguments)
        return 0

    def do_attach(self, arguments: list[str]) -> int:
        _pairs, (name, old, new) = pairs_of(arguments, "fso:")
        pool = self.pool(name)
        found = self.find(pool, old)
        if found is None:
            raise self.fail(f"cannot attach {new} to {old}: no such device in pool", 255)
        leaf = self._new_leaf(new)
        self._check_use({"normal": [leaf]}, force=False)
        group, top, target = found
        if group in ("cache", "spare") or top.sort not in ("disk", "mirror") or target.children:
            raise self.fail(f"cannot attach {new} to {old}: can only attach to mirrors and top-level disks", 255)
        if top.sort == "disk":
            members = pool.vdevs[group]
            mirror = LabVdev("mirror", self.state.guid(), target.number, children=[target, leaf])
            members[members.index(target)] = mirror
        else:
            top.children.append(leaf)
        leaf.resilvering = self.state.slow
        self._label(name, pool)
        self._resilvered(pool)
        self.note(pool, "attach", arguments)
        return 0

    def do_replace(self, arguments: list[str]) -> int:
        _pairs, (name, old, new) = pairs_of(arguments, "fso:")
        pool = self.pool(name)
        leaf = self._new_leaf(new)
        self._check_use({"normal": [leaf]}, force=False)
        found = self.find(pool, old)
        if found is None or found[2].children:
            raise self.fail(f"cannot replace {old} with {new}: no such device in pool", 255)
        group, top, target = found
        if self.state.slow:
            leaf.resilvering = True
            number = top.children.index(target) if top is not target else target.number
            self._put(
                pool, group, top, target, LabVdev("replacing", self.state.guid(), number, children=[target, leaf])
            )
        else:
            self._put(pool, group, top, target, leaf)
            self._unlabel(target)
        leaf.number = target.number
        self._label(name, pool)
        self._resilvered(pool)
        self.note(pool, "replace", arguments)
        return 0

    def do_detach(self, arguments: list[str]) -> int:
        _flags, (name, old) = flags_of(arguments, "")
        pool = self.pool(name)
        found = self.find(pool, old)
        if found is None:
            raise self.fail(f"cannot detach {old}: no such device in pool", 255)
        group, top, target = found
        if top.sort != "mirror" or target is top:
            raise self.fail(f"cannot detach {old}: only applicable to mirror and replacing vdevs", 255)
        top.children.remove(target)
        self._unlabel(target)
        if len(top.children) == 1:
            top.children[0].number = top.number
            pool.vdevs[group][pool.vdevs[group].index(top)] = top.children[0]
        return 0

    def do_remove(self, arguments: list[str]) -> int:
        _flags, (name, *olds) = flags_of(arguments, "")
        pool = self.pool(name)
        for old in olds:
            found = self.find(pool, old)
            if found is None:
                raise self.fail(f"cannot remove {old}: no such device in pool")
            group, top, target = found
            rigid = any(vdev.sort.startswith(("raidz", "draid")) for kind, vdev in pool.rows if kind in _DATA)
            if target is not top or (group in _DATA and rigid):
                raise self.fail(f"cannot remove {old}: operation not supported on this type of pool")
            pool.vdevs[group].remove(top)
            for leaf in top.leaves:
                self._unlabel(leaf)
        self.note(pool, "remove", arguments)
        return 0

    def do_offline(self, arguments: list[str]) -> int:
        _flags, (name, *olds) = flags_of(arguments, "tf")
        for old in olds:
            found = self.find(self.pool(name), old)
            if found is None:
                raise self.fail(f"cannot offline {old}: no such device in pool")
            _group, top, target = found
            target.state = "OFFLINE"
            if vdev_state(top, self.state.disks) == "UNAVAIL":
                target.state = "ONLINE"
                raise self.fail(f"cannot offline {old}: no valid replicas")
        return 0

    def do_online(self, arguments: list[str]) -> int:
        _flags, (name, *olds) = flags_of(arguments, "e")
        for old in olds:
            found = self.find(self.pool(name), old)
            if found is None:
                raise self.fail(f"cannot online {old}: no such device in pool")
            found[2].state = "ONLINE"
        return 0

    # -- maintenance ------------------------------------------------------------------------------------------------

    def do_set(self, arguments: list[str]) -> int:
        _flags, (setting, name) = flags_of(arguments, "")
        prop, _equals, text = setting.partition("=")
        pool = self.pool(name)
        if prop == "readonly":
            raise self.fail(f"cannot set property for '{name}': property 'readonly' can only be set at import time")
        if prop in READ_ONLY:
            raise self.fail(f"cannot set property for '{name}': '{prop}' is readonly")
        if prop.startswith("feature@"):
            raise self.fail(
                f"cannot set property for '{name}': property '{prop}' can only be set to 'disabled' at creation time"
            )
        if prop not in SETTABLE and ":" not in prop:
            raise self.fail(f"cannot set property for '{name}': invalid property '{prop}'")
        value = self._value(prop, text, f"cannot set property for '{name}': ")
        pool.properties[prop] = value
        if (prop in SETTABLE and value in ("", SETTABLE[prop][1])) or value == "/etc/zfs/zpool.cache":
            del pool.properties[prop]
        return 0

    def _value(self, prop: str, text: str, head: str = "") -> str:
        allowed = SETTABLE.get(prop, ((), ""))[0]
        if allowed and text not in allowed:
            raise self.fail(f"{head}'{prop}' must be one of '{' | '.join(allowed)}'")
        if prop == "ashift" and (not text.isdigit() or (text != "0" and not 9 <= int(text) <= 16)):
            raise self.fail(f"{head or 'invalid '}'ashift={text}' property: only values between 9 and 16 are allowed.")
        return text

    def do_scrub(self, arguments: list[str]) -> int:
        flags, (name,) = flags_of(arguments, "sp")
        pool = self.pool(name)
        if "-s" in flags:
            raise self.fail(f"cannot cancel scrubbing {name}: there is no active scrub")
        pool.scrubbed = self.state.now()
        pool.scan = "scrub"
        self.note(pool, "scrub", arguments)
        return 0

    def do_clear(self, arguments: list[str]) -> int:
        _flags, (name, *_device) = flags_of(arguments, "")
        for leaf in self.pool(name).leaves:
            leaf.errors = (0, 0, 0)
            leaf.state = "ONLINE" if leaf.state == "FAULTED" else leaf.state
        return 0

    def do_wait(self, arguments: list[str]) -> int:
        """Until a resilver is over, which it then is."""
        _flags, (name,) = flags_of(arguments, "t:")
        pool = self.pool(name)
        for group, top in pool.rows:
            for vdev in [one for one in top.walk() if one.sort == "replacing"]:
                self._put(pool, group, top, vdev, vdev.children[-1])
                self._unlabel(vdev.children[0])
        for leaf in pool.leaves:
            leaf.resilvering = False
        pool.resilver = False
        return 0

    def do_export(self, arguments: list[str]) -> int:
        _flags, names = flags_of(arguments, "f")
        for name in names:
            pool = self.pool(name)
            below = [one for one in self.state.below(name) if self.state.datasets[one].busy]
            if below:
                raise self.fail(f"cannot unmount '/{below[-1]}': pool or dataset is busy")
            pool.imported, pool.exported, pool.hostid = False, True, self.state.hostid
            pool.hostname = self.state.hostname
        return 0

    def do_import(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "d:fDN")
        waiting = {name: pool for name, pool in sorted(self.state.pools.items()) if not pool.imported}
        if "-D" in flags:
            raise Unknown("zpool import -D")
        if not names:
            return self.list_waiting(waiting)
        name = next((one for one, pool in waiting.items() if names[0] in (one, str(pool.guid))), names[0])
        if name in self.state.pools and self.state.pools[name].imported:
            raise self.fail(
                f"cannot import '{name}': a pool with that name already exists\n"
                "use the form 'zpool import <pool | id> <newpool>' to give it a new name"
            )
        if name not in waiting:
            raise self.fail(f"cannot import '{name}': no such pool available")
        pool = waiting[name]
        if pool.state(self.state.disks) not in ("ONLINE", "DEGRADED"):
            raise self.fail(
                f"cannot import '{name}': no such pool or dataset\n\tDestroy and re-create the pool from\n\t"
                "a backup source."
            )
        if not pool.exported and pool.hostid != self.state.hostid and "-f" not in flags:
            raise self.fail(
                f"cannot import '{name}': pool was previously in use from another system.\n"
                f"Last accessed by {pool.hostname} (hostid={pool.hostid:x}) at Sat Nov 21 23:59:45 2026\n"
                "The pool can be imported, use 'zpool import -f' to import the pool."
            )
        pool.imported, pool.hostid, pool.hostname = True, self.state.hostid, self.state.hostname
        return 0

    def do_labelclear(self, arguments: list[str]) -> int:
        flags, (path,) = flags_of(arguments, "f")
        found = self.state.device(path)
        if found is None:
            raise self.fail(f"failed to open {path}: No such file or directory")
        disk, partition = found
        for name, pool in self.state.pools.items():
            if pool.imported and any(leaf.disk == disk for leaf in pool.leaves) and partition:
                raise self.fail(
                    f'{path} is a member (ACTIVE) of pool "{name}". Offline the disk first to clear its label.'
                )
        signatures = self.state.disks[disk].signatures.get(partition, [])
        if not any(sort == "zfs_member" for sort, _label in signatures):
            raise self.fail(f"failed to clear label for {path}", 255)
        if "-f" not in flags:
            raise Unknown("zpool labelclear without -f")
        self.state.disks[disk].signatures[partition] = []
        return 0

    # -- vdevs ------------------------------------------------------------------------------------------------------

    def parse(self, words: Sequence[str]) -> dict[str, list[LabVdev]]:
        """The vdevs of a command line. Fails as zpool does."""
        groups: dict[str, list[LabVdev]] = {}
        group, current = "normal", None
        for word in words:
            if word in _CLASSES:
                if _CLASSES[word] in groups and word == "log":
                    raise self.fail("invalid vdev specification: 'log' can be specified only once")
                group, current = _CLASSES[word], None
            elif _SORT.match(word):
                sort = "raidz1" if word == "raidz" else word
                current = LabVdev(sort, self.state.guid())
                groups.setdefault(group, []).append(current)
            else:
                leaf = self._new_leaf(word)
                (current.children if current is not None else groups.setdefault(group, [])).append(leaf)
        for vdevs in groups.values():
            for vdev in vdevs:
                self._check_width(vdev)
        return groups

    def _check_width(self, vdev: LabVdev) -> None:
        least = 2 if vdev.sort == "mirror" else int(vdev.sort[5]) + 1 if vdev.sort.startswith("raidz") else 0
        if least and len(vdev.children) < least:
            raise self.fail(f"invalid vdev specification: {vdev.sort} requires at least {least} devices")

    def _new_leaf(self, path: str) -> LabVdev:
        found = self.state.device(path)
        if found is None:
            if path.startswith("/"):
                raise self.fail(f"cannot resolve path '{path}'")
            raise self.fail(
                f"cannot open '{path}': no such device in /dev\nmust be a full path or shorthand device name"
            )
        return LabVdev("disk", self.state.guid(), disk=found[0], shown=path)

    def _check_use(self, groups: dict[str, list[LabVdev]], force: bool) -> None:
        """Whether somebody has a disk already, or something is on it."""
        errors, seen = [], set()
        for leaf in [leaf for vdevs in groups.values() for vdev in vdevs for leaf in vdev.leaves]:
            disk = self.state.disks[leaf.disk]
            if any(
                pool.imported and leaf.disk in {one.disk for one in pool.leaves} for pool in self.state.pools.values()
            ):
                raise self.fail(f"{leaf.shown} is in use and contains a unknown filesystem.")
            if disk.mountpoint or disk.holder[0]:
                sort = next((sort for sort, _label in disk.signatures.get("", [])), "unknown")
                raise self.fail(f"{leaf.shown} is in use and contains a {sort} filesystem.")
            owner = self._exported_owner(leaf.disk)
            if owner:
                errors.append(f"{leaf.path} is part of exported pool '{owner}'")
            errors += [
                f"{leaf.shown} contains a filesystem of type '{sort}'"
                for sort, _label in disk.signatures.get("", [])
                if sort not in ("gpt", "PMBR", "dos", "zfs_member")
            ]
            if leaf.disk in seen:
                raise self.fail("invalid vdev specification\nuse '-f' to override the following errors:\ntwice")
            seen.add(leaf.disk)
        if errors and not force:
            head = "invalid vdev specification\nuse '-f' to override the following errors:"
            raise self.fail("\n".join([head, *errors]))

    def _exported_owner(self, disk: str) -> str:
        for name, pool in self.state.pools.items():
            if not pool.imported and any(leaf.disk == disk for leaf in pool.leaves):
                return name
        return ""

    def _check_replication(
        self, groups: dict[str, list[LabVdev]], existing: dict[str, list[LabVdev]], force: bool
    ) -> None:
        """Vdevs of data must be alike. Recorded: pool and new vdev; otherwise as the source of zpool says it."""
        old = [vdev for group in _DATA for vdev in existing.get(group, [])]
        new = [vdev for group in _DATA for vdev in groups.get(group, [])]
        if force or not new:
            return
        head = "invalid vdev specification\nuse '-f' to override the following errors:\nmismatched replication level: "
        first, where = (old or new)[0], "pool"
        for vdev in new:
            both = f"{first.family}"
            if first.family != vdev.family and "disk" in (first.family, vdev.family):
                raise self.fail(f"{head}{where} uses {both} and new vdev is {vdev.family}")
            if first.parity != vdev.parity:
                ways = f"{first.parity} vs. {vdev.parity} ({max(len(vdev.children), 1)}-way)"
                raise self.fail(
                    f"{head}pool and new vdev with different redundancy, {both} and {vdev.family} vdevs, {ways}"
                )
            if first.family == vdev.family and len(first.children) != len(vdev.children):
                widths = f"{len(first.children)}-way {both} and new vdev uses {len(vdev.children)}-way {vdev.family}"
                raise self.fail(f"{head}pool uses {widths}")

    def _would(self, name: str, groups: dict[str, list[LabVdev]], title: str) -> None:
        self.say(f"{title}\n\n\t{name}")
        for vdev in groups.get("normal", []):
            self.say(f"\t  {vdev.sort if vdev.children else vdev.name}")
            for child in vdev.children:
                self.say(f"\t    {child.name}")

    def _number(self, pool: Pool, groups: dict[str, list[LabVdev]]) -> None:
        for group in ("normal", "special", "dedup", "log"):
            for vdev in groups.get(group, []):
                vdev.number = pool.next_number
                pool.next_number += 1

    def _label(self, name: str, pool: Pool) -> None:
        for leaf in pool.leaves:
            disk = self.state.disks[leaf.disk]
            disk.signatures = {"": [("gpt", ""), ("PMBR", "")], "1": [("zfs_member", name)], "9": []}

    def _unlabel(self, vdev: LabVdev) -> None:
        """A disk that left a pool keeps its partitions, and its label says that it is nobody's."""
        for leaf in vdev.leaves:
            if leaf.disk in self.state.disks:
                self.state.disks[leaf.disk].signatures["1"] = []

    def find(self, pool: Pool, name: str) -> tuple[str, LabVdev, LabVdev] | None:
        """Class, top-level vdev and vdev of a name, path or GUID."""
        for group, top in pool.rows:
            for vdev in top.walk():
                if name in (vdev.name, vdev.shown, str(vdev.guid)) and name:
                    return group, top, vdev
        return None

    def _put(self, pool: Pool, group: str, top: LabVdev, old: LabVdev, new: LabVdev) -> None:
        """Another vdev in the place of one."""
        if old is top:
            pool.vdevs[group][pool.vdevs[group].index(top)] = new
            return
        for vdev in top.walk():
            if old in vdev.children:
                vdev.children[vdev.children.index(old)] = new
                return

    def _resilvered(self, pool: Pool) -> None:
        pool.scan, pool.scrubbed, pool.resilver = "resilver", self.state.now(), self.state.slow

    def note(self, pool: Pool, command: str, arguments: list[str]) -> None:
        when = time.strftime("%Y-%m-%d.%H:%M:%S", time.localtime(self.state.now()))
        pool.history.append(f"{when} zpool {command} {' '.join(arguments)}")

    def do_history(self, arguments: list[str]) -> int:
        _flags, (name,) = flags_of(arguments, "")
        pool = self.pool(name)
        self.say("\n".join([f"History for '{name}':", *pool.history, ""]))
        return 0
