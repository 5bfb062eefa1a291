# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The nodes and guests of a Proxmox VE cluster as an inventory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pve
short_description: Nodes and guests of a Proxmox VE cluster
version_added: 1.0.0
author: hospital.continuity contributors (!UNKNOWN)
description:
  - Lists the nodes, virtual machines and containers of a Proxmox VE cluster, with what the cluster knows about them.
  - The file's name ends in C(.pve.yml) or C(.pve.yaml). Each file is one cluster; an inventory may have several.
  - Without O(want_facts) this takes two requests, whatever the size of the cluster.
  - A guest whose node is offline stays in the inventory, in the group C(pve_on_offline_node).
  - Of several guests with one name, the one with the lowest vmid has the name and the others have theirs with their
    vmid, as in C(web_107). A guest without a name is C(vm-100), or C(ct-100) if it is a container. What another
    cluster of the same inventory has called so before gets the cluster's name, as in C(web_test).
extends_documentation_fragment:
  - hospital.continuity.pve
  - hospital.continuity.pve.plugin
  - constructed
  - inventory_cache
options:
  plugin:
    description: Says that the file is meant for this plugin.
    type: str
    required: true
    choices: [hospital.continuity.pve]
  cluster:
    description:
      - What to call the cluster in C(pve_cluster) and in groups. By default it has the name that it has itself.
      - Groups of nodes and pools, which mean something in their own cluster only, then have it in their names as well,
        as in C(pve_test_node_pve1) for V(test). Give each cluster one when an inventory has several.
    type: str
  group_prefix:
    description: What the names of all groups begin with that the plugin makes itself.
    type: str
    default: pve_
  want_facts:
    description:
      - Whether to read the configuration of each guest (one request a guest), and the addresses of the running ones
        that can tell them, through the QEMU agent or from the container (one more). They are read in parallel.
      - Adds C(pve_config), C(pve_interfaces), C(pve_addresses) and, from the first address, C(ansible_host).
    type: bool
    default: false
  filters:
    description:
      - Which nodes and guests to take. A list of mappings, each with either C(include) or C(exclude) and a Jinja2
        expression. The first expression that is true decides; without one the host is taken.
      - Expressions on what is known without facts are evaluated before any guest's configuration is asked for.
    type: list
    elements: dict
    default: []
notes:
  - >-
    Every host has C(pve_cluster), C(pve_type) (V(node), V(qemu), V(lxc)), C(pve_name), C(pve_node), C(pve_status),
    C(pve_node_status) (V(online), V(offline)), C(pve_hastate), C(pve_maxcpu), C(pve_maxmem) and C(pve_maxdisk) (bytes);
    C(pve_vmid), C(pve_tags) (a list), C(pve_pool), C(pve_lock) and C(pve_template) mean something for guests and are
    empty for nodes.
  - >-
    C(pve_config) is the configuration under the API's own names, with network cards and disks taken apart, as in
    C(pve_config.net0.bridge); C(pve_interfaces) is a list of C(name), C(macaddr) and C(addresses); C(pve_addresses)
    is a list of those that others can use, IPv4 first.
  - >-
    The groups are C(pve_nodes), C(pve_guests), C(pve_qemu), C(pve_lxc), C(pve_templates), C(pve_on_offline_node),
    C(pve_cluster_CLUSTER), C(pve_status_STATUS), C(pve_tag_TAG), C(pve_ha_STATE), C(pve_node_NODE) and
    C(pve_pool_POOL). Characters that a group's name cannot have become underscores.
  - With C(cache) on, an old cache is used, with a warning, when the API cannot be reached.
  - >-
    A token needs the privilege C(VM.Audit) on the guests to see them, C(Pool.Audit) to see their pools, and
    C(Sys.Audit) on V(/) for the addresses of nodes and the cluster's name. What it may not see is missing without an
    error.
"""

EXAMPLES = r"""
# The smallest one, hospital.pve.yml: where the cluster is and who asks come from the environment
# (PVE_HOST, PVE_TOKEN_ID, PVE_TOKEN_SECRET, PVE_CA).
plugin: hospital.continuity.pve
---
# Everything in the file. Each of several nodes under api_host is tried; a secret comes from a lookup or a vault.
plugin: hospital.continuity.pve
api_host: "{{ lookup('ansible.builtin.env', 'PVE_HOST') }}"
api_token_id: "{{ lookup('ansible.builtin.env', 'PVE_TOKEN_ID') }}"
api_token_secret: "{{ lookup('ansible.builtin.env', 'PVE_TOKEN_SECRET') }}"
ca_path: "{{ lookup('ansible.builtin.env', 'PVE_CA') }}"
---
# The running guests outside of the test pool, with their addresses, and all nodes.
plugin: hospital.continuity.pve
want_facts: true
filters:
  - include: pve_type == 'node'
  - exclude: pve_pool == 'test' or pve_template
  - include: pve_status == 'running'
  - exclude: true
compose:
  ansible_user: "'root' if pve_type == 'node' else 'ansible'"
  bridge: pve_config.net0.bridge | default('')
groups:
  big: pve_maxmem >= 16 * 1024 ** 3
  windows: pve_config.ostype | default('') is match('win')
keyed_groups:
  - key: pve_tags
    prefix: tag
  - key: pve_config.ostype
    prefix: os
---
# The stand-alone test machine beside the hospital's cluster, its groups told apart; a cache for when it is off.
plugin: hospital.continuity.pve
cluster: test
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.ansible/tmp/pve
cache_timeout: 600
"""

import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable, get_cache_plugin
from jinja2 import Environment, TemplateSyntaxError

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import SubsystemError
from ansible_collections.hospital.continuity.plugins.module_utils.pve import resources
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import CONNECTION_ARGUMENTS, Connection
from ansible_collections.hospital.continuity.plugins.module_utils.pve.errors import (
    MissingLibrary,
    NotAuthenticated,
    NotPermitted,
    PveError,
)
from ansible_collections.hospital.continuity.plugins.module_utils.pve.resources import Member

if TYPE_CHECKING:
    from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client

try:
    from ansible.template import trust_as_template
except ImportError:  # before ansible-core 2.19 every text was a template unless it was marked
    from ansible.utils.unsafe_proxy import wrap_var as _untrusted

    def trust_as_template(value: str) -> str:
        return value
else:

    def _untrusted(value: Any) -> Any:
        return value


# A changed layout makes an older cache useless, not wrong.
CACHE_FORMAT = 1


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "hospital.continuity.pve"

    def verify_file(self, path: str) -> bool:
        return super().verify_file(path) and path.endswith((".pve.yml", ".pve.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        config = self._read_config_data(path)
        self._look_for_strangers(config)
        filters = self._filters()
        try:
            connection = Connection.from_options(self._connection_options(config))
            source = _Source(connection, self.get_option("want_facts"), self._warn)
            snapshot = self._snapshot(source, path, filters, use_cache=cache)
            self._populate(snapshot, source, filters)
            self._look_for_deaf(filters)
        except SubsystemError as problem:
            raise AnsibleParserError(str(problem)) from None

    # --- options

    def _connection_options(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """The connection's options, templates in them resolved: a secret may come from a lookup."""
        return {
            # A template is taken as it is written: as an option it has been split at commas or made a path.
            name: self._resolved(config[name]) if _is_template(config.get(name)) else self.get_option(name)
            for name in CONNECTION_ARGUMENTS
        }

    def _resolved(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._resolved(each) for each in value]
        return self.templar.template(value) if _is_template(value) else value

    def _filters(self) -> list[_Filter]:
        found = []
        for entry in self.get_option("filters"):
            if len(entry) != 1 or next(iter(entry)) not in {"include", "exclude"}:
                raise AnsibleParserError(f"filters: each needs either include or exclude, and nothing else: {entry}")
            ((word, expression),) = entry.items()
            try:
                Environment().parse(f"{{{{ ({expression}) }}}}")  # noqa: S701 - parsed only, nothing is rendered
            except TemplateSyntaxError as problem:
                raise AnsibleParserError(
                    f"filters: {word}: {str(expression)!r} is not an expression of Jinja2: {problem.message}"
                ) from None
            found.append(_Filter(word == "include", str(expression)))
        return found

    def _look_for_strangers(self, config: Mapping[str, Any]) -> None:
        """An option that is spelled wrong would do nothing, and let through what a filter was meant to keep out."""
        known = sorted(self.get_options())
        for name in config:
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                self._warn(f"{name} is no option of this plugin" + (f"; is {near[0]} meant?" if near else "."))

    def _look_for_deaf(self, filters: Sequence[_Filter]) -> None:
        """An expression that cannot be evaluated for a host is false there; for all hosts, it is a typing error."""
        for each in filters:
            if each.problems and not each.answers:
                word = "include" if each.include else "exclude"
                self._warn(
                    f"filters: {word}: {each.expression!r} could be evaluated for no host and counts as false: "
                    f"{each.problems[-1]}"
                )

    def _warn(self, text: str) -> None:
        self.display.warning(text)

    # --- what there is: from the cache or from the API

    def _snapshot(self, source: _Source, path: str, filters: Sequence[_Filter], *, use_cache: bool) -> dict[str, Any]:
        if not self.get_option("cache"):
            return self._fetched(source, filters)
        # The cache plugin would drop what has expired; here that is still the best there is when the API is down.
        self._cache = self._cache_without_expiry()
        key = self.get_cache_key(path)
        cached = self._cache.get(key)
        if not isinstance(cached, Mapping) or cached.get("origin") != source.origin:
            cached = None
        age = time.time() - cached["time"] if cached else 0.0
        timeout = self.get_option("cache_timeout")
        fresh = cached and (timeout == 0 or 0 <= age <= timeout)
        if use_cache and fresh and self._covers(cached, source, filters):
            return dict(cached)
        try:
            snapshot = self._fetched(source, filters)
        except PveError as problem:
            if not cached or isinstance(problem, (NotAuthenticated, NotPermitted, MissingLibrary)):
                raise
            self._warn(f"{problem} Using the cache from {_ago(age)} ago instead.")
            return dict(cached)
        self._cache[key] = snapshot
        return snapshot

    def _cache_without_expiry(self) -> Any:
        options = {"_timeout": 0}
        for keyword, option in (("_uri", "cache_connection"), ("_prefix", "cache_prefix")):
            if self.get_option(option) is not None:
                options[keyword] = self.get_option(option)
        return get_cache_plugin(self.get_option("cache_plugin"), **options)

    def _covers(self, cached: Mapping[str, Any], source: _Source, filters: Sequence[_Filter]) -> bool:
        """Whether the cache has the facts of every guest that is wanted now."""
        if not source.want_facts:
            return True
        return all(
            member.identity in cached["facts"] for member in self._wanted(cached, filters) if source.asks_about(member)
        )

    def _fetched(self, source: _Source, filters: Sequence[_Filter]) -> dict[str, Any]:
        with source.opened():
            snapshot = source.listing()
            if source.want_facts:
                snapshot["facts"] = source.facts(self._wanted(snapshot, filters))
        return snapshot

    def _members(self, snapshot: Mapping[str, Any]) -> list[Member]:
        return resources.members(snapshot["resources"], snapshot["status"], self.get_option("cluster") or "")

    def _wanted(self, snapshot: Mapping[str, Any], filters: Sequence[_Filter]) -> list[Member]:
        """What the filters leave, as far as they can tell without facts."""
        listed = self._members(snapshot)
        names = resources.host_names(listed) if filters else {}
        return [
            member
            for member in listed
            if not filters or self._taken(filters, _host_variables(member, names[member.identity], {}), final=False)
        ]

    def _taken(self, filters: Sequence[_Filter], variables: Mapping[str, Any], *, final: bool) -> bool:
        for each in filters:
            if each.needs_facts and not final:
                return True
            name = variables["inventory_hostname"]
            if each.needs_facts:
                decides = self._is_true(each, variables)
            else:
                # Asked before and after the facts were read, with the same answer.
                decides = each.known.setdefault(name, None)
                if decides is None:
                    decides = each.known[name] = self._is_true(each, variables)
            if decides:
                return each.include
        return True

    def _is_true(self, each: _Filter, variables: Mapping[str, Any]) -> bool:
        try:
            answer = bool(self._compose(trust_as_template(f"true if ({each.expression}) else false"), variables))
        except Exception as problem:  # noqa: BLE001 - what a template can raise has no common base
            if self.get_option("strict"):
                name = variables.get("inventory_hostname")
                raise AnsibleParserError(
                    f"filters: {each.expression!r} cannot be evaluated for {name}: {problem}"
                ) from None
            each.problems.append(str(problem))
            return False
        each.answers += 1
        return answer

    # --- the inventory

    def _populate(self, snapshot: Mapping[str, Any], source: _Source, filters: Sequence[_Filter]) -> None:
        listed = self._members(snapshot)
        names = resources.host_names(listed)
        prefix = self.get_option("group_prefix")
        local = f"{prefix}{self.get_option('cluster')}_" if self.get_option("cluster") else prefix
        constructed = {name: self.get_option(name) for name in ("compose", "groups", "keyed_groups")}
        group = self._group_maker()
        for member in listed:
            facts = snapshot["facts"].get(member.identity) or {} if source.want_facts else {}
            variables = _host_variables(member, names[member.identity], facts)
            if filters and not self._taken(filters, variables, final=True):
                continue
            host = self._host_for(member, names[member.identity])
            variables.pop("inventory_hostname")
            self.inventory.add_host(host)
            for name, value in variables.items():
                self.inventory.set_variable(host, name, _untrusted(value))
            for name in resources.groups(member, prefix=prefix, local_prefix=local):
                self.inventory.add_child(group(name), host)
            if any(constructed.values()):
                self._construct(host, constructed)

    def _group_maker(self) -> Callable[[str], str]:
        made: dict[str, str] = {}

        def group(name: str) -> str:
            if name not in made:
                made[name] = self.inventory.add_group(self._sanitize_group_name(name))
            return made[name]

        return group

    def _host_for(self, member: Member, name: str) -> str:
        """The host's name; another one where an earlier source has something else by that name."""
        while True:
            known = self.inventory.get_host(name)
            if known is None:
                return name
            earlier = known.get_vars()
            # A host without these was written by hand, to say more about the same machine.
            if "pve_type" not in earlier or _identity(earlier) == (member.cluster, member.identity):
                return name
            name = f"{name}_{member.cluster or member.vmid or member.node}"

    def _construct(self, host: str, constructed: Mapping[str, Any]) -> None:
        strict = self.get_option("strict")
        variables = {**self.inventory.get_host(host).get_vars(), "inventory_hostname": host}
        self._set_composite_vars(constructed["compose"], variables, host, strict=strict)
        variables = {**self.inventory.get_host(host).get_vars(), "inventory_hostname": host}
        self._add_host_to_composed_groups(constructed["groups"], variables, host, strict=strict, fetch_hostvars=False)
        self._add_host_to_keyed_groups(
            constructed["keyed_groups"], variables, host, strict=strict, fetch_hostvars=False
        )


class _Filter:
    """One entry of `filters`."""

    def __init__(self, include: bool, expression: str) -> None:
        self.include = include
        self.expression = expression
        self.needs_facts = any(name in expression for name in resources.FACTS)
        self.known: dict[str, bool | None] = {}
        self.answers = 0
        self.problems: list[str] = []


class _Source:
    """The cluster's answers: what is asked, and what a refusal of a part of it means."""

    def __init__(self, connection: Connection, want_facts: bool, warn: Callable[[str], None]) -> None:
        self.want_facts = want_facts
        self.origin = {"format": CACHE_FORMAT, "hosts": list(connection.hosts), "user": connection.identity}
        self._connection = connection
        self._warn = warn
        self._client: Client | None = None

    def opened(self) -> Client:
        # Loading the HTTP libraries takes a tenth of a second, which a fresh cache makes unnecessary.
        from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client

        self._client = Client(self._connection)
        return self._client

    @property
    def client(self) -> Client:
        if self._client is None:
            raise RuntimeError("not opened")
        return self._client

    def listing(self) -> dict[str, Any]:
        """Both requests that a cluster of any size takes."""
        listed, status = self.client.get_many(["/cluster/resources", "/cluster/status"])
        if isinstance(listed, PveError):
            raise listed
        refused = isinstance(status, NotPermitted)
        if refused:
            status = []  # addresses of nodes are a convenience, Sys.Audit on / is a lot to ask for
        if isinstance(status, PveError):
            raise status
        self._look_for_blindness(listed, refused)
        return {"origin": self.origin, "time": time.time(), "resources": listed, "status": status, "facts": {}}

    def _look_for_blindness(self, listed: Sequence[Mapping[str, Any]], refused: bool) -> None:
        """No guest, and other things hidden too: the cluster may well have some that this token may not see."""
        kinds = {entry.get("type") for entry in listed}
        hidden = refused or not any("maxcpu" in entry for entry in listed if entry.get("type") == resources.NODE)
        if hidden and kinds.isdisjoint(resources.GUEST_TYPES):
            self._warn(
                f"The API shows no guest to {self._connection.identity}. If the cluster has some, VM.Audit is missing "
                "on /vms or on their pools: PVE leaves out what may not be seen, without an error."
            )

    @staticmethod
    def asks_about(member: Member) -> bool:
        """An offline node cannot answer for its guests."""
        return not member.is_node and member.online

    def facts(self, wanted: Sequence[Member]) -> dict[str, Any]:
        """What guests whose node can answer say, asked in parallel: `{config, interfaces}` by identity."""
        asked = [member for member in wanted if self.asks_about(member)]
        answers = self.client.run_parallel([_Question(self.client, member) for member in asked], stop=True)
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        for answer in refused:
            if not isinstance(answer, PveError) or answer.affects_everything:
                raise answer
        if refused:
            self._warn(
                f"The configuration of {len(refused)} of {len(asked)} guests is missing. First reason: {refused[0]}"
            )
        return {
            member.identity: None if isinstance(answer, Exception) else answer for member, answer in zip(asked, answers)
        }


class _Question:
    """What one guest is asked: its configuration, then its addresses where it can tell them."""

    def __init__(self, client: Client, member: Member) -> None:
        self._client = client
        self._member = member

    def __call__(self) -> dict[str, Any]:
        member = self._member
        config = self._client.get(f"{member.path}/config")
        return {"config": config, "interfaces": self._interfaces(config)}

    def _interfaces(self, config: Mapping[str, Any]) -> Any:
        member = self._member
        if member.status != "running":
            return None
        if member.kind == "qemu" and not resources.has_agent(config):
            return None
        leaf = "interfaces" if member.kind == "lxc" else "agent/network-get-interfaces"
        try:
            return self._client.get(f"{member.path}/{leaf}")
        except PveError as problem:
            if problem.affects_everything:
                raise
            return None  # an agent that is switched on and not installed is common, and no reason to complain


def _is_template(value: Any) -> bool:
    return any(map(_is_template, value)) if isinstance(value, list) else isinstance(value, str) and "{{" in value


def _host_variables(member: Member, name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **resources.variables(member),
        **resources.fact_variables(facts.get("config"), facts.get("interfaces")),
        "inventory_hostname": name,
    }


def _identity(variables: Mapping[str, Any]) -> tuple[Any, str]:
    """Which thing in which cluster a host of this plugin is."""
    vmid = variables.get("pve_vmid")
    return variables.get("pve_cluster"), f"guest/{vmid}" if vmid else f"node/{variables.get('pve_node')}"


def _ago(seconds: float) -> str:
    """An age for a person: 45 s, 12 min, 5 h, 3 days."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
