# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""The role file_sync on three hosts with real lsyncd, rsync and sshd: a side that comes back too late, a file
system that is not mounted, and a receiver that is away.

a is where the files come from first, b the standby, c the other data centre.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.hosts import Host, Hosts, wait_until, why_not
from lab.hosts.namespaces import wire
from tests.integration.over_ssh import Control, Played

NAMES = ("a", "b", "c")
PATH = "/srv/web/files"
UNIT = "file_sync@web"
ADDRESSES = {"a": "198.19.0.1", "b": "198.19.0.2", "c": "198.19.0.3"}
ODD = [
    "-rf",
    "new\nline",
    'it\'s "quoted"',
    "back\\slash",
    "[brackets] and * ?",
    " spaces ",
    "$(touch x); `id`",
    "+ plus",
    "; rules",
    "\u00f1and\u00fa",
]


@dataclass(frozen=True)
class Site(Control):
    """The three, and what each is told about the others."""

    hosts: dict[str, Host] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    public: dict[str, str] = field(default_factory=dict)
    extra: dict[str, dict[str, Any]] = field(default_factory=dict)

    def _inventory(self) -> dict[str, Any]:
        mine = super()._inventory()["all"]["hosts"][self.host.name]
        assert self.host.access is not None
        found = {}
        for name, host in self.hosts.items():
            variables = {"ansible_host": host.ssh_address, "file_sync_private_key": self.keys[name]}
            found[name] = {**mine, **variables, **self.extra.get(name, {})}
        return {"all": {"hosts": found}}

    def role(self, *arguments: str, **variables: Any) -> Played:
        members = [
            {
                "name": name,
                "address": ADDRESSES[name],
                "host_keys": [host.read("/etc/ssh/ssh_host_ed25519_key.pub")],
                "public_key": self.public[name],
            }
            for name, host in self.hosts.items()
        ]
        sets = [
            {
                "name": "web",
                "path": PATH,
                "origin": "a",
                "mountpoint": "/srv/web",
                "sentinel": "index.html",
                "max_delete": 30,
                "heartbeat": 2,
                "timeout": 5,
                "flush": 5,
                "lag_limit": 8,
            }
        ]
        described = {"file_sync_members": members, "file_sync_sets": sets, "file_sync_connect_timeout": 1, **variables}
        return self.play(
            [{"ansible.builtin.include_role": {"name": "hospital.continuity.file_sync"}, "vars": described}], *arguments
        )

    def sh(self, name: str, command: str, *, check: bool = True) -> str:
        return self.hosts[name].run("sh", "-c", command, check=check).stdout

    def begin(self, name: str) -> str:
        """What systemd says of it; empty when it started."""
        began = self.sh(name, "date +%s.%N").strip()
        done = self.hosts[name].run("systemctl", "start", UNIT, check=False)
        return self.journal(name, f"--since=@{began}") if done.returncode else ""

    def stop(self, name: str) -> None:
        self.hosts[name].run("systemctl", "stop", UNIT)

    def active(self, name: str) -> str:
        return self.hosts[name].run("systemctl", "is-active", UNIT, check=False).stdout.strip()

    def journal(self, name: str, *words: str) -> str:
        return self.hosts[name].run("journalctl", "--unit", UNIT, "--output=cat", "--no-pager", *words).stdout

    def status(self, name: str) -> dict[str, Any]:
        done = self.hosts[name].run("file_sync", "status", "web", check=False)
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "code": done.returncode}

    def receiver(self, writer: str, name: str) -> dict[str, Any]:
        (found,) = [each for each in self.status(writer)["receivers"] if each["name"] == name]
        return dict(found)

    def files(self, name: str) -> dict[str, str]:
        """Name to content, below the set's directory; ours are left out."""
        program = (
            "import json, os, sys; root = sys.argv[1]; found = {}\n"
            "for place, folders, names in os.walk(root):\n"
            "    folders[:] = [f for f in folders if not f.startswith('.file_sync')]\n"
            "    for name in names:\n"
            "        path = os.path.join(place, name)\n"
            "        try: found[os.path.relpath(path, root)] = open(path).read()\n"
            "        except FileNotFoundError: pass  # what rsync was about to rename\n"
            "print(json.dumps(found))"
        )
        return dict(json.loads(self.hosts[name].run("python3", "-c", program, PATH).stdout))

    def put(self, name: str, file: str, content: str = "") -> None:
        program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
        self.hosts[name].run("python3", "-c", program, f"{PATH}/{file}", content)

    def same(self, *names: str, seconds: float = 15) -> None:
        def equal() -> bool:
            found = [self.files(name) for name in names]
            return all(each == found[0] for each in found)

        wait_until(equal, f"{', '.join(names)} have the same files", seconds)

    def fresh(self) -> None:
        """Nothing was ever written, and nothing runs."""
        stop = f"systemctl kill --signal=KILL {UNIT}; systemctl stop {UNIT}; systemctl reset-failed {UNIT}"
        clear = (
            "systemctl start ssh; mountpoint -q /srv/web || mount /srv/web; "
            # What is just received, or just about to be, ends first.
            "sleep 0.5; flock --timeout 10 /run/hospital.continuity/file_sync/web.side true; "
            "rm -rf /var/lib/hospital.continuity/file_sync/web; "
            f"find {PATH} -mindepth 1 -maxdepth 1 ! -name .file_sync -exec rm -rf {{}} +; "
            "journalctl --rotate --quiet; journalctl --vacuum-time=1ms --quiet"
        )
        with ThreadPoolExecutor() as pool:
            for command in (stop, clear):
                list(pool.map(partial(self.sh, command=command, check=False), self.hosts))

    def writing(self, name: str = "a") -> None:
        """From nothing to a site that is well."""
        self.fresh()
        self.put(name, "index.html", "welcome")
        assert self.begin(name) == ""
        self.same(*NAMES)

    def cut(self, one: str, other: str) -> None:
        for name, partner in ((one, other), (other, one)):
            self.hosts[name].port(f"to-{partner}").silence()

    def heal(self) -> None:
        for name in NAMES:
            for partner in NAMES:
                if name != partner:
                    self.hosts[name].port(f"to-{partner}").heal()


def changed(played: Played) -> list[str]:
    return [result["task"].rpartition(" : ")[2] for result in played.results if result.get("changed")]


def why(played: Played) -> str:
    assert played.code != 0, played.output
    assert "Traceback" not in played.output
    return " ".join(str(result.get("msg")) for result in played.results if result["outcome"] == "failed")


def _network(hosts: Hosts) -> None:
    """Each pair has a cable; each host has one address, whichever cable leads to it."""
    for one, other in (("a", "b"), ("a", "c"), ("b", "c")):
        near, far = hosts[one].port(f"to-{other}"), hosts[other].port(f"to-{one}")
        wire(near, far)
        for port, mine, partner in ((near, one, other), (far, other, one)):
            port.prepare(for_switch=False)
            port.namespace.ip("address", "add", f"{ADDRESSES[mine]}/32", "dev", port.name)
            port.namespace.ip("route", "add", ADDRESSES[partner], "dev", port.name, "src", ADDRESSES[mine])


def _pair(folder: Path, name: str) -> tuple[str, str]:
    path = folder / f"id_{name}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text()


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if reason := why_not():
        pytest.skip(f"containers cannot run here: {reason}")
    folder = tmp_path_factory.mktemp("keys")
    pairs = {name: _pair(folder, name) for name in NAMES}
    with pytest.MonkeyPatch.context() as patch, Hosts(*NAMES, image="sync", ssh=True) as hosts:
        patch.setenv("ANSIBLE_PIPELINING", "1")
        _network(hosts)
        for host in hosts:
            host.write("/etc/fstab", "/srv/disk /srv/web none bind 0 0\n")
            host.run("sh", "-c", "mkdir -p /srv/disk /srv/web && mount /srv/web")
        yield Site(
            hosts["a"],
            tmp_path_factory.mktemp("control"),
            hosts["a"].ssh_address,
            hosts={name: hosts[name] for name in NAMES},
            keys={name: pair[0] for name, pair in pairs.items()},
            public={name: pair[1] for name, pair in pairs.items()},
        )


@pytest.fixture(scope="module")
def site(bare: Site) -> Site:
    """The role has been run, by a test before this one or else now."""
    if not all(bare.sh(name, "ls /usr/local/sbin/file_sync", check=False) for name in NAMES):
        bare.role().good()
    return bare


# The role


def test_check_mode_works_on_a_fresh_host(bare: Site) -> None:
    foreseen = bare.role("--check", "--limit", "a").good()
    assert "Describe the sets" in changed(foreseen)
    made = bare.sh("a", f"ls -d {PATH} /etc/hospital.continuity /usr/local/sbin/file_sync", check=False)
    assert made == ""


def test_what_is_there_is_kept_until_consent_and_what_is_not_mounted_is_no_receiver(bare: Site) -> None:
    bare.sh("b", f"mkdir -p {PATH}; echo precious > {PATH}/thesis")
    bare.sh("c", "umount /srv/web")
    try:
        refused = why(bare.role("--limit", "b,c"))
        assert "Nothing is mounted at /srv/web on c" in refused
        assert bare.sh("c", "ls -A /srv/web") == ""
    finally:
        bare.sh("c", "mount /srv/web")
    assert f"overwrite_target:b:{PATH}" in refused
    assert bare.sh("b", f"ls -A {PATH}") == "thesis\n"
    assert "file_sync_allow takes" in why(bare.role("--limit", "b", file_sync_allow=["overwrite_target"]))
    bare.role(file_sync_allow=[f"overwrite_target:b:{PATH}"]).good()
    assert bare.files("b") == {"thesis": "precious\n"}


def test_the_second_run_changes_nothing_and_the_key_is_never_said(site: Site) -> None:
    again = site.role("-vvv", "--diff", "--limit", "b").good()
    assert changed(again) == []
    for key in site.keys.values():
        assert key.splitlines()[1] not in again.output


def test_nothing_starts_at_boot(site: Site) -> None:
    for name in NAMES:
        assert site.hosts[name].run("systemctl", "is-enabled", UNIT, check=False).stdout.strip() == "static"
        assert site.active(name) == "inactive"


def test_before_the_first_start_there_is_nothing_wrong_but_the_lag(site: Site) -> None:
    site.fresh()
    found = site.status("b")
    assert (found["role"], found["generation"], found["lag_seconds"], found["last_error"]) == ("none", 0, None, None)
    assert found["code"] == 1


# Files arrive


def test_changes_and_deletions_arrive_within_seconds(site: Site) -> None:
    site.writing()
    site.sh("a", f"mkdir -p {PATH}/deep/er; echo one > {PATH}/deep/er/file; chown 4242:4343 {PATH}/deep/er/file")
    site.sh("a", f"cd {PATH}; ln deep/er/file hard; setfattr -n user.note -v x index.html")
    site.same(*NAMES, seconds=6)
    for name in ("b", "c"):
        assert site.sh(name, f"stat -c '%u:%g %h' {PATH}/hard").strip() == "4242:4343 2"
    site.sh("a", f"rm -r {PATH}/deep; mv {PATH}/hard {PATH}/moved")
    site.same(*NAMES, seconds=6)
    assert set(site.files("c")) == {"index.html", "moved"}


def test_odd_names_arrive_and_go(site: Site) -> None:
    site.writing()
    for name in ODD:
        site.put("a", name, f"in {name}")
    site.sh("a", f"mkdir -p {PATH}/dir' with \\['; echo x > {PATH}/dir' with \\['/-x")
    site.same(*NAMES, seconds=10)
    assert site.files("b")["new\nline"] == "in new\nline"
    for name in ODD:
        site.put("a", name, "changed")
    site.same(*NAMES, seconds=10)
    site.sh(
        "a",
        f"cd {PATH}; ls -A | grep -v -e index -e file_sync >/dev/null; find . -mindepth 1 ! -path './.file_sync*' "
        "! -name index.html -delete",
    )
    site.same(*NAMES, seconds=10)
    assert set(site.files("c")) == {"index.html"}


def test_a_receiver_that_was_away_catches_up_and_its_lag_grows_and_shrinks(site: Site) -> None:
    site.writing()
    wait_until(lambda: site.status("c")["code"] == 0, "the lag at c is small")
    wait_until(lambda: site.status("a")["code"] == 0, "the lag at a is small")
    site.cut("a", "c")
    try:
        site.put("a", "while-away", "x")
        site.same("a", "b", seconds=6)
        wait_until(lambda: site.status("c")["code"] == 1, "c says that it lags", 20)
        wait_until(lambda: site.receiver("a", "c")["lag_seconds"] > 8, "a knows that c lags", 20)
        wait_until(lambda: site.receiver("a", "c")["last_error"], "a knows why", 15)
        assert site.receiver("a", "b")["lag_seconds"] < 8
        assert site.status("a")["code"] == 2
        assert "while-away" not in site.files("c")
    finally:
        site.heal()
    site.same(*NAMES, seconds=30)
    wait_until(lambda: site.status("a")["code"] == site.status("c")["code"] == 0, "all is well")


def test_a_receiver_that_was_away_at_the_start_catches_up(site: Site) -> None:
    site.fresh()
    site.put("a", "index.html", "welcome")
    site.sh("c", "systemctl stop ssh")
    assert site.begin("a") == ""
    site.same("a", "b")
    site.sh("c", "systemctl start ssh")
    site.same(*NAMES)
    assert site.status("c")["generation"] == 1


def test_what_was_written_last_is_taken_along_at_the_stop(site: Site) -> None:
    site.writing()
    site.put("a", "last", "words")
    site.stop("a")
    assert site.files("b")["last"] == site.files("c")["last"] == "words"
    assert site.active("a") == "inactive"


# Who may write


def test_lsyncd_restarted_on_the_wrong_side_deletes_nothing(site: Site) -> None:
    """peers.md: lsyncd restarted on the wrong side deletes the peer's data."""
    site.writing()
    site.sh("b", f"rm {PATH}/index.html; echo old > {PATH}/old")  # however it came to be behind
    site.put("a", "new", "x")
    before = {**site.files("a")}
    site.put("b", "index.html", "of b")
    refused = site.begin("b")
    assert "a writes the set web, with generation 1" in refused
    assert site.active("b") == "failed"
    assert site.active("a") == "active"
    assert site.files("a") == before


def test_synchronising_checks_host_keys(site: Site) -> None:
    """peers.md: synchronize does not check host keys by default."""
    site.writing()
    known = "/etc/hospital.continuity/file_sync/known_hosts"
    kept = site.hosts["a"].read(known)
    other = " ".join(site.public["a"].split()[:2])
    try:
        site.hosts["a"].write(
            known, f"b {other}\n" + "".join(f"{line}\n" for line in kept.splitlines() if line[:2] == "c ")
        )
        site.put("a", "secret", "for b alone")
        wait_until(lambda: site.receiver("a", "b")["last_error"], "a complains about b", 10)
        assert "Host key verification failed" in site.receiver("a", "b")["last_error"]
        site.same("a", "c")
        assert "secret" not in site.files("b")
    finally:
        site.hosts["a"].write(known, kept, "0600")
    site.same(*NAMES)


def test_an_older_writer_is_refused_and_stops(site: Site) -> None:
    """a is cut off from b and goes on; b is promoted. c is told first, and a learns of it there."""
    site.writing()
    site.cut("a", "b")
    try:
        assert site.begin("b") == "", "c is reached, and does not write"
        site.put("b", "of-b", "new")
        site.same("b", "c")
        site.put("a", "of-a", "too late")
        wait_until(lambda: site.active("a") == "failed", "a stops", 15)
        assert "b holds generation 2" in site.journal("a")
        assert "b holds generation 2" in site.status("a")["last_error"]
        assert site.files("b") == site.files("c") == {"index.html": "welcome", "of-b": "new"}
    finally:
        site.heal()
    # It is a receiver from now on.
    site.same(*NAMES, seconds=30)
    found = site.status("a")
    assert (found["role"], found["generation"], found["holder"]) == ("receiver", 2, "b")


def test_two_that_both_write_never_write_into_each_other(site: Site) -> None:
    """Nobody could be asked when b was promoted: both write. When they meet the older one is the one that stops."""
    site.writing()
    for one, other in (("a", "b"), ("a", "c"), ("b", "c")):
        site.cut(one, other)
    try:
        assert site.begin("b") == ""
        site.put("a", "of-a", "x")
        site.put("b", "of-b", "x")
    finally:
        site.heal()
    wait_until(lambda: site.active("a") == "failed", "a stops", 20)
    assert site.active("b") == "active"
    site.same(*NAMES, seconds=30)
    assert set(site.files("b")) == {"index.html", "of-b"}


def test_a_side_that_missed_the_newest_generation_does_not_write(site: Site) -> None:
    """a fell, b wrote, b fell: a's files are older than c's."""
    site.writing()
    site.sh("a", f"systemctl kill --signal=KILL {UNIT}; systemctl stop ssh")
    assert site.begin("b") == ""
    site.put("b", "of-b", "new")
    site.same("b", "c")
    site.sh("b", f"systemctl kill --signal=KILL {UNIT}; systemctl stop ssh")
    refused = site.begin("a")
    assert "b wrote generation 2, and the files here are of generation 1" in refused
    assert site.files("c")["of-b"] == "new"
    site.sh("c", "true")
    assert site.begin("c") == "", "c has them"
    site.sh("a", "systemctl start ssh")
    site.same("a", "c")
    site.stop("c")
    site.sh("c", "systemctl stop ssh")
    assert site.begin("a") == "", "and so has a, now"
    site.sh("b", "systemctl start ssh")


def test_older_files_are_written_only_with_consent(site: Site) -> None:
    site.fresh()
    site.put("b", "index.html", "of b")
    assert "first files are those of a" in site.begin("b")
    site.sh("b", "file_sync allow web older_files")
    assert site.begin("b") == ""
    site.same(*NAMES)
    site.stop("b")
    assert not site.sh("b", "ls /var/lib/hospital.continuity/file_sync/web | grep allow", check=False)


def test_the_service_comes_back_where_it_was(site: Site) -> None:
    site.writing()
    site.hosts["a"].run("systemctl", "restart", UNIT)
    assert site.status("b")["generation"] == site.status("a")["generation"] == 2
    site.hosts["a"].run("systemctl", "kill", "--signal=KILL", UNIT)
    site.put("a", "after", "x")
    assert site.begin("a") == ""
    site.same(*NAMES)


def test_new_settings_are_taken_without_a_new_generation(site: Site) -> None:
    site.writing()
    site.hosts["a"].run("systemctl", "reload", UNIT)
    site.put("a", "after", "x")
    site.same(*NAMES)
    assert site.status("a")["generation"] == 1
    assert site.active("a") == "active"


# What must not be sent


def test_an_empty_source_is_not_sent(site: Site) -> None:
    site.writing()
    site.sh("a", f"rm {PATH}/index.html")
    wait_until(lambda: "lacks index.html" in (site.status("a")["last_error"] or ""), "a says so", 10)
    assert site.files("b") == site.files("c") == {"index.html": "welcome"}
    site.hosts["a"].run("systemctl", "stop", UNIT)
    assert "lacks index.html" in site.begin("a")
    assert site.files("b") == site.files("c") == {"index.html": "welcome"}


def test_an_unmounted_source_is_not_sent(site: Site) -> None:
    site.writing()
    site.sh("a", "umount --lazy /srv/web")
    try:
        wait_until(lambda: site.active("a") == "failed", "a stops", 15)
        assert "/srv/web is not mounted on a" in site.journal("a")
        assert "/srv/web is not mounted on a" in site.begin("a")
        assert site.files("b") == site.files("c") == {"index.html": "welcome"}
        assert site.sh("a", "ls -A /srv/web") == ""
    finally:
        site.sh("a", "mount /srv/web")


def test_an_unmounted_receiver_takes_nothing(site: Site) -> None:
    site.writing()
    site.sh("c", "umount --lazy /srv/web")
    try:
        site.put("a", "more", "x")
        wait_until(
            lambda: "/srv/web is not mounted on c" in (site.receiver("a", "c")["last_error"] or ""), "a knows", 10
        )
        assert site.sh("c", "ls -A /srv/web") == ""
        site.same("a", "b")
    finally:
        site.sh("c", "mount /srv/web")
    site.same(*NAMES)


def test_too_many_deletions_are_stopped_and_told(site: Site) -> None:
    site.writing()
    site.sh("a", f"cd {PATH}; for n in $(seq 100); do echo $n > file$n; done")
    site.same(*NAMES)
    site.sh("a", f"rm {PATH}/file*")
    wait_until(lambda: site.receiver("a", "b")["last_error"], "a says so", 10)
    assert "More than 30 files were to be deleted" in site.receiver("a", "b")["last_error"]
    assert site.status("a")["code"] == 2
    wait_until(lambda: site.receiver("a", "c")["last_error"], "a says so of c", 10)
    kept = len(site.files("b"))
    assert kept >= 71
    site.put("a", "new", "still sent")
    wait_until(lambda: "new" in site.files("b") and "new" in site.files("c"), "new files arrive", 10)
    assert len(site.files("b")) == kept + 1
    site.sh("a", "file_sync allow web deletions")
    site.same(*NAMES)
    wait_until(lambda: site.status("a")["code"] == 0, "all is well")


# What a peer's key may do


@pytest.mark.parametrize(
    "command",
    [
        "id",
        "sh -c id",
        "rsync --server --sender -logDtpr . /etc/",
        "rsync --server -logDtpr . /etc/",
        "file_sync-receive web 99 full 0 --server --sender -logDtpr . /etc/",
        "file_sync-receive web 99 full 0 --server -slogDtpr . /etc/",
        "file_sync-receive web 99 full 0 --server -logDtpr --log-file=/etc/passwd . /etc/",
        "file_sync-receive web 99 full 0 --server -logDtpr --delete . /srv/web/files/",
        "file_sync-receive ../web 99 full 0 --server -logDtpr . /etc/",
        "file_sync-claim other 99 0",
        "",
    ],
)
def test_a_peers_key_does_nothing_else(site: Site, command: str) -> None:
    passwd = site.sh("b", "stat -c %s /etc/passwd")
    ssh = "ssh -F /etc/hospital.continuity/file_sync/ssh_config"
    done = site.hosts["a"].run("sh", "-c", f"{ssh} b {shlex.quote(command)}", check=False)
    assert done.returncode != 0
    assert "uid=" not in done.stdout
    assert "file_sync-refused" in done.stderr
    assert site.status("b")["generation"] < 99
    assert site.sh("b", "stat -c %s /etc/passwd") == passwd
