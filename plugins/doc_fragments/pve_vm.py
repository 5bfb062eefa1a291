# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of a VM's options."""

from __future__ import annotations

import textwrap

from ansible_collections.hospital.continuity.plugins.doc_fragments.pve_guest import (
    BOTH,
    STATUS,
    VOLUME_RULES,
    family,
    suboptions,
)

_STATUS = STATUS.format(
    paused="    - V(paused) halts it where it is, with its memory kept, which also needs C(stop_guest).\n",
    choices="running, stopped, paused",
)

_OPTIONS = """
name:
  description:
    - The name of the VM, a DNS name. Another name than the one found needs the consent C(rename_guest).
  type: str
storage:
  description:
    - The storage for the disks of a full clone. Without it they are made where the original's are.
  type: str
format:
  description:
    - The format of the disks of a full clone, on storages of files.
  type: str
  choices: [raw, qcow2, vmdk]
import_working_storage:
  description:
    - The storage for files that are unpacked while a disk of a new VM is imported. Only looked at then.
  type: str
bwlimit:
  description:
    - The most that cloning or importing may read, in KiB per second. Zero is no limit.
  type: int
acpi:
  description: Whether the VM has ACPI, without which it cannot be shut down in an orderly way. The default is V(true).
  type: bool
affinity:
  description:
    - The host's processor cores that the VM runs on, for example V(0,4-7). Only root@pam with its password may set it.
  type: str
agent:
  description:
    - The QEMU guest agent. V(1) or V(true) says that it is installed in the VM. More of it is written
      V(enabled=1,fstrim_cloned_disks=1) or as a mapping with C(enabled), C(fstrim_cloned_disks),
      C(freeze-fs-on-backup) and C(type) (C(virtio) or C(isa)).
  type: raw
allow_ksm:
  description: Whether memory pages may be shared with other VMs by KSM. The default is V(true).
  type: bool
amd_sev:
  description:
    - Encryption of the VM's memory by AMD processors, for example V(type=snp,kernel-hashes=1). Also a mapping, with
      C(type) (C(std), C(es), C(snp)), C(allow-smt), C(kernel-hashes), C(no-debug) and C(no-key-sharing). Only root@pam
      with its password may set it.
  type: raw
arch:
  description: The processor architecture. Without it the node's. Only root@pam with its password may set it.
  type: str
  choices: [x86_64, aarch64]
args:
  description: More arguments for QEMU, as one line. Only root@pam with its password may set it.
  type: str
audio0:
  description:
    - A sound card, for example V(device=ich9-intel-hda). Also a mapping, with C(device) (C(ich9-intel-hda),
      C(intel-hda), C(AC97)) and C(driver) (C(spice), C(none)).
  type: raw
autostart:
  description: Restart after a crash. Proxmox VE keeps the option and does nothing with it at present.
  type: bool
balloon:
  description:
    - The least memory in MiB that the node may leave the VM when it is short of memory. V(0) switches the balloon
      device off. Without it the VM always has O(config[].memory).
  type: int
bios:
  description: The firmware. C(ovmf) is UEFI and wants an C(efidisk0) in O(config[].disks). The default is V(seabios).
  type: str
  choices: [seabios, ovmf]
boot:
  description:
    - The devices to boot from, the first one first, for example V([scsi0, net0]).
    - Proxmox VE makes the list for a new VM and changes it when devices come and go, so it is never reset.
  type: list
  elements: str
bootdisk:
  description: The boot disk in the old way. Use O(config[].boot) instead.
  type: str
cicustom:
  description:
    - Files that replace those that are made for cloud-init, for example V(user=local:snippets/user.yml). Also a
      mapping, with C(meta), C(network), C(user) and C(vendor).
  type: raw
cipassword:
  description:
    - The password that cloud-init gives to O(config[].ciuser). It cannot be read back, see O(update_secrets).
      Keys in O(config[].sshkeys) are the better way.
  type: str
citype:
  description: The form of the cloud-init data. Without it C(nocloud) for Linux and C(configdrive2) for Windows.
  type: str
  choices: [configdrive2, nocloud, opennebula]
ciupgrade:
  description: Whether cloud-init upgrades the packages at the first start. The default is V(true).
  type: bool
ciuser:
  description: The user for whom cloud-init sets password and keys, instead of the image's own.
  type: str
cores:
  description: Cores for each socket. The default is 1.
  type: int
cpu:
  description:
    - The processor that the VM sees, for example V(host) or V(x86-64-v2-AES,flags=+aes). Also a mapping, with
      C(cputype), C(flags) (a list such as V([+aes, -pcid])), C(hidden), C(hv-vendor-id), C(phys-bits),
      C(guest-phys-bits) and C(reported-model). The default is C(kvm64).
    - A VM that is migrated while it runs needs one that all nodes can provide, so not V(host) on unlike nodes.
  type: raw
cpulimit:
  description: The most processor time, in cores, for example V(1.5). The default, 0, is no limit.
  type: float
cpuunits:
  description: The VM's weight when processors are short, relative to other guests. The default is 100.
  type: int
freeze:
  description: Do not run the processor at start, until somebody says so on QEMU's monitor. The default is V(false).
  type: bool
hotplug:
  description:
    - What can be changed while the VM runs, of C(network), C(disk), C(usb), C(memory), C(cpu) and C(cloudinit). The
      default is the first three. V([0]) is nothing.
  type: list
  elements: str
hugepages:
  description: Use huge memory pages of this many MiB. Needs O(config[].numa).
  type: str
  choices: [any, '2', '1024']
intel_tdx:
  description:
    - Encryption of the VM by Intel processors, for example V(type=tdx,attestation=1). Also a mapping, with C(type),
      C(attestation), C(vsock-cid) and C(vsock-port). Only root@pam with its password may set it.
  type: raw
ivshmem:
  description:
    - Memory shared with the host or with other VMs, for example V(size=32,name=probe), MiB for the size. Also a
      mapping. Only root@pam with its password may set it.
  type: raw
keephugepages:
  description: Whether huge pages stay allocated after the VM has stopped. The default is V(false).
  type: bool
keyboard:
  description: The keyboard layout of the VNC console. Normally not needed.
  type: str
  choices: [de, de-ch, da, en-gb, en-us, es, fi, fr, fr-be, fr-ca, fr-ch, hu, is, it, ja, lt, mk, nl, 'no', pl, pt,
            pt-br, sv, sl, tr]
kvm:
  description: Whether the processor's virtualisation is used. The default is V(true).
  type: bool
localtime:
  description: Whether the VM's clock is local time. Without it that depends on O(config[].ostype), as Windows wants it.
  type: bool
machine:
  description:
    - The machine type, for example V(q35), V(pc) or V(pc-q35-9.0). Also a mapping, with C(type), C(viommu),
      C(enable-s3), C(enable-s4) and C(aw-bits). The default is C(pc).
    - For Windows, Proxmox VE pins the type to the version the VM was made with. V(q35) and V(pc) agree with such a
      version, and leaving the option out never resets it.
  type: raw
memory:
  description: Memory in MiB. The default is 512.
  type: int
migrate_downtime:
  description: The longest pause at the end of a live migration, in seconds. The default is 0.1.
  type: float
migrate_speed:
  description: The most that a migration may transfer, in MB per second. The default, 0, is no limit.
  type: int
numa:
  description: Whether the VM sees NUMA nodes. The default is V(false).
  type: bool
ostype:
  description:
    - The operating system, to which Proxmox VE adapts defaults. C(l26) is Linux, C(win11) also Windows Server 2022
      and 2025, C(win10) 2016 and 2019, C(win8) 2012 and 2012 R2, C(win7) 2008 R2. The default is C(other).
  type: str
  choices: [other, wxp, w2k, w2k3, w2k8, wvista, win7, win8, win10, win11, l24, l26, solaris]
reboot:
  description: Whether the VM may restart itself. With V(false) it stops instead. The default is V(true).
  type: bool
rng0:
  description:
    - A source of random numbers, for example V(source=/dev/urandom). Also a mapping, with C(source), C(max_bytes) and
      C(period).
  type: raw
scsihw:
  description:
    - The SCSI controller. V(virtio-scsi-single) suits modern systems and is needed for C(iothread). The default is
      C(lsi).
  type: str
  choices: [lsi, lsi53c810, virtio-scsi-pci, virtio-scsi-single, megasas, pvscsi]
shares:
  description: The VM's weight when memory is distributed by ballooning. The default is 1000, and 0 takes no part.
  type: int
smbios1:
  description:
    - What the VM sees as its maker and serial number, for example V(manufacturer=Acme,serial=42). Also a mapping, with
      C(manufacturer), C(product), C(version), C(serial), C(sku), C(family), C(uuid) and C(base64). With C(base64=1),
      the other values are in base64, except C(uuid).
    - The UUID that a VM has stays, unless another one is written.
  type: raw
sockets:
  description: Processor sockets. The default is 1.
  type: int
spice_enhancements:
  description:
    - Extras of SPICE, for example V(foldersharing=1,videostreaming=all). Also a mapping. Only root@pam with its
      password may set it.
  type: raw
sshkeys:
  description: Public keys that cloud-init lets in, one a line, as in an authorized_keys file.
  type: str
startdate:
  description: The date at which the VM's clock starts, for example V(2026-01-31T12:00:00). The default is V(now).
  type: str
tablet:
  description: Whether there is a USB tablet, which keeps the pointer in place on VNC. The default is V(true).
  type: bool
tdf:
  description: Whether time drift is fixed. The default is V(false).
  type: bool
vcpus:
  description: How many processors are plugged in at start, of all that the VM may have. Without it all.
  type: int
vga:
  description:
    - The graphics card, for example V(qxl) or V(type=virtio,memory=64). Also a mapping, with C(type), C(memory) in MiB
      and C(clipboard). The default is C(std).
  type: raw
vmgenid:
  description:
    - The generation id, by which Windows notices that it has been restored or copied. Proxmox VE makes one, which is
      kept. V(1) makes one where there is none, V(0) switches it off.
    - Only root@pam with its password may set it.
  type: str
vmstatestorage:
  description: The storage for the memory of hibernated VMs and of snapshots.
  type: str
watchdog:
  description:
    - A watchdog device, for example V(model=i6300esb,action=reset). Also a mapping, with C(model) (C(i6300esb),
      C(ib700)) and C(action) (C(reset), C(shutdown), C(poweroff), C(pause), C(debug), C(none)).
  type: raw
"""

_FAMILIES = "".join(
    [
        family(
            "hostpci",
            16,
            "raw",
            "A PCI device of the node, for example V(mapping=gpu,pcie=1) or V(host=0000:01:00.0). Also a mapping, with",
        ).replace(
            "Also a mapping, with\n",
            "Also a mapping, with\n      C(host) or C(mapping), C(device-id), C(driver), C(legacy-igd), C(mdev), "
            "C(pcie), C(rombar), C(romfile),\n      C(sub-device-id), C(sub-vendor-id), C(vendor-id) and C(x-vga).\n"
            "    - Only root@pam with its password may use C(host). A token can use C(mapping).\n",
        ),
        family(
            "ipconfig",
            32,
            "raw",
            "The addresses that cloud-init gives to C(net0), for example V(ip=192.0.2.10/24,gw=192.0.2.1).",
            "Also a mapping, with C(ip) (an address and its prefix, or C(dhcp)), C(gw), C(ip6) (or C(auto)), C(gw6).",
        ),
        family(
            "numa",
            8,
            "raw",
            "A NUMA node of the VM, for example V(cpus=0-3,memory=4096,hostnodes=0,policy=bind). Also a mapping.",
        ),
        family("parallel", 3, "str", "A parallel port of the node, V(/dev/parport0) or V(/dev/usb/lp0)."),
        family(
            "serial",
            4,
            "str",
            "A serial port. V(socket) for a terminal on the node, or a device such as V(/dev/ttyS0).",
        ),
        family(
            "usb",
            14,
            "raw",
            "A USB device, for example V(mapping=dongle) or V(host=1234:5678,usb3=1), or V(spice).",
            "Also a mapping, with C(host) or C(mapping), and C(usb3).",
        ),
        family(
            "virtiofs",
            10,
            "raw",
            "A directory of the node shared with the VM, for example V(dirid=exchange,cache=auto).",
            "Also a mapping, with C(dirid) (its mapping), C(cache), C(direct-io), C(expose-acl) and C(expose-xattr).",
        ),
    ]
)


def _limits() -> str:
    lines = []
    for way, words in (("", "reading and writing together"), ("_rd", "reading"), ("_wr", "writing")):
        for name, of_type, text in (
            (f"bps{way}", "int", f"The most bytes per second for {words}."),
            (f"bps{way}_max_length", "int", f"How many seconds a burst of bytes may last for {words}."),
            (f"iops{way}", "int", f"The most operations per second for {words}."),
            (f"iops{way}_max", "int", f"The most operations per second in a burst for {words}."),
            (f"iops{way}_max_length", "int", f"How many seconds a burst of operations may last for {words}."),
            (f"mbps{way}", "float", f"The most megabytes per second for {words}."),
            (f"mbps{way}_max", "float", f"The most megabytes per second in a burst for {words}."),
        ):
            lines += [f"{name}:", f"  description: {text}", f"  type: {of_type}"]
    return "\n".join(lines) + "\n"


_DISKS_HEAD = (
    """
disks:
  description:
    - The drives, by slot. Disks, CD-ROMs, the cloud-init drive, the EFI disk and the TPM state.
"""
    + VOLUME_RULES.strip("\n")
    + """
  type: list
  elements: dict
  suboptions:
"""
)

_DISK = (
    """
slot:
  description:
    - V(ide0) to V(ide3), V(sata0) to V(sata5), V(scsi0) to V(scsi30), V(virtio0) to V(virtio15), V(efidisk0) or
      V(tpmstate0). Also V(unused0) and the like, with O(config[].disks[].state=absent).
    - A new disk is refused while a disk that was taken out (C(unusedN)) is left on the same storage, because the new
      one would be empty. Attach that one (O(config[].disks[].file)), or list its slot as well to leave it where it is.
  type: str
  required: true
state:
  description:
    - V(present), also when it is left out, makes the drive be there as it is written.
    - V(detached) takes it out of the slot and keeps the volume as C(unusedN). Needs the consent C(detach_disk).
    - V(absent) destroys the volume. Needs the consent C(destroy_disk:<vmid>/<slot>).
    - CD-ROMs and the cloud-init drive hold no data of their own, so taking them out needs no consent.
  type: str
  choices: [present, detached, absent]
storage:
  description:
    - The storage on which a new disk is made. Needed for that.
    - Another storage than the one the disk is on is an error, because this module does not move disks.
  type: str
size:
  description:
    - The size, for example V(32G) or V(512M), a bare number in GiB. Needed for a new disk. A larger one lets the disk
      grow.
    - For C(efidisk0), C(tpmstate0) and the cloud-init drive, Proxmox VE has its own sizes. Leave it out there.
  type: str
file:
  description:
    - The volume id of an existing volume, instead of a new one. For a CD-ROM the ISO image, for example
      V(local:iso/debian.iso), or V(none) for an empty drive.
    - For a disk that was made by O(config[].disks[].storage) and O(config[].disks[].size), the volume id that
      Proxmox VE chose.
  type: str
media:
  description:
    - V(cdrom) for a CD-ROM. V(cloudinit) for the drive that Proxmox VE makes for cloud-init, with
      O(config[].disks[].storage). Otherwise a disk.
  type: str
  choices: [disk, cdrom, cloudinit]
format:
  description: The format of a new disk on a storage of files. Looked at only when it is made.
  type: str
  choices: [raw, qcow2, vmdk]
import_from:
  description:
    - The volume id of an image that a new disk is filled from, for example V(local:import/debian-12.qcow2). With
      O(config[].disks[].size), the disk then grows to that. Looked at only when it is made.
  type: str
aio:
  description: How the node reads and writes. Without it that depends on the storage.
  type: str
  choices: [native, threads, io_uring]
backup:
  description: Whether the disk is in backups. The default is V(true).
  type: bool
cache:
  description: The cache mode. The default is C(none).
  type: str
  choices: [none, writethrough, writeback, unsafe, directsync]
detect_zeroes:
  description: Whether writing zeroes is treated in a shorter way. The default is V(true).
  type: bool
discard:
  description: V(on) passes on what the VM has freed to the storage. The default is C(ignore).
  type: str
  choices: [ignore, 'on']
efitype:
  description: The size of the variables' store, for C(efidisk0). V(4m) is right for all new VMs. The default is C(2m).
  type: str
  choices: [2m, 4m]
iothread:
  description: Whether the disk has a thread of its own. For scsi (with V(virtio-scsi-single)) and virtio.
  type: bool
"""
    + _limits()
    + """
model:
  description: The model name that the drive shows, for ide.
  type: str
ms_cert:
  description: Which of Microsoft's certificates are enrolled, for C(efidisk0). The default is C(2011).
  type: str
  choices: ['2011', '2023', 2023w, 2023k]
pre_enrolled_keys:
  description: Whether the keys for Secure Boot are enrolled, for C(efidisk0). The default is V(false).
  type: bool
product:
  description: The product name that the drive shows, for scsi.
  type: str
queues:
  description: The number of queues, for scsi.
  type: int
replicate:
  description: Whether the disk takes part in replication. The default is V(true).
  type: bool
rerror:
  description: What happens at a read error.
  type: str
  choices: [ignore, report, stop]
ro:
  description: Whether the disk is read-only, for scsi and virtio. The default is V(false).
  type: bool
scsiblock:
  description: Whether the node's device is passed through whole, for scsi. Errors of the host can then reach the VM.
  type: bool
serial:
  description: The serial number that the drive shows.
  type: str
shared:
  description: Says that a volume that no storage manages is the same on all nodes. It does not make it so.
  type: bool
snapshot:
  description: Whether everything written since the start is thrown away at the stop. The default is V(false).
  type: bool
ssd:
  description: Whether the drive shows itself as a solid state disk, for ide, sata and scsi. The default is V(false).
  type: bool
vendor:
  description: The vendor name that the drive shows, for scsi.
  type: str
version:
  description: The version of the TPM, for C(tpmstate0). Windows 11 wants V(v2.0). The default is C(v1.2).
  type: str
  choices: [v1.2, v2.0]
werror:
  description: What happens at a write error.
  type: str
  choices: [enospc, ignore, report, stop]
wwn:
  description: The world wide name that the drive shows, for example V(0x5000c50015ea71aa), for ide, sata and scsi.
  type: str
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
    model:
      description: The model of the card. A new card is V(virtio) when this is left out.
      type: str
      choices: [virtio, e1000, e1000-82540em, e1000-82544gc, e1000-82545em, e1000e, i82551, i82557b, i82559er, ne2k_isa,
                ne2k_pci, pcnet, rtl8139, vmxnet3]
    bridge:
      description: The bridge or virtual network that the card is connected to, for example V(vmbr0).
      type: str
    macaddr:
      description: The MAC address. Without it Proxmox VE chooses one, which the card keeps.
      type: str
    firewall:
      description: Whether the firewall's rules apply to the card. The default is V(false).
      type: bool
    link_down:
      description: Whether the cable is pulled. The default is V(false).
      type: bool
    mtu:
      description: The largest packet, for virtio. V(1) takes the bridge's.
      type: int
    queues:
      description: The number of packet queues.
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


class ModuleDocFragment:
    # Annotated, because ansible-test's yamllint takes every plain assignment in a fragment for a literal.
    DOCUMENTATION: str = suboptions(
        BOTH, _STATUS, _OPTIONS, _FAMILIES, _DISKS_HEAD + textwrap.indent(_DISK.strip("\n") + "\n", "    "), _NICS
    )
