# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Where this machine's own apt has its packages from: images take theirs from there too."""

from __future__ import annotations

import platform
import subprocess


def mirror() -> str:
    """Where this machine's own apt has its release from, which has the other releases too."""
    release, lines = release_and_mirrors()
    return next(uri for _deb, uri, suite, *_parts in map(str.split, lines) if suite == release)


def release_and_mirrors() -> tuple[str, list[str]]:
    """This machine's Debian or Ubuntu release, and its sources as apt knows them, whatever files they stand in."""
    release = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    lines = _sources(release)
    if not lines:  # an image of a machine comes without apt's lists
        _apt("-o", "DPkg::Lock::Timeout=300", "update", "-qq")
        lines = _sources(release)
    if not lines:
        raise RuntimeError(f"apt has no source for the release '{release}' of this machine")
    return release, lines


def _sources(release: str) -> list[str]:
    wanted = (release, f"{release}-updates", f"{release}-security")
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    found: dict[tuple[str, str], list[str]] = {}
    for line in _apt("indextargets", "--format", fields, "Identifier: Packages").splitlines():
        uri, suite, component = line.split()
        if suite in wanted and component in ("main", "universe"):
            found.setdefault((uri, suite), []).append(component)
    if not any(suite == release for _uri, suite in found):
        return []
    return [f"deb {uri} {suite} {' '.join(sorted(set(parts)))}" for (uri, suite), parts in found.items()]


def _apt(*words: str) -> str:
    done = subprocess.run(["apt-get", *words], capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"apt-get {' '.join(words)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
