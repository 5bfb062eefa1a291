# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""/sys/kernel/scst_tgt: what of the kernel's state is where, as in the recorded trees."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from lab.scst import texts
from lab.scst.modules import VERSION
from lab.scst.nodes import Directory, File, Link, Node, constant, directory, find, opened
from lab.scst.rules import attributes, groups, handlers, targets
from lab.scst.rules.attributes import Attribute
from lab.scst.state import VIRTUAL, Attached, Daemon, Group, Kernel, Session, Target, refuse

_COUNTERS = [f"{kind}_cmd_count" for kind in ("bidi", "none", "read", "unknown", "write")]
_COUNTERS += [f"{kind}_{what}" for kind in ("bidi", "read", "write") for what in ("io_count_kb", "unaligned_cmd_count")]
_POOLS = [f"{name}{suffix}" for name in ("sgv", "sgv-clust", "sgv-dma") for suffix in ("", "-0", "-1")]
_SESSION = {
    "DataDigest": "None",
    "FirstBurstLength": "65536",
    "HeaderDigest": "None",
    "ImmediateData": "Yes",
    "InitialR2T": "No",
    "MaxBurstLength": "1048576",
    "MaxOutstandingR2T": "1",
    "MaxRecvDataSegmentLength": "1048576",
    "MaxXmitDataSegmentLength": "262144",
    "active_commands": "0",
    "commands": "0",
    "reinstating": "0",
    "thread_pid": "777 778 779 780",
}


class Tree:
    """Read, written and listed by paths below /sys/kernel/scst_tgt; without the module scst there is nothing.

    All raise OSError with the recorded error. A write also leaves its result in last_sysfs_mgmt_res."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def root(self) -> Directory:
        return Directory(self._entries)

    def read(self, path: str) -> str:
        file = opened(self.root(), path, writing=False)
        assert file.read is not None
        text = file.read()
        return text if isinstance(text, str) else text.decode()

    def write(self, path: str, text: str) -> None:
        file = opened(self.root(), path, writing=True)
        self.store(file, text)

    def store(self, file: File, text: str) -> None:
        """A write that has got as far as the kernel."""
        with self.kernel.write():
            if self.kernel.faults.queued:
                self._queue(file, text)
            self._carry_out(file, text)

    def _queue(self, file: File, text: str) -> None:
        self.kernel.faults.queued -= 1
        self.kernel.faults.polls = 3
        with suppress(OSError):  # last_sysfs_mgmt_res will say so
            self._carry_out(file, text)
        raise refuse(errno.EAGAIN)

    def _carry_out(self, file: File, text: str) -> None:
        assert file.write is not None
        try:
            file.write(text.rstrip("\n"))
        except OSError as problem:
            self.kernel.last_result = -(problem.errno or 0)
            raise
        self.kernel.last_result = 0

    def listing(self, path: str = "") -> list[str]:
        node = find(self.root(), path)
        if not isinstance(node, Directory):
            raise refuse(errno.ENOTDIR)
        return sorted(node.entries())

    def link(self, path: str) -> str:
        node = find(self.root(), path)
        if not isinstance(node, Link):
            raise refuse(errno.EINVAL)
        return node.target

    def _entries(self) -> Mapping[str, Node]:
        kernel = self.kernel
        own = {name: _attribute(one, kernel.attributes, name) for name, one in attributes.SCST.items()}
        return {
            **own,
            "device_groups": directory({"mgmt": constant(texts.DEVICE_GROUPS, 0o644)}),
            "devices": Directory(lambda: {name: _device(kernel, one) for name, one in kernel.devices.items()}),
            "handlers": Directory(lambda: {name: _handler(kernel, name) for name in kernel.handlers()}),
            "last_sysfs_mgmt_res": File(0o444, lambda: f"{_result(kernel)}\n"),
            "sgv": Directory(_pools),
            "targets": Directory(lambda: _drivers(kernel)),
            "trace_cmds": constant(""),
            "trace_level": constant(texts.TRACE, 0o644),
            "trace_mcmds": constant(""),
            "version": constant(VERSION),
        }


def _result(kernel: Kernel) -> int:
    if kernel.faults.polls:
        kernel.faults.polls -= 1
        return -errno.EAGAIN
    return kernel.last_result


def _attribute(one: Attribute, values: dict[str, str], name: str) -> File:
    return File(0o644, lambda: one.read(values, name), lambda text: one.write(values, name, text))


def _mgmt(help_text: str, command: Callable[[str], None]) -> File:
    return File(0o644, lambda: help_text, command)


def _device(kernel: Kernel, device: Attached) -> Directory:
    hardware = next(one for one in kernel.hardware.devices if one.hcil == device.hcil and one.present)
    place = f"{hardware.parent}/{device.hcil}/scsi_device/{device.hcil}"

    def entries() -> Mapping[str, Node]:
        # Recorded for devices never claimed and for claimed ones; about one given up the recordings are silent.
        limit = 64 if device.was_claimed else 0
        found: dict[str, Node] = {
            "block": constant("0 0\n", 0o644),
            "dump_prs": File(0o200, None, lambda text: None),
            "exported": Directory(lambda: _exports(kernel, device.hcil)),
            "max_tgt_dev_commands": constant(f"{limit}\n", 0o644),
            "numa_node_id": constant("-1\n", 0o644),
            "pr_file_name": constant(f"/var/lib/scst/pr/{device.hcil}\n", 0o644),
            "pr_state": constant("version 1\ngeneration 0\n", 0o644),
            "scsi_device": Link(f"../../../../devices/{place}"),
            "type": constant(texts.TYPES[device.type]),
        }
        if device.handler:
            fast = device.handler.endswith("_perf")
            found["handler"] = Link(f"../../handlers/{device.handler}")
            found["threads_num"] = constant("0\n" if fast else "1\n", 0o644)
            found["threads_pool_type"] = constant("Async\n" if fast else "per_initiator\n", 0o644)
        return found

    return Directory(entries)


def _exports(kernel: Kernel, hcil: str) -> Mapping[str, Node]:
    found: dict[str, Node] = {}
    for export, target, group, lun in kernel.exports(hcil):
        inner = "luns" if group is target.own else f"ini_groups/{group.name}/luns"
        found[f"export{export}"] = Link(f"../../../targets/iscsi/{target.name}/{inner}/{lun}")
    return found


def _handler(kernel: Kernel, name: str) -> Directory:
    def entries() -> Mapping[str, Node]:
        virtual = name in VIRTUAL
        text = texts.VIRTUAL[name] if virtual else texts.HANDLER
        found: dict[str, Node] = {hcil: Link(f"../../devices/{hcil}") for hcil in kernel.claimed(name)}
        found["mgmt"] = _mgmt(text, lambda written: handlers.command(kernel, name, written))
        found["trace_level"] = constant(texts.TRACE_VIRTUAL if virtual else texts.TRACE, 0o644)
        found["type"] = constant(texts.TYPES[kernel.handlers()[name]])
        if name == "dev_disk":
            found["pr_dump_dir"] = constant("\n", 0o644)
        return found

    return Directory(entries)


def _pools() -> Mapping[str, Node]:
    pools = {name: directory({"stats": constant(texts.pool_statistics(name), 0o644)}) for name in _POOLS}
    return {"global_stats": constant(f"{'Inactive pages':<42} 0\n", 0o644), **pools}


def _drivers(kernel: Kernel) -> Mapping[str, Node]:
    found: dict[str, Node] = {"copy_manager": Directory(_copy_manager)}
    if "iscsi_scst" in kernel.modules:
        found["iscsi"] = Directory(lambda: _iscsi(kernel))
    return found


def _copy_manager() -> Mapping[str, Node]:
    """SCST's own target for EXTENDED COPY, which nothing here ever changes."""
    counters = {name: constant("0\n", 0o644) for name in _COUNTERS}
    session = directory(
        {
            **counters,
            "active_commands": constant("0\n"),
            "commands": constant("0\n"),
            "dif_checks_failed": constant(texts.DIF_FAILED, 0o644),
            "initiator_name": constant("copy_manager_sess\n"),
            "latency": directory(_latency()),
            "luns": Link("../../luns"),
        }
    )
    target = directory(
        {
            **{name: constant(one.read({}, name), 0o644) for name, one in attributes.TARGET.items()},
            **{name: constant("0\n") for name in _COUNTERS},
            "dif_capabilities": constant(texts.DIF_CAPABILITIES),
            "dif_checks_failed": constant(texts.DIF_FAILED, 0o644),
            "ini_groups": directory({"mgmt": constant(texts.GROUPS, 0o644)}),
            "luns": directory({"mgmt": constant(texts.LUNS, 0o644)}),
            "rel_tgt_id": constant("0\n", 0o644),
            "sessions": directory({"copy_manager_sess": session}),
            "sg_tablesize": constant("65535\n"),
        }
    )
    return {
        "allow_not_connected_copy": constant("0\n", 0o644),
        "copy_manager_tgt": target,
        "dif_capabilities": constant(texts.DIF_CAPABILITIES),
    }


def _latency() -> dict[str, Node]:
    return {f"{kind}{512 << step}": constant(texts.LATENCY, 0o644) for kind in "bnrw" for step in range(11)}


def _iscsi(kernel: Kernel) -> Mapping[str, Node]:
    found: dict[str, Node] = {name: Directory(_target(kernel, one)) for name, one in kernel.targets.items()}
    found["mgmt"] = _mgmt(texts.ISCSI, lambda text: targets.command(kernel, text))
    found["open_state"] = constant("open\n" if kernel.daemon else "closed\n")
    found["trace_level"] = constant(texts.TRACE_ISCSI, 0o644)
    found["version"] = constant("3.11.0-pre\nTRACING\n")
    if daemon := kernel.daemon:
        found |= {name: _attribute(one, daemon.attributes, name) for name, one in attributes.DRIVER.items()}
        found["enabled"] = File(0o644, lambda: f"{int(daemon.enabled)}\n\n", lambda text: _enable(daemon, text))
        for name, values in daemon.users.items():
            found |= _dynamic(values, name)
    return found


def _enable(daemon: Daemon, text: str) -> None:
    if text not in ("0", "1"):
        raise refuse(errno.EINVAL)
    daemon.enabled = text == "1"


def _dynamic(values: dict[int, str], name: str, wedged: bool = False) -> dict[str, Node]:
    """IncomingUser, IncomingUser1 …: a file a value."""

    def file(index: int) -> File:
        def read() -> str:
            if wedged:
                raise refuse(errno.EINVAL)
            return f"{values[index]}\n[key]\n\n"

        def write(text: str) -> None:
            if wedged:  # the recordings are silent
                raise refuse(errno.EINVAL)
            targets.overwrite(values, index, name, text)

        return File(0o644 if name == "allowed_portal" else 0o600, read, write)

    return {f"{name}{index or ''}": file(index) for index in values}


def _target(kernel: Kernel, target: Target) -> Callable[[], Mapping[str, Node]]:
    def set_id(text: str) -> None:
        target.relative_id = int(attributes.number(0, 65535)(text))

    def enable(text: str) -> None:
        targets.enable(kernel, target, text)

    def entries() -> Mapping[str, Node]:
        found: dict[str, Node] = {}
        for table in (attributes.ISCSI, attributes.TARGET):
            for name, one in table.items():
                found[name] = _attribute(one, target.attributes, name)
        if "isert_scst" in kernel.modules:  # recorded with the iSER transport
            found["RDMAExtensions"] = _attribute(Attribute("Yes", daemon=True), target.attributes, "RDMAExtensions")
        for name, values in target.dynamic.items():
            found |= _dynamic(values, name, wedged=target.wedged and name == "OutgoingUser")
        found |= {name: constant("0\n") for name in _COUNTERS}
        key = "[key]\n" if target.relative_id else ""
        found |= {
            "enabled": File(0o644, lambda: f"{int(target.enabled)}\n", enable),
            "ini_groups": Directory(lambda: _groups(kernel, target)),
            "luns": Directory(lambda: _luns(kernel, target, target.own, 5)),
            "rel_tgt_id": File(0o644, lambda: f"{target.relative_id}\n{key}", set_id),
            "sessions": Directory(
                lambda: {name: Directory(_session(kernel, target, one)) for name, one in target.sessions.items()}
            ),
            "sg_tablesize": constant("65535\n"),
            "tid": constant(f"{target.tid}\n"),
        }
        return found

    return entries


def _groups(kernel: Kernel, target: Target) -> Mapping[str, Node]:
    found: dict[str, Node] = {name: Directory(_group(kernel, target, one)) for name, one in target.groups.items()}
    found["mgmt"] = _mgmt(texts.GROUPS, lambda text: groups.groups(kernel, target, text))
    return found


def _group(kernel: Kernel, target: Target, group: Group) -> Callable[[], Mapping[str, Node]]:
    def members() -> Mapping[str, Node]:
        found: dict[str, Node] = {name.replace("/", "!"): constant(f"{name}\n") for name in group.initiators}
        found["mgmt"] = _mgmt(texts.INITIATORS, lambda text: groups.initiators(kernel, target, group, text))
        return found

    return lambda: {
        **{name: _attribute(one, group.attributes, name) for name, one in attributes.GROUP.items()},
        "initiators": Directory(members),
        "luns": Directory(lambda: _luns(kernel, target, group, 7)),
    }


def _luns(kernel: Kernel, target: Target, group: Group, depth: int) -> Mapping[str, Node]:
    """`depth`: how far up SCST's own directory is from a LUN's."""
    up = "../" * depth
    found: dict[str, Node] = {
        str(number): directory(
            {
                "device": Link(f"{up}devices/{lun.device}"),
                "read_only": constant("1\n[key]\n" if lun.read_only else "0\n"),
            }
        )
        for number, lun in group.luns.items()
    }
    found["mgmt"] = _mgmt(texts.LUNS, lambda text: groups.luns(kernel, target, group, text))
    return found


def _session(kernel: Kernel, target: Target, session: Session) -> Callable[[], Mapping[str, Node]]:
    def entries() -> Mapping[str, Node]:
        own = session.group == target.name
        connection: dict[str, Any] = {
            "cid": "0",
            "ip": session.ip,
            "state": "established idle ",
            "target_ip": session.target_ip,
            "transport": "iSCSI-TCP\n",
        }
        found: dict[str, Node] = {name: constant(f"{value}\n") for name, value in _SESSION.items()}
        found |= {name: constant("0\n", 0o644) for name in _COUNTERS}
        found |= {
            session.ip: directory({name: constant(text) for name, text in connection.items()}),
            "force_close": File(0o200, None, lambda text: targets.force_close(kernel, target, session)),
            "initiator_name": constant(f"{session.initiator}\n"),
            "latency": directory(_latency()),
            "luns": Link("../../luns" if own else f"../../ini_groups/{session.group}/luns"),
            "sid": constant(f"{session.sid}\n"),
        }
        for number in target.group(session.group).luns:
            of_lun = {"active_commands": "0\n", "thread_index": "0\n", "thread_pid": f"{1496 + number}\n"}
            found[f"lun{number}"] = directory({name: constant(text) for name, text in of_lun.items()})
        return found

    return entries
