# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A cluster's configuration, read and written by Pacemaker's own programs: all of a task at once, or nothing."""

from __future__ import annotations

import re
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.command import CommandFailed, Completed, Runner, run
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, Step, Thing
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Key
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.element import (
    ElementKind,
    canonical,
    changed,
    elements,
    parsed,
)

# What crm_diff ends with when there is a difference.
_DIFFERENT = 1
_ERROR = re.compile("error ?:")


class CibBackend:
    parallel = 1

    def __init__(self, timeout: float = 60.0, runner: Runner = run) -> None:
        self.writes = 0
        self._timeout = timeout
        self._run = runner

    def close(self) -> None:
        """There is no connection to give back."""

    def resolve(self, kind: ElementKind, declared: Declaration) -> Declaration:
        return declared

    def observe(
        self, kind: ElementKind, keys: Optional[Collection[Key]], options: Collection[str]
    ) -> Mapping[Key, Thing]:
        return {
            (name,): Thing({"section": section, "element": canonical(element)})
            for name, (section, element) in elements(self._cib()).items()
            if keys is None or (name,) in keys
        }

    def precheck(self, kind: ElementKind, plan: Plan, declared: Declaration) -> Sequence[str]:
        """What Pacemaker itself says about the configuration as it would be."""
        cib = self._cib()
        wrong = self._wrong(changed(cib, tuple(plan)))
        # What is wrong already is not this task's doing, and perhaps what the next one mends.
        new = [text for text in wrong if text not in self._wrong(cib)] if wrong else []
        return (f"Pacemaker does not take this configuration: {'; '.join(new).rstrip('.')}",) if new else ()

    def _wrong(self, cib: ET.Element) -> Sequence[str]:
        """Errors of a configuration, in Pacemaker's words."""
        text = ET.tostring(cib, encoding="unicode")
        done = self._program("crm_verify", "--verbose", "--xml-pipe", stdin=text)
        # It ends the same way with warnings, such as one about a node that was fenced.
        if done.status == 0 or not any("error:" in line for line in done.errors.splitlines()):
            return ()
        return _said(done)

    def apply(self, kind: ElementKind, step: Step) -> Sequence[str]:
        return self.apply_all(kind, (step,))

    def apply_all(self, kind: ElementKind, steps: Sequence[Step]) -> Sequence[str]:
        cib = self._cib()
        with tempfile.TemporaryDirectory(prefix="hospital-continuity-") as directory:
            old, new = Path(directory, "old.xml"), Path(directory, "new.xml")
            old.write_text(ET.tostring(cib, encoding="unicode"), encoding="utf-8")
            new.write_text(ET.tostring(changed(cib, steps), encoding="unicode"), encoding="utf-8")
            # Without versions: the status changes with every monitor, and that is no conflict.
            done = self._program("crm_diff", "--no-version", "--original", str(old), "--new", str(new))
        if done.status not in (0, _DIFFERENT):
            raise CommandFailed(f"crm_diff said: {said(done)}.", hint="Nothing was changed.", completed=done)
        self.writes += 1
        done = self._program("cibadmin", "--patch", "--sync-call", "--xml-pipe", stdin=done.output)
        if done.status != 0:
            raise CommandFailed(f"Pacemaker did not take the change: {said(done)}.", completed=done)
        return ()

    def verify(self, kind: ElementKind, things: Mapping[Key, Thing], declared: Declaration) -> Sequence[Unmet]:
        """Whether anything of the cluster has failed or is still on its way is what the role looks at."""
        return ()

    def _cib(self) -> ET.Element:
        done = self._program("cibadmin", "--query")
        if done.status != 0:
            raise CommandFailed(
                f"The cluster's configuration cannot be read: {said(done)}.",
                hint="Is Pacemaker running on this host? Look at systemctl status pacemaker.",
                completed=done,
            )
        try:
            return parsed(done.output)
        except ET.ParseError as problem:
            raise CommandFailed(
                f"cibadmin --query showed something that is no XML: {problem}.",
                hint="Look at what it shows on this host.",
                completed=done,
            ) from None

    def _program(self, *argv: str, stdin: str = "") -> Completed:
        return self._run(argv, stdin=stdin, timeout=self._timeout)


def open_backend(params: Mapping[str, Any]) -> CibBackend:
    """The backend that the module's options describe. Raises InvalidInput."""
    timeout = int(params["timeout"])
    if timeout < 1:
        raise InvalidInput(f"timeout: {timeout} is not a number of seconds.", hint="Give 1 or more.")
    return CibBackend(timeout)


def said(done: Completed) -> str:
    """What a program of Pacemaker's complained of, as one line. The parser of XML, which says what element is
    wrong, writes a blank before the colon."""
    return "; ".join(_said(done)).rstrip(".")


def _said(done: Completed) -> Sequence[str]:
    lines = [line.strip() for line in (done.errors or done.output).splitlines() if line.strip()]
    wrong = [line for line in lines if _ERROR.search(line)] or lines or [f"exit code {done.status}"]
    return list(dict.fromkeys(_ERROR.split(line, maxsplit=1)[-1].strip() or line for line in wrong))
