# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pacemaker_cib, on Pacemaker's own programs and a file."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option, Scenario

NAME, OTHER, GROUP, PLACE, ORDER = (f"{PREFIX}{name}" for name in ("address", "web", "all", "place", "order"))
DEFAULTS, PROPERTIES = f"{PREFIX}defaults", f"{PREFIX}properties"


def address(ip: str = "192.0.2.10") -> str:
    return f"""
        <primitive id="{NAME}" class="ocf" provider="heartbeat" type="IPaddr2">
          <instance_attributes id="{NAME}-parameters">
            <nvpair id="{NAME}-ip" name="ip" value="{ip}"/>
          </instance_attributes>
          <operations><op id="{NAME}-monitor" name="monitor" interval="5s" timeout="10s"/></operations>
        </primitive>"""


def properties(**values: str) -> str:
    named = [(name.replace("_", "-"), value) for name, value in values.items()]
    pairs = "".join(f'<nvpair id="{PROPERTIES}-{name}" name="{name}" value="{value}"/>' for name, value in named)
    return f'<cluster_property_set id="{PROPERTIES}">{pairs}</cluster_property_set>'


def group(*members: str) -> str:
    return f'<group id="{GROUP}">{"".join(members)}</group>'


def resource(name: str, *, description: str = "") -> str:
    return (
        f'<primitive type="nginx" class="systemd" id="{name}"{f" description={description}" if description else ""}/>'
    )


def place(score: int) -> str:
    return f'<rsc_location id="{PLACE}" rsc="{OTHER}" node="a" score="{score}"/>'


def tag(*names: str) -> str:
    return f'<tag id="{PREFIX}tag">{"".join(f"<obj_ref id={name!r}/>" for name in names)}</tag>'


def another_value(system: Any, item: Item) -> None:
    pair = f'<nvpair id="{NAME}-ip" name="ip" value="192.0.2.99"/>'
    system.console("cibadmin", "--modify", "--xml-text", pair)


def an_attribute_more(system: Any, item: Item) -> None:
    system.console("cibadmin", "--modify", "--xml-text", f'<primitive id="{NAME}" description="by hand"/>')


def a_child_more(system: Any, item: Item) -> None:
    meta = (
        f'<meta_attributes id="{NAME}-m"><nvpair id="{NAME}-t" name="target-role" value="Stopped"/></meta_attributes>'
    )
    system.console("cibadmin", "--modify", "--xml-text", f'<primitive id="{NAME}">{meta}</primitive>')


def a_child_less(system: Any, item: Item) -> None:
    system.console("cibadmin", "--delete", "--xml-text", f'<op id="{NAME}-monitor"/>')


def raw(system: Any, item: Item) -> Any:
    return system.element(item["id"])


BASE: Item = {"id": NAME, "section": "resources", "element": address()}
ONE, TWO = resource(f"{PREFIX}one"), resource(f"{PREFIX}two")
# What Pacemaker has to write in other words, and must not lose.
ODD = "&quot;it's&quot; &lt;5 &amp; &gt;3 ü"
UNFENCED = {"id": PROPERTIES, "section": "crm_config", "element": properties(stonith_enabled="false")}

CASE = Case(
    module="pacemaker_cib",
    subsystem="pacemaker",
    base=BASE,
    options=(
        Option("section", "resources", "constraints"),
        Option("element", address(), address("192.0.2.11")),
        Option("element", address(), drift=another_value, label="value"),
        Option("element", address(), drift=an_attribute_more, label="attribute"),
        Option("element", address(), drift=a_child_more, label="child"),
        Option("element", address(), drift=a_child_less, label="gone"),
        Option("element", group(ONE, TWO), group(TWO, ONE), base={**BASE, "id": GROUP}, label="order"),
        Option("element", address(ODD), address("&quot;&quot;"), label="odd"),
    ),
    raw=raw,
    several=[
        BASE,
        {"id": OTHER, "section": "resources", "element": resource(OTHER, description=f'"{ODD}"')},
        {"id": GROUP, "section": "resources", "element": group(ONE, TWO)},
        {"id": PLACE, "section": "constraints", "element": place(100)},
        {
            "id": ORDER,
            "section": "constraints",
            "element": f'<rsc_order id="{ORDER}" first="{OTHER}" then="{NAME}" kind="Mandatory"/>',
        },
        {
            "id": f"{PREFIX}level",
            "section": "fencing-topology",
            "element": f'<fencing-level id="{PREFIX}level" target="a" index="1" devices="fence"/>',
        },
        {
            "id": DEFAULTS,
            "section": "rsc_defaults",
            "element": f'<meta_attributes id="{DEFAULTS}">'
            f'<nvpair id="{DEFAULTS}-s" name="resource-stickiness" value="1"/></meta_attributes>',
        },
        {
            "id": f"{PREFIX}ops",
            "section": "op_defaults",
            "element": f'<meta_attributes id="{PREFIX}ops"><nvpair id="{PREFIX}ops-t" name="timeout" value="30s"/>'
            "</meta_attributes>",
        },
        {"id": f"{PREFIX}tag", "section": "tags", "element": tag(NAME, OTHER)},
        {"id": f"{PREFIX}reader", "section": "acls", "element": f'<acl_role id="{PREFIX}reader"/>'},
        {
            "id": f"{PREFIX}alert",
            "section": "alerts",
            "element": f'<alert id="{PREFIX}alert" path="/usr/local/bin/tell-somebody"/>',
        },
        {"id": PROPERTIES, "section": "crm_config", "element": properties(no_quorum_policy="freeze")},
    ],
    changed=[
        {"id": NAME, "element": address("2001:db8::10")},
        {"id": OTHER, "element": resource(OTHER)},
        {"id": GROUP, "element": group(TWO, ONE, resource(f"{PREFIX}three"))},
        {"id": PLACE, "element": place(200)},
        {"id": f"{PREFIX}tag", "element": tag(OTHER)},
        {"id": PROPERTIES, "element": properties(no_quorum_policy="stop", stonith_enabled="true")},
    ],
    consents=(
        Scenario("run_unfenced", {"config": [UNFENCED]}, PROPERTIES),
        Scenario(
            "run_unfenced",
            {"config": [{**UNFENCED, "element": properties(stonith_enabled="off")}]},
            PROPERTIES,
            setup=lambda system: system.console(
                "cibadmin", "--create", "--scope", "crm_config", "--xml-text", properties(stonith_enabled="true")
            ),
            label="run_unfenced[switched off]",
        ),
    ),
)
