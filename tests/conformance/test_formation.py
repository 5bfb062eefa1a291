# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Nodes that are not a cluster yet answer as the recorded ones, while they become one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import tally
from client import Answer, Client
from recordings import Exchange, load
from replay import UPID, compare

from lab.pve import Formation
from lab.pve.faults import RequestFault

ADDRESSES = {"n1": "10.99.0.21", "n2": "10.99.0.22", "n3": "10.99.0.23"}
# n1's fingerprint as it was recorded; in the lab it is another one in every run.
RECORDED = re.compile(r"(?:80:57:6F|F4:37:04|82:37:AE)(?::[0-9A-F]{2}){29}")
# What is not about the formation, and other parts of the lab answer.
SKIPPED = re.compile(r"^(?:GET /storage|POST /access)")
PASSWORD = "(password)"
Lever = Callable[[Formation], None]


@dataclass(frozen=True)
class Film:
    """A recording, what happens to the machines at its sections, and before exchanges by their number."""

    file: str
    sections: dict[str, Lever] = field(default_factory=dict)
    before: dict[int, Lever] = field(default_factory=dict)


def locked(formation: Formation) -> None:
    """Somebody on the recorded cluster held the lock the whole time."""
    formation.lock_configuration(True)


def off(name: str) -> Lever:
    def lever(formation: Formation) -> None:
        formation.lock_configuration(False)
        formation.power(name, False)

    return lever


def restarting(formation: Formation) -> None:
    """The cluster's file system was restarting, and nobody was let in."""
    fault = RequestFault("POST", re.compile("^/cluster/config$"), 401, "Authentication failed!", 1, 0)
    formation.call(formation.machines["n1"].faults.requests.append, fault)


def n3_on(formation: Formation) -> None:
    formation.power("n3", True)


def as_installed(formation: Formation) -> None:
    """One directory storage that takes everything."""
    for machine in formation.machines.values():
        local = machine.storages["local"]
        formation.call(local.update, {"content": "iso,vztmpl,backup,snippets,images,rootdir", "total": 270553174016})


FILMS = [
    Film(
        "21-cluster-formation.txt",
        {
            "join: errors": Formation.settle,
            "add/remove node entries": locked,
            "n3 switched off, then removed": off("n3"),
            "n3 on again, later: add/remove entries, n2 switched off and removed": n3_on,
        },
    ),
    Film("21b-create-with-bogus-link.txt", before={5: restarting}),
    Film("21c-create-with-foreign-link-address.txt"),
]
# Recorded answers that the lab does not give, with the reason. One that is given after all is a failure too.
EXCEPTIONS: dict[str, str] = {}


@dataclass
class Player:
    formation: Formation
    clients: dict[str, Client] = field(default_factory=dict)
    upids: dict[str, str] = field(default_factory=dict)

    def client(self, who: str) -> Client:
        if who not in self.clients:
            self.clients[who] = Client(self.formation[who]).login()  # type: ignore[arg-type]
        return self.clients[who]

    def live(self, text: str) -> str:
        text = UPID.sub(lambda found: self.upids.get(found[0], found[0]), text)
        return RECORDED.sub(self.formation["n1"].fingerprint, text).replace(PASSWORD, self.formation["n1"].password)

    def send(self, exchange: Exchange) -> Answer:
        params = [(name, self.live(value)) for name, value in exchange.params]
        answer = self.client(exchange.who).call(exchange.method, self.live(exchange.path), params)
        if answer.status == 401 and exchange.status != 401:
            # Whoever has joined forgets the tickets that he gave.
            self.clients.pop(exchange.who).close()
            answer = self.client(exchange.who).call(exchange.method, self.live(exchange.path), params)
        return answer

    def play(self, exchange: Exchange) -> list[str]:
        if exchange.body is not None and RECORDED.search(exchange.text):
            exchange = replace(exchange, body=json.loads(RECORDED.sub(self.formation["n1"].fingerprint, exchange.text)))
        answer = self.send(exchange)
        started = isinstance(answer.body, dict) and UPID.match(str(answer.body.get("data")))
        found = UPID.search(exchange.text)
        if exchange.method != "GET" and found and started and isinstance(answer.body, dict):
            self.upids[found[0]] = answer.body["data"]
        different = compare(exchange, answer)
        if exchange.exitstatus is not None and started and isinstance(answer.body, dict):
            path = f"/nodes/{exchange.who}/tasks/{answer.body['data']}/status"
            status = Exchange(exchange.file, 0, exchange.who, "GET", path, [], 200, "OK", None, "")
            body = self.send(status).body
            got = (body or {}).get("data", {}).get("exitstatus")
            if got != self.live(exchange.exitstatus):
                different.append(f"task: recorded {exchange.exitstatus!r}, got {got!r}")
        return different


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.file.removesuffix(".txt"))
def test_becomes_a_cluster_as_recorded(film: Film) -> None:
    section, wrong, played = "", [], 0
    # Nothing settles by itself here: in the recording that took longer than the questions right after the creation.
    with Formation(list(ADDRESSES), addresses=ADDRESSES, settling=600) as formation:
        as_installed(formation)
        player = Player(formation)
        try:
            for exchange in load(film.file):
                if exchange.section != section:
                    section = exchange.section
                    film.sections.get(section, lambda _formation: None)(formation)
                film.before.get(exchange.number, lambda _formation: None)(formation)
                if SKIPPED.match(f"{exchange.method} {exchange.path}"):
                    continue
                played += 1
                different = player.play(exchange)
                key = f"{film.file.split('-')[0]}#{exchange.number}"
                tally.count("formation", not different, key in EXCEPTIONS)
                if bool(different) != (key in EXCEPTIONS):
                    wrong.append(f"{key} [{exchange.who}] {exchange.title[:150]}\n    " + "\n    ".join(different))
        finally:
            for client in player.clients.values():
                client.close()
    assert played > 15
    assert not wrong, f"{len(wrong)} of {played}:\n" + "\n".join(wrong)
