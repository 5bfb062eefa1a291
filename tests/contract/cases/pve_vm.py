# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_vm: small machines, without an operating system."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract import exercised
from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret, of
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}vm0"
# What every public key of this sort begins with.
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAI"


def vmid(number: int = 0) -> Any:
    return lambda system: system.vmid(number)


def node(system: Any) -> str:
    return str(system.node)


def images(system: Any) -> str:
    return str(system.images)


def bridge(system: Any) -> str:
    return str(system.bridge)


BASE: Item = {"vmid": vmid(), "name": NAME, "node": node, "memory": 64}


def raw(system: Any, item: Item) -> Any:
    path = f"/nodes/{system.node}/qemu/{item['vmid']}"
    config = comparable(system.api.get(f"{path}/config"))
    return {**config, "status": system.api.get(f"{path}/status/current")["status"]}


# --- what must be there


def guest(**options: Any) -> Any:
    """A guest as somebody else made it."""

    def setup(system: Any) -> None:
        system.make_guest(0, **{name: value(system) if callable(value) else value for name, value in options.items()})

    return setup


def running(**options: Any) -> Any:
    """The same, switched on."""

    def setup(system: Any) -> None:
        guest(**options)(system)
        system.api.post(f"/nodes/{system.node}/qemu/{system.vmid(0)}/status/start")

    return setup


def a_disk(system: Any) -> str:
    return f"{system.images}:1"


def template(system: Any) -> None:
    """Something to clone from."""
    source = system.make_guest(1, scsi0=a_disk(system), net0=f"virtio,bridge={system.bridge}")
    system.api.post(f"/nodes/{system.node}/qemu/{source}/template")


def with_snapshot(system: Any) -> None:
    """A guest with a snapshot to clone."""
    source = system.make_guest(1)
    system.api.post(f"/nodes/{system.node}/qemu/{source}/snapshot", snapname="ready")


def a_pool(system: Any) -> None:
    system.api.post("/pools", poolid=f"{PREFIX}pool")


def volume(system: Any) -> str:
    return str(system.volume(system.images, 0)[0])


def a_volume(system: Any) -> None:
    """A volume that exists before its guest."""
    system.make_volume(system.images, 0)


def two_storages(system: Any) -> None:
    """Another storage to move to."""
    if system.images == system.rootdir == "local":
        exercised.skipped("pve_vm", "vmstatestorage", "there is one storage for disks only")
        pytest.skip("there is one storage for disks only")


def switched_off(kind: str) -> Any:
    """Somebody pulls the plug: without an operating system nobody listens to a shutdown."""

    def drift(system: Any, item: Item) -> None:
        system.api.post(f"/nodes/{system.node}/{kind}/{item['vmid']}/status/stop")

    return drift


def other_disk(system: Any) -> None:
    """Another guest's disk, to import."""
    system.make_guest(1, scsi0=a_disk(system))


def imported(system: Any) -> str:
    config = system.api.get(f"/nodes/{system.node}/qemu/{system.vmid(1)}/config")
    return str(config["scsi0"]).partition(",")[0]


def mapped(system: Any) -> None:
    """A directory that guests may mount."""
    system.api.post("/cluster/mapping/dir", id=f"{PREFIX}dir", map=f"node={system.node},path=/tmp")


def other_bridge(system: Any) -> None:
    """Another bridge to move to."""
    if not system.other_bridge:
        exercised.skipped("pve_vm", "nics.bridge", f"node {system.node} has one bridge only")
        pytest.skip(f"node {system.node} has one bridge only")


def snippets(system: Any) -> None:
    """Two scripts on the node's local storage."""

    def put() -> None:
        for name in ("hct.pl", "hct2.pl"):
            volume = {"content": "snippets", "format": "snippet", "size": 100, "ctime": 1767225600}
            system.lab.cluster.storages["local"]["volumes"][f"snippets/{name}"] = volume

    system.lab.call(put)


def unset(wire: str) -> Any:
    """Somebody takes the option away."""

    def drift(system: Any, item: Item) -> None:
        system.api.put(f"/nodes/{system.node}/qemu/{item['vmid']}/config", delete=wire)

    return drift


# --- devices by slot


def disk(slot: str = "scsi0", **options: Any) -> Item:
    return {"slot": slot, "storage": images, "size": "1G", **options}


def disk_option(name: str, first: Any, second: Any, slot: str = "scsi0", **more: Any) -> Option:
    return Option(f"disks.{name}", [disk(slot, **{name: first})], [{"slot": slot, name: second}], **more)


def nic_option(name: str, first: Any, second: Any, **more: Any) -> Option:
    nic = {"slot": "net0", "bridge": bridge, name: first}
    return Option(f"nics.{name}", [nic], [{"slot": "net0", name: second}], **more)


def special(slot: str, name: str, first: Any, second: Any, **more: Any) -> Option:
    """The EFI disk and the TPM state."""
    device = {"slot": slot, "storage": images, name: first}
    return Option(f"disks.{name}", [device], [{"slot": slot, name: second}], beside={"bios": "ovmf"}, **more)


_LIMITS = (
    *(f"bps{way}" for way in ("", "_rd", "_wr")),
    *(f"bps{way}_max_length" for way in ("", "_rd", "_wr")),
    *(f"iops{way}{what}" for way in ("", "_rd", "_wr") for what in ("", "_max", "_max_length")),
    *(f"mbps{way}{what}" for way in ("", "_rd", "_wr") for what in ("", "_max")),
)


def limit(name: str) -> Option:
    """A limit; how long a burst may last means something beside the burst's own limit only."""
    burst = name.replace("_max_length", "_max").replace("bps", "mbps") if name.endswith("_length") else ""
    return Option(
        f"disks.{name}", [disk(**({burst: 50} if burst else {}), **{name: 100})], [{"slot": "scsi0", name: 200}]
    )


DISKS = (
    Option("disks.size", [disk()], [{"slot": "scsi0", "size": "2G"}], mode="grows"),
    Option("disks.storage", [disk()], [{"slot": "scsi0", "storage": "elsewhere"}], mode="fixed"),
    Option("disks.file", [{"slot": "scsi0", "file": volume}], setup=a_volume, mode="once"),
    Option("disks.media", [{"slot": "ide2", "media": "cdrom"}], [disk("ide2", media="disk")], mode="fixed"),
    Option(
        "disks.media",
        [{"slot": "ide2", "media": "cloudinit", "storage": images}],
        [{"slot": "ide2", "media": "cdrom"}],
        mode="fixed",
        label="cloudinit",
    ),
    Option("disks.format", [disk(format="raw")], mode="once"),
    Option(
        "disks.import_from",
        lambda s: [{"slot": "scsi0", "storage": s.images, "import_from": imported(s)}],
        setup=other_disk,
        mode="once",
    ),
    disk_option("aio", "native", "threads"),
    disk_option("backup", False, True),
    disk_option("cache", "writeback", "directsync"),
    disk_option("detect_zeroes", False, True),
    disk_option("discard", "on", "ignore"),
    disk_option("iothread", True, False),
    *(limit(name) for name in _LIMITS),
    disk_option("model", "HCT disk", "HCT other", slot="ide0"),
    disk_option("product", "HCT1", "HCT2"),
    disk_option("queues", 2, 4),
    disk_option("replicate", False, True),
    disk_option("rerror", "stop", "report"),
    disk_option("ro", True, False),
    disk_option("scsiblock", True, False),
    disk_option("serial", "HCT 1", "HCT 2"),
    disk_option("shared", True, False),
    disk_option("snapshot", True, False),
    disk_option("ssd", True, False),
    disk_option("vendor", "HCT", "HCT2"),
    disk_option("werror", "stop", "report"),
    disk_option("wwn", "0x5000c500a0000001", "0x5000c500a0000002"),
    special("efidisk0", "efitype", "4m", "2m", mode="once"),
    special("efidisk0", "ms_cert", "2023", "2011", mode="once"),
    special("efidisk0", "pre_enrolled_keys", True, False, mode="once"),
    special("tpmstate0", "version", "v2.0", "v1.2", mode="once"),
)

NICS = (
    nic_option("model", "virtio", "e1000"),
    Option(
        "nics.bridge",
        [{"slot": "net0", "bridge": bridge}],
        [{"slot": "net0", "bridge": lambda s: s.other_bridge}],
        setup=other_bridge,
    ),
    nic_option("macaddr", "BC:24:11:00:00:01", "BC:24:11:00:00:02"),
    nic_option("firewall", True, False),
    nic_option("link_down", True, False),
    nic_option("mtu", 1400, 1300),
    nic_option("queues", 2, 4),
    nic_option("rate", 10, 12.5),
    nic_option("tag", 10, 20),
    nic_option("trunks", [10, 20], [30, 10]),
)

NUMBERED = (
    *(
        Option(f"hostpci{n}", {"host": f"0000:01:{n:02x}.0"}, {"host": f"0000:02:{n:02x}.0"}, root=True)
        for n in range(16)
    ),
    *(Option(f"ipconfig{n}", f"ip=192.0.2.{n + 1}/24", f"ip=192.0.2.{n + 101}/24,gw=192.0.2.254") for n in range(32)),
    *(Option(f"numa{n}", "cpus=0,memory=64", "cpus=0-1,memory=64") for n in range(8)),
    *(Option(f"parallel{n}", f"/dev/parport{n}", f"/dev/usb/lp{n}", root=True) for n in range(3)),
    *(Option(f"serial{n}", "socket", drift=unset(f"serial{n}")) for n in range(4)),
    *(Option(f"usb{n}", "spice", drift=unset(f"usb{n}")) for n in range(14)),
    Option("usb0", {"host": "1-2", "usb3": True}, {"host": "1-3"}, root=True, label="host"),
    *(
        Option(
            f"virtiofs{n}",
            {"dirid": f"{PREFIX}dir", "cache": "always"},
            {"dirid": f"{PREFIX}dir", "cache": "never"},
            setup=mapped,
            lab_only="it takes a mapped directory of the node",
        )
        for n in range(10)
    ),
)

PLAIN = (
    Option("acpi", False, True),
    Option("affinity", "0-1", "0-3", root=True),
    Option("agent", {"enabled": True}, {"enabled": True, "type": "isa"}),
    Option("allow_ksm", False, True),
    Option("amd_sev", {"type": "std"}, {"type": "es"}, root=True),
    Option("arch", "x86_64", "aarch64", root=True),
    Option("args", "-no-reboot", "-snapshot", root=True),
    Option("audio0", {"device": "intel-hda"}, {"device": "AC97"}),
    Option("autostart", True, False),
    Option("balloon", 32, 48),
    Option("bios", "ovmf", "seabios"),
    Option(
        "boot",
        ["net0", "scsi0"],
        ["scsi0"],
        beside={"disks": [disk()], "nics": [{"slot": "net0", "bridge": bridge}]},
    ),
    Option("bootdisk", "scsi0", "virtio0"),
    Option("cicustom", {"user": "local:snippets/a.yaml"}, {"user": "local:snippets/b.yaml"}),
    Option("citype", "nocloud", "configdrive2"),
    Option("ciupgrade", False, True),
    Option("ciuser", "admin", "root"),
    Option("cores", 2, 3),
    Option("cpu", {"cputype": "x86-64-v2-AES"}, {"cputype": "host", "flags": "+aes"}),
    Option("cpulimit", 1.5, 2),
    Option("cpuunits", 200, 300),
    Option("description", "Radiology\nfirst floor", "Radiology"),
    Option("freeze", True, False),
    Option(
        "hookscript",
        "local:snippets/hct.pl",
        "local:snippets/hct2.pl",
        setup=snippets,
        root=True,
        lab_only="the API cannot put a script on a storage",
    ),
    Option("hotplug", ["network"], ["disk", "network"]),
    Option("hugepages", "2", "1024", root=True),
    Option("intel_tdx", {"type": "tdx", "attestation": True}, {"type": "tdx", "attestation": False}, root=True),
    Option("ivshmem", {"size": 32}, {"size": 64}, root=True),
    Option("keephugepages", True, False, root=True),
    Option("keyboard", "de", "fr"),
    Option("kvm", False, True),
    Option("localtime", True, False),
    Option("machine", {"type": "q35"}, {"type": "pc"}),
    Option("memory", 64, 128),
    Option("migrate_downtime", 0.5, 1),
    Option("migrate_speed", 10, 20),
    Option("name", NAME, f"{PREFIX}other", allow=(lambda s: f"rename_guest:{s.vmid(0)}",)),
    Option("nameserver", ["192.0.2.1"], ["192.0.2.2", "192.0.2.1"]),
    Option("numa", True, False),
    Option("onboot", True, False),
    Option("ostype", "l26", "l24"),
    Option("protection", True, False),
    Option("reboot", False, True),
    Option("rng0", {"source": "/dev/urandom"}, {"source": "/dev/urandom", "max_bytes": 2048}),
    Option("scsihw", "virtio-scsi-single", "pvscsi"),
    Option("searchdomain", ["hospital.example"], ["ward.hospital.example"]),
    Option("shares", 500, 600),
    Option(
        "smbios1", {"uuid": "11111111-2222-3333-4444-555555555555"}, {"uuid": "11111111-2222-3333-4444-666666666666"}
    ),
    Option("sockets", 2, 3),
    Option("spice_enhancements", {"foldersharing": True}, {"videostreaming": "all"}, root=True),
    Option("sshkeys", f"ssh-ed25519 {KEY}{'A' * 43} one", f"ssh-ed25519 {KEY}{'B' * 43} two"),
    Option("startdate", "2026-01-01", "2026-02-02T03:04:05"),
    Option("startup", {"order": 1, "up": 30}, {"order": 2}),
    Option("tablet", False, True),
    Option("tags", ["pacs", "debian"], ["debian"]),
    Option("tdf", True, False),
    Option("template", True, mode="once", beside={"disks": [disk()]}),
    Option("vcpus", 1, 2, beside={"cores": 2}),
    Option("vga", {"type": "qxl"}, {"type": "qxl", "memory": 32}),
    Option("vmgenid", "11111111-2222-3333-4444-555555555555", "11111111-2222-3333-4444-666666666666", root=True),
    Option("vmstatestorage", images, lambda s: s.rootdir if s.rootdir != s.images else "local", setup=two_storages),
    Option("watchdog", {"model": "i6300esb", "action": "reset"}, {"model": "i6300esb", "action": "poweroff"}),
    Option(
        "status",
        "running",
        "stopped",
        allow=(lambda s: f"stop_guest:{s.vmid(0)}",),
        planned=lambda s: [f"start VM {s.vmid(0)}"],
        drift=switched_off("qemu"),
    ),
)

# Not every storage can make linked clones.
CLONE: Item = {"vmid": vmid(), "name": NAME, "clone": lambda s: str(s.vmid(1)), "full": True}
CREATING = (
    Option("node", node),
    Option("pool", f"{PREFIX}pool", setup=a_pool),
    Option("clone", lambda s: str(s.vmid(1)), base=CLONE, setup=template),
    Option("clone", f"{PREFIX}guest1", base=CLONE, setup=template, label="by name"),
    Option("full", True, base=CLONE, setup=template),
    Option("storage", images, base=CLONE, setup=template),
    Option("format", "raw", base=CLONE, setup=template),
    Option("snapname", "ready", base=CLONE, setup=with_snapshot),
    Option("bwlimit", 10000, base=CLONE, setup=template),
    Option(
        "import_working_storage",
        images,
        beside={"disks": lambda s: [{"slot": "scsi0", "storage": s.images, "import_from": imported(s)}]},
        setup=other_disk,
        lab_only="only importing an OVA needs it",
    ),
    Option(
        "shutdown_timeout",
        5,
        base={"vmid": vmid()},
        beside={"status": "stopped", "force_stop": True},
        setup=running(),
        allow=("stop_guest",),
    ),
    Option(
        "force_stop",
        True,
        base={"vmid": vmid()},
        beside={"status": "stopped", "shutdown_timeout": 5},
        setup=running(),
        allow=("stop_guest",),
    ),
)


def word(name: str, more: str = "") -> Any:
    return lambda system: f"{name}:{system.vmid(0)}{more}"


def target(system: Any) -> str:
    return str(system.vmid(0))


CONSENTS = (
    Scenario(
        word("rename_guest"),
        {"config": [{"vmid": vmid(), "name": f"{PREFIX}other"}]},
        f"{PREFIX}other",
        setup=guest(),
        label="rename_guest",
    ),
    Scenario(
        word("stop_guest"),
        {"config": [{"vmid": vmid(), "status": "stopped", "shutdown_timeout": 5, "force_stop": True}]},
        target,
        setup=running(),
        label="stop_guest",
    ),
    Scenario(
        word("restart_guest"),
        {"config": [{"vmid": vmid(), "machine": "q35", "shutdown_timeout": 5, "force_stop": True}]},
        target,
        setup=running(),
        waits=True,
        label="restart_guest",
    ),
    Scenario(
        word("destroy_guest"),
        {"config": [{"vmid": vmid(), "purge": True, "destroy_unreferenced_disks": True}], "state": "absent"},
        target,
        setup=guest(scsi0=a_disk),
        exercises=("purge", "destroy_unreferenced_disks"),
        label="destroy_guest",
    ),
    Scenario(
        word("destroy_guest"),
        {"config": [{"vmid": vmid()}], "state": "absent"},
        target,
        setup=running(),
        beside=("stop_guest",),
        label="destroy_guest[running]",
    ),
    Scenario(
        word("detach_disk"),
        {"config": [{"vmid": vmid(), "disks": [{"slot": "scsi0", "state": "detached"}]}]},
        "scsi0",
        setup=guest(scsi0=a_disk),
        exercises=("disks.state",),
        label="detach_disk",
    ),
    Scenario(
        word("destroy_disk", "/scsi0"),
        {"config": [{"vmid": vmid(), "disks": [{"slot": "scsi0", "state": "absent"}]}]},
        "scsi0",
        setup=guest(scsi0=a_disk),
        exercises=("disks.state",),
        label="destroy_disk",
    ),
    Scenario(
        word("detach_nic"),
        {"config": [{"vmid": vmid(), "nics": [{"slot": "net0", "state": "absent"}]}]},
        "net0",
        setup=guest(net0=lambda s: f"virtio,bridge={s.bridge}"),
        exercises=("nics.state",),
        label="detach_nic",
    ),
)


def examples(system: Any) -> None:
    """The examples stand on their own."""


EFI: Item = {"slot": "efidisk0", "storage": images, "efitype": "4m"}

CASE = Case(
    module="pve_vm",
    subsystem="pve",
    base=BASE,
    options=(*PLAIN, *DISKS, *NICS, *NUMBERED, *CREATING),
    raw=raw,
    several=[
        {
            **BASE,
            "cores": 2,
            "tags": ["pacs", "debian"],
            "agent": {"enabled": True},
            "disks": [disk(discard="on"), disk("scsi1")],
            "nics": [{"slot": "net0", "bridge": bridge, "link_down": True}, {"slot": "net1", "bridge": bridge}],
            "status": lambda s: "stopped" if s.starts_guests else "running",
        },
        {
            **BASE,
            "vmid": vmid(1),
            "name": f"{PREFIX}vm1",
            "bios": "ovmf",
            "machine": {"type": "q35"},
            "description": "Pathology\nsecond floor",
            "disks": lambda s: [*of([] if s.makes_efi_disks else [EFI], s), *of([disk("virtio0")], s)],
        },
    ],
    changed=[
        {
            "vmid": vmid(),
            "description": "changed",
            "disks": [{"slot": "scsi0", "size": "2G"}, {"slot": "scsi2", "storage": images, "size": "1G"}],
            "nics": [{"slot": "net0", "link_down": False}],
        },
        {"vmid": vmid(1), "cores": 4, "reset": ["description"], "disks": [{"slot": "virtio0", "cache": "writeback"}]},
    ],
    removal=(
        "stop_guest",
        lambda s: f"destroy_guest:{s.vmid(0)}",
        lambda s: f"destroy_guest:{s.vmid(1)}",
    ),
    consents=CONSENTS,
    secrets=(Secret("cipassword", "a pa55word, with % and / in it"),),
    examples=examples,
    info="vm",
)
