# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The client of one server, on PyMySQL: statements, errors without secrets, counting of writes.

Values always go through PyMySQL's own escaping, which follows the session's sql_mode (NO_BACKSLASH_ESCAPES). Statements
that describe replication take no parameters on the server's side, so this is the only way they can have a password.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import (
    LOST,
    NO_ACCESS,
    LoginRefused,
    MysqlError,
    Unreachable,
    Unsupported,
    refused,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login

try:
    import pymysql
    import pymysql.connections
    import pymysql.cursors
    from pymysql.constants import CLIENT

    HAS_PYMYSQL = True
    Base: Any = pymysql.connections.Connection
except ImportError:
    HAS_PYMYSQL = False
    Base = object

Row = Mapping[str, Any]
# How long one statement may take, in seconds: stopping a thread waits for the transaction it is in.
STATEMENT = 300
_HIDDEN = "********"
_SYNTAX = 1064


class _Connection(Base):  # type: ignore[misc]  # PyMySQL comes without types
    """PyMySQL's connection, which must not go on in plain text where TLS was asked for: its older versions do."""

    tls_required = False
    ssl: bool
    client_flag: int

    def be_patient(self, seconds: float) -> None:
        self._read_timeout = seconds

    def _request_authentication(self) -> None:
        if self.ssl and not self.server_capabilities & CLIENT.SSL:
            if self.tls_required:
                raise pymysql.err.OperationalError(2026, "the server does not offer TLS")
            self.ssl = False
            self.client_flag &= ~CLIENT.SSL
        super()._request_authentication()


class Client:
    """One connection, made when first needed. `writes`: how many statements changed something.  patience: how long one
    statement may take, in seconds.  alive: a server runs there, as far as was seen last, and be it that it lets nobody
    in."""

    def __init__(self, login: Login, *, secrets: Iterable[str] = (), patience: float = STATEMENT) -> None:
        self.login = login
        self.patience = patience
        self.writes = 0
        self.alive = False
        self._secrets = {secret for secret in (login.password, *secrets) if secret}
        self._connection: Optional[Any] = None

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.err.Error, OSError):
                self._connection.close()
            self._connection = None

    @property
    def encrypted(self) -> bool:
        """Whether this connection uses TLS."""
        return isinstance(getattr(self._connected(), "_sock", None), ssl.SSLSocket)

    def hide(self, *secrets: str) -> None:
        """These never come out in an error either."""
        self._secrets.update(secret for secret in secrets if secret)

    def rows(self, statement: str, *parameters: Any) -> list[Row]:
        """What a statement that only reads returns."""
        return self._run(statement, parameters, asked="")

    def row(self, statement: str, *parameters: Any) -> Row:
        """The first row, empty if there is none."""
        found = self.rows(statement, *parameters)
        return found[0] if found else {}

    def write(self, statement: str, *, asked: str) -> None:
        """A statement that changes something. `asked`: what is said of it to people."""
        self.writes += 1
        self._run(statement, (), asked=asked)

    def literal(self, value: Any) -> str:
        """A value as it stands in a statement of this session."""
        if isinstance(value, bool):
            return str(int(value))
        if isinstance(value, float):
            # PyMySQL writes 5.5e0, which is no interval.
            return repr(value)
        with self._connected().cursor() as cursor:
            return str(cursor.mogrify("%s", (value,)))

    def without_secrets(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):
            for spelled in (secret, self._escaped(secret), repr(secret)[1:-1]):
                text = text.replace(spelled, _HIDDEN)
            # Some messages show only the beginning of what was too long.
            if len(secret) > 60:
                text = text.replace(secret[:60], _HIDDEN)
        return text

    def _escaped(self, secret: str) -> str:
        return secret if self._connection is None else self.literal(secret)[1:-1]

    def _run(self, statement: str, parameters: tuple[Any, ...], *, asked: str) -> list[Row]:
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters or None)
                return list(cursor.fetchall())
        except pymysql.err.Error as problem:
            raise self._refused(problem, asked) from None
        except (OSError, ValueError) as problem:
            # An odd byte in a value, or a socket that broke in the middle.
            raise MysqlError(f"The statement could not be sent: {self.without_secrets(str(problem))}.") from None

    def _refused(self, problem: Exception, asked: str) -> MysqlError:
        number, text = _parts(problem)
        if number in LOST:
            self.close()
            self.alive = _hangs(text)
        if number == _SYNTAX and asked:
            # What follows is the statement from there on, cut off anywhere: also in the middle of a password.
            text = text.partition(" near ")[0]
        return refused(number, self.without_secrets(text) or "nothing, the connection was lost", asked=asked)

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Any:
        if not HAS_PYMYSQL:
            raise Unsupported(
                "The Python library PyMySQL is missing where this module runs.",
                hint="On a host of Debian or Ubuntu, install python3-pymysql.",
            )
        login = self.login
        more: dict[str, Any] = {"ssl_disabled": True}
        if login.unix_socket:
            more["unix_socket"] = login.unix_socket
        else:
            more.update(host=login.host, port=login.port)
            if login.tls or login.ca:
                more.update(ssl_disabled=False, ssl=self._tls())
        try:
            connection = _Connection(
                user=login.user,
                # As text, PyMySQL would take it for latin-1.
                password=login.password.encode("utf-8", "surrogateescape"),
                charset="utf8mb4",
                autocommit=True,
                connect_timeout=login.timeout,
                # A server that hangs accepts a connection and says nothing.
                read_timeout=min(login.timeout, self.patience),
                write_timeout=self.patience,
                cursorclass=pymysql.cursors.DictCursor,
                defer_connect=True,
                **more,
            )
            connection.tls_required = bool(login.ca)
            connection.connect()
            connection.be_patient(self.patience)
            self.alive = True
        except pymysql.err.Error as problem:
            self.alive = _from_a_server(problem)
            raise self._unreachable(problem) from None
        except (OSError, ValueError, RuntimeError) as problem:
            self.alive = isinstance(problem, RuntimeError)
            # A name that cannot be encoded, or a password that needs TLS or the library cryptography.
            raise Unreachable(
                f"{login.place} could not be logged in to as {login.user}: {self.without_secrets(str(problem))}.",
                hint="Look at login_host, login_user and login_password.",
            ) from None
        return connection

    def _tls(self) -> ssl.SSLContext:
        if not self.login.ca:
            # Against listeners only. Reading all the CAs that the host trusts takes longer than the login.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        try:
            context = ssl.create_default_context(cafile=self.login.ca)
        except (OSError, ValueError):
            raise Unreachable(
                f"login_ca: {self.login.ca} holds no certificate.", hint="Give a file in PEM format."
            ) from None
        # The CAs that the servers themselves make lack what strictness wants.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        return context

    def _unreachable(self, problem: Exception) -> MysqlError:
        number, text = _parts(problem)
        text = self.without_secrets(text).rstrip(".")
        if number in NO_ACCESS:
            return LoginRefused(
                f"{self.login.place} did not accept the login of {self.login.user}: {text} ({number}).",
                hint="Check login_user and login_password. root logs in over the unix socket only, as root.",
                number=number,
            )
        hint = "Look whether the server runs, and at login_host, login_port and login_unix_socket."
        if "certificate" in text.lower() or "TLS" in text or "SSL" in text:
            hint = "Look whether login_ca is the CA of the server's certificate, and login_host the name in it."
        return Unreachable(f"{self.login.place} could not be reached: {text} ({number}).", hint=hint, number=number)


def identifier(name: str) -> str:
    """A name as it stands in a statement."""
    doubled = name.replace("`", "``")
    return f"`{doubled}`"


def _from_a_server(problem: Exception) -> bool:
    """Whether a connection that failed had a server at its other end."""
    number, text = _parts(problem)
    if isinstance(getattr(problem, "original_exception", None), ssl.SSLError):
        return True
    # The client library's own are 2000 to 2999. 2026 is ours, for a server without TLS.
    return _hangs(text) if 2000 <= number < 3000 and number != 2026 else number > 0


def _hangs(text: str) -> bool:
    """It took the connection, or had it, and says nothing: it may go on any time. That connecting itself timed out has
    another text."""
    return "during query" in text and "timed out" in text


def _parts(problem: Exception) -> tuple[int, str]:
    number, text = (*problem.args, 0, "")[:2]
    if not isinstance(number, int):
        return 0, str(problem)
    return number, str(text)
