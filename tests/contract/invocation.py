# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Run a module in this process, the way Ansible would: arguments in, JSON out, exit code."""

from __future__ import annotations

import contextlib
import io
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest import mock

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from tests.contract.discovery import loaded


@dataclass(frozen=True)
class Result:
    """What a module printed and how it ended; `crash` is the traceback it ended in, if it did."""

    code: int
    data: Mapping[str, Any]
    stdout: str
    stderr: str
    logged: str
    crash: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.data.get("failed")) or self.code != 0

    @property
    def changed(self) -> bool:
        return bool(self.data.get("changed"))

    @property
    def message(self) -> str:
        return str(self.data.get("msg", ""))

    @property
    def steps(self) -> list[str]:
        return list(self.data.get("steps", []))

    @property
    def planned(self) -> list[str]:
        """The steps without how they ended."""
        return [step.partition(": ")[2] for step in self.steps]

    @property
    def diff(self) -> Any:
        return self.data.get("diff")

    @property
    def everything(self) -> str:
        """All text that leaves the module."""
        return "\n".join([self.stdout, self.stderr, self.logged, self.crash])


@contextlib.contextmanager
def module_arguments(arguments: Mapping[str, Any]) -> Iterator[None]:
    """Hand arguments to the next AnsibleModule. Ansible's own helper came with 2.19."""
    try:
        from ansible.module_utils.testing import patch_module_args
    except ImportError:
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", text):
            yield
    else:
        with patch_module_args(dict(arguments)):
            yield


@contextlib.contextmanager
def as_on_a_node() -> Iterator[None]:
    """A module warns by its result. Where the controller's part of Ansible was imported too (an inventory plugin does
    that), warnings would go to its display instead; and what was said in this process is not said again."""
    with contextlib.ExitStack() as stack:
        said = warnings._global_warnings
        stack.enter_context(mock.patch.object(warnings, "_global_warnings", type(said)()))
        try:
            from ansible.module_utils import _internal
        except ImportError:  # before 2.19 there was no difference
            pass
        else:
            stack.enter_context(mock.patch.object(_internal, "is_controller", False))
        yield


def run_program(main: Callable[[], None], arguments: Mapping[str, Any]) -> Result:
    """Call a module's main()."""
    out, err = io.StringIO(), io.StringIO()
    logged: list[str] = []
    log = basic.AnsibleModule.log

    def recording(module: Any, msg: Any, log_args: Any = None) -> None:
        logged.append(f"{msg} {log_args or ''}")
        log(module, msg, log_args)

    code, crash = 0, ""
    with (
        module_arguments(arguments),
        as_on_a_node(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(basic.AnsibleModule, "log", recording),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        except Exception:  # noqa: BLE001  (what a module must never end in)
            code, crash = 1, traceback.format_exc()
    return Result(code, _parsed(out.getvalue()), out.getvalue(), err.getvalue(), "\n".join(logged), crash)


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        data = json.loads(text)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def run_module(
    name: str, arguments: Mapping[str, Any], *, check: bool = False, verbosity: int = 0, diff: bool = True
) -> Result:
    """Run a module of the collection."""
    internal = {
        "_ansible_check_mode": check,
        "_ansible_diff": diff,
        "_ansible_verbosity": verbosity,
        "_ansible_module_name": f"hospital.continuity.{name}",
    }
    return run_program(loaded(name).main, {**arguments, **internal})
