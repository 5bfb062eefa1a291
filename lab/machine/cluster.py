# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The image for nodes of a Pacemaker cluster and its witness, where a real kernel's watchdog is needed."""

from __future__ import annotations

import dataclasses

from lab.machine.recipe import NODE
from lab.machine.storage import NETWORKING

CLUSTER = dataclasses.replace(
    NODE,
    name="cluster-node",
    packages=(
        *("linux-image-amd64", "initramfs-tools", "systemd-sysv", "udev", "dbus", "openssh-server", "python3", "sudo"),
        *("ifupdown2", "iproute2", "iputils-ping", "iputils-arping", "ethtool", "procps", "kmod"),
        *("corosync", "corosync-qdevice", "corosync-qnetd", "pacemaker", "pacemaker-cli-utils", "resource-agents"),
        *("fence-agents-common", "sbd"),
    ),
    files={**NODE.files, "/etc/systemd/system/networking.service.d/lab.conf": NETWORKING},
    commands=(
        *NODE.commands,
        # What starts by itself would start without its configuration, so the role enables it.
        "systemctl -q disable corosync corosync-qdevice corosync-qnetd pacemaker sbd",
    ),
    individual=(),
)
