# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The module ovs_port on a real ovsdb-server and ovs-vswitchd: secrets, tunnels that move, the management path."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.hospital.continuity.plugins.module_utils.network import checkpoint
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.backend import OvsBackend
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.database import Database, TransactionRefused
from ansible_collections.hospital.continuity.plugins.module_utils.ovs.port import PORT
from lab.ovs import OvsLab
from tests.contract.invocation import Result, run_module

PSK = "Schlüssel 'und' \"mehr\" \\ $(id)"
TUNNEL = {"name": "hct-vx", "bridge": "hct-br0", "type": "vxlan", "remote_ip": "192.0.2.1", "key": "7", "psk": PSK}


@pytest.fixture(scope="module")
def lab() -> Iterator[OvsLab]:
    with OvsLab(pretended_nics=True) as lab:
        yield lab


class Ports:
    def __init__(self, lab: OvsLab) -> None:
        self.lab = lab
        self.wrote = 0

    def __call__(self, *config: dict[str, Any], module: str = "ovs_port", check: bool = False, **params: Any) -> Result:
        before = self.lab.writes
        arguments = {"config": list(config), "database": self.lab.database, "verify_timeout": 2, **params}
        result = run_module(module, arguments, check=check, verbosity=3)
        self.wrote = self.lab.writes - before
        assert not result.crash, result.crash
        return result

    def options(self) -> dict[str, str]:
        text = self.lab.vsctl("--format=json", "--columns=options", "list", "Interface", "hct-vx")
        return dict(json.loads(text)["data"][0][0][1])


@pytest.fixture
def ports(lab: OvsLab) -> Iterator[Ports]:
    for bridge in ("hct-br0", "hct-br1"):
        lab.vsctl("add-br", bridge, "--", "set", "Bridge", bridge, "datapath_type=dummy")
    yield Ports(lab)
    for bridge in ("hct-br0", "hct-br1"):
        lab.vsctl("del-br", bridge)


def test_a_key_arrives_letter_by_letter_and_is_seen_nowhere(
    lab: OvsLab, ports: Ports, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command line that is run is written down by a program that stands before it."""
    seen = tmp_path / "seen"
    for name in ("ovs-vsctl", "ovs-appctl", "ovsdb-client", "ip", "env"):
        real = subprocess.run(["which", name], capture_output=True, text=True, check=True).stdout.strip()
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$0 $*" >> {seen}\nexec {real} "$@"\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    result = ports(TUNNEL)
    assert not result.failed, result.message
    assert ports.options() == {"key": "7", "remote_ip": "192.0.2.1", "psk": PSK}
    assert ports.wrote == 1
    changed = ports({"name": "hct-vx", "psk": PSK[::-1]})
    assert changed.steps == ["done: update port hct-vx: psk"]
    assert ports.options()["psk"] == PSK[::-1]
    everywhere = [seen.read_text(), *lab.transactions(), result.everything, changed.everything]
    everywhere += [path.read_text(errors="replace") for path in lab.directory.glob("*.log")]
    for secret in (PSK, PSK[::-1], json.dumps(PSK)[1:-1]):
        assert not any(secret in text for text in everywhere)
    assert "ovs-vsctl" in seen.read_text()


def test_a_tunnel_is_never_there_without_its_key(lab: OvsLab, ports: Ports) -> None:
    """Record by record of the database's log: the one with the tunnel has the key in it."""
    assert not ports(TUNNEL, {"name": "hct-in", "bridge": "hct-br0", "type": "internal", "tag": 5}).failed
    assert ports.wrote == 1, "with a key in one of them, all is still one transaction"
    log = (lab.directory / "conf.db").read_text(errors="replace").splitlines()
    records = [line for line in log if '"vxlan"' in line and "hct-vx" in line]
    assert records and all('"psk"' in line for line in records)
    assert lab.vsctl("get", "Port", "hct-in", "tag").strip() == "5"


def test_a_row_that_somebody_takes_away_meanwhile_is_no_success(lab: OvsLab, ports: Ports) -> None:
    ports(TUNNEL)
    backend = OvsBackend(Database(lab.database))
    declared = PORT.declare({"config": [{"name": "hct-vx", "psk": "another"}]})
    plan = PORT.plan(backend.observe(PORT, None, ()), declared)
    lab.vsctl("del-port", "hct-vx")
    with pytest.raises(TransactionRefused, match="a row that was to be changed is gone"):
        backend.apply_all(PORT, plan.steps)
    assert backend.writes == 0


def test_a_tunnel_that_goes_to_another_bridge_works_there(lab: OvsLab, ports: Ports) -> None:
    """Open vSwitch 3.1 fails the first time ("File exists") and does not try again by itself."""
    ports(TUNNEL)
    for bridge in ("hct-br1", "hct-br0"):
        result = ports({"name": "hct-vx", "bridge": bridge}, allow=["cut_port:hct-vx"])
        assert not result.failed, result.message
        assert lab.vsctl("port-to-br", "hct-vx").strip() == bridge
        assert "does not work" not in " ".join(result.data["unmet"])
        assert lab.vsctl("get", "Interface", "hct-vx", "error").strip() == "[]"


def test_a_tunnel_without_ipsec_is_told(ports: Ports) -> None:
    result = ports(TUNNEL, verify_timeout=0)
    (text,) = result.data["unmet"]
    assert "port hct-vx: the tunnel to 192.0.2.1 is not encrypted" in text
    again = ports(TUNNEL, check=True)
    assert (again.changed, again.data["unmet"]) == (False, [text])


def test_patches_name_each_other_in_one_task(ports: Ports) -> None:
    ends = [
        {"name": "hct-q0", "bridge": "hct-br0", "type": "patch", "peer": "hct-q1"},
        {"name": "hct-q1", "bridge": "hct-br1", "type": "patch", "peer": "hct-q0"},
    ]
    result = ports(*ends)
    assert not result.failed, result.message
    assert (ports.wrote, result.data["unmet"]) == (1, [])


@pytest.mark.parametrize(
    ("item", "complaint"),
    [
        ({"name": "hct-e0", "bridge": "hct-br0"}, "it is a member of the bond hct-bond of hct-br1 already"),
        ({"name": "hct-br1", "bridge": "hct-br0", "type": "internal"}, "taken by the bridge hct-br1"),
        ({"name": "x", "bridge": "hct-br0", "type": "vxlann"}, "no ports of type vxlann"),
        ({"name": "x", "bridge": "hct-none"}, "there is no bridge hct-none"),
        ({"name": "x", "bridge": "hct-br0", "type": "vxlan"}, "needs remote_ip"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    lab: OvsLab, ports: Ports, item: dict[str, Any], complaint: str
) -> None:
    lab.vsctl("add-bond", "hct-br1", "hct-bond", "hct-e0", "hct-e1")
    result = ports({"name": "hct-fine", "bridge": "hct-br0"}, item)
    assert result.failed
    assert (ports.wrote, complaint in result.message) == (0, True), result.message


# -- the path through which this host is managed ----------------------------------------------------------------------

LOCAL = {"management_address": "127.0.0.1"}
ON_THE_PATH = {
    "ovs_port": {"name": "lo", "bridge": "hct-br0"},
    "ovs_bond": {"name": "hct-bond", "bridge": "hct-br0", "members": ["lo", "hct-e1"]},
    "ovs_bridge": {"name": "lo", "datapath_type": "dummy"},
}


@pytest.mark.parametrize("module", list(ON_THE_PATH))
def test_the_management_path_is_not_touched_without_a_checkpoint(
    ports: Ports, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even with the word. NICs are pretended here, so that `lo` of this host is safe from the tests themselves."""
    monkeypatch.setattr(checkpoint, "DIRECTORY", str(tmp_path))
    item = ON_THE_PATH[module]
    for allow in ([], ["management_path"]):
        result = ports(item, module=module, allow=allow, **LOCAL)
        assert result.failed
        assert ports.wrote == 0
        assert "network_checkpoint" in result.message and "lo" in result.message
    check = ports(item, module=module, allow=["management_path"], check=True, **LOCAL)
    assert not check.failed, "an earlier task may arm one"
    assert "no network checkpoint is armed" in str(check.data["warnings"])


def test_an_address_that_is_not_this_hosts_is_refused(ports: Ports) -> None:
    result = ports(ON_THE_PATH["ovs_port"], management_address="192.0.2.77")
    assert result.failed and ports.wrote == 0
    assert "management_address: 192.0.2.77 is on no interface of this host" in result.message


def test_what_is_not_on_the_path_needs_no_checkpoint(ports: Ports) -> None:
    assert not ports({"name": "hct-e1", "bridge": "hct-br0"}, **LOCAL).failed
    assert ports.wrote == 1
