# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What connection options mean, and what is said where they mean nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.doc_fragments.pve import ModuleDocFragment
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    CONNECTION_ARGUMENTS,
    ENVIRONMENT,
    Connection,
    base_address,
    options_from_environment,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import InvalidConnection

TOKEN = {"api_token_id": "ansible@pve!site", "api_token_secret": "fb43fc14-0e0f-40a0-8fc2-3aee2a7689ff"}
GOOD: dict[str, Any] = {"api_host": ["pve1"], **TOKEN}


@pytest.mark.parametrize(
    ("entry", "address"),
    [
        ("pve1", "https://pve1:8006"),
        ("pve1.example.org:443", "https://pve1.example.org:443"),
        ("192.0.2.1", "https://192.0.2.1:8006"),
        ("[2001:db8::1]:8007", "https://[2001:db8::1]:8007"),
        ("[2001:db8::1]", "https://[2001:db8::1]:8006"),
        ("2001:db8::1", "https://[2001:db8::1]:8006"),
        ("https://pve1", "https://pve1:8006"),
        ("https://pve1:9000/", "https://pve1:9000"),
        ("https://PVE1:8006/api2/json", "https://pve1:8006"),
    ],
)
def test_a_host_may_be_written_in_many_ways(entry: str, address: str) -> None:
    assert Connection.from_options({**GOOD, "api_host": [entry]}).hosts == (address,)


def test_several_hosts_keep_their_order_and_count_once() -> None:
    hosts = Connection.from_options({**GOOD, "api_host": ["b", "a,c", "b:8006", " "], "api_port": "8006"}).hosts
    assert hosts == ("https://b:8006", "https://a:8006", "https://c:8006")


@pytest.mark.parametrize(
    "entry", ["http://pve1", "pve1/x", "a b", "pve1:port", "pve1:99999", "pve1:0", "[::1", "-", "x?y"]
)
def test_what_is_not_a_host_is_named(entry: str) -> None:
    with pytest.raises(InvalidConnection, match="api_host") as caught:
        Connection.from_options({**GOOD, "api_host": [entry]})
    assert entry in str(caught.value)


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidConnection) as caught:
        Connection.from_options({**GOOD, "api_host": ["https://root:hush@pve1"]})
    assert "hush" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_host_is_an_address_or_a_clear_error(entry: str) -> None:
    try:
        address = base_address(entry, 8006)
    except InvalidConnection as problem:
        assert "api_host" in str(problem)
    else:
        assert address.startswith("https://")
        assert address.rpartition(":")[2].isdigit()
        assert not set(address) & set(" \n\r\t@?#")


PASSWORD = {"api_user": "root@pam", "api_password": "hush"}


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({**TOKEN}, ["api_host", "PVE_HOST"]),
        ({**GOOD, "api_host": []}, ["api_host", "PVE_HOST"]),
        ({"api_host": ["x"]}, ["api_token_id", "PVE_TOKEN_ID", "api_token_secret", "api_user", "PVE_PASSWORD"]),
        ({"api_host": ["x"], "api_user": "root@pam"}, ["api_password", "PVE_PASSWORD"]),
        ({"api_host": ["x"], "api_password": "hush"}, ["api_user", "PVE_USER"]),
        ({"api_host": ["x"], **PASSWORD, "api_user": "root"}, ["api_user", "root@pam"]),
        ({"api_host": ["x"], "api_token_id": "a@b!cc"}, ["api_token_secret", "PVE_TOKEN_SECRET"]),
        ({"api_host": ["x"], "api_token_secret": "hush"}, ["api_token_id", "PVE_TOKEN_ID"]),
        ({**GOOD, **PASSWORD}, ["api_password", "PVE_PASSWORD", "api_token_id", "PVE_TOKEN_ID"]),
        ({**GOOD, "api_token_id": "ansible!site"}, ["api_token_id", "user@realm!name"]),
        ({**GOOD, "api_token_id": "ansible@pve"}, ["api_token_id", "user@realm!name"]),
        ({**GOOD, "api_token_secret": "a\nb"}, ["api_token_secret"]),
        ({**GOOD, "ca_path": "/no/such/file"}, ["ca_path", "PVE_CA", "/no/such/file"]),
        ({**GOOD, "api_port": 0}, ["api_port", "PVE_PORT"]),
        ({**GOOD, "api_parallel": 0}, ["api_parallel"]),
        ({**GOOD, "api_timeout": -1}, ["api_timeout"]),
        ({**GOOD, "validate_certs": "perhaps"}, ["validate_certs", "PVE_VALIDATE_CERTS"]),
    ],
)
def test_what_is_missing_or_wrong_is_named_with_its_variable(options: dict[str, Any], named: list[str]) -> None:
    with pytest.raises(InvalidConnection) as caught:
        Connection.from_options(options)
    text = str(caught.value)
    assert all(name in text for name in named), text
    assert "hush" not in text


def test_a_secret_given_as_token_id_is_not_repeated() -> None:
    with pytest.raises(InvalidConnection) as caught:
        Connection.from_options({**GOOD, "api_token_id": "root@pam!ansible=fb43fc14-hush"})
    assert "hush" not in str(caught.value)


def test_no_secret_in_repr() -> None:
    password = Connection.from_options({"api_host": ["x"], **PASSWORD, "api_otp": "123456"})
    token = Connection.from_options(GOOD)
    assert "hush" not in repr(password)
    assert "123456" not in repr(password)
    assert TOKEN["api_token_secret"] not in repr(token)
    assert (password.identity, token.identity) == ("root@pam", "ansible@pve!site")


def test_every_option_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text("x")
    values = {
        "PVE_HOST": "pve1,[2001:db8::2]:9000",
        "PVE_PORT": "8443",
        "PVE_USER": "root@pam",
        "PVE_PASSWORD": "hush",
        "PVE_OTP": "123456",
        "PVE_CA": str(authority),
        "PVE_VALIDATE_CERTS": "false",
    }
    for name in ENVIRONMENT.values():
        monkeypatch.delenv(name, raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    checked = ArgumentSpecValidator(CONNECTION_ARGUMENTS).validate({})
    assert not checked.error_messages
    connection = Connection.from_options(checked.validated_parameters)
    assert connection == Connection.from_options(options_from_environment(dict(os.environ)))
    assert connection == Connection(
        hosts=("https://pve1:8443", "https://[2001:db8::2]:9000"),
        user="root@pam",
        password="hush",
        otp="123456",
        ca_path=str(authority),
        validate_certs=False,
    )
    for name in ("PVE_USER", "PVE_PASSWORD", "PVE_OTP"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PVE_TOKEN_ID", TOKEN["api_token_id"])
    monkeypatch.setenv("PVE_TOKEN_SECRET", TOKEN["api_token_secret"])
    checked = ArgumentSpecValidator(CONNECTION_ARGUMENTS).validate({"api_host": ["mine"]})
    connection = Connection.from_options(checked.validated_parameters)
    assert connection.hosts == ("https://mine:8443",)
    assert (connection.token_id, connection.token_secret) == tuple(TOKEN.values())


def test_the_documentation_is_the_argument_spec() -> None:
    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    plugin = yaml.safe_load(ModuleDocFragment.PLUGIN)["options"]
    assert set(documented) == set(CONNECTION_ARGUMENTS)
    for name, spec in CONNECTION_ARGUMENTS.items():
        for key in ("type", "elements", "default"):
            assert documented[name].get(key) == spec.get(key), (name, key)
    assert {name: entry["env"][0]["name"] for name, entry in plugin.items()} == ENVIRONMENT
    for name, variable in ENVIRONMENT.items():
        assert f"E({variable})" in " ".join(documented[name]["description"])
