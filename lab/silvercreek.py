# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Silver Creek in containers: three hosts in one network, their Proxmox VE, and examples/silvercreek for them.

with Silvercreek("198.19.73", directory) as scene:
    scene.play("hospital.continuity.site")       # ansible-playbook with the example's inventory and the lab's beside it
    scene.hosts["a"].power_off(), scene.lan.cables["a"].silence(), scene.sql("c", "SELECT 1"), scene.active()
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from lab.hosts import Hosts, Lan
from lab.pve.lab import Lab
from lab.pve.state import NodeSpec
from lab.run import Run

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "silvercreek" / "hosts.yml"
PAIR, SITE = ("a", "b"), "c"
NAMES = (*PAIR, SITE)
VMIDS = {"a": 101, "b": 102}
FLOATING = 10
WORDS = ("replication", "administration", "record", "backup")


class Silvercreek:
    """`network`: three octets of a /24 that is nobody's. `image`: of the containers. `variables`: further ones of every
    host, above those of the example. `name`: of a set that outlives this process."""

    def __init__(
        self,
        network: str,
        directory: Path,
        *,
        image: str = "silvercreek",
        variables: dict[str, Any] | None = None,
    ) -> None:
        self.network, self.directory, self._variables = network, directory, variables or {}
        self.addresses = {name: f"{network}.{number}" for number, name in enumerate(NAMES, 1)}
        self.floating, self.control = f"{network}.{FLOATING}", f"{network}.254"
        self.hosts = Hosts(*NAMES, image=image)
        self.lan: Lan
        self.pve: Lab
        self.passwords = {name: f"{name[:6]}'s $\\\" {secrets.token_hex(4)}" for name in WORDS}

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.hosts.__enter__()
        try:
            for name in NAMES:
                self._prefer(name)
            self.lan = Lan(self.hosts)
            for name, address in self.addresses.items():
                self.lan.join(name, f"{address}/24")
            self.lan.plug_in(f"{self.control}/24")
            self.pve = Lab([NodeSpec("pve1")], host=self.control)
            self.pve.add_guests(len(PAIR), first_vmid=min(VMIDS.values()), running=True)
            self.pve.real_guests({vmid: self.hosts[name] for name, vmid in VMIDS.items()})
            self.overlay.write_text(json.dumps(self._inventory()))
            self.overlay.chmod(0o600)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        if hasattr(self, "pve"):
            self.pve.stop()
        self.hosts.__exit__()

    def _prefer(self, name: str) -> None:
        """Before what else this machine does: a cluster takes a server for failed that has no processor for seconds."""
        everything = "for process in /proc/[0-9]*; do renice -n -15 -p ${process#/proc/}; done"
        self.hosts[name].run("sh", "-c", everything, check=False)

    def power_on(self, name: str) -> None:
        self.hosts[name].switch_on()
        self._prefer(name)
        self.hosts[name].ready()

    # -- the inventory ------------------------------------------------------------------------------------------------

    @property
    def overlay(self) -> Path:
        """What differs in the lab, as an inventory beside the example's. JSON is YAML."""
        return self.directory / "lab.yml"

    def _inventory(self) -> dict[str, Any]:
        keys = {name: self._key_pair(name) for name in NAMES}
        recipient, identity = self._backup_keys()
        shared = {
            "ansible_connection": "community.docker.nsenter",
            "ansible_python_interpreter": "/usr/bin/python3",
            "silvercreek_addresses": self.addresses,
            "silvercreek_floating_address": self.floating,
            "silvercreek_pve": {
                "address": self.pve.host,
                "port": self.pve.port,
                "user": self.pve.user,
                "ca": Path(self.pve.ca).read_text(),
            },
            "silvercreek_vmids": VMIDS,
            "silvercreek_host_keys": {name: self._host_key(name) for name in NAMES},
            "silvercreek_file_sync_keys": {name: public for name, (_private, public) in keys.items()},
            "silvercreek_pool": "64M",
            "ha_cluster_writer_timeout": 15,  # other tests make the machine busy
            "vault_cluster_authkey": secrets.token_hex(64),
            "vault_fence_password": self.pve.password,
            "vault_replication_password": self.passwords["replication"],
            "vault_administration_password": self.passwords["administration"],
            "vault_record_password": self.passwords["record"],
            "vault_database_tls": self._certificates(),
            "silvercreek_backup_recipient": recipient,
            "vault_backup_identity": identity,
            "vault_backup_password": self.passwords["backup"],
            "vault_file_sync_keys": {name: private for name, (private, _public) in keys.items()},
            **self._variables,
        }
        # Above group_vars: as variables of each host.
        return {"all": {"hosts": {name: {**shared, "ansible_nsenter_pid": self._pid(name)} for name in NAMES}}}

    def _pid(self, name: str) -> str:
        """Read at each task, so that a host that was off meanwhile is found."""
        return f"{{{{ lookup('ansible.builtin.file', '{self.hosts[name].pid_file}') }}}}"

    def _host_key(self, name: str) -> str:
        return " ".join(self.hosts[name].read("/etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def _key_pair(self, name: str) -> tuple[str, str]:
        path = self.directory / f"file_sync_{name}"
        if not path.exists():
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"file_sync {name}", "-f", str(path)]
            subprocess.run(words, check=True)
        return path.read_text(), path.with_suffix(".pub").read_text().strip()

    def _backup_keys(self) -> tuple[str, str]:
        """Who can read the backups: the public key and the private one. None where the image is not for backups."""
        if self.hosts[SITE].run("which", "age-keygen", check=False).returncode:
            return "", ""
        lines = self.hosts[SITE].run("age-keygen").stdout.splitlines()
        public = next(line.rpartition(" ")[2] for line in lines if "public key" in line)
        return public, next(line for line in lines if line.startswith("AGE-SECRET-KEY-"))

    def _certificates(self) -> dict[str, str]:
        """One certificate for all servers and the floating address, of a certificate authority of its own."""
        ca, key, request, signed = (self.directory / f"database.{suffix}" for suffix in ("ca", "key", "csr", "crt"))
        ca_key, extensions = self.directory / "database.ca.key", self.directory / "database.ext"
        names = ",".join(f"IP:{address}" for address in (*self.addresses.values(), self.floating))
        extensions.write_text(f"subjectAltName={names}\n")
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        signing = ["-CA", ca, "-CAkey", ca_key, "-CAcreateserial"]
        for words in (
            ["req", "-x509", *curve, "-keyout", ca_key, "-out", ca, "-days", "30", "-subj", "/CN=Silver Creek lab"],
            ["req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=database"],
            ["x509", "-req", "-in", request, "-extfile", extensions, "-days", "30", "-out", signed, *signing],
        ):
            subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
        return {"ca": ca.read_text(), "certificate": signed.read_text(), "key": key.read_text()}

    # -- playbooks ----------------------------------------------------------------------------------------------------

    def play(self, playbook: str, *arguments: str, timeout: float = 580, **variables: Any) -> Run:
        """Run a playbook on the scene; `variables` as extra variables."""
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        return self._ansible(["ansible-playbook", playbook, *arguments, *extra], timeout)

    def module(self, host: str, name: str, timeout: float = 120, **options: Any) -> Run:
        """Run a module of the collection on a host; its answer is what follows the arrow in the text."""
        words = ["ansible", host, "--module-name", f"hospital.continuity.{name}", "--args", json.dumps(options)]
        return self._ansible(words, timeout)

    def _ansible(self, words: Sequence[str], timeout: float) -> Run:
        program = Path(sys.executable).with_name(words[0])
        command = [str(program), *words[1:], "-i", str(EXAMPLE), "-i", str(self.overlay)]
        clean = {name: value for name, value in os.environ.items() if "PVE_" not in name}
        settings = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": str(self.directory / "ansible"), "ANSIBLE_PIPELINING": "1"}
        done = subprocess.run(
            command,
            env={**clean, **settings},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    # -- looking ------------------------------------------------------------------------------------------------------

    def sql(self, name: str, statement: str, *, check: bool = True) -> str:
        """As root on that server, by its socket."""
        words = ["mariadb", "--batch", "--skip-column-names", f"--execute={statement}"]
        return self.hosts[name].run(*words, check=check).stdout.strip()

    def writers(self) -> list[str]:
        """The servers that take writes now."""
        return [
            host.name
            for host in self.hosts
            if host.powered and self.sql(host.name, "SELECT @@read_only", check=False) in ("0", "OFF")
        ]

    def holders(self) -> list[str]:
        """The hosts that have the floating address now."""
        question = ("ip", "-brief", "-4", "address", "show", "to", self.floating)
        return [host.name for host in self.hosts if host.powered and host.run(*question, check=False).stdout.strip()]
