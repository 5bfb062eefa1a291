# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What a machine's image is made of. Whatever changes here changes its key, and the next start builds it anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

# Drivers of hardware that QEMU does not show, documentation, translations: a third of what would have to be unpacked.
_LEFT_OUT = (
    *("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*"),
    *(
        f"*/lib/modules/*/kernel/{tree}/*"
        for tree in (
            "sound",
            *(
                f"drivers/{kind}"
                for kind in (
                    *("accel", "bluetooth", "comedi", "firewire", "gpu", "hid", "hwmon", "iio", "infiniband", "input"),
                    *("isdn", "media", "mtd", "net/ethernet", "net/wireless", "platform", "staging", "usb"),
                )
            ),
        )
    ),
)

# A network card's name follows from its address, which says its number: see nic.py.
_UDEV_NAMES = """\
SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="52:54:00:*:00:00", NAME="mgmt0"
""" + "".join(
    f'SUBSYSTEM=="net", ACTION=="add", ATTR{{address}}=="52:54:00:*:*:{number:02x}", NAME="eno{number}"\n'
    for number in range(1, 17)
)

# QEMU's user-mode network gives this address to the first guest, and forwards its port 22 from the host's loopback.
MANAGEMENT_ADDRESS = "10.0.2.15"
_INTERFACES = f"""\
auto lo
iface lo inet loopback

auto mgmt0
iface mgmt0 inet static
    address {MANAGEMENT_ADDRESS}/24
    gateway 10.0.2.2

source /etc/network/interfaces.d/*
"""

_SSHD = """\
PermitRootLogin prohibit-password
UseDNS no
HostKey /etc/ssh/ssh_host_ed25519_key
MaxSessions 100
"""


@dataclass(frozen=True)
class Recipe:
    """name: of the cached image's folder. files: path in the machine -> text. commands: shell lines run in the finished
    tree, in a chroot on the host, which is far quicker than the emulated machine (so: where a DKMS module is built).
    individual: services that draw their own random numbers, for example a switch's addresses. They are stopped when the
    state of a booted machine is saved, and started in every machine that wakes from it, or all would draw the same.
    disk: size of the root disk, which costs only what is written. memory: MiB."""

    name: str
    packages: tuple[str, ...]
    suite: str = "trixie"
    components: tuple[str, ...] = ("main",)
    files: Mapping[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    individual: tuple[str, ...] = ()
    left_out: tuple[str, ...] = _LEFT_OUT
    disk: str = "4G"
    memory: int = 1024

    def also(self, name: str, *packages: str, **changes: object) -> Recipe:
        """This recipe with more packages, and fields changed, under a name of its own."""
        return dataclasses.replace(self, name=name, packages=(*self.packages, *packages), **changes)  # type: ignore[arg-type]


# A node of a hospital's cluster, as far as its network goes. openvswitch-ipsec 3.5 drives strongSwan by the program
# `ipsec`: strongswan-starter has it, the charon-systemd that Debian's strongswan prefers does not.
NODE = Recipe(
    name="node",
    packages=(
        *("linux-image-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "openssh-server", "python3", "sudo"),
        *("openvswitch-switch", "openvswitch-ipsec", "strongswan-charon", "strongswan-starter", "ifupdown2"),
        *("iproute2", "iputils-ping", "ethtool", "nftables", "tcpdump", "procps"),
    ),
    files={
        "/etc/hostname": "machine\n",
        "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 machine\n",
        "/etc/fstab": "/dev/vda / ext4 noatime 0 1\n",
        "/etc/network/interfaces": _INTERFACES,
        "/etc/udev/rules.d/70-lab-network.rules": _UDEV_NAMES,
        "/etc/ssh/sshd_config.d/lab.conf": _SSHD,
    },
    commands=(
        "mkdir -p /etc/network/interfaces.d",
        "systemctl -q mask apt-daily.timer apt-daily-upgrade.timer fstrim.timer dpkg-db-backup.timer",
        "systemctl -q mask getty@tty1.service",
    ),
    individual=("ovs-vswitchd",),
)
