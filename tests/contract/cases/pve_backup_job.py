# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Cases of pve_backup_job. Jobs are disabled: on a real cluster none of them ever runs."""

from __future__ import annotations

from typing import Any

from tests.contract.case import PREFIX, Case, Item, Option
from tests.contract.pve_api import comparable

NAME = f"{PREFIX}job"
STORE, OTHER_STORE = f"{PREFIX}backups", f"{PREFIX}backups2"
POOLS = (f"{PREFIX}pool1", f"{PREFIX}pool2")


def setup(system: Any) -> None:
    """Guests to save, storages to save them to, pools to choose them by."""
    for number in (0, 1):
        system.make_guest(number)
    for name in (STORE, OTHER_STORE):
        system.make_storage(name, "backup,images")
    for name in POOLS:
        system.api.post("/pools", poolid=name)


def vmid(number: int) -> Any:
    return lambda system: system.vmid(number)


def raw(system: Any, item: Item) -> Any:
    return comparable(system.api.get(f"/cluster/backup/{item['id']}"))


BASE = {"id": NAME, "schedule": "sun 02:30", "enabled": False, "vmid": [vmid(0)], "storage": STORE}
ALL = {"id": NAME, "schedule": "sun 02:30", "enabled": False, "all": True, "storage": STORE}
POOL = {"id": NAME, "schedule": "sun 02:30", "enabled": False, "storage": STORE}
BARE = {"id": NAME, "schedule": "sun 02:30", "enabled": False, "vmid": [vmid(0)]}


def just_one(system: Any, item: Item) -> None:
    system.api.put(f"/cluster/backup/{NAME}", all=0, vmid=system.vmid(0))


OPTIONS = (
    Option("schedule", "mon..fri 21:00", "daily"),
    Option("enabled", False, True),
    Option("repeat_missed", True, False),
    Option("comment", "nightly", "every night, ü"),
    Option("all", True, base=ALL, drift=just_one, also=("vmid",)),
    Option("vmid", [vmid(0)], [vmid(1), vmid(0)]),
    Option("pool", POOLS[0], POOLS[1], base=POOL),
    Option("exclude", [vmid(0)], [vmid(0), vmid(1)], base=ALL),
    Option("node", lambda s: s.node, lambda s: s.other_node, nodes=2),
    Option("exclude_path", ["/tmp/?*"], ["/tmp/?*", "/var/cache/?*"]),
    Option("stdexcludes", False, True),
    Option("storage", STORE, OTHER_STORE),
    Option("dumpdir", "/var/hct", "/var/hct2", base=BARE, root=True),
    Option("prune_backups", {"keep-last": 3}, {"keep-last": 3, "keep-weekly": 8}),
    Option("remove", False, True),
    Option("protected", True, False),
    Option("notes_template", "{{guestname}}", "{{guestname}} on {{node}}"),
    Option("mode", "stop", "suspend"),
    Option("compress", "zstd", "gzip"),
    Option("pigz", 2, 4),
    Option("zstd", 2, 4),
    Option("bwlimit", 10000, 20000),
    Option("ionice", 5, 6),
    Option("lockwait", 60, 90),
    Option("stopwait", 5, 6),
    Option("stop", True, False),
    Option("quiet", True, False),
    Option("fleecing", {"enabled": True, "storage": lambda s: s.images}, {"enabled": True, "storage": STORE}),
    Option("performance", {"max-workers": 4}, {"max-workers": 8, "pbs-entries-max": 2000000}),
    Option("pbs_change_detection_mode", "metadata", "data"),
    Option("script", "/usr/local/bin/hct", "/usr/local/bin/hct2", root=True),
    Option("tmpdir", "/var/tmp/hct", "/var/tmp/hct2", root=True),
    Option("notification_mode", "notification-system", "legacy-sendmail"),
    Option("mailto", ["hct@example.org"], ["hct@example.org", "root@example.org"]),
    Option("mailnotification", "failure", "always"),
)


def examples(system: Any) -> None:
    """The guests, the storage and the pool that the examples speak of."""
    for vmid in (110, 111):
        system.api.post(f"/nodes/{system.node}/qemu", vmid=vmid, name=f"pacs{vmid}", memory=64)
    system.api.post("/storage", storage="backup", type="dir", path="/tank/backup", content="backup")
    system.api.post("/pools", poolid="imaging")
    system.api.post("/cluster/backup", id="forgotten", schedule="daily", all=1, storage="backup")


CASE = Case(
    module="pve_backup_job",
    subsystem="pve",
    setup=setup,
    base=BASE,
    options=OPTIONS,
    raw=raw,
    several=[
        {**BASE, "id": f"{PREFIX}night", "prune_backups": {"keep-last": 3}, "mode": "snapshot", "compress": "zstd"},
        {**ALL, "id": f"{PREFIX}week", "exclude": [vmid(0)], "mailto": ["b@example.org", "a@example.org"]},
        {**POOL, "id": f"{PREFIX}pool", "pool": POOLS[0], "notes_template": "{{guestname}}"},
    ],
    changed=[
        {"id": f"{PREFIX}night", "vmid": [vmid(0), vmid(1)], "reset": ["mode"]},
        {"id": f"{PREFIX}week", "schedule": "sat 23:00", "mailto": ["a@example.org"]},
        {"id": f"{PREFIX}pool", "pool": POOLS[1]},
    ],
    examples=examples,
    info="backup_job",
)
