# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What zfs and zpool print, read from the recordings of OpenZFS 2.3.9."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.command import Completed
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.command_line import (
    CommandLine,
    Pool,
    Property,
    chunks,
    parsed_import,
    parsed_properties,
)
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.dataset import DATASET
from ansible_collections.hospital.continuity.plugins.module_utils.zfs.errors import ZfsError, refused

RECORDED = Path(__file__).resolve().parents[2] / "data" / "zfs"


def recorded(file: str, command: str) -> str:
    text = (RECORDED / file).read_text()
    found = re.search(rf"^\$ {re.escape(command)}\n(.*?)^\[rc=\d+\]$", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_recorded_root_of_a_pool():
    properties = parsed_properties(recorded("01-create-list-props.txt", "zfs get -Hp all backup"))["backup"]
    assert properties["compression"] == Property("lz4", "local")
    thing = DATASET.decode("backup", properties, xattr_on="sa")
    # Created with -O compression=lz4 -O atime=off -O xattr=sa -O acltype=posixacl -O mountpoint=/backup.
    assert thing.state == {
        "type": "filesystem",
        "mountpoint": "/backup",
        "compression": "lz4",
        "atime": False,
        "xattr": "sa",
        "acltype": "posix",
    }
    assert thing.facts["effective"]["recordsize"] == 131072
    declared = DATASET.declare(
        {
            "config": [
                {
                    "name": "backup",
                    "compression": "lz4",
                    "atime": False,
                    "xattr": "sa",
                    "acltype": "posixacl",
                    "mountpoint": "/backup",
                    "recordsize": "128K",
                    "quota": "none",
                    "canmount": "on",
                    "utf8only": False,
                    "casesensitivity": "sensitive",
                    "encryption": "off",
                }
            ],
            "unlisted_options": "reset",
        }
    )
    assert not DATASET.plan({("backup",): thing}, declared)


def test_where_a_value_comes_from():
    output = recorded(
        "01-create-list-props.txt",
        "zfs set compression=zstd-3 backup/veeam; zfs get -Hp -s local all backup/veeam; "
        "zfs get -Hp compression backup/veeam backup/a",
    )
    found = parsed_properties(output)
    assert found["backup/veeam"]["compression"].is_set
    assert not found["backup/a"]["compression"].is_set
    assert found["backup/a"]["compression"].inherited_from == "backup"


def test_names_with_spaces_and_values_with_tabs_and_line_feeds():
    output = "bad name/a b\tx:y\tone\ttwo\nthree\tlocal\nbad name/a b\tquota\t0\tinherited from bad name\n"
    assert parsed_properties(output) == {
        "bad name/a b": {
            "x:y": Property("one\ttwo\nthree", "local"),
            "quota": Property("0", "inherited from bad name"),
        }
    }


def test_a_pool_with_too_many_missing_disks():
    output = recorded(
        "03-degraded-import.txt",
        "zpool export backup; for x in a c d; do echo 1 > /sys/block/sd$x/device/delete; done; "
        "zpool import; zpool import backup; zpool import -f backup",
    )
    assert parsed_import(output) == {
        "backup": Pool("backup", "UNAVAIL", action="The pool cannot be imported due to damaged devices or data.")
    }


def test_several_pools_to_import():
    two = "   pool: a b\n     id: 1\n  state: ONLINE\n action: It can.\n config:\n\n\ta b  ONLINE\n"
    assert parsed_import(two + two.replace("a b", "c")) == {
        "a b": Pool("a b", "ONLINE", action="It can."),
        "c": Pool("c", "ONLINE", action="It can."),
    }
    assert parsed_import("no pools available to import\n") == {}


@pytest.mark.parametrize(
    ("file", "command", "hint"),
    [
        ("01-create-list-props.txt", "cd /backup/veeam && zfs destroy backup/veeam", "Something uses it"),
        (
            "01-create-list-props.txt",
            "zfs hold keep backup/veeam@s1; zfs destroy backup/veeam@s1",
            "zfs holds shows who",
        ),
        ("01-create-list-props.txt", "zfs create nosuch/x", "Import the pool first"),
        ("01-create-list-props.txt", "zfs create backup/a/b/c", "create_parents: true"),
        ("01-create-list-props.txt", "zfs set utf8only=on backup/veeam", "fixed when the dataset is created"),
        ("01-create-list-props.txt", "zfs create -o bogus=1 backup/y", "does not have the property"),
        ("01-create-list-props.txt", "zfs set compression=bogus backup", "Correct the value"),
    ],
)
def test_what_zfs_refuses_comes_with_what_to_do(file, command, hint):
    error = refused(Completed(("zfs",), 1, "", recorded(file, command)))
    assert hint in str(error)
    assert recorded(file, command).splitlines()[0].strip().rstrip(".") in str(error)


class Scripted:
    """A runner that answers from a list."""

    def __init__(self, *answers: Completed) -> None:
        self.answers = list(answers)

    def __call__(self, argv, *, stdin="", timeout=60.0):
        return self.answers.pop(0)


def test_a_dataset_that_does_not_exist_is_no_error_and_anything_else_is():
    line = "tank/a\tquota\t0\tdefault\n"
    missing = "cannot open 'tank/b': dataset does not exist\n"
    found = CommandLine(runner=Scripted(Completed((), 1, line, missing))).properties(["tank/a", "tank/b"])
    assert set(found) == {"tank/a"}
    for errors in (missing + "cannot open 'tank/c': dataset does not exist\n", missing + "internal error\n", "bad\n"):
        runner = Scripted(Completed((), 1, line, errors))
        with pytest.raises(ZfsError):
            CommandLine(runner=runner).properties(["tank/a", "tank/b"])


@given(st.lists(st.text("ab /", min_size=1, max_size=255), max_size=50), st.integers(1, 100))
def test_names_are_cut_where_one_argument_would_be_too_long(names, times):
    """MAX_ARG_STRLEN is 128 KiB, and over SSH the whole of a command line is one argument."""
    parts = list(chunks(names * times))
    assert [name for part in parts for name in part] == names * times
    assert all(part and len(shlex.join(part)) < 100 * 1024 for part in parts)


@pytest.mark.parametrize(
    ("text", "version"),
    [("zfs-2.3.9-0+deb13u1\nzfs-kmod-2.3.9-0+deb13u1\n", (2, 3)), ("zfs-2.1.11-1\nzfs-kmod-2.1.11-1\n", (2, 1))],
)
def test_the_version(text, version):
    assert CommandLine(runner=Scripted(Completed((), 0, text, ""))).version() == version
