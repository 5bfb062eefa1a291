# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a Proxmox VE API can answer instead of doing what it was asked, as types.

`classify` is the one place that reads status codes and error texts. It is pure: an `Answer` in, an error out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    InvalidInput,
    SubsystemError,
)

_VERBS = {"GET": "Reading", "POST": "Calling", "PUT": "Changing", "DELETE": "Deleting"}


@dataclass(frozen=True)
class Answer:
    """A refusal as it came over the wire.

    `text` is the body's `message` where there was one, else the reason of the status line; `errors` are the texts per
    parameter, by the name the parameter has on the wire; `user` is who asked (`user@realm` or `user@realm!token`).
    """

    method: str
    path: str
    host: str
    status: int
    text: str
    errors: Mapping[str, str] = field(default_factory=dict)
    user: str = ""

    @property
    def asked(self) -> str:
        return describe(self.method, self.path, self.host)

    @property
    def node(self) -> str:
        """The node whose part of the API was asked, or an empty string."""
        parts = self.path.split("/")
        return unquote(parts[2]) if len(parts) > 2 and parts[1] == "nodes" else ""


def describe(method: str, path: str, host: str) -> str:
    """A request in words: `Reading /nodes/pve1/qemu/100/config (GET) at https://pve1:8006`."""
    return f"{_VERBS.get(method, 'Asking')} {unquote(path)} ({method}) at {host}"


class PveError(SubsystemError):
    """Proxmox VE refused, failed or did not answer. `status` is the HTTP status, 0 where there was none."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class InvalidConnection(PveError, InvalidInput):
    """The connection options contradict each other, or one is missing or malformed."""

    affects_everything = True


class InvalidName(PveError, InvalidInput):
    """A name that cannot be part of an API path (empty, `.` or `..`)."""


class MissingLibrary(PveError):
    """A Python library that the client needs is not installed."""

    affects_everything = True

    def __init__(self, library: str, interpreter: str) -> None:
        super().__init__(
            f"The Python library {library} is not installed for {interpreter}.",
            hint="Install it there: pip install proxmoxer requests, or apt install python3-proxmoxer.",
        )
        self.library = library


class Unreachable(PveError):
    """No API host could be talked to, or the connection broke before the answer came."""

    affects_everything = True


class NotAuthenticated(PveError):
    """401: the token, password or one-time password was not accepted."""

    affects_everything = True


class NotPermitted(PveError):
    """403: the user or token lacks `privilege` on `path` (both empty where the answer names none)."""

    def __init__(self, message: str, *, privilege: str = "", path: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, status=status)
        self.privilege = privilege
        self.path = path


class NoQuorum(PveError):
    """The cluster has no quorum: its configuration can only be read."""

    affects_everything = True


class NodeOffline(PveError):
    """The API host answers, but cannot reach `node` (595)."""

    def __init__(self, message: str, *, node: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, status=status)
        self.node = node


class UnknownNode(PveError):
    """The cluster has no node called `node`."""

    def __init__(self, message: str, *, node: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, status=status)
        self.node = node


class Locked(PveError):
    """Something else holds the lock.

    `waitable` is true for a lock that is held for moments (a file or cluster lock that timed out): nothing was done and
    asking again is safe. It is false for a guest's own lock, whose name (`backup`, `migrate` …) is in `lock`.
    """

    def __init__(self, message: str, *, waitable: bool, lock: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, status=status)
        self.waitable = waitable
        self.lock = lock


class ChangedMeanwhile(PveError):
    """The digest that was sent is stale: somebody changed the same thing between our reading and our writing."""


class RejectedParameters(PveError):
    """PVE does not accept a parameter. `errors` maps names as they are on the wire to PVE's texts; it may be empty."""

    def __init__(self, answer: Answer, errors: Mapping[str, str]) -> None:
        super().__init__(
            _refused(answer, errors),
            hint="Correct what is named here; `pvesh usage` and PVE's API viewer tell what is accepted.",
            status=answer.status,
        )
        self.answer = answer
        self.errors = dict(errors)

    def renamed(self, name_of: Callable[[str], str]) -> RejectedParameters:
        """The same error with each parameter under the name that the user wrote."""
        return RejectedParameters(self.answer, {name_of(name): text for name, text in self.errors.items()})


class NotFound(PveError):
    """The thing that the path names does not exist. Raised only where PVE says so about that very name."""


class TaskFailed(PveError):
    """A task did not end with OK. `log` holds its last lines, `cause` the error behind it where one is known."""

    def __init__(self, upid: str, exitstatus: str, log: Sequence[str], *, asked: str = "") -> None:
        said = " ".join(exitstatus.split()).rstrip(".") or "it gave no reason"
        tail = " Its log ends with:" + "".join(f"\n  {line}" for line in log) + "\n" if log else ""
        super().__init__(
            f"A task of PVE's failed, it says: {said} (task {upid}).{tail}",
            hint=f"The whole log is in PVE's web interface under the node's Task History{asked}.",
        )
        self.upid = upid
        self.exitstatus = exitstatus
        self.log = tuple(log)
        self.cause = _by_text(Answer("TASK", "", "", 500, exitstatus))
        self.affects_everything = bool(self.cause and self.cause.affects_everything)


class TaskTimedOut(PveError):
    """A task was still running at the deadline. It goes on running."""

    def __init__(self, upid: str, seconds: float) -> None:
        super().__init__(
            f"A task of PVE's was still running after {seconds:g} s and goes on (task {upid}).",
            hint="Give it more time with task_timeout, or look at it in PVE's web interface.",
        )
        self.upid = upid
        self.seconds = seconds


_PERMISSION = re.compile(r"Permission check failed \((?P<path>[^\s,()]*), (?P<privilege>[\w.|]+)\)")
_ROOT_ONLY = re.compile(r"\bonly root can (?:set|use|change|do)\b|user != root@pam")
_NO_QUORUM = re.compile(r"no quorum|'/etc/pve/[^']*' - Permission denied")
_LOCK_TIMEOUT = re.compile(r"can't lock file .*timeout|got lock (?:request )?timeout|(?:can't|unable to) ac?quire lock")
_GUEST_LOCK = re.compile(r"\b(?:VM|CT) is locked \((?P<lock>[\w-]+)\)")
_DIGEST = re.compile(r"detected modified configuration|checksum mismatch \(file change")
_UNKNOWN_NODE = re.compile(r"(?:hostname lookup|no such cluster node|unknown node) '(?P<node>[^']+)'")
_NO_SUCH_POOL = re.compile(r"Permission check failed \((pool '[^']*' does not exist)\)")
_ABSENT = re.compile(r"no such|does not exist|unable to find configuration file", re.IGNORECASE)
# An inner call's 400 that PVE passed on as text: a headline, then a line for each parameter.
_WRAPPED_400 = re.compile(r"(?:^|: )400 [^\n]*\n(?P<lines>.*)", re.DOTALL)
_PARAMETER_LINE = re.compile(r"^(?P<name>[A-Za-z][\w-]*(?:\[n\])?): (?P<text>.*)$")


def wrapped_errors(message: str) -> dict[str, str]:
    """The texts per parameter that PVE put into `message` when it wrapped a 400 into a 500; empty where it did not."""
    wrapped = _WRAPPED_400.search(message)
    if not wrapped:
        return {}
    errors: dict[str, str] = {}
    name = ""
    for line in wrapped["lines"].splitlines():
        found = _PARAMETER_LINE.match(line)
        if found:
            name = found["name"]
            errors[name] = found["text"].strip()
        elif name and line.strip():
            errors[name] = f"{errors[name]} {line.strip()}"
    return errors


def classify(answer: Answer) -> PveError:
    """The error that an answer with a status of 400 or more means."""
    if answer.status == 401:
        return _not_authenticated(answer)
    missing_pool = _NO_SUCH_POOL.search(answer.text)
    if answer.status == 403 and missing_pool:
        # Asked for a privilege on a pool that is not there, PVE answers as if the privilege were missing.
        return RejectedParameters(answer, {"pool": missing_pool[1]})
    if answer.status == 403:
        return _not_permitted(answer)
    if answer.status in range(595, 600):
        return _not_relayed(answer)
    known = _by_text(answer)
    if known is not None:
        return known
    errors = answer.errors or wrapped_errors(answer.text)
    if _names_what_was_asked(answer, errors):
        return NotFound(
            _refused(answer, errors),
            hint="It does not exist (any more) under that name, or not on that node.",
            status=answer.status,
        )
    if errors or answer.status == 400:
        return RejectedParameters(answer, errors)
    hint = ""
    if answer.status == 501:
        hint = "This version of Proxmox VE does not know this call."
    return PveError(_refused(answer), hint=hint, status=answer.status)


def _refused(answer: Answer, errors: Mapping[str, str] | None = None) -> str:
    said = "; ".join(f"{name}: {text}" for name, text in sorted((errors or {}).items())) or answer.text
    said = " ".join(said.split()) or "nothing but the status"
    return f"{answer.asked} failed, PVE says: {said} (status {answer.status})."


def _not_authenticated(answer: Answer) -> PveError:
    if "!" in answer.user:
        hint = (
            "Check api_token_id (PVE_TOKEN_ID), api_token_secret (PVE_TOKEN_SECRET) and whether the token has expired."
        )
    else:
        hint = "Check api_user (PVE_USER, with its realm), api_password (PVE_PASSWORD) and any api_otp (PVE_OTP)."
    who = f" as {answer.user}" if answer.user else ""
    return NotAuthenticated(f"{answer.host} did not accept the login{who}: {_said(answer)}.", hint=hint, status=401)


def _said(answer: Answer) -> str:
    return " ".join(answer.text.split()).rstrip(".!") or "it gave no reason"


def _not_permitted(answer: Answer) -> NotPermitted:
    found = _PERMISSION.search(answer.text)
    privilege, path = (found["privilege"], found["path"]) if found else ("", "")
    who = answer.user or "the user"
    if privilege:
        wanted = privilege.replace("|", " or ")
        hint = f"Give {who} the privilege {wanted} on {path or 'that path'} (Datacenter > Permissions)."
        if "!" in who:
            hint += " A token with privilege separation needs the permission itself, its user's is not enough."
    elif "need proper ticket" in answer.text or "API token not allowed" in answer.text:
        hint = "This call is closed to API tokens: use api_user and api_password instead."
    elif _ROOT_ONLY.search(answer.text):
        return _root_only(answer)
    else:
        hint = f"PVE does not say which privilege {who} lacks; its API viewer does."
    return NotPermitted(_refused(answer), privilege=privilege, path=path, hint=hint, status=answer.status)


def _root_only(answer: Answer) -> NotPermitted:
    return NotPermitted(
        _refused(answer),
        privilege="root@pam",
        hint="Only root@pam logged in with its password may do this; no API token may, not even root's.",
        status=answer.status,
    )


def _not_relayed(answer: Answer) -> PveError:
    """595 to 599 come from the API host's own attempt to pass the request on to another node."""
    if answer.status == 595 and answer.node:
        return NodeOffline(
            f"{answer.asked} failed: the API host cannot reach the node {answer.node} ({_said(answer)}, status 595).",
            node=answer.node,
            hint=f"Start {answer.node} or mend its network; what lives elsewhere is not affected.",
            status=595,
        )
    return PveError(
        f"{answer.asked} failed between the cluster's nodes: {_said(answer)} (status {answer.status}).",
        hint="The API host answers, the node behind it did not finish. A change may or may not have been made.",
        status=answer.status,
    )


def _by_text(answer: Answer) -> PveError | None:
    """What only the text tells: these all come as 500 (some as 400)."""
    text = "\n".join([answer.text, *answer.errors.values()])
    status = answer.status
    if _NO_QUORUM.search(text):
        hint = "Start the missing nodes, or see `pvecm status`. Until there is quorum nothing can be changed."
        return NoQuorum(_refused(answer, answer.errors), hint=hint, status=status)
    if _LOCK_TIMEOUT.search(text):
        hint = "Something else was changing the same thing all the time; task_timeout says how long to wait for it."
        return Locked(_refused(answer, answer.errors), waitable=True, hint=hint, status=status)
    guest_lock = _GUEST_LOCK.search(text)
    if guest_lock:
        lock = guest_lock["lock"]
        hint = f"Wait until its {lock} has finished; if none is running, release it with `qm unlock` or `pct unlock`."
        return Locked(_refused(answer, answer.errors), waitable=False, lock=lock, hint=hint, status=status)
    if _DIGEST.search(text):
        hint = (
            "Somebody changed it between reading and writing. Nothing was overwritten; run again to start from there."
        )
        return ChangedMeanwhile(_refused(answer, answer.errors), hint=hint, status=status)
    node = _UNKNOWN_NODE.search(text)
    if node:
        hint = "See /nodes or `pvecm nodes` for the names there are."
        return UnknownNode(_refused(answer, answer.errors), node=node["node"], hint=hint, status=status)
    if _ROOT_ONLY.search(text):
        return _root_only(answer)
    return None


def _names_what_was_asked(answer: Answer, errors: Mapping[str, str]) -> bool:
    """Whether "does not exist" is said about the thing in the path, and not about something it refers to."""
    text = "\n".join([answer.text, *errors.values()])
    if not _ABSENT.search(text):
        return False
    segments = {unquote(segment) for segment in answer.path.split("/")[2:]}
    quoted = {name for found in re.findall(r"'([^'\n]+)'|\bVM (\d+) on node", text) for name in found if name}
    named = set(quoted)
    for name in quoted:
        # A guest is named by its file: nodes/pve1/qemu-server/100.conf
        config = re.fullmatch(r"nodes/[^/]+/(?:qemu-server|lxc)/(\d+)\.conf", name)
        if config:
            named.add(config[1])
    return bool(named & segments)


def from_body(body: Any) -> tuple[str, dict[str, str]]:
    """`message` and `errors` of a decoded error body, whatever shape it has."""
    if not isinstance(body, dict):
        return "", {}
    errors = body.get("errors")
    texts = {str(name): str(text).strip() for name, text in errors.items()} if isinstance(errors, dict) else {}
    message = body.get("message")
    return (message if isinstance(message, str) else ""), texts
