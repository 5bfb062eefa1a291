# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Machines that have formed a cluster, as one: for lab.pve.fleet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from lab.pve.cluster import Cluster
from lab.pve.formation import Formation

T = TypeVar("T")


class Formed:
    def __init__(self, formation: Formation) -> None:
        self._formation = formation

    @property
    def cluster(self) -> Cluster:
        """As the first machine that runs sees it; what members share is the same object for all of them."""
        machines = self._formation.machines.values()
        return next((machine for machine in machines if machine.has_power), next(iter(machines)))

    def call(self, function: Callable[..., T], *args: Any) -> T:
        return self._formation.call(function, *args)

    def node_offline(self, name: str) -> None:
        self._formation.power(name, False)

    def node_online(self, name: str) -> None:
        self._formation.power(name, True)
