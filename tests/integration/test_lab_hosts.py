# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What tests rely on in hosts in containers: a reset is one, and a killed run leaves nothing behind."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.hosts import Hosts, why_not
from lab.hosts.podman import podman
from lab.hosts.record import STATE, sweep

pytestmark = pytest.mark.skipif(bool(why_not()), reason=f"hosts in containers cannot run here: {why_not()}")

ROOT = Path(__file__).resolve().parents[2]
STARTS = """
import sys, time
from lab.hosts import Hosts
with Hosts("node1", "switch", image="base", ssh=True) as hosts:
    hosts.link("node1", "eno1", "switch", "p1")
    print(hosts.name, hosts["node1"].access.interface, flush=True)
    time.sleep(300)
"""


def test_a_reset_keeps_disk_and_cables_and_nothing_else() -> None:
    with Hosts("node1", "switch") as hosts:
        link, node = hosts.link("node1", "eno1", "switch", "p1"), hosts["node1"]
        node.run("ovs-vsctl", "add-br", "vmbr0", "--", "set", "bridge", "vmbr0", "datapath_type=netdev")
        node.run("ip", "address", "add", "198.19.10.11/24", "dev", "eno1")
        node.run("ip", "link", "set", "eno1", "mtu", "9000")
        node.write("/etc/kept", "on disk")
        node.write("/run/lost", "in memory")

        node.power_off()
        assert not link.far.carrier()
        with pytest.raises(RuntimeError, match="node1 is off"):
            node.run("true")
        node.power_on()

        assert node.read("/etc/kept") == "on disk"
        assert node.run("test", "-e", "/run/lost", check=False).returncode == 1
        assert "mtu 1500" in node.run("ip", "link", "show", "eno1").stdout
        assert "198.19" not in node.run("ip", "address", "show", "eno1").stdout
        assert node.run("ovs-vsctl", "list-br").stdout.split() == ["vmbr0"]
        assert link.near.carrier() and link.far.carrier()


def test_what_a_killed_run_leaves_is_removed_by_the_next() -> None:
    killed = subprocess.Popen([sys.executable, "-c", STARTS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    name, interface = killed.stdout.readline().split()
    assert name not in sweep(), "it still runs"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert name in sweep()
    assert podman("ps", "--all", "--quiet", "--filter", f"name={name}") == ""
    assert not list(Path("/run/netns").glob(f"{name}-*"))
    assert not Path("/sys/class/net", interface).exists()
    assert not (STATE / name).exists()
