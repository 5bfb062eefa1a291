# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Directory storages that are directories of a real machine: mounted or not, and with files in them.

The machine stands for the node. What Proxmox VE does there before it uses such a storage is done over SSH: the mount
point is looked at, the folders are made, the backups are listed. A backup is a file with the guest's configuration.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import PurePosixPath
from typing import Any, Protocol

from fakepve.model import PveError, TaskError
from fakepve.routing import split_list

from lab.pve.restores import Restores

_ARCHIVE = re.compile(r"vzdump-(?P<kind>qemu|lxc)-(?P<vmid>\d+)-[\d_-]+\.(?P<format>(?:vma|tar)(?:\.\w+)?)$")
_YES, _NO = ("1", "yes", "on", "true"), ("", "0", "no", "off", "false")


class Reachable(Protocol):
    """lab.machine.Machine, or what is reached like it."""

    def ssh(self, *argv: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program as root."""


class RealDirectories(Restores):
    """Storages of type dir on nodes that have a machine."""

    machines: dict[str, Reachable]

    def endpoints_real_directory(self) -> list[tuple[str, str, Any]]:
        return [("POST", "/nodes/{node}/vzdump", self._vzdump)]

    def _machine(self, name: str, node: str) -> Reachable | None:
        return self.machines.get(node) if self.storages[name]["type"] == "dir" else None

    def _activate(self, name: str, node: str, machine: Reachable) -> None:
        """What Proxmox VE does before it uses the storage. Raises PveError in its words."""
        store = self.storages[name]
        point = str(store.get("is_mountpoint") or "")
        point = "" if point.lower() in _NO else str(store["path"]) if point.lower() in _YES else point
        if point and machine.ssh("mountpoint", "--quiet", point, check=False).returncode != 0:
            raise PveError(
                500,
                f"unable to activate storage '{name}' - directory is expected to be a mount point but is not mounted:"
                f" '{point}'\n",
            )
        machine.ssh("mkdir", "-p", self._dump(name))

    def _dump(self, name: str) -> str:
        return str(PurePosixPath(self.storages[name]["path"]) / "dump")

    def _active_store(self, name: str, node: str) -> dict[str, Any]:
        store: dict[str, Any] = super()._active_store(name, node)
        if machine := self._machine(name, node):
            self._activate(name, node, machine)
            self._read_books(name, node, machine)
        return store

    def _read_books(self, name: str, node: str, machine: Reachable) -> None:
        """The files that are there take the place of what the books have of this node."""
        volumes = self.storages[name].setdefault("volumes", {})
        for volume in [volume for volume, entry in volumes.items() if entry.get("node") == node]:
            del volumes[volume]
        listing = machine.ssh("find", self._dump(name), "-maxdepth", "1", "-type", "f", "-printf", "%f\t%s\t%Ts\n")
        for line in listing.stdout.splitlines():
            file, size, written = line.split("\t")
            if found := _ARCHIVE.match(file):
                volumes[f"backup/{file}"] = {
                    "content": "backup",
                    "format": found["format"],
                    "size": int(size),
                    "ctime": int(written),
                    "vmid": int(found["vmid"]),
                    "node": node,
                }

    def _is_active(self, name: str, node: str) -> bool:
        try:
            self._active_store(name, node)
        except PveError:
            return False
        return True

    def _status_item(self, name: str, node: str, formats: bool = False) -> dict[str, Any]:
        item = super()._status_item(name, node, formats)
        if item["active"] and self._machine(name, node) and not self._is_active(name, node):
            item.update(active=0, total=0, used=0, avail=0)
        return item

    def storage_resource(self, node: str, name: str) -> dict[str, Any]:
        entry = super().storage_resource(node, name)
        if self._machine(name, node) and not self._is_active(name, node):
            entry["status"] = "unknown"
            entry.pop("disk", None)
            entry.pop("maxdisk", None)
        return entry

    async def _vzdump(self, v: dict[str, Any], user: str) -> Any:
        node, name, chosen = v["node"], str(v.get("storage") or "local"), str(v.get("vmid") or "")
        if node not in self.machines:
            return await super()._vzdump(v, user)

        async def body() -> str | None:
            try:
                self._active_store(name, node)
            except PveError as error:
                raise TaskError(f"could not activate storage '{name}': {error.message.strip()}") from None
            lines = [f"INFO: starting new backup job: vzdump {chosen} --storage {name} --node {node}"]
            for vmid in split_list(chosen):
                lines += self._back_up(int(vmid), name, node)
            return "\n".join([*lines, "INFO: Backup job finished successfully"])

        return await self.task(node, "vzdump", chosen, user, body)

    def _back_up(self, vmid: int, name: str, node: str) -> list[str]:
        guest = self.guest(vmid)
        if guest is None or guest.node != node:
            raise TaskError("job errors")
        kind, form = ("lxc", "tar.zst") if guest.kind == "lxc" else ("qemu", "vma.zst")
        archive = f"{self._dump(name)}/vzdump-{kind}-{vmid}-{time.strftime('%Y_%m_%d-%H_%M_%S')}.{form}"
        text = "".join(f"{key}: {value}\n" for key, value in sorted(guest.config.items()))
        written = self.machines[node].ssh("dd", "status=none", "conv=fsync", f"of={archive}", stdin=text, check=False)
        if written.returncode != 0:
            raise TaskError("job errors")
        return [
            f"INFO: Starting Backup of VM {vmid} ({kind})",
            f"INFO: creating vzdump archive '{archive}'",
            f"INFO: Finished Backup of VM {vmid} (00:00:00)",
        ]
