# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Asking the lab what was asked of the recorded cluster, and comparing the answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import normal_form
from client import Answer, Client
from curl_calls import CurlCall
from recordings import Exchange, load
from scenes import Scene

from lab.pve import Lab, NodeSpec

UPID = re.compile(r"UPID:[^\s:]+:[0-9A-F]{8}:[0-9A-F]{8}:[0-9A-F]{8}:[^\s:]*:[^\s:]*:[^\s:]+:")
NODES = ("pve1", "pve2", "pve3")
OUTCOME = ("errors", "message", "data", "total", "success", "status", "changes")


@dataclass(frozen=True)
class Result:
    """How an exchange went; `different` is empty when the lab answered as the recording says."""

    exchange: Exchange
    area: str
    different: list[str]

    @property
    def key(self) -> str:
        return f"{self.exchange.file.split('-')[0]}#{self.exchange.number}"


def in_the_body(exchange: Exchange) -> bool | None:
    """DELETE with a body was recorded to be refused; elsewhere parameters go where they belong."""
    if exchange.method == "DELETE" and exchange.reason.startswith("Unexpected content"):
        return True
    return None


class Player:
    """Replays one scene; task ids of the recording are translated into the lab's."""

    def __init__(self, lab: Lab, scene: Scene) -> None:
        self.lab, self.scene = lab, scene
        self.upids: dict[str, str] = {}
        self.clients = {"": Client(lab).login()}
        if scene.token:
            self.clients[""].close()
            self.clients[""] = self.client(scene.token)

    def client(self, who: str) -> Client:
        name = re.search(r"[^ ,]+![a-z]+", who)
        key = name.group(0) if name else ""
        if key not in self.clients:
            self.clients[key] = Client(self.lab).token(key, self.lab.cluster.apitokens[key])
        return self.clients[key]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def run(self) -> list[Result]:
        section, results = "", []
        for exchange in load(self.scene.file):
            if exchange.section != section:
                section = exchange.section
                if section in self.scene.sections:
                    self.scene.sections[section](self.lab)
            if exchange.number in self.scene.before:
                self.scene.before[exchange.number](self.lab)
            area = self.scene.area(exchange.method, exchange.path)
            if exchange.curl:
                if not (self.scene.skip and re.search(self.scene.skip, f"{exchange.method} {exchange.path}")):
                    answer = CurlCall(self.lab, exchange).answer(self.clients[""])
                    results.append(Result(exchange, "authentication, encoding", compare(exchange, answer)))
            elif area is not None:
                results.append(Result(exchange, area, self.play(exchange)))
        return results

    def live(self, text: str) -> str:
        return UPID.sub(lambda m: self.upids.get(m.group(0), m.group(0)), text)

    def play(self, exchange: Exchange) -> list[str]:
        client = self.client(exchange.who)
        params = [(key, self.live(value)) for key, value in exchange.params]
        answer = client.call(exchange.method, self.live(exchange.path), params, in_the_body(exchange))
        found = UPID.search(exchange.text)
        started = isinstance(answer.body, dict) and isinstance(answer.body.get("data"), str)
        if exchange.method != "GET" and found and started and UPID.match(answer.body["data"]):
            self.upids[found.group(0)] = answer.body["data"]
        different = compare(exchange, answer)
        if exchange.exitstatus is not None and started:
            different += self.compare_task(exchange, answer.body["data"])
        if exchange.noted and "/network" in exchange.path:
            different += self.compare_file(exchange)
        return different

    def compare_file(self, exchange: Exchange) -> list[str]:
        """What was seen of /etc/network/interfaces.new: all of it, or one interface's stanza."""
        staged = self.lab.network(exchange.path.split("/")[2]).pending or ""
        _active, whole, text = exchange.noted.rpartition("-----NEW\n")
        if whole:
            return normal_form.differences(text.strip("\n"), staged.strip("\n"), "file")
        if not text.startswith("iface "):
            return []
        name = text.split()[1]
        mine = [part for part in re.split(r"\n\n(?:auto \S+\n)?", staged) if part.startswith(f"iface {name} ")]
        return normal_form.differences(text.strip("\n"), "\n\n".join(mine), "stanza")

    def compare_task(self, exchange: Exchange, upid: str) -> list[str]:
        node = upid.split(":")[1]
        state = self.clients[""].call("GET", f"/nodes/{node}/tasks/{upid}/status").body
        got = (state.get("data") or {}).get("exitstatus")
        if got == exchange.exitstatus:
            return []
        return [f"task: recorded exit status {exchange.exitstatus!r}, got {got!r}"]


def compare(exchange: Exchange, answer: Answer) -> list[str]:
    """Status, reason of a refusal, and everything in the body; a cut-off recording is compared by status alone."""
    if answer.status != exchange.status:
        return [f"status: recorded {exchange.status} {exchange.reason}, got {answer.status} {answer.reason}"]
    if exchange.status != 200 and answer.reason != exchange.reason:
        return [f"reason: recorded {exchange.reason!r}, got {answer.reason!r}"]
    if exchange.body is None:
        if not exchange.text and answer.text:
            return [f"body: recorded none, got {answer.text!r}"]
        return []
    recorded: Any = exchange.body
    got: Any = answer.body
    if not isinstance(got, dict):
        return [f"body: recorded {recorded!r}, got {answer.text!r}"]
    out = []
    for key in OUTCOME:
        if key == "total" or (key not in recorded and key not in got):
            continue
        out += normal_form.differences(
            normal_form.normal(recorded.get(key), key), normal_form.normal(got.get(key), key), key
        )
    return out


def replay(scene: Scene) -> list[Result]:
    """The results of one scene on a lab of its own."""
    with Lab(
        nodes=[
            NodeSpec(name, cpus=2, memory_bytes=25276502016, disk_bytes=270553174016, physical=False) for name in NODES
        ]
    ) as lab:
        scene.start(lab)
        player = Player(lab, scene)
        try:
            return player.run()
        finally:
            player.close()
