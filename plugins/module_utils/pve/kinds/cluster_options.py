# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The options of the whole cluster (datacenter.cfg). PVE API: /cluster/options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import (
    Boolean,
    Lines,
    Number,
    Properties,
    Unordered,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.settings import SettingsKind
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.values import (
    Line,
    OneOf,
    Whole,
    Word,
    number,
    properties,
)

_LOWEST, _HIGHEST = 100, 1_000_000
# What a registered second factor is bound to. Another value of it, and nobody can log in with that factor.
BINDING = {"webauthn": ("id", "rp", "origin"), "u2f": ("appid", "origin")}
_PREFIX = re.compile(r"[0-9A-F][02468ACE](:[0-9A-F]{2}){0,2}")
_COLOURED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(:[0-9A-Fa-f]{6}){1,2}")


@dataclass(frozen=True)
class MacPrefix:
    """The first bytes of the MAC addresses that PVE makes up."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip().upper().rstrip(":")
        if text and not _PREFIX.fullmatch(text):
            raise ValueError(f"{value!r} does not begin a unicast MAC address; write for example BC:24:11")
        return text or None

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Colour:
    """A tag and its colours: `ha:ff0000`, or `ha:ff0000:ffffff` with the text's."""

    def canonical(self, value: Any) -> Any:
        text = str(value).strip()
        if not _COLOURED.fullmatch(text):
            raise ValueError(f"{text!r} is not of the form tag:ff0000 or tag:ff0000:ffffff")
        tag, colon, colours = text.partition(":")
        return f"{tag}{colon}{colours.lower()}"

    def wire(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class ClusterOptionsKind(SettingsKind):
    """Every option is PVE's own; what breaks logins is asked for."""

    def check(self, item: Item) -> None:
        next_id = item.options.get("next_id") or {}
        lower, upper = next_id.get("lower", _LOWEST), next_id.get("upper", _HIGHEST)
        if lower >= upper:
            raise InvalidInput(f"next_id: lower ({lower}) is not below upper ({upper}).", hint="Give them the room.")

    def consents(self, step: Step) -> Sequence[Consent]:
        result = []
        for name, keys in BINDING.items():
            before, after = _of(step.before, name), _of(step.after, name)
            if before and any(before.get(key) != after.get(key) for key in keys if key in before):
                text = (
                    f"{name} changes: second factors registered so far no longer work, who has no other is locked out"
                )
                result.append(Consent(f"invalidate_second_factors:{name}", text))
        return result


def _of(state: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    value = (state or {}).get(name)
    return value if isinstance(value, Mapping) else {}


def _limits(*names: str) -> Properties:
    return Properties(forms={name: Number() for name in names}, keys=names)


def _traffic() -> Whole:
    """How data travels between nodes."""
    forms = {"type": OneOf(("secure", "insecure")), "network": Word()}
    return Whole(default_key="type", forms=forms, keys=("type", "network"), filled={"type": "secure"})


def _tags() -> Unordered:
    return Unordered(joined_by=";")


_TIMES = OneOf(("always", "never"))
_NOTIFY = {
    "fencing": _TIMES,
    "package-updates": OneOf(("auto", "always", "never")),
    "replication": _TIMES,
    "target-fencing": Word(),
    "target-package-updates": Word(),
    "target-replication": Word(),
}
_CRS = {
    "ha": OneOf(("basic", "static", "dynamic")),
    "ha-auto-rebalance": Boolean(),
    "ha-auto-rebalance-hold-duration": Number(),
    "ha-auto-rebalance-margin": Number(),
    "ha-auto-rebalance-method": OneOf(("bruteforce", "topsis")),
    "ha-auto-rebalance-threshold": Number(),
    "ha-rebalance-on-start": Boolean(),
}
_CRS_DEFAULTS = {
    "ha": "basic",
    "ha-auto-rebalance": False,
    "ha-auto-rebalance-hold-duration": 3,
    "ha-auto-rebalance-margin": 0.1,
    "ha-auto-rebalance-method": "bruteforce",
    "ha-auto-rebalance-threshold": 0.3,
    "ha-rebalance-on-start": False,
}
_TAG_STYLE = {
    "case-sensitive": Boolean(),
    "color-map": Unordered(joined_by=";", element=Colour()),
    "ordering": OneOf(("config", "alphabetical")),
    "shape": OneOf(("full", "circle", "dense", "none")),
}
_TAG_STYLE_DEFAULTS = {"case-sensitive": False, "ordering": "alphabetical", "shape": "circle"}
_TAG_ACCESS = {"user-allow": OneOf(("none", "list", "existing", "free")), "user-allow-list": _tags()}
_WEBAUTHN = {"allow-subdomains": Boolean(), "id": Word(), "origin": Word(), "rp": Word()}
_POLICIES = OneOf(("freeze", "failover", "conditional", "migrate"))


def _table(forms: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> Properties:
    return Properties(forms=forms, keys=tuple(forms), defaults=defaults or {})


CLUSTER_OPTIONS = ClusterOptionsKind(
    name="cluster_options",
    identity=(),
    item="/cluster/options",
    always="mac_prefix",
    seen_at="/",
    seen_with=("Sys.Audit",),
    words=("invalidate_second_factors",),
    fields=(
        Field("description", Lines()),
        # How the nodes work together.
        properties("migration", _traffic(), default={"type": "secure"}),
        properties("replication", _traffic(), default={"type": "secure"}),
        properties("bwlimit", _limits("clone", "default", "migration", "move", "restore")),
        number("max_workers"),
        Field("fencing", choices=("watchdog", "hardware", "both"), default="watchdog"),
        properties(
            "ha",
            Properties(forms={"shutdown_policy": _POLICIES}, keys=("shutdown_policy",)),
            default={"shutdown_policy": "conditional"},
        ),
        properties("crs", _table(_CRS, _CRS_DEFAULTS)),
        # Guests.
        properties(
            "next_id", _table({"lower": Number(), "upper": Number()}, {"lower": _LOWEST, "upper": _HIGHEST}), wire="-"
        ),
        Field("mac_prefix", MacPrefix(), default="BC:24:11"),
        Field("registered_tags", _tags(), type="list", elements="str", wire="registered-tags"),
        properties("user_tag_access", _table(_TAG_ACCESS, {"user-allow": "free"}), wire="-"),
        properties("tag_style", _table(_TAG_STYLE, _TAG_STYLE_DEFAULTS), wire="-"),
        # Who hears of what.
        Field("email_from", Line()),
        properties("notify", _table(_NOTIFY, {"package-updates": "auto"})),
        # A proxy's password stands in its URL.
        Field("http_proxy", Line(), secret=True, kept=True),
        # The web interface.
        Field("console", choices=("applet", "vv", "html5", "xtermjs")),
        Field("keyboard", Line()),
        Field("language", Line()),
        Field("consent_text", Line(), wire="consent-text"),
        # Second factors.
        properties("webauthn", _table(_WEBAUTHN, {"allow-subdomains": True})),
        properties("u2f", _table({"appid": Word(), "origin": Word()})),
    ),
)
