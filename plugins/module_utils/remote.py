# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Run programs on another host over SSH, for what a subsystem's API does not offer.

Only OpenSSH's own client is used, without questions: keys, known hosts and jump hosts are those of its configuration. A
host whose key is not known is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, SubsystemError

# What OpenSSH's client itself exits with; a remote program that does so too cannot be told apart.
_SSH_FAILED = 255
_SAFE = re.compile(r"^[A-Za-z0-9_.:%@+-]+$")


class HostUnreachable(SubsystemError):
    """No SSH connection came about: nothing further can succeed either."""

    affects_everything = True


@dataclass(frozen=True)
class SecureShell:
    """A Runner whose programs run on `host`. Words are quoted for the shell there, so argv arrives as it is."""

    host: str
    user: str = ""
    port: int = 22
    run: Runner = run

    def __call__(self, argv: Sequence[str], *, stdin: str = "", timeout: float = 60.0) -> Completed:
        done = self.run(self.command(argv), stdin=stdin, timeout=timeout)
        if done.status == _SSH_FAILED:
            said = done.errors.strip().splitlines()
            raise HostUnreachable(
                f"{self.target} cannot be reached over SSH: {said[-1] if said else 'no reason given'}.",
                hint=f"Try: ssh -p {self.port} {self.target} true. Its host key must be known and your key accepted.",
            )
        return done

    @property
    def target(self) -> str:
        return f"{self.user}@{self.host}" if self.user else self.host

    def command(self, argv: Sequence[str], *options: str) -> list[str]:
        """The command line that runs a program there, for who handles its input and output himself. options: further
        ones of OpenSSH's client."""
        words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", *options, "-p", str(self.port)]
        return [*words, "--", self.target, f"LC_ALL=C {shlex.join(argv)}"]


def runner_of(url: str) -> Runner:
    """A Runner for `ssh://user@host:port`; an empty url is this host. Raises InvalidInput."""
    if not url:
        return run
    parts = urlsplit(url)
    try:
        port = parts.port or 22
    except ValueError:
        port = 0
    host, user = parts.hostname or "", parts.username or ""
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or parts.password)
    known = _SAFE.match(host) and not host.startswith("-") and (not user or _SAFE.match(user)) and port
    if parts.scheme != "ssh" or not plain or not known or user.startswith("-"):
        raise InvalidInput(
            f"{url!r} is no address of a host.", hint="Write ssh://root@192.0.2.11 or ssh://root@host:22."
        )
    return SecureShell(host, user, port)
