# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would look at who does not trust the role: votes, who holds the address, where it goes."""

from __future__ import annotations

import subprocess
import time

ADDRESS = "198.19.64.10"
NODES = ("a", "b")


def on(name: str, *words: str) -> str:
    argv = ["/usr/bin/env", "podman", "exec", f"ha-cluster-{name}", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout


def holders() -> list[str]:
    return [name for name in NODES if ADDRESS in on(name, "ip", "-4", "address", "show", "dev", "eth0")]


def serving() -> list[str]:
    return [name for name in NODES if on(name, "systemctl", "is-active", "nginx").strip() == "active"]


def test_three_votes_count(host) -> None:
    name = host.backend.get_pytest_id().rpartition("-")[2]
    if name == "c":
        listed = host.check_output("corosync-qnetd-tool -l")
        assert 'Cluster "silvercreek"' in listed and listed.count("Node ID") == 2
        assert "Certificate" in host.check_output("corosync-qnetd-tool -s") or "TLS" in host.check_output(
            "corosync-qnetd-tool -s"
        )
        return
    said = host.run("corosync-quorumtool -s").stdout
    assert "Expected votes:   3" in said and "Total votes:      3" in said, said
    assert "Qdevice" in said


def test_a_password_is_on_the_nodes_and_not_in_the_cluster(host) -> None:
    name = host.backend.get_pytest_id().rpartition("-")[2]
    if name == "c":
        assert not host.file("/etc/corosync/authkey").exists
        return
    assert "ecret" not in host.check_output("cibadmin --query")
    assert host.check_output("/etc/hospital.continuity/fencing/a") == "it's a $ecret \\"
    assert host.file("/etc/hospital.continuity/fencing").mode == 0o700
    assert host.file("/etc/corosync/authkey").mode == 0o400


def test_the_services_move_and_are_never_twice() -> None:
    (before,) = holders()
    assert serving() == [before]
    (other,) = set(NODES) - {before}
    on(before, "crm_resource", "--move", "--resource=address", f"--node={other}", "--lifetime=PT5S")
    most, deadline = 0, time.monotonic() + 20
    while (now := holders()) != [other] and time.monotonic() < deadline:
        # They are asked one after the other: who has it before and after has it meanwhile.
        most = max(most, len({*now} & {*holders()}))
    assert now == [other] and most <= 1
    on(other, "crm_resource", "--wait", "--timeout=20s")
    assert serving() == [other]
    time.sleep(6)
    on(other, "crm_resource", "--wait", "--timeout=20s")
    assert holders() == [other], "nothing moves back by itself"
