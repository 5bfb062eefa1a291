#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_cluster_options
short_description: Options of a whole Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Sets what the web interface has under Datacenter, Options. Proxmox VE keeps it in C(datacenter.cfg).
  - A cluster has these options once, so O(config) is a list of one item, which has no name.
  - An option that holds several settings (O(config[].migration), O(config[].crs) …) is one value. It is given whole,
    and a setting that is left out of it has its default. The keys are spelled as Proxmox VE spells them.
options:
  config:
    description: The options, as a list of one item.
    type: list
    elements: dict
    required: true
    suboptions:
      description:
        description:
          - Notes, shown in the web interface. Markdown.
        type: str
      migration:
        description:
          - How guests migrate. C(type) is V(secure) (through SSH) or V(insecure), C(network) the network for it in CIDR
            notation.
        type: dict
      replication:
        description:
          - How replication jobs send. The keys are those of O(config[].migration).
        type: dict
      bwlimit:
        description:
          - Limits of bandwidth in KiB/s, by what takes it, C(clone), C(migration), C(move), C(restore), and C(default).
        type: dict
      max_workers:
        description:
          - How many guests at most are started, stopped or migrated at a time on one node.
        type: int
      fencing:
        description:
          - How the HA manager fences nodes.
        type: str
        choices: [watchdog, hardware, both]
      ha:
        description:
          - C(shutdown_policy) says what becomes of HA guests when their node is shut down, V(conditional), V(freeze),
            V(failover) or V(migrate).
        type: dict
      crs:
        description:
          - How the HA manager chooses nodes. The keys are C(ha) (V(basic), V(static) or V(dynamic)),
            C(ha-rebalance-on-start), C(ha-auto-rebalance), and with that C(ha-auto-rebalance-hold-duration),
            C(ha-auto-rebalance-margin), C(ha-auto-rebalance-method) and C(ha-auto-rebalance-threshold).
        type: dict
      next_id:
        description:
          - The numbers that new guests are offered, from C(lower) up to C(upper).
        type: dict
      mac_prefix:
        description:
          - How the MAC addresses begin that Proxmox VE makes up. Those that exist stay.
        type: str
      registered_tags:
        description:
          - Tags that only somebody with Sys.Modify on C(/) may give to a guest, in any order.
        type: list
        elements: str
      user_tag_access:
        description:
          - Which tags others may give. C(user-allow) is V(free), V(existing), V(list) or V(none), C(user-allow-list)
            that list.
        type: dict
      tag_style:
        description:
          - How tags look. The keys are C(shape) (V(circle), V(full), V(dense), V(none)), C(ordering) (V(alphabetical),
            V(config)), C(case-sensitive), and C(color-map), a list of V(tag:ff0000) or V(tag:ff0000:ffffff), the second
            of which is the colour of the text.
        type: dict
      email_from:
        description:
          - The sender of mails.
        type: str
      notify:
        description:
          - Of what mails are sent. The keys are C(fencing), C(replication) (V(always) or V(never)), C(package-updates)
            (V(auto) as well), and C(target-fencing), C(target-replication), C(target-package-updates) with whom.
        type: dict
      http_proxy:
        description:
          - The proxy for downloads, V(http://proxy:3128). As there may be a password in it, it is never shown and not
            among what M(hospital.continuity.pve_info) returns. An empty text takes it away; nothing else does.
        type: str
      console:
        description:
          - What opens when the web interface opens a console.
        type: str
        choices: [applet, vv, html5, xtermjs]
      keyboard:
        description:
          - The keyboard layout of VNC consoles, V(de) or V(en-us) for example.
        type: str
      language:
        description:
          - The language of the web interface, V(de) or V(pt_BR) for example.
        type: str
      consent_text:
        description:
          - What has to be agreed to before logging in. Proxmox VE keeps one line, in which the web interface also
            understands Base64.
        type: str
      webauthn:
        description:
          - What second factors of the kind WebAuthn are bound to. The keys are C(id), C(origin), C(rp) and
            C(allow-subdomains).
        type: dict
      u2f:
        description:
          - What second factors of the kind U2F are bound to. The keys are C(appid) and C(origin).
        type: dict
      reset:
        description:
          - Options that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - O(state=absent) puts every option back to its default, as on a new cluster.
  - "Words for O(allow): C(invalidate_second_factors:webauthn) and C(invalidate_second_factors:u2f) for another value of
    what second factors that users have registered are bound to. They stop working, and who has no other way in is
    locked out."
  - Needs the privileges Sys.Audit and Sys.Modify on C(/).
seealso:
  - module: hospital.continuity.pve_replication
  - module: hospital.continuity.pve_info
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.convergence
  - hospital.continuity.convergence.allow
attributes:
  action_group:
    description: Credentials and the like can be given once, with C(module_defaults) for the group C(pve).
    membership: [hospital.continuity.pve]
    support: full
"""

EXAMPLES = r"""
- name: Guests migrate over the storage network, and HA guests leave a node before it shuts down
  hospital.continuity.pve_cluster_options:
    config:
      - migration: {type: insecure, network: 10.20.0.0/24}
        ha: {shutdown_policy: migrate}
        email_from: pve@hospital.example.org

- name: New guests are numbered from 200, and only known tags may be given
  hospital.continuity.pve_cluster_options:
    config:
      - next_id: {lower: 200}
        registered_tags: [imaging, critical]
        user_tag_access: {user-allow: list, user-allow-list: [test]}

- name: Migration goes back to what Proxmox VE does by itself
  hospital.continuity.pve_cluster_options:
    config:
      - reset: [migration]
"""

RETURN = r"""
steps:
  description: At most one line, with the options that change and how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: update cluster_options: migration, ha"]
before:
  description: The options as they were, under C(cluster_options), if a step was planned.
  returned: always
  type: dict
  sample: {"cluster_options": {"keyboard": "de"}}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"cluster_options": {"keyboard": "de", "ha": {"shutdown_policy": "migrate"}}}
unmet:
  description: Always empty, because options have nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.cluster_options import CLUSTER_OPTIONS
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run
from ansible_collections.hospital.continuity.plugins.module_utils.pve.settings import SettingsBackend


def main() -> None:
    run(CLUSTER_OPTIONS, SettingsBackend)


if __name__ == "__main__":
    main()
