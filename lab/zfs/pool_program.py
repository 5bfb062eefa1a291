# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""As much of the zpool program as datasets need: which pools are there, which could be imported."""

from __future__ import annotations

from lab.zfs.program import Program, Unknown, _options


class PoolProgram(Program):
    def do_list(self, arguments: list[str]) -> int:
        options, names = _options(arguments, "Hpjo:")
        imported = {name: pool for name, pool in sorted(self.state.pools.items()) if pool.imported}
        for name in names:
            if name not in imported:
                raise self.fail(f"cannot open '{name}': no such pool")
        if not imported:
            if "-H" not in options and "-j" not in options:
                self.say("no pools available")
            return 0
        if "-H" not in options or "-o" not in options:
            raise Unknown("zpool list without -H -o")
        for name in names or imported:
            cells = {
                "name": name,
                "health": imported[name].health,
                "readonly": "on" if imported[name].readonly else "off",
                "guid": str(imported[name].guid),
            }
            columns = options["-o"].split(",")
            if not set(columns) <= set(cells):
                raise Unknown(f"zpool list -o {options['-o']}")
            self.say("\t".join(cells[column] for column in columns))
        return 0

    def do_import(self, arguments: list[str]) -> int:
        if arguments:
            raise Unknown("zpool import with arguments")
        waiting = {name: pool for name, pool in sorted(self.state.pools.items()) if not pool.imported}
        if not waiting:
            self.complain("no pools available to import")
        for name, pool in waiting.items():
            self.say(f"   pool: {name}\n     id: {pool.guid}\n  state: {pool.health}\n action: {pool.action}")
            self.say(f"comment: \n config:\n\n\t{name}  {pool.health}")
        return 0
