# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Logging in to real servers over TCP: with TLS, with a certificate that is checked, and without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.mysql.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import LoginRefused, Unreachable
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.login import Login
from lab.mysql import ADMIN, ADMIN_PASSWORD, DIALECTS
from lab.pve.tls import make_certificates


@pytest.fixture(params=DIALECTS)
def mysql(request: pytest.FixtureRequest, system_of: Callable[[str], Any]) -> Iterator[Any]:
    yield system_of(request.param)


def cipher(system: Any, **more: Any) -> str:
    """What a connection is encrypted with; empty for nothing."""
    login = {"host": "127.0.0.1", "port": system.source.port, "user": ADMIN, "password": ADMIN_PASSWORD, **more}
    with contextlib.closing(Client(Login(**login))) as client:
        return str(client.row("SHOW SESSION STATUS LIKE 'Ssl_cipher'")["Value"])


def test_tls_is_used_where_it_is_offered(mysql: Any) -> None:
    assert cipher(mysql)
    assert not cipher(mysql, tls=False)


def test_a_certificate_of_the_given_ca_and_name_is_accepted(mysql: Any) -> None:
    assert cipher(mysql, ca=mysql.ca)


def test_a_certificate_of_another_ca_is_refused(mysql: Any, tmp_path: Path) -> None:
    ca, _certificate, _key = make_certificates(tmp_path, "127.0.0.1")
    with pytest.raises(Unreachable, match="certificate") as refused:
        cipher(mysql, ca=str(ca))
    assert "login_ca" in str(refused.value)


def test_a_certificate_of_another_name_is_refused(mysql: Any) -> None:
    other = mysql.servers.start("other", "--bind-address=127.0.0.2")
    assert cipher(mysql, host="127.0.0.2", port=other.port)
    with pytest.raises(Unreachable, match="certificate"):
        cipher(mysql, ca=mysql.ca, host="127.0.0.2", port=other.port)
    other.kill()


def test_a_file_without_a_certificate_is_named(mysql: Any, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(Unreachable, match=r"empty\.pem"):
        cipher(mysql, ca=str(tmp_path / "empty.pem"))


def test_a_server_without_tls_is_refused_where_its_certificate_shall_be_checked(mysql: Any) -> None:
    """Older PyMySQL would go on in plain text."""
    plain = mysql.servers.start("plain", *(["--skip-ssl"] if mysql.is_mariadb else ["--tls-version="]))
    with contextlib.closing(Client(Login("127.0.0.1", plain.port, "", ADMIN, ADMIN_PASSWORD))) as client:
        assert client.row("SELECT 1 AS one") == {"one": 1}
    with pytest.raises(Unreachable, match="does not offer TLS"):
        cipher(mysql, ca=mysql.ca, port=plain.port)
    plain.kill()


def test_a_wrong_password_is_told_and_not_shown(mysql: Any) -> None:
    with pytest.raises(LoginRefused) as refused:
        cipher(mysql, password="not-this-one")
    assert "login_password" in str(refused.value) and "not-this-one" not in str(refused.value)
