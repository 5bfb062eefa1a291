# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The one table of consent words, and what giving one means.

A word that destroys data takes its target with it (`destroy_dataset:tank/old`): nobody consents for ever to everything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import (
    ConsentMissing,
    InvalidInput,
    listed,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import Plan, named

# word -> whether it must name its target
WORDS: dict[str, bool] = {
    "restart_guest": False,
    "rename_guest": False,
    "stop_guest": False,
    "detach_disk": False,
    "detach_nic": False,
    "destroy_guest": True,
    "replace_guest": True,
    "destroy_disk": True,
    "cut_bridge": True,
    "cut_port": True,
    "bond_flap": False,
    "management_path": False,
    "apply_pending": True,
    "discard_pending": True,
    "remove_storage": True,
    "remove_node": True,
    "remove_qdevice": True,
    "wipe_disk": True,
    "destroy_pool": True,
    "import_foreign_pool": True,
    "change_pool_layout": True,
    "destroy_dataset": True,
    "destroy_snapshot": True,
    "rollback_receiver": True,
    "cut_session": False,
    "unload_drive": True,
    "remove_channel": True,
    "change_source": True,
    "run_unfenced": False,
    "restart_cluster": False,
    "reseed_replica": True,
    "promote_behind": True,
    "replace_database": True,
    "store_unencrypted": False,
    "invalidate_second_factors": True,
    "destroy_replica": True,
    "rollback_guest": True,
    "delete_resource": True,
    "remove_user": True,
    "disable_user": True,
    "remove_group": True,
    "remove_role": True,
    "remove_token": True,
    "remove_realm": True,
    "remove_vanished": True,
    "take_note": True,
}


def validate(allow: Iterable[str], words: Collection[str]) -> None:
    """Each entry of `allow` is a word this kind knows, with a target where it needs one. Raises InvalidInput."""
    for entry in allow:
        word, colon, target = entry.partition(":")
        if entry.startswith("{") or target != target.strip():
            raise InvalidInput(
                f"allow: {entry!r} is not of the form word:target.",
                hint="Write no blank after the colon: YAML makes a mapping of it.",
            )
        if word not in words:
            known = ", ".join(f"{name}:<target>" if WORDS[name] else name for name in sorted(words))
            raise InvalidInput(
                f"allow: {entry!r} is no consent this module knows.",
                hint=f"It knows {known}." if known else "It asks for none; leave allow out.",
            )
        if WORDS[word] and not (colon and target):
            raise InvalidInput(
                f"allow: {word} must name its target: nobody consents for ever to everything.",
                hint=f"Write {word}:<target>, for example.",
            )


def given(word: str, allow: Collection[str]) -> bool:
    """Whether `allow` holds the word; a word that needs no target is also given with one, for just that target."""
    name = word.partition(":")[0]
    return word in allow or (not WORDS[name] and name in allow)


def missing(plan: Plan, allow: Collection[str]) -> list[tuple[str, str]]:
    """(word, text) for each consent the plan needs and `allow` does not give."""
    return [
        (consent.word, f"{step.action} {named(step.kind, step.key)}: {consent.loses}")
        for step in plan
        for consent in step.consent
        if not given(consent.word, allow)
    ]


def require(plan: Plan, allow: Collection[str]) -> None:
    """Raises ConsentMissing naming every word, its target and what would be lost."""
    wanted = missing(plan, allow)
    if wanted:
        words = list(dict.fromkeys(word for word, text in wanted))
        raise ConsentMissing(
            f"Not done without consent: {listed([f'{text} (needs {word})' for word, text in wanted])}.",
            hint=f"If that is what you want, add to allow: {', '.join(words[:10])}. Nothing was changed.",
        )
