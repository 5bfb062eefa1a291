# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""What goes over the wire and what does not, what is tried again and what is not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.hospital.continuity.plugins.module_utils.pve import client as client_module
from ansible_collections.hospital.continuity.plugins.module_utils.pve import errors, session
from ansible_collections.hospital.continuity.plugins.module_utils.pve.client import Client, path
from ansible_collections.hospital.continuity.plugins.module_utils.pve.connection import Connection
from lab.pve import Lab

Connect = Callable[..., Client]


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def dead() -> str:
    """A host that refuses connections."""
    return f"127.0.0.1:{closed_port()}"


@pytest.fixture
def mute() -> Iterator[str]:
    """A host that accepts connections and then hangs up."""
    server = socket.create_server(("127.0.0.1", 0))

    def hang_up() -> None:
        while True:
            try:
                server.accept()[0].close()
            except OSError:
                return

    threading.Thread(target=hang_up, daemon=True).start()
    yield f"127.0.0.1:{server.getsockname()[1]}"
    server.close()


# --- exactly the requests that are needed


def test_a_token_needs_no_request_of_its_own(connect: Connect, pve_lab: Lab) -> None:
    client = connect()
    assert pve_lab.requests == []
    client.get("/cluster/status")
    assert [(r.method, r.path) for r in pve_lab.requests] == [("GET", "/cluster/status")]
    assert (client.requests, client.writes) == (1, 0)


def test_writes_are_counted_and_reads_are_not(connect: Connect, pve_lab: Lab) -> None:
    client = connect()
    client.post("/pools", {"poolid": "icu", "comment": "Intensivstation €/ü&=", "unset": None})
    client.put("/pools", {"poolid": "icu", "comment": "b"})
    assert [pool["poolid"] for pool in client.get("/pools")] == ["icu"]
    client.delete("/pools", {"poolid": "icu"})
    assert (client.requests, client.writes) == (4, 3)
    assert [(r.method, r.status) for r in pve_lab.writes] == [("POST", 200), ("PUT", 200), ("DELETE", 200)]
    assert pve_lab.writes[0].params == {"poolid": "icu", "comment": "Intensivstation €/ü&="}
    assert pve_lab.writes[2].params == {"poolid": "icu"}, "in the query: a DELETE with a body would be 501"


def test_a_password_buys_one_ticket_at_the_first_request(connect: Connect, pve_lab: Lab) -> None:
    client = connect(api_token_id=None, api_token_secret=None, api_user="root@pam", api_password=pve_lab.password)
    assert pve_lab.requests == []
    client.get_many(["/version", "/cluster/status", "/nodes", "/pools"] * 5)
    client.post("/pools", {"poolid": "icu"})
    logins = [r for r in pve_lab.requests if r.path == "/access/ticket"]
    assert len(logins) == 1
    assert len(pve_lab.requests) == client.requests == 22
    assert client.writes == 1


def test_an_old_ticket_is_renewed_once(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    client = connect(
        clock=clock, api_token_id=None, api_token_secret=None, api_user="root@pam", api_password=pve_lab.password
    )
    client.get("/version")
    clock.now += 7201
    pve_lab.call(pve_lab.cluster.tickets.clear)
    client.get("/version")
    assert [r.path for r in pve_lab.requests] == ["/access/ticket", "/version"] * 2


def test_a_fresh_ticket_that_is_refused_is_not_tried_again(connect: Connect, pve_lab: Lab) -> None:
    client = connect(api_token_id=None, api_token_secret=None, api_user="root@pam", api_password=pve_lab.password)
    client.get("/version")
    pve_lab.call(pve_lab.cluster.tickets.clear)
    with pytest.raises(errors.NotAuthenticated):
        client.get("/version")
    assert len(pve_lab.requests) == 3


def second_factor(lab: Lab, code: str) -> None:
    """Make the lab ask for a code after the password, as PVE does for a user with TOTP."""
    login = lab.cluster.endpoints["POST", "/access/ticket"]
    challenge = "PVE:!tfa!challenge"

    async def answer(values: dict[str, Any], user: str) -> Any:
        if "tfa-challenge" not in values:
            await login(values, user)  # the password must be right all the same
            return {"ticket": challenge, "username": values["username"], "NeedTFA": 1, "CSRFPreventionToken": "x"}
        if values["tfa-challenge"] != challenge or values["password"] != code:
            from fakepve import PveError

            raise PveError(401, "authentication failure")
        return await login({"username": values["username"], "password": lab.password}, user)

    lab.cluster.endpoints["POST", "/access/ticket"] = answer


@pytest.fixture
def with_second_factor(pve_lab: Lab) -> Iterator[Lab]:
    before = dict(pve_lab.cluster.endpoints)
    second_factor(pve_lab, "totp:123456")
    yield pve_lab
    pve_lab.cluster.endpoints.update(before)


def test_a_second_factor_is_answered(connect: Connect, with_second_factor: Lab) -> None:
    login = {"api_token_id": None, "api_token_secret": None, "api_user": "root@pam"}
    login["api_password"] = with_second_factor.password
    assert connect(**login, api_otp="123456").get("/version")["version"]
    with pytest.raises(errors.NotAuthenticated, match="api_otp"):
        connect(**login).get("/version")
    with pytest.raises(errors.NotAuthenticated) as caught:
        connect(**login, api_otp="999999").get("/version")
    assert "999999" not in str(caught.value)
    assert with_second_factor.password not in str(caught.value)


# --- credentials and certificates


def test_a_wrong_token_is_asked_once_and_never_shown(connect: Connect, pve_lab: Lab) -> None:
    client = connect(api_token_secret="11111111-2222-3333-4444-555555555555")
    with pytest.raises(errors.NotAuthenticated) as caught:
        client.get("/nodes")
    assert len(pve_lab.requests) == 1
    assert "api_token_secret" in str(caught.value)
    assert "PVE_TOKEN_SECRET" in str(caught.value)
    assert pve_lab.token_id in str(caught.value)
    assert "11111111" not in str(caught.value)


def test_a_wrong_password_names_its_options(connect: Connect, pve_lab: Lab) -> None:
    client = connect(api_token_id=None, api_token_secret=None, api_user="root@pam", api_password="wrong-one")
    with pytest.raises(errors.NotAuthenticated, match="api_password") as caught:
        client.get("/nodes")
    assert len(pve_lab.requests) == 1
    assert "wrong-one" not in str(caught.value)


def test_a_missing_privilege_is_named(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.add_guests(1, first_vmid=100)
    token, secret = pve_lab.limited_token({"/vms/999": ["VM.Audit"]})
    client = connect(api_token_id=token, api_token_secret=secret)
    with pytest.raises(errors.NotPermitted) as caught:
        client.get("/nodes/pve1/qemu/100/config")
    assert (caught.value.privilege, caught.value.path) == ("VM.Audit", "/vms/100")
    assert token in str(caught.value)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("bundle", ["garbage", "missing", "the lab's"])
def test_no_ca_variable_interferes(
    connect: Connect, pve_lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Any, variable: str, bundle: str
) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not a certificate")
    monkeypatch.setenv(variable, {"garbage": str(garbage), "missing": "/no/such", "the lab's": pve_lab.ca}[bundle])
    assert connect().get("/version")
    assert connect(validate_certs=False, ca_path=None).get("/version")
    with pytest.raises(errors.Unreachable, match="ca_path"):
        connect(ca_path=None).get("/version")


def test_a_wrong_ca_is_refused_at_once_and_named(connect: Connect, pve_lab: Lab, tmp_path: Any) -> None:
    with Lab(nodes=1) as other:
        client = connect(ca_path=other.ca)
        with pytest.raises(errors.Unreachable) as caught:
            client.get("/version")
        assert other.ca in str(caught.value)
        assert "PVE_CA" in str(caught.value)
        assert "certificate" in str(caught.value)
        assert (client.requests, pve_lab.requests) == (0, [])
        # Asked not to look, it does not look.
        assert connect(ca_path=other.ca, validate_certs=False).get("/version")


def test_a_ca_that_is_none_is_named(connect: Connect, tmp_path: Any) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not a certificate")
    with pytest.raises(errors.InvalidConnection, match=r"garbage\.pem"):
        connect(ca_path=str(garbage))


# --- hosts that are down


def test_the_next_host_is_asked_and_stayed_with(connect: Connect, pve_lab: Lab, dead: str) -> None:
    client = connect(api_host=[dead, pve_lab.url])
    assert client.get("/version")["version"]
    client.post("/pools", {"poolid": "icu"})
    client.get("/pools")
    assert (client.requests, client.writes) == (3, 1)
    assert len(pve_lab.requests) == 3


def test_a_write_goes_to_the_next_host_where_it_was_never_sent(connect: Connect, pve_lab: Lab, dead: str) -> None:
    client = connect(api_host=[dead, pve_lab.url])
    client.post("/pools", {"poolid": "icu"})
    assert client.writes == 1


def test_a_write_that_broke_off_is_not_sent_again(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.fail_requests("POST", "^/pools$", status=0)
    client = connect(api_host=[pve_lab.url, f"localhost:{pve_lab.port}"])
    with pytest.raises(errors.Unreachable, match="may have been carried out"):
        client.post("/pools", {"poolid": "icu"})
    assert len(pve_lab.writes) == client.writes == 1


def test_a_read_that_broke_off_is_asked_again(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    pve_lab.fail_requests("GET", "^/version$", status=0)
    client = connect(clock=clock)
    assert client.get("/version")["version"]
    assert client.requests == 2


def test_a_host_that_hangs_up_counts_as_down_for_reads(connect: Connect, pve_lab: Lab, mute: str) -> None:
    assert connect(api_host=[mute, pve_lab.url]).get("/version")["version"]


def test_no_host_at_all(connect: Connect, dead: str, clock: Any) -> None:
    client = connect(clock=clock, api_host=[dead, f"127.0.0.1:{closed_port()}"])
    with pytest.raises(errors.Unreachable) as caught:
        client.get("/version")
    assert dead in str(caught.value)
    assert "refused" in str(caught.value)
    assert "api_host" in str(caught.value)
    assert (client.requests, client.writes) == (0, 0)
    assert sum(clock.pauses) < 5, "a dead API is a quick answer"
    with pytest.raises(errors.Unreachable):
        client.post("/pools", {"poolid": "icu"})


def test_what_answers_is_not_the_api(connect: Connect, pve_lab: Lab) -> None:
    # Ordered faults keep PVE's shape; a path outside the API does not.
    client = connect()
    with pytest.raises(errors.PveError) as caught:
        client.get("/../../pve2/index.html")
    assert "Traceback" not in str(caught.value)


def test_no_answer_in_time(connect: Connect, pve_lab: Lab) -> None:
    client = connect(api_timeout=0.2)
    client.get("/version")
    pve_lab.latency = 1.0
    try:
        with pytest.raises(errors.Unreachable, match=r"no answer within 0\.2 s.*api_timeout"):
            client.put("/cluster/options", {"keyboard": "de"})
    finally:
        pve_lab.latency = 0.0
    assert client.writes == 1


# --- nodes that are down, quorum, locks


def test_an_offline_node_is_not_an_offline_api(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    pve_lab.add_guests(3, first_vmid=100)
    pve_lab.node_offline("pve2")
    client = connect(clock=clock)
    answers = client.get_many([f"/nodes/pve{n}/qemu/{99 + n}/config" for n in (1, 2, 3)])
    assert [type(answer) for answer in answers] == [dict, errors.NodeOffline, dict]
    assert answers[1].node == "pve2"
    before = client.requests
    with pytest.raises(errors.NodeOffline):
        client.put("/nodes/pve2/qemu/101/config", {"memory": 1024})
    assert client.requests == before + 1, "a write is not repeated"


def test_another_host_may_still_reach_the_node(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.fail_requests("GET", "/nodes/pve2/", status=595, reason="No route to host")
    client = connect(api_host=[pve_lab.url, f"127.0.0.1:{pve_lab.port}", f"localhost:{pve_lab.port}"])
    client.get("/nodes/pve2/status")
    assert client.requests == 2


def test_lost_quorum_is_not_waited_for(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    pve_lab.lose_quorum()
    client = connect(clock=clock)
    with pytest.raises(errors.NoQuorum, match="quorum"):
        client.post("/pools", {"poolid": "icu"})
    assert (client.writes, clock.pauses) == (1, [])


LOCKS = (
    "can't lock file '/run/lock/lxc/pve-config-200.lock' - got timeout",
    "update storage failed: cfs-lock 'file-storage_cfg' error: got lock request timeout",
    "unable to acquire lock",
)


@pytest.mark.parametrize("text", LOCKS)
def test_a_lock_is_waited_out(connect: Connect, pve_lab: Lab, clock: Any, text: str) -> None:
    pve_lab.fail_requests("POST", "^/pools$", reason=text, times=4)
    client = connect(clock=clock)
    client.post("/pools", {"poolid": "icu"})
    assert client.writes == 5
    assert clock.pauses == sorted(clock.pauses)
    assert clock.pauses[0] < 1 < clock.pauses[-1]


def test_a_lock_is_not_waited_for_beyond_the_deadline(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    pve_lab.fail_requests("POST", "^/pools$", reason=LOCKS[0], times=1000)
    client = connect(clock=clock, task_timeout=60)
    with pytest.raises(errors.Locked, match="task_timeout"):
        client.post("/pools", {"poolid": "icu"})
    assert sum(clock.pauses) == pytest.approx(60)


def test_a_guest_that_is_being_backed_up_is_not_waited_for(connect: Connect, pve_lab: Lab, clock: Any) -> None:
    pve_lab.add_guests(1, first_vmid=100)
    pve_lab.lock_guest(100, "backup")
    client = connect(clock=clock)
    with pytest.raises(errors.Locked) as caught:
        client.put("/nodes/pve1/qemu/100/config", {"memory": 1024})
    assert (caught.value.lock, clock.pauses) == ("backup", [])


def test_a_stale_digest_is_a_type_of_its_own(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.add_guests(1, first_vmid=100)
    client = connect()
    digest = client.get("/nodes/pve1/qemu/100/config")["digest"]
    pve_lab.set_config(100, cores=3)
    with pytest.raises(errors.ChangedMeanwhile):
        client.put("/nodes/pve1/qemu/100/config", {"cores": 4, "digest": digest})
    assert pve_lab.config(100)["cores"] == 3


def test_rejected_parameters_are_named(connect: Connect) -> None:
    with pytest.raises(errors.RejectedParameters) as caught:
        connect().post("/storage", {"storage": "x", "type": "dir", "path": "/x"})
    assert list(caught.value.errors) == ["storage"]
    assert "characters" in str(caught.value)


def test_an_unknown_node_is_named(connect: Connect) -> None:
    with pytest.raises(errors.UnknownNode) as caught:
        connect().get("/nodes/pve9/status")
    assert caught.value.node == "pve9"


# --- in parallel


def test_order_is_kept_and_the_number_of_connections_bounded(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.add_guests(60, first_vmid=100)
    client = connect(api_parallel=4)
    paths = [f"/nodes/pve{n % 3 + 1}/qemu/{100 + n}/config" for n in range(60)]
    names = [answer["name"] for answer in client.get_many(paths)]
    assert names == [pve_lab.config(100 + n)["name"] for n in range(60)]
    assert client.requests == 60


def test_calls_run_side_by_side_and_keep_their_errors(connect: Connect) -> None:
    meet = threading.Barrier(3, timeout=10)

    def fail() -> int:
        meet.wait()
        raise KeyError("mine")

    outcome = connect(api_parallel=3).run_parallel([meet.wait, fail, meet.wait])
    assert sorted(type(result).__name__ for result in outcome) == ["KeyError", "int", "int"]
    assert isinstance(outcome[1], KeyError)


def test_a_dead_api_is_not_asked_450_times(connect: Connect, dead: str, clock: Any) -> None:
    client = connect(api_host=[dead], clock=clock)
    answers = client.get_many([f"/nodes/pve1/qemu/{vmid}/config" for vmid in range(100, 550)])
    assert len(answers) == 450
    assert all(isinstance(answer, errors.Unreachable) for answer in answers)
    assert len(clock.pauses) <= 16, "those that had begun, and no more"


# --- paths and parameters

NAMES = st.text(min_size=1, max_size=30).filter(lambda name: name not in {".", ".."})


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_segment_stays_one_segment(names: list[str]) -> None:
    segments = path(*names).split("/")[1:]
    assert [unquote(segment) for segment in segments] == [name.encode("utf-8", "replace").decode() for name in names]
    assert not set(path(*names)) & set("?#% \n\\") - set("%")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_change_the_path_is_refused(name: str) -> None:
    with pytest.raises(errors.InvalidName):
        path("storage", name)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


@given(st.dictionaries(st.text(min_size=1, max_size=10), VALUES | st.lists(VALUES, max_size=4), max_size=5))
def test_parameters_arrive_as_they_were_meant(parameters: dict[str, Any]) -> None:
    def form(value: Any) -> str:
        return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)

    wanted = [
        (name, form(each))
        for name, value in parameters.items()
        for each in (value if isinstance(value, list) else [value])
        if each is not None
    ]
    assert parse_qsl(session.encode(parameters), keep_blank_values=True) == wanted


def test_what_is_no_parameter_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="memory"):
        session.encode({"memory": {"current": 1}})


# --- libraries and proxies


def test_a_missing_library_is_named(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "HAS_PROXMOXER", False)
    with pytest.raises(errors.MissingLibrary, match=r"proxmoxer is not installed.*pip install"):
        connect()
    monkeypatch.setattr(client_module, "HAS_PROXMOXER", True)
    monkeypatch.setattr(session, "HAS_URLLIB3", False)
    with pytest.raises(errors.MissingLibrary, match="urllib3"):
        connect()


def test_a_proxy_is_used_unless_the_host_is_excepted(
    connect: Connect, pve_lab: Lab, monkeypatch: pytest.MonkeyPatch, dead: str, clock: Any
) -> None:
    monkeypatch.setenv("https_proxy", f"http://{dead}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(errors.Unreachable, match="proxy"):
        connect(clock=clock).get("/version")
    for exception in ("127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "*"):
        monkeypatch.setenv("no_proxy", exception)
        assert connect().get("/version")["version"]
    assert session.proxy_for("pve1.example.org") == ""
    monkeypatch.setenv("no_proxy", "example.org")
    assert session.proxy_for("pve1.example.org") == ""
    assert session.proxy_for("pve1.example.net") == f"http://{dead}"


def test_secrets_stay_out_of_errors(connect: Connect, pve_lab: Lab) -> None:
    pve_lab.fail_requests("GET", "^/version$", reason=f"bad token {pve_lab.token_secret}", times=2)
    with pytest.raises(errors.PveError) as caught:
        connect().get("/version")
    assert pve_lab.token_secret not in str(caught.value)
    assert isinstance(connect().connection, Connection)
