# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""scst.conf read and written, and what is none of ours kept."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.scst import conf, saved
from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import (
    Wanted,
    WantedGroup,
    WantedLun,
    towards,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.conf import Node, meaning, parse, render
from ansible_collections.hospital.continuity.plugins.module_utils.scst.errors import ConfUnreadable, ScstError
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import DEFAULTS, Tree
from tests.unit.scst.model import CHANGER, DRIVE, OTHER, Model

DATA = Path(__file__).parents[2] / "data" / "scst"
TARGET = "iqn.2016-01.ar.hospital:ts3200"
FOREIGN = """\
# What the administrator wrote
setup_id 0x77

HANDLER vdisk_fileio {
    # his ISO images
    DEVICE rescue { filename /srv/rescue.iso
        read_only 1
    }
}
HANDLER dev_tape {
    DEVICE 9:9:9:9
}

TARGET_DRIVER qla2x00t {
    TARGET 50:01:43:80:12:34:56:78 { enabled 1
        LUN 0 rescue }
}

TARGET_DRIVER iscsi {
    # discovery is for everybody
    enabled 1
    TARGET iqn.2016-01.ar.hospital:sleeping {
        IncomingUser "someone some-secret-12"
        GROUP other {
            LUN 0 rescue
            INITIATOR iqn.1993-08.org.debian:01:other
        }
        enabled 1
    }
}

DEVICE_GROUP dgroup1 {
    DEVICE rescue
}
"""

words = st.text(alphabet="abcXYZ019:._*-/=", min_size=1, max_size=8)
phrases = st.one_of(words, st.lists(words, min_size=2, max_size=3).map(" ".join), st.just(""))


def nodes(depth: int = 3) -> st.SearchStrategy[Node]:
    children = st.lists(nodes(depth - 1), max_size=3).map(tuple) if depth else st.just(())
    lines = st.tuples(words, *[phrases] * 2).map(tuple)
    return st.builds(Node, lines, children)


@given(st.lists(nodes(), max_size=4))
def test_what_is_written_is_read_back(written: list[Node]) -> None:
    assert meaning(parse(render(written))) == meaning(written)


@given(st.lists(nodes(), max_size=4))
def test_writing_what_was_read_changes_nothing(written: list[Node]) -> None:
    once = render(parse(render(written)))
    assert render(parse(once)) == once


@given(st.text(alphabet='ab {}\n"#\t', max_size=60))
def test_any_text_is_read_or_refused_with_its_line(text: str) -> None:
    try:
        found = parse(text)
    except ConfUnreadable as problem:
        assert re.search(r"line \d+", str(problem))
    else:
        assert meaning(parse(render(found))) == meaning(found)


@pytest.mark.parametrize("text", ["HANDLER x {\n", "}\n", "a {\n}}\n", "{\n}\n", 'IncomingUser "a b\n'])
def test_a_broken_file_is_left_alone(text: str) -> None:
    with pytest.raises(ConfUnreadable, match=r"/etc/scst.conf .* line \d"):
        parse(text)


def test_the_brace_is_on_the_line_of_its_words() -> None:
    """The init script finds the modules to load by it, and takes no other."""
    text = render(parse("HANDLER dev_tape\n{\n\tDEVICE 7:0:1:0\n}\nTARGET_DRIVER iscsi\n{\n}\n"))
    assert re.search(r"^HANDLER dev_tape \{$", text, re.MULTILINE)
    assert re.search(r"^TARGET_DRIVER iscsi \{$", text, re.MULTILINE)


def test_the_recorded_files_mean_the_same_whoever_wrote_them() -> None:
    by_hand, by_scst = (parse((DATA / name).read_text()) for name in ("scst.conf", "scst.conf.written"))
    skipped = ("rel_tgt_id", "copy_manager")
    assert [one for one in flat(by_scst) if not any(word in one for word in skipped)] == flat(by_hand)


def flat(found: tuple[Node, ...]) -> list[str]:
    lines = [line.strip() for line in render(found).splitlines() if line.strip(" \t{}")]
    return sorted(line for line in lines if "copy_manager" not in line and not line.startswith("#"))


def whole() -> Tree:
    """The recorded export."""
    model = Model()
    luns = {0: (CHANGER, "dev_changer"), 1: (DRIVE, "dev_tape"), 2: (OTHER, "dev_tape")}
    group = WantedGroup(
        {number: WantedLun(device, handler=handler) for number, (device, handler) in luns.items()},
        ("iqn.1993-08.org.debian:01:scstvm",),
    )
    wanted = Wanted(
        portals=("10.0.2.*", "127.0.0.1"),
        users={"backupuser": "secretsecret12"},
        settings=DEFAULTS,
        groups={"backup": group},
    )
    model.do(towards(model.tree(), TARGET, wanted))
    return model.tree()


def test_what_runs_is_written_as_scst_itself_writes_it() -> None:
    ours = saved.merged((), whole())
    theirs = [one for one in parse((DATA / "scst.conf.written").read_text()) if one.name != "copy_manager"]
    assert meaning(ours) == meaning(theirs)


def test_what_is_none_of_ours_stays_as_it_stands() -> None:
    text = render(saved.merged(parse(FOREIGN), whole()))
    for block in ("HANDLER vdisk_fileio", "TARGET_DRIVER qla2x00t", "DEVICE_GROUP dgroup1"):
        begin = FOREIGN.index(block)
        assert FOREIGN[begin : FOREIGN.index("\n}", begin) + 2] in text, f"{block} was changed"
    for part in ("# What the administrator wrote", "setup_id 0x77", "# discovery is for everybody"):
        assert part in text
    assert "9:9:9:9" not in text, "a device that is not there would keep SCST from starting"
    again = saved.merged(parse(text), whole())
    assert render(again) == text


def test_a_target_that_does_not_run_is_kept_until_it_is_deleted() -> None:
    """The daemon may be dead, and the file is all that is left of it."""
    before = parse(FOREIGN)
    kept = saved.merged(before, whole())
    assert saved.targets(kept) == ["iqn.2016-01.ar.hospital:sleeping", TARGET]
    assert saved.targets(saved.merged(kept, whole(), {"iqn.2016-01.ar.hospital:sleeping"})) == [TARGET]
    assert meaning(saved.merged(before, Tree())) == meaning(before)


CLAIMS = """\
HANDLER dev_disk {
    DEVICE 0:0:1:0
}
HANDLER dev_tape {
    DEVICE 7:0:9:0 {
        threads_num 2
    }
    DEVICE 7:0:9:1
    DEVICE 7:0:1:0
}
HANDLER dev_changer {
    DEVICE 7:0:9:2
}
TARGET_DRIVER qla2x00t {
    TARGET 50:01:43:80:12:34:56:78 {
        LUN 0 0:0:1:0
    }
}
TARGET_DRIVER iscsi {
    TARGET iqn.2016-01.ar.hospital:sleeping {
        GROUP other {
            LUN 3 7:0:9:0
        }
    }
    TARGET iqn.2016-01.ar.hospital:ts3200 {
        GROUP backup {
            LUN 4 7:0:9:1
        }
    }
}
DEVICE_GROUP robots {
    DEVICE 7:0:9:2
}
"""


def test_the_claims_that_others_need_stay() -> None:
    """A LUN whose device is in no HANDLER block is taken out without an error at the next start."""
    after = saved.merged(parse(CLAIMS), whole())
    claims = {one.name: [line.name for line in one.named("DEVICE")] for one in after if one.keyword == "HANDLER"}
    assert claims == {
        "dev_disk": ["0:0:1:0"],
        "dev_tape": [DRIVE, OTHER, "7:0:9:0"],
        "dev_changer": [CHANGER, "7:0:9:2"],
    }
    assert "threads_num 2" in render(after)
    assert meaning(saved.merged(parse(render(after)), whole())) == meaning(after)
    claims.clear()
    for one in saved.merged(parse(CLAIMS), replace(whole(), targets={}, devices={}, open_state="closed")):
        if one.keyword == "HANDLER":
            claims[one.name] = [line.name for line in one.named("DEVICE")]
    assert claims["dev_tape"] == ["7:0:9:0", "7:0:9:1"], "the daemon is dead, and all its targets are only in the file"


@pytest.mark.parametrize(
    "spoilt",
    [
        "HANDLER dev_tape { # tapes\n\tDEVICE 7:0:1:0\n}\n",
        "  HANDLER dev_tape {\n\tDEVICE 7:0:1:0\n}\n",
        "HANDLER dev_tape{\n\tDEVICE 7:0:1:0\n}\n",
        "HANDLER dev_tape\n{\n\tDEVICE 7:0:1:0\n}\n",
        "HANDLER dev_tape {\r\n\tDEVICE 7:0:1:0\r\n}\r\n",
        'HANDLER "dev_tape" {\n\tDEVICE 7:0:1:0\n}\n',
        "HANDLER dev_tape { DEVICE 7:0:1:0\n}\n",
    ],
    ids=["comment", "indented", "no-blank", "next-line", "crlf", "quoted", "one-line"],
)
def test_a_form_that_only_the_init_script_does_not_read_is_put_right(spoilt: str) -> None:
    """It would not load scst_tape, and the whole start fails, although the file says the right thing."""
    assert not conf.startable(spoilt, parse(spoilt))
    text = render(parse(spoilt))
    assert meaning(parse(text)) == meaning(parse(spoilt))
    assert conf.startable(text, parse(text))
    assert re.search(r"^HANDLER[ \t]+dev_tape[ \t]+{[ \t]*$", text, re.MULTILINE)


def test_a_file_is_written_whole_with_mode_0600_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "scst.conf"
    path.write_text("old")
    path.chmod(0o644)
    conf.store(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert conf.load(str(path)) == ("new", 0o600)
    with pytest.raises(ScstError, match="cannot be written"):
        conf.store(str(tmp_path / "nowhere" / "scst.conf"), b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["scst.conf"]


def test_the_secrets_of_the_discovery_stay_in_the_file() -> None:
    """Set by hand for all targets together, and none of ours: still a reboot must bring them back."""
    model = Model()
    for line in ("IncomingUser disco discosecret12", "OutgoingUser library librarysecret1"):
        model.sysfs.write(("targets", "iscsi", "mgmt"), f"add_attribute {line}")
    model.sysfs.write(("targets", "iscsi", "enabled"), "1")
    text = render(saved.merged((), model.tree()))
    assert 'IncomingUser "disco discosecret12"' in text
    assert 'OutgoingUser "library librarysecret1"' in text
