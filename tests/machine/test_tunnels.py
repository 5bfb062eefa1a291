# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Tunnels between two machines that openvswitch-ipsec encrypts, made by the modules."""

from __future__ import annotations

import pytest

from tests.machine.plays import play, until

# Of the cable, and of what is inside the tunnels.
OUTSIDE = {"alpha": "192.0.2.1", "beta": "192.0.2.2"}
INSIDE = {"alpha": "10.8.0.1", "beta": "10.8.0.2"}
CABLE = "eno3"
PSK = "of the tests, and not secret"


class Hosts:
    """The two ends, joined by a cable on which somebody may listen."""

    def __init__(self, alpha, beta, folder):
        self.alpha, self.beta, self.folder = alpha, beta, folder
        for machine in (alpha, beta):
            outside, inside = OUTSIDE[machine.name], INSIDE[machine.name]
            machine.sh(f"ip link set {CABLE} up; ip addr add {outside}/24 dev {CABLE}")
            # strongSwan has the kernel wait 165 s before it asks again for a tunnel whose keys did not fit;
            # openvswitch-ipsec wants 10, and misspells it.
            machine.sh("sysctl -qw net.core.xfrm_acq_expires=10")
            # Both went on from one saved state, and might otherwise draw the same "random" address for the bridge.
            bridge = {"name": "br-tun", "other_config": {"hwaddr": f"02:00:00:00:08:0{inside[-1]}"}}
            play(folder, {machine: {}}, {"ovs_bridge": {"config": [bridge]}})
            machine.sh(f"ip link set br-tun up; ip addr add {inside}/24 dev br-tun")

    def tunnel(self, kind, psk, *, fails=False, **options):
        """The tunnel as declared, at both ends; what each end's task returned."""
        port = {"name": "tun0", "bridge": "br-tun", "type": kind, "remote_ip": "{{ remote_ip }}", "psk": "{{ psk }}"}
        hosts = {
            self.alpha: {"remote_ip": OUTSIDE["beta"], "psk": PSK},
            self.beta: {"remote_ip": OUTSIDE["alpha"], "psk": psk},
        }
        return play(self.folder, hosts, {"ovs_port": {"config": [port], **options}}, fails=fails)

    def no_tunnel(self):
        gone = {"config": [{"name": "tun0"}], "state": "absent", "allow": ["cut_port:tun0"]}
        play(self.folder, {self.alpha: {}, self.beta: {}}, {"ovs_port": gone})

    def ping(self, count=5):
        words = ("ping", "-c", str(count), "-i", "0.2", "-W", "1", INSIDE["beta"])
        return self.alpha.ssh(*words, check=False).stdout

    def heard(self, seconds=4):
        """What is on the cable meanwhile, while alpha sends to beta through the tunnel."""
        script = f"""
            timeout {seconds} tcpdump -n -l -i {CABLE} ip >/tmp/heard 2>/dev/null &
            sleep 1
            ping -c {seconds * 3} -i 0.2 -w {seconds} {INSIDE["alpha"]} >/dev/null || true
            wait || true
            cat /tmp/heard
        """
        return [line for line in self.beta.sh(script).splitlines() if line]

    def said(self):
        """What each end has to say about a tunnel that carries nothing."""
        words = "ipsec statusall; ip -s xfrm state; ip xfrm policy; ip neigh; ip -br link; ovs-vsctl show"
        words += (
            "; ovs-appctl dpctl/dump-flows; cat /proc/net/xfrm_stat; journalctl -u 'openvswitch-*' -n 80 --no-pager"
        )
        return "\n".join(f"== {end.name}\n{end.sh(words)}" for end in (self.alpha, self.beta))


@pytest.fixture(scope="module")
def hosts(pair, tmp_path_factory):
    return Hosts(*pair, tmp_path_factory.mktemp("hosts"))


def test_a_wrong_key_is_told_and_sends_nothing_in_the_clear(hosts):
    ends = hosts.tunnel("geneve", "of somebody else", verify_timeout=10)
    assert all("tun0" in " ".join(end["unmet"]) for end in ends), ends
    assert ", 100% packet loss" in hosts.ping(3)
    assert [line for line in hosts.heard() if ".6081" in line] == []
    assert PSK not in str(ends)
    assert "of somebody else" not in str(ends)


def test_a_tunnel_carries_traffic_and_shows_none_of_it(hosts):
    hosts.no_tunnel()
    hosts.tunnel("gre", PSK)
    until(lambda: "bytes from" in hosts.ping(), 180, hosts.said)
    heard = hosts.heard()
    assert [line for line in heard if "ESP(spi=" in line], heard
    assert [line for line in heard if "ESP(spi=" not in line] == []
    states = hosts.alpha.ssh("ip", "xfrm", "state").stdout
    for source, destination in ((OUTSIDE["alpha"], OUTSIDE["beta"]), (OUTSIDE["beta"], OUTSIDE["alpha"])):
        assert f"src {source} dst {destination}\n\tproto esp" in states
    again = hosts.tunnel("gre", PSK)
    assert [(end["changed"], end["unmet"]) for end in again] == [(False, []), (False, [])]
