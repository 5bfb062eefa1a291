# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The HTTP session under proxmoxer: pooled TLS connections, shared by threads, and what goes over them.

proxmoxer brings a session of its own, built on requests. This one does the same on urllib3 directly, because with 450
guests the session is where the time goes (a third of the processor time a request), because requests replaces the CA of
a verified connection by REQUESTS_CA_BUNDLE, and because a caller must know whether a failed write was ever sent.
"""

from __future__ import annotations

import ipaddress
import json
import ssl
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import ENVIRONMENT, Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    InvalidConnection,
    MissingLibrary,
    from_body,
)

try:
    import urllib3
    from urllib3 import exceptions as wire

    HAS_URLLIB3 = True
except ImportError:
    HAS_URLLIB3 = False

# A host that is up answers a connection attempt within milliseconds; one that is off is given up on after this.
CONNECT_TIMEOUT = 5.0


class NotSent(Exception):
    """The connection could not be made: the request never left. `repeatable` is false where trying again is no use."""

    def __init__(self, reason: str, *, hint: str = "", repeatable: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.repeatable = repeatable


class BrokenOff(Exception):
    """The connection broke after the request was sent, or no answer came in time: it may have been carried out."""

    def __init__(self, reason: str, *, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class NotTheApi(Exception):
    """Something answered that is not the API of Proxmox VE."""


def encode(parameters: Mapping[str, Any]) -> str:
    """Parameters as PVE takes them in a query or form: booleans as 1 and 0, None left out, a list as repeated keys."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs.extend((name, _scalar(name, each)) for each in values if each is not None)
    return urlencode(pairs, quote_via=quote, safe="")


def _scalar(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (str, int, float)):
        return str(value)
    raise TypeError(f"{name}: a {type(value).__name__} cannot be a parameter of the API")


class Response:
    """What proxmoxer looks at in a response."""

    __slots__ = ("content", "reason", "status_code")

    def __init__(self, status_code: int, reason: str, content: bytes) -> None:
        self.status_code = status_code
        self.reason = reason
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")


class Serializer:
    """Decodes bodies for proxmoxer: a success to the whole body, a refusal to its `message` and `errors`.

    proxmoxer's own keeps `errors` alone, and what PVE wrapped is only in `message`.
    """

    def loads(self, response: Response) -> dict[str, Any]:
        try:
            body = json.loads(response.content)
        except ValueError:
            body = None
        if not isinstance(body, dict) or "data" not in body:
            raise NotTheApi(f"status {response.status_code}, but no JSON with data in it")
        return body

    def loads_errors(self, response: Response) -> tuple[str, dict[str, str]]:
        try:
            return from_body(json.loads(response.content))
        except ValueError:
            return "", {}


class Session:
    """`request` as proxmoxer calls it; raises NotSent and BrokenOff. Safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        if not HAS_URLLIB3:
            raise MissingLibrary("urllib3 (it comes with requests)", sys.executable)
        self._timeout = urllib3.Timeout(connect=min(CONNECT_TIMEOUT, connection.timeout), read=connection.timeout)
        self._seconds = connection.timeout
        self._ca_path = connection.ca_path
        self._managers: list[urllib3.PoolManager] = []
        self._pools = self._open(connection, _tls(connection))
        self._headers: Mapping[str, str] = {"Accept": "application/json", "User-Agent": "hospital.continuity"}

    def _open(self, connection: Connection, tls: ssl.SSLContext) -> dict[str, urllib3.HTTPConnectionPool]:
        pools = {}
        # Blocking pools bound the requests under way, whatever the number of threads.
        common: dict[str, Any] = {"maxsize": connection.parallel, "block": True, "ssl_context": tls}
        if connection.fingerprint:
            common.update(assert_fingerprint=connection.fingerprint, assert_hostname=False)
        elif not connection.validate_certs:
            common["assert_hostname"] = False
        for address in connection.hosts:
            url = urllib3.util.parse_url(address)
            proxy = proxy_for(str(url.host).strip("[]"))
            manager = _through(proxy, common) if proxy else urllib3.PoolManager(**common)
            self._managers.append(manager)
            pools[urlsplit(address).netloc] = manager.connection_from_host(url.host, url.port, url.scheme)
        return pools

    def request(
        self,
        method: str,
        url: str,
        data: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        where = urlsplit(url)
        query = "&".join(part for part in (where.query, encode(params) if params else "") if part)
        target = f"{where.path}?{query}" if query else where.path
        sent = {**self._headers, **(headers or {})}
        body = None
        if method in {"POST", "PUT"}:
            body = encode(data or {})
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            answer = self._pools[where.netloc].request(
                method, target, body=body, headers=sent, retries=False, redirect=False, timeout=self._timeout
            )
        except wire.HTTPError as problem:
            raise self._translated(problem) from None
        return Response(answer.status, answer.reason or "", answer.data)

    def _translated(self, problem: Exception) -> NotSent | BrokenOff:
        reason = _innermost(problem)
        if isinstance(problem, wire.ProxyError):
            return NotSent(
                f"the proxy (HTTPS_PROXY) failed: {reason}", hint="Put the hosts into NO_PROXY to go past it."
            )
        if isinstance(problem, wire.NewConnectionError):  # a kind of ConnectTimeoutError for urllib3
            return NotSent(reason)
        if isinstance(problem, wire.ConnectTimeoutError):
            return NotSent("no answer to the connection attempt", repeatable=False)
        if isinstance(problem, wire.SSLError) and "ingerprint" in reason:
            return NotSent("TLS: its certificate has another fingerprint", repeatable=False)
        if isinstance(problem, wire.SSLError):
            return NotSent(f"TLS: {reason}", hint=self._tls_hint(reason), repeatable=False)
        if isinstance(problem, wire.ReadTimeoutError):
            return BrokenOff(
                f"no answer within {self._seconds:g} s", hint="api_timeout says how long to wait for an answer."
            )
        return BrokenOff(reason)

    def _tls_hint(self, reason: str) -> str:
        if "certificate" not in reason.lower() and "hostname" not in reason.lower():
            return "Is this the API's port (8006)?"
        option = f"ca_path ({ENVIRONMENT['ca_path']})"
        if self._ca_path:
            return (
                f"{option} is {self._ca_path}: is it this cluster's CA, and is the host called as in its certificate?"
            )
        return (
            f"Give the cluster's CA certificate in {option}; on a node it is /etc/pve/pve-root-ca.pem. "
            f"validate_certs ({ENVIRONMENT['validate_certs']}): false would accept anybody's."
        )

    def close(self) -> None:
        for manager in self._managers:
            manager.clear()


def _tls(connection: Connection) -> ssl.SSLContext:
    """One context for all connections: loading a CA bundle for each would take longer than the requests."""
    if not connection.validate_certs or connection.fingerprint:
        # ansible shows warnings about every connection; the user has decided already.
        warnings.simplefilter("ignore", wire.InsecureRequestWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    path = connection.ca_path
    try:
        if not path:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(**({"capath": path} if _is_directory(path) else {"cafile": path}))
    except OSError as problem:
        raise InvalidConnection(
            f"ca_path ({ENVIRONMENT['ca_path']}): {path} holds no CA certificate ({problem.strerror or problem})."
        ) from None
    # Python 3.13 asks for extensions that the CA a cluster made for itself may lack; a node's own certificate given
    # as CA is a choice as good as the CA that signed it.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
    return context


def _is_directory(path: str) -> bool:
    return Path(path).is_dir()


def proxy_for(host: str) -> str:
    """The proxy that the environment wants for a host (HTTPS_PROXY, ALL_PROXY unless NO_PROXY), or an empty string."""
    proxies = getproxies()
    proxy = proxies.get("https") or proxies.get("all") or ""
    if not proxy or proxy_bypass(host) or _in_a_network(host, proxies.get("no", "")):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _in_a_network(host: str, no_proxy: str) -> bool:
    """NO_PROXY may name networks (10.0.0.0/8), which Python itself does not understand."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in no_proxy.split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


def _through(proxy: str, common: Mapping[str, Any]) -> urllib3.PoolManager:
    where = urlsplit(proxy)
    if where.scheme not in {"http", "https"}:
        raise InvalidConnection(
            f"The environment names a {where.scheme} proxy (HTTPS_PROXY, ALL_PROXY); http and https are supported.",
            hint="Put the API hosts into NO_PROXY to go past it.",
        )
    headers = None
    if where.username:
        login = f"{unquote(where.username)}:{unquote(where.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=login)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, **common)


def _innermost(problem: BaseException) -> str:
    """The operating system's or OpenSSL's own words, without the layers of objects around them."""
    seen = problem
    while True:
        inner = next((arg for arg in reversed(seen.args) if isinstance(arg, BaseException)), None)
        inner = inner or seen.__cause__ or seen.__context__
        if inner is None or inner is seen:
            break
        seen = inner
    if isinstance(seen, OSError) and not isinstance(seen, ssl.SSLCertVerificationError):
        return seen.strerror or str(seen) or type(seen).__name__
    return getattr(seen, "verify_message", "") or str(seen) or type(seen).__name__
