# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Plain attributes: their defaults, what they accept, and how they read once they are not as they come.

`[key]` in the last line but blank ones marks what scstadmin would save. What the daemon keeps ends in a blank line.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass

from lab.scst.state import refuse

_DIGESTS = ("None", "CRC32C")


def _any(text: str) -> str:
    """What the recordings never refused, and mostly never tried."""
    return text


def _yes_or_no(text: str) -> str:
    if text not in ("Yes", "No"):
        raise refuse(errno.EINVAL)
    return text


def _digests(text: str) -> str:
    """Read back in an order of its own."""
    given = text.split(",")
    if not set(given) <= set(_DIGESTS):
        raise refuse(errno.EINVAL)
    return ",".join(name for name in _DIGESTS if name in given)


def number(least: int, most: int) -> Callable[[str], str]:
    """Only 99999999999 was recorded as refused; the ends are the daemon's own limits where it printed them (2048 queued
    commands), else those of 32 bits."""

    def check(text: str) -> str:
        if not re.fullmatch(r"\d+", text) or not least <= int(text) <= most:
            raise refuse(errno.EINVAL)
        return str(int(text))

    return check


_SIZE = number(0, 2**32 - 1)


@dataclass(frozen=True)
class Attribute:
    default: str
    check: Callable[[str], str] = _any
    daemon: bool = False  # kept by iscsi-scstd
    blank: bool = False  # a blank line at the end even of the default
    saved: bool = True
    bare: bool = False  # the default is an empty file, without a line's end

    def read(self, values: Mapping[str, str], name: str) -> str:
        value = values.get(name, self.default)
        if value == self.default:
            return "" if self.bare else f"{value}\n" + ("\n" if self.blank else "")
        key = "[key]\n" if self.saved else ""
        return f"{value}\n{key}" + ("\n" if self.daemon or self.blank else "")

    def write(self, values: MutableMapping[str, str], name: str, text: str) -> None:
        values[name] = self.check(text)


def _parameters(sizes: Mapping[str, str], **others: Attribute) -> dict[str, Attribute]:
    return {**{name: Attribute(value, _SIZE, daemon=True) for name, value in sizes.items()}, **others}


ISCSI = _parameters(
    {
        "FirstBurstLength": "65536",
        "MaxBurstLength": "1048576",
        "MaxOutstandingR2T": "32",
        "MaxRecvDataSegmentLength": "1048576",
        "MaxSessions": "0",
        "MaxXmitDataSegmentLength": "1048576",
        "NopInInterval": "30",
        "NopInTimeout": "30",
        "RspTimeout": "90",
    },
    DataDigest=Attribute("None", _digests, daemon=True),
    HeaderDigest=Attribute("None", _digests, daemon=True),
    ImmediateData=Attribute("Yes", _yes_or_no, daemon=True),
    InitialR2T=Attribute("No", _yes_or_no, daemon=True),
    QueuedCommands=Attribute("32", number(1, 2048), daemon=True),
    RDMAExtensions=Attribute("No", _yes_or_no, daemon=True),
    alias=Attribute("", daemon=True),
    per_portal_acl=Attribute("0", number(0, 1), daemon=True, blank=True),
    redirect=Attribute("", daemon=True),
)
# Of every target, whatever its driver.
TARGET = {
    "addr_method": Attribute("PERIPHERAL"),
    "aen_disabled": Attribute("0"),
    "black_hole": Attribute("0"),
    "comment": Attribute("", bare=True),
    "cpu_mask": Attribute("3"),
    "forward_dst": Attribute("0"),
    "forward_src": Attribute("0"),
    "forwarding": Attribute("0"),
    "io_grouping_type": Attribute("auto"),
}
GROUP = {name: TARGET[name] for name in ("addr_method", "black_hole", "cpu_mask", "io_grouping_type")}
GROUP["per_sess_dedicated_tgt_threads"] = Attribute("0")
DRIVER = {
    "iSNSServer": Attribute("", daemon=True, blank=True),
    "internal_portal": Attribute("", daemon=True, blank=True),
    "isns_entity_name": Attribute("", daemon=True),
    "link_local": Attribute("1", number(0, 1), daemon=True, blank=True),
}
# Of SCST itself. The recordings never wrote them.
SCST = {
    "async_lun_replace": Attribute("0"),
    "cluster_name": Attribute("", bare=True),
    "force_global_sgv_pool": Attribute("0"),
    "max_tasklet_cmd": Attribute("10"),
    "measure_latency": Attribute("0"),
    "poll_us": Attribute("0"),
    "setup_id": Attribute("0x0"),
    "suspend": Attribute("0"),
    "threads": Attribute("2"),
}
