# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What is read of a cluster: where things are, what must be where what is, what stands against a node."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.cluster import (
    bans,
    behind,
    constraint_there,
    failures,
    placement,
    quorate,
    together,
    with_constraint,
)

STATUS = """
<cluster_status>
  <nodes>
    <node name="a" online="true" standby="false" maintenance="false" unclean="false"/>
    <node name="b" online="false" standby="true" maintenance="true" unclean="true"/>
  </nodes>
  <resources>
    <resource id="writer" role="Started" managed="true"><node name="a"/></resource>
    <resource id="waiting" role="Stopped" managed="false"/>
    <resource id="coming" role="Starting"><node name="a"/></resource>
    <group id="web">
      <resource id="nginx" role="Started"><node name="a"/></resource>
      <resource id="proxy" role="Stopped"/>
    </group>
    <clone id="each"><resource id="watch" role="Started"><node name="a"/></resource></clone>
  </resources>
</cluster_status>
"""
CIB = """
<cib have-quorum="{quorum}">
  <configuration>
    <nodes>
      <node id="2" uname="b"><instance_attributes><nvpair name="writer-behind" value="1"/></instance_attributes></node>
    </nodes>
    <resources>
      <primitive id="writer"/><primitive id="address"/><primitive id="alone"/><primitive id="near"/>
      <group id="web"><primitive id="nginx"/><primitive id="proxy"/></group>
    </resources>
    <constraints>
      <rsc_colocation rsc="address" with-rsc="writer" score="INFINITY"/>
      <rsc_colocation rsc="web" with-rsc="address"/>
      <rsc_colocation rsc="near" with-rsc="writer" score="500"/>
      <rsc_location id="never" rsc="writer" node="b" score="-INFINITY"/>
      <rsc_location id="hardly" rsc="writer" node="b" score="-500"/>
      <rsc_location id="ruled" rsc="nginx"><rule score="-INFINITY">
        <expression attribute="#uname" operation="eq" value="b"/></rule></rsc_location>
      <rsc_location id="elsewhere" rsc="writer"><rule score="-INFINITY">
        <expression attribute="#uname" operation="eq" value="a"/></rule></rsc_location>
    </constraints>
  </configuration>
  <status>
    <node_state uname="b">
      <transient_attributes><instance_attributes>
        <nvpair name="fail-count-nginx#start_0" value="INFINITY"/>
        <nvpair name="fail-count-address#monitor_5000" value="0"/>
      </instance_attributes></transient_attributes>
      <lrm><lrm_resources><lrm_resource id="nginx">
        <lrm_rsc_op id="nginx_last_failure_0" operation="start" exit-reason="no configuration"/>
      </lrm_resource></lrm_resources></lrm>
    </node_state>
  </status>
</cib>
"""


def cib(quorum: str = "1") -> ET.Element:
    return ET.fromstring(CIB.format(quorum=quorum))


def test_where_everything_is() -> None:
    found = placement(ET.fromstring(STATUS))
    assert found.where("writer") == ("a",)
    assert found.where("waiting") == found.where("coming") == found.where("unheard of") == ()
    assert found.where("web") == (), "a group is there when all of it is"
    assert found.where("nginx") == ("a",) and found.resources["web"].members == ("nginx", "proxy")
    assert found.resources["each"].kind == "clone" and not found.resources["waiting"].managed
    assert found.nodes["a"].online and not found.nodes["b"].online
    assert found.nodes["b"].standby and found.nodes["b"].maintenance and found.nodes["b"].unclean


@pytest.mark.parametrize("name", ["writer", "address", "web", "nginx"])
def test_what_can_only_be_in_one_place_goes_together(name: str) -> None:
    assert set(together(cib(), name)) == {"writer", "address", "nginx", "proxy"}


def test_a_preference_ties_nothing() -> None:
    assert together(cib(), "near") == ("near",)
    assert together(cib(), "alone") == ("alone",)


def test_what_stands_against_a_node() -> None:
    names = together(cib(), "writer")
    assert behind(cib(), "b", names) == ["writer-behind"] and behind(cib(), "a", names) == []
    assert failures(cib(), "b", names) == {"nginx": "no configuration"} and failures(cib(), "a", names) == {}
    assert bans(cib(), "b", names) == ["never", "ruled"] and bans(cib(), "a", names) == ["elsewhere"]


@pytest.mark.parametrize(("text", "held"), [("1", True), ("true", True), ("0", False), ("false", False)])
def test_quorum(text: str, held: bool) -> None:
    assert quorate(cib(text)) is held


def test_the_constraint_is_tried_on_a_copy_and_replaces_one_of_its_name() -> None:
    before = cib()
    once = ET.fromstring(with_constraint(before, "writer", node="b"))
    twice = ET.fromstring(with_constraint(once, "writer", node="a"))
    assert not constraint_there(before, "cli-prefer-writer") and constraint_there(once, "cli-prefer-writer")
    (found,) = [one for one in twice.iter("rsc_location") if one.get("id") == "cli-prefer-writer"]
    assert found.get("node") == "a" and found.get("score") == "INFINITY"
    away = ET.fromstring(with_constraint(before, "writer", away_from="a"))
    assert constraint_there(away, "cli-ban-writer-on-a") and "cli-ban-writer-on-a" in bans(away, "a", ["writer"])


def test_a_cluster_without_constraints_gets_room_for_one() -> None:
    bare = ET.fromstring("<cib><configuration><resources/></configuration></cib>")
    assert constraint_there(ET.fromstring(with_constraint(bare, "writer", node="b")), "cli-prefer-writer")
