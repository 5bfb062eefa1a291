#!/usr/bin/python
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

DOCUMENTATION = r"""
module: pve_realm
short_description: Authentication realms of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Makes realms, which say how users are known, by a directory (LDAP, Active Directory) or by OpenID Connect.
  - Options that the type of a realm does not have are refused before anything is written.
  - Users and groups are copied from a directory with M(hospital.continuity.pve_realm_sync).
options:
  config:
    description: The realms.
    type: list
    elements: dict
    required: true
    suboptions:
      realm:
        description:
          - The name of the realm, of 2 to 32 letters, digits, C(.), C(-) and C(_), beginning with a letter.
        type: str
        required: true
      type:
        description:
          - How users of the realm are known. Needed to create a realm, and fixed then.
          - V(pam) and V(pve) are built in. They can be neither made nor removed, and take O(config[].comment),
            O(config[].default) and O(config[].tfa) only.
        type: str
        choices: [ad, ldap, openid, pam, pve]
      comment:
        description:
          - One line of text.
        type: str
      default:
        description:
          - Whether the web interface proposes this realm. The one that was it before no longer is.
        type: bool
      tfa:
        description:
          - The second factor everybody of the realm needs, for example V(type=oath,digits=6). Read back, compared and
            never shown.
        type: str
      server1:
        description:
          - The address of the directory. For the types V(ldap) and V(ad).
        type: str
      server2:
        description:
          - The address of another directory that is asked when the first does not answer.
        type: str
      port:
        description:
          - The port of the directory, where it is not the usual one.
        type: int
      domain:
        description:
          - The domain of an Active Directory.
        type: str
      mode:
        description:
          - How the directory is spoken to.
        type: str
        choices: [ldap, ldaps, ldap+starttls]
      secure:
        description:
          - The older way to say V(ldaps). Use O(config[].mode).
        type: bool
      sslversion:
        description:
          - The version of TLS that is asked for with V(ldaps).
        type: str
        choices: [tlsv1, tlsv1_1, tlsv1_2, tlsv1_3]
      verify:
        description:
          - Whether the directory's certificate is checked.
        type: bool
      capath:
        description:
          - Where on the nodes the CA certificates for it lie.
        type: str
      cert:
        description:
          - The client certificate on the nodes, as a path.
        type: str
      certkey:
        description:
          - Its key on the nodes, as a path.
        type: str
      bind_dn:
        description:
          - Who logs in to the directory to search it.
        type: str
      password:
        description:
          - The password of O(config[].bind_dn). Kept by Proxmox VE and never told.
        type: str
      base_dn:
        description:
          - Below what users are looked for.
        type: str
      user_attr:
        description:
          - The attribute that is the name of a user.
        type: str
      filter:
        description:
          - A filter of LDAP that users must match.
        type: str
      user_classes:
        description:
          - The classes of objects that are users, in any order.
        type: list
        elements: str
      group_dn:
        description:
          - Below what groups are looked for.
        type: str
      group_filter:
        description:
          - A filter of LDAP that groups must match.
        type: str
      group_classes:
        description:
          - The classes of objects that are groups, in any order.
        type: list
        elements: str
      group_name_attr:
        description:
          - The attribute that is the name of a group.
        type: str
      sync_attributes:
        description:
          - Which attributes of the directory go into which options of a user, for example V(email=mail).
        type: dict
      sync_defaults_options:
        description:
          - What a synchronisation does unless it is told otherwise. The keys are C(scope), C(enable-new),
            C(remove-vanished), C(full) and C(purge), see M(hospital.continuity.pve_realm_sync).
        type: dict
      case_sensitive:
        description:
          - Whether upper and lower case in names of users are different.
        type: bool
      issuer_url:
        description:
          - The address of the provider of OpenID Connect.
        type: str
      client_id:
        description:
          - How the cluster is known there.
        type: str
      client_key:
        description:
          - Its key there. Read back, compared and never shown.
        type: str
      username_claim:
        description:
          - The claim that is the name of a user. Fixed when the realm is created.
        type: str
      autocreate:
        description:
          - Whether users are made when they log in for the first time.
        type: bool
      groups_claim:
        description:
          - The claim that names the groups of a user.
        type: str
      groups_autocreate:
        description:
          - Whether groups are made that do not exist.
        type: bool
      groups_overwrite:
        description:
          - Whether a login takes the user out of groups that the claim does not name.
        type: bool
      scopes:
        description:
          - The scopes that are asked for, in any order.
        type: list
        elements: str
      prompt:
        description:
          - Whether the provider asks for a login or consent, for example V(login).
        type: str
      acr_values:
        description:
          - The authentication that the provider is asked for.
        type: str
      query_userinfo:
        description:
          - Whether claims are asked for at the userinfo endpoint as well.
        type: bool
      reset:
        description:
          - Options of this realm that go back to their default, whatever O(unlisted_options) says.
        type: list
        elements: str
notes:
  - C(remove_realm:<realm>) is the consent to remove a realm that has users. They stay, and can no longer log in.
  - Nobody locks itself out. What would remove or switch off the user or token this task logs in as, or take away the
    rights with which it could undo the change, is refused. Log in as somebody who keeps them.
  - Needs the privilege Realm.Allocate on C(/access/realm), and Sys.Audit there to read it. See C(docs/access.md).
seealso:
  - module: hospital.continuity.pve_realm_sync
  - module: hospital.continuity.pve_user
  - module: hospital.continuity.pve_info
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
- name: The hospital's directory
  hospital.continuity.pve_realm:
    config:
      - realm: hospital
        type: ldap
        comment: Staff
        server1: ldap1.hospital.example
        server2: ldap2.hospital.example
        mode: ldaps
        verify: true
        base_dn: ou=staff,dc=hospital,dc=example
        user_attr: uid
        bind_dn: cn=proxmox,dc=hospital,dc=example
        password: "{{ ldap_password }}"
        sync_attributes: {email: mail, firstname: givenName, lastname: sn}
        sync_defaults_options: {scope: both, enable-new: true}
  vars:
    ldap_password: from-the-vault-1

- name: It is proposed at the login
  hospital.continuity.pve_realm:
    config:
      - realm: hospital
        default: true
"""

RETURN = r"""
steps:
  description: One line for each step, with how it ended (V(planned) in check mode).
  returned: always
  type: list
  elements: str
  sample: ["done: create realm hospital"]
before:
  description: The realms a step was planned for, by name, as they were. Null for one that did not exist.
  returned: always
  type: dict
  sample: {"hospital": null}
after:
  description: The same, as they were found afterwards, or as planned in check mode.
  returned: always
  type: dict
  sample: {"hospital": {"realm": "hospital", "type": "ldap", "server1": "ldap1.hospital.example"}}
unmet:
  description: Always empty, because a realm has nothing to wait for.
  returned: always
  type: list
  elements: str
  sample: []
"""

from ansible_collections.hospital.continuity.plugins.module_utils.pve.access import AccessBackend
from ansible_collections.hospital.continuity.plugins.module_utils.pve.kinds.realm import REALM
from ansible_collections.hospital.continuity.plugins.module_utils.pve.module import run


def main() -> None:
    run(REALM, AccessBackend)


if __name__ == "__main__":
    main()
