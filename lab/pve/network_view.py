# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A node's network for tests: what is in force, what is staged, what is up, and other people's hands in it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar

from lab.pve import network
from lab.pve.network_interfaces import Interfaces, parse
from lab.pve.network_node import NodeNetwork

T = TypeVar("T")
Call = Callable[..., Any]


class NetworkView:
    """`lab.network('pve1')`; everything runs in the server's thread, between requests, and is not counted as one."""

    def __init__(self, call: Call, of: Callable[[], NodeNetwork]) -> None:
        self._call, self._of = call, of

    def _with(self, function: Callable[[NodeNetwork], T]) -> T:
        result: T = self._call(lambda: function(self._of()))
        return result

    # ----------------------------------------------------------------- reading

    @property
    def active(self) -> str:
        """The text of /etc/network/interfaces."""
        return self._with(lambda node: node.active)

    @property
    def pending(self) -> str | None:
        """The text of /etc/network/interfaces.new; None if nothing is staged."""
        return self._with(lambda node: node.staged)

    @property
    def changes(self) -> str:
        """The difference as the API shows it."""
        return self._with(lambda node: node.changes())

    @property
    def parsed(self) -> Interfaces:
        """The file in force, as PVE reads it."""
        return self._with(lambda node: parse(node.active, node.physical))

    @property
    def parsed_pending(self) -> Interfaces | None:
        """The staged file, as PVE reads it."""
        return self._with(lambda node: None if node.staged is None else parse(node.staged, node.physical))

    @property
    def live(self) -> dict[str, dict[str, Any]]:
        """What is up, by name, with the options it came up with ('ovs_bonds', 'bond_mode', 'cidr' …)."""
        return self._with(lambda node: copy.deepcopy(node.live.up))

    # ------------------------------------------------------ other people's hands

    def stage(self, iface: str, values: dict[str, Any] | None = None, *, before: str = "", **options: Any) -> None:
        """Somebody stages an interface: made if it is not there, changed otherwise. The keys are the API's.

        `before`: not now, but just before the next request that stages something ("change") or applies ("apply").
        """
        given = {**(values or {}), **options}

        def edit(node: NodeNetwork) -> None:
            there = iface in node.read().entries
            change = network.update if there else network.create
            node.change(lambda entries: change(entries, iface, given))

        if before:
            self._with(lambda node: node.interruptions.append((before, lambda: edit(node))))
        else:
            self._with(edit)

    def stage_removal(self, iface: str) -> None:
        """Somebody stages the removal of an interface."""
        self._with(lambda node: node.change(lambda entries: network.delete(entries, iface)))

    def revert(self) -> None:
        """Somebody drops everything that is staged."""
        self._with(lambda node: node.revert())

    def apply(self) -> list[str]:
        """Somebody applies what is staged; returns ifupdown2's complaints."""

        def install_and_reload(node: NodeNetwork) -> list[str]:
            node.install()
            return node.reload()

        return self._with(install_and_reload)

    def boot_with(self, text: str) -> None:
        """The node has this file and has booted with it."""
        self._with(lambda node: node.replace_active(text))

    def set_live_members(self, bond: str, *members: str) -> None:
        """The members of a bond that is up, changed by ovs-vsctl or ifenslave past the file."""
        self._with(lambda node: node.live.set_members(bond, members))
