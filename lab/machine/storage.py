# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The image for what storage needs of a kernel: OpenZFS, iSCSI, multipath, LVM, SCSI tapes and changers."""

from __future__ import annotations

import dataclasses

from lab.machine.recipe import NODE

# Compiled in a chroot on the host; compilers and headers would be most of the image, and are needed once.
_ZFS_MODULES = """\
version=$(basename /lib/modules/*)
built=/lib/modules/$version/updates/dkms
ls $built/zfs.ko* >/dev/null 2>&1 || dkms autoinstall -k "$version"
cp -a $built /var/tmp/dkms
# For the packages that want the module from a package (zfs-zed).
mkdir -p /var/tmp/provides/DEBIAN
cat >/var/tmp/provides/DEBIAN/control <<'CONTROL'
Package: lab-zfs-modules
Version: 1
Architecture: all
Maintainer: lab <root@localhost>
Provides: zfs-modules
Description: The modules that were compiled for this image
CONTROL
dpkg-deb --build /var/tmp/provides /var/tmp/provides.deb >/dev/null
dpkg --install /var/tmp/provides.deb >/dev/null
rm -r /var/tmp/provides /var/tmp/provides.deb
apt-get -qq -y purge zfs-dkms dkms linux-headers-amd64
apt-get -qq -y autoremove --purge
mkdir -p $built
mv /var/tmp/dkms/* $built/
rmdir /var/tmp/dkms
depmod "$version"
modinfo -k "$version" zfs >/dev/null
dpkg --status zfs-zed >/dev/null
"""

# Without Open vSwitch nothing has ifupdown2 wait for the network cards' names, and it may come too early for them.
NETWORKING = """\
[Unit]
Wants=systemd-udev-settle.service
After=systemd-udev-settle.service
"""

# The packages of a node's storage, and tgt, with which a machine can be the disk array or the tape library of another.
STORAGE = dataclasses.replace(
    NODE,
    name="storage-node",
    packages=(
        *("linux-image-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "openssh-server", "python3", "sudo"),
        *("ifupdown2", "iproute2", "iputils-ping", "ethtool", "procps", "openssh-client", "python3-apt"),
        *("linux-headers-amd64", "zfs-dkms", "zfsutils-linux", "zfs-zed"),
        *("open-iscsi", "multipath-tools", "lvm2", "tgt", "libiscsi-bin", "mtx", "mt-st", "sg3-utils", "lsscsi"),
        *("gdisk", "parted", "fdisk", "util-linux", "xfsprogs", "dosfstools", "mbuffer"),
    ),
    components=("main", "contrib"),
    files={
        **NODE.files,
        "/etc/modules-load.d/zfs.conf": "zfs\n",
        "/etc/systemd/system/networking.service.d/lab.conf": NETWORKING,
        # What ZFS keeps in memory is never much use to a test, and a test's programs need it more.
        "/etc/modprobe.d/zfs.conf": f"options zfs zfs_arc_max={256 << 20}\n",
    },
    commands=(
        *NODE.commands,
        "systemctl -q mask xfs_scrub_all.timer",
        "systemctl -q disable tgt.service",
        _ZFS_MODULES,
    ),
    individual=(),
    memory=2048,
)
