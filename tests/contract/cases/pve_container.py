# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_container: small containers of the template that is on the node."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract import exercised
from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret, of
from tests.contract.cases.pve_vm import (
    KEY,
    a_pool,
    bridge,
    node,
    other_bridge,
    snippets,
    switched_off,
    target,
    vmid,
    word,
)
from tests.contract.pve_api import Refused, comparable
from tests.contract.system import succeeded

NAME = f"{PREFIX}ct0"


def rootdir(system: Any) -> str:
    return str(system.rootdir)


def template(system: Any) -> str:
    return str(system.template)


def rootfs(**options: Any) -> Item:
    return {"slot": "rootfs", "storage": rootdir, "size": "1G", **options}


BASE: Item = {
    "vmid": vmid(),
    "hostname": NAME,
    "node": node,
    "ostemplate": template,
    "memory": 64,
    "unprivileged": True,
    "disks": [rootfs()],
}
# Some options want root@pam, and a container that is privileged.
PRIVILEGED: Item = {**BASE, "unprivileged": False}


def raw(system: Any, item: Item) -> Any:
    path = f"/nodes/{system.node}/lxc/{item['vmid']}"
    return {
        **comparable(system.api.get(f"{path}/config")),
        "status": system.api.get(f"{path}/status/current")["status"],
    }


def container(*, start: bool = False, **options: Any) -> Any:
    """A container as somebody else made it."""

    def setup(system: Any) -> None:
        given = {name: value(system) if callable(value) else value for name, value in options.items()}
        system.make_guest(0, container=True, **given)
        if start:
            system.api.post(f"/nodes/{system.node}/lxc/{system.vmid(0)}/status/start")

    return setup


def source(system: Any) -> None:
    """A container to clone."""
    system.make_guest(1, container=True)


def source_with_snapshot(system: Any) -> None:
    source(system)
    try:
        system.api.post(f"/nodes/{system.node}/lxc/{system.vmid(1)}/snapshot", snapname="ready")
    except Refused as problem:
        exercised.skipped("pve_container", "snapname", f"storage {system.rootdir} makes no snapshots")
        pytest.skip(str(problem))


def volume(system: Any) -> str:
    return str(system.volume(system.rootdir, 0)[0])


def a_volume(system: Any) -> None:
    """A volume that exists before its container."""
    system.make_volume(system.rootdir, 0)


def mount(slot: str = "mp0", **options: Any) -> Item:
    return {"slot": slot, "storage": rootdir, "size": "1G", "mp": "/srv/hct", **options}


def mount_option(name: str, first: Any, second: Any, **more: Any) -> Option:
    return Option(
        f"disks.{name}", [rootfs(), mount(**{name: first})], [{"slot": "mp0", name: second}], base=BASE, **more
    )


def nic(**options: Any) -> Item:
    return {"slot": "net0", "name": "eth0", "bridge": bridge, **options}


def nic_option(name: str, first: Any, second: Any, **beside: Any) -> Option:
    return Option(f"nics.{name}", [nic(**{**beside, name: first})], [{"slot": "net0", name: second}])


def device_option(name: str, first: Any, second: Any) -> Option:
    path = {} if name == "path" else {"path": "/dev/null"}
    return Option(
        f"devices.{name}",
        [{"slot": "dev0", **path, name: first}],
        [{"slot": "dev0", name: second}],
        root=True,
    )


def with_device(system: Any) -> None:
    """A container with a device of the node; no token may give it one."""
    item = {**of(BASE, system), "devices": [{"slot": "dev0", "path": "/dev/null"}]}
    succeeded(system.run("pve_container", [item], root=True))


CLONE: Item = {"vmid": vmid(), "hostname": NAME, "clone": lambda s: str(s.vmid(1)), "full": True}
OPTIONS = (
    Option("node", node),
    Option("ostemplate", template),
    Option("pool", f"{PREFIX}pool", setup=a_pool),
    Option("clone", lambda s: str(s.vmid(1)), base=CLONE, setup=source),
    Option("full", True, base=CLONE, setup=source),
    Option("snapname", "ready", base=CLONE, setup=source_with_snapshot),
    Option("storage", rootdir, base=CLONE, setup=source),
    Option("bwlimit", 10000),
    Option("ignore_unpack_errors", True),
    Option("ssh_public_keys", f"ssh-ed25519 {KEY}{'A' * 43} one"),
    Option("arch", "amd64", "arm64", root=True),
    Option("cmode", "shell", "console"),
    Option("console", False, True),
    Option("cores", 1, 2),
    Option("cpulimit", 0.5, 1),
    Option("cpuunits", 200, 300),
    Option("debug", True, False),
    Option("description", "Pharmacy\nground floor", "Pharmacy"),
    Option("entrypoint", "/sbin/init --log", "/sbin/init"),
    Option("env", "WARD=icu", "WARD=er"),
    Option("features", {"nesting": True}, {"nesting": False}),
    Option("features", {"nesting": True, "fuse": True}, {"keyctl": True}, base=PRIVILEGED, root=True, label="root"),
    Option(
        "hookscript",
        "local:snippets/hct.pl",
        "local:snippets/hct2.pl",
        setup=snippets,
        root=True,
        lab_only="the API cannot put a script on a storage",
    ),
    Option("hostname", NAME, f"{PREFIX}other", allow=(lambda s: f"rename_guest:{s.vmid(0)}",)),
    Option("memory", 64, 128),
    Option("nameserver", ["192.0.2.1"], ["192.0.2.2", "192.0.2.1"]),
    Option("onboot", True, False),
    Option("ostype", "debian", "unmanaged"),
    Option("protection", True, False),
    Option("searchdomain", ["hospital.example"], ["ward.hospital.example"]),
    Option("startup", {"order": 1, "up": 30}, {"order": 2}),
    Option("swap", 64, 128),
    Option("tags", ["lab", "debian"], ["debian"]),
    Option("template", True, mode="once"),
    Option("timezone", "Europe/Madrid", "host"),
    Option("tty", 1, 3),
    Option("unprivileged", True, False),
    Option(
        "status",
        "running",
        "stopped",
        allow=(lambda s: f"stop_guest:{s.vmid(0)}",),
        planned=lambda s: [f"start container {s.vmid(0)}"],
        drift=switched_off("lxc"),
    ),
    Option(
        "shutdown_timeout",
        5,
        base={"vmid": vmid()},
        beside={"status": "stopped", "force_stop": True},
        setup=container(start=True),
        allow=("stop_guest",),
    ),
    Option(
        "force_stop",
        True,
        base={"vmid": vmid()},
        beside={"status": "stopped", "shutdown_timeout": 5},
        setup=container(start=True),
        allow=("stop_guest",),
    ),
    Option("disks.size", [rootfs(), mount()], [{"slot": "mp0", "size": "2G"}], mode="grows"),
    Option("disks.size", [rootfs()], [{"slot": "rootfs", "size": "2G"}], mode="grows", label="rootfs"),
    Option("disks.storage", [rootfs()], [{"slot": "rootfs", "storage": "elsewhere"}], mode="fixed"),
    Option(
        "disks.volume", [rootfs(), {"slot": "mp0", "volume": volume, "mp": "/srv/hct"}], setup=a_volume, mode="once"
    ),
    mount_option("mp", "/srv/hct", "/srv/other"),
    mount_option("acl", True, False),
    mount_option("backup", True, False),
    mount_option("keepattrs", True, False),
    mount_option("mountoptions", ["noatime"], ["nodev", "noatime"]),
    mount_option("quota", True, False),
    mount_option("replicate", False, True),
    mount_option("ro", True, False),
    mount_option("shared", True, False),
    nic_option("name", "eth0", "eth1"),
    Option("nics.bridge", [nic()], [{"slot": "net0", "bridge": lambda s: s.other_bridge}], setup=other_bridge),
    nic_option("hwaddr", "BC:24:11:00:00:01", "BC:24:11:00:00:02"),
    nic_option("firewall", True, False),
    nic_option("gw", "192.0.2.1", "192.0.2.2", ip="192.0.2.10/24"),
    nic_option("gw6", "2001:db8::1", "2001:db8::2", ip6="2001:db8::10/64"),
    nic_option("host_managed", True, False),
    nic_option("ip", "192.0.2.10/24", "dhcp"),
    nic_option("ip6", "2001:db8::10/64", "auto"),
    nic_option("link_down", True, False),
    nic_option("mtu", 1400, 1300),
    nic_option("rate", 10, 12.5),
    nic_option("tag", 10, 20),
    nic_option("trunks", [10, 20], [30, 10]),
    device_option("path", "/dev/null", "/dev/zero"),
    device_option("deny_write", True, False),
    device_option("gid", 5, 6),
    device_option("mode", "0660", "0600"),
    device_option("uid", 5, 6),
    Option(
        "devices.state",
        [{"slot": "dev0", "state": "absent"}],
        base={"vmid": vmid()},
        setup=with_device,
        mode="once",
        root=True,
    ),
)

CONSENTS = (
    Scenario(
        word("rename_guest"),
        {"config": [{"vmid": vmid(), "hostname": f"{PREFIX}other"}]},
        f"{PREFIX}other",
        setup=container(),
        label="rename_guest",
    ),
    Scenario(
        word("stop_guest"),
        {"config": [{"vmid": vmid(), "status": "stopped", "shutdown_timeout": 5, "force_stop": True}]},
        target,
        setup=container(start=True),
        label="stop_guest",
    ),
    Scenario(
        word("restart_guest"),
        {"config": [{"vmid": vmid(), "tty": 1, "shutdown_timeout": 5, "force_stop": True}]},
        target,
        setup=container(start=True),
        waits=True,
        label="restart_guest",
    ),
    Scenario(
        word("destroy_guest"),
        {"config": [{"vmid": vmid(), "purge": True, "destroy_unreferenced_disks": True}], "state": "absent"},
        target,
        setup=container(),
        exercises=("purge", "destroy_unreferenced_disks"),
        label="destroy_guest",
    ),
    Scenario(
        word("detach_disk"),
        {"config": [{"vmid": vmid(), "disks": [{"slot": "mp0", "state": "detached"}]}]},
        "mp0",
        setup=container(mp0=lambda s: f"{s.rootdir}:1,mp=/srv/hct"),
        exercises=("disks.state",),
        label="detach_disk",
    ),
    Scenario(
        word("destroy_disk", "/mp0"),
        {"config": [{"vmid": vmid(), "disks": [{"slot": "mp0", "state": "absent"}]}]},
        "mp0",
        setup=container(mp0=lambda s: f"{s.rootdir}:1,mp=/srv/hct"),
        exercises=("disks.state",),
        label="destroy_disk",
    ),
    Scenario(
        word("detach_nic"),
        {"config": [{"vmid": vmid(), "nics": [{"slot": "net0", "state": "absent"}]}]},
        "net0",
        setup=container(net0=lambda s: f"name=eth0,bridge={s.bridge}"),
        exercises=("nics.state",),
        label="detach_nic",
    ),
)


def examples(system: Any) -> None:
    """The examples stand on their own."""


CASE = Case(
    module="pve_container",
    subsystem="pve",
    base=BASE,
    options=OPTIONS,
    raw=raw,
    several=[
        {
            **BASE,
            "description": "Kitchen\nbasement",
            "tags": ["kitchen", "debian"],
            "disks": [rootfs(), mount(backup=True)],
            "nics": [nic(ip="192.0.2.10/24", gw="192.0.2.1")],
            "status": lambda s: "stopped" if s.starts_containers else "running",
        },
        {**BASE, "vmid": vmid(1), "hostname": f"{PREFIX}ct1", "cores": 1, "features": {"nesting": True}},
    ],
    changed=[
        {
            "vmid": vmid(),
            "description": "Kitchen",
            "disks": [mount("mp1", mp="/srv/more"), {"slot": "rootfs", "size": "2G"}],
            "nics": [{"slot": "net0", "link_down": True}],
        },
        {"vmid": vmid(1), "cores": 2, "memory": 128},
    ],
    removal=(
        "stop_guest",
        lambda s: f"destroy_guest:{s.vmid(0)}",
        lambda s: f"destroy_guest:{s.vmid(1)}",
    ),
    consents=CONSENTS,
    secrets=(Secret("password", "a pa55word, with % and / in it"),),
    examples=examples,
    info="container",
)
