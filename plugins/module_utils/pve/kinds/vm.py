# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Virtual machines. PVE API: /nodes/{node}/qemu.

Not options of ours: `smp` (`sockets`), `cdrom` (`disks` ide2), `unusedN` (PVE's own), `lock`, `ha-managed`
(pve_ha_resource), `start` (`status`), what belongs to a restore (`archive`, `live-restore`, `unique`, `force`), and
what only steers one request (`digest`, `skiplock`, `revert`, `delete`, `background_delay`).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Lines,
    Number,
    Ordered,
    Properties,
    Text,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.disk import DISKS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest import (
    REMOVAL_FIELDS,
    WORDS,
    GuestKind,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_power import power_fields
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.guest_values import (
    Boot,
    Device,
    Hotplug,
    Memory,
    Ranged,
    SshKeys,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.live import vm_waits
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.nic import VM_NICS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import boolean, text

OSTYPES = (
    "other",
    "wxp",
    "w2k",
    "w2k3",
    "w2k8",
    "wvista",
    "win7",
    "win8",
    "win10",
    "win11",
    "l24",
    "l26",
    "solaris",
)
KEYBOARDS = (
    "de",
    "de-ch",
    "da",
    "en-gb",
    "en-us",
    "es",
    "fi",
    "fr",
    "fr-be",
    "fr-ca",
    "fr-ch",
    "hu",
    "is",
    "it",
    "ja",
    "lt",
    "mk",
    "nl",
    "no",
    "pl",
    "pt",
    "pt-br",
    "sv",
    "sl",
    "tr",
)

_BOOLEAN, _NUMBER = Boolean(), Number()
AGENT = Properties(
    default_key="enabled",
    # `freeze-fs-on-backup` is the spelling that every release of PVE 9 accepts.
    aliases={"freeze-fs": "freeze-fs-on-backup", "guest-fsfreeze": "freeze-fs-on-backup"},
    forms={"enabled": _BOOLEAN, "freeze-fs-on-backup": _BOOLEAN, "fstrim_cloned_disks": _BOOLEAN},
    defaults={"enabled": 0, "freeze-fs-on-backup": 1, "fstrim_cloned_disks": 0, "type": "virtio"},
)
CPU = Properties(
    default_key="cputype",
    forms={
        "flags": Unordered(separators=";", joined_by=";"),
        "hidden": _BOOLEAN,
        "guest-phys-bits": _NUMBER,
    },
    defaults={"cputype": "kvm64", "hidden": 0},
)
HOSTPCI = Properties(
    default_key="host",
    forms={"legacy-igd": _BOOLEAN, "pcie": _BOOLEAN, "rombar": _BOOLEAN, "x-vga": _BOOLEAN},
    defaults={"driver": "vfio", "legacy-igd": 0, "pcie": 0, "rombar": 1, "x-vga": 0},
)
MACHINE = Properties(
    default_key="type",
    forms={"aw-bits": _NUMBER, "enable-s3": _BOOLEAN, "enable-s4": _BOOLEAN},
    defaults={"type": "pc"},
)
SEV = Properties(
    default_key="type",
    forms={"allow-smt": _BOOLEAN, "kernel-hashes": _BOOLEAN, "no-debug": _BOOLEAN, "no-key-sharing": _BOOLEAN},
    defaults={"allow-smt": 1, "kernel-hashes": 0, "no-debug": 0, "no-key-sharing": 0},
)
TDX = Properties(
    default_key="type",
    forms={"attestation": _BOOLEAN, "vsock-cid": _NUMBER, "vsock-port": _NUMBER},
    defaults={"vsock-cid": 2, "vsock-port": 4050},
)
SMBIOS = Properties(forms={"base64": _BOOLEAN, "uuid": Text(fold_case=True)}, defaults={"base64": 0})
SPICE = Properties(forms={"foldersharing": _BOOLEAN}, defaults={"foldersharing": 0, "videostreaming": "off"})
STARTUP = Properties(default_key="order", forms={"up": _NUMBER, "down": _NUMBER})
VIRTIOFS = Properties(
    default_key="dirid",
    forms={"direct-io": _BOOLEAN, "expose-acl": _BOOLEAN, "expose-xattr": _BOOLEAN},
    defaults={"cache": "auto", "direct-io": 0, "expose-acl": 0, "expose-xattr": 0},
)


def properties(name: str, form: Any, **more: Any) -> Field:
    """A property string; also written as a mapping."""
    return Field(name, form, type="raw", **more)


FAMILIES: tuple[tuple[str, int, Any, str], ...] = (
    ("hostpci", 16, HOSTPCI, "raw"),
    ("ipconfig", 32, Properties(), "raw"),
    ("numa", 8, Properties(forms={"memory": _NUMBER}), "raw"),
    ("parallel", 3, Text(), "str"),
    ("serial", 4, Text(), "str"),
    ("usb", 14, Properties(default_key="host", forms={"usb3": _BOOLEAN}, defaults={"usb3": 0}), "raw"),
    ("virtiofs", 10, VIRTIOFS, "raw"),
)


def numbered() -> tuple[Field, ...]:
    """hostpci0 to hostpci15 and the like."""
    return tuple(
        Field(f"{name}{number}", form, type=ansible)
        for name, count, form, ansible in FAMILIES
        for number in range(count)
    )


CREATING: tuple[Field, ...] = (
    text("node", creating=True),
    text("pool", creating=True),
    text("clone", creating=True),
    boolean("full", creating=True),
    text("snapname", creating=True),
    text("storage", creating=True),
    Field("format", choices=("raw", "qcow2", "vmdk"), creating=True),
    text("import_working_storage", wire="-", creating=True),
    Field("bwlimit", Ranged(least=0), type="int", creating=True),
)

OPTIONS: tuple[Field, ...] = (
    boolean("acpi", default=True),
    text("affinity"),
    properties("agent", AGENT),
    boolean("allow_ksm", wire="-", default=True),
    properties("amd_sev", SEV, wire="amd-sev"),
    Field("arch", choices=("x86_64", "aarch64")),
    text("args"),
    properties("audio0", Properties(defaults={"driver": "spice"})),
    boolean("autostart", default=False),
    Field("balloon", Ranged(least=0), type="int"),
    Field("bios", choices=("seabios", "ovmf"), default="seabios"),
    Field("boot", Boot(), type="list", elements="str", kept=True),
    text("bootdisk"),
    properties("cicustom", Properties()),
    text("cipassword", write_only=True),
    Field("citype", choices=("configdrive2", "nocloud", "opennebula")),
    boolean("ciupgrade", default=True),
    text("ciuser"),
    Field("cores", Ranged(least=1), type="int", default=1),
    properties("cpu", CPU),
    Field("cpulimit", Ranged(least=0, most=128), type="float", default=0),
    Field("cpuunits", Ranged(least=1, most=262144), type="int", default=100),
    Field("description", Lines()),
    boolean("freeze", default=False),
    text("hookscript"),
    Field("hotplug", Hotplug(), type="list", elements="str", default="1"),
    Field("hugepages", choices=("any", "2", "1024")),
    properties("intel_tdx", TDX, wire="intel-tdx"),
    properties("ivshmem", Properties(forms={"size": _NUMBER})),
    boolean("keephugepages", default=False),
    Field("keyboard", choices=KEYBOARDS),
    boolean("kvm", default=True),
    boolean("localtime"),
    properties("machine", MACHINE, kept=True),
    Field("memory", Memory(), type="int", default=512),
    Field("migrate_downtime", Ranged(least=0), type="float", default=0.1),
    Field("migrate_speed", Ranged(least=0), type="int", default=0),
    Field("name", kept=True),
    Field("nameserver", Ordered(joined_by=" "), type="list", elements="str"),
    boolean("numa", default=False),
    boolean("onboot", default=False),
    Field("ostype", choices=OSTYPES, default="other"),
    boolean("protection", default=False),
    boolean("reboot", default=True),
    properties(
        "rng0",
        Properties(
            default_key="source",
            forms={"max_bytes": _NUMBER, "period": _NUMBER},
            defaults={"max_bytes": 1024, "period": 1000},
        ),
    ),
    Field(
        "scsihw",
        choices=("lsi", "lsi53c810", "virtio-scsi-pci", "virtio-scsi-single", "megasas", "pvscsi"),
        default="lsi",
    ),
    Field("searchdomain", Ordered(joined_by=" "), type="list", elements="str"),
    Field("shares", Ranged(least=0, most=50000), type="int", default=1000),
    properties("smbios1", SMBIOS, assigned=True),
    Field("sockets", Ranged(least=1), type="int", default=1),
    properties("spice_enhancements", SPICE),
    Field("sshkeys", SshKeys()),
    text("startdate", default="now"),
    properties("startup", STARTUP),
    boolean("tablet", default=True),
    Field("tags", Unordered(joined_by=";", element=Text(fold_case=True)), type="list", elements="str"),
    boolean("tdf", default=False),
    boolean("template", default=False, kept=True),
    Field("vcpus", Ranged(least=1), type="int"),
    properties("vga", Properties(default_key="type", forms={"memory": _NUMBER}, defaults={"type": "std"})),
    Field("vmgenid", Text(fold_case=True), assigned=True),
    text("vmstatestorage"),
    properties("watchdog", Device(default_key="model", defaults={"model": "i6300esb"})),
    *numbered(),
)

VM = GuestKind(
    name="VM",
    identity=("vmid",),
    words=WORDS,
    guest_type="qemu",
    named_by="name",
    families=(DISKS, VM_NICS),
    waits=vm_waits,
    created_with=("pool", "storage", "bwlimit", "import_working_storage"),
    cloned_with=("full", "storage", "format", "snapname", "pool", "bwlimit"),
    fields=(
        Field("vmid", Ranged(least=100, most=999999999), type="int"),
        *CREATING,
        *OPTIONS,
        DISKS.field(),
        VM_NICS.field(),
        *power_fields("running", "stopped", "paused"),
        *REMOVAL_FIELDS,
    ),
)
