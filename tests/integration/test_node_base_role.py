# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role node_base on this machine, with an /etc of its own that is gone afterwards. What is real: Ansible and the
files. Programs of Proxmox VE, chrony and postfix only say what they were asked."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.run import Run
from tests.contract.playbook import program

KEY = "-----BEGIN PRIVATE KEY-----\nhct-secret-key\n-----END PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nhct\n-----END CERTIFICATE-----\n"
VARIABLES: dict[str, Any] = {
    "node_base_packages": ["hct-tool"],
    "node_base_pins": [{"package": "pve-*", "pin": "version 9.1.*", "priority": 900}],
    "node_base_hosts": [{"address": "10.99.0.12", "names": ["pve2.example.org", "pve2"]}],
    "node_base_time_servers": ["10.99.0.5"],
    "node_base_dns_servers": ["10.99.0.6", "10.99.0.7"],
    "node_base_dns_search": "example.org",
    "node_base_certificate": CERTIFICATE,
    "node_base_certificate_key": KEY,
    "node_base_mail_relay": "[mail.example.org]:25",
    "node_base_sysctl": {"net.core.rmem_max": 16777216},
}
# An /etc that is a layer above the machine's, in a namespace of its own.
NAMESPACE = """set -e
mount -t tmpfs none "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay none -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
mkdir -p /etc/apt/sources.list.d /etc/apt/preferences.d /etc/chrony/sources.d /etc/sysctl.d /etc/pve/local
touch /etc/hosts /etc/resolv.conf
echo '127.0.0.1 localhost' > /etc/hosts
sh -c "$3" || true
cp -a "$1/upper/." "$2"
"""
PROGRAMS = {
    "dpkg-query": 'shift 2; for name; do echo "installed $name"; done',
    "chronyc": "",
    "postfix": "",
    "sysctl": "",
    "postconf": """case "$1" in
  -h) cat /etc/relayhost 2>/dev/null || echo ;;
  -e) echo "${2#relayhost=}" >/etc/relayhost ;;
esac""",
    "pvenode": 'cat "$3" >/etc/pve/local/pveproxy-ssl.pem',
}


@dataclass(frozen=True)
class Played:
    """What several runs, one after the other, came to."""

    runs: list[Run]
    etc: Path
    asked: list[str]

    def read(self, path: str) -> str:
        return (self.etc / path).read_text()


def play(folder: Path, *runs: dict[str, Any]) -> Played:
    """The role with these variables, once for each; `check: true` among them is check mode."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("an /etc of its own takes root and unshare")
    for name, does in PROGRAMS.items():
        stand_in = folder / "bin" / name
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"#!/bin/sh\necho \"{name} $*\" >>'{folder}/asked'\n{does}\n")
        stand_in.chmod(0o755)
    role = {"hosts": "all", "gather_facts": False, "roles": ["hospital.continuity.node_base"]}
    (folder / "play.yml").write_text(yaml.safe_dump([{"name": "Base", **role}]))
    commands = []
    for number, variables in enumerate(runs):
        given = {**VARIABLES, **variables}
        check = ["--check"] if given.pop("check", False) else []
        (folder / f"{number}.yml").write_text(yaml.safe_dump(given))
        python = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        words = [
            program("ansible-playbook"),
            "play.yml",
            "-i",
            "localhost,",
            "-e",
            yaml.safe_dump(python, default_flow_style=True),
        ]
        words += ["-e", f"@{number}.yml", "--diff", *check]
        commands.append(f"{shlex.join(words)} >{number}.out 2>&1; echo $? >{number}.code")
    (folder / "layer").mkdir()
    (folder / "etc").mkdir()
    places = [str(folder / "layer"), str(folder / "etc")]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", NAMESPACE, "sh", *places, "\n".join(commands)],
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "ANSIBLE_HOME": str(folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
        },
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if not (folder / "0.code").exists():
        pytest.skip(f"an /etc of its own cannot be had here: {done.stderr.strip()}")
    found = [Run(int((folder / f"{n}.code").read_text()), (folder / f"{n}.out").read_text()) for n in range(len(runs))]
    for run in found:
        assert "hct-secret-key" not in run.text and "Traceback" not in run.text
    asked = (folder / "asked").read_text().splitlines()
    return Played(found, folder / "etc", asked)


def test_a_node_gets_its_base_once(tmp_path: Path) -> None:
    played = play(tmp_path, {"check": True}, {}, {})
    check, first, again = played.runs
    assert check.code == first.code == again.code == 0, check.text + first.text + again.text
    assert first.changed and not again.changed, again.text
    assert "Enabled: no" in played.read("apt/sources.list.d/pve-enterprise.sources")
    proxmox = played.read("apt/sources.list.d/proxmox.sources")
    assert "Enabled: yes" in proxmox and "Components: pve-no-subscription" in proxmox
    assert "Suites: trixie-security" in played.read("apt/sources.list.d/debian-security.sources")
    assert "Package: pve-*\nPin: version 9.1.*\nPin-Priority: 900" in played.read(
        "apt/preferences.d/hospital-continuity"
    )
    hosts = played.read("hosts")
    assert "127.0.0.1 localhost" in hosts and "10.99.0.12 pve2.example.org pve2" in hosts
    assert played.read("resolv.conf").endswith("search example.org\nnameserver 10.99.0.6\nnameserver 10.99.0.7\n")
    assert "server 10.99.0.5 iburst" in played.read("chrony/sources.d/hospital-continuity.sources")
    assert "net.core.rmem_max = 16777216" in played.read("sysctl.d/90-hospital-continuity.conf")
    assert played.read("relayhost") == "[mail.example.org]:25\n"
    assert played.read("pve/local/pveproxy-ssl.pem") == CERTIFICATE
    key = played.etc / "hospital.continuity" / "pveproxy.key"
    assert key.read_text() == KEY and key.stat().st_mode & 0o777 == 0o600
    wrote = [line.split()[0] for line in played.asked if not line.startswith(("dpkg-query", "postconf -h"))]
    assert sorted(word for word in wrote if word in PROGRAMS) == ["chronyc", "postconf", "postfix", "pvenode", "sysctl"]


def test_with_a_subscription_the_other_repository_is_off(tmp_path: Path) -> None:
    played = play(tmp_path, {"node_base_repository": "enterprise", "node_base_pins": []})
    assert all(run.code == 0 for run in played.runs)
    assert "Enabled: yes" in played.read("apt/sources.list.d/pve-enterprise.sources")
    assert "Enabled: no" in played.read("apt/sources.list.d/proxmox.sources")
    assert not (played.etc / "apt/preferences.d/hospital-continuity").is_file()


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    (run,) = play_refused(tmp_path, {"node_base_certificate_key": ""})
    assert "belong together" in run.text


def play_refused(folder: Path, variables: dict[str, Any]) -> list[Run]:
    (folder / "asked").touch()
    played = play(folder, variables)
    assert played.runs[0].code != 0 and not played.asked
    return played.runs
