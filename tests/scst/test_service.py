# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""scst.service and scstadmin as they were recorded (tests/data/scst/06-service.txt): what our modules and roles reckon
with. In the lab it checks the lab; on a real host, that the host is like the recorded one."""

from __future__ import annotations

import pytest

from tests.contract.case import PREFIX
from tests.contract.scst_system import CONF, SYSFS, ScstSystem

TARGET = f"iqn.2016-01.ar.hospital:{PREFIX}library"
GROUP = f"targets/iscsi/{TARGET}/ini_groups/backup"


def configuration(changer: str, *drives: str, extra: str = "") -> str:
    devices = "".join(f"\tDEVICE {drive}\n" for drive in drives)
    luns = "".join(f"\t\t\tLUN {number} {hcil}\n" for number, hcil in enumerate([changer, *drives]))
    return (
        f"HANDLER dev_changer {{\n\tDEVICE {changer}\n}}\nHANDLER dev_tape {{\n{devices}}}\n"
        f"TARGET_DRIVER iscsi {{\n\tenabled 1\n\tTARGET {TARGET} {{\n{extra}"
        f"\t\tGROUP backup {{\n{luns}\t\t\tINITIATOR iqn.1993-08.org.debian:01:nobody\n\t\t}}\n"
        "\t\tenabled 1\n\t}\n}\n"
    )


@pytest.fixture
def configured(scst: ScstSystem) -> ScstSystem:
    scst.set_conf(configuration(scst.changer.hcil, *(drive.hcil for drive in scst.drives)))
    return scst


def service(scst: ScstSystem, action: str) -> int:
    """systemctl's exit code."""
    return scst.place.run("systemctl", action, "scst", check=False, timeout=300).returncode


def is_active(scst: ScstSystem) -> str:
    return scst.place.run("systemctl", "is-active", "scst", check=False).stdout.strip()


def modules(scst: ScstSystem) -> set[str]:
    return {line.split()[0] for line in scst.shell("lsmod").splitlines() if "scst" in line.split()[0]}


def test_a_start_applies_the_configuration_and_a_stop_unloads_everything(configured: ScstSystem) -> None:
    assert service(configured, "start") == 0
    assert configured.read("targets/iscsi/open_state") == "open"
    assert configured.listing(f"{GROUP}/luns") == ["0", "1", "2"]
    assert {"scst", "scst_tape", "scst_changer", "iscsi_scst"} <= modules(configured)
    assert service(configured, "stop") == 0
    assert modules(configured) == set()
    assert configured.place.run("ls", SYSFS, check=False).returncode == 2


def test_with_the_module_loaded_a_start_succeeds_and_applies_nothing(configured: ScstSystem) -> None:
    configured.start()
    assert service(configured, "start") == 0
    assert is_active(configured) == "active"
    assert TARGET not in configured.listing("targets/iscsi")
    assert service(configured, "restart") == 0
    assert TARGET in configured.listing("targets/iscsi")


def test_a_killed_daemon_takes_the_targets_along_and_the_service_stays_active(configured: ScstSystem) -> None:
    assert service(configured, "start") == 0
    configured.kill_daemon()
    assert TARGET not in configured.listing("targets/iscsi")
    assert "enabled" not in configured.listing("targets/iscsi")
    assert is_active(configured) == "active"
    assert configured.write("targets/iscsi/mgmt", f"add_target {TARGET}") == "EPERM"
    assert configured.listing("handlers/dev_changer")[0] == configured.changer.hcil, "what was claimed stays claimed"


def test_one_missing_tape_and_nothing_starts(scst: ScstSystem) -> None:
    scst.set_conf(configuration(scst.changer.hcil, scst.drives[0].hcil, "7:0:99:0"))
    assert service(scst, "start") != 0
    assert is_active(scst) == "failed"
    assert modules(scst) == set()


def test_a_handler_with_its_brace_in_the_next_line_is_not_loaded(configured: ScstSystem) -> None:
    configured.set_conf(configured.conf().replace("HANDLER dev_tape {", "HANDLER dev_tape\n{"))
    service(configured, "start")
    assert "scst_tape" not in modules(configured)


def test_a_reload_adds_and_takes_nothing_away(configured: ScstSystem) -> None:
    assert service(configured, "start") == 0
    plain = configured.conf()
    words = [configured.changer.hcil, *(drive.hcil for drive in configured.drives)]
    configured.set_conf(configuration(*words, extra="\t\tQueuedCommands 16\n"))
    assert service(configured, "reload") == 0
    assert configured.read(f"targets/iscsi/{TARGET}/QueuedCommands") == "16"
    configured.set_conf(plain)
    assert service(configured, "reload") == 0
    assert configured.read(f"targets/iscsi/{TARGET}/QueuedCommands") == "16"
    assert service(configured, "restart") == 0
    assert configured.read(f"targets/iscsi/{TARGET}/QueuedCommands") == "32"


def test_what_scstadmin_writes_can_be_read_by_everybody(configured: ScstSystem) -> None:
    """That is why our modules write scst.conf themselves."""
    assert service(configured, "start") == 0
    text = f"add_target_attribute {TARGET} IncomingUser {PREFIX}user {PREFIX}secretsecret"
    assert configured.write("targets/iscsi/mgmt", text) == ""
    path = "/tmp/hct-scst.conf"
    try:
        configured.shell(f"umask 022; scstadmin -write_config {path}")
        assert configured.shell(f"stat -c %a {path}").strip() == "644"
        assert f'IncomingUser "{PREFIX}user {PREFIX}secretsecret"' in configured.shell(f"cat {path}")
    finally:
        configured.shell(f"rm -f {path}")


def test_scstadmin_ends_in_0_whatever_happened(configured: ScstSystem) -> None:
    assert service(configured, "start") == 0
    done = configured.place.run("scstadmin", "-rem_target", TARGET, "-driver", "iscsi", check=False)
    assert (done.returncode, TARGET in configured.listing("targets/iscsi")) == (0, True)
    assert "Aborting action." in done.stdout
    done = configured.place.run("scstadmin", "-list_target", "iqn.absent", "-driver", "iscsi", check=False)
    assert done.returncode == 0


def test_a_vanished_drive_takes_its_luns_along_and_does_not_come_back_by_itself(configured: ScstSystem) -> None:
    assert service(configured, "start") == 0
    drive = configured.drives[1]
    configured.vanish(drive)
    configured.until(lambda: drive.hcil not in configured.listing("devices"), "the drive's end")
    assert configured.listing(f"{GROUP}/luns") == ["0", "1"]
    configured.come_back(drive)
    configured.until(lambda: drive.hcil in configured.listing("devices"), "the drive's return")
    assert configured.listing(f"{GROUP}/luns") == ["0", "1"]
    assert drive.hcil not in configured.listing("handlers/dev_tape")


def test_after_a_restart_the_enabled_service_brings_the_export_back(configured: ScstSystem) -> None:
    configured.need_simulation("a restart of the host")
    configured.shell("systemctl enable scst")
    configured.reboot()
    configured.until(lambda: is_active(configured) != "activating", "the service's start")
    assert configured.listing(f"{GROUP}/luns") == ["0", "1", "2"]


def test_after_a_restart_a_service_that_is_not_enabled_brings_nothing(configured: ScstSystem) -> None:
    configured.need_simulation("a restart of the host")
    assert service(configured, "start") == 0
    configured.reboot()
    assert modules(configured) == set()
    assert configured.conf(), f"{CONF} is still there"
