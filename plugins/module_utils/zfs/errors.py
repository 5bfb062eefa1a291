# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What ZFS says when it refuses, and what to do about it.

Exit codes do not tell (1 mostly, 255 for some): the texts do. Recorded with OpenZFS 2.3.9, in the C locale.
"""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed, shown
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError


class ZfsError(SubsystemError):
    """ZFS refused. `text` is what it said."""

    def __init__(self, message: str, *, hint: str = "", text: str = "") -> None:
        super().__init__(message, hint=hint)
        self.text = text


class ZfsUnavailable(ZfsError):
    """ZFS does not work on this host at all: nothing further can succeed either."""

    affects_everything = True


class PoolMissing(ZfsError):
    """A pool that is not imported. Never to be read as "its datasets are absent, so create them"."""


class DatasetMissing(ZfsError):
    """A dataset that was there is not there any more."""


# (part of what ZFS says, what to do, type of the error); the first that matches counts.
_KNOWN: tuple[tuple[str, str, type[ZfsError]], ...] = (
    ("modules are not loaded", "Load the kernel module: modprobe zfs.", ZfsUnavailable),
    ("modules cannot be auto-loaded", "Load the kernel module: modprobe zfs.", ZfsUnavailable),
    ("must be run as root", "Become root (become: true).", ZfsUnavailable),
    ("permission denied", "Become root (become: true), or have the right delegated with zfs allow.", ZfsError),
    ("no such pool", "Import the pool first (zpool import lists what can be).", PoolMissing),
    ("dataset does not exist", "Somebody removed it meanwhile; run again.", DatasetMissing),
    ("dataset already exists", "Somebody created it meanwhile; run again.", ZfsError),
    ("parent does not exist", "Create the parent first, or give create_parents: true.", ZfsError),
    (
        "dataset is busy",
        "Something uses it: a service or shell in its directory, an export, a guest.",
        ZfsError,
    ),
    ("being held", "A replication or a person holds the snapshot: zfs holds shows who, zfs release lets go.", ZfsError),
    ("has dependent clones", "Promote the clones (zfs promote) or destroy them first.", ZfsError),
    ("has children", "Something was created below it meanwhile; run again to see what.", ZfsError),
    (
        "has been modified",
        "The receiver was written to. See with zfs diff what; rollback_receiver lets that go.",
        ZfsError,
    ),
    ("does not match incremental source", "Somebody took or received a snapshot meanwhile; run again.", ZfsError),
    ("destination does not exist", "Somebody removed the receiver meanwhile; run again.", ZfsError),
    ("must be loaded", "Load the key (zfs load-key), or leave raw out.", ZfsError),
    ("incomplete stream", "The other side stopped sending.", ZfsError),
    ("less than current used or reserved space", "Make the value larger, or free space first.", ZfsError),
    ("out of space", "Free space in the pool first.", ZfsError),
    ("is readonly", "This is fixed when the dataset is created.", ZfsError),
    ("invalid property", "This version of ZFS does not have the property; leave it out.", ZfsError),
    ("must be", "Correct the value.", ZfsError),
    ("directory is not empty", "Move what is in the directory away, or set overlay: true.", ZfsError),
    ("unable to remount", "The property is set. Find what uses the directory, then zfs mount -a.", ZfsError),
    ("but not mounted", "The dataset exists. Look at what is in the way at its mountpoint, then zfs mount.", ZfsError),
)


def refused(done: Completed) -> ZfsError:
    """The error that a program's end means."""
    text = " ".join(line.strip() for line in done.errors.splitlines() if line.strip())
    for part, hint, error in _KNOWN:
        if part in text.lower():
            return error(f"ZFS answered: {text.rstrip('.')}.", hint=hint, text=text)
    said = text.rstrip(".") or f"exit code {done.status} of {shown(done.argv)}"
    return ZfsError(f"ZFS answered: {said}.", hint="Look at zpool status and the kernel's log.", text=text)
