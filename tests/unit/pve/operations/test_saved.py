# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is in a backup, and marks in descriptions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve.operations.saved import (
    ORIGIN,
    STAND_IN,
    UNFINISHED,
    Disk,
    Mark,
    mark_of,
    marked,
    saved_of,
    unmarked,
    unplugged,
)

VM = """#PACS of ward 7
#second line%3A with a colon
#vzdump#map:x
#qmdump#map:scsi0:drive-scsi0:local:raw:
boot: order=scsi0;net0
ide2: local:iso/debian.iso,media=cdrom
scsi0: shared:vm-100-disk-0,size=32G
scsi1: local-lvm:vm-100-disk-1,backup=0,size=1T
efidisk0: shared:vm-100-disk-2,efitype=4m,size=528K
net0: virtio=BC:24:11:00:00:01,bridge=vmbr0
[before]
scsi5: shared:vm-100-disk-9,size=1G
"""
CONTAINER = """hostname: ct
rootfs: local-lvm:vm-101-disk-0,size=8G
mp0: nas:vm-101-disk-1,mp=/srv,backup=1,size=2G
mp1: nas:vm-101-disk-2,mp=/cache,size=2G
mp2: /tank,mp=/tank,backup=1
"""


def test_a_vms_backup() -> None:
    saved = saved_of("qemu", VM)
    assert saved.description == "PACS of ward 7\nsecond line: with a colon"
    assert saved.disks == (Disk("efidisk0", "shared", 528 * 1024), Disk("scsi0", "shared", 32 * 1024**3))


def test_a_containers_backup() -> None:
    assert [disk.slot for disk in saved_of("lxc", CONTAINER).disks] == ["mp0", "rootfs"]


words = st.text(alphabet="abc:,./-_ \n", max_size=40)
marks = st.builds(
    Mark,
    st.sampled_from([ORIGIN, UNFINISHED, STAND_IN]),
    st.integers(min_value=100, max_value=999999999),
    st.text(alphabet="abc:/-_.,0", min_size=1, max_size=30).filter(lambda text: not text.endswith(",")),
)


@given(words, marks)
def test_a_mark_is_found_again_and_leaves_no_trace(description: str, mark: Mark) -> None:
    once = marked(description, mark)
    assert mark_of({"description": once}) == mark
    assert mark_of({"description": once + "\n"}) == mark, "containers' descriptions gain a line break"
    assert unmarked(once) == unmarked(description)
    assert marked(once, mark) == once, "one mark at most"
    assert mark_of({"description": unmarked(once)}) is None


def test_that_it_ran_is_remembered() -> None:
    mark = Mark(STAND_IN, 100, "nas:backup/x", ran=True)
    assert mark_of({"description": marked("", mark)}) == mark


def test_a_cable_that_is_out() -> None:
    assert unplugged("virtio=AA,bridge=vmbr0") == "virtio=AA,bridge=vmbr0,link_down=1"
    assert unplugged("virtio=AA,link_down=0,tag=5") == "virtio=AA,tag=5,link_down=1"
