# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What somebody would look at who does not trust the role: ZFS itself, the mounts, the timers."""

from __future__ import annotations

import re


def test_every_disk_is_where_it_was_described(host):
    status = host.check_output("zpool status backup")
    vdevs = re.findall(r"^\t *(\S+) +(ONLINE|AVAIL)", status, re.MULTILINE)
    kinds = ["disk" if name.startswith("scsi-3") else name for name, _state in vdevs]
    assert kinds == ["backup", "raidz2-0", *["disk"] * 6, "disk", "disk"]
    assert vdevs[-1][1] == "AVAIL"
    assert "logs" in status


def test_two_disks_may_fail(host):
    """Data stays readable without them, and they come back."""
    host.check_output("dd if=/dev/urandom of=/backup/archive/scan bs=1M count=8 status=none")
    before = host.check_output("sha256sum /backup/archive/scan")
    disks = re.findall(r"scsi-3\S+", host.check_output("zpool status backup"))[:2]
    host.check_output("zpool offline backup %s && zpool offline backup %s", *disks)
    host.check_output("zfs unmount backup/archive && zfs mount backup/archive")
    assert host.check_output("sha256sum /backup/archive/scan") == before
    host.check_output("zpool online backup %s && zpool online backup %s", *disks)


def test_datasets_are_mounted_with_their_properties(host):
    assert host.mount_point("/backup").filesystem == "zfs"
    assert host.mount_point("/backup/pve").filesystem == "zfs"
    assert host.check_output("zfs get -Hpo value recordsize,compression,atime backup/pve").split() == [
        "1048576",
        "on",
        "off",
    ]
    assert host.check_output("zfs get -Hpo value quota backup/archive") == str(500 << 20)


def test_there_is_a_snapshot_of_today(host):
    (snapshot,) = host.check_output("zfs list -Ho name -t snapshot -r backup").splitlines()
    assert snapshot.startswith("backup/archive@")


def test_one_timer_scrubs_it(host):
    assert host.service("zfs-scrub-weekly@backup.timer").is_enabled
    assert host.service("zfs-scrub-weekly@backup.timer").is_running
    assert not host.service("zfs-scrub-monthly@backup.timer").is_enabled
    assert host.check_output("zfs get -Ho value org.debian:periodic-scrub backup") == "disable"


def test_a_boot_imports_and_mounts_it(host):
    for unit in ("zfs-import-cache.service", "zfs-import.target", "zfs-mount.service", "zfs.target"):
        assert host.service(unit).is_enabled
    assert "name: 'backup'" in host.check_output("zdb -C -U /etc/zfs/zpool.cache")
