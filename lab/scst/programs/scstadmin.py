# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""scstadmin, as far as tests need it, and as untrustworthy as it was recorded.

-config, -check_config, -write_config; -list_handler, -list_device, -list_target; -add_target, -rem_target, -open_dev,
-add_tgt_attr. Everything else says that the lab lacks it. It goes through the files in /sys like everybody."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from lab.scst.configuration import Block, parse

ROOT = Path("/sys/kernel/scst_tgt")
CONF = "/etc/scst.conf"
_COLLECTING = "\nCollecting current configuration: done.\n\n"
_DYNAMIC = ("IncomingUser", "OutgoingUser", "allowed_portal")
_REQUESTED = f"{_COLLECTING}\n-> Making requested changes."
_QUESTION = "Performing this action may result in lost or corrupt data, are you sure you wish to continue (y/[n]) ?"
_DONE = "\nAll done.\n"


class Fatal(Exception):
    """What it calls fatal; everything so far stays done."""


def main(words: list[str]) -> int:
    if not ROOT.is_dir():
        print("Failed to obtain SCST version information. Are the SCST modules loaded?")
        return 2
    options = _options(words)
    flags: set[str] = {name for name in ("noprompt", "force") if name in options}
    for name, action in _ACTIONS.items():
        if name in options:
            try:
                return action(options, flags)
            except Fatal as problem:
                print(f"\n\nFATAL: Received the following error:\n\n\t{problem}\n")
                return 1
    if not words:
        print(f"{_COLLECTING}No valid operations specified.")
        return 1
    print(f"The lab's scstadmin knows nothing of {' '.join(words)}.", file=sys.stderr)
    return 1


def _options(words: list[str]) -> dict[str, str]:
    """-name value; a following option is no value."""
    found: dict[str, str] = {}
    for index, word in enumerate(words):
        if word.startswith("-"):
            following = words[index + 1] if index + 1 < len(words) else ""
            found[word.lstrip("-")] = "" if following.startswith("-") else following
    return found


def _read(path: Path) -> str:
    """The first line."""
    try:
        return path.read_text().split("\n")[0]
    except OSError:
        return ""


def _write(path: Path, text: str, failure: str) -> None:
    """EAGAIN is waited for."""
    try:
        with path.open("w") as file:
            file.write(f"{text}\n")
    except OSError as problem:
        if problem.errno == errno.EAGAIN:
            while (result := _read(ROOT / "last_sysfs_mgmt_res")) == str(-errno.EAGAIN):
                pass
            if result == "0":
                return
        raise Fatal(failure) from None


def _see_dmesg(what: str) -> str:
    return f'Failed to {what}. See "dmesg" for more information.'


def _config(options: dict[str, str], flags: set[str]) -> int:
    root = _checked(options["config"] or CONF)
    print("\n-> Applying configuration.")
    run = Application("force" in flags)
    run.apply(root)
    print(f"\t-> Done, {run.changes} change(s) made.\n{_DONE}", end="")
    return 0


def _check(options: dict[str, str], flags: set[str]) -> int:
    """Absent devices and short secrets pass, as recorded."""
    _checked(options["check_config"] or CONF)
    print(f"\n{_DONE}", end="")
    return 0


def _checked(conf: str) -> Block:
    """The file without what is warned of."""
    print(f"{_COLLECTING}-> Checking configuration file '{conf}' for errors.")
    try:
        root = parse(Path(conf).read_text())
    except OSError as problem:
        raise Fatal(f"Unable to open configuration file '{conf}': {os.strerror(problem.errno or 0)}") from None
    warnings = 0
    for handler in root.named("HANDLER"):
        if not (ROOT / "handlers" / handler.name).is_dir():
            print(f"\t-> WARNING: No such handler '{handler.name}' available, ignoring.")
            root.blocks.remove(handler)
            warnings += 1
    devices = {device for handler in root.named("HANDLER") for device in handler.all("DEVICE")}
    for driver in root.named("TARGET_DRIVER"):
        for target in driver.named("TARGET"):
            for block in [target, *target.named("GROUP")]:
                for line in [line for line in block.lines if line[0] == "LUN"]:
                    lun, device = line[1].split()
                    if device not in devices:
                        where = f"driver/target '{driver.name}/{target.name}' at LUN {lun}"
                        lacking = "is not defined within configuration, removing it"
                        print(f"\t-> WARNING: Device '{device}' associated with {where} {lacking}.\n")
                        block.lines.remove(line)
                        warnings += 1
    print(f"\t-> Done, {warnings} warnings found.")
    return root


class Application:
    """What -config does: adds what is missing; takes LUNs away only with -force, and nothing else."""

    def __init__(self, force: bool) -> None:
        self.force = force
        self.changes = 0

    def apply(self, root: Block) -> None:
        wanted = {device for handler in root.named("HANDLER") for device in handler.all("DEVICE")}
        for device in self._claimed():
            if device not in wanted:
                print(f"\t-> Device '{device}' is not in configuration. Use -force to close it.")
        for handler in root.named("HANDLER"):
            self._devices(handler)
        self._leftover_luns(root)
        if self.force:
            print(_COLLECTING, end="")
        drivers = {driver.name: driver for driver in root.named("TARGET_DRIVER")}
        if "copy_manager" not in drivers:
            print(
                "\t-> Virtual target 'copy_manager_tgt' for driver 'copy_manager' is not in configuration. "
                "Use -force to remove it."
            )
        if "iscsi" in drivers and (ROOT / "targets/iscsi").is_dir():
            self._driver(drivers["iscsi"])

    def _claimed(self) -> list[str]:
        return sorted(path.name for path in (ROOT / "devices").iterdir() if (path / "handler").exists())

    def _do(self, said: str, path: Path, text: str, failure: str) -> None:
        print(f"\t-> {said}: done.")
        _write(path, text, failure)
        self.changes += 1

    def _devices(self, handler: Block) -> None:
        folder = ROOT / "handlers" / handler.name
        for device in handler.all("DEVICE"):
            if folder.is_dir() and not (folder / device).exists():
                said = f"Opening device '{device}' using handler '{handler.name}'"
                self._do(said, folder / "mgmt", f"add_device {device}", _see_dmesg("open device"))

    def _driver(self, driver: Block) -> None:
        folder = ROOT / "targets/iscsi"
        for target in driver.named("TARGET"):
            place = folder / target.name
            if not place.is_dir():
                said = f"Creating target '{target.name}' for driver 'iscsi'"
                self._do(said, folder / "mgmt", f"add_target {target.name}", _see_dmesg("add target"))
            self._target(target, place)
        for name, value in driver.lines:
            if not (folder / name).exists():
                print(f"\t-> WARNING: Driver 'iscsi' lacks the settable attribute '{name}', ignoring.\n")
            elif name == "enabled" and value != _read(folder / "enabled"):
                self._do("Enabling driver 'iscsi'", folder / "enabled", value, _see_dmesg("enable driver"))

    def _target(self, target: Block, place: Path) -> None:
        where = f"driver/target 'iscsi/{target.name}'"
        for name, value in target.lines:
            if name in _DYNAMIC and value not in {_read(path) for path in place.glob(f"{name}*")}:
                said = f"Adding target attribute '{name}' with value '{value}' for {where}"
                text = f"add_target_attribute {target.name} {name} {value}"
                self._do(said, place.parent / "mgmt", text, _see_dmesg("add target dynamic attribute"))
        listed = set(target.lines)
        for path in sorted(path for name in _DYNAMIC for path in place.glob(f"{name}*")):
            name, value = path.name.rstrip("0123456789"), _read(path)
            if (name, value) not in listed:
                said = f"Target dynamic attribute '{name}' with value '{value}' is not in configuration"
                print(f"\t-> {said}. Use -force to remove it.")
        for group in target.named("GROUP"):
            self._group(group, place / "ini_groups", target.name)
        self._luns(target, place / "luns", where)
        for name, value in target.lines:
            if name in (*_DYNAMIC, "LUN", "GROUP", "enabled"):
                continue
            if not (place / name).exists():
                lacking = f"'iscsi/{target.name}' lacks the settable attribute '{name}'"
                print(f"\t-> WARNING: Driver/target {lacking}, ignoring.\n")
            elif value != _read(place / name):
                said = f"Setting target attribute '{name}' to value '{value}' for {where}"
                self._do(said, place / name, value, _see_dmesg("set target attribute"))
        if ("enabled", "1") in target.lines and _read(place / "enabled") != "1":
            self._do(f"Enabling {where}", place / "enabled", "1", _see_dmesg("enable target"))

    def _group(self, group: Block, folder: Path, target: str) -> None:
        where = f"driver/target/group 'iscsi/{target}/{group.name}'"
        place = folder / group.name
        if not place.is_dir():
            said = f"Adding new group '{group.name}' to driver/target 'iscsi/{target}'"
            self._do(said, folder / "mgmt", f"create {group.name}", _see_dmesg("add group"))
        self._luns(group, place / "luns", where)
        for initiator in group.all("INITIATOR"):
            if not (place / "initiators" / initiator).exists():
                said = f"Adding new initiator '{initiator}' to {where}"
                self._do(said, place / "initiators/mgmt", f"add {initiator}", _see_dmesg("add initiator"))

    def _leftover_luns(self, root: Block) -> None:
        """Those that are another device's in the configuration, or in none."""
        for driver in root.named("TARGET_DRIVER"):
            for target in driver.named("TARGET"):
                place = ROOT / "targets" / driver.name / target.name
                self._leftover(target, place / "luns", f"driver/target '{driver.name}/{target.name}'")
                for group in target.named("GROUP"):
                    where = f"driver/target/group '{driver.name}/{target.name}/{group.name}'"
                    self._leftover(group, place / "ini_groups" / group.name / "luns", where)

    def _leftover(self, block: Block, folder: Path, where: str) -> None:
        wanted = dict(line.split(None, 1) for line in block.all("LUN"))
        for lun, device in _luns_in(folder).items():
            if device == wanted.get(lun):
                continue
            if self.force:
                self._do(f"Removing LUN {lun} from {where}", folder / "mgmt", f"del {lun}", _see_dmesg("remove LUN"))
            else:
                said = f"Device '{device}' at LUN '{lun}' is not in configuration for {where}"
                print(f"\t-> {said}. Use -force to remove it.")

    def _luns(self, block: Block, folder: Path, where: str) -> None:
        there = _luns_in(folder)
        for line in block.all("LUN"):
            lun, device = line.split(None, 1)
            if lun not in there:
                said = f"Adding device '{device}' at LUN {lun} to {where}"
                self._do(said, folder / "mgmt", f"add {device} {lun}", _see_dmesg("add device"))


def _luns_in(folder: Path) -> dict[str, str]:
    """LUN -> device."""
    found = {path.parent.name: path.readlink().name for path in folder.glob("*/device")}
    return {lun: found[lun] for lun in sorted(found, key=int)}


def _write_config(options: dict[str, str], flags: set[str]) -> int:
    """Secrets in clear, and with the mode that the umask leaves: 0644."""
    path = options["write_config"]
    try:
        Path(path).write_text(written())
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        print(f"{_COLLECTING}Failed to save configuration to file '{path}': {reason}\n{_DONE}", end="")
        return 1
    print(f"{_COLLECTING}Writing current configuration to file '{path}'.. {_DONE}", end="")
    return 0


def written() -> str:
    lines = ["# Automatically generated by SCST Configurator v3.11.0-pre.", "", ""]
    for handler in sorted((ROOT / "handlers").iterdir()):
        devices = sorted(path.name for path in handler.iterdir() if path.is_symlink())
        if devices:
            lines += [f"HANDLER {handler.name} {{", *(f"\tDEVICE {device}" for device in devices), "}", ""]
    lines += ["TARGET_DRIVER copy_manager {", "\tTARGET copy_manager_tgt", "}", ""]
    iscsi = ROOT / "targets/iscsi"
    if iscsi.is_dir():
        lines.append("TARGET_DRIVER iscsi {")
        if (iscsi / "enabled").exists():
            lines += [f"\tenabled {_read(iscsi / 'enabled')}", ""]
        for target in sorted(path for path in iscsi.iterdir() if path.is_dir()):
            lines += _written_target(target)
        lines += ["}", ""]
    return "\n".join(lines) + "\n"


def _written_target(target: Path) -> list[str]:
    lines = [f"\tTARGET {target.name} {{"]
    saved: list[str] = []
    for path in sorted(path for path in target.iterdir() if path.is_file()):
        name = path.name.rstrip("0123456789") if path.name.startswith(_DYNAMIC) else path.name
        try:
            text = path.read_text()
        except OSError:
            continue
        value = text.split("\n")[0]
        if "[key]" in text or name == "enabled":
            saved.append(f'\t\t{name} "{value}"' if " " in value else f"\t\t{name} {value}")
    lines += sorted(saved)
    lines += [""]
    for group in sorted(path for path in (target / "ini_groups").iterdir() if path.is_dir()):
        lines.append(f"\t\tGROUP {group.name} {{")
        lines += _written_luns(group / "luns", "\t\t\t")
        names = [_read(path) for path in (group / "initiators").iterdir() if path.name != "mgmt"]
        lines += ["", *(f"\t\t\tINITIATOR {name}" for name in sorted(names)), "\t\t}"]
    return [*lines, *_written_luns(target / "luns", "\t\t"), "\t}"]


def _written_luns(folder: Path, indent: str) -> list[str]:
    lines = []
    for lun in sorted((path.parent for path in folder.glob("*/device")), key=lambda path: int(path.name)):
        device = (lun / "device").readlink().name
        lines.append(f"{indent}LUN {lun.name} {device}")
        if _read(lun / "read_only") == "1":
            lines[-1] += f" {{\n{indent}\tread_only 1\n{indent}}}"
    return lines


def _listed(title: str, names: list[str]) -> int:
    print(f"{_COLLECTING}\t{title}\n\t{'-' * 13}\n" + "".join(f"\t{name}\n" for name in names) + _DONE, end="")
    return 0


def _list_handlers(options: dict[str, str], flags: set[str]) -> int:
    name = options["list_handler"]
    handlers = sorted(path.name for path in (ROOT / "handlers").iterdir())
    if name and name not in handlers:
        print(f"{_COLLECTING}No such handler '{name}' found.\n{_DONE}", end="")
        return 0
    return _listed("Handler", handlers)


def _list_devices(options: dict[str, str], flags: set[str]) -> int:
    rows = [
        (handler.name, sorted(path.name for path in handler.iterdir() if path.is_symlink()))
        for handler in sorted((ROOT / "handlers").iterdir())
    ]
    wide = max((len(name) for name, _devices in rows), default=7)
    lines = [f"\t{'Handler':<{wide}}    Device ", f"\t{'-' * (wide + 11)}"]
    for name, devices in rows:
        for index, device in enumerate(devices or ["-"]):
            lines.append(f"\t{'' if index else name:<{wide}}    {device:<7}")
    print(_COLLECTING + "\n".join(lines) + "\n" + _DONE, end="")
    return 0


def _list_targets(options: dict[str, str], flags: set[str]) -> int:
    """An absent one ends in 0."""
    name = options["list_target"]
    iscsi = ROOT / "targets/iscsi"
    targets = sorted(path.name for path in iscsi.iterdir() if path.is_dir()) if iscsi.is_dir() else []
    if name and name not in targets and "driver" in options:
        print(f"{_COLLECTING}Driver/target '{options['driver']}/{name}' not found\n{_DONE}", end="")
        return 0
    return _listed("Driver Target", [f"iscsi {target}" for target in targets])


def _requested(said: str, warning: str = "", status: int = 0) -> int:
    """Done, it says, and then perhaps that it was not."""
    print(f"{_REQUESTED}\n\t-> {said}: done.\n\t-> Done.")
    if warning:
        print(f"\n\nWARNING: Received the following error:\n\n\t{warning}\n")
    print(_DONE, end="")
    return status


def _add_target(options: dict[str, str], flags: set[str]) -> int:
    name, driver = options["add_target"], options.get("driver", "")
    said = f"Creating target '{name}' for driver '{driver}'"
    folder = ROOT / "targets" / driver
    if not folder.is_dir():
        return _requested(said, "No such driver exists.", 30)
    if (folder / name).is_dir():
        return _requested(said, "Target already exists.", 41)
    try:
        _write(folder / "mgmt", f"add_target {name}", _see_dmesg("add target"))
    except Fatal as problem:
        return _requested(said, str(problem), 42)
    return _requested(said)


def _remove_target(options: dict[str, str], flags: set[str]) -> int:
    """Without -noprompt and a terminal it does nothing and ends in 0."""
    name, driver = options["rem_target"], options.get("driver", "")
    if "noprompt" not in flags and not sys.stdin.isatty():
        print(f"{_COLLECTING}{_QUESTION} Aborting action.\n{_DONE}", end="")
        return 0
    said = f"Removing virtual target '{name}' from driver '{driver}'"
    try:
        _write(ROOT / "targets" / driver / "mgmt", f"del_target {name}", _see_dmesg("remove target"))
    except Fatal as problem:
        absent = not (ROOT / "targets" / driver / name).is_dir()
        return _requested(said, "No such target exists." if absent else str(problem), 40)
    return _requested(said)


def _open_device(options: dict[str, str], flags: set[str]) -> int:
    device, handler = options["open_dev"], options.get("handler", "")
    if not handler:
        print("Please specify -handler with -open_dev/-close_dev.")
        return 1
    print(f"{_REQUESTED}\n\t-> Opening device '{device}' using handler '{handler}': done.")
    if not (ROOT / "handlers" / handler).is_dir():
        raise Fatal("No such handler exists.")
    _write(ROOT / "handlers" / handler / "mgmt", f"add_device {device}", _see_dmesg("open device"))
    print(f"\t-> Done.\n{_DONE}", end="")
    return 0


def _add_attribute(options: dict[str, str], flags: set[str]) -> int:
    target, driver = options["add_tgt_attr"], options.get("driver", "")
    name, _equals, value = options.get("attributes", "").partition("=")
    print(_REQUESTED)
    place, where = ROOT / "targets" / driver, f"driver/target '{driver}/{target}'"
    if value in {_read(path) for path in (place / target).glob(f"{name}*")}:
        print(f"\t-> Attribute/value '{name}/{value}' already exists for {where}.")
    else:
        print(f"\t-> Adding target attribute '{name}' with value '{value}' for {where}: done.")
        text = f"add_target_attribute {target} {name} {value}"
        _write(place / "mgmt", text, _see_dmesg("add target dynamic attribute"))
    print(f"\t-> Done.\n{_DONE}", end="")
    return 0


_ACTIONS = {
    "config": _config,
    "check_config": _check,
    "write_config": _write_config,
    "list_handler": _list_handlers,
    "list_device": _list_devices,
    "list_target": _list_targets,
    "add_target": _add_target,
    "rem_target": _remove_target,
    "open_dev": _open_device,
    "add_tgt_attr": _add_attribute,
}
