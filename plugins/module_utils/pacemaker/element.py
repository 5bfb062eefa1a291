# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""One element of a Pacemaker configuration, as XML that is compared by what it says. Pure."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import DELETE, Consent, Step
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Text

# The parts of <configuration> whose children are somebody's to write, in the order of Pacemaker's schema.
SECTIONS = (
    "crm_config",
    "resources",
    "constraints",
    "fencing-topology",
    "op_defaults",
    "rsc_defaults",
    "acls",
    "tags",
    "alerts",
)
_NO = ("false", "no", "off", "0", "n")


@dataclass(frozen=True)
class Xml:
    """An element; the order of attributes and the white space between elements say nothing."""

    def canonical(self, value: Any) -> Any:
        if not str(value).strip():
            return None
        try:
            return ET.canonicalize(str(value), strip_text=True)
        except ET.ParseError as problem:
            raise ValueError(f"this is no XML element: {problem}") from None

    def wire(self, value: Any) -> Any:
        return value


def parsed(text: str) -> ET.Element:
    """XML of the cluster's, or of whoever configures it as root."""
    return ET.fromstring(text)  # noqa: S314 - neither is untrusted


def canonical(element: ET.Element) -> str:
    return str(Xml().canonical(ET.tostring(element, encoding="unicode")))


@dataclass(frozen=True)
class ElementKind(Kind):
    def check(self, item: Item) -> None:
        text = item.options.get("element")
        if text is None:
            return
        (name,) = item.key
        element = parsed(text)
        found = element.get("id")
        if found != name:
            raise InvalidInput(
                f"element: its id is {found!r}, not {name!r}.", hint="Both are the same, so that it is found again."
            )
        for part in element.iter():
            for attribute, value in part.items():
                # Pacemaker 2.1 writes them as backslash and letter or as blanks, and reads them as such ever after.
                if any(character in value for character in "\n\r\t"):
                    raise InvalidInput(
                        f"element: {attribute}={value!r} has a line break or tab in it, which Pacemaker does not keep.",
                        hint="Put what needs them into a file.",
                    )

    def consents(self, step: Step) -> Sequence[Consent]:
        if step.action != DELETE and _unfenced(step.after) and not _unfenced(step.before):
            return (
                Consent(
                    "run_unfenced",
                    "a node that is cut off is not switched off, so both may write and hold the address",
                ),
            )
        if step.before is not None and _fences(step.before) - _fences(step.after):
            names = ", ".join(sorted(_fences(step.before) - _fences(step.after)))
            return (Consent("run_unfenced", f"nodes that only {names} switches off cannot be switched off any more"),)
        return ()


def _fences(state: Optional[Mapping[str, Any]]) -> set[str]:
    """The fence devices in it."""
    if state is None or not state.get("element"):
        return set()
    found = parsed(state["element"]).iter("primitive")
    return {str(one.get("id")) for one in found if one.get("class") == "stonith"}


def _unfenced(state: Optional[Mapping[str, Any]]) -> bool:
    """Whether it says stonith-enabled=false."""
    if state is None or state.get("section") != "crm_config" or not state.get("element"):
        return False
    pairs = parsed(state["element"]).iter("nvpair")
    return any(pair.get("name") == "stonith-enabled" and str(pair.get("value")).lower() in _NO for pair in pairs)


ELEMENT = ElementKind(
    name="element",
    identity=("id",),
    fields=(
        Field("id"),
        Field("section", Text(), choices=SECTIONS, required=True, create_only=True),
        Field("element", Xml(), required=True),
    ),
    words=("run_unfenced",),
)


def elements(cib: ET.Element) -> dict[str, tuple[str, ET.Element]]:
    """The children of all sections, by id, with their section."""
    result: dict[str, tuple[str, ET.Element]] = {}
    for section in SECTIONS:
        for parent in cib.findall(f"configuration/{section}"):
            result.update({str(child.get("id")): (section, child) for child in parent if child.get("id")})
    return result


def changed(cib: ET.Element, steps: Sequence[Step]) -> ET.Element:
    """A CIB with the steps done to it; the one given stays as it is."""
    result = copy.deepcopy(cib)
    configuration = result.find("configuration")
    if configuration is None:
        raise InvalidInput("What cibadmin showed has no configuration in it.", hint="Is Pacemaker running?")
    for step in steps:
        (name,) = step.key
        found = elements(result).get(str(name))
        if step.action == DELETE:
            if found is not None:
                _parent(configuration, found[0]).remove(found[1])
            continue
        state = step.after or {}
        parent = _parent(configuration, state["section"])
        new = parsed(state["element"])
        if found is None:
            parent.append(new)
        else:
            parent[list(parent).index(found[1])] = new
    return result


def _parent(configuration: ET.Element, section: str) -> ET.Element:
    """The section, made where the schema has its place when there is none."""
    parent = configuration.find(section)
    if parent is not None:
        return parent
    order = ("crm_config", "nodes", *SECTIONS[1:])
    later = set(order[order.index(section) + 1 :])
    place = next((number for number, child in enumerate(configuration) if child.tag in later), len(configuration))
    parent = ET.Element(section)
    configuration.insert(place, parent)
    return parent
