# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""From an HTTP request to an answer, the way pveproxy does it.

One route takes everything: the path is looked up in the recorded schema, the login is checked, ordered faults strike,
a request for an offline node ends in 595, parameters and privileges are checked, and the endpoint's handler answers:
`async def handler(values, user)`, which returns the `data` or raises PveError. Endpoints the lab keeps no state for
are answered by fakepve from their schema.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from fakepve import FakePve
from fakepve.model import PveError

from lab.pve import schema
from lab.pve.faults import Faults
from lab.pve.recorder import Recorder

Handler = Callable[[dict[str, Any], str], Awaitable[Any]]
JSON_API, EXTJS_API = "/api2/json", "/api2/extjs"
ROOT = ("version", "cluster", "nodes", "storage", "access", "pools")
# Statuses whose message ends without a line break.
BARE = (424, 501)
LOG = logging.getLogger("lab.pve")


class Plain(Exception):
    """An answer that is not JSON: an empty or plain-text body."""

    def __init__(self, status: int, reason: str, body: str = "") -> None:
        super().__init__(reason)
        self.status, self.reason, self.body = status, reason, body


class Extra(dict[str, Any]):
    """An answer with keys beside `data`, such as `total` or `changes`."""


def reason_of(message: str) -> str:
    """The status line of an error: its message's first line."""
    return message.split("\n", 1)[0][:400]


def _collect(into: dict[str, Any], pairs: list[tuple[str, str]]) -> None:
    """A repeated key makes an array."""
    seen: dict[str, list[str]] = {}
    for key, value in pairs:
        seen.setdefault(key, []).append(value)
    into.update({key: values[0] if len(values) == 1 else values for key, values in seen.items()})


class Dispatch(FakePve):
    """Serves the API; the mixins of the cluster fill `endpoints`."""

    recorder: Recorder
    faults: Faults
    delay: float
    endpoints: dict[tuple[str, str], Handler]

    # ------------------------------------------------------------ wiring

    def _build_app(self) -> web.Application:
        app = web.Application(client_max_size=self.client_max_size)
        self.endpoints = self._collect_endpoints()
        app.router.add_route("*", "/{tail:.*}", self._serve)
        return app

    def _collect_endpoints(self) -> dict[tuple[str, str], Handler]:
        """fakepve's own tables first, so that the lab's replace them."""
        table: dict[tuple[str, str], Handler] = {}
        self._lxc_routes(_Collector(table), "/nodes/{node}")
        names = sorted(name for name in dir(self) if name.startswith("_routes_"))
        for name in [*names, *sorted(n for n in dir(self) if n.startswith("endpoints_"))]:
            for method, template, handler in getattr(self, name)():
                table[method, template] = handler
        return table

    def _lxc_handler(self, fn: Callable[..., Awaitable[Any]]) -> Handler:
        async def handler(values: dict[str, Any], user: str) -> Any:
            return await fn(user, values)

        return handler

    # ----------------------------------------------------------- serving

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, extjs = request.rel_url.raw_path, False
        if path.startswith(JSON_API + "/") or path == JSON_API:
            path = path[len(JSON_API) :]
        elif path.startswith(EXTJS_API + "/"):
            path, extjs = path[len(EXTJS_API) :], True
        else:
            return web.Response(status=404, text="no such file")
        if "%" in path:
            path = urllib.parse.unquote(path)
        if self.delay:
            await asyncio.sleep(self.delay)
        values: dict[str, Any] = {}
        try:
            values = await self._parameters(request)
            status, reason, body = await self._respond(request, path, values)
        except Plain as plain:
            self.recorder.add(request.method, path, values, plain.status)
            if plain.status == 0:
                if request.transport is not None:
                    request.transport.close()
                raise ConnectionResetError("lab: connection closed by an ordered fault") from None
            return web.Response(status=plain.status, reason=plain.reason, text=plain.body, content_type="text/plain")
        self.recorder.add(request.method, path, values, status)
        if extjs:
            ok = status < 400
            body = {**body, "success": int(ok), **({} if ok else {"status": status})}
            status, reason = 200, "OK"
        return web.Response(
            status=status,
            reason=reason,
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(),
            content_type="application/json",
            charset="UTF-8",
        )

    async def _respond(
        self, request: web.Request, path: str, values: dict[str, Any]
    ) -> tuple[int, str, dict[str, Any]]:
        try:
            data = await self._answer_call(request, path, values)
        except PveError as error:
            message = error.message
            if not error.message.endswith("\n") and error.status not in BARE:
                message += "\n"
            body: dict[str, Any] = {"data": None, "message": message}
            if error.errors:
                body["errors"] = error.errors
            return error.status, reason_of(error.message), body
        except Plain:
            raise
        except Exception:
            LOG.exception("unhandled error in %s %s", request.method, path)
            return 500, "lab: internal error", {"data": None, "message": "lab: internal error\n"}
        if isinstance(data, Extra):
            return 200, "OK", dict(data)
        return 200, "OK", {"data": data}

    async def _parameters(self, request: web.Request) -> dict[str, Any]:
        """Parameters from query, form or JSON, with the oddities of PVE's API server."""
        values: dict[str, Any] = {}
        if request.rel_url.raw_query_string:
            _collect(values, urllib.parse.parse_qsl(request.rel_url.raw_query_string, keep_blank_values=True))
        if not request.can_read_body:
            return values
        body = await request.read()
        if request.method in ("DELETE", "GET") and body:
            text = f"Unexpected content for method '{request.method}'"
            raise Plain(501, text, text)
        if not body:
            return values
        kind = request.content_type
        if kind == "application/json":
            try:
                data = json.loads(body)
            except ValueError as error:
                text = f"malformed JSON string, {error} at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934."
                if body[:1] == b"{":
                    rest = body[1:].decode(errors="replace")
                    text = (
                        f'\'"\' expected, at character offset 1 (before "{rest}")'
                        " at /usr/share/perl5/PVE/APIServer/AnyEvent.pm line 934."
                    )
                raise Plain(500, text, text) from None
            values.update(data if isinstance(data, dict) else {})
        elif kind in ("application/x-www-form-urlencoded", "application/octet-stream"):
            _collect(values, urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        elif kind == "multipart/form-data":
            return values
        else:
            text = f"upload 'Content-Type '{kind}' not implemented"
            raise Plain(506, text, text)
        return values

    # --------------------------------------------------------- the checks

    def may_log_in(self, who: str) -> bool:
        """Whether a user or token is neither switched off nor expired; the users' part knows."""
        raise NotImplementedError

    def unlimited(self, user: str) -> bool:
        """Whether no privilege is asked for; the rights' part knows."""
        raise NotImplementedError

    def identify(self, request: web.Request) -> str:
        """The user or token of a request; a 401 takes its three seconds only when the lab's time runs."""
        header = request.headers.get("Authorization", "")
        if header.startswith(("PVEAPIToken=", "PVEAPIToken ")):
            token, _sep, secret = header[len("PVEAPIToken=") :].partition("=")
            if secret and self.apitokens.get(token) == secret and self.may_log_in(token):
                return token
            raise Plain(401, "Authentication failed!")
        ticket = request.cookies.get("PVEAuthCookie")
        if not ticket:
            raise Plain(401, "No ticket")
        session = self.tickets.get(urllib.parse.unquote(ticket))
        if session is None or session["expires"] < time.time():
            raise Plain(401, "permission denied - invalid PVE ticket")
        if request.method not in ("GET", "HEAD") and request.headers.get("CSRFPreventionToken") != session["csrf"]:
            raise Plain(401, "Permission denied - invalid csrf token")
        user: str = session["user"]
        if not self.may_log_in(user):
            raise Plain(401, "permission denied - invalid PVE ticket")
        return user

    async def _answer_call(self, request: web.Request, path: str, values: dict[str, Any]) -> Any:
        method = request.method
        if method not in ("GET", "POST", "PUT", "DELETE"):
            raise Plain(501, f"method '{method}' not available")
        found = schema.match(path)
        info = found.methods.get(method) if found else None
        public = bool(info) and (info.get("permissions") or {}).get("user") == "world"
        try:
            user: str | None = self.identify(request)
        except Plain:
            if not public:
                await self.pause(3)
                raise
            user = None
        fault = self.faults.for_request(method, path)
        if fault:
            if fault.status in (0, 401, 595):
                raise Plain(fault.status, fault.reason)
            raise PveError(fault.status, fault.reason)
        if method == "GET" and path in ("", "/"):
            return [{"subdir": name} for name in ROOT]
        if found is None or info is None:
            raise PveError(501, f"Method '{method} {path}' not implemented")
        if user and "!" in user and not info.get("allowtoken", 1):
            raise PveError(
                403,
                f"Permission check failed (URI '{path}' not available with API token, need proper ticket.\n)",
            )
        node = found.params.get("node")
        # Elsewhere a node in the path is only a name.
        if node is not None and path.startswith("/nodes/"):
            self.check_node(node)
        return await self._call(found, method, info, values, user)

    def check_node(self, node: str) -> None:
        if node not in self.nodes:
            if node == "localhost":
                return
            raise PveError(
                500,
                f"hostname lookup '{node}' failed - failed to get address info for: {node}:"
                " Temporary failure in name resolution",
            )
        if not self.nodes[node].get("online", True):
            raise Plain(595, "No route to host")

    async def _call(
        self, found: Any, method: str, info: dict[str, Any], values: dict[str, Any], user: str | None
    ) -> Any:
        spec = info.get("parameters")
        declared = (spec or {}).get("properties", {})
        permissions = info.get("permissions")
        if found.params:
            values = {**values, **{k: v for k, v in found.params.items() if k in declared}}
        checked, errors = schema.validate(spec, values)
        limited = user is not None and self.acl is not None and not self.unlimited(user)
        if limited and errors and not set(errors) & set(self._names_of(permissions)):
            # PVE looks at privileges before it looks at the other parameters.
            self.check_permissions(user, permissions, checked, declared)
        if errors:
            raise PveError(400, "Parameter verification failed.", errors)
        for key, value in found.params.items():
            if key not in declared:
                checked[key] = value
        if limited or user is None:
            self.check_permissions(user, permissions, checked, declared)
        handler = self.endpoints.get((method, found.template))
        if handler is not None:
            return await handler(checked, user or "")
        return await self.synthesise(found, method, info, user, checked)

    def check_permissions(self, user: Any, perms: Any, values: Any, declared: Any = None) -> None:
        """What all may call, all may call, whatever else the schema says of it: the handler hides what it must."""
        if user is not None and (perms or {}).get("user") == "all":
            return
        super().check_permissions(user, perms, values, declared)

    def _names_of(self, permissions: dict[str, Any] | None) -> list[str]:
        rule = (permissions or {}).get("check")
        return self._names(rule[1]) if rule and rule[0] == "perm" else []


class _Collector:
    """Stands in for aiohttp's router while fakepve lists its container routes."""

    def __init__(self, table: dict[tuple[str, str], Handler]) -> None:
        self.table = table

    def add_route(self, method: str, path: str, handler: Handler) -> None:
        self.table[method, path] = handler
