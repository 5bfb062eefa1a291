# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Reading the recorded exchanges of tests/data/pve/transcripts."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.pve import schema

TRANSCRIPTS = Path(__file__).resolve().parents[1] / "data" / "pve" / "transcripts"
STATUS = re.compile(r"^HTTP/1\.1 (\d+) ?(.*)$")
REQUEST = re.compile(r"^>> (?:\[(?P<who>[^\]]*)\] )?(?P<method>[A-Z]+) (?P<path>/\S*)(?: (?P<rest>.*))?$", re.S)
SECTION = re.compile(r"^#{3,5} ")


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer; `body` is None where the recording cut it off or it was not JSON.

    `noted`: what was looked at on the host after it, such as the file an answer is about.
    """

    file: str
    number: int
    who: str
    method: str
    path: str
    params: list[tuple[str, str]]
    status: int
    reason: str
    body: Any
    text: str
    exitstatus: str | None = None
    curl: list[str] = field(default_factory=list)
    section: str = ""
    noted: str = ""

    @property
    def title(self) -> str:
        """The request in one line, for people and for the list of exceptions."""
        shown = " ".join(f"{key}={value}" for key, value in self.params)
        who = f"[{self.who}] " if self.who else ""
        line = " ".join(self.curl) if self.curl else f"{self.method} {self.path} {shown}".rstrip()
        return (who + line).replace("\n", "\\n")


def split_parameters(method: str, path: str, rest: str, others: Collection[str] = ()) -> list[tuple[str, str]]:
    """'a=1 b=two words c=3' by the names the endpoint knows, or that it said it does not (`others`), since values hold
    blanks and newlines."""
    match = schema.match(path)
    info = match.methods.get(method) if match else None
    known = ((info or {}).get("parameters") or {}).get("properties", {})
    found: list[tuple[str, str]] = []
    position, name = 0, ""
    for hit in re.finditer(r"(?:^|(?<=\s))([a-zA-Z][\w-]*)=", rest):
        first = not found and not name
        if not first and hit.group(1) not in others and schema.property_schema(known, hit.group(1)) is None:
            continue
        if name:
            found.append((name, rest[position : hit.start()].rstrip(" ")))
        name, position = hit.group(1), hit.end()
    if name:
        found.append((name, rest[position:]))
    return found


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    """(section, lines) of each exchange."""
    blocks: list[tuple[str, list[str]]] = []
    section = ""
    for line in text.split("\n"):
        if line.startswith(">> "):
            blocks.append((section, [line]))
        elif SECTION.match(line):
            section = line.lstrip("# ")
            blocks.append((section, []))
        elif blocks and blocks[-1][1]:
            blocks[-1][1].append(line)
    return [(section, block) for section, block in blocks if block]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def errors_of(body: Any) -> dict[str, str]:
    """The refusals by parameter."""
    return (body.get("errors") or {}) if isinstance(body, dict) else {}


def _split_noted(text: str) -> tuple[str, str]:
    """(the answer, what was looked at after it): a JSON answer is one line, cut off or not."""
    first, _sep, rest = text.partition("\n")
    return (first, rest.strip("\n")) if first.startswith(("{", "[")) else (text, "")


def load(name: str) -> list[Exchange]:
    """Every exchange of one transcript, in order."""
    out = []
    for number, (section, block) in enumerate(_blocks((TRANSCRIPTS / name).read_text(encoding="utf-8")), 1):
        if len(block) > 1 and block[1].startswith("UPID:"):
            # Some were noted by their task id alone.
            block = [block[0], "HTTP/1.1 200 OK", json.dumps({"data": block[1]})]
        at = next((i for i, line in enumerate(block) if STATUS.match(line)), None)
        if at is None:
            continue
        status = STATUS.match(block[at])
        assert status is not None
        head = "\n".join(block[:at])
        rest = block[at + 1 :]
        exitstatus = None
        body_lines = []
        for line in rest:
            if line.startswith("   task status: "):
                task = _json(line[len("   task status: ") :])
                exitstatus = (task or {}).get("data", {}).get("exitstatus")
                break
            if line.startswith(("== UPID", "-- ")):
                break
            if re.match(r"^   \[[\d.]+s\]$", line) or line.startswith("Content-Type: "):
                continue
            body_lines.append(line)
        text, noted = _split_noted("\n".join(body_lines).strip("\n"))
        curl: list[str] = []
        who = ""
        params: list[tuple[str, str]] = []
        if head.startswith(">> curl"):
            curl = _curl(head[len(">> ") :])
            method, path = _curl_request(curl)
        else:
            request = REQUEST.match(head)
            if request is None:
                continue
            who, method, path = request.group("who") or "", request.group("method"), request.group("path")
            refused = [name for name, why in errors_of(_json(text)).items() if why == schema.NOT_IN_SCHEMA]
            params = split_parameters(method, path.partition("?")[0], request.group("rest") or "", refused)
        out.append(
            Exchange(
                name, number, who, method, path, params, int(status.group(1)), status.group(2), _json(text), text,
                exitstatus, curl, section, noted,
            )
        )  # fmt: skip
    return out


def _curl(line: str) -> list[str]:
    """The words of a curl call; the recording left its quotes away, so options swallow what follows them."""
    words: list[str] = []
    for part in re.split(r" (?=-[XHdbI](?: |$)|/api2/)", line):
        option, _sep, value = part.partition(" ")
        if part.startswith("/api2/") or part == "curl":
            words.append(part)
        else:
            words.extend([option, value] if value else [option])
    return words


def _curl_request(words: list[str]) -> tuple[str, str]:
    path = next(word for word in words if word.startswith("/api2/"))
    if "-X" in words:
        method = words[words.index("-X") + 1]
    elif "-I" in words:
        method = "HEAD"
    else:
        method = "POST" if "-d" in words else "GET"
    return method, path
