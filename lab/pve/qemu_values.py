# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""QEMU options: how a value that was sent is kept, and which privilege it needs. Nothing here has state."""

from __future__ import annotations

import base64
import re
import secrets
import uuid
from typing import Any
from urllib.parse import unquote

from fakepve.model import PveError

from lab.pve.volumes import format_size, parse_size

FAILED = "Parameter verification failed."
DRIVE = re.compile(r"^(ide[0-3]|sata[0-5]|scsi(?:[0-9]|[12][0-9]|30)|virtio(?:[0-9]|1[0-5])|efidisk0|tpmstate0)$")
NET = re.compile(r"^net\d+$")
UNUSED = re.compile(r"^unused\d+$")
NEW_DISK = re.compile(r"^(?:([^/:\s]+):)?(\d+(?:\.\d+)?)$")
BOOTABLE = re.compile(r"^(ide|sata|scsi|virtio|net|usb|hostpci)\d+$")
MODELS = (
    "e1000", "e1000-82540em", "e1000-82544gc", "e1000-82545em", "e1000e", "i82551", "i82557b", "i82559er",
    "ne2k_isa", "ne2k_pci", "pcnet", "rtl8139", "virtio", "vmxnet3",
)  # fmt: skip
# Fixed sizes in bytes, whatever was asked for.
TPM_SIZE = 4 * 1024**2
EFI_SIZE = {"4m": 528 * 1024, "2m": 128 * 1024}
CLOUDINIT_SIZE = 4 * 1024**2
# Options a running guest takes at once.
LIVE = (
    "lock", "name", "onboot", "shares", "startup", "description", "protection", "vmstatestorage", "hookscript",
    "tags", "balloon", "cpuunits", "cpulimit", "hotplug", "tablet", "migrate_downtime", "migrate_speed",
    # cloud-init's: kept at once, written to the drive at the next start
    "cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys",
    *(f"ipconfig{number}" for number in range(32)),
)  # fmt: skip
# What a plugged drive has been started with.
DRIVE_FIXED = ("aio", "cache", "discard", "iothread", "product", "queues", "ro", "ssd", "vendor")
WINDOWS = re.compile(r"^(win\d+|w2k\d*|wxp|wvista|w2k8)$")
PINNED_MACHINE = "10.1"

CPU_MODELS = {
    "486", "pentium", "pentium2", "pentium3", "coreduo", "core2duo", "phenom", "athlon", "host", "max", "kvm32",
    "kvm64", "qemu32", "qemu64", "Conroe", "Penryn", "Opteron_G1", "Opteron_G2", "Opteron_G3", "Opteron_G4",
    "Opteron_G5", "EPYC", "EPYC-IBPB", "EPYC-v3", "EPYC-v4", "EPYC-Rome", "EPYC-Rome-v2", "EPYC-Rome-v3",
    "EPYC-Rome-v4", "EPYC-Milan", "EPYC-Milan-v2", "EPYC-Genoa", "KnightsMill", "GraniteRapids", "SierraForest",
    "x86-64-v2", "x86-64-v2-AES", "x86-64-v3", "x86-64-v4",
}  # fmt: skip
INTEL_MODELS = re.compile(
    r"^(Nehalem|Westmere|SandyBridge|IvyBridge|Haswell|Broadwell|Skylake|Cascadelake|Cooperlake|Icelake|SapphireRapids)"
    r"(-(Client|Server))?(-(IBRS|noTSX|noTSX-IBRS|v\d))?$"
)

CPU = ("cores", "cpu", "cpulimit", "cpuunits", "numa", "smp", "sockets", "vcpus", "affinity")
MEMORY = ("memory", "balloon", "shares", "allow-ksm")
OPTIONS = (
    "agent", "autostart", "bios", "description", "keyboard", "localtime", "migrate_downtime", "migrate_speed", "name",
    "onboot", "ostype", "protection", "reboot", "startdate", "startup", "tdf", "template", "tags",
)  # fmt: skip
CLOUDINIT = ("cicustom", "cipassword", "citype", "ciupgrade", "ciuser", "nameserver", "searchdomain", "sshkeys")
ROOT_ONLY = (
    "affinity", "amd-sev", "arch", "args", "hookscript", "hugepages", "intel-tdx", "ivshmem", "keephugepages", "lock",
    "spice_enhancements", "vmgenid",
)  # fmt: skip
ANY_CONFIG = (
    "VM.Config.Disk", "VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.HWType",
    "VM.Config.Options", "VM.Config.Cloudinit",
)  # fmt: skip


def changes_in_place(old: str, new: str) -> bool:
    """Whether a running machine takes the drive's change: the same volume, and nothing it has been started with."""
    (volume, before), (other, after) = split_drive(old), split_drive(new)
    return volume == other and all(before.get(name) == after.get(name) for name in DRIVE_FIXED)


def bad(**errors: str) -> PveError:
    """PVE's 400 with a message a parameter."""
    return PveError(400, FAILED, errors)


def natural(key: str) -> tuple[str, int]:
    """scsi2 before scsi10."""
    found = re.fullmatch(r"(\D+)(\d+)", key)
    return (found.group(1), int(found.group(2))) if found else (key, 0)


def random_mac() -> str:
    return "BC:24:11:" + ":".join(f"{b:02X}" for b in secrets.token_bytes(3))


# ------------------------------------------------------------------- drives


def split_drive(text: str) -> tuple[str, dict[str, str]]:
    """(volume, options) of a drive."""
    volume, options = "", {}
    for part in str(text).split(","):
        key, equals, value = part.partition("=")
        if equals and key != "file":
            options[key] = value
        elif part:
            volume = value if equals else part
    return volume, options


def join_drive(volume: str, options: dict[str, str]) -> str:
    """The volume first, then the options by name."""
    return ",".join([volume, *(f"{key}={options[key]}" for key in sorted(options))])


def is_cdrom(text: str) -> bool:
    volume, options = split_drive(text)
    return options.get("media") == "cdrom" or volume == "cdrom"


def is_cloudinit(text: str) -> bool:
    volume = split_drive(text)[0]
    return volume.endswith(":cloudinit") or bool(re.search(r"vm-\d+-cloudinit(\.\w+)?$", volume))


def check_drive(key: str, text: str) -> None:
    """What parse_drive refuses beyond the schema."""
    _volume, options = split_drive(text)
    wrong = bad(**{key: "unable to parse drive options"})
    if key.startswith("virtio") and options.get("media"):
        raise wrong
    for kind in ("bps", "iops"):
        for way in ("", "_rd", "_wr"):
            limit = ("mbps" if kind == "bps" else "iops") + way + "_max"
            lasting = f"{kind}{way}_length" in options or f"{kind}{way}_max_length" in options
            if lasting and limit not in options:
                raise wrong
    if options.get("import-from") and not re.fullmatch(r"[^/:\s]+:0", _volume):
        raise bad(**{key: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>"})


def check_cpu(text: str) -> None:
    """The model must be one of QEMU's, or a custom one that was defined; the lab defines none."""
    model = next((p.removeprefix("cputype=") for p in text.split(",") if "=" not in p or p.startswith("cputype=")), "")
    if model.startswith("custom-"):
        raise bad(cpu=f"invalid format - Custom cputype '{model[7:]}' not found\n")
    if model and model not in CPU_MODELS and not INTEL_MODELS.match(model):
        raise bad(cpu=f"invalid format - Built-in cputype '{model}' is not defined (missing 'custom-' prefix?)\n")


# --------------------------------------------------------------------- nics


def net_value(text: str, fresh_mac: bool = False) -> str:
    """model=MAC first, then the options by name; a MAC is made where none was given."""
    model = mac = None
    options = {}
    for part in str(text).split(","):
        key, _sep, value = part.partition("=")
        if key in MODELS:
            model, mac = key, value or None
        elif key == "model":
            model = value
        elif key == "macaddr":
            mac = value
        elif part:
            options[key] = value
    if fresh_mac or not mac:
        mac = random_mac()
    return ",".join([f"{model}={mac}", *(f"{key}={options[key]}" for key in sorted(options))])


def replugs(old: str, new: str) -> bool:
    """True if the NIC has to be taken out and put in again: another model, MAC or number of queues."""

    def hardware(text: str) -> tuple[str, str]:
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        return text.split(",", 1)[0], parts.get("queues", "")

    return hardware(old) != hardware(new)


# ------------------------------------------------------------------ the rest


def tags_value(text: str) -> str:
    """Sorted, in lower case, each once; none reads as one blank."""
    items = sorted({item.lower() for item in re.split(r"[;,\s]+", str(text)) if item})
    return ";".join(items) or " "


def kept(key: str, value: Any, update: bool) -> Any:
    """The value as the configuration keeps it; None if it is not kept."""
    if key == "description":
        return str(value).rstrip() or None
    if key == "tags":
        return tags_value(value) if update else value
    if key == "vmgenid" and str(value) == "1":
        return str(uuid.uuid4())
    if NET.match(key):
        return net_value(value)
    return value


def valid_ssh_key(line: str) -> bool:
    """What ssh-keygen accepts: the parts of the key add up and the type is the one named."""
    parts = line.split()
    if len(parts) < 2:
        return False
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except ValueError:
        return False
    fields, position = [], 0
    while position + 4 <= len(blob):
        length = int.from_bytes(blob[position : position + 4], "big")
        fields.append(blob[position + 4 : position + 4 + length])
        if len(fields[-1]) != length:
            return False
        position += 4 + length
    if position != len(blob) or len(fields) < 2 or fields[0] != parts[0].encode():
        return False
    return parts[0] != "ssh-ed25519" or len(fields[1]) == 32


def check_ssh_keys(text: str, encoded: bool) -> None:
    lines = [line for line in (unquote(text) if encoded else text).splitlines() if line.strip()]
    if not all(valid_ssh_key(line) for line in lines):
        raise PveError(500, "SSH public key validation error")


def pinned_machine(machine: str | None) -> str | None:
    """Windows guests are bound to a machine version when they are made; None if nothing changes."""
    kind, _sep, rest = str(machine or "pc").partition(",")
    kind = kind.removeprefix("type=")
    name = {"pc": "pc-i440fx", "q35": "pc-q35"}.get(kind)
    if name is None:
        return None
    return f"{name}-{PINNED_MACHINE}" + ("," + rest if rest else "")


def boot_order(config: dict[str, Any]) -> str:
    """The default: first disk, first CD drive, first NIC; one blank if there is none of them."""
    found: dict[bool, str] = {}
    for prefix in ("ide", "sata", "scsi", "virtio"):
        for key in sorted((k for k in config if re.fullmatch(prefix + r"\d+", k)), key=natural):
            found.setdefault(is_cdrom(str(config[key])), key)
    order = [found[cdrom] for cdrom in (False, True) if cdrom in found]
    order += sorted((k for k in config if NET.match(k)), key=natural)[:1]
    return "order=" + ";".join(order) if order else " "


def order_of(config: dict[str, Any]) -> list[str]:
    """The devices of boot=order=…"""
    boot = str(config.get("boot") or "")
    return [k for k in boot.removeprefix("order=").split(";") if k] if boot.startswith("order=") else []


def privileges(key: str, value: Any) -> tuple[str, ...]:
    """The privileges, one of which setting the option needs."""
    if key == "boot" or key in ("bootdisk", "vmstatestorage") or UNUSED.match(key):
        return ("VM.Config.Disk",)
    if DRIVE.match(key) or key == "cdrom":
        return ("VM.Config.CDROM",) if key == "cdrom" or is_cdrom(str(value)) else ("VM.Config.Disk",)
    if NET.match(key):
        return ("VM.Config.Network",)
    if key in CLOUDINIT or re.fullmatch(r"ipconfig\d+", key):
        return ("VM.Config.Cloudinit", "VM.Config.Network")
    if key in CPU:
        return ("VM.Config.CPU",)
    if key in MEMORY:
        return ("VM.Config.Memory",)
    if key in OPTIONS:
        return ("VM.Config.Options",)
    return ("VM.Config.HWType",)


def refused_to_tokens(key: str, value: Any) -> str | None:
    """Why only the root@pam login may set this; None if others may."""
    text = str(value)
    if key in ROOT_ONLY or re.fullmatch(r"parallel\d+", key):
        return f"only root can set '{key}' config"
    if re.fullmatch(r"hostpci\d+", key) and "mapping=" not in text:
        return f"only root can set '{key}' config for non-mapped devices"
    if re.fullmatch(r"serial\d+", key) and text != "socket":
        return f"only root can modify '{key}' config for real devices"
    if re.fullmatch(r"usb\d+", key) and "mapping=" not in text and not re.match(r"^(host=)?spice\b", text):
        return f"only root can set '{key}' config for real devices"
    return None


def efi_size(options: dict[str, str]) -> int:
    return EFI_SIZE["4m" if options.get("efitype") == "4m" else "2m"]


def size_text(size: int) -> str:
    return format_size(size)


def grown(current: int, text: str) -> int:
    """The size in bytes that '+1G' or '8G' asks for."""
    asked = parse_size(text.lstrip("+")) or 0
    return current + asked if text.startswith("+") else asked
