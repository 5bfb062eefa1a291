# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Logins as options say them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.mysql import login
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import Unsupported, refused
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login, login_from

GIVEN: dict[str, Any] = {"login_port": 3306, "login_user": "root", "login_timeout": 10}


def test_without_a_place_it_is_the_server_of_this_host(tmp_path: Path) -> None:
    usual = tmp_path / "mysqld.sock"
    with mock.patch.object(login, "SOCKETS", (str(tmp_path / "none"), str(usual))):
        assert login_from(GIVEN).place == "127.0.0.1:3306"
        usual.touch()
        assert login_from(GIVEN).unix_socket == str(usual)
        assert login_from({**GIVEN, "login_host": "db.example.org"}).place == "db.example.org:3306"


def test_an_address_of_six_is_written_in_brackets() -> None:
    assert Login(host="2001:db8::1").place == "[2001:db8::1]:3306"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("login_port", 0),
        ("login_port", 65536),
        ("login_timeout", 0),
        ("login_user", "a\x00b"),
        ("login_host", "a\nb"),
        ("login_ca", "/nonexistent/ca.pem"),
    ],
)
def test_what_cannot_be_is_refused_by_name(option: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=option):
        login_from({**GIVEN, option: value})


def test_two_places_are_refused() -> None:
    with pytest.raises(InvalidInput, match="exclude"):
        login_from({**GIVEN, "login_host": "a", "login_unix_socket": "/b"})


def test_a_login_shows_no_password() -> None:
    assert "tell-nobody" not in repr(Login(password="tell-nobody"))


def test_a_missing_library_is_named_with_its_package() -> None:
    module = "ansible_collections.hospital.continuity.plugins.module_utils.mysql.client.HAS_PYMYSQL"
    with mock.patch(module, False), pytest.raises(Unsupported) as said:
        Client(Login(host="127.0.0.1")).rows("SELECT 1")
    assert "python3-pymysql" in str(said.value)


def test_secrets_are_taken_out_of_texts_also_where_they_are_cut() -> None:
    client = Client(Login(password="it's"), secrets=["x" * 70])
    assert client.without_secrets("near it's") == "near ********"
    assert client.without_secrets(f"'{'x' * 60}...' is too long") == "'********...' is too long"


def test_a_lost_connection_stops_everything_else() -> None:
    assert refused(2013, "Lost connection").affects_everything
    assert not refused(1064, "syntax").affects_everything
