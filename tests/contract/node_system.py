# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The programs of a Proxmox VE node under test: the lab's, on PATH, with a file behind them."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance import MAINTENANCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.maintenance_backend import MaintenanceBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve_node.qdevice_backend import QdeviceBackend
from lab.pve.programs import FIRST, conf
from tests.contract.discovery import ROOT
from tests.contract.invocation import Result
from tests.contract.system import System

FAILURE = "the lab lets this write fail"
_FOLDER = "hct-node-"
# What only looks is no write. `fail` has the number of the one to fail, and whether it is carried out all the same.
_PROGRAM = """#!/bin/sh
echo "{name} $*" >>'{folder}/log'
case "$1" in status) ;; *)
  echo >>'{folder}/writes'
  if [ -e '{folder}/fail' ]; then
    read -r number lost <'{folder}/fail'
    if [ "$(wc -l <'{folder}/writes')" -eq "$number" ]; then
      [ "$lost" = 0 ] || '{python}' '{lab}' '{folder}/state.json' {name} "$@" >/dev/null 2>&1
      echo '{failure}' >&2
      exit 255
    fi
  fi ;;
esac
exec '{python}' '{lab}' '{folder}/state.json' {name} "$@"
"""


class NodeSystem(System):
    """A cluster of two nodes with a guest each, seen from pve1."""

    patience = 3
    nonsense = 15
    failure = FAILURE

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=_FOLDER)))
        self._bin = self._folder / "bin"
        self._bin.mkdir()
        for name in ("ha-manager", "pvecm"):
            program = self._bin / name
            names = {"folder": self._folder, "python": sys.executable, "failure": FAILURE, "name": name}
            program.write_text(_PROGRAM.format(lab=ROOT / "lab" / "pve" / "programs.py", **names))
            program.chmod(0o755)
        self._stack.callback(self._leave)

    @staticmethod
    def _others() -> str:
        return ":".join(part for part in os.environ.get("PATH", "").split(":") if _FOLDER not in part)

    def _leave(self) -> None:
        os.environ["PATH"] = self._others()

    def close(self) -> None:
        self._stack.close()

    @property
    def conf_path(self) -> str:
        return str(self._folder / "corosync.conf")

    def module_defaults(self, module: str) -> dict[str, Any]:
        return {f"hospital.continuity.{module}": self._where(module)}

    def _where(self, module: str) -> dict[str, Any]:
        return {"conf_path": self.conf_path} if module == "pve_qdevice" else {}

    def run(self, module: str, config: Any = None, **arguments: Any) -> Result:
        return super().run(module, config, **{**self._where(module), **arguments})

    def reset(self) -> None:
        os.environ["PATH"] = f"{self._bin}:{self._others()}"
        self.set(**copy.deepcopy(FIRST))
        for name in ("writes", "fail", "log"):
            (self._folder / name).unlink(missing_ok=True)

    def set(self, **values: Any) -> None:
        """What is so at the node, whoever made it so."""
        path = self._folder / "state.json"
        state = {**(json.loads(path.read_text()) if path.exists() else {}), **values}
        path.write_text(json.dumps(state))
        Path(self.conf_path).write_text(conf(state))

    def state(self) -> dict[str, Any]:
        return dict(json.loads((self._folder / "state.json").read_text()))

    def writes(self) -> int:
        counted = self._folder / "writes"
        return len(counted.read_text().splitlines()) if counted.exists() else 0

    def inventory(self) -> Any:
        return {name: value for name, value in self.state().items() if name != "services"}

    def observe(self, kind: Any, keys: Collection[Any]) -> list[Mapping[str, Any]]:
        backend: Any = MaintenanceBackend() if kind is MAINTENANCE else QdeviceBackend(self.conf_path)
        found = backend.observe(kind, set(keys), set())
        return [kind.visible(key, thing.state) for key, thing in found.items()]

    def command_lines(self) -> str:
        log = self._folder / "log"
        return log.read_text() if log.exists() else ""

    @contextlib.contextmanager
    def failing_write(self, number: int, *, lost: bool = False) -> Iterator[None]:
        order = self._folder / "fail"
        order.write_text(f"{self.writes() + number} {int(lost)}\n")
        try:
            yield
        finally:
            order.unlink()
