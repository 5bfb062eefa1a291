# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_cluster_options. On a real cluster they begin with no option set, and end with what was set before."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Item, Option, Scenario, Secret
from tests.contract.pve_api import comparable

MODULE = "pve_cluster_options"
REGISTERED = "second factors that users have registered would stop working"
WEBAUTHN = {"id": "pve.example.org", "origin": "https://pve.example.org", "rp": "pve.example.org"}
U2F = {"appid": "https://pve.example.org", "origin": "https://pve.example.org"}


def raw(system: Any, item: Item) -> Any:
    options = system.api.get("/cluster/options")
    return comparable({name: value for name, value in options.items() if name != "allowed-tags"})


def bound(system: Any) -> None:
    system.api.put("/cluster/options", webauthn="id=old.example.org,rp=old", u2f="appid=https://old.example.org")


CASE = Case(
    module=MODULE,
    subsystem="pve",
    base={"keyboard": "de"},
    options=(
        Option("description", "Ask the *night shift* first.", "# Notes\n\nAsk üs first."),
        Option("migration", {"type": "insecure", "network": "10.20.0.0/24"}, {"type": "insecure"}),
        Option("migration", {"network": "10.20.0.0/24"}, {"network": "10.30.0.0/24"}, label="secure"),
        Option("replication", {"type": "insecure"}, {"network": "10.20.0.0/24"}),
        Option("bwlimit", {"default": 100000, "restore": 50000}, {"restore": 50000}),
        Option("max_workers", 6, 3),
        Option("fencing", "hardware", "both"),
        Option("ha", {"shutdown_policy": "migrate"}, {"shutdown_policy": "freeze"}),
        Option("crs", {"ha": "static", "ha-rebalance-on-start": True}, {"ha": "dynamic"}),
        Option("next_id", {"lower": 200, "upper": 9000000}, {"lower": 300}),
        Option("mac_prefix", "BC:24:12", "BC:24:14"),
        Option("registered_tags", ["imaging", "critical"], ["critical"]),
        Option("user_tag_access", {"user-allow": "list", "user-allow-list": ["b", "a"]}, {"user-allow": "none"}),
        Option(
            "tag_style",
            {
                "shape": "full",
                "ordering": "config",
                "case-sensitive": True,
                "color-map": ["b:00FF00", "a:ff0000:000000"],
            },
            {"shape": "dense"},
        ),
        Option("email_from", "pve@example.org", "cluster@example.org"),
        Option("notify", {"fencing": "always", "package-updates": "never"}, {"replication": "never"}),
        Option("console", "xtermjs", "html5"),
        Option("keyboard", "de", "en-us", base={}),
        Option("language", "de", "fr"),
        Option("consent_text", "Patients' data: authorised staff only", "Staff only"),
        Option(
            "webauthn",
            WEBAUTHN,
            {**WEBAUTHN, "allow-subdomains": False},
            lab_only=REGISTERED,
            allow=("invalidate_second_factors:webauthn",),
        ),
        Option(
            "u2f",
            U2F,
            {**U2F, "origin": "https://other.example.org"},
            lab_only=REGISTERED,
            allow=("invalidate_second_factors:u2f",),
        ),
    ),
    raw=raw,
    several=[
        {
            "description": "One of two clusters",
            "migration": {"type": "insecure", "network": "10.20.0.0/24"},
            "next_id": {"lower": 200},
            "tag_style": {"color-map": ["a:ff0000"]},
            "registered_tags": ["b", "a"],
            "crs": {"ha": "static"},
        }
    ],
    changed=[{"description": "One of three", "migration": {"type": "secure"}, "reset": ["next_id", "registered_tags"]}],
    consents=(
        Scenario(
            "invalidate_second_factors:webauthn",
            {"config": [{"webauthn": WEBAUTHN}]},
            "webauthn changes",
            setup=bound,
            lab_only=REGISTERED,
            label="invalidate_second_factors",
        ),
        Scenario(
            "invalidate_second_factors:u2f",
            {"config": [{"reset": ["u2f"]}]},
            "u2f changes",
            setup=bound,
            lab_only=REGISTERED,
            label="invalidate_second_factors[u2f]",
        ),
    ),
    # Backwards it is a URL as well: the suite takes that for the other one.
    secrets=(Secret("http_proxy", "http://proxy:hct-pass@h//:ptth"),),
    info="cluster_options",
)
