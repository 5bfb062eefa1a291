# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Pacemaker's own programs under test, at work on a file instead of a running cluster."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.command import search_path
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.backend import CibBackend
from tests.contract.system import System

PROGRAMS = ("cibadmin", "crm_diff", "crm_verify")
NODES = ("a", "b")
# Somebody else's. Pacemaker starts nothing without a fence device.
FENCE = "fence"
FAILURE = "the lab lets this write fail"

# Each program is the real one, which says what it was given. What cibadmin does but look is a write; `fail` has the
# number of the one to fail, and whether it is carried out all the same.
_WRAPPER = """#!/bin/sh
echo "{name} $*" >>'{folder}/log'
case '{name}' in cibadmin) case " $* " in *' --query '*) ;; *)
  echo >>'{folder}/writes'
  if [ -e '{folder}/fail' ]; then
    read -r number lost <'{folder}/fail'
    if [ "$(wc -l <'{folder}/writes')" -eq "$number" ]; then
      [ "$lost" = 0 ] || '{real}' "$@" >/dev/null 2>&1
      echo 'Call cib_apply_diff failed (-62): {failure}' >&2
      exit 124
    fi
  fi ;;
esac ;; esac
exec '{real}' "$@"
"""


_FOLDER = "hct-pacemaker-"


def path_without_ours() -> str:
    """PATH without the wrappers of any of these systems: several may be open, and others put theirs on it as well."""
    return ":".join(part for part in os.environ.get("PATH", "").split(":") if _FOLDER not in part)


def missing() -> list[str]:
    """The programs that are not here."""
    path = search_path(path_without_ours())
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


class PacemakerSystem(System):
    """A configuration of two nodes and a fence device, in a file that CIB_file names: how Pacemaker's programs read and
    write where no cluster runs. On PATH, others of the same names stand before them, count writes and let one fail."""

    patience = 0
    # Each run costs processes.
    nonsense = 50
    failures = 30
    failure = FAILURE

    def __init__(self) -> None:
        if missing():
            pytest.skip("pacemaker-cli-utils is not installed: pacemaker_cib is proven on Pacemaker's programs only")
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=_FOLDER)))
        self._cib = self._folder / "cib" / "cib.xml"
        path = search_path(path_without_ours())
        self._bin = self._folder / "bin"
        self._bin.mkdir()
        self._real = {name: str(shutil.which(name, path=path)) for name in PROGRAMS}
        for name, real in self._real.items():
            wrapper = self._bin / name
            wrapper.write_text(_WRAPPER.format(name=name, real=real, folder=self._folder, failure=FAILURE))
            wrapper.chmod(0o755)
        self._stack.callback(self._leave)
        self._enter()
        self._empty = self._first()

    def _enter(self) -> None:
        """Into this process's environment, and so into that of modules: another one of these may be open as well."""
        os.environ.update({"PATH": f"{self._bin}:{path_without_ours()}", "CIB_file": str(self._cib)})

    def _leave(self) -> None:
        os.environ["PATH"] = path_without_ours()
        os.environ.pop("CIB_file", None)

    def _first(self) -> str:
        """Of this Pacemaker's own version, whichever it is."""
        root = ET.fromstring(self.console("cibadmin", "--empty"))
        nodes, resources = root.find("configuration/nodes"), root.find("configuration/resources")
        assert nodes is not None and resources is not None
        for number, name in enumerate(NODES, 1):
            ET.SubElement(nodes, "node", id=str(number), uname=name)
        ET.SubElement(resources, "primitive", {"id": FENCE, "class": "stonith", "type": "fence_dummy"})
        return ET.tostring(root, encoding="unicode")

    def close(self) -> None:
        self._stack.close()

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {}

    def reset(self) -> None:
        self._enter()
        # With the signature, without which Pacemaker refuses the file that it was made for.
        shutil.rmtree(self._cib.parent, ignore_errors=True)
        self._cib.parent.mkdir()
        self._cib.write_text(self._empty)
        for name in ("writes", "fail", "log"):
            (self._folder / name).unlink(missing_ok=True)

    def console(self, *argv: str) -> str:
        """What somebody at the node's console does, whose writes are not counted."""
        words = [self._real.get(argv[0], argv[0]), *argv[1:]]
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def writes(self) -> int:
        counted = self._folder / "writes"
        return len(counted.read_text().splitlines()) if counted.exists() else 0

    def configuration(self) -> ET.Element:
        found = ET.fromstring(self._cib.read_text()).find("configuration")
        assert found is not None
        return found

    def element(self, name: str) -> Any:
        """An element as it stands in the file, with where it is."""
        found = [
            (section.tag, ET.canonicalize(ET.tostring(child, encoding="unicode"), strip_text=True))
            for section in self.configuration()
            for child in section
            if child.get("id") == name
        ]
        return found or None

    def inventory(self) -> Any:
        return ET.canonicalize(ET.tostring(self.configuration(), encoding="unicode"), strip_text=True)

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        found = CibBackend().observe(kind, set(keys), {row.name for row in kind.option_rows})
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def command_lines(self) -> str:
        log = self._folder / "log"
        return log.read_text() if log.exists() else ""

    def readable(self) -> str:
        files = [path for path in self._cib.parent.iterdir() if path.stat().st_mode & stat.S_IROTH]
        return "\n".join(path.read_text() for path in files)

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        order = self._folder / "fail"
        order.write_text(f"{self.writes() + number} {int(lost)}\n")
        try:
            yield
        finally:
            order.unlink()

    @contextlib.contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """The configuration cannot be read: nothing is there that Pacemaker would show."""
        aside = self._cib.with_suffix(".aside")
        self._cib.rename(aside)
        try:
            yield
        finally:
            aside.rename(self._cib)
