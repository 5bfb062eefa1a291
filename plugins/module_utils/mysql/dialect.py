# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is asked of a server about replication, in one model; the two dialects say it in their own words.

Pure but for the methods that take a client, which only read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client, Row

IO, SQL = "io", "sql"
BOTH = frozenset({IO, SQL})
NOTHING: frozenset[str] = frozenset()
FILTERS = (
    "replicate_do_db",
    "replicate_ignore_db",
    "replicate_do_table",
    "replicate_ignore_table",
    "replicate_wild_do_table",
    "replicate_wild_ignore_table",
)
# Whose source is meant, and where in its log.
SOURCE = ("source_host", "source_port")
POSITION = ("source_log_file", "source_log_pos")
# How a value stands in a statement: Client.literal.
Literal = Callable[[Any], str]


@dataclass(frozen=True)
class Thread:
    """One of a channel's two threads. connecting: it runs, and has no connection. error: why it stopped, or cannot
    connect."""

    running: bool
    connecting: bool = False
    number: int = 0
    error: str = ""


@dataclass(frozen=True)
class Channel:
    """What a server says of one channel.

    options: by our names, canonical.  lag: seconds, None where the server does not know.  source_id: the source's UUID
    (MySQL) or server_id (MariaDB), empty before the first connection.  log_file, log_pos: how far the source's log has
    been applied.
    """

    name: str
    options: Mapping[str, Any]
    io: Thread
    sql: Thread
    lag: Optional[int] = None
    source_id: str = ""
    log_file: str = ""
    log_pos: int = 0
    received: str = ""

    @property
    def threads(self) -> frozenset[str]:
        """Those that run."""
        return frozenset(name for name, thread in ((IO, self.io), (SQL, self.sql)) if thread.running)

    @property
    def error(self) -> str:
        return self.sql.error or self.io.error


@dataclass(frozen=True)
class SemiSync:
    """The replica's half. available: the server has it.  variable: what switches it.  active: it works just now."""

    available: bool = False
    enabled: bool = False
    active: bool = False
    variable: str = ""


@dataclass(frozen=True)
class Replica:
    """A server as far as replication into it goes."""

    channels: Mapping[str, Channel]
    semi_sync: SemiSync = SemiSync()
    net_timeout: int = 60
    server_id: int = 1
    server_uuid: str = ""
    gtid_mode: bool = True


@dataclass(frozen=True)
class History:
    """What transactions a server has, for a comparison by its own dialect. purged: what it can no longer give, None
    where that cannot be asked."""

    has: str
    purged: Optional[str] = None


@dataclass(frozen=True)
class Dialect:
    """version: as numbers.  source, replica: the words of its statements and columns.
    unsupported: options that it does not have, and why.  restated: options that every change puts back to their default
    where it does not say them again.  once: no two channels may have the same source.  plain_engine: of tables whose
    files stand for themselves."""

    name: str = ""
    version: tuple[int, ...] = ()
    text: str = ""
    source: str = ""
    replica: str = ""
    unsupported: Mapping[str, str] = field(default_factory=dict)
    restated: tuple[str, ...] = ()
    once: bool = False
    plain_engine: str = "InnoDB"
    longest_user: int = 32
    longest_password: int = 32

    # -- reading ----------------------------------------------------------------------------------------------------

    def read(self, client: Client) -> Replica:
        """All channels, and what of the server concerns them."""
        raise NotImplementedError

    def history(self, client: Client) -> History:
        """The transactions of the server that the client is connected to."""
        raise NotImplementedError

    def position(self, client: Client) -> History:
        """The transactions of a replica, to be compared with a source's history."""
        return self.history(client)

    def obstacles(self, mine: History, source: History, others: Collection[str]) -> Sequence[str]:
        """Why this replica cannot follow that source. others: the source_id of its other channels."""
        return [*self.lacked(mine, source, others), *self.purged(mine, source)]

    def lacked(self, mine: History, source: History, others: Collection[str]) -> Sequence[str]:
        """What the source has not got, and this replica has."""
        raise NotImplementedError

    def purged(self, mine: History, source: History) -> Sequence[str]:
        """What the source cannot give any more, and this replica needs."""
        raise NotImplementedError

    def beyond(self, received: str, has: str) -> str:
        """What was received and is not among what a replica has; empty for nothing."""
        raise NotImplementedError

    def stored_password(self, client: Client, channel: str) -> str:
        """The password that a channel has, where the server tells; else empty."""
        return ""

    def decoded(self, row: Row, name: str) -> Channel:
        """What both dialects' rows have in common."""
        source, replica = self.source.capitalize(), self.replica.capitalize()
        options: dict[str, Any] = {
            "source_host": row[f"{source}_Host"].lower(),
            "source_port": int(row[f"{source}_Port"]),
            "source_user": row[f"{source}_User"],
            "connect_retry": int(row["Connect_Retry"]),
            "delay": int(row["SQL_Delay"] or 0),
            "ssl": row[f"{source}_SSL_Allowed"] != "No",
            "ssl_ca": row[f"{source}_SSL_CA_File"],
            "ssl_cert": row[f"{source}_SSL_Cert"],
            "ssl_key": row[f"{source}_SSL_Key"],
            "ssl_verify_server_cert": row[f"{source}_SSL_Verify_Server_Cert"] == "Yes",
        }
        for option in FILTERS:
            shown = row[_filter_column(option)] or ""
            options[option] = tuple(sorted({part for part in shown.split(",") if part}))
        state = row[f"{replica}_IO_Running"]
        lag = row[f"Seconds_Behind_{source}"]
        return Channel(
            name=name,
            options=options,
            io=Thread(
                state != "No",
                connecting=state not in ("Yes", "No"),
                number=int(row["Last_IO_Errno"] or 0),
                error=row["Last_IO_Error"] or "",
            ),
            sql=Thread(
                row[f"{replica}_SQL_Running"] != "No",
                number=int(row["Last_SQL_Errno"] or 0),
                error=row["Last_SQL_Error"] or "",
            ),
            lag=None if lag is None else int(lag),
            log_file=row[f"Relay_{source}_Log_File"] or "",
            log_pos=int(row[f"Exec_{source}_Log_Pos"] or 0),
        )

    def read_semi_sync(self, client: Client) -> SemiSync:
        """Its names differ by version as well: replica, or slave before."""
        variables = by_name(client.rows(r"SHOW GLOBAL VARIABLES LIKE 'rpl\_semi\_sync\_%\_enabled'"))
        status = by_name(client.rows(r"SHOW GLOBAL STATUS LIKE 'rpl\_semi\_sync\_%\_status'"))
        for word in ("replica", "slave"):
            variable = f"rpl_semi_sync_{word}_enabled"
            if variable in variables:
                active = status.get(f"rpl_semi_sync_{word}_status", "OFF").upper() == "ON"
                return SemiSync(True, variables[variable].upper() == "ON", active, variable)
        return SemiSync()

    # -- who may write -----------------------------------------------------------------------------------------------

    def stop_writing(self) -> str:
        """The statement after which clients cannot write."""
        return "SET GLOBAL read_only = 1"

    def allow_writing(self) -> str:
        """The statement after which they can."""
        return "SET GLOBAL read_only = 0"

    def go_on_from_here(self, client: Client) -> Sequence[str]:
        """The statements after which a server that stands still follows another from the transactions it has."""
        return ()

    # -- a copy of another server ------------------------------------------------------------------------------------

    @property
    def programs(self) -> tuple[Sequence[str], Sequence[str]]:
        """The commands that dump a server and that run statements at one."""
        raise NotImplementedError

    def dump_options(self) -> Sequence[str]:
        """What the first of them is given for a consistent copy, with its position and the accounts."""
        raise NotImplementedError

    def keep_others_out(self, *, super_read_only: bool) -> Sequence[str]:
        """The statements with which only administrators can write."""
        return ("SET GLOBAL read_only = 1",)

    def forget_transactions(self) -> Sequence[str]:
        raise NotImplementedError

    def forget_received(self, channel: str, literal: Literal) -> str:
        """The statement that throws away what a channel that stands still has received."""
        raise NotImplementedError

    def remember_transactions(self, client: Client, history: str) -> Sequence[str]:
        """The statements after which a loaded copy has the donor's history, which is `history` or a little more."""
        return ()

    # -- writing ----------------------------------------------------------------------------------------------------

    def defaults(self, net_timeout: int) -> dict[str, Any]:
        """What an option is without being set, where that depends on the server."""
        return {"heartbeat_period": _number(net_timeout / 2)}

    def threads(self, options: Collection[str]) -> frozenset[str]:
        """Which threads have to stand still while these options are changed."""
        raise NotImplementedError

    def start(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        raise NotImplementedError

    def stop(self, channel: str, threads: Collection[str], literal: Literal) -> str:
        raise NotImplementedError

    def change(self, channel: str, options: Mapping[str, Any], literal: Literal) -> str:
        """The statement that sets these options, by our names; an empty text takes one out."""
        raise NotImplementedError

    def filters(self, channel: str, filters: Mapping[str, Sequence[str]], literal: Literal) -> Sequence[str]:
        """The statements that set these filters; an empty list takes one out."""
        raise NotImplementedError

    def forget(self, channel: str, filters: Collection[str], literal: Literal) -> Sequence[str]:
        """The statements that remove a channel that stands still, and all that is set for it; `filters` are set."""
        raise NotImplementedError

    def settings(self, options: Mapping[str, Any], names: Mapping[str, str], literal: Literal) -> list[str]:
        """Options as NAME = value."""
        return [f"{names[option]} = {literal(value)}" for option, value in options.items() if option in names]

    def names(self) -> dict[str, str]:
        """The words of a statement for the options that both have."""
        word = self.source.upper()
        return {
            "source_host": f"{word}_HOST",
            "source_port": f"{word}_PORT",
            "source_user": f"{word}_USER",
            "source_password": f"{word}_PASSWORD",
            "source_log_file": f"{word}_LOG_FILE",
            "source_log_pos": f"{word}_LOG_POS",
            "connect_retry": f"{word}_CONNECT_RETRY",
            "heartbeat_period": f"{word}_HEARTBEAT_PERIOD",
            "delay": f"{word}_DELAY",
            "ssl": f"{word}_SSL",
            "ssl_ca": f"{word}_SSL_CA",
            "ssl_cert": f"{word}_SSL_CERT",
            "ssl_key": f"{word}_SSL_KEY",
            "ssl_verify_server_cert": f"{word}_SSL_VERIFY_SERVER_CERT",
        }


def seconds(value: Any) -> Any:
    """A number of seconds with milliseconds, whole where it is."""
    return _number(round(float(value), 3))


def _number(value: float) -> Any:
    return int(value) if float(value).is_integer() else value


def _filter_column(option: str) -> str:
    words = (("DB" if word == "db" else word.capitalize()) for word in option.split("_"))
    return "_".join(words)


def by_name(rows: Sequence[Row]) -> dict[str, str]:
    return {str(row["Variable_name"]).lower(): str(row["Value"]) for row in rows}
