# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Storage definitions. PVE API: /storage."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    DELETE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Key,
    Number,
    Properties,
    Text,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kind import Answers, RestKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.precheck import unknown_nodes
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.storage_types import COMMON, TYPES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    KEEP,
    MountPoint,
    boolean,
    check_new_id,
    number,
    properties,
    text,
    unordered,
)

NODES = "/nodes"
STATUS = "/cluster/resources?type=storage"


@dataclass(frozen=True)
class StorageKind(RestKind):
    """A storage's options, defaults and fixed options depend on its type."""

    def check(self, item: Item) -> None:
        if item.options.get("type") in TYPES:
            _check_type(str(item.options["type"]), item.options, item.reset)

    def row_for(self, row: Field, current: Mapping[str, Any]) -> Field:
        kind = TYPES.get(str(current.get("type")))
        if kind is None:
            return row
        if row.name == "content":
            return replace(row, default=kind.content)
        if row.name in kind.fixed:
            return replace(row, create_only=True)
        if row.name in kind.required:
            return replace(row, required=True)
        return row

    def wanted(self, item: Item, current: Mapping[str, Any], declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        if "type" not in item.options and current.get("type") in TYPES:
            _check_type(str(current["type"]), item.options, ())
        return super().wanted(item, current, declared)

    def plan_create(self, item: Item) -> Step:
        check_new_id("storage", item.key[0], dots=True)
        kind = TYPES.get(str(item.options.get("type")))
        lacking = [name for name in kind.required if item.options.get(name) is None] if kind else []
        if lacking:
            raise InvalidInput(
                f"does not exist, and a storage of type {item.options['type']} cannot be created without "
                f"{' and '.join(lacking)}."
            )
        return super().plan_create(item)

    def decode(self, raw: Mapping[str, Any]) -> Thing:
        thing = super().decode(raw)
        kind = TYPES.get(str(raw.get("type")))
        if kind is None or "shared" in kind.options:
            return thing
        # PVE shows that storages on a network are shared, and takes the option from nobody.
        return replace(thing, state={name: value for name, value in thing.state.items() if name != "shared"})

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE:
            return ()
        name = label(step.key)
        loses = f"guests, templates and backups on storage {name} are no longer reachable (their data stays)"
        return (Consent(f"remove_storage:{name}", loses),)

    def precheck_paths(self, plan: Plan, declared: Declaration) -> Sequence[str]:
        return (NODES,) if any("nodes" in step.options for step in plan) else ()

    def problems(self, plan: Plan, declared: Declaration, answers: Answers) -> Sequence[str]:
        return [
            f"{self.described(step.key)}: nodes: {problem}"
            for step in plan
            if step.after and "nodes" in step.options
            for problem in unknown_nodes(step.after.get("nodes"), answers[NODES])
        ]

    def verify_paths(self, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[str]:
        return (STATUS,) if any(not thing.state.get("disable") for thing in things.values()) else ()

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, answers: Answers) -> Sequence[Unmet]:
        result = []
        for row in sorted(answers.get(STATUS) or (), key=lambda row: str(row.get("id"))):
            thing = things.get((row.get("storage"),))
            if thing is None or thing.state.get("disable") or row.get("status") == "available":
                continue
            why = ""
            if thing.state.get("is_mountpoint", "no") != "no":
                why = "; is_mountpoint is set: is the directory mounted there?"
            text = f"storage {row['storage']} is not active on {row.get('node')} ({row.get('status')}){why}"
            result.append(Unmet(text, passing=True))
        return result


def _check_type(name: str, options: Mapping[str, Any], resets: Collection[str]) -> None:
    """Raises InvalidInput for what a storage of this type cannot have."""
    kind = TYPES[name]
    for option in (*options, *resets):
        if option not in kind.options and option not in COMMON:
            others = ", ".join(other for other in sorted(TYPES) if option in TYPES[other].options)
            raise InvalidInput(
                f"{option} is no option of a storage of type {name}.", hint=f"It is one of type {others}. Leave it out."
            )
    for content in options.get("content") or ():
        if content not in kind.contents:
            raise InvalidInput(
                f"content: a storage of type {name} cannot hold {content}.",
                hint=f"It can hold {', '.join(kind.contents)}.",
            )
    form = options.get("format")
    if form is not None and form not in kind.formats:
        raise InvalidInput(
            f"format: a storage of type {name} has no format {form}.", hint=f"It has {', '.join(kind.formats)}."
        )


def _fixed(name: str, **more: Any) -> Field:
    """POST takes it, PUT does not."""
    return text(name, create_only=True, **more)


def _secret(name: str, **more: Any) -> Field:
    return text(name, write_only=True, **more)


_LIMITS = ("clone", "default", "migration", "move", "restore")
_CONTENT_DIRS = ("backup", "images", "import", "iso", "rootdir", "snippets", "vztmpl")

# `authsupported` is in the API's schema, but no type takes it.
STORAGE = StorageKind(
    name="storage",
    identity=("storage",),
    collection="/storage",
    item="/storage/{storage}",
    seen_at="/storage/{storage}",
    seen_with=("Datastore.Audit", "Datastore.AllocateSpace"),
    words=("remove_storage",),
    fields=(
        text("storage"),
        Field("type", choices=tuple(sorted(TYPES)), create_only=True, required=True),
        unordered("content"),
        unordered("nodes"),
        boolean("disable", default=False),
        boolean("shared", default=False),
        # Where it is.
        _fixed("path"),
        Field("is_mountpoint", MountPoint(), default="no"),
        boolean("mkdir", default=True),
        boolean("create_base_path", wire="-", default=True),
        boolean("create_subdirs", wire="-", default=True),
        properties("content_dirs", Properties(keys=_CONTENT_DIRS), wire="-"),
        text("server"),
        number("port"),
        _fixed("export"),
        _fixed("share"),
        text("subdir"),
        text("options"),
        Field("smbversion", choices=("default", "2.0", "2.1", "3", "3.0", "3.11"), default="default"),
        _fixed("portal"),
        _fixed("target"),
        _fixed("iscsiprovider"),
        text("comstar_hg"),
        text("comstar_tg"),
        text("lio_tpg"),
        boolean("nowritecache", default=False),
        # PVE fills these two in when the storage is created.
        text("zfs_base_path", wire="-", kept=True),
        text("mountpoint", kept=True),
        _fixed("vgname"),
        _fixed("thinpool"),
        _fixed("base"),
        boolean("tagged_only", default=False),
        boolean("saferemove", default=False),
        text("saferemove_throughput"),
        Field(
            "saferemove_stepsize",
            Number(),
            type="int",
            choices=(1, 2, 4, 8, 16, 32),
            default=32,
            wire="saferemove-stepsize",
        ),
        text("pool"),
        text("blocksize"),
        boolean("sparse", default=False),
        unordered("monhost"),
        text("data_pool", wire="-"),
        text("fs_name", wire="-"),
        text("namespace"),
        boolean("krbd", default=False),
        boolean("fuse", default=False),
        _fixed("datastore"),
        Field("fingerprint", Text(fold_case=True)),
        boolean("skip_cert_verification", wire="-", default=False),
        # Who we are there.
        text("username"),
        text("domain"),
        _secret("password"),
        _secret("keyring"),
        _secret("encryption_key", wire="-"),
        _secret("master_pubkey", wire="-"),
        # How images and backups are kept.
        Field("format", choices=("raw", "qcow2", "subvol", "vmdk")),
        Field("preallocation", choices=("off", "metadata", "falloc", "full"), default="metadata"),
        boolean("snapshot_as_volume_chain", wire="-", default=False),
        boolean("nocow", default=False),
        properties("prune_backups", KEEP, wire="-"),
        number("max_protected_backups", wire="-"),
        properties("bwlimit", Properties(forms={name: Number() for name in _LIMITS}, keys=_LIMITS)),
    ),
)
