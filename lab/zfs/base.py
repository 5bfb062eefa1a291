# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What all commands of the stand-in share: their arguments, what they print, how they end."""

from __future__ import annotations

import getopt
from collections.abc import Sequence

from lab.zfs.state import Dataset, Snapshot, State

# Exit code for what nobody recorded.
DOES_NOT_KNOW = 64


class Failed(Exception):
    """The program ends with this exit code; what it had to say has been said."""

    def __init__(self, status: int = 1) -> None:
        super().__init__(status)
        self.status = status


class Unknown(Exception):
    """Nobody recorded what the real program does here."""


class Base:
    """One run of a program. `printed` is what it prints: pairs of 1 (output) or 2 (errors) and a line."""

    def __init__(self, state: State, stdin: str = "") -> None:
        self.state = state
        self.stdin = stdin
        self.printed: list[tuple[int, str]] = []

    def run(self, arguments: Sequence[str]) -> int:
        """Returns the exit code."""
        name, rest = arguments[0] if arguments else "", list(arguments[1:])
        command = getattr(self, f"do_{name.replace('-', '_')}", None)
        try:
            if command is None:
                raise Unknown(name)
            return command(rest) or 0
        except Failed as end:
            return end.status
        except (Unknown, ValueError) as problem:
            self.complain(f"lab.zfs does not know: {' '.join(arguments)} ({problem})")
            return DOES_NOT_KNOW

    def say(self, text: str) -> None:
        self.printed.append((1, text))

    def complain(self, text: str) -> None:
        self.printed.append((2, text))

    def fail(self, text: str, status: int = 1) -> Failed:
        self.complain(text)
        return Failed(status)

    def opened(self, name: str) -> Dataset:
        if name not in self.state.visible:
            raise self.fail(f"cannot open '{name}': dataset does not exist")
        return self.state.datasets[name]

    def snapshot_of(self, name: str) -> Snapshot:
        base, _at, short = name.partition("@")
        if base not in self.state.visible or short not in self.state.datasets[base].snapshots:
            raise self.fail(f"cannot open '{name}': dataset does not exist")
        return self.state.datasets[base].snapshots[short]


def pairs_of(arguments: list[str], letters: str, words: Sequence[str] = ()) -> tuple[list[tuple[str, str]], list[str]]:
    """Options as they are given, and what is left."""
    try:
        return getopt.gnu_getopt(arguments, letters, list(words))
    except getopt.GetoptError as problem:
        raise Unknown(f"option {problem.opt}") from None


def flags_of(arguments: list[str], letters: str, words: Sequence[str] = ()) -> tuple[dict[str, str], list[str]]:
    """Options of which each is given once, and what is left."""
    pairs, rest = pairs_of(arguments, letters, words)
    return dict(pairs), rest
