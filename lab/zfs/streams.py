# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Sending and receiving of the stand-in. A stream is a line that says what it is, ten lines, and a last one; a token to
resume says how many of these have arrived."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from lab.zfs.base import Base, Failed, Unknown, flags_of, pairs_of
from lab.zfs.state import Dataset, Partial, Snapshot

LINES = 10
_END = "end"
_KEY = ("encryption", "keyformat")


class Streams(Base):
    def do_send(self, arguments: list[str]) -> int:
        flags, names = flags_of(arguments, "wLecnvi:t:")
        if "-t" in flags:
            return self._resumed(flags)
        (name,) = names
        snapshot = self.snapshot_of(name)
        base, _at, short = name.partition("@")
        dataset = self.state.datasets[base]
        origin = 0
        if "-i" in flags:
            origin = self.snapshot_of(f"{base}@{flags['-i'].rpartition('@')[2]}").guid
        raw = "-w" in flags
        if dataset.fixed.get("encryption", "off") != "off" and not raw and not dataset.key_loaded:
            raise self.fail(f"warning: cannot send '{name}': dataset key must be loaded")
        head = {
            "name": name,
            "short": short,
            "from": origin,
            "type": dataset.type,
            "snapshot": {**asdict(snapshot), "holds": [], "clones": []},
            "volsize": dataset.local.get("volsize", ""),
            "fixed": {prop: dataset.fixed[prop] for prop in _KEY if raw and prop in dataset.fixed},
        }
        return self._stream(head, 0)

    def _resumed(self, flags: dict[str, str]) -> int:
        try:
            partial = Partial(**json.loads(bytes.fromhex(flags["-t"][2:])))
        except (ValueError, TypeError):
            raise self.fail("cannot resume send: resume token is corrupt (invalid format)", 255) from None
        if "-v" in flags:
            self.say("resume token contents:\nnvlist version: 0\n\tobject = 0x2\n\toffset = 0x0")
            self.say(f"\tbytes = {partial.lines * 65536:#x}\n\ttoguid = {partial.guid:#x}\n\ttoname = {partial.source}")
        base, _at, short = partial.source.partition("@")
        there = self.state.visible[base].snapshots if base in self.state.visible else {}
        if short not in there or there[short].guid != partial.guid:
            raise self.fail(f"cannot resume send: '{partial.source}' used in the initial send no longer exists", 255)
        if "-n" in flags:
            return 0
        return self._stream({"name": partial.source, "short": short, "resumes": flags["-t"]}, partial.lines)

    def _stream(self, head: dict[str, Any], begun: int) -> int:
        lines = [f"{number}" for number in range(begun, LINES)] + [_END]
        cut, self.state.cut_after = self.state.cut_after, 0
        for line in [json.dumps(head), *(lines[:cut] if cut else lines)]:
            self.say(line)
        if cut:
            raise self.fail(f"warning: cannot send '{head['name']}': signal received")
        return 0

    def do_receive(self, arguments: list[str]) -> int:
        pairs, (target,) = pairs_of(arguments, "suAo:")
        flags = {flag for flag, _value in pairs}
        if "-A" in flags:
            return self._abort(target)
        if "-u" not in flags:
            raise Unknown("zfs receive without -u")
        lines = self.stdin.splitlines()
        if not lines:
            raise self.fail("cannot receive: failed to read from stream")
        head = json.loads(lines[0])
        dataset = self.state.visible.get(target)
        resuming = head.get("resumes")
        if resuming:
            if dataset is None or dataset.partial is None or dataset.partial.token != resuming:
                raise self.fail(f"cannot receive resume stream: destination '{target}' does not have such a state")
            head, arrived = self.state.streams[resuming], dataset.partial.lines
        else:
            there = dataset.snapshots.get(head["short"]) if dataset is not None else None
            if there is not None and head["from"] and there.guid == head["snapshot"]["guid"]:
                return 0  # what it has already it takes no notice of
            self._fits(target, dataset, head)
            arrived = 0
        arrived += len([line for line in lines[1:] if line != _END])
        if dataset is None:
            dataset = self._created(target, head)
        dataset.local.update(value.split("=", 1) for flag, value in pairs if flag == "-o")
        if lines[-1] != _END:
            raise self._incomplete(target, dataset, head, arrived, keep="-s" in flags)
        dataset.partial = None
        # A snapshot keeps its GUID and its time of creation.
        self.state.transaction += 1
        given = {**head["snapshot"], "order": self.state.transaction}
        dataset.snapshots[head["short"]] = Snapshot(**given)
        dataset.written = 0
        return 0

    do_recv = do_receive

    def _fits(self, target: str, dataset: Dataset | None, head: dict[str, Any]) -> None:
        """What the real program checks before it takes a byte."""
        stream = "incremental stream" if head["from"] else "new filesystem stream"
        parent = target.rpartition("/")[0]
        if dataset is None and head["from"]:
            raise self.fail(f"cannot receive {stream}: destination '{target}' does not exist")
        if dataset is None and parent not in self.state.visible:
            self.complain(f"cannot open '{parent}': dataset does not exist")
            raise self.fail(f"cannot receive {stream}: unable to restore to destination")
        pool = self.state.pools[target.partition("/")[0]]
        if pool.free < 1:
            raise self.fail(f"cannot receive {stream}: out of space")
        if dataset is None:
            return
        if dataset.partial is not None:
            raise self.fail(
                f"cannot receive {stream}: destination {target} contains partially-complete state from "
                '"zfs receive -s".'
            )
        if not head["from"]:
            raise self.fail(f"cannot receive {stream}: destination '{target}' exists\nmust specify -F to overwrite it")
        newest = max(dataset.snapshots.values(), key=lambda one: one.order, default=None)
        if newest is None or newest.guid != head["from"]:
            what = f"most recent snapshot of {target} does not\nmatch incremental source"
            raise self.fail(f"cannot receive {stream}: {what}")
        if dataset.written:
            what = f"destination {target} has been modified\nsince most recent snapshot"
            raise self.fail(f"cannot receive {stream}: {what}")

    def _created(self, target: str, head: dict[str, Any]) -> Dataset:
        dataset = Dataset(head["type"], fixed=dict(head["fixed"]), key_loaded=not head["fixed"])
        if head["volsize"]:
            dataset.local["volsize"] = head["volsize"]
        dataset.fixed["guid"] = str(self.state.guid())
        self.state.datasets[target] = dataset
        return dataset

    def _incomplete(
        self, target: str, dataset: Dataset, head: dict[str, Any], arrived: int, *, keep: bool
    ) -> Exception:
        stream = "incremental stream" if head["from"] else "new filesystem stream"
        self.complain(f"cannot receive {stream}: checksum mismatch or incomplete stream.")
        if not keep:
            if not dataset.snapshots:
                del self.state.datasets[target]
            return Failed()
        partial = {"token": "", "source": head["name"], "guid": head["snapshot"]["guid"], "lines": arrived}
        token = f"1-{json.dumps(partial).encode().hex()}"
        dataset.partial = Partial(**{**partial, "token": token})
        self.state.streams[token] = head
        self.complain("Partially received snapshot is saved.")
        self.complain("A resuming stream can be generated on the sending system by running:")
        return self.fail(f"    zfs send -t {token}")

    def _abort(self, target: str) -> int:
        dataset = self.opened(target)
        if dataset.partial is None:
            raise self.fail(f"'{target}' does not have any resumable receive state to abort")
        dataset.partial = None
        if not dataset.snapshots:
            del self.state.datasets[target]
        return 0
