# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The state each recording began with, what happened to the cluster meanwhile, and which areas it is about."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.pve import Lab
from lab.pve.guests import Ct, Vm

AREAS = {
    "storage": r"^/storage(/|$)|^/nodes/[^/]+/storage(/[^/]+)?(/status)?$|^/nodes/[^/]+/storage/[^/]+/content",
    "pools": r"^/pools(/|$)",
    "access": r"^/access(/|$)",
    "ha": r"^/cluster/ha(/|$)",
    "backup jobs": r"^/cluster/backup",
    "cluster options": r"^/cluster/options$",
    "small tables": r"^/cluster/(mapping/dir|metrics/server)(/|$)",
    "replication": r"^/cluster/replication(/|$)|^/nodes/[^/]+/replication$",
    "network": r"^/nodes/[^/]+/network(/|$)",
    "backups": r"^/nodes/[^/]+/vzdump(/|$)",
    "tasks": r"^/nodes/[^/]+/tasks(/|$)|^/cluster/tasks$",
    "guests": r"^/nodes/[^/]+/(qemu|lxc)(/(?!.*(firewall|rrd|remote_migrate))|$)",
    "cluster": r"^/cluster/config(/|$)",
    "inventory": r"^/cluster/(resources|status|nextid)$|^/nodes(/[^/]+/(status|version))?$|^/version$",
}
TEMPLATE = "vztmpl/debian-12-mini_12.0_amd64.tar.gz"
UUID = "00000000-0000-4000-8000-000000000100"
GIB = 1024**3
Start = Callable[[Lab], None]


def area_of(path: str) -> str | None:
    """The area a path belongs to, or None if the lab does not claim to know it."""
    plain = path.partition("?")[0]
    return next((name for name, pattern in AREAS.items() if re.search(pattern, plain)), None)


@dataclass(frozen=True)
class Scene:
    """`start` prepares the lab; `sections` change it on the way, and so does `before`, by the number of an exchange,
    where a task failed for reasons of the recorded host's own; `areas` and `skip` restrict what is replayed; `token` is
    who asks, instead of root@pam with its password."""

    file: str
    start: Start
    sections: dict[str, Start] = field(default_factory=dict)
    before: dict[int, Start] = field(default_factory=dict)
    areas: tuple[str, ...] = ()
    skip: str = ""
    token: str = ""

    def area(self, method: str, path: str) -> str | None:
        name = area_of(path)
        if name is None or (self.areas and name not in self.areas):
            return None
        if self.skip and re.search(self.skip, f"{method} {path}"):
            return None
        return name


# ------------------------------------------------------------------ building blocks


def change(lab: Lab, function: Callable[[Any], None]) -> None:
    """Edit the cluster in the server's thread."""
    lab.call(lambda: function(lab.cluster))


def basics(lab: Lab) -> None:
    """The recorded cluster: one directory storage that takes everything, and a container template."""

    def edit(cluster: Any) -> None:
        cluster.cluster_name = "testcl"
        local = cluster.storages["local"]
        local["content"] = "iso,vztmpl,backup,snippets,images,rootdir"
        local["prune-backups"] = "keep-all=1"
        local["total"] = 270553174016
        local["volumes"] = {
            TEMPLATE: {"content": "vztmpl", "format": "tgz", "size": 15014, "ctime": 1795307689},
        }
        cluster.storages = {"local": local}
        cluster.accounts["root@pam"]["tokens"].clear()
        cluster.keep_token("root@pam!ansible", "ansible-secret")

    change(lab, edit)


def vm(
    cluster: Any, vmid: int, node: str, name: str, memory: int, cores: int = 1, disk: int = 0, tags: str = "",
    running: bool = False, **extra: Any,
) -> Vm:  # fmt: skip
    """A QEMU guest that was there before the recording began; memory in MiB, disk in GiB."""
    config: dict[str, Any] = {
        "name": name,
        "memory": str(memory),
        "boot": " ",
        "vmgenid": UUID,
        "smbios1": "uuid=" + UUID,
    }
    if cores > 1:
        config["cores"] = cores
    if disk:
        volid = cluster.allocate("local", vmid, disk * GIB, "qcow2", node)
        config.update(scsi0=f"{volid},size={disk}G", boot="order=scsi0")
    if tags:
        config["tags"] = tags
    config.update(extra)
    guest = Vm(vmid, node, config)
    if running:
        cluster.mark_running(guest)
        guest.booted_cpus = cluster.cpus_of(guest)
        # Nothing runs inside the recorded machines: nothing answers ACPI or gives devices up.
        guest.acpi = False
    cluster.enter(guest)
    return guest


def ct(
    cluster: Any, vmid: int, node: str, name: str, memory: int, disk: int = 1, tags: str = "", cores: int = 0,
    **extra: Any,
) -> Ct:  # fmt: skip
    """A container that was there before the recording began."""
    volid = cluster.allocate("local", vmid, disk * GIB, None, node, content="rootdir")
    config: dict[str, Any] = {
        "hostname": name, "memory": memory, "swap": 512, "arch": "amd64", "ostype": "debian", "unprivileged": 1,
        "rootfs": f"{volid},size={disk}G",
    }  # fmt: skip
    if cores:
        config["cores"] = cores
    if tags:
        config["tags"] = tags
    config.update(extra)
    guest = Ct(vmid, node, config)
    cluster.enter(guest)
    return guest


def bulk_guests(cluster: Any) -> None:
    """The four guests the later recordings share."""
    vm(cluster, 100, "pve1", "vm100", 1024, 2, 8, "bulk;even")
    vm(cluster, 101, "pve2", "vm101", 1024, 2, 8, "bulk;odd")
    ct(cluster, 102, "pve3", "ct102", 256, 2, "bulk;ct", cores=1)
    vm(cluster, 103, "pve3", "vm103", 64)


# --------------------------------------------------------------------------- scenes


def _empty(lab: Lab) -> None:
    basics(lab)


def _no_template(lab: Lab) -> None:
    basics(lab)
    change(lab, lambda cluster: cluster.storages["local"]["volumes"].clear())


def _running_vm(lab: Lab) -> None:
    basics(lab)

    def edit(cluster: Any) -> None:
        vm(
            cluster, 100, "pve1", "vm100", 128, 1, 1, running=True, scsihw="virtio-scsi-pci", agent="1",
            net0="virtio=BC:24:11:63:0C:31,bridge=vmbr0", boot="order=scsi0;net0", meta="x",
        )  # fmt: skip

    change(lab, edit)


def _clone(lab: Lab) -> None:
    basics(lab)
    change(lab, bulk_guests)


def _add_import_storage(lab: Lab) -> None:
    def edit(cluster: Any) -> None:
        cluster.storages["st2"]["volumes"]["import/d.qcow2"] = {
            "content": "import", "format": "qcow2", "size": 196624, "virtual": GIB, "ctime": int(time.time()),
        }  # fmt: skip

    change(lab, edit)


def _logins(lab: Lab) -> None:
    basics(lab)

    def edit(cluster: Any) -> None:
        cluster.groups["ops"] = "Ops team"
        cluster.new_account("alice@pve").update(comment="x y", email="a@example.test", firstname="Al")
        cluster.new_token("alice@pve", "t1", "t1-secret")
        cluster.accounts["alice@pve"]["tokens"]["t1"].update(expire=1900000000, comment="tok")

    change(lab, edit)


def _limited_token(lab: Lab) -> None:
    """Made between the two halves of the recording."""
    change(lab, lambda cluster: cluster.new_token("alice@pve", "t9", "t9-secret"))


def _one_user(lab: Lab) -> None:
    basics(lab)
    change(lab, lambda cluster: cluster.new_account("u1@pve").update(enable=0))


def _tasks(lab: Lab) -> None:
    basics(lab)
    script = {"content": "snippets", "format": "snippet", "size": 17, "ctime": 1795308785}
    change(lab, lambda cluster: cluster.storages["local"]["volumes"].update({"snippets/slow.sh": script}))


def _edited_meanwhile(lab: Lab) -> None:
    """Another client's doing, as the next answer shows."""
    lab.set_config(330, memory=None, description="x")


def _other_tasks(*tasks: tuple[str, str, str]) -> Start:
    """Tasks other clients of the recorded cluster ran: (type, id, exit status)."""

    def start(lab: Lab) -> None:
        def edit(cluster: Any) -> None:
            for kind, number, exitstatus in tasks:
                upid, pid, now = cluster._upid("pve1", kind, number, "root@pam")
                record = {
                    "upid": upid, "node": "pve1", "pid": pid, "pstart": pid * 7, "starttime": now, "endtime": now,
                    "type": kind, "id": number, "user": "root@pam", "status": "stopped", "exitstatus": exitstatus,
                    "log": [],
                }  # fmt: skip
                cluster.tasks[upid] = record
                cluster.tasklog.append(record)

        change(lab, edit)

    return start


def _limited(lab: Lab) -> None:
    basics(lab)
    _staged_interfaces(lab)

    def edit(cluster: Any) -> None:
        one, two = (f"node={name},path=/var/tmp" for name in ("pve1", "pve2"))
        cluster.dir_mappings = {"rtdir": {"map": [one]}, "sample1": {"map": [one, two]}}
        cluster.cluster_options["migration"] = "type=insecure"
        bulk_guests(cluster)
        vm(cluster, 340, "pve1", "lim1", 64, meta="x")
        vm(cluster, 341, "pve1", "lim2", 64, meta="x")
        cluster.new_account("u2@nope")
        iso = {"content": "iso", "format": "iso", "size": 100000, "ctime": 1795308785}
        cluster.storages["local"]["volumes"]["iso/x.iso"] = iso

    change(lab, edit)


def _lim_tokens(lab: Lab) -> None:
    """What the recording says in words."""

    def edit(cluster: Any) -> None:
        cluster.new_token("lim@pve", "aa", "aa-secret", privsep=1)
        cluster.new_token("lim@pve", "bb", "bb-secret", privsep=0)

    change(lab, edit)


def _another_pool(lab: Lab) -> None:
    """Another session's."""
    change(lab, lambda cluster: cluster.pools.update(invp=set()))


def _staged_interfaces(lab: Lab) -> None:
    """What another session had left."""
    network = lab.network("pve1")
    network.stage("rtovs", type="OVSBridge", autostart=1)
    network.stage("rtvl", {"type": "vlan", "vlan-raw-device": "eno2", "vlan-id": "41"})


def _inventory(lab: Lab) -> None:
    basics(lab)
    _staged_interfaces(lab)

    def edit(cluster: Any) -> None:
        bulk_guests(cluster)
        for vmid, name in ((300, "src"), (301, "full1"), (302, "Copy-of-VM-src")):
            vm(cluster, vmid, "pve1", name, 128, 1, 3, "t1;t2")
        vm(cluster, 303, "pve1", "Copy-of-VM-src", 128, tags="t1;t2", lock="clone")
        vm(cluster, 340, "pve1", "lim1", 128)
        vm(cluster, 341, "pve1", "lim2", 64)
        vm(cluster, 500, "pve1", "rtvm", 512, 1, 1)
        ct(cluster, 600, "pve2", "rtct", 256, 1, lock="backup", swap=128)

    change(lab, edit)


def _one_of_three(lab: Lab) -> None:
    basics(lab)

    def edit(cluster: Any) -> None:
        cluster.cluster_options["migration"] = "type=insecure"
        cluster.new_account("u2@nope")
        bulk_guests(cluster)
        cluster.mark_running(cluster.guest(103))
        vm(cluster, 330, "pve1", "tk", 512, 1, 1, running=True)
        ct(cluster, 322, "pve1", "c320", 64)
        for vmid, node, tags in (
            (400, "pve1", "even"),
            (401, "pve2", "odd"),
            (403, "pve1", "odd"),
            (404, "pve2", "even"),
        ):
            vm(cluster, vmid, node, f"vm{vmid}", 1024, 2, 8, f"bulk;{tags}")
        guest = cluster.guest(400)
        guest.config.update(
            boot="order=scsi0;net0", scsihw="virtio-scsi-single", ostype="l26", sockets=1, numa=0,
            net0="virtio=BC:24:11:00:01:90,bridge=vmbr0",
        )  # fmt: skip
        for vmid in (402, 405):
            ct(cluster, vmid, "pve3", f"ct{vmid}", 256, 2, "bulk;ct", cores=1)
        cluster.ha_master, cluster.ha_active = "pve2", True

    change(lab, edit)


APPLIED = """auto lo
iface lo inet loopback

iface eno1 inet manual

iface eno2 inet manual

auto eno3
iface eno3 inet manual

auto eno4
iface eno4 inet manual

auto vlan50
iface vlan50 inet manual
    ovs_type OVSIntPort
    ovs_bridge vmbr2

auto bond0
iface bond0 inet manual
    ovs_bonds eno3 eno4
    ovs_type OVSBond
    ovs_bridge vmbr2
    ovs_options bond_mode=active-backup

auto vmbr0
iface vmbr0 inet static
    address 10.99.0.11/24
    gateway 10.99.0.1
    bridge-ports eno1
    bridge-stp off
    bridge-fd 0

iface vmbr1 inet manual
    bridge-ports none
    bridge-stp off
    bridge-fd 0

auto vmbr2
iface vmbr2 inet manual
    ovs_type OVSBridge
    ovs_ports vlan50 bond0

source /etc/network/interfaces.d/*
"""


def _applied_before(lab: Lab) -> None:
    """What an earlier session had applied."""
    basics(lab)
    lab.network("pve1").boot_with(APPLIED)


def _powered_on(lab: Lab) -> None:
    lab.regain_quorum()
    for node in ("pve2", "pve3"):
        lab.node_online(node)


def _offline(*nodes: str) -> Start:
    def start(lab: Lab) -> None:
        for node in nodes:
            lab.node_offline(node)
        if len(nodes) == 2:
            lab.lose_quorum()

    return start


def _all_back(lab: Lab) -> None:
    _powered_on(lab)
    # What ran on the dead node does not run after its restart.
    change(lab, lambda cluster: cluster.mark_stopped(cluster.guest(103)))


def _failing(kind: str, exitstatus: str = "failed on the recorded host") -> Start:
    """The next task of this kind fails: the recorded host lacked a program, or a way to its neighbour."""

    def start(lab: Lab) -> None:
        lab.fail_tasks(kind, exitstatus)

    return start


def _config_lock(held: bool) -> Start:
    """Another task holds the container's configuration lock, as a resize does."""

    def start(lab: Lab) -> None:
        change(lab, lambda cluster: setattr(cluster.guest(200), "lock_holder", "resize" if held else None))

    return start


GENISOIMAGE = (
    "command 'set -o pipefail && genisoimage -quiet -iso-level 3 -J -R -V cidata /run/pve/cloudinit/{0}/ | qemu-img dd"
    " -n -f raw -O qcow2 'isize=0' 'osize=4194304' 'of=/var/lib/vz/images/{0}/vm-{0}-cloudinit.qcow2''"
    " failed: exit code 1"
)
QEMU_IMG = (
    "command '/usr/bin/qemu-img resize '--preallocation=metadata' -f qcow2"
    " /var/lib/vz/images/301/base-301-disk-0.qcow2 4294967296' failed: exit code 1"
)

SCENES = [
    Scene("01-storage-pools.txt", _empty, skip="^POST /access"),
    Scene("02-cluster-crud.txt", _empty, areas=("backup jobs", "cluster options", "inventory")),
    Scene("03-network.txt", _empty),
    Scene("04-ovs.txt", _empty),
    Scene("06-apply.txt", _applied_before),
    Scene(
        "13-network-merge-offline-noquorum.txt",
        _empty,
        {"pve3 offline": _offline("pve3"), "pve2 offline too: no quorum": _offline("pve2", "pve3")},
        before={54: _powered_on},
        areas=("network", "guests", "tasks", "inventory"),
    ),
    Scene("14-network-merge.txt", _empty, areas=("network",)),
    Scene("07-qemu.txt", _no_template, before={33: _failing("qmclone")}),
    Scene(
        "08-running-vm.txt",
        _running_vm,
        before={17: _failing("qmsnapshot"), 30: _failing("qmigrate", "migration aborted")},
    ),
    Scene("09-ha-repl-misc.txt", _empty),
    Scene("10-auth-encoding.txt", _logins, {"permissions": _limited_token}),
    Scene(
        "12-lxc.txt",
        _empty,
        before={9: _config_lock(True), 10: _config_lock(False), 11: _failing("vzstart"), 21: _failing("vzdump")},
        skip="download-url",
    ),
    Scene(
        "22-clone-template-snapshot-disk.txt",
        _clone,
        {"import": _add_import_storage},
        before={
            60: _failing("resize", QEMU_IMG),
            109: _failing("qmstart", GENISOIMAGE.format(300)),
            119: _failing("qmigrate", "migration aborted"),
        },
        skip="cloudinit(/dump)?$|import-metadata",
    ),
    Scene(
        "23-tasks.txt",
        _tasks,
        before={
            12: _edited_meanwhile,
            20: _failing("vzdump", "job errors"),
            22: _failing("vzdump", "job errors"),
            23: _other_tasks(("qmconfig", "300", "OK")),
            29: _other_tasks(("qmconfig", "300", "OK")),
            34: _other_tasks(("qmconfig", "300", "OK")),
            58: _other_tasks(("qmstop", "300", "OK")),
        },
        skip="download-url",
    ),
    Scene(
        "24-limited-token.txt",
        _limited,
        {"reads of a token without any acl entry": _lim_tokens, "reads as PVEAuditor": _another_pool},
    ),
    Scene("20-access.txt", _empty),
    Scene("20b-root-disabled.txt", _one_user, token="root@pam!ansible"),
    Scene(
        "25-node-down-no-quorum.txt",
        _one_of_three,
        {
            "pve3 stopped, after 25 s": _offline("pve3"),
            "pve2 stopped too, no quorum": _offline("pve2", "pve3"),
            "both started again": _all_back,
        },
    ),
    Scene(
        "26-inventory.txt",
        _inventory,
        before={18: _failing("qmstart", GENISOIMAGE.format(350)), 45: lambda lab: lab.set_config(500, boot=" ")},
    ),
]
