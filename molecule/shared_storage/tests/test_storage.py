# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would look at who does not trust the role: sessions, paths, the volume group of both nodes."""

from __future__ import annotations

import json

WWID = "360000000000000000e00000000010001"
seen = {}


def test_there_is_a_session_on_each_channel(host):
    sessions = host.check_output("iscsiadm --mode session").splitlines()
    assert sorted(session.split()[2] for session in sessions) == [
        f"10.1.{channel}.1:3260,1" for channel in (1, 2, 3, 4)
    ]
    records = host.check_output("iscsiadm --mode node --portal 10.1.1.1")
    assert "node.startup = automatic" in records


def test_the_volume_is_one_device_with_four_active_paths(host):
    maps = json.loads(host.check_output("multipathd show maps json"))["maps"]
    assert [(found["uuid"], found["name"], found["paths"]) for found in maps] == [(WWID, "ds3524", 4)]
    paths = host.check_output("multipathd show paths raw format '%t %T'").splitlines()
    assert [path.split() for path in paths] == [["active", "ready"]] * 4


def test_both_nodes_see_the_same_volume_group_on_it(host):
    report = json.loads(host.check_output("pvs --reportformat json -o pv_name,vg_name,vg_uuid"))["report"]
    (volume,) = report[0]["pv"]
    assert (volume["pv_name"], volume["vg_name"]) == ("/dev/mapper/ds3524", "ds3524")
    seen[host.check_output("hostname")] = volume["vg_uuid"]
    assert len(set(seen.values())) == 1


def test_what_one_node_makes_on_it_the_other_reads(host):
    name = host.check_output("hostname")
    host.check_output(f"lvcreate -qq --yes --wipesignatures y -L 4M -n of-{name} ds3524")
    host.check_output(f"echo 'written by {name}' | dd of=/dev/ds3524/of-{name} conv=sync,fsync status=none")
    for other in ("alpha", "beta"):
        if host.run(f"lvs ds3524/of-{other}").rc == 0:
            host.check_output(f"lvchange -ay ds3524/of-{other}")
            assert f"written by {other}" in host.check_output(f"head -c 64 /dev/ds3524/of-{other} | tr -d '\\0'")
    assert host.run("lvs ds3524/of-alpha").rc == 0
