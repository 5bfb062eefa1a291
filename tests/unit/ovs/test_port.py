# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is planned for a port, what is refused beforehand, the rows that change, and whether tunnels are encrypted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan
from ansible_collections.hospital.continuity.plugins.module_utils.ovs import ipsec
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.changes import operations
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.port import PORT
from tests.unit.ovs.switch import Switch

PSK = "a key that nobody may see"
TUNNEL = {"name": "vx1", "bridge": "vmbr0", "type": "vxlan", "remote_ip": "192.0.2.1", "psk": PSK}


def switch() -> Switch:
    """vmbr0 with bond0 (eno1, eno2), the tagged port eno3, the internal mgmt and the encrypted tunnel vx0; vmbr1."""
    found = Switch(nics=("eno1", "eno2", "eno3", "eno4"))
    found.bridge("vmbr0")
    found.bridge("vmbr1")
    found.port("vmbr0", "bond0", "eno1", "eno2")
    found.port("vmbr0", "eno3", "eno3", tag=20, external_ids={"iface-id": "x"})
    found.port("vmbr0", "mgmt", "mgmt", tag=10)
    found.set("mgmt", type="internal", mac="02:00:00:00:00:aa")
    found.port("vmbr0", "vx0", "vx0")
    found.set("vx0", type="vxlan", options={"remote_ip": "192.0.2.9", "psk": PSK, "tos": "inherit", "key": "7"})
    return found


def planned(found: Switch, *config: Any, **params: Any) -> Plan:
    return PORT.plan(PORT.decode(found.tables), PORT.declare({"config": list(config), **params}))


def problems(found: Switch, *config: Any, **params: Any) -> list[str]:
    return list(PORT.problems(planned(found, *config, **params), found.tables, found.host))


def commands(found: Switch, *config: Any, **params: Any) -> list[str]:
    plan = planned(found, *config, **params)
    return [" ".join(words) for number, step in enumerate(plan) for words in PORT.commands(step, f"s{number}")]


@pytest.mark.parametrize(
    "item",
    [
        {"name": "eno3"},
        {"name": "eno3", "tag": "20", "type": "system", "bridge": "vmbr0"},
        {"name": "mgmt", "mac": "02-00-00-00-00-AA", "type": "internal"},
        {"name": "vx0"},
        {"name": "vx0", "psk": PSK, "options": {"tos": "inherit"}, "key": "7"},
    ],
)
def test_what_is_as_written_needs_nothing(item: dict[str, Any]) -> None:
    """Leaving out the tag of a tagged port is no change either."""
    assert not planned(switch(), item)


def test_reading_gives_configs_own_form_without_secrets() -> None:
    things = PORT.decode(switch().tables)
    assert sorted(things) == [("eno3",), ("mgmt",), ("vx0",)], "bonds and local ports are no ports of this kind"
    assert PORT.visible(("vx0",), things[("vx0",)].state) == {
        "name": "vx0",
        "bridge": "vmbr0",
        "type": "vxlan",
        "remote_ip": "192.0.2.9",
        "key": "7",
        "options": {"tos": "inherit"},
    }


def test_a_secret_left_out_stays_even_when_everything_else_is_reset() -> None:
    item = {"name": "vx0", "type": "vxlan", "remote_ip": "192.0.2.9"}
    (step,) = planned(switch(), item, unlisted_options="reset")
    assert sorted(step.options) == ["key", "options"]
    assert step.after is not None and step.after["psk"] == PSK
    with pytest.raises(InvalidInput, match="psk has no default"):
        planned(switch(), {"name": "vx0", "reset": ["psk"]})


def test_an_empty_secret_takes_it_away_in_public() -> None:
    (step,) = planned(switch(), {"name": "vx0", "psk": ""})
    assert not PORT.confidential(step)
    assert commands(switch(), {"name": "vx0", "psk": ""}) == ['remove Interface u-vx0 options "psk"']


@pytest.mark.parametrize(
    ("item", "confidential"),
    [(TUNNEL, True), ({"name": "vx0", "psk": "another"}, True), ({"name": "vx0", "key": "8"}, False)],
)
def test_what_holds_a_secret_is_confidential_and_nothing_else(item: dict[str, Any], confidential: bool) -> None:
    (step,) = planned(switch(), item)
    assert PORT.confidential(step) is confidential
    assert (PSK in " ".join(commands(switch(), item))) is (item is TUNNEL), "which is why it is not written that way"
    assert PSK not in repr(step.line)


def test_an_encrypted_tunnel_is_made_in_one_insert() -> None:
    (step,) = planned(switch(), TUNNEL)
    made = operations(PORT.changes(step, "s0"))
    (interface,) = [one for one in made if one["op"] == "insert" and one["table"] == "Interface"]
    assert ["psk", PSK] in interface["row"]["options"][1]
    assert json.dumps(made).count(PSK) == 1
    # Whatever is changed has to be there still.
    assert [one["op"] for one in made] == ["insert", "insert", "wait", "mutate"]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"name": "eno3", "tag": 30}, ["set Port u-eno3 tag=30"]),
        ({"name": "eno3", "reset": ["tag"], "trunks": [3, 2]}, ["set Port u-eno3 tag=[] trunks=[2,3]"]),
        ({"name": "eno3", "bridge": "vmbr1"}, ["add Bridge vmbr1 ports u-eno3", "remove Bridge vmbr0 ports u-eno3"]),
        ({"name": "mgmt", "mtu_request": 9000}, ["set Interface u-mgmt mtu_request=9000"]),
        ({"name": "mgmt", "reset": ["mac"]}, ["set Interface u-mgmt mac=[]"]),
        ({"name": "vx0", "options": {"tos": "", "csum": True}}, None),
        (
            {"name": "p1", "bridge": "vmbr1", "type": "patch", "peer": "p0"},
            [
                '--id=@s0i create Interface name="p1" type="patch" options={"peer"="p0"}',
                '--id=@s0p create Port name="p1" interfaces=[@s0i]',
                "add Bridge vmbr1 ports @s0p",
            ],
        ),
    ],
)
def test_only_what_differs_is_written(item: dict[str, Any], expected: list[str] | None) -> None:
    wanted = expected or ['remove Interface u-vx0 options "tos"', 'set Interface u-vx0 options:"csum"="true"']
    assert commands(switch(), item) == wanted


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "eno1", "bridge": "vmbr1"}, "it is a member of the bond bond0 of vmbr0 already"),
        ({"name": "eno9", "bridge": "vmbr1"}, "no such network interface"),
        ({"name": "vmbr1", "bridge": "vmbr0", "type": "internal"}, "taken by the bridge vmbr1"),
        ({"name": "bond0", "bridge": "vmbr0", "type": "internal"}, "taken by the bond bond0"),
        ({"name": "x", "bridge": "vmbr0", "type": "vxlann", "remote_ip": "192.0.2.1"}, "no remote_ip"),
        ({"name": "x", "bridge": "vmbr0", "type": "vxlann"}, "no ports of type vxlann"),
        ({"name": "eno4", "bridge": "vmbr0", "mtu_request": 9001}, "its largest MTU is 9000"),
        ({"name": "eno3", "mtu_request": 9001}, "its largest MTU is 9000"),
    ],
)
def test_what_cannot_work_is_known_beforehand(item: dict[str, Any], complaint: str) -> None:
    try:
        text = "; ".join(problems(switch(), item))
    except InvalidInput as problem:
        text = str(problem)
    assert complaint in text


def test_a_bridge_that_is_not_there_may_be_made_by_an_earlier_task() -> None:
    (problem,) = problems(switch(), {"name": "eno4", "bridge": "vmbr7"})
    assert isinstance(problem, Missing)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "eno3", "peer": "x"}, "type system has no peer"),
        ({"name": "eno3", "mac": "02:00:00:00:00:01"}, "type system has no mac"),
        ({"name": "eno3", "psk": "x"}, "type system has no psk"),
        ({"name": "x", "bridge": "vmbr0", "type": "vxlan"}, "type vxlan needs remote_ip"),
        ({"name": "x", "bridge": "vmbr0", "type": "patch"}, "patch needs a peer"),
        ({"name": "vx0", "remote_cert": "/a.pem"}, "psk excludes remote_cert"),
        ({"name": "vx0", "remote_ip": "flow"}, "cannot be encrypted"),
        ({"name": "vx0", "type": "lisp"}, "type lisp has no psk"),
        ({"name": "eno3", "trunks": [1]}, "need a vlan_mode"),
        ({"name": "a-name-of-sixteen", "bridge": "vmbr0", "type": "internal"}, "15 characters, this one has 17"),
    ],
)
def test_contradictions_are_refused_given_or_existing(item: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        planned(switch(), item)


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"remote_ip": "192.0.2"}, "remote_ip: '192.0.2' is no IP address"),
        ({"key": "seven"}, "key: 'seven' is no number"),
        ({"dst_port": 0}, "dst_port: 0 is not between"),
        ({"peer": "a b"}, "peer: 'a b' is no name"),
        ({"options": {"psk": "x"}}, "psk has an option of its own"),
        ({"options": {"remote_ip": "192.0.2.1"}}, "remote_ip has an option of its own"),
        ({"psk": "a\nb"}, "psk: it has a control character"),
        ({"psk": "secret-1", "remote_name": "x"}, "psk excludes"),
        ({"mtu_request": 7}, "mtu_request: 7 is not between"),
        ({"mac": "x"}, "mac: 'x' is not a MAC"),
        ({"tag": -1}, "tag: -1"),
    ],
)
def test_bad_values_are_refused_by_name(item: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidInput, match=complaint) as refused:
        PORT.declare({"config": [{"name": "p", **item}]})
    assert "secret-1" not in str(refused.value)


@pytest.mark.parametrize(
    ("item", "state"),
    [({}, "absent"), ({"bridge": "vmbr1"}, "present"), ({"type": "internal"}, "present")],
)
def test_what_cuts_a_port_off_needs_the_word_unless_it_is_down(item: dict[str, Any], state: str) -> None:
    found = switch()
    with pytest.raises(ConsentMissing, match="cut_port:eno3"):
        consent.require(planned(found, {"name": "eno3", **item}, state=state), frozenset())
    consent.require(planned(found, {"name": "eno3", **item}, state=state), frozenset({"cut_port:eno3"}))
    found.set("eno3", link_state="down")
    consent.require(planned(found, {"name": "eno3", **item}, state=state), frozenset())


@pytest.mark.parametrize(
    ("item", "touched"),
    [
        ({"name": "eno3", "external_ids": {"a": "b"}}, set()),
        ({"name": "eno3", "tag": 30}, {"eno3"}),
        ({"name": "eno4", "bridge": "vmbr0"}, {"eno4", "vmbr0"}),
        ({"name": "new0", "bridge": "vmbr0", "type": "internal"}, {"new0"}),
    ],
)
def test_what_a_step_touches(item: dict[str, Any], touched: set[str]) -> None:
    (step,) = planned(switch(), item)
    assert set(PORT.touches(step)) == touched


# -- how it is afterwards ----------------------------------------------------------------------------------------------

TEXTS = Path(__file__).parents[2] / "data" / "ovs"
STATE, POLICY = (TEXTS / "xfrm.state").read_text(), (TEXTS / "xfrm.policy").read_text()


def unmet(found: Switch, name: str) -> str:
    declared = PORT.declare({"config": [{"name": name}]})
    return " ".join(one.text for one in PORT.unmet(PORT.decode(found.tables), declared, found.tables, found.host))


def test_a_tunnel_is_encrypted_when_the_kernel_says_so_in_both_directions() -> None:
    found = switch()
    found.host.associations = ipsec.read(STATE, POLICY)
    assert unmet(found, "vx0") == ""


def test_an_address_has_many_spellings() -> None:
    found = ipsec.read(STATE.replace("192.0.2.9", "2001:db8::9"), POLICY.replace("192.0.2.9", "2001:db8::9"))
    assert ipsec.lacking(found, "vxlan", "2001:DB8:0::9") == []
    assert len(ipsec.lacking(found, "vxlan", "2001:db8::8")) == 4


@pytest.mark.parametrize(
    ("state", "policy", "lacking"),
    [
        ("", "", "no security association to it, none from it, no policy"),
        (STATE.partition("src 192.0.2.9 dst")[0], POLICY, "(none from it)"),
        (STATE, "", "no policy that encrypts what goes there, none that wants encrypted"),
        (STATE, POLICY.replace("proto udp dport 4789", "proto gre"), "no policy that encrypts what goes there"),
        (STATE.replace("192.0.2.9", "192.0.2.8"), POLICY, "no security association to it"),
        (STATE.replace("proto esp", "proto ah"), POLICY, "no security association to it"),
    ],
)
def test_a_tunnel_that_is_not_encrypted_is_told_with_its_peer_and_why(state: str, policy: str, lacking: str) -> None:
    found = switch()
    found.host.associations = ipsec.read(state, policy)
    text = unmet(found, "vx0")
    assert "port vx0: the tunnel to 192.0.2.9 is not encrypted" in text
    assert lacking in text and "openvswitch-ipsec does not run" in text
    assert PSK not in text


def test_a_nic_without_carrier_is_told() -> None:
    found = switch()
    found.set("eno3", link_state="down", admin_state="up")
    assert "port eno3: it has no carrier" in unmet(found, "eno3")
    found.set("eno3", admin_state="down")
    assert "ip link set eno3 up" in unmet(found, "eno3")
    found.set("mgmt", link_state="down")
    assert unmet(found, "mgmt") == "", "an internal port without an address is nobody's fault"


# -- the law -----------------------------------------------------------------------------------------------------------

ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "tag": st.sampled_from([0, "7", 4095]),
        "mtu_request": st.sampled_from([1500, "9000"]),
        "local_ip": st.sampled_from(["192.0.2.3", "2001:db8::1", "flow"]),
        "remote_ip": st.sampled_from(["192.0.2.4", "2001:db8::2"]),
        "key": st.sampled_from(["7", "0x10", "flow", ""]),
        "dst_port": st.sampled_from([4789, "4790"]),
        "psk": st.sampled_from(["one", "two", ""]),
        "options": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", 1, True, None, "x"])),
        "other_config": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", 1])),
        "external_ids": st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", 2])),
    },
)


@given(ITEMS, ITEMS, st.sampled_from(["ignore", "reset"]))
def test_the_law(first: dict[str, Any], second: dict[str, Any], unlisted_options: str) -> None:
    """A plan carried out on rows leaves nothing to plan, only what is listed changes, and a secret stays."""
    found = Switch()
    found.bridge("vmbr0")
    base = {"name": "vx9", "type": "vxlan", "remote_ip": "192.0.2.1"}

    def carry_out(item: dict[str, Any], **params: Any) -> None:
        for number, step in enumerate(planned(found, item, **params)):
            found.carry_out(PORT.changes(step, f"s{number}"))
        assert not planned(found, item, **params)

    carry_out({**base, "bridge": "vmbr0", **first})
    before = PORT.decode(found.tables)[("vx9",)]
    again = {**base, **second} if unlisted_options == "reset" else {"name": "vx9", **second}
    carry_out(again, unlisted_options=unlisted_options)
    after = PORT.decode(found.tables)[("vx9",)]
    assert (after.facts["uuid"], after.facts["interfaces"]) == (before.facts["uuid"], before.facts["interfaces"])
    shown = PORT.visible(("vx9",), after.state)
    assert shown is not None and "psk" not in shown
    assert not planned(found, shown, unlisted_options="reset")
    if "psk" not in second:
        assert after.state.get("psk") == before.state.get("psk")
    if unlisted_options == "ignore":
        options = [row.name for row in PORT.option_rows if row.name not in second and not row.merged]
        assert all(after.state.get(name) == before.state.get(name) for name in options)


def test_an_association_that_waits_for_keys_encrypts_nothing() -> None:
    """Recorded while the other side had another key: the kernel shows one, without a cipher."""
    found = ipsec.read((TEXTS / "xfrm.waiting").read_text(), "")
    assert found.states == frozenset()
    assert "no security association to it" in ipsec.lacking(found, "geneve", "192.0.2.2")
