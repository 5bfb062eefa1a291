# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Jobs as AWX runs them: everything in one private directory, which ansible-runner is told to run and nothing else.

An inventory source is read first, with the cluster's credential, and what came of it is all that the job knows of the
inventory. The job's environment is the execution environment's and what AWX and the credentials add: nothing of the
caller's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.awx.injection import inject
from lab.awx.rules import Refused, wrong_answers
from lab.awx.state import Row, State

# What AWX's dispatcher hands to ansible-runner, as JSON. The status is in the artifacts.
_RUN = "import ansible_runner, json, sys; sys.exit(0 if ansible_runner.run(**json.load(sys.stdin)).rc == 0 else 1)"
_PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Finished:
    """What is left of a job: its directory's artifacts. `status` is ansible-runner's: successful, failed, canceled."""

    directory: Path
    status: str
    events: list[dict[str, Any]] = field(repr=False)
    text: str = field(repr=False)

    @property
    def stats(self) -> dict[str, dict[str, int]]:
        """By host: ok, changed, failures …, from the event that AWX takes them from too."""
        found: dict[str, dict[str, int]] = {}
        for event in self.events:
            if event["event"] == "playbook_on_stats":
                for word, hosts in event["event_data"].items():
                    if isinstance(hosts, dict):
                        for host, count in hosts.items():
                            found.setdefault(host, {})[word] = count
        return found

    @property
    def changed(self) -> int:
        """Tasks that changed something, on all hosts."""
        return sum(counts.get("changed", 0) for counts in self.stats.values())

    def results(self, event: str) -> list[dict[str, Any]]:
        """The data of all events of a sort, as runner_on_failed."""
        return [each["event_data"] for each in self.events if each["event"] == event]


class Job:
    """A job that runs."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self.directory = directory
        self._process = process

    def cancel_when(self, reached: Callable[[], bool]) -> Finished:
        """Somebody presses AWX's button once that is so."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not reached():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the job was over before it could be cancelled: {self.finished().text}")
            time.sleep(0.02)
        self._process.send_signal(signal.SIGTERM)
        return self.finished()

    def finished(self) -> Finished:
        """Wait for its end."""
        try:
            said = self._process.communicate(timeout=_PATIENCE_SECONDS)[0].decode(errors="replace")
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
        artifacts = self.directory / "artifacts" / self.directory.name
        if not (artifacts / "status").exists():
            raise AssertionError(f"ansible-runner did not begin: {said}")
        events = [json.loads(file.read_text("utf-8")) for file in (artifacts / "job_events").glob("*-*.json")]
        return Finished(
            directory=self.directory,
            status=(artifacts / "status").read_text("utf-8"),
            events=sorted(events, key=lambda event: int(event["counter"])),
            text=(artifacts / "stdout").read_text("utf-8"),
        )


class Runs:
    """Launches the jobs of an AWX. `repository` is the project's, `image` what an execution environment sets."""

    def __init__(self, state: State, repository: Path, directory: Path, image: Mapping[str, str]) -> None:
        self._state = state
        self._repository = repository
        self._directory = directory
        self._image = {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "LC_ALL": "C.UTF-8",
            **image,
        }
        self._count = 0

    def launch(
        self, name: str, answers: Mapping[str, Any] | None = None, prompts: Mapping[str, str] | None = None
    ) -> Job:
        """Start the job with this name. `prompts` answers what the template asks at launch: limit, job_tags, job_type.

        Refused, as by AWX, for answers that the survey does not know or take, and for prompts that are not asked.
        """
        template = self._state.named("job_templates", name)
        prompts = dict(prompts or {})
        for prompt in prompts:
            if not template.get({"job_tags": "ask_tags_on_launch"}.get(prompt, f"ask_{prompt}_on_launch")):
                raise Refused(prompt, "Field is not configured to prompt on launch.")
        survey = self._state.surveys.get(template["id"], {}) if template.get("survey_enabled") else {}
        if problems := wrong_answers(survey, answers or {}):
            raise Refused("variables_needed_to_start", "; ".join(problems))
        private = self._private_directory()
        environment = self._injected(self._state.linked(template["id"], "credentials"), private)
        self._write_inventory(self._state.rows["inventories"][template["inventory"]], private)
        self._write_variables(template, answers or {}, private)
        arguments = {
            "private_data_dir": str(private),
            "ident": private.name,
            "playbook": template["playbook"],
            "inventory": str(private / "inventory" / "hosts"),
            "envvars": environment,
            "cmdline": " ".join(_command_line({**template, **prompts})),
            "suppress_env_files": True,
            "quiet": True,
        }
        return Job(private, self._started(arguments, private))

    def run(
        self, name: str, answers: Mapping[str, Any] | None = None, prompts: Mapping[str, str] | None = None
    ) -> Finished:
        """Launch it and wait."""
        return self.launch(name, answers, prompts).finished()

    def scheduled(self, schedule: str) -> Finished:
        """What the schedule starts, at its time."""
        row = self._state.named("schedules", schedule)
        return self.run(self._state.of("unified_job_templates")[row["unified_job_template"]]["name"])

    # ------------------------------------------------------------- a private directory

    def _private_directory(self) -> Path:
        self._count += 1
        private = self._directory / f"job_{self._count}"
        for each in ("env", "inventory", "home", "tmp"):
            (private / each).mkdir(parents=True)
        private.chmod(0o700)
        shutil.copytree(self._repository, private / "project")
        settings = {"idle_timeout": 0, "job_timeout": 0, "pexpect_timeout": 0.1}
        (private / "env" / "settings").write_text(json.dumps(settings), encoding="utf-8")
        return private

    def _injected(self, credentials: list[int], private: Path) -> dict[str, str]:
        environment: dict[str, str] = {}
        for number in credentials:
            credential = self._state.rows["credentials"][number]
            kind = self._state.rows["credential_types"][credential["credential_type"]]
            if kind["injectors"]:
                environment.update(inject(kind, credential["inputs"], private))
        return environment

    def _base(self, private: Path) -> dict[str, str]:
        return {
            **self._image,
            "HOME": str(private / "home"),
            "TMPDIR": str(private / "tmp"),
            "ANSIBLE_HOST_KEY_CHECKING": "False",
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
        }

    def _write_inventory(self, inventory: Row, private: Path) -> None:
        """What the inventory's source says now, as a script, which is what a job in AWX finds."""
        sources = self._state.rows["inventory_sources"].values()
        (source,) = [each for each in sources if each["inventory"] == inventory["id"]]
        environment = {**self._base(private), **self._injected([source["credential"]], private)}
        path = private / "project" / source["source_path"]
        done = subprocess.run(
            [sys.executable, "-m", "ansible", "inventory", "--list", "--export", "-i", str(path)],
            env=environment,
            cwd=private / "project",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise AssertionError(f"the inventory update failed: {done.stderr}")
        script = private / "inventory" / "hosts"
        script.write_text(f"#! {sys.executable}\nprint({json.dumps(done.stdout)})\n", encoding="utf-8")
        script.chmod(0o700)

    def _write_variables(self, template: Row, answers: Mapping[str, Any], private: Path) -> None:
        """The template's variables may be templates of Ansible's; what a person answers never is."""
        told = json.loads(template.get("extra_vars") or "{}")
        lines = [f"{name}: {json.dumps(value)}" for name, value in told.items()]
        lines += [f"{name}: {_unsafe(value)}" for name, value in answers.items()]
        file = private / "env" / "extravars"
        file.write_text("\n".join(["---", *lines]) + "\n", encoding="utf-8")
        file.chmod(0o600)

    def _started(self, arguments: dict[str, Any], private: Path) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN],
            env=self._base(private),
            cwd=private,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if process.stdin is None:  # it was asked for
            raise AssertionError
        process.stdin.write(json.dumps(arguments).encode())
        process.stdin.close()
        process.stdin = None
        return process


def _unsafe(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_unsafe(each) for each in value) + "]"
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)


def _command_line(options: Mapping[str, Any]) -> list[str]:
    """What AWX makes of a job's options."""
    line = []
    if options.get("job_type") == "check":
        line.append("--check")
    if options.get("diff_mode"):
        line.append("--diff")
    if options.get("limit"):
        line += ["-l", f"'{options['limit']}'"]
    if options.get("job_tags"):
        line += ["-t", f"'{options['job_tags']}'"]
    return line
