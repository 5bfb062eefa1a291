# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role shared_storage and a disk array with four channels: what it refuses, and what happens when channels fail."""

from __future__ import annotations

import itertools

import pytest

from lab.machine import STORAGE, Machine, join
from lab.machine.targets import disk_target
from tests.machine.plays import until
from tests.storage.roles import converge, words

CHANNELS = (1, 2, 3, 4)
TARGET = "iqn.1984-05.com.example:ds3524"
USER, SECRET = "node", "of the tests, and not secret"
WWID = "360000000000000000e00000000010001"  # as tgt makes it of the numbers of target and LUN
VOLUME = "/dev/mapper/ds3524"

# Writes a block a fifth of a second for as long as it is wanted, past the cache; each is a line of the log.
WRITER = """\
i=0
while ! [ -e /run/enough ]; do
    i=$((i + 1))
    dd if=/dev/urandom of=/dev/guests/disk bs=64k count=1 seek=$((i % 200)) oflag=direct conv=notrunc status=none ||
        echo "failed"
    cut -d " " -f 1 /proc/uptime
    sleep 0.2
done
"""


class Hosts:
    """A node, and the array on four cables."""

    def __init__(self, array, node, folder):
        self.array, self.node, self.folder = array, node, folder
        self.local = None
        self.lun = array.disk("volume", "1G").path
        stanzas = []
        for channel in CHANNELS:
            card = join(array, node, channel)
            array.sh(f"ip link set {card} up; ip addr add 10.1.{channel}.1/24 dev {card}")
            stanzas.append(f"auto {card}\niface {card} inet static\n    address 10.1.{channel}.2/24\n")
        node.put("/etc/network/interfaces.d/iscsi", "\n".join(stanzas))
        node.ssh("ifreload", "-a", check=False)
        disk_target(array, TARGET, self.lun, user=USER, secret=SECRET)

    def variables(self, **more):
        return {
            "shared_storage_targets": [{"target": TARGET, "portals": [f"10.1.{channel}.1" for channel in CHANNELS]}],
            "shared_storage_chap": {"user": USER, "secret": SECRET},
            "shared_storage_multipath": {WWID: "ds3524"},
            "shared_storage_multipath_options": {"path_grouping_policy": "multibus"},
            "shared_storage_volume_group": "guests",
            **more,
        }

    def role(self, part="main", *, fails=False, **variables):
        return converge(self.folder, {self.node: self.variables(**variables)}, "shared_storage", part, fails=fails)

    def active(self):
        """How many paths can be used."""
        return self.node.sh("multipathd show paths raw format '%d %t'").split().count("active")

    def sessions(self):
        return self.node.ssh("iscsiadm", "-m", "session", check=False).stdout.count(TARGET)

    def carriers(self, *channels, up):
        for channel in channels:
            self.node.carrier(f"eno{channel}", up=up)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    with Machine("ds3524", STORAGE) as array, Machine("alpha", STORAGE) as node:
        yield Hosts(array, node, tmp_path_factory.mktemp("hosts"))


def test_a_volume_with_a_filesystem_is_refused(hosts):
    hosts.array.sh(f"mkfs.xfs -q {hosts.lun}; sync")
    told = words(hosts.role(fails=True, shared_storage_initialise=True))
    assert f"{VOLUME} carries xfs" in told
    assert SECRET not in told
    # Any other target would be offered it.
    assert SECRET not in hosts.node.ssh("cat", "/etc/iscsi/iscsid.conf").stdout
    assert (hosts.sessions(), hosts.active()) == (4, 4)
    assert "xfs" in hosts.node.ssh("wipefs", "--no-act", VOLUME).stdout


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (f"echo label: gpt | sfdisk -q {VOLUME}", f"{VOLUME} carries gpt"),
        (f"pvcreate -qq -y {VOLUME}", f"{VOLUME} carries LVM2_member"),
        (f"vgcreate -qq -y others {VOLUME}", f"{VOLUME} carries LVM2_member of the volume group others"),
        ("vgcreate -qq -y guests LOCAL", f"should be on {VOLUME}"),
        (
            f"""
            vgcreate -qq -y guests LOCAL
            vgcreate -qq -y guests --config 'devices/filter=["r|LOCAL|"]' {VOLUME}
            """,
            "sees more than one volume group guests",
        ),
        ("", "is blank. Set shared_storage_initialise to true for the one host"),
    ],
    ids=["partition table", "LVM label", "another volume group", "elsewhere", "twice", "nobody said so"],
)
def test_a_volume_group_is_not_made_there(hosts, made, expected):
    if "LOCAL" in made and not hosts.local:
        hosts.local = hosts.node.disk("local", "64M").path
    blank = f"dd if=/dev/zero of={VOLUME} bs=1M count=1 oflag=direct status=none"
    made = made.replace("LOCAL", hosts.local or "")
    hosts.node.sh(f"wipefs -aq {VOLUME} {hosts.local or ''}; {blank}; {made}")
    before = hosts.node.ssh("wipefs", "--no-act", VOLUME).stdout
    told = words(hosts.role("volume_group", fails=True, shared_storage_initialise=made != ""))
    assert expected in told
    assert hosts.node.ssh("wipefs", "--no-act", VOLUME).stdout == before


def test_it_is_made_where_somebody_said_so_and_lvm_does_not_see_the_paths(hosts):
    hosts.role(shared_storage_initialise=True)
    assert hosts.node.sh("pvs --noheadings -o pv_name,vg_name").split() == [VOLUME, "guests"]
    # Not even where nothing says that they are a multipath device's.
    blind = 'devices{multipath_component_detection=0 multipath_wwids_file=""}'
    seen = hosts.node.ssh("pvs", "-a", "--noheadings", "-o", "pv_name", "--config", blind).stdout.split()
    shown = hosts.node.sh("multipathd show paths raw format '%w /dev/%d'").splitlines()
    paths = [line.split()[1] for line in shown if line.startswith(WWID)]
    assert len(paths) == 4
    assert not {*seen} & {*paths}


def test_a_lost_channel_stops_nobody_and_comes_back(hosts):
    with Writing(hosts.node) as writing:
        hosts.carriers(1, up=False)
        until(lambda: hosts.active() == 3, 60, lambda: hosts.node.sh("multipath -ll"))
        told = words(hosts.role("paths", fails=True, shared_storage_paths_timeout=1))
        assert "10.1.1.1:3260" in told
        assert "10.1.2.1:3260" not in told
        hosts.role("paths", shared_storage_paths_timeout=1, shared_storage_paths_required=False)
        hosts.carriers(1, up=True)
        until(lambda: hosts.active() == 4, 90, lambda: hosts.node.sh("multipath -ll"))
    assert hosts.sessions() == 4
    assert writing.failed == 0
    assert writing.longest_pause < 25


def test_all_channels_lost_for_a_while_fail_nothing(hosts):
    with Writing(hosts.node) as writing:
        hosts.carriers(*CHANNELS, up=False)
        until(lambda: hosts.active() == 0, 60, lambda: hosts.node.sh("multipath -ll"))
        assert "no path of ds3524 is active" in words(hosts.role("volume_group", fails=True))
        hosts.carriers(*CHANNELS, up=True)
        until(lambda: hosts.active() == 4, 90, lambda: hosts.node.sh("multipath -ll"))
        until(lambda: writing.seconds_since_the_last < 3, 30, lambda: hosts.node.sh("multipath -ll"))
    assert writing.failed == 0
    assert writing.longest_pause > 3


def test_a_reset_brings_all_of_it_back(hosts):
    uuid = hosts.node.ssh("vgs", "--noheadings", "-o", "vg_uuid", "guests").stdout
    hosts.node.sh("sync")
    hosts.node.reset()
    hosts.node.settle()
    until(lambda: hosts.active() == 4, 60, lambda: hosts.node.sh("iscsiadm -m session; multipath -ll"))
    assert hosts.sessions() == 4
    assert hosts.node.ssh("vgs", "--noheadings", "-o", "vg_uuid", "guests").stdout == uuid
    assert hosts.node.sh("pvs --noheadings -o pv_name").split() == [VOLUME]


class Writing:
    """Somebody writes to a logical volume meanwhile."""

    def __init__(self, node):
        self.node = node

    def __enter__(self):
        self.node.sh("rm -f /run/enough; lvs guests/disk >/dev/null 2>&1 || lvcreate -qq -y -L 64M -n disk guests")
        self.node.ssh("lvchange", "-ay", "guests/disk")
        self.node.put("/run/writer", WRITER)
        self.node.sh(
            ": >/run/written; systemd-run --quiet --collect --unit writer sh -c 'sh /run/writer >/run/written 2>&1';"
            " for i in $(seq 300); do [ $(wc -l </run/written) -le 10 ] || exit 0; sleep 0.2; done;"
            " cat /run/written; exit 1"
        )
        return self

    def __exit__(self, *_exception):
        self.node.sh("touch /run/enough; while systemctl -q is-active writer; do sleep 0.2; done", timeout=200)
        self.lines = self.node.ssh("cat", "/run/written").stdout.splitlines()

    @property
    def failed(self):
        return sum("." not in line or "failed" in line or "rror" in line for line in self.lines)

    @property
    def longest_pause(self):
        times = [float(line) for line in self.lines]
        assert len(times) > 10
        return max(later - earlier for earlier, later in itertools.pairwise(times))

    @property
    def seconds_since_the_last(self):
        now, last = self.node.sh("cut -d ' ' -f 1 /proc/uptime; tail -1 /run/written").split()[:2]
        return float(now) - float(last)
