# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Before SCST starts: scst.conf follows the devices."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.scst import boot, conf, program, record
from ansible_collections.hospital.continuity.plugins.module_utils.scst.conf import meaning, parse
from ansible_collections.hospital.continuity.plugins.module_utils.scst.devices import Inventory, ScsiDevice
from ansible_collections.hospital.continuity.plugins.module_utils.scst.record import Granted, Record

TARGET = "iqn.2016-01.ar.hospital:ts3200"
LIBRARY = ScsiDevice("7:0:1:1", 8, serial="LIB")
ONE = ScsiDevice("7:0:1:0", 1, serial="DRV1", naa="naa.5000000000000001")
TWO = ScsiDevice("7:0:2:0", 1, serial="DRV2")
KNOWN = Record(
    {"7:0:1:1": ("LIB",), "7:0:1:0": ("DRV1", "naa.5000000000000001"), "7:0:2:0": ("DRV2",)},
    (
        Granted(TARGET, "backup", 0, ("LIB",), handler="dev_changer"),
        Granted(TARGET, "backup", 1, ("DRV1", "naa.5000000000000001"), handler="dev_tape"),
        Granted(TARGET, "backup", 2, ("DRV2",), True, "dev_tape"),
    ),
)


def text(drives: dict[int, str], library: str = "7:0:1:1") -> str:
    """scst.conf with the drives at these places."""
    devices = "".join(f"\tDEVICE {address}\n" for address in drives.values())
    handler = f"HANDLER dev_tape {{\n{devices}}}\n" if drives else ""
    options = {2: " {\n read_only 1\n }"}
    luns = "".join(f"\t\t\tLUN {number} {address}{options.get(number, '')}\n" for number, address in drives.items())
    changer = f"\t\t\tLUN 0 {library}\n"
    return f"""HANDLER dev_changer {{
    DEVICE {library}
}}
{handler}TARGET_DRIVER iscsi {{
    enabled 1
    TARGET {TARGET} {{
        IncomingUser "backupuser secretsecret12"
        enabled 1
        GROUP backup {{
{changer}{luns}            INITIATOR iqn.1993-08.org.debian:01:backup
        }}
    }}
}}
"""


WHOLE = text({1: "7:0:1:0", 2: "7:0:2:0"})


@pytest.mark.parametrize(
    ("devices", "expected"),
    [
        ((LIBRARY, ONE, TWO), WHOLE),
        ((LIBRARY, ONE), text({1: "7:0:1:0"})),
        ((LIBRARY,), text({})),
        (
            tuple(replace(one, address=one.address.replace("7:", "3:")) for one in (LIBRARY, ONE, TWO)),
            text({1: "3:0:1:0", 2: "3:0:2:0"}, "3:0:1:1"),
        ),
        # The two drives have changed places.
        (
            (LIBRARY, replace(ONE, address="7:0:2:0"), replace(TWO, address="7:0:1:0")),
            text({1: "7:0:2:0", 2: "7:0:1:0"}),
        ),
        # Another drive is where one of them was.
        ((LIBRARY, ONE, ScsiDevice("7:0:2:0", 1, serial="ALIEN")), text({1: "7:0:1:0"})),
    ],
    ids=["all-there", "one-missing", "both-missing", "other-host-number", "changed-places", "another-drive-there"],
)
def test_the_file_follows_the_devices(devices: tuple[ScsiDevice, ...], expected: str) -> None:
    found = boot.rewritten(parse(WHOLE), KNOWN, Inventory(devices))
    assert meaning(found) == meaning(parse(expected))


@pytest.mark.parametrize("left", [(), (ONE,), (TWO,), (ONE, TWO)], ids=["none", "one", "two", "both"])
def test_a_drive_that_was_missing_comes_back_in(left: tuple[ScsiDevice, ...]) -> None:
    """The file was written without it; what was declared is remembered beside."""
    inventory = Inventory((LIBRARY, *left))
    poor = boot.rewritten(parse(WHOLE), KNOWN, inventory)
    remembered = boot.refreshed(KNOWN, inventory, parse(WHOLE), poor)
    assert {one.names[0] for one in remembered.luns if one.away} == {"DRV1", "DRV2"} - {one.serial for one in left}
    back = Inventory(tuple(replace(one, address=one.address.replace("7:", "4:")) for one in (LIBRARY, ONE, TWO)))
    whole = boot.rewritten(poor, remembered, back)
    assert meaning(whole) == meaning(parse(text({1: "4:0:1:0", 2: "4:0:2:0"}, "4:0:1:1")))


@pytest.mark.parametrize("then", [(LIBRARY, ONE, TWO), (LIBRARY, TWO)], ids=["there", "away meanwhile"])
def test_what_somebody_took_out_by_hand_stays_out(tmp_path: Path, then: tuple[ScsiDevice, ...]) -> None:
    """While SCST was stopped. So does what was granted a moment before the host went down, and is not in the file: its
    group may still be somebody else's there."""
    path, state = tmp_path / "scst.conf", tmp_path / "state"
    state.mkdir()
    path.write_text(text({2: "7:0:2:0"}))
    (state / record.FILE).write_text(KNOWN.text())
    for devices in (then, (LIBRARY, ONE, TWO)):
        boot.prepare(str(path), str(state), wait=0, look=lambda devices=devices: Inventory(devices), say=str)
        assert meaning(parse(path.read_text())) == meaning(parse(text({2: "7:0:2:0"})))


@pytest.mark.parametrize("stored", range(4))
def test_what_was_left_out_comes_back_even_if_the_host_went_down_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: int
) -> None:
    """After so many files were written at the boot that left it out."""
    path, state = tmp_path / "scst.conf", tmp_path / "state"
    state.mkdir()
    path.write_text(WHOLE)
    (state / record.FILE).write_text(KNOWN.text())
    real, left = conf.store, iter(range(stored))

    def store(name: str, content: bytes) -> None:
        if next(left, None) is None:
            raise InterruptedError
        real(name, content)

    monkeypatch.setattr(conf, "store", store)
    with contextlib.suppress(InterruptedError):
        boot.prepare(str(path), str(state), wait=0, look=lambda: Inventory((LIBRARY, ONE)), say=str)
    monkeypatch.setattr(conf, "store", real)
    boot.prepare(str(path), str(state), wait=0, look=lambda: Inventory((LIBRARY, ONE, TWO)), say=str)
    assert meaning(parse(path.read_text())) == meaning(parse(WHOLE))
    assert not any(one.away for one in record.parse((state / record.FILE).read_text()).luns)


def test_it_waits_for_what_is_late_and_no_longer(tmp_path: Path) -> None:
    path, state = tmp_path / "scst.conf", tmp_path / "state"
    state.mkdir()
    path.write_text(WHOLE)
    (state / record.FILE).write_text(KNOWN.text())
    seen = [Inventory((LIBRARY,)), Inventory((LIBRARY, ONE)), Inventory((LIBRARY, ONE, TWO))]
    waited: list[float] = []
    said: list[str] = []
    boot.prepare(
        str(path), str(state), wait=60, look=lambda: seen[min(len(waited), 2)], sleep=waited.append, now=lambda: 0.0,
        say=said.append,
    )  # fmt: skip
    assert len(waited) == 2, "it goes on as soon as everything is there"
    assert meaning(parse(path.read_text())) == meaning(parse(WHOLE))
    assert conf.load(str(path))[1] == 0o600

    clock = iter(range(100))
    boot.prepare(
        str(path), str(state), wait=5, look=lambda: seen[1], sleep=waited.append, now=lambda: float(next(clock)),
        say=said.append,
    )  # fmt: skip
    assert meaning(parse(path.read_text())) == meaning(parse(text({1: "7:0:1:0"})))
    assert any("DRV2" in line for line in said)
    assert "secretsecret12" not in " ".join(said) + (state / record.FILE).read_text()


def test_a_device_without_a_name_stays_where_it_is() -> None:
    """It was exported by its address, and there is nothing else to find it by."""
    known = Record({**KNOWN.addresses, "7:0:1:0": ()}, (KNOWN.luns[0], Granted(TARGET, "backup", 1, ()), KNOWN.luns[2]))
    devices = Inventory((LIBRARY, ScsiDevice("7:0:1:0", 1), TWO))
    for record_ in (known, record.parse(known.text())):
        assert meaning(boot.rewritten(parse(WHOLE), record_, devices)) == meaning(parse(WHOLE))


@pytest.mark.parametrize("there", [(), (ScsiDevice("7:0:3:0", 0, serial="DISK"),)], ids=["nothing", "a-disk"])
def test_what_nobody_declared_and_is_not_there_becomes_a_comment(tmp_path: Path, there: tuple[ScsiDevice, ...]) -> None:
    """SCST would not start with it; and it is not lost."""
    path, said = tmp_path / "scst.conf", list[str]()
    foreign = WHOLE.replace("HANDLER dev_tape {\n", "HANDLER dev_tape {\n\tDEVICE 7:0:3:0\n")
    path.write_text(
        foreign.replace("        GROUP backup {", "        GROUP hand {\nLUN 0 7:0:3:0\n}\n        GROUP backup {")
    )
    (tmp_path / record.FILE).write_text(KNOWN.text())
    inventory = Inventory((LIBRARY, ONE, TWO, *there))
    for _start in (1, 2):
        boot.prepare(str(path), str(tmp_path), wait=0, look=lambda: inventory, say=said.append)
        text_now = path.read_text()
        assert not [line for line in text_now.splitlines() if "7:0:3:0" in line and not line.startswith("#")]
        assert text_now.count("HANDLER dev_tape DEVICE 7:0:3:0") == 1
        assert text_now.count(f"TARGET {TARGET} GROUP hand LUN 0 7:0:3:0") == 1
        whole = parse(WHOLE.replace("        GROUP backup {", "        GROUP hand {\n}\n        GROUP backup {"))
        assert meaning(parse(text_now)) == meaning(whole)
    assert [line for line in said if "7:0:3:0" in line], "the journal says it"
    back = boot.rewritten(parse(foreign), KNOWN, Inventory((LIBRARY, ONE, TWO, ScsiDevice("7:0:3:0", 1))))
    assert meaning(back) == meaning(parse(foreign)), "a drive that is there stays"


def test_a_drive_that_comes_back_serves_one_initiator() -> None:
    """Granted to two while it was away, it is put back for neither; the changer may serve both."""
    second = "GROUP other {\nINITIATOR iqn.1993-08.org.debian:01:other\n}\nGROUP backup {"
    poor = text({}).replace("GROUP backup {", second)
    robot = Granted(TARGET, "other", 0, ("LIB",), handler="dev_changer")
    luns = (*KNOWN.luns, robot, Granted(TARGET, "other", 1, ("DRV2",)))
    known = replace(KNOWN, luns=tuple(replace(one, away=True) for one in luns))
    after = boot.rewritten(parse(poor), known, Inventory((LIBRARY, ONE, TWO)))
    given = {
        group.name: [line.words[1:] for line in group.named("LUN")]
        for one in after
        for target in one.named("TARGET")
        for group in target.named("GROUP")
    }
    assert given == {"other": [("0", "7:0:1:1")], "backup": [("0", "7:0:1:1"), ("1", "7:0:1:0")]}
    assert "7:0:2:0" not in conf.render(after)


@pytest.mark.parametrize(
    ("uptime", "waits"),
    [("42.17 80.00\n", 180.0), ("899.99 1.0\n", 180.0), ("86400.00 1.0\n", 0.0), ("", 180.0), (None, 180.0)],
)
def test_a_restart_later_on_does_not_wait_for_a_dead_drive(tmp_path: Path, uptime: str | None, waits: float) -> None:
    """scst_target restarts SCST where its daemon has died, and people read nothing meanwhile."""
    file = tmp_path / "uptime"
    if uptime is not None:
        file.write_text(uptime)
    assert boot.due(180.0, str(file)) == waits


def test_a_host_of_which_nothing_is_known_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "scst.conf"
    path.write_text(WHOLE)
    boot.prepare(str(path), str(tmp_path), wait=0, look=Inventory, say=lambda line: None)
    assert path.read_text() == WHOLE


def test_the_program_needs_nothing_but_python(tmp_path: Path) -> None:
    """As the service runs it: no Ansible, nothing installed."""
    path, state, file = tmp_path / "scst.conf", tmp_path / "state", tmp_path / "boot.pyz"
    state.mkdir()
    path.write_text(WHOLE)
    (state / record.FILE).write_text(KNOWN.text())
    assert program.archive() == program.archive(), "the same modules make the same bytes"
    file.write_bytes(program.archive())
    words = [sys.executable, "-I", "-S", str(file), "--conf", str(path), "--state", str(state), "--wait", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "DRV1" in done.stdout, "this machine has none of these devices"
    assert not saved_devices(path.read_text())
    path.write_text("broken {")
    broken = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert broken.returncode == 0, "SCST says itself what is wrong; its start is not ours to stop"
    assert "line 1" in broken.stderr and "Traceback" not in broken.stderr


def saved_devices(content: str) -> list[str]:
    return [line for line in content.splitlines() if "DEVICE" in line or "LUN" in line]
