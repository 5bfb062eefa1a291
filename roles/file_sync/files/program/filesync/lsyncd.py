# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""lsyncd's configuration. It watches, and calls our program wherever it would call rsync."""

from __future__ import annotations

from filesync.settings import HIDDEN, PARTIAL, Places, Settings


def configuration(places: Places, settings: Settings) -> str:
    """One `sync` for each receiver: one that is away keeps nobody waiting. A receiver that is away at the start is no
    reason to give up (insist)."""
    exclude = [f"/{PARTIAL}/", PARTIAL, *(pattern for pattern in settings.exclude if HIDDEN not in pattern)]
    syncs = [
        f"""sync {{
  default.rsync,
  source = {quoted(f"{settings.path}/")},
  target = {quoted(f"{peer}:{settings.name}")},
  delay = {settings.delay},
  delete = true,
  exclude = {{ {", ".join(quoted(pattern) for pattern in exclude)} }},
  rsync = {{ binary = {quoted(str(places.push_program))} }},
}}
"""
        for peer in settings.peers
    ]
    most = max(1, 2 * len(settings.peers))
    return f"settings {{ nodaemon = true, insist = true, maxProcesses = {most} }}\n" + "".join(syncs)


def quoted(text: str) -> str:
    """A string of Lua."""
    return '"' + "".join(c if c.isprintable() and c not in '"\\' and c.isascii() else _escaped(c) for c in text) + '"'


def _escaped(character: str) -> str:
    return "".join(f"\\{byte:03d}" for byte in character.encode())
