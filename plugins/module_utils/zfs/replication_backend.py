# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A replication's I/O: two command lines of ZFS, one of them perhaps at another host, and the pipe between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.operation import Order
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key, as_boolean
from ansible_collections.hospital.continuity.plugins.module_utils.remote import SecureShell, runner_of
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.backend import require_pools
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import (
    CommandLine,
    Properties,
    Snapshot,
    chunks,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import ancestors
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import DatasetMissing, ZfsError, refused
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication import (
    TAG,
    Abandon,
    End,
    Hold,
    Pair,
    Protect,
    RollBack,
    Send,
    Task,
    Token,
    tag,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.replication_operation import (
    Progress,
    ReplicationOperation,
    thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.snapshot import REPLICA
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.transfer import transfer

# A connection that is gone is noticed after a minute, however long the transfer takes.
_ALIVE = ("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4")
_SSH_FAILED = 255


class ReplicationBackend:
    # One transfer after another: they share the disks and the line.
    parallel = 1

    def __init__(self, *, url: str, timeout: int, bandwidth: int = 0) -> None:
        runner = runner_of(url)
        self._shell = runner if isinstance(runner, SecureShell) else None
        self._here = CommandLine(timeout=timeout)
        self._there = CommandLine(timeout=timeout, runner=runner)
        self._bandwidth = bandwidth
        self._transfers = 0
        self._now: Optional[int] = None
        self._progress: dict[Key, Progress] = {}
        self._resume = True

    @property
    def writes(self) -> int:
        return self._here.writes + self._there.writes + self._transfers

    def close(self) -> None:
        """There is no connection to keep."""

    # -- reading ----------------------------------------------------------------------------------------------------

    def observe(
        self, operation: ReplicationOperation, order: Order, keys: Collection[Key] | None = None
    ) -> Mapping[Key, Thing]:
        """Both ends of every dataset, in the order of their names: what is touched as well as what is not, because the
        recovery point is that of all."""
        source, target = str(order.options["source"]), str(order.options["target"])
        self._resume = bool(order.options["resume"])
        if self._now is None:
            self._now = self._here.now()
        try:
            sources = self._here.below(source) if order.options["recursive"] else [source]
            here = self._here.properties(sources)
        except DatasetMissing:
            here = {}
        if source not in here:
            require_pools(self._here, [source])
        names = {name: target + name[len(source) :] for name in sorted(here) or [source]}
        there = self._there.properties(list(names.values()))
        if target not in there:
            require_pools(self._there, [target])
        recursive = bool(order.options["recursive"])
        mine = self._here.snapshots(source, recursive=recursive) if source in here else []
        theirs = self._there.snapshots(target, recursive=recursive) if target in there else []
        result: dict[Key, Thing] = {}
        for name, other in names.items():
            sender, receiver = End(name, exists=False), End(other, exists=False)
            if name in here:
                mark = tag(receiver_name(self._shell, other))
                sender = self._end(self._here, name, here[name], mine, mark)
            if other in there:
                receiver = self._end(self._there, other, there[other], theirs, tag(name))
            pair = Pair(sender, receiver, self._token(receiver.token))
            result[(other,)] = thing(pair, self._now, self._progress.get((other,), Progress()))
        return result

    @staticmethod
    def _end(zfs: CommandLine, name: str, properties: Properties, all_of_them: Sequence[Snapshot], mark: str) -> End:
        snapshots = tuple(one for one in all_of_them if one.dataset == name)
        held = zfs.holds([one.name for one in snapshots if one.holds])
        values = {prop: found.value for prop, found in properties.items()}
        token = values.get("receive_resume_token", "-").lstrip("-")
        return End(
            dataset=name,
            type=values.get("type", "filesystem"),
            snapshots=snapshots,
            held=frozenset(full.partition("@")[2] for full, tags in held.items() if mark in tags),
            written=int(values["written"]) if values.get("written", "").isdigit() else 0,
            readonly=as_boolean(values.get("readonly", "off")),
            token=token,
            marked=REPLICA in properties and properties[REPLICA].source == "local",
            replica_of=values.get(REPLICA, ""),
            encrypted=values.get("encryption", "off") != "off",
            key=values.get("keystatus", "available") != "unavailable",
            encryption_root=values.get("encryptionroot", ""),
            foreign=tuple(
                (full.partition("@")[2], one)
                for full, tags in held.items()
                for one in sorted(tags - {mark})
                if one.startswith(f"{TAG}:")
            ),
        )

    def _token(self, token: str) -> Optional[Token]:
        return Token(*self._here.token(token)) if token else None

    def precheck(self, operation: ReplicationOperation, plan: Plan, order: Order) -> Sequence[str]:
        parents = sorted({ancestors(str(step.key[0]))[0] for step in plan})
        return operation.problems(plan, self._there.pools(), self._there.types(parents))

    def verify(self, operation: ReplicationOperation, things: Mapping[Key, Thing], order: Order) -> Sequence[Unmet]:
        return operation.unmet(things, order)

    # -- writing ----------------------------------------------------------------------------------------------------

    def apply(self, operation: ReplicationOperation, step: Step) -> Sequence[str]:
        todo, pair = step.facts["work"], step.facts["pair"]
        for task in todo.tasks:
            self._do(step.key, pair, task)
        return tuple(todo.notes)

    def _do(self, key: Key, pair: Pair, task: Task) -> None:
        if isinstance(task, Send):
            self._send(key, pair, task)
        elif isinstance(task, Abandon):
            self._there.write(["zfs", "receive", "-A", task.dataset])
        elif isinstance(task, RollBack):
            self._there.write(["zfs", "rollback", "-r", task.snapshot])
        elif isinstance(task, Protect):
            self._there.write(["zfs", "set", "readonly=on", f"{REPLICA}={pair.source.dataset}", task.dataset])
        else:
            other = pair.target.dataset
            mark = tag(receiver_name(self._shell, other)) if task.sender else tag(pair.source.dataset)
            zfs = self._here if task.sender else self._there
            for some in chunks(task.snapshots):
                zfs.write(["zfs", "hold" if isinstance(task, Hold) else "release", mark, *some])

    def _send(self, key: Key, pair: Pair, send: Send) -> None:
        sender = sending(send)
        receiver = receiving(send, pair.source.dataset, resumable=self._resume)
        if self._shell is not None:
            receiver = self._shell.command(receiver, *_ALIVE)
        self._transfers += 1
        done = transfer(sender, receiver, bandwidth=self._bandwidth)
        before = self._progress.get(key, Progress())
        self._progress[key] = replace(
            before,
            count=before.count + done.count,
            seconds=before.seconds + done.seconds,
            resumed=before.resumed or bool(send.token),
        )
        if done.sender.status or done.receiver.status or done.stalled:
            raise self._failed(send, done.sender, done.receiver, stalled=done.stalled)

    def _failed(self, send: Send, sender: Completed, receiver: Completed, *, stalled: bool) -> ZfsError:
        """The one of the two that says why. A receiver that only got half of it is not the cause."""
        again = "What has arrived is kept, and the next run goes on from there." if self._resume else "Run again."
        what = f"{send.snapshot} did not arrive at {send.target}"
        if stalled:
            return ZfsError(f"{what}: no byte went through for an hour, and it was stopped.", hint=again)
        if self._shell is not None and receiver.status == _SSH_FAILED:
            said = receiver.errors.strip().splitlines()
            return ZfsError(
                f"{what}: the connection to {self._shell.target} broke: {said[-1] if said else 'no reason given'}.",
                hint=again,
            )
        cause = (
            sender if sender.status and (not receiver.status or "incomplete stream" in receiver.errors) else receiver
        )
        error = refused(cause)
        side = "the sender" if cause is sender else "the receiver"
        if not error.text:
            return ZfsError(f"{what}: `zfs` at {side} was stopped.", hint=again, text=error.text)
        return ZfsError(
            f"{what}: {side} says: {error.text.rstrip('.')}.", hint=f"{error.hint} {again}", text=error.text
        )


def receiver_name(shell: Optional[SecureShell], dataset: str) -> str:
    """The receiver as the hold's tag names it: without the user, who may change without it being another."""
    if shell is None:
        return dataset
    port = f":{shell.port}" if shell.port != 22 else ""
    return f"{shell.host}{port}/{dataset}"


def sending(send: Send) -> list[str]:
    """zfs send. Large, embedded and compressed blocks go as they are; a token has all of that in it."""
    if send.token:
        return ["zfs", "send", "-t", send.token]
    base = ["-i", send.base] if send.base else []
    return ["zfs", "send", "-w" if send.raw else "-Lec", *base, send.snapshot]


def receiving(send: Send, source: str, *, resumable: bool) -> list[str]:
    """zfs receive, which mounts nothing. A new replica is read-only, is not mounted by itself, and bears a mark."""
    words = ["zfs", "receive", *(["-s"] if resumable else []), "-u"]
    if send.creates:
        settings = ["readonly=on", f"{REPLICA}={source}", *(["canmount=noauto"] if send.filesystem else [])]
        words += [word for setting in settings for word in ("-o", setting)]
    return [*words, send.target]
