# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Resource pools, on top of fakepve's: members as PVE shows them, comments as it keeps them."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError

from lab.pve.storage import Storages

FILE_LOCK = "file-user_cfg"


class Pools(Storages):
    """/pools."""

    def endpoints_pools(self) -> list[tuple[str, str, Any]]:
        return [("DELETE", "/pools", self._pool_delete), ("GET", "/pools", self._pool_index)]

    def _sync_pools(self) -> None:
        owner = {vmid: name for name, ids in self.pools.items() for vmid in ids}
        for vmid, guest in self.by_vmid.items():
            guest.pool = owner.get(vmid)

    def _members(self, name: str, kind: str | None) -> list[dict[str, Any]]:
        members: list[dict[str, Any]] = []
        for vmid in sorted(self.pools.get(name, ())):
            guest = self.guest(vmid)
            if guest is not None and kind in (None, guest.kind):
                entry = self.resource(guest, "root@pam")
                for key in ("pool", "tags", "lock", "hastate"):
                    entry.pop(key, None)
                members.append(entry)
        if kind in (None, "storage"):
            for storage in sorted(self._pool_meta(name)["storage"]):
                if storage in self.storages:
                    # A disabled one is on no node and a member all the same.
                    node = next(iter([*self._storage_nodes(storage), *self.nodes]))
                    entry = self.storage_resource(node, storage)
                    entry.pop("pool", None)
                    members.append(entry)
        return members

    async def _pool_index(self, v: dict[str, Any], user: str) -> Any:
        wanted = v.get("poolid")
        if wanted:
            if wanted not in self.pools:
                raise PveError(500, f"pool '{wanted}' does not exist")
            entry: dict[str, Any] = {"poolid": wanted, "members": self._members(wanted, v.get("type"))}
            if self._pool_meta(wanted)["comment"]:
                entry["comment"] = self._pool_meta(wanted)["comment"]
            return [entry]
        out = []
        for name in sorted(self.pools):
            if self.allowed(user, "/pool/" + name, "Pool.Audit"):
                comment = self._pool_meta(name)["comment"]
                out.append({"poolid": name, **({"comment": comment} if comment else {})})
        return out

    async def _pool_read(self, v: dict[str, Any], user: str) -> Any:
        found = await self._pool_index(v, user)
        return found[0]

    async def _pool_create(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "create pool failed: ")
        self._trim(v)
        return await super()._pool_create(v, user)

    async def _pool_update(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "update pools failed: ")
        self._trim(v)
        return await super()._pool_update(v, user)

    async def _pool_delete(self, v: dict[str, Any], user: str) -> Any:
        self.need_lock(FILE_LOCK, "delete pool failed: ")
        return await super()._pool_delete(v, user)

    @staticmethod
    def _trim(v: dict[str, Any]) -> None:
        """user.cfg is a file of lines: blanks at a comment's end are lost."""
        if isinstance(v.get("comment"), str):
            v["comment"] = v["comment"].rstrip()
