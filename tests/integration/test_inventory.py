# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The inventory as people use it: ansible-inventory on files, against simulated clusters."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.hospital.continuity.plugins.inventory import pve as plugin
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import (
    ENVIRONMENT,
    Connection,
    options_from_environment,
)
from lab.pve import Lab

NAME = "hospital.continuity.pve"


class Ansible:
    """Runs ansible-inventory in a directory of its own."""

    def __init__(self, directory: Path, lab: Lab) -> None:
        self.directory = directory
        self.environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT.values()}
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "ANSIBLE_CONFIG"):
            self.environment.pop(name, None)
        self.environment.update(lab.environment(), HOME=str(directory), ANSIBLE_NOCOLOR="1", COLUMNS="2000")
        self.messages = ""

    def write(self, name: str, **options: Any) -> Path:
        file = self.directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"plugin": NAME, **options}), encoding="utf-8")
        return file

    def run(self, source: Path, *arguments: str, program: str = "inventory", **variables: str) -> str:
        command = [sys.executable, "-m", "ansible", program, "-i", str(source), *(arguments or ("--list",))]
        environment = {**self.environment, **variables}
        done = subprocess.run(command, env=environment, cwd=self.directory, capture_output=True, text=True, check=False)
        self.messages = " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, done.stderr
        return done.stdout

    def inventory(self, source: Path, *arguments: str, **variables: str) -> Inventory:
        return Inventory(json.loads(self.run(source, "--list", *arguments, **variables)))

    def list(self, **options: Any) -> Inventory:
        return self.inventory(self.write("hospital.pve.yml", **options))


class Inventory:
    """What `ansible-inventory --list` prints."""

    def __init__(self, listing: dict[str, Any]) -> None:
        self.hosts: dict[str, dict[str, Any]] = plain(listing["_meta"]["hostvars"])
        self.groups = {name: set(group.get("hosts", [])) for name, group in listing.items() if name != "_meta"}

    @property
    def guests(self) -> set[str]:
        return {name for name, variables in self.hosts.items() if variables.get("pve_vmid")}


def plain(value: Any) -> Any:
    """Without the marks that ansible-inventory puts on texts that are no templates."""
    if isinstance(value, dict):
        if set(value) == {"__ansible_unsafe"}:
            return value["__ansible_unsafe"]
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list) else value


@pytest.fixture(scope="module")
def _served() -> Iterator[Lab]:
    with Lab(nodes=3) as lab:
        yield lab


@pytest.fixture(scope="module")
def _other() -> Iterator[Lab]:
    with Lab(nodes=1) as lab:
        yield lab


@pytest.fixture
def lab(_served: Lab) -> Lab:
    _served.reset()
    _served.latency = 0.0
    return _served


@pytest.fixture
def other(_other: Lab) -> Lab:
    _other.reset()
    return _other


@pytest.fixture
def ansible(tmp_path: Path, lab: Lab) -> Ansible:
    return Ansible(tmp_path, lab)


def client(lab: Lab) -> Client:
    return Client(Connection.from_options(options_from_environment(lab.environment())))


def asked(lab: Lab) -> list[str]:
    return [request.path for request in lab.requests]


# --- what is asked


@pytest.mark.parametrize("size", [0, 7, 300])
def test_two_requests_whatever_the_size(ansible: Ansible, lab: Lab, size: int) -> None:
    lab.add_guests(size, running=True, agent=True)
    inventory = ansible.list()
    assert sorted(asked(lab)) == ["/cluster/resources", "/cluster/status"]
    assert len(inventory.guests) == size
    assert inventory.groups["pve_nodes"] == {"pve1", "pve2", "pve3"}


def test_with_facts_a_request_a_guest_and_one_more_for_its_addresses(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, first_vmid=100, running=True, agent=True)
    lab.add_guests(2, first_vmid=200, running=True, agent=False)
    lab.add_guests(2, first_vmid=300, running=False, agent=True)
    lab.add_guests(2, first_vmid=400, running=True, kind="lxc")
    lab.add_guests(1, first_vmid=500, running=False, kind="lxc")
    inventory = ansible.list(want_facts=True)
    paths = asked(lab)
    assert len(paths) == len(set(paths)) == 2 + 10 + 3 + 2
    assert sum(path.endswith("/config") for path in paths) == 10
    assert sum(path.endswith("/agent/network-get-interfaces") for path in paths) == 3
    assert sum(path.endswith("/interfaces") for path in paths) == 2
    web = inventory.hosts["vm100"]
    assert web["pve_config"]["net0"]["bridge"] == "vmbr0"
    assert web["pve_config"]["scsi0"]["size"] == "8G"
    assert web["ansible_host"] == web["pve_addresses"][0]
    assert web["pve_interfaces"][0]["macaddr"] == web["pve_config"]["net0"]["macaddr"]
    assert "ansible_host" not in inventory.hosts["vm200"]
    assert inventory.hosts["ct400"]["ansible_host"]


def test_facts_are_read_in_parallel(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(60, running=True, agent=True)
    lab.latency = 0.1
    began = time.monotonic()
    inventory = ansible.list(want_facts=True)
    took = time.monotonic() - began
    assert len(inventory.guests) == 60
    assert took < 122 * 0.1 / 2, "one after another it would take twelve seconds"


def test_nothing_but_reading(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, running=True, agent=True)
    ansible.list(want_facts=True)
    assert lab.writes == []


# --- hosts, variables and groups


def test_groups_and_variables(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(4, first_vmid=100, running=True)
    lab.add_guests(1, first_vmid=200, kind="lxc")
    lab.set_config(100, tags="pacs;x-ray")
    lab.set_config(103, template=1)
    with client(lab) as api:
        api.post("/pools", {"poolid": "icu", "comment": "x"})
        api.put("/pools", {"poolid": "icu", "vms": "101,200"})
        api.post("/cluster/ha/resources", {"sid": "vm:101", "state": "started"})
    inventory = ansible.list()
    groups, hosts = inventory.groups, inventory.hosts
    assert groups["pve_qemu"] == {"vm100", "vm101", "vm102", "vm103"}
    assert groups["pve_lxc"] == {"ct200"}
    assert groups["pve_guests"] == inventory.guests
    assert groups["pve_nodes"] == groups["pve_status_online"] == {"pve1", "pve2", "pve3"}
    assert "ct200" in groups["pve_status_stopped"]
    assert groups["pve_pool_icu"] == {"vm101", "ct200"}
    assert groups["pve_tag_pacs"] == groups["pve_tag_x_ray"] == {"vm100"}
    assert groups["pve_node_pve2"] == {"vm101"}
    assert groups["pve_ha_started"] == {"vm101"}
    assert groups["pve_templates"] == {"vm103"}
    assert groups["pve_cluster_lab"] == set(hosts)
    assert "pve_on_offline_node" not in groups
    expected = {"pve_vmid": 101, "pve_node": "pve2", "pve_type": "qemu", "pve_status": "running", "pve_pool": "icu"}
    assert expected.items() <= hosts["vm101"].items()
    assert hosts["vm101"]["pve_hastate"] == "started"
    assert hosts["vm100"]["pve_tags"] == ["pacs", "x-ray"]
    assert hosts["pve1"]["ansible_host"] == "10.99.0.11"
    assert (hosts["pve1"]["pve_type"], hosts["pve1"]["pve_vmid"]) == ("node", None)


def test_every_variable_is_documented(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1, running=True, agent=True)
    hosts = ansible.list(want_facts=True).hosts
    documented = plugin.DOCUMENTATION
    for host in hosts.values():
        assert not [name for name in host if name.startswith("pve_") and f"C({name})" not in documented]


def test_two_guests_of_one_name_and_one_without(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(4, first_vmid=100)
    for vmid in (101, 102):
        lab.set_config(vmid, name="web")
    lab.set_config(103, name=None)
    for _attempt in range(2):
        hosts = ansible.list().hosts
        assert {name: hosts[name]["pve_vmid"] for name in ("web", "web_102", "vm-103", "vm100")} == {
            "web": 101,
            "web_102": 102,
            "vm-103": 103,
            "vm100": 100,
        }


def test_a_guest_that_pve_knows_little_of_has_a_host(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1, first_vmid=100)
    lab.forget_status(100)
    assert ansible.list().hosts["vm-100"]["pve_status"] == "unknown"


@pytest.mark.parametrize("want_facts", [False, True])
def test_guests_of_an_offline_node_stay_and_are_marked(ansible: Ansible, lab: Lab, want_facts: bool) -> None:
    lab.add_guests(6, first_vmid=100, running=True, agent=True)
    lab.node_offline("pve2")
    inventory = ansible.list(want_facts=want_facts)
    assert len(inventory.guests) == 6
    assert inventory.groups["pve_on_offline_node"] == inventory.groups["pve_node_pve2"] == {"vm101", "vm104"}
    assert inventory.hosts["vm101"]["pve_node_status"] == "offline"
    assert inventory.hosts["vm100"]["pve_node_status"] == "online"
    assert inventory.groups["pve_status_offline"] == {"pve2"}
    assert not any(path.startswith("/nodes/pve2/") for path in asked(lab)), "it cannot answer"
    assert ("pve_config" in inventory.hosts["vm100"]) is want_facts


def test_a_node_that_goes_off_meanwhile_costs_its_facts_only(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(6, first_vmid=100, running=True, agent=True)
    lab.fail_requests("GET", "^/nodes/pve2/", status=595, reason="No route to host", times=99)
    inventory = ansible.list(want_facts=True)
    assert len(inventory.guests) == 6
    assert "pve_config" not in inventory.hosts["vm101"]
    assert "pve_config" in inventory.hosts["vm100"]
    assert "2 of 6 guests" in ansible.messages
    assert "pve2" in ansible.messages


def test_an_agent_that_does_not_answer_is_no_failure(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(2, first_vmid=100, running=True, agent=True)
    lab.fail_requests("GET", "/qemu/100/agent/", reason="QEMU guest agent is not running", times=9)
    hosts = ansible.list(want_facts=True).hosts
    assert hosts["vm100"]["pve_addresses"] == []
    assert hosts["vm101"]["pve_addresses"] != []
    assert "WARNING" not in ansible.messages


def test_what_a_guest_is_called_or_described_as_is_never_a_template(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1, first_vmid=100)
    lab.set_config(100, description="{{ lookup('pipe', 'touch " + str(ansible.directory / "broken") + "') }}")
    source = ansible.write("hospital.pve.yml", want_facts=True, compose={"again": "pve_config.description"})
    play = "ansible.builtin.debug", "-a", "msg={{ again }}"
    shown = ansible.run(source, "vm100", "-m", *play, program="adhoc")
    assert "lookup" in shown
    assert not (ansible.directory / "broken").exists()


# --- filters and constructed variables


def test_filters_decide_before_anything_is_asked(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(6, first_vmid=100, running=True)
    lab.add_guests(6, first_vmid=200, running=False)
    inventory = ansible.list(
        want_facts=True,
        filters=[
            {"exclude": "pve_vmid == 101"},
            {"include": "pve_type == 'node' and pve_name == 'pve1'"},
            {"include": "pve_status == 'running' and inventory_hostname is match('vm10')"},
            {"exclude": True},
        ],
    )
    assert set(inventory.hosts) == {"pve1", "vm100", "vm102", "vm103", "vm104", "vm105"}
    assert sum(path.endswith("/config") for path in asked(lab)) == 5


def test_filters_on_facts(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(4, first_vmid=100)
    lab.set_config(102, ostype="win8")
    inventory = ansible.list(
        want_facts=True,
        filters=[
            {"exclude": "pve_vmid == 100"},
            {"include": "pve_config.ostype | default('') == 'win8'"},
            {"exclude": True},
        ],
    )
    assert set(inventory.hosts) == {"vm102"}
    assert sum(path.endswith("/config") for path in asked(lab)) == 3


def test_filters_that_make_no_sense(ansible: Ansible, lab: Lab) -> None:
    for wrong in ([{"include": "true", "exclude": "true"}], [{"only": "true"}]):
        ansible.run(ansible.write("hospital.pve.yml", filters=wrong))
        assert "either include or exclude" in ansible.messages
    assert ansible.list(filters=[{"exclude": "nonsense.at.all"}]).groups["pve_nodes"]
    assert "'nonsense.at.all' could be evaluated for no host and counts as false" in ansible.messages
    lab.add_guests(1, first_vmid=100)
    assert ansible.list(filters=[{"exclude": "pve_config.cores == 9"}, {"exclude": "pve_vmid == 100"}]).hosts
    ansible.run(ansible.write("hospital.pve.yml", filters=[{"include": "pve_status = 'running'"}]))
    assert "\"pve_status = 'running'\" is not an expression of Jinja2" in ansible.messages
    ansible.run(ansible.write("hospital.pve.yml", strict=True, filters=[{"exclude": "nonsense.at.all"}]))
    assert "nonsense.at.all" in ansible.messages


def test_an_option_that_is_spelled_wrong_is_named(ansible: Ansible, lab: Lab) -> None:
    ansible.list(filter=[{"exclude": "pve_pool == 'test'"}])
    assert "filter is no option of this plugin; is filters meant?" in ansible.messages


def test_nodes_and_guests_take_part_in_constructed_variables_and_groups(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, first_vmid=100)
    lab.set_config(101, tags="web")
    inventory = ansible.list(
        compose={"ansible_user": "'root' if pve_type == 'node' else 'ansible'", "where": "pve_node ~ '!'"},
        groups={"even": "pve_vmid | default(1, true) % 2 == 0", "shouting": "where is match('.*!')"},
        keyed_groups=[{"key": "pve_type", "prefix": "kind"}, {"key": "pve_tags", "prefix": "label"}],
    )
    assert inventory.hosts["pve1"]["ansible_user"] == "root"
    assert inventory.hosts["vm101"]["ansible_user"] == "ansible"
    assert inventory.groups["even"] == {"vm100", "vm102"}
    assert inventory.groups["kind_node"] == {"pve1", "pve2", "pve3"}
    assert inventory.groups["label_web"] == {"vm101"}
    assert inventory.groups["shouting"] == set(inventory.hosts)


def test_strict_is_strict(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1)
    assert "oops" not in ansible.list(compose={"oops": "no.such.thing"}).hosts["vm100"]
    ansible.run(ansible.write("hospital.pve.yml", strict=True, compose={"oops": "no.such.thing"}))
    assert "oops" in ansible.messages


# --- several clusters


def test_two_clusters_in_one_inventory_share_nothing(ansible: Ansible, lab: Lab, other: Lab) -> None:
    lab.add_guests(3, first_vmid=100)
    other.add_guests(2, first_vmid=100)
    for each in (lab, other):
        with client(each) as api:
            api.post("/pools", {"poolid": "icu"})
            api.put("/pools", {"poolid": "icu", "vms": "100"})
    ansible.write("inventory/a-hospital.pve.yml", cluster="hospital")
    # The second cluster from variables of its own, as in the example of Cordoba.
    template = "{{{{ lookup('ansible.builtin.env', 'TEST_{}') }}}}"
    own = ("api_host", "api_token_id", "api_token_secret", "ca_path")
    ansible.write("inventory/b-test.pve.yaml", cluster="test", **{name: template.format(name) for name in own})
    values = (f"127.0.0.1:{closed_port()},{other.url}", other.token_id, other.token_secret, other.ca)
    ansible.environment.update({f"TEST_{name}": value for name, value in zip(own, values, strict=True)})
    (ansible.directory / "inventory" / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": {"pfsense": {}, "vm101": {"by_hand": True}}}})
    )
    inventory = ansible.inventory(ansible.directory / "inventory")
    hosts, groups = inventory.hosts, inventory.groups
    assert inventory.guests == {"vm100", "vm101", "vm102", "vm100_test", "vm101_test"}
    assert groups["pve_nodes"] == {"pve1", "pve2", "pve3", "pve1_test"}
    assert (hosts["vm100"]["pve_cluster"], hosts["vm100_test"]["pve_cluster"]) == ("hospital", "test")
    assert groups["pve_cluster_test"] == {"vm100_test", "vm101_test", "pve1_test"}
    assert groups["pve_hospital_pool_icu"] == {"vm100"}
    assert groups["pve_test_pool_icu"] == {"vm100_test"}
    assert groups["pve_test_node_pve1"] == {"vm100_test", "vm101_test"}
    # What was written by hand about a guest is about that guest.
    assert hosts["vm101"]["by_hand"] is True
    assert "by_hand" not in hosts["vm101_test"]
    assert "pfsense" in groups["ungrouped"]


def test_the_same_cluster_twice_is_one(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, first_vmid=100)
    ansible.write("inventory/a.pve.yml", filters=[{"include": "pve_vmid == 100"}, {"exclude": True}])
    ansible.write("inventory/b.pve.yml")
    assert ansible.inventory(ansible.directory / "inventory").guests == {"vm100", "vm101", "vm102"}


def test_groups_with_a_prefix_of_their_own(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1, first_vmid=100)
    groups = ansible.list(group_prefix="zaho_").groups
    assert groups["zaho_guests"] == {"vm100"}
    assert not [name for name in groups if name.startswith("pve_")]


# --- the cache, and an API that is down


def cached(directory: Path, **options: Any) -> dict[str, Any]:
    return {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(directory / "cache"),
        **options,
    }


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def age_by(directory: Path, seconds: float) -> None:
    """Let the cache have been written earlier: its own date and the file's."""
    (file,) = (directory / "cache").iterdir()
    content = json.loads(file.read_text())
    stored = content.get("__payload__")
    payload = json.loads(stored) if stored else content
    payload["time"] -= seconds
    file.write_text(json.dumps({**content, "__payload__": json.dumps(payload)} if stored else payload))
    then = time.time() - seconds
    os.utime(file, (then, then))


def test_a_fresh_cache_is_used_and_the_api_is_left_alone(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, running=True, agent=True)
    options = cached(ansible.directory, want_facts=True)
    first = ansible.list(**options)
    lab.reset_counters()
    second = ansible.list(**options)
    assert asked(lab) == []
    assert (second.hosts, second.groups) == (first.hosts, first.groups)
    # Filters and constructed variables are not cached.
    assert set(ansible.list(**options, filters=[{"exclude": "pve_vmid != 101"}]).hosts) == {"vm101"}
    assert asked(lab) == []


def test_a_cache_that_lacks_what_is_wanted_is_read_again(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3)
    ansible.list(**cached(ansible.directory))
    assert "pve_config" in ansible.list(**cached(ansible.directory, want_facts=True)).hosts["vm100"]


def test_an_expired_cache_is_renewed(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1, first_vmid=100)
    ansible.list(**cached(ansible.directory, cache_timeout=60))
    lab.add_guests(1, first_vmid=200)
    assert ansible.list(**cached(ansible.directory, cache_timeout=60)).guests == {"vm100"}
    age_by(ansible.directory, 61)
    assert ansible.list(**cached(ansible.directory, cache_timeout=60)).guests == {"vm100", "vm200"}
    lab.add_guests(1, first_vmid=300)
    source = ansible.write("hospital.pve.yml", **cached(ansible.directory))
    play = ansible.directory / "play.yml"
    play.write_text("- hosts: all\n")
    shown = ansible.run(source, str(play), "--list-hosts", "--flush-cache", program="playbook")
    assert "vm300" in shown


@pytest.mark.parametrize("want_facts", [False, True])
def test_with_the_api_down_an_old_cache_is_used_and_its_age_said(ansible: Ansible, lab: Lab, want_facts: bool) -> None:
    lab.add_guests(5, running=True, agent=True)
    options = cached(ansible.directory, want_facts=want_facts, cache_timeout=60)
    before = ansible.list(**options)
    assert len(before.guests) == 5
    age_by(ansible.directory, 3 * 3600)
    dead = str(closed_port())
    source = ansible.directory / "hospital.pve.yml"
    lab.fail_requests("GET", "^/cluster/", status=0, times=99)
    down = ansible.inventory(source)
    assert down.hosts == before.hosts
    assert down.groups == before.groups
    assert "3 h ago" in ansible.messages
    assert "WARNING" in ansible.messages
    assert lab.host in ansible.messages
    # The next one is another cluster's.
    ansible.run(source, PVE_PORT=dead)
    assert "could be reached" in ansible.messages
    assert "ago instead" not in ansible.messages


def test_with_the_api_down_and_no_cache_the_error_is_clear(ansible: Ansible, lab: Lab) -> None:
    dead = str(closed_port())
    for options in ({}, cached(ansible.directory)):
        inventory = Inventory(json.loads(ansible.run(ansible.write("hospital.pve.yml", **options), PVE_PORT=dead)))
        assert inventory.hosts == {}
        assert f"https://127.0.0.1:{dead}" in ansible.messages
        assert "refused" in ansible.messages
        assert "PVE_HOST" in ansible.messages


# --- connection


def test_the_next_host_is_asked_where_one_is_down(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(2)
    source = ansible.write("hospital.pve.yml")
    hosts = f"127.0.0.1:{closed_port()},{lab.host}:{lab.port}"
    assert len(ansible.inventory(source, PVE_HOST=hosts).guests) == 2
    assert len(ansible.list(api_host=hosts.split(",")).guests) == 2


def test_no_ca_variable_has_a_say(ansible: Ansible, lab: Lab, other: Lab) -> None:
    lab.add_guests(2)
    for bundle in (other.ca, "/no/such/file"):
        variables = {"REQUESTS_CA_BUNDLE": bundle, "CURL_CA_BUNDLE": bundle}
        source = ansible.write("hospital.pve.yml")
        assert len(ansible.inventory(source, **variables).guests) == 2
        source = ansible.write("hospital.pve.yml", validate_certs=False)
        assert len(ansible.inventory(source, PVE_CA="", **variables).guests) == 2
        assert "WARNING" not in ansible.messages


def test_a_wrong_ca_is_named(ansible: Ansible, lab: Lab, other: Lab) -> None:
    ansible.run(ansible.write("hospital.pve.yml", ca_path=other.ca))
    assert other.ca in ansible.messages
    assert "ca_path" in ansible.messages
    assert lab.requests == []


def test_what_is_missing_is_named_and_nothing_secret_is_shown(ansible: Ansible, lab: Lab) -> None:
    source = ansible.write("hospital.pve.yml")
    ansible.run(source, PVE_TOKEN_SECRET="")
    assert "api_token_secret" in ansible.messages
    ansible.run(source, PVE_HOST="")
    assert "api_host" in ansible.messages
    shown = ansible.run(source, "--list", "-vvvvv", PVE_TOKEN_SECRET="wrong-secret-value")
    assert "PVE_TOKEN_SECRET" in ansible.messages
    assert "wrong-secret-value" not in ansible.messages + shown
    assert lab.token_secret not in ansible.messages + ansible.run(source, "--list", "-vvvvv")


def test_a_password_does_as_well(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(2)
    variables = {"PVE_TOKEN_ID": "", "PVE_TOKEN_SECRET": "", "PVE_USER": lab.user, "PVE_PASSWORD": lab.password}
    assert len(ansible.inventory(ansible.write("hospital.pve.yml"), **variables).guests) == 2
    assert sorted(asked(lab)) == ["/access/ticket", "/cluster/resources", "/cluster/status"]


def test_a_token_that_sees_nothing_is_told_so(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3)
    token, secret = lab.limited_token({})
    source = ansible.write("hospital.pve.yml")
    inventory = ansible.inventory(source, PVE_TOKEN_ID=token, PVE_TOKEN_SECRET=secret)
    assert inventory.guests == set()
    assert "VM.Audit" in ansible.messages
    assert token in ansible.messages
    token, secret = lab.limited_token({"/vms/101": ["VM.Audit"]})
    inventory = ansible.inventory(source, PVE_TOKEN_ID=token, PVE_TOKEN_SECRET=secret)
    assert inventory.guests == {"vm101"}
    assert "WARNING" not in ansible.messages
    assert "ansible_host" not in inventory.hosts["pve1"], "that needs Sys.Audit"


def test_only_files_with_its_name_are_read(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(1)
    ansible.run(ansible.write("hospital.yml"))
    assert lab.requests == []
    assert len(ansible.inventory(ansible.write("x.pve.yaml")).guests) == 1


# --- documentation


def test_the_examples_run_as_they_stand(ansible: Ansible, lab: Lab) -> None:
    lab.add_guests(3, running=True, agent=True)
    lab.set_config(101, tags="pacs", ostype="win10")
    examples = list(yaml.safe_load_all(plugin.EXAMPLES))
    assert len(examples) >= 4
    for example in examples:
        source = ansible.directory / "example.pve.yml"
        source.write_text(yaml.safe_dump(example))
        inventory = ansible.inventory(source)
        assert "WARNING" not in ansible.messages, (example, ansible.messages)
        assert {"vm100", "pve1"} <= set(inventory.hosts), example
        if "groups" in example:
            assert inventory.groups["windows"] == inventory.groups["tag_pacs"] == {"vm101"}
            assert inventory.hosts["vm100"]["bridge"] == "vmbr0"


def test_ansible_doc_shows_it(ansible: Ansible) -> None:
    command = [sys.executable, "-m", "ansible", "doc", "-t", "inventory", NAME]
    shown = subprocess.run(command, env=ansible.environment, capture_output=True, text=True, check=True).stdout
    for text in ("want_facts", "PVE_HOST", "api_token_id", "cache_timeout", "keyed_groups", "pve_on_offline_node"):
        assert text in shown
