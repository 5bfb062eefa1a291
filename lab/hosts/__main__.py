# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""python -m lab.hosts: hosts in containers to look at, and what molecule's playbooks call.

python -m lab.hosts                                            two nodes with LACP bonds to a switch, until Ctrl-C
python -m lab.hosts up --file topology.yml [--inventory FILE]  start a set that stays
python -m lab.hosts down NAME                                  remove it
python -m lab.hosts sweep                                      remove what killed runs left
python -m lab.hosts image [NAME]                               make or find an image, print its name
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from lab.hosts import images
from lab.hosts.group import Hosts, down
from lab.hosts.podman import why_not
from lab.hosts.record import sweep
from lab.hosts.switch import Switch
from lab.hosts.topology import Topology


def demo() -> None:
    """Two nodes, two cables each to a switch, LACP at both ends."""
    with Hosts("node1", "node2", "switch") as hosts:
        switch = Switch(hosts["switch"])
        for number in (1, 2):
            node, ports = f"node{number}", [f"n{number}p1", f"n{number}p2"]
            for nic, port in zip(("eno1", "eno2"), ports, strict=True):
                hosts.link(node, nic, "switch", port)
            switch.bond(f"n{number}", ports, vlans=[10])
            words = "--may-exist add-br vmbr0 -- set bridge vmbr0 datapath_type=netdev"
            words += " -- add-bond vmbr0 bond0 eno1 eno2 trunks=10 lacp=active bond_mode=balance-tcp"
            words += " other_config:lacp-time=fast -- add-port vmbr0 mgmt tag=10 -- set interface mgmt type=internal"
            hosts[node].run("ovs-vsctl", *words.split())
            hosts[node].run("ip", "address", "add", f"198.19.10.1{number}/24", "dev", "mgmt")
            hosts[node].run("ip", "link", "set", "mgmt", "up")
        switch.address(10, "198.19.10.1/24")
        print(f"Running. {_LOOK.format(set=hosts.name)}\nCtrl-C ends it.", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            print("Removing it.", flush=True)


_LOOK = """To look at it:
  podman exec -it {set}-node1 bash
  podman exec {set}-node1 ovs-appctl lacp/show bond0
  podman exec {set}-node1 ping -c 3 198.19.10.1                       # the switch; node2 is 198.19.10.12
  ip -n {set}-switch link set n1p1 down                               # pull node1's first cable"""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lab.hosts", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command")
    starting = commands.add_parser("up", help="start a set that stays")
    starting.add_argument("--file", type=Path, required=True)
    starting.add_argument("--inventory", type=Path)
    commands.add_parser("down", help="remove a set").add_argument("name")
    commands.add_parser("sweep", help="remove what killed runs left")
    commands.add_parser("image", help="make or find an image").add_argument("name", nargs="?", default="ovs")
    arguments = parser.parse_args()
    if reason := why_not():
        print(f"Containers cannot run here: {reason}.", file=sys.stderr)
        return 2
    if arguments.command == "up":
        topology = Topology.read(arguments.file)
        topology.up()
        if arguments.inventory:
            arguments.inventory.write_text(topology.inventory())
        print(f"Running: {', '.join(f'{topology.name}-{name}' for name in topology.hosts)} (podman exec -it NAME bash)")
    elif arguments.command == "down":
        down(arguments.name)
    elif arguments.command == "sweep":
        print("\n".join(sweep()) or "Nothing was left.")
    elif arguments.command == "image":
        print(images.ensure(images.RECIPES[arguments.name]))
    else:
        demo()
    return 0


if __name__ == "__main__":
    sys.exit(main())
