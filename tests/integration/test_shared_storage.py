# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role shared_storage where the array misbehaves: what it looks at, foresees, asks, and never touches.

Two nodes in containers, whose volume is a file. The kernel (multipathd, LVM, sessions) says what each test has it
say; wipefs and cmp are real. With a real kernel it is shown by tests/storage and
molecule/shared_storage.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host, Hosts, why_not
from tests.integration.over_ssh import Control, Played

WWID, OTHER = "360000000000000000e00000000010001", "360000000000000000e00000000010002"
VOLUME = "/dev/mapper/ds3524"
PLAIN = f"/dev/disk/by-id/scsi-{WWID}"
TARGET, PORTALS = "iqn.1984-05.com.example:ds3524", ("10.1.1.1", "10.1.2.1")
SECRET = "a-secret-of-the-array"
LABELLED = "012345-6789-abcd-ef01-2345-6789-abcdef"
KERNEL = r"""#!/bin/sh
# What the kernel and its daemons would say, as a test has written it.
told() { cat "/run/told/$1" 2>/dev/null; }
name=$(basename "$0")
case "$name $*" in
"pvs "*json*) [ ! -e /run/told/hangs ] || sleep 60; told pvs ;;
"multipathd show"*) told paths ;;
"iscsiadm --mode session --print"*) told attached ;;
"iscsiadm --mode session") told sessions || exit 21 ;;
"iscsiadm --mode node --op new "*)
    mkdir -p "/etc/iscsi/nodes/$6"
    record="/etc/iscsi/nodes/$6/$(echo "$8" | tr : ,)"
    { echo "# BEGIN RECORD 2.1.8"; echo "node.conn[0].address = ${8%:*}"; echo "node.conn[0].port = ${8#*:}"
      grep '^node' /etc/iscsi/iscsid.conf; echo "# END RECORD"; } > "$record"; chmod 600 "$record" ;;
"iscsiadm --mode node "*) cat "/etc/iscsi/nodes/$4"/* 2>/dev/null || exit 21 ;;
"lvmconfig "*) told filter || echo 'global_filter=["r|/dev/zd.*|"]' ;;
*) echo "$name $*" >> /run/told/done ;;
esac
"""


@dataclass(frozen=True)
class Cluster(Control):
    """Another node beside the host, and one that is switched off."""

    beside: Host | None = None

    def _inventory(self) -> dict[str, Any]:
        found = super()._inventory()["all"]["hosts"]
        mine = found[self.host.name]
        assert self.beside is not None
        found[self.beside.name] = {**mine, "ansible_host": self.beside.ssh_address}
        found["off"] = {**mine, "ansible_host": "127.0.0.9", "ansible_port": 9, "cluster_host": "elsewhere"}
        for name in (self.host.name, self.beside.name):
            found[name]["cluster_host"] = "here"
        return {"all": {"hosts": found}}


class Node:
    def __init__(self, host: Host) -> None:
        self.host = host
        lvm = "pvs pvcreate pvchange pvresize pvremove vgs vgcreate vgchange vgextend vgreduce vgremove lvs lvmconfig"
        programs = f"{lvm} multipathd iscsiadm blockdev"
        host.run(
            "sh",
            "-c",
            f"cat > /root/kernel; chmod +x /root/kernel; mkdir -p /dev/mapper /dev/disk/by-id; "
            f"for name in {programs}; do ln -sf /root/kernel /usr/local/sbin/$name; done",
            stdin=KERNEL,
        )

    def fresh(self) -> None:
        """Two paths, and a volume that nobody has written to."""
        self.host.run(
            "sh",
            "-c",
            f"rm -rf /run/told /etc/iscsi /etc/pve /etc/lvm/lvmlocal.conf {PLAIN}; "
            f"mkdir -p /run/told /etc/iscsi /etc/lvm; rm -f {VOLUME}; truncate -s 8M {VOLUME}; "
            "touch /etc/iscsi/iscsid.conf",
        )
        self.tell("paths", f"{WWID} sdb active\n{WWID} sdc active\n")
        self.volumes()

    def tell(self, what: str, text: str) -> None:
        self.host.run("sh", "-c", f"cat > /run/told/{what}", stdin=text)

    def volumes(self, *found: tuple[str, str]) -> None:
        rows = [
            {"pv_name": place, "pv_uuid": f"p{group}", "vg_name": group, "vg_uuid": f"v{group}"}
            for place, group in found
        ]
        self.tell("pvs", json.dumps({"report": [{"pv": rows}]}))

    def sh(self, command: str) -> str:
        return self.host.run("sh", "-c", command).stdout

    def label(self, place: str) -> None:
        """Write LVM's label, as pvcreate does."""
        body = struct.pack("<I8s32sQ", 32, b"LVM2 001", LABELLED.replace("-", "").encode(), 8 << 20).ljust(492, b"\0")
        checksum = 0xF597A6CF
        for byte in body:
            checksum ^= byte
            for _bit in range(8):
                checksum = checksum >> 1 ^ (0xEDB88320 if checksum & 1 else 0)
        sector = struct.pack("<8sQI", b"LABELONE", 1, checksum) + body
        self.host.run(
            "sh",
            "-c",
            f"base64 -d | dd of={place} seek=1 conv=notrunc status=none",
            stdin=base64.b64encode(sector).decode(),
        )

    @property
    def done(self) -> str:
        return self.sh("cat /run/told/done 2>/dev/null || true")


class Nodes:
    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.alpha, self.beta = Node(hosts["lun1"]), Node(hosts["lun2"])
        near, far = hosts["lun1"], hosts["lun2"]
        self.control = Cluster(host=near, folder=folder, address=near.ssh_address, beside=far)

    def run(self, part: str, *arguments: str, **variables: Any) -> Played:
        described = {
            "shared_storage_targets": [{"target": TARGET, "portals": list(PORTALS)}],
            "shared_storage_multipath": {WWID: "ds3524"},
            "shared_storage_volume_group": "guests",
            "shared_storage_initialise": True,
            **variables,
        }
        name = {"name": "hospital.continuity.shared_storage", "tasks_from": part}
        return self.control.play(
            [{"ansible.builtin.include_role": name, "vars": described}], "--limit", "lun1", *arguments
        )

    def refusal(self, part: str = "volume_group", *arguments: str, **variables: Any) -> str:
        played = self.run(part, *arguments, **variables)
        assert played.code != 0, played.output
        assert "create" not in self.alpha.done
        return " ".join(str(result.get("msg")) for result in played.results if result["outcome"] == "failed")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if reason := why_not():
        pytest.skip(f"containers cannot run here: {reason}")
    with pytest.MonkeyPatch.context() as patch, Hosts("lun1", "lun2", image="base", ssh=True) as hosts:
        patch.setenv("ANSIBLE_PIPELINING", "1")
        yield Nodes(hosts, tmp_path_factory.mktemp("control"))


@pytest.fixture
def nodes(both: Nodes) -> Nodes:
    both.alpha.fresh()
    both.beta.fresh()
    return both


def test_a_volume_group_is_made_where_all_who_may_know_it_say_that_there_is_none(nodes: Nodes) -> None:
    nodes.run("volume_group").good()
    assert f"guests {VOLUME}" in nodes.alpha.done
    assert f"blockdev --flushbufs {VOLUME}" in nodes.alpha.done.split("vgcreate")[0]
    assert "create" not in nodes.beta.done


def test_one_that_is_there_is_taken_as_it_is(nodes: Nodes) -> None:
    nodes.alpha.volumes((VOLUME, "guests"))
    nodes.run("volume_group").good()
    assert "create" not in nodes.alpha.done


def test_what_another_node_knows_is_not_made_although_it_looks_blank(nodes: Nodes) -> None:
    nodes.beta.volumes((VOLUME, "guests"))
    assert f"lun2 (guests on {VOLUME})" in nodes.refusal()


def test_another_nodes_volume_group_on_the_same_device_is_not_made_over(nodes: Nodes) -> None:
    nodes.beta.volumes((VOLUME, "others"))
    assert f"lun2 (others on {VOLUME})" in nodes.refusal()


@pytest.mark.parametrize("wrong", ["unreachable", "hangs", "fails"])
def test_a_node_that_does_not_say_is_waited_for(nodes: Nodes, wrong: str) -> None:
    arguments: tuple[str, ...] = ()
    silent = "lun2"
    if wrong == "unreachable":
        arguments, silent = ("-e", "cluster_host=elsewhere"), "off"
    elif wrong == "hangs":
        nodes.beta.tell("hangs", "")
    else:
        nodes.beta.sh("rm /run/told/pvs")
    told = nodes.refusal("volume_group", *arguments, shared_storage_look_timeout=4)
    assert f"{silent} did not say" in told


def test_a_storage_in_which_guests_have_disks_is_not_made_anew(nodes: Nodes) -> None:
    nodes.alpha.sh(
        "mkdir -p /etc/pve/nodes/b/qemu-server; "
        "echo 'scsi0: ds3524:vm-100-disk-0,size=8G' > /etc/pve/nodes/b/qemu-server/100.conf"
    )
    told = nodes.refusal(shared_storage_storage={"storage": "ds3524"})
    assert "/etc/pve/nodes/b/qemu-server/100.conf" in told
    nodes.run("volume_group", shared_storage_storage={"storage": "ds35"}).good()


def test_what_wipefs_does_not_know_is_somebodys_as_well(nodes: Nodes) -> None:
    nodes.alpha.sh(f"head -c 4096 /dev/urandom | dd of={VOLUME} bs=4096 seek=9 conv=notrunc status=none")
    assert f"{VOLUME} carries something that wipefs does not know" in nodes.refusal()


def test_a_label_that_lvm_does_not_show_is_told(nodes: Nodes) -> None:
    nodes.alpha.label(VOLUME)
    assert f"{VOLUME} carries LVM2_member, which LVM does not show here" in nodes.refusal()


def test_a_device_without_a_path_is_not_even_looked_at(nodes: Nodes) -> None:
    nodes.alpha.tell("paths", f"{WWID} sdb failed\n{OTHER} sdd active\n")
    nodes.alpha.tell("hangs", "")
    assert "no path of ds3524 is active" in nodes.refusal(shared_storage_paths_required=False)


def test_a_look_that_hangs_ends(nodes: Nodes) -> None:
    nodes.alpha.tell("hangs", "")
    assert re.search("(?i)timed out|time frame", nodes.refusal(shared_storage_look_timeout=4))


def test_check_mode_foresees_the_volume_group(nodes: Nodes) -> None:
    played = nodes.run("volume_group", "--check").good()
    assert [result["task"] for result in played.results if result.get("changed")] == [
        "hospital.continuity.shared_storage : Make it"
    ]
    assert "create" not in nodes.alpha.done


def test_check_mode_foresees_it_where_the_multipath_device_is_yet_to_be_made(nodes: Nodes) -> None:
    nodes.alpha.sh(f"mv {VOLUME} {PLAIN}")
    assert any(result.get("changed") for result in nodes.run("volume_group", "--check").good().results)
    nodes.alpha.sh(f"mkfs.ext4 -q {PLAIN}")
    assert f"{PLAIN} carries ext4" in nodes.refusal("volume_group", "--check")


def test_check_mode_says_what_it_cannot_see(nodes: Nodes) -> None:
    nodes.alpha.sh(f"rm {VOLUME}")
    assert "cannot be looked at" in nodes.run("volume_group", "--check").good().output
    assert f"{VOLUME} is not there" in nodes.refusal()


def test_check_mode_takes_a_volume_group_under_another_name_of_its_device(nodes: Nodes) -> None:
    nodes.alpha.sh(f"mv {VOLUME} {PLAIN}")
    nodes.alpha.label(PLAIN)
    nodes.alpha.tell(
        "pvs",
        json.dumps(
            {"report": [{"pv": [{"pv_name": "/dev/sdb", "pv_uuid": LABELLED, "vg_name": "guests", "vg_uuid": "v"}]}]}
        ),
    )
    nodes.run("volume_group", "--check").good()
    nodes.alpha.volumes(("/dev/sdb", "guests"))
    assert "should be on" in nodes.refusal("volume_group", "--check")


def test_lvm_is_kept_from_the_described_disk_and_no_other_of_the_target(nodes: Nodes) -> None:
    nodes.alpha.tell("paths", f"{WWID} sdb active\n{WWID} sdc active\n{OTHER} sdd [undef]\n{OTHER} sde [undef]\n")
    nodes.alpha.tell(
        "attached",
        "".join(
            session(portal, *disks) for portal, disks in zip(PORTALS, (("sdb", "sdd"), ("sdc", "sde")), strict=True)
        ),
    )
    nodes.alpha.tell("filter", 'global_filter=["r|/dev/zd.*|"]')
    play(nodes, "paths", "lvm")
    written = nodes.alpha.sh("cat /etc/lvm/lvmlocal.conf")
    patterns = json.loads(written.partition("global_filter = ")[2].splitlines()[0])
    place = f"r|^/dev/disk/by-path/.*-iscsi-{TARGET}-lun-1"
    assert patterns == [f"{place}$|", f"{place}-part|", "r|/dev/zd.*|"]


def test_the_arrays_secret_is_in_its_own_records_and_offered_to_no_other(nodes: Nodes) -> None:
    nodes.alpha.tell(
        "sessions",
        "".join(f"tcp: [{number}] {portal}:3260,1 {TARGET} (non-flash)\n" for number, portal in enumerate(PORTALS)),
    )
    nodes.alpha.sh(
        f"mkdir -p /etc/iscsi/nodes/{TARGET}.other; "
        f"echo 'node.name = other' > /etc/iscsi/nodes/{TARGET}.other/10.1.1.1,3260"
    )
    units(nodes)
    chap = {"user": "node", "secret": SECRET}
    played = nodes.run("sessions", "-vvv", shared_storage_chap=chap).good()
    assert SECRET not in played.output
    assert SECRET not in nodes.alpha.sh("cat /etc/iscsi/iscsid.conf")
    records = [nodes.alpha.sh(f"cat /etc/iscsi/nodes/{TARGET}/{portal},3260").splitlines() for portal in PORTALS]
    for record in records:
        assert "node.session.auth.authmethod = CHAP" in record
        assert f"node.session.auth.password = {SECRET}" in record
        assert record[-1] == "# END RECORD"
    assert nodes.alpha.sh(f"cat /etc/iscsi/nodes/{TARGET}.other/*") == "node.name = other\n"
    assert not any(result.get("changed") for result in nodes.run("sessions", shared_storage_chap=chap).good().results)

    nodes.run("sessions").good()
    assert SECRET not in nodes.alpha.sh("cat /etc/iscsi/nodes/*/*")
    assert nodes.alpha.sh("grep -h authmethod /etc/iscsi/nodes/*/*").split("\n")[0].endswith(" = None")


def test_no_other_multipath_device_is_renamed(nodes: Nodes) -> None:
    units(nodes)
    nodes.run("multipath", shared_storage_multipath_options={"path_grouping_policy": "multibus"}).good()
    written = nodes.alpha.sh("grep -v '^#' /etc/multipath/conf.d/hospital-continuity.conf").split()
    assert [word for word in written if word in ("defaults", "overrides", "devices", "blacklist")] == []
    assert written.count("multipath") == 1
    assert f'"{WWID}"' in written


def session(portal: str, *disks: str) -> str:
    shown = "".join(
        f"\t\tscsi3 Channel 00 Id 0 Lun: {lun}\n\t\t\tAttached scsi disk {disk}\t\tState: running\n"
        for lun, disk in enumerate(disks, 1)
    )
    return (
        f"Target: {TARGET} (non-flash)\n\tCurrent Portal: {portal}:3260,1\n\tPersistent Portal: {portal}:3260,1\n"
        f"\t\tiSCSI Session State: LOGGED_IN\n\t\tHost Number: 3\tState: running\n{shown}"
    )


def play(nodes: Nodes, *parts: str) -> None:
    described = {
        "shared_storage_targets": [{"target": TARGET, "portals": list(PORTALS)}],
        "shared_storage_multipath": {WWID: "ds3524"},
    }
    tasks = [
        {
            "ansible.builtin.include_role": {"name": "hospital.continuity.shared_storage", "tasks_from": part},
            "vars": described,
        }
        for part in parts
    ]
    nodes.control.play(tasks, "--limit", "lun1").good()


def units(nodes: Nodes) -> None:
    """Services that have nothing to do here."""
    for name in ("iscsid", "open-iscsi", "multipathd"):
        nodes.alpha.sh(
            f"printf '[Service]\\nType=oneshot\\nRemainAfterExit=true\\nExecStart=/bin/true\\n[Install]\\n"
            f"WantedBy=multi-user.target\\n' > /etc/systemd/system/{name}.service"
        )
    nodes.alpha.sh("systemctl daemon-reload")
