# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Two nodes and a witness on emulated machines, with a fence agent that works or fails as the test wants.

    a (eno1) ---- (eno1) c (eno2) ---- (eno1) b        c is the witness, and the switch: 198.19.74.0/24

Each node writes down ten times a second, past every cache, whether it has the floating address: what is in the file
after a reset is what it did until then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.machine import CLUSTER, CannotRun, Machine, join
from tests.contract.playbook import Played, play_file

NETWORK = "198.19.74"
ADDRESS = f"{NETWORK}.10"
NODES = ("a", "b")
WATCHDOG = {"ha_cluster_watchdog": "/dev/watchdog"}
# An emulated machine beside others is slow, and a cluster that takes it for lost would be right.
TOKEN, WITNESS_TIMEOUT, TIMEOUT = 5000, 2000, 15
WAIT = 2 * TIMEOUT + 6

_INTERFACE = "auto {card}\niface {card} inet static\n    address {network}.{number}/24\n"
_SWITCH = "ip link add lan type bridge; ip link set eno1 master lan; ip link set eno2 master lan; \
ip link set eno1 up; ip link set eno2 up; ip link set lan up; ip address add {network}.3/24 dev lan"

# As a person's switch for the power: on its own it does nothing, it asks the test.
_FENCE = r"""#!/bin/sh
action=metadata
while read -r line; do
    case $line in
    action=*) action=${line#action=} ;;
    plug=*) plug=${line#plug=} ;;
    esac
done
case $action in
metadata)
    cat <<'XML'
<?xml version="1.0" ?>
<resource-agent name="fence_lab" shortdesc="Asks the test">
<longdesc>Asks the test.</longdesc>
<parameters>
<parameter name="action" unique="0" required="1">
<content type="string" default="off"/>
<shortdesc lang="en">Action</shortdesc>
</parameter>
<parameter name="plug" unique="0" required="0">
<content type="string"/>
<shortdesc lang="en">Node</shortdesc>
</parameter>
</parameters>
<actions>
<action name="on" automatic="0"/>
<action name="off"/>
<action name="reboot"/>
<action name="status"/>
<action name="monitor"/>
<action name="list"/>
<action name="metadata"/>
</actions>
</resource-agent>
XML
    ;;
off | reboot)
    echo "$action $plug" >>/run/fence-asked
    ! [ -e /run/fence-broken ] || exit 1
    for _ in $(seq 50); do
        ! [ -e "/run/fence-done-$plug" ] || exit 0
        sleep 1
    done
    exit 1
    ;;
esac
exit 0
"""

_HOLDING = f"""\
import os, socket, time

boot = open("/proc/sys/kernel/random/boot_id").read().strip()
log = os.open("/var/lib/holding", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("{ADDRESS}", 0))
            holds = 1
        except OSError:
            holds = 0
    os.write(log, f"{{boot}} {{time.time():.2f}} {{holds}}\\n".encode())
    os.fdatasync(log)
    time.sleep(0.1)
"""
_UNIT = """\
[Unit]
DefaultDependencies=no
After=local-fs.target

[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/holding.py

[Install]
WantedBy=sysinit.target
"""


@dataclass(frozen=True)
class Held:
    """The seconds, by this computer's clock, between which a node had the address in one of its lives."""

    boot: str
    first: float
    last: float


@dataclass
class Cluster:
    machines: dict[str, Machine]
    folder: Path
    ahead: dict[str, float] = field(default_factory=dict)

    def role(self, *variables: Mapping[str, Any], fails: bool = False) -> Played:
        """The role on all three, as a playbook of somebody's own has it."""
        common: dict[str, Any] = {
            "ha_cluster_name": "record",
            "ha_cluster_authkey": "of the tests, and not secret. " * 5,
            "ha_cluster_nodes": [
                {"name": name, "addresses": [f"{NETWORK}.{number}"]} for number, name in enumerate(NODES, 1)
            ],
            "ha_cluster_witness": {"name": "c", "address": f"{NETWORK}.3"},
            "ha_cluster_token": TOKEN,
            "ha_cluster_witness_timeout": WITNESS_TIMEOUT,
            "ha_cluster_watchdog_timeout": TIMEOUT,
            "ha_cluster_fencing": [{"node": name, "agent": "fence_lab", "parameters": {}} for name in NODES],
            "ha_cluster_address": {"address": ADDRESS, "prefix": 24, "interface": "eno1"},
            "ha_cluster_wait": 300,
            # The machines have no way to Debian's mirrors, and no agent but ours.
            "ha_cluster_packages": [
                "corosync",
                "corosync-qdevice",
                "pacemaker",
                "pacemaker-cli-utils",
                "resource-agents",
                "sbd",
            ],
        }
        for more in variables:
            common.update(more)
        inventory = {name: machine.variables() for name, machine in self.machines.items()}
        (self.folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"hosts": inventory, "vars": common}}))
        book = [
            {
                "hosts": "all",
                "gather_facts": False,
                "any_errors_fatal": True,
                "roles": [{"role": "hospital.continuity.ha_cluster"}],
            }
        ]
        (self.folder / "play.yml").write_text(yaml.safe_dump(book, sort_keys=False))
        environment = {"ANSIBLE_REMOTE_TMP": "/tmp/ansible", "ANSIBLE_PIPELINING": "1"}
        inventory_file = str(self.folder / "inventory.yml")
        played = play_file(self.folder / "play.yml", environment, self.folder, "-i", inventory_file, timeout=1500)
        assert (played.code != 0) == fails, played.output
        return played

    def on(self, name: str, *argv: str) -> str:
        """What a program says on that machine; nothing where it does not answer."""
        with suppress(CannotRun):
            return self.machines[name].ssh(*argv, check=False, timeout=60).stdout
        return ""

    def holder(self) -> str:
        """The one node that has the address, when the cluster has settled."""
        self.until(lambda: sum(self.has(name) for name in NODES) == 1, 120, "one node has the address")
        return next(name for name in NODES if self.has(name))

    def has(self, name: str) -> bool:
        return f" {ADDRESS}/" in self.on(name, "ip", "-4", "-o", "address", "show", "dev", "eno1")

    def boot(self, name: str) -> str:
        return self.on(name, "cat", "/proc/sys/kernel/random/boot_id").strip()

    def whole(self) -> bool:
        """Both nodes are there, in the eyes of both, and nothing has to be done any more."""
        return all(
            len(re.findall(r"^\d+ \S+ member$", self.on(name, "crm_node", "--list"), re.MULTILINE)) == len(NODES)
            and self.on(name, "crmadmin", "--nodes") != ""
            and "UNCLEAN" not in self.on(name, "crm_mon", "-1")
            for name in NODES
        )

    def settle(self) -> None:
        """Wait until the cluster is whole; what failed before is forgotten."""
        self.until(self.whole, 400, "the cluster is whole")
        first = NODES[0]
        self.on(first, "crm_resource", "--cleanup")
        self.on(first, "crm_resource", "--wait", "--timeout=120s")
        for name in NODES:
            self.on(name, "sh", "-c", "rm -f /run/fence-*")
        for name, machine in self.machines.items():
            before = time.time()
            said = float(machine.sh("date +%s.%N"))
            self.ahead[name] = said - (before + time.time()) / 2

    def held(self, name: str, boot: str) -> Held | None:
        """When the node had the address in the life of that boot, as it wrote down itself."""
        times = []
        for line in self.machines[name].ssh("cat", "/var/lib/holding").stdout.splitlines():
            with suppress(ValueError):  # the last line before a reset may be cut in the middle
                life, second, holds = line.split()
                if life == boot and holds == "1":
                    times.append(float(second) - self.ahead[name])
        return Held(boot, min(times), max(times)) if times else None

    def since(self, name: str, moment: float) -> Held | None:
        """The same in its present life, from a moment of this computer's clock on."""
        script = f"awk '$2 > {moment + self.ahead[name]:.2f} && $3 == 1' /var/lib/holding"
        times = [float(line.split()[1]) - self.ahead[name] for line in self.machines[name].sh(script).splitlines()]
        return Held(self.boot(name), min(times), max(times)) if times else None

    def until(self, condition: Callable[[], object], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {what}\n{self.seen()}")
            time.sleep(0.5)

    def seen(self) -> str:
        """What a person would look at who wonders why."""
        said = []
        for name in NODES:
            for argv in (
                ("crm_mon", "-1rf"),
                ("systemctl", "--no-pager", "status", "corosync", "sbd", "pacemaker"),
                ("journalctl", "--no-pager", "--priority=notice", "--lines=60"),
            ):
                said.append(f"== {name}: {' '.join(argv)}\n{self.on(name, *argv)}")
        return "\n".join(said)


@contextmanager
def started(folder: Path, *, watchdogs: bool) -> Iterator[Cluster]:
    """The machines on their cables, with the fence agent, and no cluster. watchdogs: have some in hardware."""
    with ExitStack() as running:
        machines = {name: running.enter_context(Machine(name, CLUSTER)) for name in (*NODES, "c")}
        for number, name in enumerate(NODES, 1):
            machine = machines[name]
            join(machine, machines["c"], 1, number)
            machine.put("/etc/network/interfaces.d/lan", _INTERFACE.format(card="eno1", network=NETWORK, number=number))
            machine.ssh("ifreload", "-a", check=False)
            if watchdogs:
                machine.watchdog()
            machine.put("/usr/sbin/fence_lab", _FENCE)
            machine.put("/usr/local/lib/holding.py", _HOLDING)
            machine.put("/etc/systemd/system/holding.service", _UNIT)
            machine.sh(
                "chmod 755 /usr/sbin/fence_lab; systemctl daemon-reload; systemctl -q enable --now holding.service"
            )
        machines["c"].sh(_SWITCH.format(network=NETWORK))
        yield Cluster(machines, folder)
