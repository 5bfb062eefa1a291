# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the documents promise and the code must hold."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.consent import WORDS

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_consent_words_is_the_codes():
    section = (ROOT / "docs" / "interface.md").read_text().partition("## Consent")[2]
    table = re.findall(r"^\| `([a-z_]+)(:[^`]+)?` \|", section, re.MULTILINE)
    assert {word: bool(target) for word, target in table} == WORDS


def test_links_in_documents_lead_somewhere():
    for document in [
        ROOT / "README.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("*/README.md"),
        *ROOT.glob("*/*/README.md"),
    ]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.relative_to(ROOT)} links to {target}"


def test_what_the_list_of_others_defects_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "docs" / "peers.md").read_text())
    assert len(named) > 50
    for file, test in named:
        text = (ROOT / file).read_text()
        assert not test or f"\ndef {test}(" in text, f"docs/peers.md names {test} of {file}"
