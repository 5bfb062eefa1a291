# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""iSCSI targets of SCST: what may be said of one, and whether something has to be done. Pure.

A list of who may come in, and what they get, is complete: who or what is not in it is not let in. A target that is
granted to nobody is open to nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import (
    RESET,
    Declaration,
    Item,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput, listed
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind, State
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    UPDATE,
    Consent,
    Plan,
    Step,
    Thing,
    label,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Key, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.scst.actions import (
    Wanted,
    WantedGroup,
    WantedLun,
    cut,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.names import (
    HIGHEST_LUN,
    ChapSecret,
    ChapUser,
    Comment,
    DeviceName,
    Digest,
    GroupName,
    IscsiName,
    Portal,
    Within,
    several,
)
from ansible_collections.hospital.continuity.plugins.module_utils.scst.state import (
    DEFAULTS,
    PASS_THROUGH,
    TAPE,
    Target,
)

CUT_SESSION = "cut_session"
# What is no option of an item, and still known and shown: LUNs that are open to everybody, and whether a reboot would
# bring the target back.
DEFAULT_LUNS, SAVED = "default_luns", "saved"

LUNS = Field(
    "luns",
    type="list",
    elements="dict",
    key="lun",
    fields=(
        Field("lun", Within(0, HIGHEST_LUN), type="int"),
        Field("device", DeviceName()),
        Field("read_only", Boolean(), type="bool"),
        Field("handler", choices=tuple(sorted(PASS_THROUGH))),
    ),
)
GROUPS = Field(
    "groups",
    type="list",
    elements="dict",
    key="name",
    kept=True,
    fields=(
        Field("name", GroupName()),
        Field("initiators", Unordered(element=IscsiName()), type="list", elements="str"),
        LUNS,
    ),
)
USERS = Field(
    "incoming_users",
    type="list",
    elements="dict",
    key="user",
    kept=True,
    fields=(Field("user", ChapUser()), Field("secret", ChapSecret(), secret=True)),
)
# SCST's own names, what a target has that nobody told anything, and what is allowed (iscsi-scst's limits).
SETTINGS = (
    Field("comment", Comment(), wire="comment"),
    Field("max_sessions", Within(0, 65535), type="int", wire="MaxSessions", default=0),
    Field("queued_commands", Within(1, 2048), type="int", wire="QueuedCommands", default=32),
    Field("nop_in_interval", Within(0, 60), type="int", wire="NopInInterval", default=30),
    Field("nop_in_timeout", Within(2, 60), type="int", wire="NopInTimeout", default=30),
    Field("rsp_timeout", Within(2, 65535), type="int", wire="RspTimeout", default=90),
    Field("header_digest", Digest(), wire="HeaderDigest", default="None"),
    Field("data_digest", Digest(), wire="DataDigest", default="None"),
)


@dataclass(frozen=True)
class TargetKind(Kind):
    # -- what may be said -------------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        options = item.options
        for name, group in (options.get("groups") or {}).items():
            for number, lun in (group.get("luns") or {}).items():
                if not lun.get("device"):
                    raise InvalidInput(f"groups: LUN {number} of {name} has no device.", hint="Say which one it is.")
        _one_group_each(options.get("groups") or {})
        if options.get("outgoing_secret") and "outgoing_user" in options and not options["outgoing_user"]:
            raise InvalidInput("outgoing_secret: there is no outgoing_user.", hint="Give both, or neither.")
        secrets = {user.get("secret") for user in (options.get("incoming_users") or {}).values()}
        if options.get("outgoing_secret") and options["outgoing_secret"] in secrets:
            raise InvalidInput(
                "outgoing_secret: it is also the secret of an incoming user, and initiators refuse that.",
                hint="Use two different secrets.",
            )

    # -- what has to be done ----------------------------------------------------------------------------------------

    def plan(self, observed: Mapping[Key, Thing], declared: Declaration) -> Plan:
        plan = super().plan(observed, declared)
        states: dict[Key, Optional[State]] = {key: thing.state for key, thing in observed.items()}
        states.update(plan.after())
        problems = list(_shared_drives(states, set(declared.keys)))
        if problems:
            raise InvalidInput(listed(problems) + ".", hint="Nothing was changed.")
        return plan

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        if thing is None or not thing.facts["running"]:
            return super().plan_present(item, None, declared)
        if thing.facts["wedged"] and "outgoing_user" in item.options:
            raise InvalidInput(
                "outgoing_user: two had been added by hand, and SCST shows neither until the target is deleted; "
                "run it with state: absent first"
            )
        return super().plan_present(item, thing, declared)

    def plan_create(self, item: Item) -> Step:
        after, _options = self._merged(item, {}, reset=True)
        options = tuple(name for name in item.options if item.options[name] is not None)
        return Step(CREATE, self.name, item.key, after={**after, SAVED: True}, options=options)

    def wanted(self, item: Item, current: State, declared: Declaration) -> tuple[dict[str, Any], list[str]]:
        after, options = self._merged(item, current, reset=declared.unlisted_options == RESET)
        if "groups" in item.options and after.pop(DEFAULT_LUNS, None):
            options.append(DEFAULT_LUNS)
        if not current.get(SAVED, True) and not options:
            options.append("scst.conf")
        return {**after, SAVED: True}, options

    def _merged(self, item: Item, current: State, *, reset: bool) -> tuple[dict[str, Any], list[str]]:
        """The state after, and the options in which it differs."""
        after, options = dict(current), []
        for row in self.option_rows:
            if row.name in item.options:
                value = item.options[row.name]
                if row is GROUPS:
                    value = _groups(value or {}, current.get(row.name) or {}, reset=reset)
                elif row is USERS:
                    value = _users(value or {}, current.get(row.name) or {})
            elif row.name in item.reset or (reset and row.resettable):
                value = None
            else:
                continue
            if value is None or value == {}:
                after.pop(row.name, None)
            else:
                after[row.name] = value
            same = _comparable(row, current.get(row.name)) == _comparable(row, after.get(row.name))
            if not same:
                options.append(row.name)
        if not after.get("outgoing_user"):
            if item.options.get("outgoing_secret"):
                raise InvalidInput("outgoing_secret: there is no outgoing_user")
            after.pop("outgoing_secret", None)
        elif not after.get("outgoing_secret"):
            raise InvalidInput("outgoing_user: it needs its outgoing_secret")
        return after, [name for name in options if name != "outgoing_secret" or "outgoing_secret" in after]

    def consents(self, step: Step) -> Sequence[Consent]:
        now: Optional[Target] = step.facts.get("target")
        if step.action == CREATE or now is None:
            return ()
        wanted = None if step.action == DELETE else wanted_target(step.after or {}, step.facts["addresses"])
        ended = cut(now, wanted)
        moved = _moved(step)
        lost = [
            f"{session.initiator}{_from(session.addresses)} is logged in"
            f"{f' and has {session.commands} commands running' if session.commands else ''}"
            for session in (list(now.sessions) if moved else ended)
        ]
        if DEFAULT_LUNS in step.options:
            lost.append("whoever uses the LUNs that this target offers to everybody loses them")
        if not lost:
            return ()
        return (Consent(f"{CUT_SESSION}:{step.key[0]}", f"{listed(lost)}; what it reads or writes there breaks off"),)

    # -- what people see --------------------------------------------------------------------------------------------

    def visible(self, key: Key, state: State | None) -> dict[str, Any] | None:
        shown = super().visible(key, state)
        if shown is None or state is None:
            return None
        if state.get(DEFAULT_LUNS):
            shown[DEFAULT_LUNS] = [{"lun": number, "device": name} for number, name in state[DEFAULT_LUNS].items()]
        if SAVED in state:
            shown[SAVED] = state[SAVED]
        return shown

    def pasted(self, key: Key, state: State) -> dict[str, Any]:
        """A state as `config` takes it."""
        return super().visible(key, {name: value for name, value in state.items() if name in self.rows}) or {}


TARGET = TargetKind(
    name="target",
    identity=("target",),
    words=(CUT_SESSION,),
    fields=(
        Field("target", IscsiName()),
        Field("enabled", Boolean(), type="bool", default=True),
        Field("allowed_portals", Unordered(element=Portal()), type="list", elements="str"),
        USERS,
        # Who has to prove itself is never given up by leaving it out.
        Field("outgoing_user", ChapUser(), kept=True),
        Field("outgoing_secret", ChapSecret(), secret=True, kept=True),
        GROUPS,
        *SETTINGS,
    ),
)


def _comparable(row: Field, value: Any) -> Any:
    if row is GROUPS:
        return {
            name: (
                tuple(group.get("initiators") or ()),
                {number: _lun(lun) for number, lun in (group.get("luns") or {}).items()},
            )
            for name, group in (value or {}).items()
        }
    return row.effective(value) or None if row.key else row.effective(value)


def _lun(lun: Mapping[str, Any]) -> tuple[Any, ...]:
    return (lun["device"], bool(lun.get("read_only")), lun.get("handler"))


def _groups(given: Mapping[str, Any], now: Mapping[str, Any], *, reset: bool) -> dict[str, Any]:
    """The groups after: those that are listed, and of each what is listed; what an item leaves out stays."""
    result: dict[str, Any] = {}
    for name, group in given.items():
        current = now.get(name, {})
        merged: dict[str, Any] = {}
        for option in ("initiators", "luns"):
            value = group[option] if option in group else None if reset else current.get(option)
            if value:
                merged[option] = value
        if "luns" in merged:
            merged["luns"] = {number: {"read_only": False, **lun} for number, lun in merged["luns"].items()}
        result[name] = merged
    _one_group_each(result)
    return result


def _users(given: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The CHAP users after. One that is there keeps its secret where none is given."""
    result = {}
    for user, options in given.items():
        secret = options.get("secret") or now.get(user, {}).get("secret")
        if not secret:
            raise InvalidInput(f"incoming_users: {user} is new and needs its secret")
        result[user] = {"secret": secret}
    return result


def _one_group_each(groups: Mapping[str, Any]) -> None:
    """SCST accepts an initiator in two groups, and its own tools then refuse to work."""
    place: dict[str, str] = {}
    for name, group in groups.items():
        for initiator in group.get("initiators") or ():
            if initiator in place:
                raise InvalidInput(
                    f"groups: {initiator} is in {place[initiator]} and in {name}; it can see the LUNs of one group only"
                )
            place[initiator] = name


def _shared_drives(states: Mapping[Key, Optional[State]], concerned: set[Key]) -> Iterator[str]:
    """A tape drive has one head: two initiators that use it overwrite each other's backups."""
    users: dict[str, dict[str, Key]] = {}
    for key, state in states.items():
        for group in ((state or {}).get("groups") or {}).values():
            for lun in (group.get("luns") or {}).values():
                if lun.get("type") == TAPE:
                    users.setdefault(lun["device"], {}).update(dict.fromkeys(group.get("initiators") or (), key))
    for drive, initiators in sorted(users.items()):
        if several(initiators) and concerned & set(initiators.values()):
            who = " and ".join(f"{name} (target {label(key)})" for name, key in sorted(initiators.items()))
            yield f"the tape drive {drive} would be granted to {who}; one drive serves one initiator"


def _moved(step: Step) -> bool:
    """Whether a device that is in use goes from one handler to another."""
    return any(
        number in before and before[number].get("handler") and before[number]["handler"] != lun.get("handler")
        for name, group in ((step.after or {}).get("groups") or {}).items()
        for before in [(((step.before or {}).get("groups") or {}).get(name) or {}).get("luns") or {}]
        for number, lun in (group.get("luns") or {}).items()
        if number in before and before[number]["device"] == lun["device"]
    )


def _from(addresses: Sequence[str]) -> str:
    return f" from {', '.join(addresses)}" if addresses else ""


def wanted_target(state: State, addresses: Mapping[str, str]) -> Wanted:
    """A state as the tree shall hold it. `addresses`: H:C:I:L by the name of a device, as they are now."""
    outgoing = state.get("outgoing_user")
    return Wanted(
        enabled=state.get("enabled", True),
        portals=tuple(state.get("allowed_portals") or ()),
        users={user: options["secret"] for user, options in (state.get("incoming_users") or {}).items()},
        outgoing=(outgoing, state["outgoing_secret"]) if outgoing else None,
        settings={row.wire_name: str(state.get(row.name, DEFAULTS[row.wire_name])) for row in SETTINGS},
        groups={
            name: WantedGroup(
                {
                    number: WantedLun(
                        addresses.get(lun["device"], lun["device"]),
                        bool(lun.get("read_only")),
                        lun.get("handler") or "",
                    )
                    for number, lun in (group.get("luns") or {}).items()
                },
                tuple(group.get("initiators") or ()),
            )
            for name, group in (state.get("groups") or {}).items()
        },
        close_default=not state.get(DEFAULT_LUNS),
    )


def update_of(key: Key, before: State, after: State, options: Sequence[str]) -> Step:
    """A step of this kind, for tests and previews."""
    return Step(UPDATE, TARGET.name, key, before=before, after=after, options=tuple(options))
