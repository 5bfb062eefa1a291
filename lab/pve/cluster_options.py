# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The cluster's options: /cluster/options, and what they do to /cluster/nextid."""

from __future__ import annotations

import re
from typing import Any

from fakepve.model import PveError
from fakepve.routing import split_list

from lab.pve.real_guests import RealGuests

FILE_LOCK = "file-datacenter_cfg"
MAC_PREFIX = "BC:24:11"
# Property strings that GET shows as objects; bwlimit it shows as it was written.
OBJECTS = (
    "crs",
    "ha",
    "migration",
    "next-id",
    "notify",
    "replication",
    "tag-style",
    "u2f",
    "user-tag-access",
    "webauthn",
)
DEFAULT_KEY = "type"
BOOLEANS = ("case-sensitive", "allow-subdomains", "ha-rebalance-on-start", "ha-auto-rebalance")
PREFIX = re.compile(r"[a-f0-9][02468ace](?::[a-f0-9]{2}){0,2}:?", re.I)


def as_object(text: str) -> dict[str, Any]:
    """A property string as GET shows it: numbers stay texts, booleans become numbers, lists of tags lists."""
    out: dict[str, Any] = {}
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if not equals:
            name, value = DEFAULT_KEY, part
        if name in BOOLEANS:
            out[name] = int(value)
        else:
            out[name] = value.split(";") if name == "user-allow-list" else value
    return out


class ClusterOptions(RealGuests):
    """datacenter.cfg."""

    cluster_options: dict[str, Any]

    def endpoints_cluster_options(self) -> list[tuple[str, str, Any]]:
        return [
            ("GET", "/cluster/options", self._options_read),
            ("PUT", "/cluster/options", self._options_write),
        ]

    async def _options_read(self, v: dict[str, Any], user: str) -> Any:
        tags = {"allowed-tags": self._allowed_tags(user)}
        if not self.allowed(user, "/", "Sys.Audit"):
            return tags
        options = {
            name: as_object(value) if name in OBJECTS else value.split(";") if name == "registered-tags" else value
            for name, value in self.cluster_options.items()
        }
        return {"mac_prefix": MAC_PREFIX, "description": "", **options, **tags}

    def _allowed_tags(self, user: str) -> list[str]:
        privileged = self.allowed(user, "/", "Sys.Modify")
        access = as_object(self.cluster_options["user-tag-access"]) if "user-tag-access" in self.cluster_options else {}
        mode = access.get("user-allow", "free")
        found: set[str] = set()
        if privileged:
            found.update(split_list(self.cluster_options.get("registered-tags")))
        if mode != "none" or privileged:
            found.update(access.get("user-allow-list", ()))
        if mode in ("free", "existing") or privileged:
            for vmid, guest in self.by_vmid.items():
                if privileged or self.may(user, vmid, "VM.Audit"):
                    found.update(split_list(guest.config.get("tags")))
        return sorted(found)

    async def _options_write(self, v: dict[str, Any], user: str) -> Any:
        if v.get("mac_prefix") and not PREFIX.fullmatch(v["mac_prefix"]):
            problem = "invalid format - value is not a valid unicast MAC address prefix\n"
            raise PveError(400, "Parameter verification failed.", {"mac_prefix": problem})
        self.need_lock(FILE_LOCK)
        for name in split_list(v.get("delete")):
            # A name that there is not is no error.
            self.cluster_options.pop(name, None)
        for name, value in v.items():
            if name == "delete" or value is None:
                continue
            kept = self._as_kept(name, value)
            if kept == "":
                self.cluster_options.pop(name, None)
            else:
                self.cluster_options[name] = kept
        if "migration_unsecure" in self.cluster_options and "migration" not in self.cluster_options:
            # Its old name.
            kind = "insecure" if self.cluster_options.pop("migration_unsecure") else "secure"
            self.cluster_options["migration"] = f"type={kind}"
        return None

    @staticmethod
    def _as_kept(name: str, value: Any) -> Any:
        """A value after it has been in the file: notes are lines of comments, all else is what is left of one line."""
        if name == "description":
            return value and value.rstrip("\n") + "\n"
        if name == "migration_unsecure":
            return value
        return str(value).partition("\n")[0].strip()

    async def _next_vmid(self, v: dict[str, Any], user: str) -> Any:
        if v.get("vmid") not in (None, ""):
            return await super()._next_vmid(v, user)
        wanted = as_object(self.cluster_options["next-id"]) if "next-id" in self.cluster_options else {}
        lower, upper = int(wanted.get("lower", 100)), int(wanted.get("upper", 1_000_000))
        for vmid in range(lower, upper):
            if vmid not in self.by_vmid:
                return str(vmid)
        raise PveError(500, f"unable to get any free VMID in range [{lower}, {upper}]")
