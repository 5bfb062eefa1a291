# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""file_sync run|status|allow|serve|push, as a person, systemd, sshd and lsyncd call it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from filesync import records
from filesync.push import deletions_on, delivery_to, from_lsyncd, push, say
from filesync.serve import serve
from filesync.service import run
from filesync.settings import Places, Settings, Unusable, load
from filesync.status import UNKNOWN, status, verdict


def main(words: Sequence[str], places: Places | None = None) -> int:
    """Returns the exit code."""
    places = places or Places()
    if words[:1] == ["push"]:  # lsyncd's own options follow
        return _push(places, words[1:])
    parser = argparse.ArgumentParser(prog="file_sync", description="Files that follow the active side.")
    commands = parser.add_subparsers(dest="command", required=True)
    told = commands.add_parser(
        "status", help="how a set is, as JSON; exit code 0 fine, 1 it lags, 2 an error, 3 no such set"
    )
    told.add_argument("set")
    allowed = commands.add_parser("allow", help="consent to what was refused, once")
    allowed.add_argument("set")
    allowed.add_argument("word", choices=[records.OLDER_FILES, records.DELETIONS])
    writing = commands.add_parser("run", help="be the side that writes; systemd runs it: systemctl start file_sync@SET")
    writing.add_argument("set")
    served = commands.add_parser("serve", help="the forced command of a peer's key")
    served.add_argument("--peer", required=True)
    arguments = parser.parse_args(list(words))
    if arguments.command == "serve":
        return serve(places, arguments.peer, os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    if arguments.command == "run":
        return run(places, arguments.set)
    try:
        settings = load(places, arguments.set)
        if arguments.command == "status":
            found = status(places, settings)
            sys.stdout.write(json.dumps(found) + "\n")
            return verdict(found)
        return _allow(places, settings, arguments.word)
    except Unusable as problem:
        sys.stderr.write(f"{problem}\n")
        return UNKNOWN


def _allow(places: Places, settings: Settings, word: str) -> int:
    """Consent where something waits for it: one that lay about would be used unawares."""
    words = [word]
    if word == records.DELETIONS:
        halted = [peer for peer in settings.peers if delivery_to(places, settings.name, peer).halted]
        if not halted:
            sys.stderr.write(f"No deletion of the set {settings.name} waits for consent here.\n")
            return 1
        words = [deletions_on(peer) for peer in halted]
    for each in words:
        records.allow(places, settings.name, each)
    return 0


def _push(places: Places, words: Sequence[str]) -> int:
    receiver, name, listed = from_lsyncd(words)
    try:
        settings = load(places, name)
        if receiver not in settings.peers:
            raise Unusable(f"{receiver} is no receiver of the set {name}.")
        return push(places, settings, receiver, sys.stdin.buffer.read() if listed else None)
    except Unusable as problem:
        say(str(problem), bad=True)
        return 1
