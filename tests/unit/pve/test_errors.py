# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Every refusal that was recorded on a real cluster is understood."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve import errors
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import Answer, PveError, classify

TRANSCRIPTS = sorted((Path(__file__).parents[2] / "data" / "pve" / "transcripts").glob("*.txt"))
TOKEN = "root@pam!ansible"
HOST = "https://pve1:8006"

# What a person reads in the status line and message, and what it is. The first that matches counts.
MEANINGS = (
    (r"^401 ", "NotAuthenticated"),
    (r"^403 .*pool 'nopool' does not exist", "RejectedParameters"),
    (r"^403 ", "NotPermitted"),
    (r"^595 ", "NodeOffline"),
    (r"no quorum|'/etc/pve/.*Permission denied", "NoQuorum"),
    (r"timeout", "Locked"),
    (r"file change", "ChangedMeanwhile"),
    (r"hostname lookup|no such cluster node|unknown node", "UnknownNode"),
    (r"only root can", "NotPermitted"),
    # Said about the thing that was asked for …
    (r"^500 Configuration file|^500 unable to find configuration file", "NotFound"),
    (r"No such job", "NotFound"),
    (r"^500 (storage|pool|snapshot|group|role|domain) '\w+' does not exist", "NotFound|PveError"),
    (r"^500 no such (resource|ha rule|replication job|job|user|token)", "NotFound|PveError"),
    (r"^500 (update|delete) .* failed: .*(does not exist|no such user)", "NotFound|PveError"),
    # … and about a parameter.
    (r"400 ", "RejectedParameters"),
    (r"^(424|500|501|506) ", "PveError"),
)


def recorded() -> list[Answer]:
    """The refusals in the transcripts, with the request before each."""
    found = []
    for transcript in TRANSCRIPTS:
        for exchange in re.split(r"^>> ", transcript.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            request, _newline, rest = exchange.partition("\n")
            status = re.search(r"^HTTP/1.1 (\d+) ?(.*)$", rest, re.MULTILINE)
            if not status or int(status[1]) < 400:
                continue
            plain = re.match(r"(?:\[.*?\] )?(GET|POST|PUT|DELETE|PATCH) (/\S*)", request)
            if plain:
                method, path = plain.groups()
            else:  # a curl command line
                explicit = re.search(r"-X (\w+)", request)
                method = explicit[1] if explicit else "POST" if " -d " in request else "GET"
                path = re.findall(r" /api2/\w+(/\S*)", request)[-1]
            line = next((line for line in rest[status.end() :].splitlines() if line.startswith("{")), "null")
            try:
                message, fields = errors.from_body(json.loads(line))
            except ValueError:
                message, fields = "", {}
            text = message.strip() or status[2]
            found.append(Answer(method, path.partition("?")[0], HOST, int(status[1]), text, fields, TOKEN))
    return found


RECORDED = recorded()


def meaning(answer: Answer) -> str:
    text = " ".join([str(answer.status), answer.text, *(f"{text}" for text in answer.errors.values())])
    return next(name for pattern, name in MEANINGS if re.search(pattern, text))


def test_every_recorded_refusal_has_its_type() -> None:
    wrong = [
        (answer.method, answer.path, answer.status, answer.text, type(classify(answer)).__name__)
        for answer in RECORDED
        if type(classify(answer)).__name__ not in meaning(answer).split("|")
    ]
    assert not wrong
    assert len(RECORDED) > 400


def test_absence_is_found_only_where_the_path_names_what_is_absent() -> None:
    for answer in RECORDED:
        error = classify(answer)
        if isinstance(error, errors.NotFound):
            names = re.findall(r"[\w@:-]+", answer.text + " ".join(answer.errors.values()))
            assert set(names) & set(answer.path.split("/")), answer
    # A storage that a clone refers to is not the guest that is cloned.
    clone = Answer("POST", "/nodes/pve1/qemu/300/clone", HOST, 500, "storage 'nostore' does not exist")
    assert not isinstance(classify(clone), errors.NotFound)


def test_every_message_says_what_was_asked_where_and_what_came_back() -> None:
    for answer in RECORDED:
        text = str(classify(answer))
        assert HOST in text
        assert "Traceback" not in text
        if answer.status != 401:
            assert answer.path in text
            assert f"({answer.method})" in text
        said = next(iter(answer.errors.values()), answer.text.strip().rpartition("\n")[2]).strip(" !.)")
        assert said[-20:] in text


def test_the_parameters_of_a_wrapped_400_are_named() -> None:
    """PVE turned the inner call's 400 into a 500 with everything in the message."""
    wrapped = [answer for answer in RECORDED if answer.status == 500 and "400 " in answer.text]
    named = {tuple(error.errors) for error in map(classify, wrapped) if isinstance(error, errors.RejectedParameters)}
    assert {("vmid",), ("delete",), ("resources",)} <= named
    text = "create ha rule failed: 400 Rule 'r4' is invalid.\nresources: one\nresources-2: two\n three\n"
    assert errors.wrapped_errors(text) == {"resources": "one", "resources-2": "two three"}
    assert errors.wrapped_errors("storage 'x' does not exist\nvmid: no") == {}


@pytest.mark.parametrize(
    ("text", "privilege", "path"),
    [
        ("Permission check failed (/vms/340, VM.Config.Options)", "VM.Config.Options", "/vms/340"),
        ("Permission check failed (/, Sys.Audit|Sys.Modify)", "Sys.Audit|Sys.Modify", "/"),
        ("Permission check failed (/storage/local, Datastore.Allocate)", "Datastore.Allocate", "/storage/local"),
        ("Permission check failed", "", ""),
    ],
)
def test_a_missing_privilege_is_taken_apart(text: str, privilege: str, path: str) -> None:
    error = classify(Answer("PUT", "/nodes/pve1/qemu/340/config", HOST, 403, text, user=TOKEN))
    assert isinstance(error, errors.NotPermitted)
    assert (error.privilege, error.path) == (privilege, path)
    assert TOKEN in str(error)
    assert all(part in error.hint for part in [path, *privilege.split("|")])


def test_a_call_that_is_closed_to_tokens_says_so() -> None:
    closed = next(answer for answer in RECORDED if "need proper ticket" in answer.text)
    assert "api_password" in classify(closed).hint
    only_root = classify(Answer("PUT", "/nodes/pve1/qemu/100/config", HOST, 500, "only root can set 'args' config"))
    assert isinstance(only_root, errors.NotPermitted)
    assert only_root.privilege == "root@pam"


def test_locks_that_pass_and_locks_that_stay() -> None:
    cluster = classify(
        Answer("PUT", "/storage/x", HOST, 500, "cfs-lock 'file-storage_cfg' error: got lock request timeout")
    )
    assert isinstance(cluster, errors.Locked)
    assert cluster.waitable
    guest = classify(Answer("PUT", "/nodes/pve1/qemu/100/config", HOST, 500, "VM is locked (backup)"))
    assert isinstance(guest, errors.Locked)
    assert (guest.waitable, guest.lock) == (False, "backup")
    assert "backup" in guest.hint


def test_the_offline_node_is_named_and_is_not_everything() -> None:
    error = classify(Answer("GET", "/nodes/pve3/qemu/103/config", HOST, 595, "No route to host"))
    assert isinstance(error, errors.NodeOffline)
    assert error.node == "pve3"
    assert not error.affects_everything
    quorum = classify(
        Answer("POST", "/pools", HOST, 500, "create pool failed: cfs-lock 'file-user_cfg' error: no quorum!")
    )
    assert quorum.affects_everything


def test_parameters_get_the_name_the_user_wrote() -> None:
    answer = Answer("POST", "/cluster/backup", HOST, 400, "Parameter verification failed.", {"prune-backups": "bad"})
    error = classify(answer)
    assert isinstance(error, errors.RejectedParameters)
    renamed = error.renamed(lambda wire: wire.replace("-", "_"))
    assert renamed.errors == {"prune_backups": "bad"}
    assert "prune_backups: bad" in str(renamed)


TEXTS = st.text(max_size=200) | st.sampled_from([answer.text for answer in RECORDED])


@given(
    status=st.integers(400, 599),
    text=TEXTS,
    fields=st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=3),
    path=st.sampled_from(["/", "/nodes/pve1", "/nodes/pve1/qemu/100/config", "/pools", "/storage/a%2Fb"]),
)
def test_any_answer_becomes_an_error_with_words(status: int, text: str, fields: dict[str, str], path: str) -> None:
    error = classify(Answer("PUT", path, HOST, status, text, fields, TOKEN))
    assert isinstance(error, PveError)
    assert error.status == status
    assert str(error).strip()
    assert "\n" not in str(error)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_body_is_read(body: object) -> None:
    message, fields = errors.from_body(body)
    assert isinstance(message, str)
    assert all(isinstance(text, str) for text in fields.values())
