# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Each of the 14 points of how SCST really behaves, and the faults of an export: in the lab, or with SCST_HOST on a
real host with a changer and two drives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from lab.hosts import Failed
from tests.contract.invocation import Result
from tests.contract.scst_system import CONF, SYSFS, ScstSystem
from tests.contract.system import refused, succeeded

TARGET, OTHER = "iqn.2016-01.ar.hospital:hct-ts3200", "iqn.2016-01.ar.hospital:hct-other"
STRANGER = "iqn.1993-08.org.debian:01:hct-stranger"
USER, SECRET = "backupuser", "Keep-this-secret-1"
STATE = "/var/lib/hospital.continuity/scst"


class Export:
    """The whole export of a library, as one task says it."""

    def __init__(self, system: ScstSystem) -> None:
        self.system = system
        self.changer, self.drives = system.changer, system.drives
        self.initiator = system.initiator()

    def group(self, **options: Any) -> dict[str, Any]:
        devices = [self.changer, *self.drives]
        luns = [{"lun": number, "device": device.serial} for number, device in enumerate(devices)]
        return {"name": "backup", "initiators": [self.initiator], "luns": luns, **options}

    def item(self, **options: Any) -> dict[str, Any]:
        return {
            "target": TARGET,
            "allowed_portals": ["127.0.0.1", "10.10.90.*"],
            "incoming_users": [{"user": USER, "secret": SECRET}],
            "groups": [self.group()],
            **options,
        }

    def run(self, *items: dict[str, Any], **arguments: Any) -> Result:
        result = self.system.run("scst_target", list(items) or [self.item()], **arguments)
        assert SECRET not in result.everything, "a secret came out"
        return result

    def made(self, *items: dict[str, Any], **arguments: Any) -> Result:
        """Done, and a second run has nothing to do."""
        result = succeeded(self.run(*items, **arguments))
        with self.system.unwritten():
            again = succeeded(self.run(*items, **arguments))
        assert not again.changed, again.steps
        return result

    def refused(self, *words: str, **options: Any) -> None:
        """Refused before anything is written."""
        with self.system.unwritten():
            result = refused(self.run(self.item(**options)))
        for word in words:
            assert word in result.message, f"{word!r} is not in: {result.message}"

    def luns(self, group: str = "backup") -> dict[str, str]:
        """H:C:I:L by the number of the LUN, as the kernel has it."""
        where = f"{SYSFS}/targets/iscsi/{TARGET}/ini_groups/{group}/luns"
        script = f'for lun in {where}/[0-9]*; do echo "$(basename $lun) $(basename $(readlink $lun/device))"; done'
        return dict(line.split() for line in self.system.shell(script, check=False).splitlines() if "*" not in line)

    def whole(self) -> dict[str, str]:
        """What `luns` says when everything is exported."""
        devices = [self.system.changer, *self.system.drives]
        return {str(number): device.hcil for number, device in enumerate(devices)}

    def login(self) -> None:
        self.system.login(TARGET, USER, SECRET)
        assert self.system.sessions(TARGET)

    def info(self) -> dict[str, Any]:
        result = succeeded(self.system.run("scst_info"))
        assert SECRET not in result.everything
        return dict(result.data)

    def health(self) -> str:
        return " ".join(finding["message"] for finding in self.info()["health"])


@pytest.fixture
def export(scst: ScstSystem) -> Iterator[Export]:
    """SCST is installed and not loaded."""
    yield Export(scst)


@pytest.fixture
def running(export: Export) -> Export:
    """Everything is exported."""
    export.system.start()
    succeeded(export.run())
    return export


def test_point_01_a_whole_export_converges_in_one_task(export: Export) -> None:
    """From nothing loaded: modules, daemon, devices, target, CHAP, portals, group, LUNs, initiators, enabled."""
    with export.system.unwritten():
        check = succeeded(export.run(check=True))
    real = export.made()
    assert check.planned == real.planned == [f"create target {TARGET}"]
    assert check.diff == real.diff
    assert export.luns() == export.whole()
    assert export.system.read(f"targets/iscsi/{TARGET}/enabled") == "1"
    assert export.system.read("targets/iscsi/enabled") == "1"
    export.login()


def test_point_02_the_killed_daemon_is_seen_and_everything_comes_back(running: Export) -> None:
    """Its targets are gone while the service counts as active; those that this task does not name come back too."""
    system = running.system
    other = {"target": OTHER, "groups": [{"name": "nobody", "initiators": [STRANGER]}]}
    succeeded(running.run(other))
    system.kill_daemon()
    found = running.info()
    assert found["open_state"] == "closed" and not found["config"]["target"]
    assert "iscsi-scstd" in running.health() and "target" in running.health()
    result = running.made()
    assert result.changed
    assert system.read("targets/iscsi/open_state") == "open"
    assert running.luns() == running.whole()
    assert OTHER in system.listing("targets/iscsi")


def test_point_03_a_queued_request_is_waited_for(export: Export) -> None:
    export.system.need_simulation("requests that are queued every time")
    export.system.start()
    with export.system.fault("queue"):
        succeeded(export.run())
    assert export.luns() == export.whole()
    with export.system.unwritten():
        assert not succeeded(export.run()).changed


def test_point_03_an_error_is_told_with_what_the_kernel_says(export: Export) -> None:
    """Somebody else's target of that name appears between our look and our write: simulated by a write that fails."""
    export.system.start()
    with export.system.failing_write(1):
        result = refused(export.run())
    assert "SCST refused" in result.message and "add_device" in result.message
    assert export.made().changed


def test_point_04_a_device_that_lost_its_handler_is_claimed_again(running: Export) -> None:
    """Its LUN stays, and nobody sees it any more."""
    drive = running.drives[0].hcil
    assert not running.system.write("handlers/dev_tape/mgmt", f"del_device {drive}")
    assert drive in running.health() and "nothing has claimed" in running.health()
    assert running.made().planned == [f"update target {TARGET}: groups"]
    assert running.system.shell(f"basename $(readlink {SYSFS}/devices/{drive}/handler)").strip() == "dev_tape"


def test_point_04_a_handler_that_fits_is_kept(running: Export) -> None:
    """dev_tape_perf takes tapes too; who chose it by hand keeps it, unless the task says otherwise."""
    drive = running.drives[0].hcil
    assert not running.system.write("handlers/dev_tape_perf/mgmt", f"add_device {drive}")
    assert all("groups" not in step for step in succeeded(running.run()).planned)
    assert running.system.shell(f"basename $(readlink {SYSFS}/devices/{drive}/handler)").strip() == "dev_tape_perf"
    luns = [{"lun": 0, "device": running.changer.serial, "handler": "dev_tape"}]
    running.refused("dev_tape", "medium changer", groups=[running.group(luns=luns)])


def test_point_05_every_name_of_a_device_means_it_and_its_place_does_not(running: Export) -> None:
    drive = running.drives[0]
    # A host without udev's rules for tapes has no such links.
    for name in (drive.by_id, f"/dev/tape/by-id/{drive.by_id}") if drive.by_id else ():
        luns = running.group()["luns"]
        luns[1]["device"] = name
        with running.system.unwritten():
            assert not succeeded(running.run(running.item(groups=[running.group(luns=luns)]))).changed
    luns = [{"lun": 0, "device": drive.hcil}]
    running.refused(drive.hcil, drive.serial, groups=[running.group(luns=luns)])
    running.refused("HCT-NO-SUCH", groups=[running.group(luns=[{"lun": 0, "device": "HCT-NO-SUCH"}])])


def test_point_06_a_drive_that_vanished_is_told_and_one_run_restores_it(running: Export) -> None:
    system, drive = running.system, running.drives[1]
    system.vanish(drive)
    system.until(lambda: "2" not in running.luns(), "SCST drops the device's LUNs")
    result = running.made()
    assert any(drive.serial in text and "LUN 2" in text for text in result.data["unmet"])
    assert drive.hcil not in system.conf(), "SCST would not start with it"
    assert drive.serial in running.health()
    system.come_back(drive)
    assert "2" not in running.luns(), "nothing comes back by itself"
    back = running.made()
    assert back.planned == [f"update target {TARGET}: groups"]
    assert running.luns() == running.whole()
    assert not any(drive.serial in text for text in back.data["unmet"])


def test_point_06_a_drive_that_returns_under_another_address(running: Export) -> None:
    drive = running.drives[1]
    running.system.need_simulation("a device that returns under another H:C:I:L")
    running.system.vanish(drive)
    running.system.come_back(drive, "9:0:4:0")
    assert running.made().changed
    assert running.luns()["2"] == "9:0:4:0"
    assert "9:0:4:0" in running.system.conf() and drive.hcil not in running.system.conf()


def test_point_06_an_export_begins_with_one_drive_missing(export: Export) -> None:
    drive = export.drives[0]
    export.system.vanish(drive)
    try:
        result = export.made()
        assert any(drive.serial in text for text in result.data["unmet"])
        assert sorted(export.luns()) == ["0", "2"]
    finally:
        export.system.come_back(drive)
    assert export.made().changed
    assert export.luns() == export.whole()


def test_point_07_a_number_taken_by_another_device_is_put_right(running: Export) -> None:
    system = running.system
    mgmt = f"targets/iscsi/{TARGET}/ini_groups/backup/luns/mgmt"
    for number in (1, 2):
        assert not system.write(mgmt, f"del {number}")
    assert not system.write(mgmt, f"add {running.drives[1].hcil} 1")
    assert not system.write(mgmt, f"add {running.drives[0].hcil} 2 read_only=1")
    assert running.made().planned == [f"update target {TARGET}: groups"]
    assert running.luns() == running.whole()
    assert system.read(f"targets/iscsi/{TARGET}/ini_groups/backup/luns/2/read_only") == "0"


def test_point_07_numbers_that_scst_does_not_have(running: Export) -> None:
    for number in (16384, -1):
        luns = [{"lun": number, "device": running.changer.serial}]
        running.refused(str(number), "16383", groups=[running.group(luns=luns)])


def test_point_07_read_only_takes_the_lun_away_for_a_moment(running: Export) -> None:
    running.login()
    luns = running.group()["luns"]
    luns[1]["read_only"] = True
    running.refused("cut_session", running.initiator, groups=[running.group(luns=luns)])
    running.made(running.item(groups=[running.group(luns=luns)]), allow=["cut_session"])
    assert running.system.read(f"targets/iscsi/{TARGET}/ini_groups/backup/luns/1/read_only") == "1"
    assert running.system.sessions(TARGET), "what it sees beside goes on"


@pytest.mark.parametrize("name", ["bad name", "a/b", "mgmt", "", ".."])
def test_point_08_names_that_scst_would_half_accept(running: Export, name: str) -> None:
    running.refused("name", groups=[running.group(name=name)])


def test_point_08_one_initiator_in_two_groups_is_refused(running: Export) -> None:
    groups = [running.group(), {"name": "second", "initiators": [running.initiator]}]
    running.refused(running.initiator, "backup", "second", groups=groups)


def test_point_08_default_luns_are_open_to_everybody_and_are_closed(running: Export) -> None:
    system = running.system
    assert not system.write(f"targets/iscsi/{TARGET}/luns/mgmt", f"add {running.changer.hcil} 0")
    assert "everybody" in running.health()
    running.refused("cut_session", "everybody")
    running.made(allow=[f"cut_session:{TARGET}"])
    assert not system.listing(f"targets/iscsi/{TARGET}/luns")
    assert "everybody" not in running.health()


def test_point_08_closed_by_default(export: Export) -> None:
    """Granted to nobody, a target is open to nobody."""
    export.made({"target": TARGET, "allowed_portals": ["127.0.0.1"]})
    assert export.system.read(f"targets/iscsi/{TARGET}/enabled") == "1"
    with pytest.raises((AssertionError, Failed)):
        export.system.login(TARGET)
    assert not export.system.sessions(TARGET)


@pytest.mark.parametrize("name", ["not_an_iqn", "iqn.absent", "IQN.2016-01.AR.Hospital:UPPER", "iqn.2016-01.ar:a b"])
def test_point_09_a_name_that_is_none(running: Export, name: str) -> None:
    running.refused(name, target=name)
    running.refused(name if " " not in name else "iqn", groups=[running.group(initiators=[name])])


def test_point_09_a_session_is_open_and_the_target_must_go(running: Export) -> None:
    """Disabling alone ends nothing, and deleting is refused by SCST: nobody new, everybody out, then away."""
    running.login()
    with running.system.unwritten():
        result = refused(running.run({"target": TARGET}, state="absent"))
    assert "cut_session" in result.message and running.initiator in result.message
    succeeded(running.run({"target": TARGET}, state="absent", allow=[f"cut_session:{TARGET}"]))
    assert TARGET not in running.system.listing("targets/iscsi")
    assert TARGET not in running.system.conf()
    with running.system.unwritten():
        assert not succeeded(running.run({"target": TARGET}, state="absent")).changed


def test_point_09_disabling_ends_the_sessions(running: Export) -> None:
    running.login()
    running.refused("cut_session", enabled=False)
    running.made(running.item(enabled=False), allow=["cut_session"])
    assert not running.system.sessions(TARGET)


@pytest.mark.parametrize(
    "secret", ["short", "eleven-char", "with a blank in", 'quotes"quotes"', "hash#hash#hash", "aGVsbG8gaGVsbG8="]
)
def test_point_10_a_secret_that_is_none_is_refused_without_being_said(running: Export, secret: str) -> None:
    with running.system.unwritten():
        result = refused(running.run(running.item(incoming_users=[{"user": "another", "secret": secret}])))
    assert "12" in result.message or "ASCII" in result.message
    assert secret not in result.everything


def test_point_10_a_secret_changes_and_the_session_stays(running: Export) -> None:
    running.login()
    changed = {"incoming_users": [{"user": USER, "secret": SECRET[::-1]}]}
    result = running.made(running.item(**changed))
    assert result.planned == [f"update target {TARGET}: incoming_users"]
    assert SECRET[::-1] not in result.everything
    assert running.system.sessions(TARGET)
    assert SECRET[::-1] in running.system.conf(), "a reboot knows it too"


def test_point_10_what_somebody_wrote_past_scsts_checks_is_put_right(running: Export) -> None:
    system = running.system
    for broken in (f"{USER} short", USER, "renamed brandnewsecret1"):
        assert not system.write(f"targets/iscsi/{TARGET}/IncomingUser", broken)
        if "renamed" not in broken:
            assert "too short" in running.health()
        assert "incoming_users" in running.made().planned[0]
        users = [name for name in system.listing(f"targets/iscsi/{TARGET}") if name.startswith("IncomingUser")]
        assert [system.read(f"targets/iscsi/{TARGET}/{name}") for name in users] == [f"{USER} {SECRET}"]
        # The next one writes to the file that is there.
        succeeded(running.run({"target": TARGET}, state="absent"))
        succeeded(running.run())
    running.login()


def test_point_10_a_second_outgoing_user_wedges_until_the_target_goes(running: Export) -> None:
    system = running.system
    running.made(running.item(outgoing_user="library", outgoing_secret="Another-secret-1"))
    # Another one takes the first one's place; a second is never added.
    running.made(running.item(outgoing_user="ts3200", outgoing_secret="Another-secret-2"))
    assert system.read(f"targets/iscsi/{TARGET}/OutgoingUser") == "ts3200 Another-secret-2"
    text = f"add_target_attribute {TARGET} OutgoingUser second secondsecret12"
    assert system.write("targets/iscsi/mgmt", text) == "EEXIST"
    assert "outgoing" in running.health()
    running.refused("outgoing_user", "state: absent", outgoing_user="ts3200", outgoing_secret="Another-secret-2")
    succeeded(running.run({"target": TARGET}, state="absent"))
    running.made(running.item(outgoing_user="ts3200", outgoing_secret="Another-secret-2"))


def test_point_10_leaving_users_or_secrets_out_never_opens_a_target(running: Export) -> None:
    with running.system.unwritten():
        assert not succeeded(running.run(running.item(incoming_users=[{"user": USER}]))).changed
        assert not succeeded(running.run({"target": TARGET})).changed
    succeeded(running.run({"target": TARGET}, unlisted_options="reset"))
    assert running.system.read(f"targets/iscsi/{TARGET}/IncomingUser") == f"{USER} {SECRET}"


@pytest.mark.parametrize("portal", ["999.1.2.3", "not an ip", "*", "10.10.90.0/24", "10.10.90.1:3260"])
def test_point_11_a_portal_that_is_none(running: Export, portal: str) -> None:
    running.refused("allowed_portals", allowed_portals=[portal])


def test_point_11_portals_change_under_an_open_session(running: Export) -> None:
    running.login()
    assert running.made(running.item(allowed_portals=["10.10.90.*"])).planned == [
        f"update target {TARGET}: allowed_portals"
    ]
    assert running.system.sessions(TARGET), "the filter is for discovery and login"


def test_point_12_the_mark_is_no_part_of_a_value_and_order_means_nothing(running: Export) -> None:
    digests = {"header_digest": "CRC32C,None", "queued_commands": 16}
    running.made(running.item(**digests))
    assert "[key]" not in json.dumps(running.info())
    assert re.search(r"^\t\tHeaderDigest None,CRC32C$", running.system.conf(), re.MULTILINE)
    assert re.search(r"^\t\tenabled 1$", running.system.conf(), re.MULTILINE), "saved although SCST does not mark it"
    assert "[key]" not in running.system.conf()


def test_point_13_nothing_depends_on_scstadmin(export: Export) -> None:
    """With a scstadmin that can only fail. A CHAP secret changes in one go, and the file is for root only."""
    system = export.system
    system.start()
    program = system.shell("command -v scstadmin").strip()
    system.shell(f"mount --bind /bin/false {program}")
    try:
        export.made()
        export.made(export.item(incoming_users=[{"user": USER, "secret": SECRET[::-1]}]))
        succeeded(export.run({"target": TARGET}, state="absent"))
    finally:
        system.shell(f"umount {program}")
    export.made()
    assert system.shell(f"stat -c %a {CONF}").strip() == "600"
    assert SECRET not in system.readable()


def test_point_14_a_restart_brings_everything_back(running: Export) -> None:
    """Modules that somebody loaded by hand keep the service from applying anything; its restart does."""
    system = running.system
    system.shell("systemctl start scst")
    assert not system.write(f"targets/iscsi/{TARGET}/ini_groups/backup/luns/mgmt", f"add {running.changer.hcil} 5")
    system.shell("systemctl restart scst")
    assert running.luns() == running.whole(), "nothing but what is in the file"
    with system.unwritten():
        again = succeeded(running.run())
    assert not again.changed, again.steps


def test_point_14_a_file_that_differs_is_put_right(running: Export) -> None:
    system = running.system
    good = system.conf()
    for spoil in (
        f"rm {CONF}",
        f"chmod 644 {CONF}",
        f"sed -i 's/LUN 1/LUN 9/' {CONF}",
        f"sed -i /IncomingUser/d {CONF}",
        f"rm -r {STATE}",
    ):
        system.shell(spoil)
        result = running.made()
        assert result.planned == [f"update target {TARGET}: scst.conf"], spoil
        assert system.conf() == good
        assert system.shell(f"stat -c %a {CONF}").strip() == "600"


def test_point_14_what_others_have_in_the_file_stays(running: Export) -> None:
    system = running.system
    foreign = "DEVICE_GROUP hct {\n\tTARGET_GROUP one {\n\t\tgroup_id 1\n\t}\n}"
    system.set_conf(f"# mine\nthreads 4\n\n{foreign}\n\n{system.conf()}")
    assert running.made(running.item(queued_commands=64)).changed
    for part in ("# mine", "threads 4", foreign):
        assert part in system.conf()
    system.set_conf("HANDLER broken {\n")
    running.refused("line 2", CONF)
    assert system.conf() == "HANDLER broken {\n"


def test_point_14_scst_starts_with_one_drive_missing(running: Export) -> None:
    """One missing tape makes the whole start fail; what runs before it leaves the drive out, and puts it back in."""
    system, drive = running.system, running.drives[1]
    start = f"python3 {STATE}/boot.pyz --wait 0; systemctl start scst"
    system.unload()
    system.vanish(drive)
    system.shell(start)
    assert sorted(running.luns()) == ["0", "1"]
    result = succeeded(running.run())
    assert not result.changed, result.steps
    assert any(drive.serial in text for text in result.data["unmet"])
    system.shell("systemctl stop scst")
    system.come_back(drive)
    system.shell(start)
    assert running.luns() == running.whole()
    with system.unwritten():
        assert not succeeded(running.run()).changed


def test_a_reboot(running: Export) -> None:
    system = running.system
    system.need_simulation("a restart of the host")
    system.shell("systemctl enable scst")
    assert not succeeded(running.run()).data["unmet"]
    system.reboot()
    system.until(lambda: TARGET in system.listing("targets/iscsi"), "the export after the reboot", 60)
    assert running.luns() == running.whole()
    with system.unwritten():
        again = succeeded(running.run())
    assert not again.changed, again.steps


def test_one_drive_serves_one_initiator(running: Export) -> None:
    """Whatever the group or the target."""
    drive = {"lun": 0, "device": running.drives[0].serial}
    running.refused(
        STRANGER, running.drives[0].serial, groups=[running.group(initiators=[running.initiator, STRANGER])]
    )
    second = {"name": "second", "initiators": [STRANGER], "luns": [drive]}
    running.refused(STRANGER, running.drives[0].serial, groups=[running.group(), second])
    with running.system.unwritten():
        result = refused(running.run({"target": OTHER, "groups": [second]}))
    assert STRANGER in result.message and TARGET in result.message
    robot = {"name": "robot", "initiators": [STRANGER], "luns": [{"lun": 0, "device": running.changer.serial}]}
    running.made(running.item(groups=[running.group(), robot]))


def test_a_disk_is_not_exported(export: Export) -> None:
    found = [one for one in export.info()["devices"] if one["type"] == "disk" and one["serial"]]
    if not found:
        pytest.skip("this host has no SCSI disk with a serial number")
    luns = [{"lun": 0, "device": found[0]["device"]}]
    export.refused("disk", "tape drives", groups=[export.group(luns=luns)])
