# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would look at who does not trust the role: SCST's tree, its file, what an initiator is told, a boot.

Before this the host was started without its second drive, and the drive came back at the address 9:0:4:0.
"""

from __future__ import annotations

import json
import subprocess
import time

TARGET, INITIATOR = "iqn.2016-01.ar.hospital:ts3200", "iqn.1993-08.org.debian:01:tape"
TREE = f"/sys/kernel/scst_tgt/targets/iscsi/{TARGET}"
EXPORTED = {"0": "7:0:1:1", "1": "7:0:1:0", "2": "9:0:4:0"}
SECRET = "molecule-secret1"  # noqa: S105 - made up


def lever(host, name: str, **arguments: str):
    words = " ".join(f"{key}={value}" for key, value in arguments.items())
    said = host.check_output(f"env PYTHONPATH=/usr/lib/lab-scst python3 -m lab.scst {name} {words}")
    return json.loads(said) if said else None


def login(host, initiator: str, **credentials: str):
    return lever(host, "login", target=TARGET, initiator=initiator, portal="10.10.90.1", **credentials)


def exported(host) -> dict[str, str]:
    """LUN -> address, by SCST's own tree."""
    luns = f"{TREE}/ini_groups/guests/luns"
    listed = host.run(f"cd {luns} && for lun in [0-9]*; do echo $lun $(basename $(readlink $lun/device)); done")
    return dict(line.split() for line in listed.stdout.splitlines())


def test_the_whole_library_is_exported_again(host):
    assert exported(host) == EXPORTED
    assert host.check_output(f"head -n1 {TREE}/enabled") == "1"


def test_the_guest_sees_it_and_nobody_else(host):
    assert login(host, INITIATOR, user="tape", secret=SECRET)["failed"] == 0
    try:
        assert lever(host, "visible", target=TARGET, initiator=INITIATOR) == EXPORTED
    finally:
        lever(host, "logout", target=TARGET, initiator=INITIATOR)
    assert login(host, INITIATOR, user="tape", secret=SECRET[::-1])["failed"] != 0
    assert login(host, "iqn.1993-08.org.debian:01:stranger", user="tape", secret=SECRET)["failed"] != 0


def test_what_a_boot_reads_holds_a_password_and_only_root_reads_it(host):
    file = host.file("/etc/scst.conf")
    assert SECRET in file.content_string
    assert (file.mode, file.user) == (0o600, "root")


def test_no_secret_is_in_the_journal(host):
    assert host.run("journalctl --no-pager | grep -c %s", SECRET).stdout.strip() == "0"


def test_it_comes_back_after_a_boot_with_other_addresses(host):
    for drive, lun, address in (("HOSDRV01", "1", "9:0:7:0"), ("HOSDRV02", "2", "9:0:5:0")):
        lever(host, "vanish", device=drive)
        lever(host, "come_back", device=drive, hcil=address)
        EXPORTED[lun] = address
    subprocess.run(["podman", "restart", "--time=3", "tape-export-node"], check=True, capture_output=True)  # noqa: S607
    deadline = time.monotonic() + 60
    while host.run("systemctl is-system-running").stdout.strip() != "running":
        assert time.monotonic() < deadline, host.run("systemctl --failed").stdout
        time.sleep(0.5)
    assert exported(host) == EXPORTED
