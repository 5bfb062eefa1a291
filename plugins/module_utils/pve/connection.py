# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where a Proxmox VE API is and who we are there: options, environment variables, and what they mean together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.basic import env_fallback

from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import InvalidConnection

DEFAULT_PORT = 8006
DEFAULT_TIMEOUT = 60.0
DEFAULT_TASK_TIMEOUT = 600.0
DEFAULT_PARALLEL = 16

ENVIRONMENT = {
    "api_host": "PVE_HOST",
    "api_port": "PVE_PORT",
    "api_user": "PVE_USER",
    "api_password": "PVE_PASSWORD",
    "api_otp": "PVE_OTP",
    "api_token_id": "PVE_TOKEN_ID",
    "api_token_secret": "PVE_TOKEN_SECRET",
    "ca_path": "PVE_CA",
    "validate_certs": "PVE_VALIDATE_CERTS",
}


def _from_environment(option: str) -> tuple[Any, list[str]]:
    return (env_fallback, [ENVIRONMENT[option]])


CONNECTION_ARGUMENTS: dict[str, dict[str, Any]] = {
    "api_host": {"type": "list", "elements": "str", "fallback": _from_environment("api_host")},
    "api_port": {"type": "int", "default": DEFAULT_PORT, "fallback": _from_environment("api_port")},
    "api_user": {"type": "str", "fallback": _from_environment("api_user")},
    "api_password": {"type": "str", "no_log": True, "fallback": _from_environment("api_password")},
    "api_otp": {"type": "str", "no_log": True, "fallback": _from_environment("api_otp")},
    "api_token_id": {"type": "str", "no_log": False, "fallback": _from_environment("api_token_id")},
    "api_token_secret": {"type": "str", "no_log": True, "fallback": _from_environment("api_token_secret")},
    "ca_path": {"type": "path", "fallback": _from_environment("ca_path")},
    "validate_certs": {"type": "bool", "default": True, "fallback": _from_environment("validate_certs")},
    "api_timeout": {"type": "float", "default": DEFAULT_TIMEOUT},
    "task_timeout": {"type": "float", "default": DEFAULT_TASK_TIMEOUT},
    "api_parallel": {"type": "int", "default": DEFAULT_PARALLEL},
}

_TOKEN_ID = re.compile(r"[^\s!@=/:]+(?:@[^\s!@=/:]+)*@[A-Za-z][\w.-]*![A-Za-z][\w.-]*")
_USER = re.compile(r"[^\s!/:]+@[A-Za-z][\w.-]*")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+(?:%25?[\w.-]+)?\]")
_FALSE = {"0", "false", "no", "off", "n", "f"}
_TRUE = {"1", "true", "yes", "on", "y", "t"}


@dataclass(frozen=True)
class Connection:
    """Everything needed to talk to one cluster. `hosts` are base addresses (`https://pve1:8006`), first choice first;
    `timeout` is seconds for one request, `task_timeout` seconds for a task or for a lock to be released."""

    hosts: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    otp: str = field(default="", repr=False)
    token_id: str = ""
    token_secret: str = field(default="", repr=False)
    ca_path: str = ""
    validate_certs: bool = True
    timeout: float = DEFAULT_TIMEOUT
    task_timeout: float = DEFAULT_TASK_TIMEOUT
    parallel: int = DEFAULT_PARALLEL
    # SHA-256 of the one certificate that is accepted, whoever signed it; from a program, never from an option.
    fingerprint: str = ""

    @property
    def identity(self) -> str:
        """Who asks: `user@realm!token` or `user@realm`."""
        return self.token_id or self.user

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in any text."""
        return tuple(secret for secret in (self.password, self.token_secret, self.otp) if secret)

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Connection:
        """The connection that module or plugin options describe; InvalidConnection where they do not describe one.

        Missing keys and None mean "not given". Environment variables are the argument spec's or the plugin's business.
        """
        text = {name: str(options.get(name) or "").strip() for name in ENVIRONMENT if name not in _NOT_TEXT}
        port = _number("api_port", options.get("api_port"), DEFAULT_PORT, 1, 65535)
        _check_credentials(text)
        validate_certs = _boolean("validate_certs", options.get("validate_certs"))
        ca_path = str(Path(text["ca_path"]).expanduser()) if text["ca_path"] else ""
        if ca_path and validate_certs and not Path(ca_path).exists():
            raise InvalidConnection(
                f"ca_path ({ENVIRONMENT['ca_path']}) names {ca_path}, which does not exist.",
                hint="It is the file with the cluster's CA certificate; on a node that is /etc/pve/pve-root-ca.pem.",
            )
        return cls(
            hosts=_hosts(options.get("api_host"), int(port)),
            user=text["api_user"],
            password=str(options.get("api_password") or ""),
            otp=text["api_otp"],
            token_id=text["api_token_id"],
            token_secret=text["api_token_secret"],
            ca_path=ca_path,
            validate_certs=validate_certs,
            timeout=_number("api_timeout", options.get("api_timeout"), DEFAULT_TIMEOUT, 0.001),
            task_timeout=_number("task_timeout", options.get("task_timeout"), DEFAULT_TASK_TIMEOUT, 0),
            parallel=int(_number("api_parallel", options.get("api_parallel"), DEFAULT_PARALLEL, 1, 256)),
        )


_NOT_TEXT = ("api_host", "api_port", "validate_certs")


def options_from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """The options that environment variables give, for programs without an argument spec."""
    return {option: environment[name] for option, name in ENVIRONMENT.items() if environment.get(name)}


def _named(option: str) -> str:
    return f"{option} ({ENVIRONMENT[option]})" if option in ENVIRONMENT else option


def _boolean(option: str, value: Any) -> bool:
    if value is None or value == "":
        return True
    if str(value).strip().lower() in _TRUE:
        return True
    if str(value).strip().lower() in _FALSE:
        return False
    raise InvalidConnection(f"{_named(option)} must be true or false, not {value!r}.")


def _number(option: str, value: Any, default: float, least: float, most: float = float("inf")) -> float:
    if value is None or value == "":
        return default
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidConnection(f"{_named(option)} must be a number, not {value!r}.") from None
    if not least <= number <= most:
        limits = f"from {least:g} to {most:g}" if most != float("inf") else f"{least:g} or more"
        raise InvalidConnection(f"{_named(option)} must be {limits}, not {value}.")
    return number


def _hosts(value: Any, port: int) -> tuple[str, ...]:
    given: Sequence[Any] = value if isinstance(value, (list, tuple)) else [value or ""]
    entries = [part.strip() for entry in given for part in str(entry or "").split(",")]
    hosts = [base_address(entry, port) for entry in entries if entry]
    if not hosts:
        raise InvalidConnection(
            "No API host is given.",
            hint=f"Name one or more of the cluster's nodes in {_named('api_host')}.",
        )
    return tuple(dict.fromkeys(hosts))


def base_address(entry: str, port: int) -> str:
    """`https://host:port` for an entry of api_host: a name, an address, either with a port, or a URL."""
    problem = InvalidConnection(
        f"{_named('api_host')}: {entry!r} is not a host.",
        hint="Write pve1.example.org, pve1:8006, 192.0.2.1, [2001:db8::1]:8006 or https://pve1:8006.",
    )
    rest = entry
    if "://" in entry:
        scheme, _separator, rest = entry.partition("://")
        if scheme.lower() != "https":
            raise InvalidConnection(
                f"{_named('api_host')}: {entry!r} is not an https address.", hint="PVE's API is served over https only."
            )
        rest = re.sub(r"/(api2(/json)?/?)?$", "", rest)
    elif entry.count(":") > 1 and not entry.startswith("["):
        rest = f"[{entry}]"
    if "@" in rest:
        # The text may hold a password: it is not repeated.
        raise InvalidConnection(
            f"{_named('api_host')}: an entry contains '@'.", hint="Credentials have options of their own."
        )
    try:
        found = urlsplit(f"//{rest}").port
    except ValueError:
        raise problem from None
    name = rest[: rest.rindex(":")] if found is not None else rest.rstrip(":")
    if not _HOST.fullmatch(name) or found == 0:
        raise problem
    return f"https://{name.lower()}:{found or port}"


def _check_credentials(text: Mapping[str, str]) -> None:
    token_id, token_secret = text["api_token_id"], text["api_token_secret"]
    user, password = text["api_user"], text["api_password"]
    if password and (token_id or token_secret):
        raise InvalidConnection(
            f"Both a password, {_named('api_password')}, and an API token, {_named('api_token_id')}, are given.",
            hint="Leave one of them out (also in the environment).",
        )
    if token_id or token_secret:
        _check_token(token_id, token_secret)
        return
    if not password and not user:
        raise InvalidConnection(
            "No credentials are given.",
            hint=f"Give {_named('api_token_id')} and {_named('api_token_secret')}, "
            f"or {_named('api_user')} and {_named('api_password')}.",
        )
    for option, value in (("api_user", user), ("api_password", password)):
        if not value:
            raise InvalidConnection(f"{_named(option)} is missing.", hint="A login needs a user and its password.")
    if not _USER.fullmatch(user):
        raise InvalidConnection(
            f"{_named('api_user')}: {user!r} is not user@realm.", hint="For example root@pam or ansible@pve."
        )


def _check_token(token_id: str, token_secret: str) -> None:
    for option, value in (("api_token_id", token_id), ("api_token_secret", token_secret)):
        if not value:
            raise InvalidConnection(f"{_named(option)} is missing.", hint="A token has an id and a secret.")
    if not _TOKEN_ID.fullmatch(token_id):
        # Somebody may have put the secret here, or both joined by '=': the value is not repeated.
        raise InvalidConnection(
            f"{_named('api_token_id')} is not a token id.",
            hint="It reads user@realm!name, for example ansible@pve!site; the secret has an option of its own.",
        )
    if not re.fullmatch(r"[\x21-\x7e]+", token_secret):
        raise InvalidConnection(
            f"{_named('api_token_secret')} contains blanks or characters that no token secret has.",
            hint="Copy it again: it looks like 12345678-90ab-cdef-1234-567890abcdef.",
        )
