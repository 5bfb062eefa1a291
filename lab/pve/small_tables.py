# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Small tables of the cluster that no kind of ours describes: directory mappings and metric servers."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.guests import digest_of
from lab.pve.replication import STALE, Replication

MAPPING_LOCK, METRICS_LOCK = "file-mapping_directory_cfg", "file-status_cfg"
# The directories every node has.
DIRECTORIES = ("/", "/etc", "/home", "/mnt", "/opt", "/root", "/srv", "/tmp", "/usr", "/var", "/var/tmp")
COMMON = ("server", "port", "disable", "mtu", "timeout")
OF_TYPE = {
    "graphite": (*COMMON, "path", "proto"),
    "influxdb": (
        *COMMON, "api-path-prefix", "bucket", "influxdbproto", "max-body-size", "organization", "token",
        "verify-certificate",
    ),
    "opentelemetry": ("server", "port", "disable"),
}  # fmt: skip
LISTED = ("server", "port", "type")


class SmallTables(Replication):
    """/cluster/mapping/dir and /cluster/metrics/server."""

    dir_mappings: dict[str, dict[str, Any]]
    metric_servers: dict[str, dict[str, Any]]

    def endpoints_small_tables(self) -> list[tuple[str, str, Any]]:
        dirs, metrics = "/cluster/mapping/dir", "/cluster/metrics/server"
        return [
            ("GET", dirs, self._dir_list),
            ("POST", dirs, self._dir_create),
            ("GET", dirs + "/{id}", self._dir_read),
            ("PUT", dirs + "/{id}", self._dir_update),
            ("DELETE", dirs + "/{id}", self._dir_delete),
            ("GET", metrics, self._metrics_list),
            ("GET", metrics + "/{id}", self._metrics_read),
            ("POST", metrics + "/{id}", self._metrics_create),
            ("PUT", metrics + "/{id}", self._metrics_update),
            ("DELETE", metrics + "/{id}", self._metrics_delete),
        ]

    # ------------------------------------------------------------- mappings

    def _dir_view(self, name: str) -> dict[str, Any]:
        return {**self.dir_mappings[name], "type": "dir", "digest": digest_of(self.dir_mappings)}

    async def _dir_list(self, v: dict[str, Any], user: str) -> Any:
        names = [name for name in self.dir_mappings if self._may_see_dir(user, name)]
        return self.shuffled([{**self._dir_view(name), "id": name} for name in names])

    def _may_see_dir(self, user: str, name: str) -> bool:
        privileges = ("Mapping.Audit", "Mapping.Modify", "Mapping.Use")
        return any(self.allowed(user, f"/mapping/dir/{name}", privilege) for privilege in privileges)

    async def _dir_read(self, v: dict[str, Any], user: str) -> Any:
        if v["id"] not in self.dir_mappings:
            raise PveError(500, f"mapping '{v['id']}' not found")
        return self._dir_view(v["id"])

    @staticmethod
    def _dir_checked(v: dict[str, Any], verb: str) -> dict[str, Any]:
        def wrong(text: str) -> PveError:
            return PveError(500, f"{verb} directory mapping failed: {text}")

        values = {key: value for key, value in v.items() if key in ("map", "description") and value is not None}
        if "map" in values:
            values["map"] = values["map"] if isinstance(values["map"], list) else [values["map"]]
        if "\n" in values.get("description", ""):
            raise wrong("property contains a line feed")
        for entry in values.get("map", ()):
            path = dict(part.split("=", 1) for part in entry.split(",")).get("path", "")
            if path.rstrip("/") not in DIRECTORIES:
                raise wrong(f"Path {path} does not exist")
        if not values.get("map"):
            raise wrong("missing value for required option 'map'")
        if "description" in values:
            # It is written as UTF-8 and read back byte by byte.
            values["description"] = values["description"].rstrip().encode().decode("latin-1")
        return values

    async def _dir_create(self, v: dict[str, Any], user: str) -> Any:
        values = self._dir_checked(v, "create")
        self.need_lock(MAPPING_LOCK, "create directory mapping failed: ")
        if v["id"] in self.dir_mappings:
            raise PveError(500, f"create directory mapping failed: dir ID '{v['id']}' already defined")
        self.dir_mappings[v["id"]] = values
        return None

    async def _dir_update(self, v: dict[str, Any], user: str) -> Any:
        gone = split_list(v.get("delete"))
        if v.get("digest") and v["digest"] != digest_of(self.dir_mappings):
            raise PveError(500, f"update directory mapping failed: {STALE}")
        values = self._dir_checked({**v, "map": None if "map" in gone else v.get("map")}, "update")
        self.need_lock(MAPPING_LOCK, "update directory mapping failed: ")
        if v["id"] not in self.dir_mappings:
            raise PveError(500, f"update directory mapping failed: no such directory mapping '{v['id']}'")
        kept = {key: value for key, value in self.dir_mappings[v["id"]].items() if key not in gone}
        self.dir_mappings[v["id"]] = {**kept, **values}
        return None

    async def _dir_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(MAPPING_LOCK, "delete directory mapping failed: ")
        self.dir_mappings.pop(v["id"], None)
        return None

    # -------------------------------------------------------------- metrics

    async def _metrics_list(self, v: dict[str, Any], user: str) -> Any:
        rows = [
            {**{key: server[key] for key in LISTED}, "id": name, "disable": server.get("disable", 0)}
            for name, server in self.metric_servers.items()
        ]
        return self.shuffled(rows)

    async def _metrics_read(self, v: dict[str, Any], user: str) -> Any:
        if v["id"] not in self.metric_servers:
            raise PveError(500, f"status server entry '{v['id']}' does not exist")
        server = self.metric_servers[v["id"]]
        return {key: value for key, value in server.items() if key != "token" and (key != "disable" or value)}

    @staticmethod
    def _metrics_checked(v: dict[str, Any], kind: str) -> dict[str, Any]:
        values = {key: x for key, x in v.items() if key not in ("id", "type", "delete", "digest") and x is not None}
        for key in values:
            if key not in OF_TYPE[kind]:
                raise PveError(500, f"unexpected property '{key}'")
        return values

    async def _metrics_create(self, v: dict[str, Any], user: str) -> Any:
        values = self._metrics_checked(v, v["type"])
        self.need_lock(METRICS_LOCK)
        if v["id"] in self.metric_servers:
            raise PveError(500, f"Metric server '{v['id']}' already exists")
        self.metric_servers[v["id"]] = {**values, "type": v["type"]}
        return None

    async def _metrics_update(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(METRICS_LOCK)
        if v["id"] not in self.metric_servers:
            raise PveError(500, f"no such server '{v['id']}'")
        server = dict(self.metric_servers[v["id"]])
        values = self._metrics_checked(v, server["type"])
        for key in split_list(v.get("delete")):
            if key not in OF_TYPE[server["type"]]:
                raise PveError(500, f"no such option '{key}'")
            if key in ("server", "port"):
                raise PveError(500, f"unable to delete required option '{key}'")
            server.pop(key, None)
        self.metric_servers[v["id"]] = {**server, **values}
        return None

    async def _metrics_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(METRICS_LOCK)
        self.metric_servers.pop(v["id"], None)
        return None
