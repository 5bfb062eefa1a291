# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Recorded sessions of SCST played again, on the model alone or through the file system."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from scst_sessions import DATA, ROOT, Exchange

from lab.scst.control import Client
from lab.scst.levers import Levers, Machine
from lab.scst.nodes import Directory, File, Link, find
from lab.scst.programs import scstadmin

SCSTVM, STRANGER = "iqn.1993-08.org.debian:01:scstvm", "iqn.1993-08.org.debian:01:stranger"
CHAP = ("backupuser", "secretsecret12")


class Player(Protocol):
    """Something that the sessions are played on."""

    def lever(self, name: str, **arguments: Any) -> Any:
        """Of lab.scst.levers, `daemon` and `daemon_dies` beside."""

    def write(self, path: str, text: str) -> str:
        """The error's name, or nothing."""

    def shell(self, command: str) -> str | None:
        """What ls, cat, head and grep print; None for what it cannot do."""

    def scstadmin(self, command: str) -> str | None:
        """What a command line with scstadmin in it prints; None where that is not to be had."""

    def tree(self, base: str) -> dict[str, tuple[str, str]]:
        """Path below `base` -> kind and rest, as the recorder wrote them."""


class OnModel:
    """No file system in between."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.levers = Levers(self.machine)

    def lever(self, name: str, **arguments: Any) -> Any:
        from lab.scst import modules

        if name == "daemon":
            return modules.daemon_starts(self.machine.kernel, 801)
        if name == "daemon_dies":
            return modules.daemon_dies(self.machine.kernel)
        return self.levers.call(name, arguments)

    def write(self, path: str, text: str) -> str:
        try:
            self.machine.tree.write(path, f"{text}\n")
        except OSError as problem:
            return errno.errorcode[problem.errno or 0]
        return ""

    def shell(self, command: str) -> str | None:
        """Plain ls and cat of single files only; the rest is what the file system is for."""
        words = shlex.split(command)
        if words[0] not in ("cat", "ls") or len(words) != 2 or any(sign in command for sign in "*|;"):
            return None
        path = words[1].removeprefix(ROOT).strip("/")
        if "scst" not in self.machine.kernel.modules:
            return f"{words[0]}: cannot access {_quoted(words[1])}: No such file or directory\n"
        try:
            if words[0] == "cat":
                return self.machine.tree.read(path)
            return "".join(f"{name}\n" for name in self.machine.tree.listing(path))
        except OSError as problem:
            reason = problem.strerror or ""
            return f"cat: {_quoted(words[1])}: {reason}\n" if words[0] == "cat" else None

    def scstadmin(self, command: str) -> str | None:
        return None

    def tree(self, base: str) -> dict[str, tuple[str, str]]:
        return dict(self._walk(base, ""))

    def _walk(self, base: str, path: str) -> Iterator[tuple[str, tuple[str, str]]]:
        root = find(self.machine.tree.root(), base)
        node = find(root, path)
        assert isinstance(node, Directory)
        for name, entry in node.entries().items():
            inner = f"{path}/{name}".lstrip("/")
            if isinstance(entry, Directory):
                yield inner, ("D", "")
                yield from self._walk(base, inner)
            elif isinstance(entry, Link):
                yield inner, ("L", entry.target)
            else:
                yield inner, ("F", _file(inner, entry))


def _quoted(path: str) -> str:
    """As coreutils do: those of a message about access always, else where a colon is in it."""
    return f"'{path}'" if ":" in path or path == ROOT else path


def _file(path: str, file: File) -> str:
    if file.read is None:
        return shown(path, file.mode, None)
    try:
        text = file.read()
        return shown(path, file.mode, text if isinstance(text, str) else text.decode())
    except OSError as problem:
        return shown(path, file.mode, f"<read error [Errno {problem.errno}] {problem.strerror}>")


def shown(path: str, mode: int, text: str | None) -> str:
    """As the recorder wrote a file: long help texts by their length."""
    if text is None:
        return f"0o{mode:o} (write-only)"
    if path.rpartition("/")[2] in ("mgmt", "trace_level"):
        return f"0o{mode:o} ({len(text)} bytes, see mgmt-help)"
    return f"0o{mode:o} {text}"


class OnFileSystem:
    """A mount of the tree, looked at with the real programs."""

    def __init__(self, folder: Path, python: str, environment: dict[str, str]) -> None:
        self.mountpoint, socket = folder / "sys", folder / "control"
        self.mountpoint.mkdir()
        words = [python, "-m", "lab.scst", "mount", str(self.mountpoint), str(socket)]
        self._process = subprocess.Popen(words, env=environment)
        deadline = time.monotonic() + 20
        while not (self.mountpoint / "kernel").is_dir():
            assert self._process.poll() is None and time.monotonic() < deadline, "it was not mounted"
            time.sleep(0.02)
        self._socket = socket
        self._client = Client(socket)
        self._folder = folder
        self.root = str(self.mountpoint / "kernel/scst_tgt")
        for name in ("etc", "tmp", "root"):
            (folder / "files" / name).mkdir(parents=True)
        self._install_scstadmin(python, environment["PYTHONPATH"])
        self._daemon: Client | None = None

    def close(self) -> None:
        subprocess.run(["umount", str(self.mountpoint)], check=False)
        self._process.terminate()
        self._process.wait(timeout=10)

    def lever(self, name: str, **arguments: Any) -> Any:
        if name == "daemon":
            self._daemon = Client(self._socket)
            return self._daemon.call("daemon", pid=801)
        if name == "daemon_dies":
            assert self._daemon
            self._daemon.close()
            while Path(self.root, "targets/iscsi/open_state").read_text() != "closed\n":
                time.sleep(0.01)
            return None
        return self._client.call(name, **arguments)

    def write(self, path: str, text: str) -> str:
        try:
            handle = os.open(f"{self.root}/{path}", os.O_WRONLY)
            try:
                os.write(handle, f"{text}\n".encode())
            finally:
                os.close(handle)
        except OSError as problem:
            return errno.errorcode[problem.errno or 0]
        return ""

    def put_configuration(self) -> None:
        """The recorded scst.conf, where this scstadmin finds it."""
        (self._folder / "files/etc/scst.conf").write_text((DATA / "scst.conf").read_text())

    def _install_scstadmin(self, python: str, path: str) -> None:
        script = self._folder / "bin" / "scstadmin"
        script.parent.mkdir()
        script.write_text(
            f"#!{python}\nimport sys\nfrom pathlib import Path\nsys.path.insert(0, {path!r})\n"
            f"from lab.scst.programs import scstadmin\nscstadmin.ROOT = Path({self.root!r})\n"
            f"scstadmin.CONF = {str(self._folder / 'files/etc/scst.conf')!r}\nsys.exit(scstadmin.main(sys.argv[1:]))\n"
        )
        script.chmod(0o755)

    def shell(self, command: str) -> str | None:
        return self._bash({ROOT: self.root}, command)

    def scstadmin(self, command: str) -> str | None:
        places = {f"/{name}": str(self._folder / "files" / name) for name in ("etc", "tmp", "root")}
        alone = re.fullmatch(r"scstadmin ([^|;>]*?)(</dev/null|\| head -150; exit \$\{PIPESTATUS\[0\]\})?", command)
        if alone:
            return _put_back(places, self._scstadmin_here(shlex.split(_replaced(places, alone[1]))))
        return self._bash({ROOT: self.root, **places}, command)

    def _scstadmin_here(self, words: list[str]) -> str:
        """Without a process, of which there would be a hundred."""
        said = io.StringIO()
        conf = str(self._folder / "files/etc/scst.conf")
        with (
            mock.patch.object(scstadmin, "ROOT", Path(self.root)),
            mock.patch.object(scstadmin, "CONF", conf),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            scstadmin.main(words)
        return said.getvalue()

    def _bash(self, places: dict[str, str], command: str) -> str:
        """`places`: where recorded paths are here."""
        command = _replaced(places, command)
        done = subprocess.run(
            ["bash", "-c", command],
            # One recorded command looks for "7:" in what ls says: from 07:00 to 07:59 that is every file's time.
            env={
                **os.environ,
                "LC_ALL": "C.UTF-8",
                "TIME_STYLE": "+Jan  1 00:00",
                "PATH": f"{self._folder / 'bin'}:{os.environ['PATH']}",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        return _put_back(places, done.stdout)

    def tree(self, base: str) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for folder, folders, files in os.walk(f"{self.root}/{base}".rstrip("/")):
            for name in [*folders, *files]:
                path = Path(folder, name)
                inner = str(path).removeprefix(f"{self.root}/{base}".rstrip("/") + "/")
                if path.is_symlink():
                    found[inner] = ("L", os.readlink(path))  # noqa: PTH115  (a Path would clean it up)
                elif path.is_dir():
                    found[inner] = ("D", "")
                else:
                    found[inner] = ("F", self._file(inner, path))
        return found

    def _file(self, inner: str, path: Path) -> str:
        mode = path.stat().st_mode & 0o777
        try:
            text: str | None = path.read_text()
        except PermissionError:
            text = None
        except OSError as problem:
            text = f"<read error [Errno {problem.errno}] {problem.strerror}>"
        return shown(inner, mode, text)


def _replaced(places: dict[str, str], text: str) -> str:
    names = "|".join(map(re.escape, places))
    return re.sub(rf"(?<![\w/])(?:{names})(?=/|\b)", lambda match: places[match[0]], text)


def _put_back(places: dict[str, str], text: str) -> str:
    for recorded, here in places.items():
        text = text.replace(here, recorded)
    return text


# --- what recorded commands did, where they were not themselves about the tree


_TARGET = r"driver/target 'iscsi/(?P<target>[^']+)'"
_GROUP = r"driver/target/group 'iscsi/(?P<target>[^'/]+)/(?P<group>[^']+)'"
# Lines that scstadmin printed -> the write behind them.
_WRITES = {
    r"Opening device '(?P<device>.+)' using handler '(?P<handler>.+)'": (
        "handlers/{handler}/mgmt",
        "add_device {device}",
    ),
    r"Creating target '(?P<target>.+)' for driver 'iscsi'": ("targets/iscsi/mgmt", "add_target {target}"),
    r"Removing virtual target '(?P<target>.+)' from driver 'iscsi'": ("targets/iscsi/mgmt", "del_target {target}"),
    rf"Adding target attribute '(?P<name>.+)' with value '(?P<value>.*)' for {_TARGET}": (
        "targets/iscsi/mgmt",
        "add_target_attribute {target} {name} {value}",
    ),
    rf"Removing dynamic attribute '(?P<name>.+)' with value '(?P<value>.*)' for {_TARGET}": (
        "targets/iscsi/mgmt",
        "del_target_attribute {target} {name} {value}",
    ),
    r"Adding driver attribute '(?P<name>.+)' with value '(?P<value>.*)' for driver 'iscsi'": (
        "targets/iscsi/mgmt",
        "add_attribute {name} {value}",
    ),
    r"Removing dynamic attribute '(?P<name>.+)' with value '(?P<value>.*)' for driver 'iscsi'": (
        "targets/iscsi/mgmt",
        "del_attribute {name} {value}",
    ),
    rf"Adding new group '(?P<group>.+)' to {_TARGET}": ("targets/iscsi/{target}/ini_groups/mgmt", "create {group}"),
    rf"Adding device '(?P<device>.+)' at LUN (?P<lun>\d+) to {_GROUP}": (
        "targets/iscsi/{target}/ini_groups/{group}/luns/mgmt",
        "add {device} {lun} {parameters}",
    ),
    rf"Removing LUN (?P<lun>\d+) from {_GROUP}": ("targets/iscsi/{target}/ini_groups/{group}/luns/mgmt", "del {lun}"),
    rf"Adding new initiator '(?P<initiator>.+)' to {_GROUP}": (
        "targets/iscsi/{target}/ini_groups/{group}/initiators/mgmt",
        "add {initiator}",
    ),
    rf"Setting target attribute '(?P<name>.+)' to value '(?P<value>.*)' for {_TARGET}": (
        "targets/iscsi/{target}/{name}",
        "{value}",
    ),
    rf"Enabling {_TARGET}": ("targets/iscsi/{target}/enabled", "1"),
    r"Enabling driver 'iscsi'": ("targets/iscsi/enabled", "1"),
}


class Session:
    """One boot of the recorded machine. `compared(area, exchange, equal, what)` takes the results."""

    def __init__(self, player: Player, compared: Callable[[str, Exchange, bool, str], None]) -> None:
        self.player, self._compared = player, compared
        self._chap: tuple[str, str] | None = None

    def play(self, exchange: Exchange, base: str | None = None) -> None:
        if exchange.path:
            self._write(exchange)
        elif exchange.entries:
            if base is not None:
                self._tree(exchange, base)
        else:
            self._command(exchange)

    def _write(self, exchange: Exchange) -> None:
        self.player.lever("dmesg", clear=True)
        answer = self.player.write(exchange.path, exchange.text)
        said = self.player.lever("dmesg", clear=True)
        what = f"{exchange.text!r} > {exchange.path}"
        self._compared(
            "writes", exchange, answer == exchange.error, f"{what}: {exchange.error or 'ok'}, got {answer or 'ok'}"
        )
        wanted = [text for text in map(comparable_message, exchange.messages) if text]
        got = [text for text in map(comparable_message, said) if text]
        same = len(wanted) == len(got) and all(left.startswith(right) for left, right in zip(got, wanted, strict=True))
        self._compared("dmesg", exchange, same, f"{what}: {wanted}, got {got}")

    def _tree(self, exchange: Exchange, base: str) -> None:
        """Recorded trees leave things out; what they have must be there, and no more than they leave out."""
        found = self.player.tree(base)
        for kind, path, rest in exchange.entries:
            here = found.pop(path, None)
            self._compared("trees", exchange, here == (kind, rest), f"{path}: recorded {(kind, rest)!r}, got {here!r}")
        more = [path for path in found if not _LEFT_OUT.search(path)]
        self._compared("trees", exchange, not more, f"not recorded: {more}")

    def _command(self, exchange: Exchange) -> None:
        self._effects(exchange)
        looking = [part.strip() for part in exchange.command.split(";") if _LOOKS.match(part.strip())]
        rest = [part.strip() for part in exchange.command.split(";") if not _LOOKS.match(part.strip())]
        if not looking or not all(_SILENT.match(part) for part in rest) or ROOT not in exchange.command:
            return
        got = self.player.shell("; ".join(looking))
        if got is not None:
            wanted, got = comparable_output(exchange.output), comparable_output(got)
            self._compared("looks", exchange, wanted == got, f"{exchange.command}: recorded {wanted!r}, got {got!r}")

    def _effects(self, exchange: Exchange) -> None:
        command, lever = exchange.command, self.player.lever
        for removing, modules in re.findall(r"(?:^|; |time )(?:modprobe( -r)?|rmmod) (\w+)", command):
            lever("unload" if removing or f"rmmod {modules}" in command else "load", module=modules)
            if f"rmmod {modules}" in command and f"modprobe {modules}" in command:
                lever("load", module=modules)
        if command.startswith("iscsi-scstd"):
            lever("daemon")
        if "kill $(pgrep -x iscsi-scstd)" in command:
            lever("daemon_dies")
        if "scstadmin" in command or re.match(r"(sed|grep|cp|head) .*\.conf", command):
            self._scstadmin(exchange)
        if "iscsiadm" in command:
            self._iscsiadm(exchange)

    def _scstadmin(self, exchange: Exchange) -> None:
        """Carried out where that can be; else the writes behind what it said."""
        said = self.player.scstadmin(exchange.command)
        if said is not None and _LACKING not in said:
            wanted, got = (sorted(comparable_output(text).splitlines()) for text in (exchange.output, said))
            self._compared("scstadmin", exchange, wanted == got, f"{exchange.command}: {wanted}, got {got}")
            return
        attributes = re.search(r"-add_lun .*-attributes (\S+)", exchange.command)
        for line in exchange.output.splitlines():
            for pattern, (path, text) in _WRITES.items():
                if match := re.match(rf"\s*-> {pattern}:", line):
                    fields = {**match.groupdict(), "parameters": attributes[1] if attributes else ""}
                    self.player.write(path.format(**fields), text.format(**fields).strip())

    def _iscsiadm(self, exchange: Exchange) -> None:
        command, output = exchange.command, exchange.output
        initiator = STRANGER if "-I other" in command else SCSTVM
        if user := re.search(r"auth\.username -v (\S+?);?(?: |$)", command):
            self._chap = (user[1].rstrip(";"), "")
        if secret := re.search(r"auth\.password -v (\S+?);?(?: |$)", command):
            self._chap = ((self._chap or CHAP)[0], secret[1].rstrip(";"))
        user_name, secret_text = (self._chap or ("", "")) if exchange.file == "03" else CHAP
        if match := re.search(r"discovery -t st -p (\S+)", command):
            self._discover(exchange, initiator, match[1].rstrip(";"))
        if "No records found" not in output:
            self._login(exchange, initiator, user_name, secret_text)
        if re.search(r"^Logout of .* successful", output, re.MULTILINE):
            target = re.search(r"target: ([^,]+),", output)
            assert target
            sessions = self.player.shell(f"ls {ROOT}/targets/iscsi/{target[1]}/sessions") or ""
            if initiator in sessions:
                self.player.lever("logout", target=target[1], initiator=initiator)

    def _login(self, exchange: Exchange, initiator: str, user: str, secret: str) -> None:
        match = re.search(r"-T (\S+) -p ([\d.]+).* --login", exchange.command)
        if not match:
            return
        wanted = re.search(r"initiator reported error \((\d+)", exchange.output)
        arguments = {"target": match[1], "initiator": initiator, "portal": match[2]}
        answer = self.player.lever("login", user=user, secret=secret, **arguments)
        status = int(wanted[1]) if wanted else 0
        self._compared("logins", exchange, answer["failed"] == status, f"{exchange.command}: {status}, got {answer}")
        if not answer["failed"] and "lsscsi" in exchange.command:
            luns = re.findall(r"^\[8:0:0:(\d+)\]", exchange.output, re.MULTILINE)
            seen = list(self.player.lever("visible", target=match[1], initiator=initiator))
            self._compared("logins", exchange, luns == seen, f"{exchange.command}: LUNs {luns}, got {seen}")

    def _discover(self, exchange: Exchange, initiator: str, portal: str) -> None:
        answer = self.player.lever("discover", initiator=initiator, portal=portal)
        failed = re.search(r"discovery: (.*)", exchange.output)
        if failed:
            status = 24 if "authorization" in failed[1] else 19
            self._compared(
                "logins", exchange, answer["failed"] == status, f"{exchange.command}: {status}, got {answer}"
            )
            return
        wanted = sorted(set(re.findall(rf"^{re.escape(portal)}:3260,1 (\S+)", exchange.output, re.MULTILINE)))
        # A discovery in the same line as something that hides its output says nothing.
        if ">/dev/null" not in exchange.command:
            same = answer.get("targets", []) == wanted
            self._compared("logins", exchange, same, f"{exchange.command}: {wanted}, got {answer}")


_LACKING = "The lab's scstadmin knows nothing of"
_LOOKS = re.compile(r"(ls|cat|head) .*/sys/kernel/scst_tgt")
_SILENT = re.compile(r"(modprobe|rmmod|sleep|exit|iscsiadm -m session|lsscsi|sg_inq|sg_turs|dmesg -c >|echo$)")
# What the recorder's filters left out of some trees.
_LEFT_OUT = re.compile(r"(^|/)(sgv|copy_manager|latency)(/|$)|_count$|_kb$|measure_latency$")
_OTHERS = re.compile(r"^(tcp: \[|\[\d+:|standard INQUIRY|  PQual|  \[AERC|Test unit ready)")
# Of other parts of the kernel, or of connections and commands that the model has none of.
_OTHER_MESSAGES = re.compile(
    r"^$|^\[[ \d.]+\] (?!\[)|Dev handler for device|TM fn |Negotiated|MaxBurstLength|MaxOutstandingR2T|HeaderDigest"
    r"|Target parameters set|Creating connection|Freeing|Logout received|Closing connection|Force closing connection"
    r"|Session [0-9a-f]+ created|Using security group|scsi8|Session created"
)


def comparable_message(text: str) -> str:
    """Without time, thread and addresses."""
    if _OTHER_MESSAGES.search(text):
        return ""
    text = re.sub(r"^\[[ \d.]+\] \[\d+\]: ", "", text.strip())
    text = re.sub(r" \([0-9a-f]{16}\)$", "", text)
    return re.sub(r"\b(sess|session) [0-9a-f]+\b", r"\1 …", text)


def comparable_output(text: str) -> str:
    """Without dates, and without other programs' lines."""
    lines = [line for line in text.splitlines() if not _OTHERS.match(line)]
    return "\n".join(re.sub(r" [A-Z][a-z]{2} +\d+ +\d\d:\d\d ", " … ", line) for line in lines).rstrip("\n")
