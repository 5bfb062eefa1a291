# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""LXC guests' configuration: reading, changing, what waits for a restart, mount points that come and go with it."""

from __future__ import annotations

import re
from typing import Any

from fakepve.lxc import option_exists
from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve import lxc_values as lv
from lab.pve.guests import FORBIDDEN, Ct
from lab.pve.qemu_agent import QemuAgent
from lab.pve.qemu_values import bad
from lab.pve.volumes import format_size, split_volid

REQUEST_ONLY = ("node", "vmid", "digest", "delete", "revert")
DIGEST_CHANGED = "detected modified configuration - file changed by other user? Try again."
NO_ARCH = "missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 724."
GIB = 1024**3


class LxcConfig(QemuAgent):
    """/nodes/{node}/lxc/{vmid}/config and /pending."""

    def endpoints_lxc_config(self) -> list[tuple[str, str, Any]]:
        one = "/nodes/{node}/lxc/{vmid}"
        return [
            ("GET", one + "/config", self._ct_config),
            ("PUT", one + "/config", self._ct_config_put),
            ("GET", one + "/pending", self._ct_pending),
        ]

    async def _ct_config(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        if v.get("snapshot"):
            snapshot = ct.snapshots.get(v["snapshot"])
            if snapshot is None:
                raise PveError(500, f"snapshot '{v['snapshot']}' does not exist")
            return {**snapshot, "digest": ct.digest()}
        config = dict(ct.config) if v.get("current") else ct.effective()
        if "arch" not in config:
            raise PveError(500, NO_ARCH)
        return {**config, "digest": ct.digest()}

    async def _ct_pending(self, v: dict[str, Any], user: str) -> Any:
        ct = self._find_ct(v["node"], v["vmid"])
        out: list[dict[str, Any]] = []
        for key in [*ct.config, *(k for k in ct.pending if k not in ct.config)]:
            entry: dict[str, Any] = {"key": key}
            if key in ct.config:
                entry["value"] = ct.config[key]
            if key in ct.pending:
                entry.update({"delete": 1} if ct.pending[key] is None else {"pending": ct.pending[key]})
            out.append(entry)
        out.append({"key": "digest", "value": ct.digest()})
        return self.shuffled(out)

    def _ct_rights(self, vmid: int, pool: str | None, key: str, value: Any, before: Any, user: str) -> None:
        if user == "root@pam":
            return
        why = lv.refused_to_tokens(key, value, before)
        if why:
            raise PveError(403, f"{FORBIDDEN} ({why})")
        if self.acl is None:
            return
        self.demand(user, vmid, pool, *lv.privileges(key))
        if lv.MOUNT.match(key):
            new = lv.NEW_DISK.match(lv.split_mount(str(value))[0])
            if new:
                self.require(user, "/storage/" + new.group(1), "Datastore.AllocateSpace")

    async def _ct_config_put(self, v: dict[str, Any], user: str) -> Any:
        values = {k: x for k, x in v.items() if k not in REQUEST_ONLY and x is not None}
        deletes, reverts = split_list(v.get("delete")), split_list(v.get("revert"))
        ct = self._find_ct(v["node"], v["vmid"])
        if not self.quorate:
            raise PveError(
                500, f"unable to open file '/etc/pve/nodes/{ct.node}/lxc/{ct.vmid}.conf.tmp.26003' - Permission denied"
            )
        if not values and not deletes and not reverts:
            raise PveError(500, "no options specified")
        await self._ct_config_lock(ct)
        self._check_named(values, deletes)
        for key in sorted([*values, *deletes]):
            self._ct_rights(ct.vmid, ct.pool, key, values.get(key, ""), ct.config.get(key), user)
        if ct.lock:
            raise PveError(500, f"CT is locked ({ct.lock})")
        if v.get("digest") and v["digest"] != ct.digest():
            raise PveError(500, DIGEST_CHANGED)
        self._check_changes(ct, values, deletes)
        for key in reverts:
            ct.pending.pop(key, None)
        for key in deletes:
            ct.pending[key] = None
        for key, value in values.items():
            kept = lv.kept(key, value, update=True)
            ct.pending[key] = kept
        changed = {*deletes, *values}
        for key in changed:
            if ct.pending.get(key, 0) is None and key not in ct.config:
                ct.pending.pop(key)
        self.apply_ct(ct, changed, ct.running)
        if "arch" not in ct.effective():
            # The option is gone all the same, and the container cannot be read any more.
            raise PveError(500, NO_ARCH)

    async def _ct_config_lock(self, ct: Ct) -> None:
        """Another task may hold the lock on the file; waiting for it times out."""
        if ct.lock_holder is None:
            return
        try:
            await self.acquire(ct, "config")
        except TaskError as error:
            raise PveError(500, str(error)) from None
        self.release(ct, "config")

    @staticmethod
    def _check_named(values: dict[str, Any], deletes: list[str]) -> None:
        for key in deletes:
            if not option_exists(key):
                raise bad(delete=f"unknown option '{key}'")
            if key in values:
                raise bad(delete=f"you can't use '-{key}' and -delete {key}' at the same time")

    def _check_changes(self, ct: Ct, values: dict[str, Any], deletes: list[str]) -> None:
        """What PVE refuses of an update whose form is right."""
        if "hookscript" in values and self.volume(str(values["hookscript"])) is None:
            raise PveError(500, f"script '{values['hookscript']}' does not exist")
        if "unprivileged" in values or "unprivileged" in deletes:
            verb = "modify" if "unprivileged" in values else "delete"
            raise PveError(500, f"unable to {verb} read-only option: 'unprivileged'")
        for key in deletes:
            if key in lv.REQUIRED and key in ct.config:
                raise PveError(500, f"unable to delete required option '{key}'")
            if ct.config.get("protection") and re.match(r"^(mp|unused)\d+$", key):
                raise PveError(500, f"can't remove CT {ct.vmid} drive '{key}' - protection mode enabled")
        for key, value in values.items():
            if lv.MOUNT.match(key):
                self._check_mount(ct, str(value))

    def _check_mount(self, ct: Ct, value: str) -> None:
        volume = lv.split_mount(value)[0]
        storage, _name = split_volid(volume)
        if storage is None:
            return
        store = self.storage_for(storage, ct.node)
        if "rootdir" not in split_list(store.get("content")):
            raise PveError(500, f"storage '{storage}' does not allow content type 'rootdir' (Container)")
        if not lv.NEW_DISK.match(volume) and self.volume(volume) is None:
            raise PveError(500, f"volume '{volume}' does not exist")

    def apply_ct(self, ct: Ct, chosen: set[str] | None, running: bool) -> None:
        """Make pending changes the configuration: all of them when stopped, the hot ones while it runs."""
        for key in [k for k in ct.pending if chosen is None or k in chosen]:
            value = ct.pending[key]
            if running and not (
                key in lv.LIVE
                or re.match(r"^(net|unused)\d+$", key)
                or (re.match(r"^(mp|dev)\d+$", key) and key not in ct.config and value is not None)
            ):
                continue
            del ct.pending[key]
            if value is None:
                self._ct_take_out(ct, key)
            elif lv.MOUNT.match(key):
                self._ct_put_in(ct, key, str(value))
            else:
                ct.config[key] = value

    def _ct_take_out(self, ct: Ct, key: str) -> None:
        value = str(ct.config.pop(key, ""))
        volume = lv.split_mount(value)[0]
        if key.startswith("unused"):
            self.free(volume)
        elif lv.MOUNT.match(key):
            self._ct_unused(ct, volume)

    def _ct_unused(self, ct: Ct, volume: str) -> None:
        storage, name = split_volid(volume)
        if storage is None or not re.search(rf"-{ct.vmid}-", name):
            return
        if any(lv.split_mount(str(x))[0] == volume for k, x in ct.config.items() if lv.MOUNT_OR_UNUSED.match(k)):
            return
        number = 0
        while f"unused{number}" in ct.config:
            number += 1
        ct.config[f"unused{number}"] = volume

    def _ct_put_in(self, ct: Ct, key: str, value: str) -> None:
        volume = lv.split_mount(value)[0]
        old = ct.config.get(key)
        ct.config[key] = self.realise_mount(ct, key, value)
        now = lv.split_mount(str(ct.config[key]))[0]
        for other in [k for k in ct.config if k.startswith("unused")]:
            if ct.config[other] == now:
                del ct.config[other]
        if old is not None:
            before = lv.split_mount(str(old))[0]
            if before != volume:
                self._ct_unused(ct, before)

    def realise_mount(self, ct: Ct, key: str, value: str) -> str:
        """A mount point as it is kept: a volume that was asked for by size is allocated."""
        volume, options = lv.split_mount(value)
        new = lv.NEW_DISK.match(volume)
        if not new:
            # PVE keeps what was sent, order included.
            return value
        size = int(float(new.group(2)) * GIB)
        volid = self.allocate(new.group(1), ct.vmid, size, None, ct.node, content="rootdir")
        options["size"] = format_size(size)
        return lv.join_mount(volid, options)
