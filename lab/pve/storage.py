# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Storages: storage.cfg and the nodes' views of it, on top of fakepve's."""

from __future__ import annotations

import re
import time
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list
from fakepve.storage import SENSITIVE, TYPES, _plugin

from lab.pve.guests import digest_of
from lab.pve.nodes import Nodes

NETWORKED = ("nfs", "cifs", "cephfs", "iscsi", "iscsidirect", "rbd", "pbs", "zfs", "esxi")
BOOKKEEPING = ("files", "active", "volumes", "total", "used", "avail", "stored", "writes")
LISTS = ("content", "nodes")
FILE_LOCK = "file-storage_cfg"

TYPES["esxi"] = _plugin(
    "server username password! skip-cert-verification shared port nodes disable content", "import", "import"
)
TYPES["esxi"]["name"] = "esxi"
TYPES["esxi"]["options"].update(server=(False, False), username=(False, False), password=(True, False))
for _name, _extra in (
    ("dir", {"content-dirs": (True, False)}),
    ("lvm", {"shared": (True, False)}),
    ("lvm", {"snapshot-as-volume-chain": (True, False)}),
    ("rbd", {"keyring": (True, False)}),
    ("btrfs", {"format": (True, False)}),
):
    TYPES[_name]["options"].update(_extra)
# Accepted, but nothing of it is stored.
DISCARDED = {"btrfs": ("format",), "cephfs": ("format",)}


class Storages(Nodes):
    """storage.cfg with the oddities of the real one."""

    storage_writes: int

    def _storage_digest(self) -> str:
        return digest_of(self.storage_writes)

    @staticmethod
    def _options_of(store: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in store.items() if k not in BOOKKEEPING}

    def storage_config(self, name: str) -> dict[str, Any]:
        config = self._options_of(self.storages[name])
        for key in LISTS:
            if config.get(key):
                config[key] = ",".join(self.shuffled(split_list(config[key])))
        if isinstance(config.get("content-dirs"), str):
            config["content-dirs"] = dict(part.split("=", 1) for part in split_list(config["content-dirs"]))
        if not config.get("disable"):
            config.pop("disable", None)
        return {**config, "storage": name, "digest": self._storage_digest()}

    async def _sc_list(self, v: dict[str, Any], user: str) -> Any:
        return [
            self.storage_config(name)
            for name, store in self.storages.items()
            if v.get("type") in (None, store["type"]) and self._can_audit(user, name)
        ]

    def _cleaned(self, kind: str, values: dict[str, Any], prefix: str) -> dict[str, Any]:
        """Values as storage.cfg keeps them."""
        out = {}
        for key, value in values.items():
            if value is None:
                raise PveError(500, f"{prefix}got undefined value for option '{key}'")
            if key in DISCARDED.get(kind, ()):
                continue
            if key == "nodes":
                value = ",".join(dict.fromkeys(split_list(value)))
                unknown = [n for n in value.split(",") if n and n not in self.nodes]
                if unknown:
                    raise PveError(500, f"{prefix}no such cluster node '{unknown[0]}'")
            out[key] = value
        return out

    async def _sc_create(self, v: dict[str, Any], user: str) -> Any:
        kind, name = v["type"], v["storage"]
        values = {k: x for k, x in v.items() if k not in ("type", "storage")}
        spec = TYPES[kind]
        secrets = {k for k in SENSITIVE if k in values}
        unwanted = sorted(k for k in values if k not in spec["options"])
        if unwanted:
            raise PveError(500, f"unexpected property '{unwanted[0]}'")
        values = {k: x for k, x in values.items() if k not in secrets}
        values = self._check_options(name, spec, self._cleaned(kind, values, ""), True)
        if kind in ("dir", "btrfs") and not re.match(r"^/[-/a-zA-Z0-9_.@]+$", str(values["path"])):
            raise PveError(500, f"illegal path for directory storage: {values['path']}")
        prefix = "create storage failed: "
        self.need_lock(FILE_LOCK, prefix)
        if name in self.storages:
            raise PveError(500, f"{prefix}storage ID '{name}' already defined")
        if values.get("base"):
            base = str(values["base"]).partition(":")[0]
            base_kind = self.storage_for(base)["type"]
            if base_kind != "iscsi":
                raise PveError(
                    500,
                    f"{prefix}unsupported base type '{base_kind}'"
                    " at /usr/share/perl5/PVE/Storage/LVMPlugin.pm line 490.",
                )
        if kind in NETWORKED and not values.get("disable") and not self.answers(v):
            raise PveError(500, f"{prefix}storage '{name}' is not online")
        store: dict[str, Any] = {"type": kind, "active": 1, "files": set(), "volumes": {}, "content": spec["default"]}
        store.update(values)
        if not store.get("disable"):
            store.pop("disable", None)
        if kind in NETWORKED and kind != "esxi":
            store["shared"] = 1
        if kind == "pbs" and secrets:
            store["stored"] = sorted(secrets)
        store["total"] = 64 * 1024**4
        self.storages[name] = store
        self.storage_writes += 1
        return {"storage": name, "type": kind}

    @staticmethod
    def answers(values: dict[str, Any]) -> bool:
        """True if the storage's server is there: addresses for documentation (RFC 5737) answer nobody."""
        server = str(values.get("server") or values.get("portal") or "")
        return not server.startswith(("192.0.2.", "198.51.100.", "203.0.113."))

    async def _sc_update(self, v: dict[str, Any], user: str) -> Any:
        name = v["storage"]
        prefix = "update storage failed: "
        self.need_lock(FILE_LOCK, prefix)
        given = v.get("digest")
        if given and given != self._storage_digest():
            raise PveError(500, f"{prefix}detected modified configuration - file changed by other user? Try again.")
        store = self.storages.get(name)
        if store is None:
            raise PveError(500, f"{prefix}storage '{name}' does not exist")
        kind = store["type"]
        spec = TYPES[kind]
        deletes = split_list(v.get("delete"))
        values = {k: x for k, x in v.items() if k not in ("storage", "digest", "delete")}
        before = dict(store)
        try:
            unwanted = sorted(k for k in values if k not in spec["options"])
            if unwanted:
                raise PveError(500, f"unexpected property '{unwanted[0]}'")
            values = {k: x for k, x in values.items() if k not in SENSITIVE}
            values = self._check_options(name, spec, self._cleaned(kind, values, ""), False)
            for key in deletes:
                if key not in spec["options"]:
                    raise PveError(500, f"no such option '{key}'")
                optional, fixed = spec["options"][key]
                if not optional:
                    raise PveError(500, f"unable to delete required option '{key}'")
                if fixed:
                    raise PveError(500, f"unable to delete fixed option '{key}'")
                if key in values:
                    raise PveError(500, f"cannot set and delete property '{key}' at the same time!")
        except PveError as error:
            raise PveError(error.status, prefix + error.message, error.errors) from None
        for key in deletes:
            store.pop(key, None)
        store.update(values)
        if not store.get("disable"):
            store.pop("disable", None)
        store.setdefault("content", spec["default"])
        # Several elements of a list are written in another order, so the file changes although nothing was.
        if self._options_of(before) != self._options_of(store) or any(
            len(split_list(other.get(key))) > 1 for other in self.storages.values() for key in LISTS
        ):
            self.storage_writes += 1
        return {"storage": name, "type": kind}

    async def _sc_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "delete storage failed: ")
        await super()._sc_delete(v, user)
        self.storage_writes += 1

    # ------------------------------------------------------------ the nodes' view

    def _check_options(self, sid: str, spec: dict[str, Any], params: dict[str, Any], create: bool) -> dict[str, Any]:
        if spec["name"] == "zfs" and create:
            params = {"zfs-base-path": "/dev/zvol", **params}
        out: dict[str, Any] = super()._check_options(sid, spec, params, create)
        return out

    def storage_resource(self, node: str, name: str) -> dict[str, Any]:
        """The entry in GET /cluster/resources."""
        store = self.storages[name]
        entry = {
            "id": f"storage/{node}/{name}",
            "type": "storage",
            "node": node,
            "storage": name,
            "status": "available" if store.get("active") else "unknown",
            "plugintype": store["type"],
            "content": ",".join(self.shuffled(split_list(store.get("content")))),
            "shared": 1 if store.get("shared") else 0,
        }
        if store.get("active"):
            total, used, _avail = self._space(store)
            entry.update(disk=used, maxdisk=total)
        pool = self._pool_of_storage(name)
        if pool:
            entry["pool"] = pool
        return entry

    def _storage_resource(self, node: str, name: str) -> dict[str, Any] | None:
        return self.storage_resource(node, name) if self._storage_enabled(name, node) else None

    def _status_item(self, name: str, node: str, formats: bool = False) -> dict[str, Any]:
        item: dict[str, Any] = super()._status_item(name, node, formats)
        item["content"] = ",".join(self.shuffled(split_list(item["content"])))
        return item

    async def _content_list(self, v: dict[str, Any], user: str) -> Any:
        name, node = v["storage"], v["node"]
        store = self._active_store(name, node)
        allowed = set(split_list(store.get("content")))
        if allowed & {"images", "rootdir"}:
            allowed |= {"images", "rootdir"}
        out = []
        for volname, entry in self._volumes(name).items():
            content = entry["content"]
            if content not in allowed or v.get("content") not in (None, content):
                continue
            if v.get("vmid") is not None and entry.get("vmid") != v["vmid"]:
                continue
            if entry.get("node") not in (None, node):
                continue
            volid = f"{name}:{volname}"
            try:
                self._check_access(user, name, content, entry.get("vmid"), volid)
            except PveError:
                continue
            item = {
                "volid": volid,
                "content": content,
                "format": entry.get("format", "raw"),
                "size": int(entry.get("size") or 0),
                "ctime": int(entry.get("ctime") or time.time()),
            }
            if content in ("images", "rootdir"):
                item.update(vmid=entry["vmid"], parent=entry.get("parent"), used=entry.get("used", 0))
            if content == "backup" and entry.get("vmid"):
                item["vmid"] = entry["vmid"]
            for key in ("notes", "protected"):
                if entry.get(key):
                    item[key] = entry[key]
            out.append(item)
        return sorted(out, key=lambda item: str(item["volid"]).lower())
