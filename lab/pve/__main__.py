# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Start a lab by hand: python -m lab.pve --nodes 4; with --bare, nodes that have yet to form a cluster."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import threading
from pathlib import Path

from lab.pve.fleet import Fleet
from lab.pve.formation import Formation
from lab.pve.formed import Formed
from lab.pve.lab import Lab


def write_environment(path: Path, lines: list[str]) -> None:
    """The export lines, complete or not there at all: whoever waits for the file may read it at once."""
    partial = path.with_name(path.name + ".part")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write("".join(line + "\n" for line in lines))
    partial.replace(path)


def serve_bare(names: list[str], env_file: Path | None, stopped: threading.Event) -> int:
    """What is printed points at the first of the nodes, which stays where it is when the others have joined it. Their
    repositories have newer packages and a kernel; LAB_PROGRAMS are the interpreters with which a play reaches them."""
    with (
        Formation(names, outage=2, settling=0.5) as formation,
        Fleet(Formed(formation), names=formation.machines) as fleet,
    ):
        fleet.offer("pve-manager", "qemu-server", kernel=True)
        nodes = [formation[name] for name in formation.machines]
        told = {
            "PVE_HOST": nodes[0].host,
            "PVE_PORT": str(nodes[0].port),
            "PVE_USER": nodes[0].user,
            "PVE_PASSWORD": nodes[0].password,
            "PVE_CA": nodes[0].ca,
            "LAB_PROGRAMS": " ".join(f"{name}={fleet.python(name)}" for name in formation.machines),
            "LAB_FINGERPRINT": nodes[0].fingerprint,
            "LAB_NODES": " ".join(f"{node.cluster.mine.name}={node.address}={node.second}" for node in nodes),
        }
        exports = [f"export {name}={shlex.quote(value)}" for name, value in told.items()]
        print(
            f"{len(nodes)} nodes of Proxmox VE, each on its own; the first listens on https://{nodes[0].host}:{nodes[0].port}"
        )
        print("\n".join(exports), flush=True)
        if env_file:
            write_environment(env_file, exports)
        stopped.wait()
        if env_file:
            env_file.unlink(missing_ok=True)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m lab.pve", description="Start a simulated Proxmox VE cluster.")
    parser.add_argument("--nodes", type=int, default=4, help="number of nodes, named pve1, pve2 … (default 4)")
    parser.add_argument("--names", help="the nodes' names instead, separated by commas; pve4:8:32 has 8 cores, 32 GiB")
    parser.add_argument(
        "--bare", action="store_true", help="nodes that are no cluster yet, each with an API of its own"
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each request (default 0)")
    parser.add_argument(
        "--like-recorded", action="store_true", help="as slow and as short of things as the cluster of the recordings"
    )
    parser.add_argument("--env-file", type=Path, help="write the environment here once the lab is listening")
    options = parser.parse_args()
    names = [name for name in (options.names or "").split(",") if name]
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    if options.bare:
        return serve_bare(
            names or [f"pve{number}" for number in range(1, options.nodes + 1)], options.env_file, stopped
        )
    with Lab(
        nodes=names or options.nodes, port=options.port, latency=options.latency, like_recorded=options.like_recorded
    ) as lab:
        exports = [f"export {name}={shlex.quote(value)}" for name, value in lab.environment().items()]
        print(f"PVE lab is listening on {lab.url}")
        print(f"token: {lab.token_id}={lab.token_secret}")
        print(f"CA:    {lab.ca}")
        print()
        print("\n".join(exports), flush=True)
        if options.env_file:
            write_environment(options.env_file, exports)
        stopped.wait()
        if options.env_file:
            options.env_file.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
