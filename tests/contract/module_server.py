# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Modules run on another host, one after the other, in a Python there that is already started.

It forks for each, so that a module finds a process as fresh as Ansible would make it and costs a tenth of the time.
"""

from __future__ import annotations

import json
import select
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from tests.contract.invocation import Result

# `on_replace`: the control socket of lab.scst that is asked before a file of that name is replaced. It counts the
# write; when it fails it, so does the replacement, after it was done if `lost`.
_SERVER = """
import errno, importlib, json, os, socket, sys, tempfile, traceback
sys.path.insert(0, {home!r})
from ansible.module_utils import basic

PACKAGE = "ansible_collections.hospital.continuity.plugins.modules."

def guard(function, path, control, lost):
    def guarded(source, destination, **more):
        if os.path.abspath(destination) != path:
            return function(source, destination, **more)
        with socket.socket(socket.AF_UNIX) as asked:
            asked.connect(control)
            asked.sendall(b'{{"lever": "touch", "arguments": {{}}}}\\n')
            failed = b"problem" in asked.recv(4096)
        if lost or not failed:
            function(source, destination, **more)
        if failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO), destination)
    return guarded

def child(request):
    os.environ.update(request["environment"])
    for path, control in request["on_replace"].items():
        for name in ("rename", "replace"):
            setattr(os, name, guard(getattr(os, name), path, control, request["lost"]))
    basic._ANSIBLE_ARGS = json.dumps({{"ANSIBLE_MODULE_ARGS": request["arguments"]}}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    importlib.import_module(PACKAGE + request["module"]).main()

for line in sys.stdin.buffer:
    request = json.loads(line)
    try:
        importlib.import_module(PACKAGE + request["module"])
    except Exception:
        pass  # the child says so
    out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        code = 1
        try:
            child(request)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    texts = []
    for stream in (out, err):
        stream.seek(0)
        texts.append(stream.read().decode(errors="replace"))
    sys.stdout.write(json.dumps([code, *texts]) + "\\n")
    sys.stdout.flush()
"""


class ModuleServer:
    """`argv(words)`: the command here that runs words on the host. `home`: where the plugins are there."""

    def __init__(self, argv: Callable[..., list[str]], home: str) -> None:
        command = argv("python3", "-c", _SERVER.format(home=home))
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)

    def run(
        self,
        module: str,
        arguments: Mapping[str, Any],
        *,
        environment: Mapping[str, str],
        on_replace: Mapping[str, str],
        lost: bool = False,
        timeout: float = 120,
    ) -> Result:
        request = {"module": module, "arguments": arguments, "environment": dict(environment), "lost": lost}
        request["on_replace"] = dict(on_replace)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        ready, _writable, _problems = select.select([self._process.stdout], [], [], timeout)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.close()
            said = self._process.stderr.read().decode(errors="replace")
            raise RuntimeError(f"{module} on the host gave no answer within {timeout:g} s: {said[-2000:]}")
        code, output, errors = json.loads(line)
        try:
            data = json.loads(output)
        except ValueError:
            data = {}
        crash = "" if data else errors or "no answer"
        return Result(code, data, output, errors, "", crash)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
