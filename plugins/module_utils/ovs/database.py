# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Open vSwitch's database, through ovs-vsctl: one read of several tables, one transaction an apply.

What the exit code does not tell (observed with Open vSwitch 3.1):
- with a datapath that ovs-vswitchd cannot make, `add-br` exits 0 and says so on the standard error output only;
- with ovs-vswitchd not running, the transaction is committed and ovs-vsctl then waits until SIGALRM ends it.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import (
    CommandFailed,
    Completed,
    Runner,
    run,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.jsonrpc import Session

DEFAULT_ADDRESS = "unix:/var/run/openvswitch/db.sock"
# What ovs-vswitchd holds in the database while it runs.
_SWITCH_LOCK = "ovs_vswitchd"
_LOG = re.compile(r"^\S+\|\d+\|(?P<module>[^|]*)\|(?P<level>[A-Z]+)\|(?P<text>.*)$")
_ALARM = (-signal.SIGALRM, 128 + signal.SIGALRM)

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
Command = Sequence[str]


class DatabaseUnreachable(SubsystemError):
    """The database does not answer at its address: nothing further can succeed either."""

    affects_everything = True


class TransactionRefused(SubsystemError):
    """Open vSwitch took none of a transaction's commands."""


class Database:
    """One ovsdb-server. `timeout` in seconds: how long one ovs-vsctl may take, waiting for ovs-vswitchd included."""

    def __init__(self, address: str = DEFAULT_ADDRESS, *, timeout: int = 10, runner: Runner = run) -> None:
        self.address = address
        self.timeout = timeout
        self.writes = 0
        self._run = runner

    def read(self, tables: Mapping[str, Sequence[str]]) -> dict[str, list[dict[str, Any]]]:
        """The rows of several tables, as of one moment. `tables`: columns by table name."""
        words: list[str] = []
        for table, columns in tables.items():
            words += ["--", f"--columns={','.join(columns)}", "list", table]
        done = self._vsctl(["--no-wait", "--format=json", *words])
        if done.status in _ALARM:
            raise DatabaseUnreachable(
                f"Open vSwitch's database at {self.address} did not answer within {self.timeout} seconds.",
                hint="Look at ovsdb-server and its log.",
            )
        if done.status != 0:
            raise self._refused(done)
        try:
            answers = [json.loads(line) for line in done.output.splitlines() if line.strip()]
            return {table: _rows(answer) for table, answer in zip(tables, answers)}
        except (ValueError, KeyError, TypeError):
            raise DatabaseUnreachable(
                f"What {self.address} answered is not Open vSwitch's database.", hint="Look at the address."
            ) from None

    def transact(self, commands: Sequence[Command]) -> Sequence[str]:
        """All commands in one transaction, waiting for ovs-vswitchd to carry it out. Returns what it had to say.

        An ovs-vswitchd that does not take the change up is no failure of the transaction, which is committed: it is
        found by looking (see bridge.unmet)."""
        words = [word for command in commands for word in ("--", *command)]
        self.writes += 1
        done = self._vsctl(words)
        if done.status not in (0, *_ALARM):
            self.writes -= 1
            raise self._refused(done)
        self._keep()
        return spoken(done.errors)

    def _keep(self) -> None:
        """Have the disk keep what was written: ovsdb-server itself leaves that to the system, and a reset some seconds
        later undoes it (observed with 3.5: the end of the file torn, the last transactions gone)."""
        scheme, _colon, path = self.address.partition(":")
        if scheme == "unix":
            folders = ("/etc/openvswitch", "/var/lib/openvswitch", str(Path(path).parent))
            names = [f"{folder}/conf.db" for folder in folders]
            # Those that are not there it only complains of.
            with contextlib.suppress(CommandFailed):
                self._run(["sync", "--data", *names], timeout=10.0)

    def write(self, operations: Sequence[Mapping[str, Any]], comment: str) -> Sequence[str]:
        """The same by operations of RFC 7047 over the database's own socket, for what must not be seen.

        ovs-vsctl takes values on its command line, which every user of the machine can read, and writes that line to
        the system's log and to the comment of the transaction in the database's log. A pre-shared key must not be in
        any of them. `comment` is what those logs get instead. Source: RFC 7047, section 4.1.3."""
        switch = {"table": "Open_vSwitch", "where": []}
        transaction = [
            *operations,
            {"op": "comment", "comment": comment},
            {"op": "mutate", **switch, "mutations": [["next_cfg", "+=", 1]]},
            {"op": "select", **switch, "columns": ["next_cfg"]},
        ]
        if self._run is not run:
            raise TransactionRefused(
                "A secret can be written on the host of the database only.", hint="Run the module on that host."
            )
        try:
            with Session(self.address, self.timeout) as session:
                self.writes += 1
                results = session.call("transact", "Open_vSwitch", *transaction)
                refusals = [_refusal(result) for result in results if isinstance(result, dict) and "error" in result]
                if refusals:
                    self.writes -= 1
                    raise TransactionRefused(
                        f"Open vSwitch answered: {'; '.join(refusals)}.", hint="Nothing of this step was done."
                    )
                self._await_switch(session, results[-1]["rows"][0]["next_cfg"])
            self._keep()
        except (OSError, ValueError, LookupError, TypeError) as problem:
            raise DatabaseUnreachable(
                f"Open vSwitch's database at {self.address} did not answer as expected ({type(problem).__name__}).",
                hint="A secret goes through its socket (unix: or tcp:). Look at ovsdb-server; then run again.",
            ) from None
        return ()

    def _await_switch(self, session: Session, wanted: int) -> None:
        """Until ovs-vswitchd has taken the change up, or the time is over: then looking will show it."""
        deadline = time.monotonic() + self.timeout
        select = {"op": "select", "table": "Open_vSwitch", "where": [], "columns": ["cur_cfg"]}
        pause = 0.01
        while time.monotonic() < deadline:
            (answer,) = session.call("transact", "Open_vSwitch", select)
            if answer["rows"][0]["cur_cfg"] >= wanted:
                return
            time.sleep(pause)
            pause = min(pause * 2, 0.5)

    def switch_runs(self) -> bool:
        """Whether an ovs-vswitchd works on this database: while one does, the database does not give its lock away.

        A database that cannot be asked this way (TLS) counts as attended. Source: RFC 7047, section 4.1.8."""
        if self._run is not run:
            return self._run(appctl(self.address, "version"), timeout=self.timeout + 5.0).status == 0
        with contextlib.suppress(OSError, ValueError), Session(self.address, self.timeout) as session:
            # Closing the connection gives the lock back.
            return bool(session.call("lock", _SWITCH_LOCK) != {"locked": True})
        return True

    def _vsctl(self, words: Sequence[str]) -> Completed:
        argv = ["ovs-vsctl", f"--db={self.address}", f"--timeout={self.timeout}", *words]
        return self._run(argv, timeout=self.timeout + 5.0)

    def _refused(self, done: Completed) -> SubsystemError:
        text = "; ".join(spoken(done.errors)) or f"exit code {done.status}"
        if "database connection failed" in text or "not connected" in text:
            return DatabaseUnreachable(
                f"Open vSwitch's database cannot be reached at {self.address}: {text}.",
                hint="Is openvswitch-switch installed and running, and is this its address? Are you root (become)?",
            )
        return TransactionRefused(f"Open vSwitch answered: {text}.", hint="Nothing of this step was done.")


def spoken(errors: str) -> list[str]:
    """What ovs-vsctl has to say to a person: without its name, time stamps and how it was ended."""
    texts: list[str] = []
    for line in errors.splitlines():
        log = _LOG.match(line)
        if log is not None and log.group("module") == "fatal_signal":
            continue
        text = log.group("text") if log is not None else re.sub(r"^ovs-vsctl: ", "", line)
        if text.strip() and not text.startswith("The default log directory"):
            texts.append(text.strip().rstrip("."))
    return texts


def atom(value: str) -> str:
    """A text as ovs-vsctl reads it wherever it expects a value, whatever is in it."""
    return json.dumps(value)


def appctl(address: str, *words: str) -> list[str]:
    """The argv that asks the ovs-vswitchd beside this database; its socket lies where the database's does."""
    scheme, _colon, path = address.partition(":")
    directory = path.rpartition("/")[0] if scheme == "unix" else ""
    where = ["env", f"OVS_RUNDIR={directory}"] if directory else []
    return [*where, "ovs-appctl", "--timeout=5", "-t", "ovs-vswitchd", *words]


def _refusal(result: Mapping[str, Any]) -> str:
    """An operation's error. Only of these errors is it known that their details repeat no value but a name."""
    error = str(result["error"])
    if error == "timed out":
        return "a row that was to be changed is gone"
    if error in ("constraint violation", "referential integrity violation") and result.get("details"):
        return f"{error}: {str(result['details']).rstrip('.')}"
    return error


def _rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in zip(answer["headings"], row)} for row in answer["data"]]


def plain(value: Any) -> Any:
    """A value of OVSDB's JSON notation as Python has it: a set is a list, an empty one too, a map a dict, a uuid its
    text. Source: RFC 7047, section 5.1."""
    if isinstance(value, list) and len(value) == 2:
        if value[0] == "set":
            return [plain(element) for element in value[1]]
        if value[0] == "map":
            return {plain(key): plain(element) for key, element in value[1]}
        if value[0] in ("uuid", "named-uuid"):
            return value[1]
    return value


def elements(value: Any) -> list[Any]:
    """A set column: one element comes without the set around it."""
    return value if isinstance(value, list) else [value]


def single(value: Any) -> Any:
    """An optional column: None where it is empty."""
    found = elements(value)
    return found[0] if found else None
