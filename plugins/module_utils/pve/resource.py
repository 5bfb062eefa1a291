# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""I/O for anything in the API: what is there, and what is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import unquote

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pve.backend import PveBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    NotFound,
    PveError,
    RejectedParameters,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.resource import (
    ResourceKind,
    parent_of,
    quoted,
)


class ResourceBackend(PveBackend[ResourceKind]):
    """PVE has no status for what does not exist, only texts; so the list that it would be in is asked as well."""

    def observe(
        self, kind: ResourceKind, keys: Collection[Key] | None, options: Collection[str]
    ) -> Mapping[Key, Thing]:
        paths = [str(key[0]) for key in keys or ()]
        things: dict[Key, Thing] = {}
        answers = self.client.get_many([quoted(path) for path in paths])
        lists = self._lists({parent_of(path) for path in paths})
        for path, answer in zip(paths, answers):
            row = _row(lists.get(parent_of(path)), unquote(path.rpartition("/")[2]))
            if isinstance(answer, PveError):
                if not _means_absent(answer, row, listed=parent_of(path) in lists):
                    raise answer
            elif isinstance(answer, Mapping):
                # A list may show what GET of one leaves out (disable: 0).
                shared = row and any(name in answer for name in row)
                things[(path,)] = kind.decode({**(row if row and shared else {}), **answer})
            elif answer is not None:
                raise InvalidInput(
                    f"path: {path} does not lead to one thing: PVE shows {_called(answer)} there.",
                    hint="Give the path of a thing that is in it. Nothing was changed.",
                )
        return things

    def _lists(self, parents: Collection[str]) -> dict[str, list[Mapping[str, Any]]]:
        """The lists, where there are any; that there is none is not an error."""
        asked = sorted(parent for parent in parents if parent)
        answers = self.client.get_many([quoted(parent) for parent in asked])
        found = {}
        for parent, answer in zip(asked, answers):
            if isinstance(answer, list):
                found[parent] = [row for row in answer if isinstance(row, Mapping)]
        return found


def _row(rows: list[Mapping[str, Any]] | None, name: str) -> Mapping[str, Any] | None:
    """The row of a list that is about `name`."""
    return next((row for row in rows or () if name in (str(value) for value in row.values())), None)


def _means_absent(problem: PveError, row: Mapping[str, Any] | None, *, listed: bool) -> bool:
    """Whether an error of GET says that the thing is not there."""
    if isinstance(problem, NotFound):
        return True
    refused = type(problem) in (PveError, RejectedParameters) and problem.status in (400, 500)
    return refused and listed and row is None


def _called(answer: Any) -> str:
    return "a list" if isinstance(answer, list) else repr(answer)
