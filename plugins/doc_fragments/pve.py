# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How to reach and log in to a Proxmox VE API: the options of all pve_* modules and of the inventory plugin."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  api_host:
    description:
      - Nodes of the cluster to talk to, the first choice first. The next one is used when one cannot be reached.
      - An entry is a name or address, with a port of its own if it needs one, as in V(pve1.example.org),
        V(pve1:8006), V([2001:db8::1]:8006) or V(https://pve1:8006).
      - Taken from the environment variable E(PVE_HOST), separated by commas, if not given.
    type: list
    elements: str
  api_port:
    description:
      - Port of the API, for entries of O(api_host) that name none.
      - Taken from the environment variable E(PVE_PORT) if not given.
    type: int
    default: 8006
  api_token_id:
    description:
      - API token to log in with, as C(user@realm!name). The better choice for everything that a token is allowed to do.
      - Taken from the environment variable E(PVE_TOKEN_ID) if not given.
    type: str
  api_token_secret:
    description:
      - Secret of the token in O(api_token_id).
      - Taken from the environment variable E(PVE_TOKEN_SECRET) if not given.
    type: str
  api_user:
    description:
      - User to log in as with O(api_password), with the realm, as in V(root@pam). A token does not need it.
      - Taken from the environment variable E(PVE_USER) if not given.
    type: str
  api_password:
    description:
      - Password of O(api_user). Cannot be given together with a token.
      - Taken from the environment variable E(PVE_PASSWORD) if not given.
    type: str
  api_otp:
    description:
      - One-time password, for users with a second factor. Six digits are taken as TOTP; other kinds are written with
        their name, as in C(recovery:CODE).
      - Taken from the environment variable E(PVE_OTP) if not given.
    type: str
  ca_path:
    description:
      - File (or directory) with the CA certificate that the API's certificate is checked against. The cluster's own is
        C(/etc/pve/pve-root-ca.pem) on every node.
      - Without it the system's CAs count. E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE) never do.
      - Taken from the environment variable E(PVE_CA) if not given.
    type: path
  validate_certs:
    description:
      - Whether to check the API's certificate. With V(false) anybody on the way can read and change everything,
        the credentials included.
      - Taken from the environment variable E(PVE_VALIDATE_CERTS) if not given.
    type: bool
    default: true
  api_timeout:
    description: How long to wait for the answer to one request, in seconds.
    type: float
    default: 60
  task_timeout:
    description: How long to wait for a task to end, and for a lock that somebody else holds, in seconds.
    type: float
    default: 600
  api_parallel:
    description: The largest number of requests under way at the same time.
    type: int
    default: 16
requirements:
  - proxmoxer >= 2.2
  - requests (with urllib3)
"""

    # What a plugin says in addition: ansible itself reads the environment for it.
    PLUGIN = r"""
options:
  api_host:
    env:
      - name: PVE_HOST
  api_port:
    env:
      - name: PVE_PORT
  api_token_id:
    env:
      - name: PVE_TOKEN_ID
  api_token_secret:
    env:
      - name: PVE_TOKEN_SECRET
  api_user:
    env:
      - name: PVE_USER
  api_password:
    env:
      - name: PVE_PASSWORD
  api_otp:
    env:
      - name: PVE_OTP
  ca_path:
    env:
      - name: PVE_CA
  validate_certs:
    env:
      - name: PVE_VALIDATE_CERTS
"""
