# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role tape_export on a host with a simulated SCST: what it installs, foresees, refuses and never says.

That the export works, and comes back after a boot, is shown by molecule/tape_export.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Hosts, why_not
from lab.scst.host import ScstHost
from tests.integration.over_ssh import Control, Played

TARGET = "iqn.2016-01.ar.hospital:ts3200"
SECRET = "correct-horse-16"
TREE = f"/sys/kernel/scst_tgt/targets/iscsi/{TARGET}"
DROP_IN = "/etc/systemd/system/scst.service.d/hospital-continuity.conf"


class Node:
    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.host = hosts["tape1"]
        self.scst = ScstHost(self.host)
        self.control = Control(self.host, folder, self.host.ssh_address)

    def run(self, *arguments: str, **variables: Any) -> Played:
        """The role. variables: in place of what is described."""
        described = {
            "tape_export_tools": [],
            "tape_export_wait": 1,
            "tape_export_targets": [
                {
                    "target": TARGET,
                    "incoming_users": [{"user": "tape", "secret": SECRET}],
                    "groups": [
                        {
                            "name": "guests",
                            "initiators": ["iqn.1993-08.org.debian:01:tape"],
                            "luns": [{"lun": 0, "device": "HOSLIB0001"}, {"lun": 1, "device": "HOSDRV01"}],
                        }
                    ],
                }
            ],
            **variables,
        }
        role = {"ansible.builtin.include_role": {"name": "hospital.continuity.tape_export"}, "vars": described}
        return self.control.play([role], *arguments)

    def there(self, path: str) -> bool:
        return self.host.run("test", "-e", path, check=False).returncode == 0

    def luns(self) -> list[str]:
        listed = self.host.run("ls", f"{TREE}/ini_groups/guests/luns", check=False).stdout.split()
        return [name for name in listed if name != "mgmt"]


def changed(played: Played) -> list[str]:
    return [result["task"].rpartition(" : ")[2] for result in played.results if result.get("changed")]


def why(played: Played) -> str:
    assert played.code != 0, played.output
    assert "Traceback" not in played.output
    return " ".join(str(result.get("msg")) for result in played.results if result["outcome"] == "failed")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    if reason := why_not():
        pytest.skip(f"containers cannot run here: {reason}")
    with pytest.MonkeyPatch.context() as patch, Hosts("tape1", image="scst", ssh=True) as hosts:
        patch.setenv("ANSIBLE_PIPELINING", "1")
        yield Node(hosts, tmp_path_factory.mktemp("control"))


def test_modules_that_are_loaded_too_early_are_refused(node: Node) -> None:
    """The service would find them loaded after a boot, and export nothing."""
    node.host.write("/etc/modules-load.d/scst.conf", "# tapes\nscst_tape\n")
    try:
        assert "/etc/modules-load.d/scst.conf on tape1 loads modules of SCST" in why(node.run())
        assert not node.there(DROP_IN)
        assert not node.there("/etc/scst.conf")
    finally:
        node.host.run("rm", "/etc/modules-load.d/scst.conf")


def test_a_kernel_without_scst_is_refused(node: Node) -> None:
    node.host.run("mv", "/usr/sbin/modinfo", "/usr/sbin/modinfo.lab")
    node.host.write("/usr/sbin/modinfo", "#!/bin/sh\necho modinfo: ERROR: Module scst not found. >&2; exit 1\n", "0755")
    try:
        refused = why(node.run())
        assert "The running kernel of tape1 has no SCST" in refused
        assert "tape_export_packages" in refused
        assert not node.there(DROP_IN)
    finally:
        node.host.run("mv", "/usr/sbin/modinfo.lab", "/usr/sbin/modinfo")


def test_check_mode_writes_nothing(node: Node) -> None:
    foreseen = node.run("--check").good()
    assert "Export the library" in changed(foreseen)
    assert not node.there(DROP_IN)
    assert not node.there("/etc/scst.conf")
    assert not node.there(TREE)


def test_the_sites_packages_are_installed_once(node: Node, tmp_path: Path) -> None:
    """Packages the site built come as files from the control host."""
    tree = tmp_path / "site-scst"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: site-scst\nVersion: 3.11\nArchitecture: all\nMaintainer: Site <site@example.org>\nDescription: SCST\n"
    )
    (tree / "usr" / "share" / "site-scst").mkdir(parents=True)
    package = tmp_path / "site-scst_3.11_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(package)], check=True, capture_output=True
    )
    made = node.run(tape_export_packages=[str(package)]).good()
    assert "Install the packages that were brought" in changed(made)
    assert node.host.run("dpkg-query", "-W", "-f", "${Version}", "site-scst").stdout == "3.11"
    assert changed(node.run(tape_export_packages=[str(package)]).good()) == []


def test_a_secret_is_never_said(node: Node) -> None:
    """Neither the old one nor the new one, not even when everything is told that can be."""
    changing = SECRET[::-1]
    targets = [{"target": TARGET, "incoming_users": [{"user": "tape", "secret": changing}]}]
    told = node.run("-vvv", "--diff", tape_export_targets=targets).good()
    assert changed(told) == ["Export the library"]
    assert changing not in told.output
    assert SECRET not in told.output
    assert changing in node.host.read("/etc/scst.conf")


def test_what_is_missing_is_told_and_the_rest_is_exported(node: Node) -> None:
    node.scst.lever("vanish", device="HOSDRV01")
    assert "HOSDRV01 is not on this host" in why(node.run(tape_export_health_required="ok"))
    assert node.luns() == ["0"]
    node.scst.lever("come_back", device="HOSDRV01", hcil="9:0:3:0")
    library = {"library": "HOSLIB0001", "media": [{"barcode": "HOS777L5"}], "unexpected_media": "ignore"}
    restored = node.run(tape_export_library=library).good()
    assert changed(restored) == ["Export the library"]
    assert node.luns() == ["0", "1"]
    assert "tape HOS777L5 is not in it" in restored.output
