# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Containers. PVE API: /nodes/{node}/lxc.

Not options of ours: `unusedN` (PVE's own), `lock`, `ha-managed` (pve_ha_resource), `start` (`status`), what belongs to
a restore (`restore`, `unique`, `force`), and what only steers one request (`digest`, `revert`, `delete`).
"""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Lines,
    Ordered,
    Properties,
    Text,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import (
    REMOVAL_FIELDS,
    WORDS,
    GuestKind,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_power import power_fields
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import (
    ContainerCpuUnits,
    Ranged,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.live import container_waits
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.mount_point import MOUNT_POINTS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.nic import CONTAINER_NICS, DEVICES
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.vm import STARTUP

OSTYPES = (
    "debian",
    "devuan",
    "ubuntu",
    "centos",
    "fedora",
    "opensuse",
    "archlinux",
    "alpine",
    "gentoo",
    "nixos",
    "unmanaged",
)
_SWITCHES = ("force_rw_sys", "fuse", "keyctl", "mknod", "nesting")
FEATURES = Properties(
    forms={**{name: Boolean() for name in _SWITCHES}, "mount": Unordered(separators=";", joined_by=";")},
    defaults=dict.fromkeys(_SWITCHES, 0),
)

CREATING: tuple[Field, ...] = (
    text("node", creating=True),
    text("pool", creating=True),
    text("ostemplate", creating=True),
    text("clone", creating=True),
    boolean("full", creating=True),
    text("snapname", creating=True),
    text("storage", creating=True),
    Field("bwlimit", Ranged(least=0), type="float", creating=True),
    boolean("ignore_unpack_errors", wire="-", creating=True),
    text("password", write_only=True, creating=True),
    text("ssh_public_keys", wire="-", creating=True),
)

OPTIONS: tuple[Field, ...] = (
    Field("arch", choices=("amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"), assigned=True),
    Field("cmode", choices=("shell", "console", "tty"), default="tty"),
    boolean("console", default=True),
    Field("cores", Ranged(least=1, most=8192), type="int"),
    Field("cpulimit", Ranged(least=0, most=8192), type="float", default=0),
    Field("cpuunits", ContainerCpuUnits(least=0, most=500000), type="int", default=100),
    boolean("debug", default=False),
    Field("description", Lines()),
    text("entrypoint", default="/sbin/init"),
    text("env"),
    Field("features", FEATURES, type="raw"),
    text("hookscript"),
    Field("hostname", kept=True),
    Field("memory", Ranged(least=16), type="int", default=512, written=True),
    Field("nameserver", Ordered(joined_by=" "), type="list", elements="str"),
    boolean("onboot", default=False),
    Field("ostype", choices=OSTYPES, assigned=True),
    boolean("protection", default=False),
    Field("searchdomain", Ordered(joined_by=" "), type="list", elements="str"),
    Field("startup", STARTUP, type="raw"),
    Field("swap", Ranged(least=0), type="int", default=512),
    Field("tags", Unordered(joined_by=";", element=Text(fold_case=True)), type="list", elements="str"),
    boolean("template", default=False, kept=True),
    text("timezone"),
    Field("tty", Ranged(least=0, most=6), type="int", default=2),
    boolean("unprivileged", default=False, create_only=True),
)

CONTAINER = GuestKind(
    name="container",
    identity=("vmid",),
    words=WORDS,
    guest_type="lxc",
    named_by="hostname",
    families=(MOUNT_POINTS, CONTAINER_NICS, DEVICES),
    waits=container_waits,
    needed=("node", "ostemplate"),
    created_with=("pool", "storage", "bwlimit", "ostemplate", "ignore_unpack_errors", "ssh_public_keys"),
    cloned_with=("full", "storage", "snapname", "pool", "bwlimit"),
    fields=(
        Field("vmid", Ranged(least=100, most=999999999), type="int"),
        *CREATING,
        *OPTIONS,
        MOUNT_POINTS.field(),
        CONTAINER_NICS.field(),
        DEVICES.field(),
        *power_fields("running", "stopped"),
        *REMOVAL_FIELDS,
    ),
)
