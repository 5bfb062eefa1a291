# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of a container's options."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.doc_fragments.pve_guest import (
    BOTH,
    STATUS,
    VOLUME_RULES,
    suboptions,
)

_STATUS = STATUS.format(paused="", choices="running, stopped")

_OPTIONS = """
hostname:
  description:
    - The name of the container, a DNS name. Another name than the one found needs the consent C(rename_guest).
  type: str
ostemplate:
  description:
    - The volume id of the template that a new container is unpacked from, for example
      V(local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst). Needed for a new one, unless O(config[].clone) is given.
  type: str
storage:
  description:
    - The storage for the root file system of a new container that does not list C(rootfs), and for the volumes of a
      full clone. Without it, a root file system that is not listed is made on C(local).
  type: str
bwlimit:
  description: The most that cloning or unpacking may read, in KiB per second. Zero is no limit.
  type: float
ignore_unpack_errors:
  description: Whether errors while the template is unpacked are accepted.
  type: bool
password:
  description:
    - The password of root in a new container. It can be given only when the container is made.
  type: str
ssh_public_keys:
  description: Public keys that may log in as root in a new container, one a line. Looked at only when it is made.
  type: str
arch:
  description: The processor architecture. Proxmox VE finds it out from the template.
  type: str
  choices: [amd64, i386, arm64, armhf, riscv32, riscv64]
cmode:
  description: What the console shows, a login (C(tty)), the console device or a shell. The default is C(tty).
  type: str
  choices: [shell, console, tty]
console:
  description: Whether there is a console device. The default is V(true).
  type: bool
cores:
  description: How many processor cores the container may use. Without it all.
  type: int
cpulimit:
  description: The most processor time, in cores, for example V(1.5). The default, 0, is no limit.
  type: float
cpuunits:
  description: The container's weight when processors are short, relative to other guests. The default is 100.
  type: int
debug:
  description: Whether starting it is logged in detail. The default is V(false).
  type: bool
entrypoint:
  description: The program that is started first. The default is V(/sbin/init).
  type: str
env:
  description: Environment variables for that program, separated by blanks.
  type: str
features:
  description:
    - What the container may do beyond the usual, for example V(nesting=1,keyctl=1). Also a mapping, with C(nesting),
      C(keyctl), C(fuse), C(mknod), C(force_rw_sys) and C(mount) (a list of file systems).
    - An API token may only change C(nesting).
  type: raw
memory:
  description: Memory in MiB. The default is 512.
  type: int
ostype:
  description: The distribution, for which Proxmox VE sets up network and host name. It finds it out from the template.
  type: str
  choices: [debian, devuan, ubuntu, centos, fedora, opensuse, archlinux, alpine, gentoo, nixos, unmanaged]
swap:
  description: Swap space in MiB. The default is 512.
  type: int
timezone:
  description: The time zone, for example V(Europe/Vienna), or V(host) for the node's.
  type: str
tty:
  description: The number of terminals, 0 to 6. The default is 2.
  type: int
unprivileged:
  description:
    - Whether root in the container is an ordinary user on the node, as it should be. The default is V(false).
    - Fixed when the container is made.
  type: bool
"""

_DISKS = (
    """
disks:
  description:
    - The root file system and the mount points, by slot.
"""
    + VOLUME_RULES.strip("\n")
    + """
  type: list
  elements: dict
  suboptions:
    slot:
      description:
        - V(rootfs), or V(mp0) to V(mp255). Also V(unused0) and the like, with O(config[].disks[].state=absent).
        - A new volume is refused while one that was taken out (C(unusedN)) is left on the same storage, because the
          new one would be empty. Attach that one (O(config[].disks[].volume)), or list its slot as well to leave it
          where it is.
      type: str
      required: true
    state:
      description:
        - V(present), also when it is left out, makes the mount point be there as it is written.
        - V(detached) takes it out of the slot and keeps the volume as C(unusedN). Needs the consent C(detach_disk).
        - V(absent) destroys the volume. Needs the consent C(destroy_disk:<vmid>/<slot>). In a running container that
          happens after a restart, so it needs C(restart_guest) too; otherwise the volume is left as C(unusedN).
      type: str
      choices: [present, detached, absent]
    storage:
      description:
        - The storage on which a new volume is made. Needed for that.
        - Another storage than the one the volume is on is an error, because this module does not move volumes.
      type: str
    size:
      description:
        - The size, for example V(8G) or V(512M), a bare number in GiB. Needed for a new volume. A larger one lets it
          grow.
      type: str
    volume:
      description:
        - An existing volume by its id, or a directory of the node (which only root@pam with its password may use),
          instead of a new volume.
      type: str
    mp:
      description: Where it is mounted in the container, for example V(/srv). Not for C(rootfs).
      type: str
    acl:
      description: Whether access control lists are on. Without it that depends on the file system.
      type: bool
    backup:
      description: Whether the mount point is in backups. The default is V(false); the root file system always is.
      type: bool
    keepattrs:
      description: Whether owner and mode of the mounted directory stay as they are. The default is V(false).
      type: bool
    mountoptions:
      description: Mount options, without order, for example V([noatime, nodev]).
      type: list
      elements: str
    quota:
      description: Whether quotas can be used inside. The default is V(false).
      type: bool
    replicate:
      description: Whether the volume takes part in replication. The default is V(true).
      type: bool
    ro:
      description: Whether it is mounted read-only. The default is V(false).
      type: bool
    shared:
      description: Says that a directory that no storage manages is the same on all nodes. It does not make it so.
      type: bool
"""
)

_NICS = """
nics:
  description:
    - The network cards, by slot. A card keeps its MAC address when something else about it changes.
    - Slots that are not listed are left alone, whatever O(unlisted_options) says.
  type: list
  elements: dict
  suboptions:
    slot:
      description: V(net0) to V(net31).
      type: str
      required: true
    state:
      description: V(absent) removes the card, which needs the consent C(detach_nic).
      type: str
      choices: [present, absent]
    name:
      description: The name in the container, for example V(eth0). Needed for a new card.
      type: str
    bridge:
      description: The bridge or virtual network that the card is connected to. Needed for a new card.
      type: str
    hwaddr:
      description: The MAC address. Without it Proxmox VE chooses one, which the card keeps.
      type: str
    firewall:
      description: Whether the firewall's rules apply to the card. The default is V(false).
      type: bool
    gw:
      description: The IPv4 gateway.
      type: str
    gw6:
      description: The IPv6 gateway.
      type: str
    host_managed:
      description: Whether the node configures the card instead of the container. The default is V(false).
      type: bool
    ip:
      description: The IPv4 address with its prefix, or V(dhcp) or V(manual).
      type: str
    ip6:
      description: The IPv6 address with its prefix, or V(auto), V(dhcp) or V(manual).
      type: str
    link_down:
      description: Whether the cable is pulled. The default is V(false).
      type: bool
    mtu:
      description: The largest packet.
      type: int
    rate:
      description: The most megabytes per second.
      type: float
    tag:
      description: The VLAN that the card is in, 1 to 4094.
      type: int
    trunks:
      description: The VLANs that pass through with their tags, for example V([20, 30-40]).
      type: list
      elements: str
"""

_DEVICES = """
devices:
  description:
    - Devices of the node that are passed into the container, by slot. Only root@pam with its password may set them.
  type: list
  elements: dict
  suboptions:
    slot:
      description: V(dev0) to V(dev255).
      type: str
      required: true
    state:
      description: V(absent) takes the device out.
      type: str
      choices: [present, absent]
    path:
      description: The device on the node, for example V(/dev/fuse). Needed for a new one.
      type: str
    deny_write:
      description: Whether the container may only read it. The default is V(false).
      type: bool
    gid:
      description: The group in the container that owns it.
      type: int
    mode:
      description: The file mode in the container, for example V('0660').
      type: str
    uid:
      description: The user in the container that owns it.
      type: int
"""


class ModuleDocFragment:
    # Annotated, because ansible-test's yamllint takes every plain assignment in a fragment for a literal.
    DOCUMENTATION: str = suboptions(BOTH, _STATUS, _OPTIONS, _DISKS, _NICS, _DEVICES)
