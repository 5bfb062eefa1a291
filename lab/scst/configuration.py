# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""scst.conf: blocks with words and braces, lines of a name and a value."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


@dataclass
class Block:
    """`TARGET iqn… {`: kind and name; `lines` in their order, DEVICE, LUN and INITIATOR among them."""

    kind: str = ""
    name: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    def all(self, kind: str) -> list[str]:
        """What a kind of line says, whether it has a block of its own or not."""
        return [value for name, value in self.lines if name == kind] + [
            block.name for block in self.blocks if block.kind == kind
        ]

    def named(self, kind: str) -> list[Block]:
        """Blocks of a kind; a line without a block is an empty one."""
        return [Block(kind, value) for name, value in self.lines if name == kind] + [
            block for block in self.blocks if block.kind == kind
        ]


def parse(text: str) -> Block:
    """A brace that is never closed is no error, as recorded."""
    root = Block()
    open_blocks = [root]
    for line in text.splitlines():
        words = re.sub(r"#.*", "", line).strip()
        if words == "}":
            if len(open_blocks) > 1:
                open_blocks.pop()
        elif words.endswith("{"):
            kind, _blank, name = words[:-1].strip().partition(" ")
            block = Block(kind, name.strip())
            open_blocks[-1].blocks.append(block)
            open_blocks.append(block)
        elif words:
            name, _blank, value = words.partition(" ")
            open_blocks[-1].lines.append((name, value.strip().strip('"')))
    return root
