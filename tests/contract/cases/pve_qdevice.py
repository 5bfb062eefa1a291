# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_qdevice."""

from __future__ import annotations

from typing import Any

from tests.contract.case import Case, Option, Scenario

HOST = "10.99.0.50"


def there(system: Any) -> None:
    system.set(qdevice=HOST)


CASE = Case(
    module="pve_qdevice",
    subsystem="pve-node",
    base={"host": HOST},
    options=(Option("network", "10.99.0.0/24", "10.98.0.0/24"),),
    several=[{"host": HOST}],
    removal=(f"remove_qdevice:{HOST}",),
    consents=(Scenario(f"remove_qdevice:{HOST}", {"config": [{"host": HOST}], "state": "absent"}, HOST, setup=there),),
)
