# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of scst_target, on a host with a changer and two drives."""

from __future__ import annotations

import re
from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario, Secret
from tests.contract.system import succeeded

TARGET, OTHER = (f"iqn.2016-01.ar.hospital:{PREFIX}{name}" for name in ("ts", "other"))
SERVER, GUEST = (f"iqn.1993-08.org.debian:01:{PREFIX}{name}" for name in ("server", "guest"))
SECRET = "Secret-of-the-case"
BASE = {"target": TARGET}


def setup(system: Any) -> None:
    """SCST runs, and nothing is configured."""
    system.start()


def changer(system: Any) -> str:
    return str(system.changer.serial)


def drive(number: int) -> Any:
    return lambda system: system.drives[number].serial


def by_id(system: Any) -> str:
    return f"/dev/tape/by-id/{system.drives[0].by_id}"


def group(*luns: Any, name: str = "backup", initiators: tuple[Any, ...] = (SERVER,)) -> Item:
    return {
        "name": name,
        "initiators": list(initiators),
        "luns": [lun if isinstance(lun, dict) else {"lun": number, "device": lun} for number, lun in enumerate(luns)],
    }


WHOLE = [group(changer, drive(0), drive(1))]


def raw(system: Any, item: Item) -> Any:
    """The target as the tree has it. Which of several files holds a user or a portal means nothing, and SCST numbers
    targets when they are first enabled."""
    where = f"/sys/kernel/scst_tgt/targets/iscsi/{item['target']}/"
    tree = system._tree()
    lines = [line for line in tree if line.startswith(where) and "/rel_tgt_id " not in line]
    lines += [line for line in tree if re.search(r"/devices/[^/]+/handler ", line)]
    return sorted(re.sub(r"(IncomingUser|allowed_portal)\d+", r"\1", line) for line in lines)


def logged_in(system: Any) -> None:
    """The initiator of the host is logged in and sees everything."""
    groups = [group(changer(system), system.drives[0].serial, initiators=(system.initiator(),))]
    users = [{"user": "backupuser", "secret": SECRET}]
    succeeded(system.run("scst_target", [{"target": TARGET, "groups": groups, "incoming_users": users}]))
    system.login(TARGET, "backupuser", SECRET)


def without_the_drive(system: Any) -> Any:
    return [{"target": TARGET, "groups": [group(changer(system), initiators=(system.initiator(),))]}]


def read_only(system: Any) -> Any:
    luns = [{"lun": 0, "device": changer(system)}]
    luns.append({"lun": 1, "device": system.drives[0].serial, "read_only": True})
    return [{"target": TARGET, "groups": [group(*luns, initiators=(system.initiator(),))]}]


def with_default_luns(system: Any) -> None:
    """What somebody left open to everybody."""
    succeeded(system.run("scst_target", [BASE]))
    assert not system.write("handlers/dev_changer/mgmt", f"add_device {system.changer.hcil}")
    assert not system.write(f"targets/iscsi/{TARGET}/luns/mgmt", f"add {system.changer.hcil} 0")


def initiator(system: Any) -> str:
    return str(system.initiator())


def number(name: str, first: int, second: int) -> Option:
    return Option(name, first, second)


CASE = Case(
    module="scst_target",
    subsystem="scst",
    base=BASE,
    setup=setup,
    info="target",
    options=(
        Option("enabled", False, True),
        Option("allowed_portals", ["10.10.90.*", "fd00:90::5"], ["10.10.91.4"]),
        Option(
            "incoming_users",
            [{"user": "backupuser", "secret": SECRET}, {"user": "second", "secret": "another-secret"}],
            [{"user": "third", "secret": "a-third-secret"}],
        ),
        Option(
            "incoming_users.secret",
            [{"user": "backupuser", "secret": SECRET}],
            [{"user": "backupuser", "secret": "changed-secret"}],
        ),
        Option("outgoing_user", "library", "ts3200", beside={"outgoing_secret": SECRET}),
        Option("outgoing_secret", SECRET, "changed-secret", beside={"outgoing_user": "library"}),
        Option("groups", WHOLE, [group(drive(0), name="other", initiators=(GUEST,))]),
        Option("groups.initiators", WHOLE, [group(changer, drive(0), drive(1), initiators=(GUEST,))]),
        Option("groups.luns", WHOLE, [group(changer, {"lun": 5, "device": by_id})]),
        Option("groups.luns", WHOLE, [group(changer, drive(1), drive(0))], label="swapped"),
        Option(
            "groups.luns",
            [group(changer, {"lun": 1, "device": drive(0), "read_only": True})],
            [group(changer, {"lun": 1, "device": drive(0), "read_only": False})],
            label="read_only",
        ),
        Option(
            "groups.luns",
            [group({"lun": 0, "device": drive(0), "handler": "dev_tape_perf"})],
            [group({"lun": 0, "device": drive(0), "handler": "dev_tape"})],
            label="handler",
        ),
        Option("comment", "the library in the cellar", "moved"),
        number("max_sessions", 2, 1),
        number("queued_commands", 64, 32),
        number("nop_in_interval", 10, 0),
        number("nop_in_timeout", 10, 2),
        number("rsp_timeout", 60, 120),
        Option("header_digest", "CRC32C,None", "CRC32C"),
        Option("data_digest", "CRC32C", "None"),
    ),
    raw=raw,
    # Not much of anything: the failure at any write makes, changes and removes all of it for each write.
    several=[
        {
            "target": TARGET,
            "allowed_portals": ["10.10.90.*"],
            "incoming_users": [{"user": "backupuser", "secret": SECRET}],
            "groups": [group(changer, drive(0))],
            "queued_commands": 64,
        },
        {"target": OTHER, "groups": [group({"lun": 3, "device": drive(1), "read_only": True})], "comment": "drill"},
    ],
    changed=[
        {"target": TARGET, "groups": [group(changer, drive(0), initiators=(GUEST,))], "reset": ["queued_commands"]},
        {"target": OTHER, "enabled": False, "groups": [group({"lun": 2, "device": drive(1)}, name="restore")]},
    ],
    consents=(
        Scenario("cut_session", {"config": [BASE], "state": "absent"}, initiator, setup=logged_in, label="cut_session"),
        Scenario(
            f"cut_session:{TARGET}",
            {"config": [{**BASE, "enabled": False}]},
            initiator,
            setup=logged_in,
            label="cut_session[disable]",
        ),
        Scenario(
            "cut_session",
            {"config": [{**BASE, "groups": [group(changer, initiators=(GUEST,))]}]},
            initiator,
            setup=logged_in,
            label="cut_session[initiator]",
        ),
        Scenario("cut_session", {"config": without_the_drive}, initiator, setup=logged_in, label="cut_session[LUN]"),
        Scenario("cut_session", {"config": read_only}, initiator, setup=logged_in, label="cut_session[read_only]"),
        Scenario(
            "cut_session",
            {"config": [{**BASE, "groups": []}]},
            TARGET,
            setup=with_default_luns,
            label="cut_session[open to everybody]",
        ),
    ),
    secrets=(Secret("outgoing_secret", "Tell-nobody-1234", beside={"outgoing_user": "library"}),),
)
