# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What others have staged on a node and not applied, in words. Pure."""

from __future__ import annotations

import re
from typing import Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Consent

_MOST_OF_A_DIFF = 1500
_STANZA = re.compile(r"(?:auto|allow-\S+|iface)\s+(?P<name>\S+)")
_NAMES = re.compile(
    r"(?:bridge[-_]ports|ovs_ports|ovs_bonds|ovs_bridge|bond-slaves|slaves|vlan[-_]raw[-_]device)\s(?P<names>.*)"
)


def about_pending(node: str, changes: str, declared: Declaration) -> Consent:
    """Which of the two words is wanted for what somebody else has staged."""
    diff = shortened(changes)
    discard, apply = f"discard_pending:{node}", f"apply_pending:{node}"
    if discard in declared.allow:
        return Consent(discard, f"what somebody else has staged on {node} is lost: {diff}")
    return Consent(
        apply,
        f"somebody else has staged changes on {node}, which would be applied as well (or give {discard}, and they are "
        f"lost): {diff}",
    )


def pending_is_left(node: str, changes: str) -> Unmet:
    return Unmet(
        f"{node} has changes that are staged and not applied; what is described here is compared with them. Apply them "
        f"with allow: apply_pending:{node}, or drop them with allow: discard_pending:{node}. {shortened(changes)}"
    )


def shortened(changes: str) -> str:
    """The lines of a diff that say something."""
    lines = [line for line in changes.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    # PVE's own heading has a blank after its #, comments on interfaces have none.
    text = "\n".join(line for line in lines if line[1:].strip() not in ("", "#") and line[1:3] != "# ")
    return text if len(text) <= _MOST_OF_A_DIFF else f"{text[:_MOST_OF_A_DIFF]} ..."


def changed_interfaces(changes: str) -> Optional[frozenset[str]]:
    """The interfaces that a diff of /etc/network/interfaces changes, and those which its changed lines name; None where
    it does not tell, because it begins in the middle of one."""
    names: set[str] = set()
    stanza = ""
    for line in changes.splitlines():
        text = line[1:].strip()
        if line.startswith(("+++", "---", "@@")):
            stanza = ""
            continue
        found = _STANZA.match(text)
        if found:
            stanza = found["name"]
        # Blank lines and PVE's own heading belong to nobody.
        if line[:1] not in ("+", "-") or text in ("", "#") or line[1:3] == "# ":
            continue
        if not stanza:
            return None
        named = _NAMES.match(text)
        names.update([stanza, *(named["names"].split() if named else ())])
    return frozenset(names)
