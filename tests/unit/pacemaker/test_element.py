# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Elements of a cluster's configuration: when two are the same, what a change leaves alone, consent."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence import consent
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import ConsentMissing, InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.element import (
    ELEMENT,
    canonical,
    changed,
    elements,
)

CIB = """
<cib epoch="7" admin_epoch="0" num_updates="3">
  <configuration>
    <crm_config>
      <cluster_property_set id="cib-bootstrap-options">
        <nvpair id="v" name="dc-version" value="2.1"/>
      </cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="a"/></nodes>
    <resources>
      <primitive id="address" class="ocf" provider="heartbeat" type="IPaddr2">
        <operations><op id="address-monitor" name="monitor" interval="5s"/></operations>
      </primitive>
      <primitive id="web" class="systemd" type="nginx"/>
    </resources>
    <constraints/>
  </configuration>
  <status><node_state id="1"/></status>
</cib>
"""


def observed() -> dict[tuple[Any, ...], Thing]:
    found = elements(ET.fromstring(CIB))
    return {(name,): Thing({"section": part, "element": canonical(node)}) for name, (part, node) in found.items()}


def plan(*items: dict[str, str], state: str = "present", allow: tuple[str, ...] = ()) -> Plan:
    declared = ELEMENT.declare({"config": list(items), "state": state, "allow": list(allow)})
    result = ELEMENT.plan(observed(), declared)
    consent.require(result, declared.allow)
    return result


def test_the_same_in_other_words_is_no_change() -> None:
    text = """<primitive type="IPaddr2" provider="heartbeat" class="ocf" id="address"><operations>
              <op interval="5s" id="address-monitor" name="monitor" /></operations></primitive>"""
    assert not plan({"id": "address", "section": "resources", "element": text})


def test_a_change_keeps_the_place_and_everything_else() -> None:
    text = '<primitive id="address" class="ocf" provider="site" type="address"/>'
    steps = tuple(plan({"id": "address", "section": "resources", "element": text}))
    cib = ET.fromstring(CIB)
    result = changed(cib, steps)
    assert [node.get("id") for node in result.iter("primitive")] == ["address", "web"]
    assert result.find(".//primitive[@id='address']").get("provider") == "site"
    for path in ("status", "configuration/nodes", "configuration/crm_config", "configuration/constraints"):
        assert ET.tostring(result.find(path)) == ET.tostring(cib.find(path))
    assert ET.tostring(cib) == ET.tostring(ET.fromstring(CIB)), "what was read stays what it was"


def test_a_section_that_is_not_there_gets_its_place_in_the_schema() -> None:
    steps = plan(
        {"id": "defaults", "section": "rsc_defaults", "element": '<meta_attributes id="defaults"/>'},
        {"id": "level", "section": "fencing-topology", "element": '<fencing-level id="level" index="1"/>'},
    )
    result = changed(ET.fromstring(CIB), tuple(steps)).find("configuration")
    names = [child.tag for child in result]
    assert names == ["crm_config", "nodes", "resources", "constraints", "fencing-topology", "rsc_defaults"]


def test_what_is_absent_already_needs_nothing() -> None:
    assert not plan({"id": "gone"}, state="absent")
    (step,) = plan({"id": "web"}, state="absent")
    assert [node.get("id") for node in changed(ET.fromstring(CIB), (step,)).iter("primitive")] == ["address"]


@pytest.mark.parametrize("value", ["false", "no", "OFF", "0"])
def test_a_cluster_without_fencing_needs_consent(value: str) -> None:
    pair = f'<nvpair id="s" name="stonith-enabled" value="{value}"/>'
    text = f'<cluster_property_set id="ours">{pair}</cluster_property_set>'
    item = {"id": "ours", "section": "crm_config", "element": text}
    with pytest.raises(ConsentMissing, match="run_unfenced"):
        plan(item)
    assert len(plan(item, allow=("run_unfenced",)).steps) == 1
    assert len(plan({**item, "element": text.replace(value, "true")}).steps) == 1


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"id": "x", "section": "resources", "element": "<primitive id='x'"}, "this is no XML element"),
        ({"id": "x", "section": "resources", "element": "<primitive id='y'/>"}, "its id is 'y', not 'x'"),
        ({"id": "x", "section": "nodes", "element": "<node id='x'/>"}, "'nodes' is none of crm_config"),
        ({"id": "web", "section": "constraints", "element": "<rsc_location id='web'/>"}, "section is 'resources'"),
        (
            {"id": "x", "section": "resources", "element": "<group id='x'><meta id='m' value='1&#10;2'/></group>"},
            "value='1.n2' has a line break or tab",
        ),
        ({"id": "new", "section": "resources"}, "cannot be created without element"),
    ],
)
def test_what_is_wrong_is_said(item: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(item)
