# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What the two servers call things, as far as the faults and the looks at them need it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

_DATABASE = ("hospital.continuity.database", "--tags", "replicated_database")


@dataclass(frozen=True)
class Dialect:
    """`lacks`: asks a server for what another one has executed, with the time that commits under way get; the answer is
    "1" if it lacks some. Empty where nothing that no partner had confirmed outlives a crash."""

    name: str
    title: str
    image: str
    program: str
    unit: str
    status: str
    receives: str
    applies: str
    executed: str
    clients: str
    waits: str
    stop_replica: str
    start_replica: str
    stop_receiver: str
    as_root: str
    newest: str
    database: tuple[str, ...]
    converge: tuple[str, ...]
    lacks: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


MARIADB = Dialect(
    name="mariadb",
    title="MariaDB 10.11",
    image="silvercreek",
    program="mariadb",
    unit="mariadb.service",
    status="SHOW ALL SLAVES STATUS",
    receives="Slave_IO_Running",
    applies="Slave_SQL_Running",
    executed="SELECT @@gtid_current_pos",
    clients="SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_master_clients'",
    waits="SELECT @@rpl_semi_sync_master_enabled",
    stop_replica="STOP ALL SLAVES",
    start_replica="START ALL SLAVES",
    stop_receiver="STOP SLAVE IO_THREAD",
    as_root="",
    newest="SELECT @@gtid_binlog_pos",
    database=_DATABASE,
    converge=("hospital.continuity.database",),
)
MYSQL = Dialect(
    name="mysql",
    title="MySQL 9.7",
    image="mysql",
    program="mysql",
    unit="mysql.service",
    status="SHOW REPLICA STATUS",
    receives="Replica_IO_Running",
    applies="Replica_SQL_Running",
    executed="SELECT @@gtid_executed",
    clients="SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_source_clients'",
    waits="SELECT @@rpl_semi_sync_source_enabled",
    stop_replica="STOP REPLICA",
    start_replica="START REPLICA",
    stop_receiver="STOP REPLICA IO_THREAD",
    as_root="SET GLOBAL super_read_only = OFF; ",
    newest="SELECT @@server_uuid",
    database=_DATABASE,
    lacks="SELECT WAIT_FOR_EXECUTED_GTID_SET('{}', 5)",
    # The image has no lsyncd and no proxy: what follows the writer is shown with MariaDB.
    converge=("hospital.continuity.database", "--tags", "replicated_database,ha_cluster"),
    variables={
        "replicated_database_dialect": "mysql",
        "replicated_database_packages": ["python3-pymysql"],
        "ha_cluster_services": ["nginx.service"],
    },
)
DIALECTS = {dialect.name: dialect for dialect in (MARIADB, MYSQL)}
