# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Systemd hosts in containers, wired port by port, with a real Open vSwitch in them.

    with Hosts("node1", "switch") as hosts:
        link = hosts.link("node1", "eno1", "switch", "swp1")
        hosts["node1"].run("ovs-vsctl", "show")
        link.pull()             # both ends lose their carrier; link.plug()
        link.silence()          # frames are lost and the carrier stays; link.heal()
        hosts["node1"].reset()  # power lost and back

It needs root, podman, runc, mmdebstrap, iproute2, nftables and ethtool, and no kernel module: Open vSwitch works with
its userspace datapath (`datapath_type=netdev`). `why_not()` says what is missing. `python -m lab.hosts` starts a small
set.
"""

from __future__ import annotations

from lab.hosts.group import Hosts, wait_until
from lab.hosts.host import Failed, Host
from lab.hosts.lan import Lan
from lab.hosts.links import Link
from lab.hosts.podman import why_not
from lab.hosts.switch import Switch
from lab.hosts.traffic import Pings, Traffic

__all__ = ["Failed", "Host", "Hosts", "Lan", "Link", "Pings", "Switch", "Traffic", "wait_until", "why_not"]
