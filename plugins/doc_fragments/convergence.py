# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of what every module that describes a state has in common."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) makes each thing listed in O(config) exist as it is written there.
      - V(absent) makes each thing listed in O(config) not exist.
    type: str
    choices: [present, absent]
    default: present
  unlisted_options:
    description:
      - What happens to options of a listed thing that its item leaves out.
      - V(ignore) leaves them as they are. V(reset) puts them back to the system's default, except what the system
        assigned itself and what holds data.
    type: str
    choices: [ignore, reset]
    default: ignore
  verify_timeout:
    description:
      - How many seconds to wait after a change for the conditions that a successful command does not promise.
      - What still does not hold then is returned in RV(unmet). Nothing is waited for when nothing changed.
    type: int
    default: 60
attributes:
  check_mode:
    description:
      - Can run in check mode. It then refuses what the real run would refuse, and predicts its steps and diff.
      - Only what does not exist, and an earlier task of the playbook might make (a storage, a pool, a guest), is a
        warning then instead of an error.
    support: full
  diff_mode:
    description: Returns what would change or did change, as it was planned.
    support: full
  idempotent:
    description: A second run with the same options writes nothing and reports no change.
    support: full
"""

    ALLOW = r"""
options:
  allow:
    description:
      - Consent to what interrupts a service or destroys data. Without the word, such a step is refused and nothing is
        changed.
      - The error message names the word, the target and what would be lost.
      - See the notes of this module for the words it knows.
    type: list
    elements: str
    default: []
"""

    SECRETS = r"""
options:
  update_secrets:
    description:
      - Passwords cannot be read back, so they are not compared.
      - V(on_create) writes them when the thing they belong to is created. V(always) writes them at every run, which is
        then reported as a change.
    type: str
    choices: [on_create, always]
    default: on_create
"""

    SCOPE = r"""
options:
  unlisted:
    description:
      - What happens to things of this kind that O(config) does not list.
      - V(ignore) leaves them alone. V(absent) removes those that lie inside O(scope).
    type: str
    choices: [ignore, absent]
    default: ignore
  scope:
    description:
      - What is yours to remove when O(unlisted=absent). Every entry must match.
      - A name matches by shell pattern, another option by its value.
    type: dict
  max_removals:
    description: With O(unlisted=absent), more removals than this are refused, so that a typing error costs nothing.
    type: int
    default: 3
"""

    OPERATION = r"""
options:
  verify_timeout:
    description:
      - How many seconds to wait after the operation for the conditions that a successful command does not promise.
      - What still does not hold then is returned in RV(unmet). Nothing is waited for when nothing was done.
    type: int
    default: 60
attributes:
  check_mode:
    description:
      - Can run in check mode. It then refuses what the real run would refuse, and predicts its steps and diff.
      - What an earlier task would have made before is a warning then instead of an error.
    support: full
  diff_mode:
    description: Returns what would change or did change, as it was planned.
    support: full
"""
