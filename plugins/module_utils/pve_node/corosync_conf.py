# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""corosync.conf, read: sections of `key: value`, nested. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Section:
    """values: `key: value`.  sections: (name, section), in their order; several may have the same name."""

    values: dict[str, str] = field(default_factory=dict)
    sections: list[tuple[str, Section]] = field(default_factory=list)

    def named(self, name: str) -> list[Section]:
        return [section for found, section in self.sections if found == name]

    def first(self, name: str) -> Section:
        """An empty one where there is none."""
        return next(iter(self.named(name)), Section())


def parsed(text: str) -> Section:
    """Raises ValueError with the line that is neither."""
    root = Section()
    open_sections = [root]
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.endswith("{"):
            section = Section()
            open_sections[-1].sections.append((line[:-1].strip(), section))
            open_sections.append(section)
        elif line == "}" and len(open_sections) > 1:
            open_sections.pop()
        elif ":" in line:
            key, _colon, value = line.partition(":")
            open_sections[-1].values[key.strip()] = value.strip()
        else:
            raise ValueError(f"line {number} is neither a section nor a value: {line}")
    if len(open_sections) > 1:
        raise ValueError("a section is not closed")
    return root
