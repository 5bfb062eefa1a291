# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""How much a module is: the lines of logic that only it needs, what engine and subsystems share left out.

A module's own files are those that it imports, by whatever way, and no other module does. Modules that only read
(*_info) import every kind of their subsystem; they take no file away from the module whose kind it is. Lines count that
have code on them: no documentation, no comments, no blank lines.
"""

from __future__ import annotations

import ast
import io
import statistics
import sys
import tokenize
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PACKAGE = "ansible_collections.hospital.continuity.plugins."
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
GOAL, LONGEST = 60, 8
_NO_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class Module:
    """`own`: lines of logic by file, of files that no other module imports."""

    name: str
    own: dict[Path, int]

    @property
    def lines(self) -> int:
        return sum(self.own.values())


@cache
def logic(file: Path) -> int:
    """Lines with code on them."""
    text = file.read_text()
    documented = _documented(ast.parse(text))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    lines = {line for token in tokens if token.type not in _NO_CODE for line in range(token.start[0], token.end[0] + 1)}
    return len(lines - documented)


def _documented(tree: ast.Module) -> set[int]:
    """Lines of docstrings and of the blocks that ansible-doc reads."""
    found: set[int] = set()
    for node in ast.walk(tree):
        named = isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in DOCUMENTATION for target in node.targets
        )
        told = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if named or told:
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


@cache
def imported(file: Path) -> frozenset[Path]:
    """Files of the collection that it imports itself."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE[:-1]):
            names.add(f"{node.module}")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    paths = {PLUGINS / f"{name[len(PACKAGE) :].replace('.', '/')}.py" for name in names}
    return frozenset(path for path in paths if path.is_file())


def reached(file: Path) -> set[Path]:
    """What it imports, by whatever way, and itself."""
    found, left = set(), [file]
    while left:
        at = left.pop()
        if at not in found:
            found.add(at)
            left += imported(at)
    return found


def modules(readers: Collection[str] = ()) -> list[Module]:
    """Every module that is not only for reading, the longest first. `readers`: others that take no file away."""
    writing = [file for file in sorted((PLUGINS / "modules").glob("*.py")) if not file.stem.endswith("_info")]
    needs = {file: reached(file) for file in writing}
    users = {path: [file for file in writing if path in needs[file]] for file in writing for path in needs[file]}
    for path, using in users.items():
        users[path] = [file for file in using if file.stem not in readers] or using
    found = [
        Module(file.stem, {path: logic(path) for path in needs[file] if users[path] == [file]}) for file in writing
    ]
    return sorted(found, key=lambda module: -module.lines)


def main() -> int:
    found = modules()
    median = statistics.median(module.lines for module in found)
    for module in found:
        print(f"  {module.lines:5}  {module.name}")
        if module in found[:LONGEST]:
            for path, lines in sorted(module.own.items(), key=lambda item: -item[1]):
                first = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
                print(f"         {lines:5}  {path.relative_to(PLUGINS)}  {first}")
    shared = set(PLUGINS.rglob("*.py")) - {path for module in found for path in module.own}
    print(f"  {sum(map(logic, shared)):5}  shared by several of them, or for reading")
    # It names the module that there is for a path, and knows the tables of all kinds for that.
    alone = statistics.median(module.lines for module in modules(["pve_resource"]))
    print(f"  {alone:5g}  would be the median if pve_resource, which reads the table of every kind, took none away")
    held = median < GOAL
    said = "holds" if held else "does not hold"
    print(f"size: a module's own logic has {median:g} lines (median of {len(found)}); the goal, under {GOAL}, {said}.")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
