# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How long a big clinic waits: 450 guests on 4 nodes, read as an inventory and declared in one task.

Everything is measured in one run on one machine against the lab with 5 ms latency, so the ratios mean something and
the seconds do not. The peer is community.proxmox, which comes with the `ansible` package. Its loop is measured on 20
guests and scaled to 450, startup taken out: measuring it whole would take a quarter of an hour.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import requests

sys.path.insert(0, str(Path(__file__).parent))
from lab_process import FIRST_VMID, LabProcess

NODES, GUESTS, SAMPLE, LATENCY, PARALLEL = 4, 450, 20, 0.005, 16

OURS = "plugin: hospital.continuity.pve\n"
OURS_WITH_FACTS = OURS + "want_facts: true\n"
PEER_WITH_FACTS = """plugin: community.proxmox.proxmox
url: https://{PVE_HOST}:{PVE_PORT}
user: root@pam
token_id: {token}
token_secret: {PVE_TOKEN_SECRET}
validate_certs: false
want_facts: true
want_proxmox_nodes_ansible_host: false
"""
CONFIGURATION = {"memory": 1024, "cores": 2, "scsihw": "virtio-scsi-single", "tags": ["bench"], "onboot": True}


@dataclass(frozen=True)
class Measured:
    seconds: float
    requests: int


class Bench:
    def __init__(self, lab: LabProcess, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        self.environment = lab.call("environment")
        self.goals: list[tuple[bool, str]] = []

    def file(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def timed(self, what: str, action: Callable[[], object], repeat: int = 1) -> Measured:
        """The median of `repeat` runs, and the requests of one."""
        seconds = []
        for _run in range(repeat):
            self.lab.call("reset_counters")
            start = time.perf_counter()
            action()
            seconds.append(time.perf_counter() - start)
        measured = Measured(statistics.median(seconds), sum(self.lab.call("count").values()))
        print(f"  {what:<64} {measured.seconds:8.2f} s {measured.requests:6d} requests", flush=True)
        return measured

    def ansible(self, *command: str) -> str:
        """Run an Ansible program against the lab. Its failure is ours: a figure of a failed run is worth nothing."""
        environment = {
            **os.environ,
            **self.environment,
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "true",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            # The peer has no option for a CA, and does not heed validate_certs when this is set to something else.
            "REQUESTS_CA_BUNDLE": self.environment["PVE_CA"],
        }
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout

    def inventory(self, source: Path) -> Callable[[], str]:
        return lambda: self.ansible("ansible-inventory", "-i", str(source), "--list")

    def playbook(self, name: str, task: dict[str, object]) -> Callable[[], str]:
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task]}]
        path = self.file(f"{name}.yml", json.dumps(play))
        return lambda: self.ansible("ansible-playbook", "-i", "localhost,", str(path))

    def goal(self, holds: bool, text: str) -> None:
        self.goals.append((holds, text))
        print(f"  {'holds' if holds else 'MISSED'}: {text}", flush=True)


def bare_requests(environment: dict[str, str]) -> None:
    """What no inventory can do without: the list, each guest's configuration, each running guest's addresses."""
    base = f"https://{environment['PVE_HOST']}:{environment['PVE_PORT']}/api2/json"
    session = requests.Session()
    session.trust_env = False
    session.verify = environment["PVE_CA"]
    session.headers["Authorization"] = f"PVEAPIToken={environment['PVE_TOKEN_ID']}={environment['PVE_TOKEN_SECRET']}"
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=PARALLEL))

    def read(path: str) -> list[dict[str, object]]:
        return session.get(base + path).json().get("data")

    guests = [entry for entry in read("/cluster/resources") if entry["type"] in ("qemu", "lxc")]
    read("/cluster/status")
    paths = [f"/nodes/{guest['node']}/{guest['id']}/config" for guest in guests]
    paths += [
        f"/nodes/{guest['node']}/{guest['id']}/agent/network-get-interfaces"
        for guest in guests
        if guest["status"] == "running"
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(read, paths))


def measure_inventory(bench: Bench) -> None:
    environment = bench.environment
    print(f"inventory of {GUESTS} guests on {NODES} nodes", flush=True)
    bench.lab.call("seed", GUESTS, True)
    token = environment["PVE_TOKEN_ID"].partition("!")[2]
    peer = bench.file("peer.proxmox.yml", PEER_WITH_FACTS.format(token=token, **environment))
    empty = bench.timed("an empty ansible-inventory", bench.inventory(bench.file("empty.yml", "{}\n")), 3)
    bare = bench.timed(f"the bare requests, {PARALLEL} side by side", lambda: bare_requests(environment), 3)
    plain = bench.timed("ours, without facts", bench.inventory(bench.file("plain.pve.yml", OURS)), 3)
    ours_file = bench.file("facts.pve.yml", OURS_WITH_FACTS)
    for source in (ours_file, peer):
        hosts = json.loads(bench.ansible("ansible-inventory", "-i", str(source), "--list"))["_meta"]["hostvars"]
        if len(hosts) < GUESTS:
            raise SystemExit(
                f"{source.name} gives {len(hosts)} hosts, fewer than the {GUESTS} guests: nothing to measure"
            )
    ours = bench.timed("ours, with configuration facts", bench.inventory(ours_file), 3)
    theirs = bench.timed("community.proxmox, with facts", bench.inventory(peer))
    ratio = theirs.seconds / ours.seconds
    bench.goal(ratio >= 6, f"with facts {ratio:.1f} times faster than the peer's (goal: 6)")
    ratio = ours.seconds / (empty.seconds + bare.seconds)
    bench.goal(ratio <= 1.5, f"with facts {ratio:.2f} times an empty inventory and the bare requests (goal: 1.5)")
    extra = plain.seconds - empty.seconds
    bench.goal(
        extra <= 0.5, f"without facts {extra:.2f} s more than an empty one, {plain.requests} requests (goal: 0.5)"
    )


def our_guests(count: int) -> dict[str, object]:
    config = [
        {
            "vmid": FIRST_VMID + number,
            "name": f"bench-{number}",
            "node": f"pve{number % NODES + 1}",
            "disks": [{"slot": "scsi0", "storage": "shared", "size": "8G"}],
            "nics": [{"slot": "net0", "model": "virtio", "bridge": "vmbr0", "tag": 10}],
            **CONFIGURATION,
        }
        for number in range(count)
    ]
    return {"name": "Declare the guests", "hospital.continuity.pve_vm": {"config": config}}


def peer_guests(environment: dict[str, str], count: int) -> dict[str, object]:
    return {
        "name": "Declare the guests one by one",
        "community.proxmox.proxmox_kvm": {
            "api_host": environment["PVE_HOST"],
            "api_port": int(environment["PVE_PORT"]),
            "api_user": "root@pam",
            "api_token_id": environment["PVE_TOKEN_ID"].partition("!")[2],
            "api_token_secret": environment["PVE_TOKEN_SECRET"],
            "validate_certs": False,
            "vmid": f"{{{{ {FIRST_VMID} + item }}}}",
            "name": "bench-{{ item }}",
            "node": f"pve{{{{ item % {NODES} + 1 }}}}",
            "scsi": {"scsi0": "shared:8"},
            "net": {"net0": "virtio,bridge=vmbr0,tag=10"},
            **CONFIGURATION,
        },
        "loop": list(range(count)),
    }


def measure_guests(bench: Bench) -> None:
    print(f"{GUESTS} guests declared in one task (the peer: {SAMPLE} in a loop, scaled to {GUESTS})", flush=True)
    start = bench.timed(
        "an ansible-playbook with nothing to do",
        bench.playbook("idle", {"name": "Idle", "ansible.builtin.meta": "noop"}),
    )
    ours, figures = bench.playbook("ours", our_guests(GUESTS)), {}
    peer = bench.playbook("peer", peer_guests(bench.environment, SAMPLE))
    for state in ("fresh", "unchanged"):
        repeat = 3 if state == "unchanged" else 1
        figures["ours", state] = bench.timed(f"ours, {GUESTS} guests, {state}", ours, repeat).seconds
    bench.lab.call("reset")
    for state in ("fresh", "unchanged"):
        sample = bench.timed(f"the peer's loop, {SAMPLE} guests, {state}", peer).seconds
        figures["peer", state] = start.seconds + (sample - start.seconds) * GUESTS / SAMPLE
        print(f"    scaled to {GUESTS} guests: {figures['peer', state]:.0f} s", flush=True)
    for state, goal in (("fresh", 10), ("unchanged", 40)):
        ratio = figures["peer", state] / figures["ours", state]
        bench.goal(
            ratio >= goal, f"{GUESTS} guests {state} {ratio:.0f} times faster than the peer's loop (goal: {goal})"
        )


def main() -> int:
    with LabProcess(NODES, LATENCY) as lab, tempfile.TemporaryDirectory(prefix="bench-pve-") as directory:
        bench = Bench(lab, Path(directory))
        measure_inventory(bench)
        lab.call("reset")
        measure_guests(bench)
    missed = [text for holds, text in bench.goals if not holds]
    words = "; ".join(text for holds, text in bench.goals)
    print(f"pve: {'all goals hold' if not missed else f'{len(missed)} goals missed'}: {words}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
