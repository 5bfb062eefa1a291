# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of what the modules of SCST have in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  conf_path:
    description:
      - The file that SCST's service starts from.
    type: path
    default: /etc/scst.conf
  state_directory:
    description:
      - Where it is remembered which device every H:C:I:L in O(conf_path) is, and what was declared for devices that
        are not here at the moment, in C(export.json), without secrets.
      - Beside it is C(boot.pyz), a program that finds all these devices again and writes O(conf_path) for them before
        SCST starts. The role C(hospital.continuity.tape_export) has the service run it.
    type: path
    default: /var/lib/hospital.continuity/scst
requirements:
  - SCST 3.7 or newer on the managed host, its kernel modules and its service C(scst.service)
"""
