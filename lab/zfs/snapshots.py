# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Snapshots of the stand-in: taken, held, listed, gone back to, destroyed."""

from __future__ import annotations

from lab.zfs.base import Base, Unknown, flags_of


class Snapshots(Base):
    def do_snapshot(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "r")
        wanted = [tuple(name.split("@", 1)) for name in names]
        if "-r" in flags:
            wanted = [(one, short) for base, short in wanted for one in [base, *self.state.below(base)]]
        for base, short in wanted:
            if short in self.opened(base).snapshots:
                text = f"cannot create snapshot '{base}@{short}': dataset already exists"
                raise self.fail(f"{text}\nno snapshots were created" if len(wanted) > 1 else text)
        # All of one command are made in one transaction.
        order = self.state.transaction + 1
        for base, short in wanted:
            snapshot = self.state.snapshot()
            snapshot.order = self.state.transaction = order
            self.state.datasets[base].snapshots[short] = snapshot
            self.state.datasets[base].written = 0
        return 0

    def do_hold(self, arguments: list[str]) -> int:
        _flags, (tag, *names) = flags_of(arguments, "")
        for name in names:
            base, _at, short = name.partition("@")
            if short not in self.opened(base).snapshots:
                raise self.fail(f"cannot hold snapshot '{name}': dataset does not exist")
        found = [self.snapshot_of(name) for name in names]
        for name, snapshot in zip(names, found, strict=True):
            if tag in snapshot.holds:
                raise self.fail(f"cannot hold snapshot '{name}': tag already exists on this dataset")
        for snapshot in found:
            snapshot.holds.append(tag)
        return 0

    def do_release(self, arguments: list[str]) -> int:
        _flags, (tag, *names) = flags_of(arguments, "")
        found = [self.snapshot_of(name) for name in names]
        for name, snapshot in zip(names, found, strict=True):
            if tag not in snapshot.holds:
                raise self.fail(f"cannot release hold from snapshot '{name}': no such tag on this dataset")
        for snapshot in found:
            snapshot.holds.remove(tag)
        return 0

    def do_holds(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "H")
        if "-H" not in flags:
            raise Unknown("zfs holds without -H")
        for name in names:
            for tag in self.snapshot_of(name).holds:
                self.say(f"{name}\t{tag}\tSun Nov 22  8:00 2026")
        return 0

    def do_rollback(self, arguments: list[str]) -> int:
        flags, (name,) = flags_of(arguments, "r")
        target = self.snapshot_of(name)
        base = name.partition("@")[0]
        dataset = self.state.datasets[base]
        newer = [short for short, one in dataset.snapshots.items() if one.order > target.order]
        if newer and "-r" not in flags:
            self.complain(f"cannot rollback to '{name}': more recent snapshots or bookmarks exist")
            self.complain("use '-r' to force deletion of the following snapshots and bookmarks:")
            raise self.fail("\n".join(f"{base}@{short}" for short in newer))
        for short in newer:
            self._destroy(base, short)
        dataset.written = 0
        return 0

    def destroy_snapshots(self, names: str) -> int:
        """`zfs destroy dataset@one,two`."""
        base, _at, shorts = names.partition("@")
        for short in shorts.split(","):
            self.snapshot_of(f"{base}@{short}")
            self._destroy(base, short)
        return 0

    def _destroy(self, base: str, short: str) -> None:
        snapshot = self.state.datasets[base].snapshots[short]
        if snapshot.holds:
            raise self.fail(
                f"cannot destroy snapshot {base}@{short}: it's being held. "
                f"Run 'zfs holds -r {base}@{short}' to see holders."
            )
        if snapshot.clones:
            self.complain(f"cannot destroy '{base}@{short}': snapshot has dependent clones")
            raise self.fail("use '-R' to destroy the following datasets:\n" + "\n".join(snapshot.clones))
        del self.state.datasets[base].snapshots[short]

    def of_snapshot(self, name: str, column: str, *, exact: bool) -> str:
        """A column of a list; without -p only what was recorded."""
        one = self.snapshot_of(name)
        numbers = {"guid": one.guid, "creation": one.created, "createtxg": one.order, "userrefs": len(one.holds)}
        return str(numbers[column]) if exact and column in numbers else "-"
