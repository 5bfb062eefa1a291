# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Changes of rows, written both ways."""

from __future__ import annotations

from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import (
    Elements,
    Entries,
    Insert,
    Ref,
    Update,
    entries,
    operations,
    words,
)

PORT = Ref("0a1b")
CHANGES = (
    Insert("Interface", "i", {"name": 'a "b"', "mtu_request": 9000, "options": {"key": "7"}}),
    Update("Port", PORT, {"tag": None, "trunks": (1, 2), "bond_fake_iface": True, "interfaces": (Ref("i", new=True),)}),
    Entries("Port", PORT, "other_config", {"a": "1"}, ("b",)),
    Elements("Bridge", Ref("vmbr0", named=True), "ports", added=(PORT,), removed=(Ref("2c"),)),
)


def test_as_words_of_ovs_vsctl() -> None:
    assert [" ".join(command) for command in words(CHANGES)] == [
        '--id=@i create Interface name="a \\"b\\"" mtu_request=9000 options={"key"="7"}',
        "set Port 0a1b tag=[] trunks=[1,2] bond_fake_iface=true interfaces=[@i]",
        'remove Port 0a1b other_config "b"',
        'set Port 0a1b other_config:"a"="1"',
        "add Bridge vmbr0 ports 0a1b",
        "remove Bridge vmbr0 ports 2c",
    ]


def test_as_operations_of_a_transaction() -> None:
    port = {"table": "Port", "where": [["_uuid", "==", ["uuid", "0a1b"]]]}
    port_there = {**port, "columns": ["_uuid"], "until": "==", "rows": [{"_uuid": ["uuid", "0a1b"]}], "timeout": 0}
    bridge = {"table": "Bridge", "where": [["name", "==", "vmbr0"]]}
    bridge_there = {**bridge, "columns": ["name"], "until": "==", "rows": [{"name": "vmbr0"}], "timeout": 0}
    row = {"name": 'a "b"', "mtu_request": 9000, "options": ["map", [["key", "7"]]]}
    columns = {
        "tag": ["set", []],
        "trunks": ["set", [1, 2]],
        "bond_fake_iface": True,
        "interfaces": ["set", [["named-uuid", "i"]]],
    }
    assert operations(CHANGES) == [
        {"op": "insert", "table": "Interface", "uuid-name": "i", "row": row},
        {"op": "wait", **port_there},
        {"op": "update", **port, "row": columns},
        {"op": "wait", **port_there},
        # A key that is there is replaced by taking it out first.
        {
            "op": "mutate",
            **port,
            "mutations": [
                ["other_config", "delete", ["set", ["b", "a"]]],
                ["other_config", "insert", ["map", [["a", "1"]]]],
            ],
        },
        {"op": "wait", **bridge_there},
        {
            "op": "mutate",
            **bridge,
            "mutations": [
                ["ports", "insert", ["set", [["uuid", "0a1b"]]]],
                ["ports", "delete", ["set", [["uuid", "2c"]]]],
            ],
        },
    ]


def test_a_map_that_stays_the_same_is_not_written() -> None:
    assert entries("Port", PORT, "other_config", {"a": "1"}, {"a": "1"}) == ()
    (change,) = entries("Port", PORT, "other_config", {"a": "1", "b": "2"}, {"a": "3", "c": "4"})
    assert change == Entries("Port", PORT, "other_config", {"a": "3", "c": "4"}, ("b",))
