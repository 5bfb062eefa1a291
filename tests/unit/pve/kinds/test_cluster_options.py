# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import missing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_options import CLUSTER_OPTIONS
from tests.unit.pve.planning import plan, sent

FRESH = {"mac_prefix": "BC:24:11", "description": "", "allowed-tags": []}
PATH = "/cluster/options"


def there(**options: Any) -> dict[str, Any]:
    return {**FRESH, **{name.replace("__", "-"): value for name, value in options.items()}}


@pytest.mark.parametrize(
    ("item", "wire"),
    [
        ({"migration": {"network": "10.0.0.0/24"}}, {"migration": "type=secure,network=10.0.0.0/24"}),
        ({"migration": "insecure"}, {"migration": "type=insecure"}),
        ({"next_id": {"lower": 200, "upper": 1000000}}, {"next-id": "lower=200"}),
        ({"crs": {"ha-rebalance-on-start": True, "ha": "static"}}, {"crs": "ha=static,ha-rebalance-on-start=1"}),
        ({"registered_tags": ["b", "a", "b"]}, {"registered-tags": "a;b"}),
        (
            {"user_tag_access": {"user-allow": "list", "user-allow-list": ["b", "a"]}},
            {"user-tag-access": "user-allow=list,user-allow-list=a;b"},
        ),
        ({"tag_style": {"color-map": "b:00FF00;a:FF0000"}}, {"tag-style": "color-map=a:ff0000;b:00ff00"}),
        ({"ha": {"shutdown_policy": "migrate"}}, {"ha": "shutdown_policy=migrate"}),
    ],
)
def test_what_is_given_in_pieces_is_sent_as_one_text(item: dict[str, Any], wire: dict[str, Any]) -> None:
    assert sent(CLUSTER_OPTIONS, plan(CLUSTER_OPTIONS, [item], FRESH)) == [("PUT", PATH, wire)]


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ({"migration": {"type": "secure"}}, {}),
        ({"ha": {"shutdown_policy": "conditional"}, "fencing": "watchdog", "mac_prefix": "bc:24:11"}, {}),
        ({"bwlimit": {"migration": 5, "default": 1000}}, {"bwlimit": "default=1000,migration=5"}),
        ({"max_workers": 6}, {"max_workers": "6"}),
        ({"description": "ward"}, {"description": "ward\n"}),
        ({"next_id": "upper=999,lower=200"}, {"next__id": {"lower": "200", "upper": "999"}}),
        ({"tag_style": {"case-sensitive": False}}, {"tag__style": {"case-sensitive": 0}}),
        ({"registered_tags": ["a", "b"]}, {"registered__tags": ["b", "a", "a"]}),
    ],
)
def test_other_spellings_of_what_is_there_change_nothing(item: dict[str, Any], found: dict[str, Any]) -> None:
    assert not plan(CLUSTER_OPTIONS, [item], there(**found))
    assert not plan(CLUSTER_OPTIONS, [item], there(**found), unlisted_options="reset")


def test_absent_puts_everything_back_but_the_proxy_nobody_sees() -> None:
    found = there(keyboard="de", migration={"type": "insecure"}, http_proxy="http://u:p@proxy:3128")
    planned = plan(CLUSTER_OPTIONS, [{}], found, state="absent")
    assert [step.line for step in planned] == ["update cluster_options: migration, keyboard"]
    assert sent(CLUSTER_OPTIONS, planned) == [("PUT", PATH, {"delete": "keyboard,migration"})]
    assert "u:p" not in str(CLUSTER_OPTIONS.visible((), next(iter(planned)).before))
    assert not plan(CLUSTER_OPTIONS, [{}], FRESH, state="absent")


def test_an_empty_proxy_takes_it_away() -> None:
    planned = plan(CLUSTER_OPTIONS, [{"http_proxy": ""}], there(http_proxy="http://proxy:3128"))
    assert sent(CLUSTER_OPTIONS, planned) == [("PUT", PATH, {"delete": "http_proxy"})]


def test_another_binding_of_second_factors_is_asked_for() -> None:
    found = there(webauthn={"id": "a.org", "rp": "a"})
    for item in ({"webauthn": {"id": "b.org", "rp": "a"}}, {"reset": ["webauthn"]}):
        planned = plan(CLUSTER_OPTIONS, [item], found)
        assert [word for word, _text in missing(planned, [])] == ["invalidate_second_factors:webauthn"]
        assert not missing(planned, ["invalidate_second_factors:webauthn"])
    harmless = {"webauthn": {"id": "a.org", "rp": "a", "origin": "https://a.org", "allow-subdomains": False}}
    assert not missing(plan(CLUSTER_OPTIONS, [harmless], found), [])
    assert not missing(plan(CLUSTER_OPTIONS, [harmless], FRESH), [])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"next_id": {"lower": 2000, "upper": 1000}}, "next_id: lower"),
        ({"next_id": {"lowest": 1}}, "next_id: lowest is none of lower, upper"),
        ({"migration": {"type": "fast"}}, "migration: type: 'fast' is none of secure, insecure"),
        ({"consent_text": "two\nlines"}, "consent_text: PVE keeps one line"),
        ({"mac_prefix": "01:00:00"}, "mac_prefix: '01:00:00' does not begin a unicast"),
        ({"webauthn": {"id": "a,rp=b"}}, "webauthn: id: .*holds a comma"),
        ({"tag_style": {"color-map": ["a:red"]}}, "tag_style: color-map: 'a:red' is not of the form"),
    ],
)
def test_what_pve_would_refuse_or_mangle_is_refused(item: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(CLUSTER_OPTIONS, [item], FRESH)
