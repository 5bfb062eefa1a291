# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of network_checkpoint. What it is for is in tests/integration: test_network_checkpoint.py, test_lockout.py."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Doing
from tests.contract.host_system import STATE, UNITS
from tests.contract.system import succeeded

MODULE = "network_checkpoint"
PSK = "hct-a-key-between-two-hospitals"


def bridge(system: Any) -> None:
    """Something worth saving, with a key in it that nobody may see."""
    words = ["add-br", "hct-br0", "--", "set", "bridge", "hct-br0", "datapath_type=netdev"]
    words += ["--", "add-port", "hct-br0", "hct-port", "--", "set", "interface", "hct-port", "type=internal"]
    system.vsctl(*words, "--", "set", "interface", "hct-port", f"external_ids:psk={PSK}")


def armed(system: Any) -> None:
    bridge(system)
    succeeded(system.run(MODULE, action="arm", timeout=600))


def changed(system: Any) -> None:
    armed(system)
    system.vsctl("del-br", "hct-br0")


ARM = {"action": "arm", "timeout": 600, "peers": ["127.0.0.1", "127.0.0.1:22"]}
CASE = Case(
    module=MODULE,
    subsystem="host",
    base={"action": "status"},
    options=(),
    several=[],
    doings=(
        Doing("status", {"action": "status"}, setup=armed, rests=True, unchanged=True, faults=(), secrets=(PSK,)),
        Doing("arm", ARM, setup=bridge, faults=(STATE, UNITS, "systemd-run"), secrets=(PSK,)),
        Doing(
            "arm with everything said",
            {
                **ARM,
                "interfaces_file": "/etc/network/interfaces",
                "database": "unix:/run/openvswitch/db.sock",
                "verify_timeout": 5,
            },
            setup=bridge,
            faults=(),
        ),
        Doing("confirm", {"action": "confirm"}, setup=armed, rests=True, faults=(STATE,), secrets=(PSK,)),
        Doing("roll_back", {"action": "roll_back"}, setup=changed, rests=True, faults=("systemd-run",), secrets=(PSK,)),
    ),
    unreached={
        "reach_timeout": "the control host's part: tests/contract/test_confirmed_from_outside.py",
    },
)
