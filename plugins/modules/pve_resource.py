#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_resource
short_description: Anything in the API of Proxmox VE that has no module yet
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes what is at a path of the API as it is written, for what none of the other modules is about. What GET shows is
    compared, PUT changes it, DELETE removes it, and POST to the list above creates it.
  - A path that has a module of its own is refused, with the name of that module.
  - There is no table of the parameters here, so they are compared as they are written. Of a list the order means
    nothing, a mapping is a property string in whatever order, a boolean is 1 or 0, and a number may be its digits.
  - What O(config[].options) does not list is left alone, also with O(unlisted_options=reset).
options:
  config:
    description: The things.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Where it is, below C(/api2/json), V(/cluster/metrics/server/graphite) for example. A slash inside a name is
            written C(%2F).
        type: str
        required: true
      options:
        description:
          - Parameters, with Proxmox VE's own names, and what they shall be. Leave out the name of the thing and what
            else only creating takes.
          - An empty value, as in V(comment:), means that the parameter is not set. Proxmox VE does not show what is off
            by default. If a parameter that is V(false) does not converge, give it an empty value.
        type: dict
      secrets:
        description:
          - Parameters that are not to be seen, such as passwords. They are written when the thing is created, and again
            with O(update_secrets=always), and are never compared.
        type: dict
      resent:
        description:
          - Parameters that Proxmox VE wants in every PUT, whether they change or not.
        type: list
        elements: str
      create_path:
        description:
          - Where a POST creates it, if that is not the list above it.
        type: str
      create_options:
        description:
          - Parameters that only creating takes, such as the name (V(id)) of what is created in a list.
        type: dict
notes:
  - "Word for O(allow): C(delete_resource:<path>) for deleting one. What Proxmox VE deletes with it, this module does
    not know."
  - Things are made, changed and removed one after the other, in their order.
  - Proxmox VE has no status for what does not exist. It does not where it is not in the list above it.
  - Of what is read, parameters whose name sounds like a secret are not shown.
  - Needs the privileges that the API viewer of Proxmox VE names for these calls.
seealso:
  - name: API viewer
    description: Paths, their parameters and privileges.
    link: https://pve.proxmox.com/pve-docs/api-viewer/
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
  - hospital.continuity.convergence.secrets
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: A directory of each node that guests may share
  hospital.continuity.pve_resource:
    config:
      - path: /cluster/mapping/dir/exchange
        create_options: {id: exchange}
        options:
          map: ["node=pve1,path=/srv", "node=pve2,path=/srv"]
          description: For results that are passed on
        resent: [map]

- name: Figures go to Graphite, which is created at its own path
  hospital.continuity.pve_resource:
    config:
      - path: /cluster/metrics/server/graphite
        create_path: /cluster/metrics/server/graphite
        create_options: {type: graphite}
        options: {server: 192.0.2.10, port: 2003, disable: true}
        resent: [server, port]

- name: Not any more
  hospital.continuity.pve_resource:
    config:
      - path: /cluster/metrics/server/graphite
    state: absent
    allow: ["delete_resource:/cluster/metrics/server/graphite"]
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update resource /cluster/mapping/dir/exchange: description"]
before:
  description: The things a step was planned for, by path, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"/cluster/mapping/dir/exchange": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"/cluster/mapping/dir/exchange": {"options": {"map": ["node=pve1,path=/srv"]}}}
unmet:
  description: Always empty, because nothing is known that could be waited for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.resource import RESOURCE
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.pve.resource import ResourceBackend


def main() -> None:
    run(RESOURCE, ResourceBackend)


if __name__ == "__main__":
    main()
