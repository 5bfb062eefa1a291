# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A cluster without daemons: Pacemaker's programs on a file, in which its own scheduler carries out each change."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from typing import Any

from ansible_collections.hospital.continuity.plugins.module_utils.command import search_path
from ansible_collections.hospital.continuity.plugins.module_utils.pacemaker.element import parsed
from tests.contract.pacemaker_system import FAILURE, PacemakerSystem, path_without_ours

RESOURCES = """
<resources>
  <primitive id="writer" class="ocf" provider="heartbeat" type="Dummy"/>
  <primitive id="address" class="ocf" provider="heartbeat" type="Dummy"/>
  <group id="web"><primitive id="nginx" class="ocf" provider="heartbeat" type="Dummy"/>
    <primitive id="haproxy" class="ocf" provider="heartbeat" type="Dummy"/></group>
  <primitive id="alone" class="ocf" provider="heartbeat" type="Dummy"/>
  <clone id="everywhere"><primitive id="watch" class="ocf" provider="heartbeat" type="Dummy"/></clone>
</resources>"""
CONSTRAINTS = """
<constraints>
  <rsc_colocation id="address-with-writer" rsc="address" with-rsc="writer" score="INFINITY"/>
  <rsc_colocation id="web-with-address" rsc="web" with-rsc="address" score="INFINITY"/>
  <rsc_order id="writer-first" first="writer" then="address"/>
  <rsc_order id="address-first" first="address" then="web"/>
  <rsc_location id="writer-at-a" rsc="writer" node="a" score="10"/>
  <rsc_location id="alone-at-a" rsc="alone" node="a" score="10"/>
  <rsc_location id="writer-not-behind" rsc="writer"><rule id="behind-rule" score="-INFINITY">
    <expression id="behind-expression" attribute="writer-behind" operation="eq" value="1"/></rule></rsc_location>
</constraints>"""
PROPERTIES = """
<crm_config><cluster_property_set id="properties">
  <nvpair id="p-fencing" name="stonith-enabled" value="false"/>
</cluster_property_set></crm_config>"""
DEFAULTS = """
<rsc_defaults><meta_attributes id="defaults">
  <nvpair id="d-stickiness" name="resource-stickiness" value="100"/>
  <nvpair id="d-threshold" name="migration-threshold" value="1"/>
</meta_attributes></rsc_defaults>"""

# crm_resource is the real one; the scheduler then does in the file what daemons would have done.
_CLUSTER = """#!/bin/sh
echo "crm_resource $*" >>'{folder}/log'
case " $* " in *' --wait '*) exit 0 ;; esac
echo >>'{folder}/writes'
if [ -e '{folder}/fail' ]; then
  read -r number lost <'{folder}/fail'
  if [ "$(wc -l <'{folder}/writes')" -eq "$number" ]; then
    echo 'Error performing operation: {failure}' >&2
    exit 1
  fi
fi
'{real}' "$@" || exit
'{simulate}' --xml-file "$CIB_file" --simulate --save-output "$CIB_file.new" >/dev/null 2>&1
rm -f "$CIB_file.sig"
mv "$CIB_file.new" "$CIB_file"
"""


class PacemakerClusterSystem(PacemakerSystem):
    """Nodes a and b, both online; everything began on a."""

    def __init__(self) -> None:
        super().__init__()
        path = search_path(path_without_ours())
        self._real |= {name: str(shutil.which(name, path=path)) for name in ("crm_resource", "crm_simulate")}
        names = {"folder": self._folder, "failure": FAILURE, "simulate": self._real["crm_simulate"]}
        wrapper = self._bin / "crm_resource"
        wrapper.write_text(_CLUSTER.format(real=self._real["crm_resource"], **names))
        wrapper.chmod(0o755)

    def _first(self) -> str:
        text = super()._first()
        path = self._folder / "first.xml"
        for section in ("resources", "constraints", "crm_config"):
            root = parsed(text)
            configuration = root.find("configuration")
            assert configuration is not None
            old = configuration.find(section)
            assert old is not None
            new = {"resources": RESOURCES, "constraints": CONSTRAINTS, "crm_config": PROPERTIES}[section]
            configuration[list(configuration).index(old)] = parsed(new)
            if section == "crm_config":
                configuration.append(parsed(DEFAULTS))
            text = ET.tostring(root, encoding="unicode")
        path.write_text(text)
        words = ["--quorum=1", "--node-up=a", "--node-up=b", "--simulate", f"--save-output={path}.up"]
        simulate = str(shutil.which("crm_simulate", path=search_path(path_without_ours())))
        subprocess.run([simulate, f"--xml-file={path}", *words], check=True, capture_output=True)
        return path.with_name("first.xml.up").read_text()

    def somebody(self, *argv: str) -> None:
        """Somebody changes the cluster, which then does what follows from that."""
        self.console(*argv)
        self.then()

    def then(self, *levers: str) -> None:
        """What the cluster makes of it, and of what happens to its nodes: crm_simulate's options."""
        new = self._cib.with_suffix(".new")
        words = [f"--xml-file={self._cib}", *levers, "--simulate", f"--save-output={new}"]
        subprocess.run([self._real["crm_simulate"], *words], check=True, capture_output=True)
        self._cib.with_suffix(".xml.sig").unlink(missing_ok=True)
        new.rename(self._cib)

    def lose_quorum(self) -> None:
        self._cib.write_text(self._cib.read_text().replace('have-quorum="1"', 'have-quorum="0"', 1))

    def constraints(self) -> list[str]:
        return [str(one.get("id")) for one in self.configuration().findall("constraints/rsc_location")]

    def inventory(self) -> Any:
        return self._cib.read_text()
