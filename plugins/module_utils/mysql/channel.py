# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""A replication channel: its options, what changing them means, and when it is healthy. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from ansible_collections.hospital.continuity.plugins.module_utils.convergence.backend import Unmet
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.declaration import Declaration, Item
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.errors import InvalidInput
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.kind import Kind
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.plan import (
    CREATE,
    DELETE,
    Consent,
    Plan,
    Step,
    Thing,
)
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.spec import Field
from ansible_collections.hospital.continuity.plugins.module_utils.convergence.values import Boolean, Key, Unordered
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.channel_values import (
    DEFAULT_CHANNEL,
    ChannelName,
    FilePath,
    HostName,
    Pattern,
    Period,
    Plain,
    Within,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.dialect import (
    BOTH,
    FILTERS,
    POSITION,
    SOURCE,
    Channel,
    Dialect,
    Replica,
)
from ansible_collections.hospital.continuity.plugins.module_utils.mysql.errors import LASTING

State = Mapping[str, Any]
REMOVE_CHANNEL, CHANGE_SOURCE = "remove_channel", "change_source"
# In a state beside the options: what those are that are not set, where that depends on the server.
DEFAULTS = "defaults"
# `running` of a channel of which only one thread runs.
PARTLY = "partly"
# More than columns of the servers hold.
_MOST = 2147483647


def channel_of(key: Key) -> str:
    """The channel's name as the server has it."""
    return "" if key[0] == DEFAULT_CHANNEL else str(key[0])


def key_of(channel: str) -> Key:
    return (channel.lower() or DEFAULT_CHANNEL,)


@dataclass(frozen=True)
class ChannelKind(Kind):
    # -- what may be said -------------------------------------------------------------------------------------------

    def declare_item(self, raw: Mapping[str, Any]) -> Item:
        item = super().declare_item(raw)
        if "running" in item.options or "running" in item.reset:
            return item
        # What is declared shall replicate: a channel that stands still is no fail-over.
        return replace(item, options={**item.options, "running": True})

    def check(self, item: Item) -> None:
        log, position = (item.options.get(name) for name in POSITION)
        if (log is None) != (position is None):
            raise InvalidInput("source_log_file and source_log_pos go together.", hint="Give both, or neither.")
        if log is not None and item.options.get("gtid", True):
            raise InvalidInput(
                "source_log_file: with gtid the servers find the position themselves.",
                hint="Leave it out, or give gtid: false.",
            )

    # -- what has to be done ----------------------------------------------------------------------------------------

    def plan(self, observed: Mapping[Key, Thing], declared: Declaration) -> Plan:
        said = {bool(item.options["semi_sync"]) for item in declared.items if "semi_sync" in item.options}
        if len(said) > 1:
            raise InvalidInput(
                "semi_sync: it is one setting for all channels of a server, and two items say different things.",
                hint="Say the same in both. Nothing was changed.",
            )
        return super().plan(observed, declared)

    def row_for(self, row: Field, current: State) -> Field:
        defaults = current.get(DEFAULTS) or {}
        return replace(row, default=defaults[row.name]) if row.name in defaults else row

    def plan_create(self, item: Item) -> Step:
        if not item.options.get("gtid", True) and item.options.get("source_log_file") is None:
            raise InvalidInput(
                "does not exist and cannot be created without gtid and without source_log_file and source_log_pos, the "
                "position of the copy of the data that this server has"
            )
        step = super().plan_create(item)
        # A server's configuration may have filters for a channel that does not exist yet.
        cleared = tuple(name for name in FILTERS if name in item.options and item.options[name] is None)
        return replace(step, after={"gtid": True, **(step.after or {})}, facts={"cleared": cleared})

    def plan_present(self, item: Item, thing: Thing | None, declared: Declaration) -> Sequence[Step]:
        steps = super().plan_present(item, thing, declared)
        return tuple(step if step.action == CREATE else self._completed(step, item) for step in steps)

    def _completed(self, step: Step, item: Item) -> Step:
        """The step with what has to be written beside the options that differ."""
        after = step.after or {}
        moved = [name for name in SOURCE if name in step.options]
        inputs = {name: item.options[name] for name in POSITION if name in item.options}
        if moved and not after.get("gtid", True) and not inputs:
            raise InvalidInput(
                f"{moved[0]}: another source has another log; without gtid, give source_log_file and source_log_pos"
            )
        secrets = dict(step.secrets)
        if (moved or "source_user" in step.options) and item.options.get("source_password") is not None:
            secrets["source_password"] = item.options["source_password"]
        used = moved or "gtid" in step.options
        return replace(step, secrets=secrets, inputs=inputs if used else {})

    def consents(self, step: Step) -> Sequence[Consent]:
        target = str(step.key[0])
        before = step.before or {}
        if step.action == DELETE:
            loses = f"nothing of {_source(before)} is received any more, and its position is lost"
            if before.get("gtid"):
                loses = f"nothing of {_source(before)} is received any more"
            return (Consent(f"{REMOVE_CHANNEL}:{target}", loses),)
        if step.action != CREATE and any(name in step.options for name in SOURCE):
            loses = f"it would follow {_source(step.after or {})} instead of {_source(before)}"
            return (Consent(f"{CHANGE_SOURCE}:{target}", f"{loses}; what only that one has is not received any more"),)
        return ()

    # -- what people see --------------------------------------------------------------------------------------------

    def visible(self, key: Key, state: State | None) -> dict[str, Any] | None:
        if state is not None and state.get("running") == PARTLY:
            state = {**state, "running": False}
        return super().visible(key, state)

    # -- what the server says ---------------------------------------------------------------------------------------

    def thing(self, channel: Channel, replica: Replica, dialect: Dialect, *, started: bool = False) -> Thing:
        """started: this run has started it. That it stopped for an error since is told, not tried again."""
        state = {name: value for name, value in channel.options.items() if value not in ("", (), None)}
        running: Any = PARTLY
        if channel.threads == BOTH or (started and channel.error):
            running = True
        elif not channel.threads:
            running = False
        state["running"] = running
        if replica.semi_sync.available:
            state["semi_sync"] = replica.semi_sync.enabled
        state[DEFAULTS] = dialect.defaults(replica.net_timeout)
        return Thing(state, {"channel": channel, "semi_sync": replica.semi_sync})

    def problems(self, plan: Plan, replica: Replica, dialect: Dialect) -> Sequence[str]:
        """What the server would refuse, or could not do."""
        problems = list(self._twice(plan, replica)) if dialect.once else []
        problems += self._semi_sync_of_several(plan, replica)
        for step in plan:
            where = self.described(step.key)
            after = step.after or {}
            if step.action == DELETE:
                continue
            for name in step.options:
                if name in dialect.unsupported:
                    problems.append(f"{where}: {name}: {dialect.unsupported[name]}")
            user, password = after.get("source_user") or "", step.secrets.get("source_password") or ""
            if len(user) > dialect.longest_user:
                problems.append(f"{where}: source_user: {dialect.name} takes {dialect.longest_user} characters at most")
            if len(password) > dialect.longest_password:
                problems.append(
                    f"{where}: source_password: {dialect.name} takes {dialect.longest_password} characters at most"
                )
            if after.get("gtid", True) and not replica.gtid_mode and (step.action == CREATE or "gtid" in step.options):
                problems.append(f"{where}: gtid: gtid_mode of this server is not ON")
            if replica.server_id == 0:
                problems.append(f"{where}: server_id of this server is 0, and with that it can follow nobody")
            if "semi_sync" in step.options and after.get("semi_sync") and not replica.semi_sync.available:
                problems.append(
                    f"{where}: semi_sync: the plugin is not loaded; have the server load it at its start, with "
                    "plugin-load-add=semisync_replica.so in its configuration"
                )
        return problems

    def _twice(self, plan: Plan, replica: Replica) -> Sequence[str]:
        """The sources that would have more than one channel."""
        sources = {key_of(name): _source(channel.options) for name, channel in replica.channels.items()}
        sources.update({step.key: _source(step.after) if step.after else "" for step in plan})
        for step in plan:
            others = [key for key, source in sources.items() if step.after and source == sources[step.key] != ""]
            if len(others) > 1:
                named = " and ".join(str(key[0]) for key in sorted(others))
                return [f"{named} would follow {sources[step.key]}, and MariaDB follows a source with one channel only"]
        return []

    @staticmethod
    def _semi_sync_of_several(plan: Plan, replica: Replica) -> Sequence[str]:
        """The receivers of a server share one flag. One that starts or stops changes it for all, and the others take
        what they receive for something else ("Missing magic number for semi-sync packet"), in MariaDB and MySQL."""
        names = {key_of(name) for name in replica.channels}
        said = replica.semi_sync.enabled
        concerned = False
        for step in plan:
            names = names - {step.key} if step.action == DELETE else names | {step.key}
            if "semi_sync" in step.options:
                said = bool((step.after or {}).get("semi_sync"))
            concerned = concerned or step.action == CREATE or "semi_sync" in step.options
        if not (said and concerned and len(names) > 1):
            return []
        text = f"semi_sync: a server can have it with one channel only, and there would be {len(names)}"
        return [f"{text}; one that starts or stops would break the others"]

    def unmet(self, things: Mapping[Key, Thing], declared: Declaration, max_lag: Optional[int]) -> Sequence[Unmet]:
        result: list[Unmet] = []
        options = {item.key: item.options for item in declared.items}
        for key in sorted(things):
            thing = things[key]
            if thing.state["running"]:
                said = list(_health(thing, max_lag))
                if not said and options[key].get("semi_sync") and not thing.facts["semi_sync"].active:
                    said = [Unmet("semi_sync is not in effect: the source does not offer it", passing=True)]
                result += [replace(unmet, text=f"{self.described(key)}: {unmet.text}.") for unmet in said]
        return result


def _health(thing: Thing, max_lag: Optional[int]) -> Sequence[Unmet]:
    channel: Channel = thing.facts["channel"]
    source = _source(thing.state)
    if not channel.sql.running:
        why = f"{channel.sql.error.rstrip('.')} ({channel.sql.number})" if channel.sql.error else "nobody knows why"
        return [Unmet(f"it applies nothing: {why}")]
    if not channel.io.running or channel.io.connecting:
        why = f": {channel.io.error.rstrip('.')} ({channel.io.number})" if channel.io.error else ""
        if not channel.io.running:
            return [Unmet(f"it receives nothing from {source}{why or ': nobody knows why'}")]
        return [Unmet(f"it is not connected to {source}{why}", passing=channel.io.number not in LASTING)]
    if max_lag is None:
        return []
    allowed = max_lag + int(thing.state.get("delay") or 0)
    if channel.lag is None:
        return [Unmet("the server does not know how far behind it is", passing=True)]
    if channel.lag > allowed:
        return [Unmet(f"it is {channel.lag} s behind {source}, and {allowed} s are allowed", passing=True)]
    return []


def _source(state: State) -> str:
    return f"{state.get('source_host')}:{state.get('source_port', 3306)}"


def _filter(name: str) -> Field:
    form = Unordered(separators=",", element=Pattern(dotted=not name.endswith("_db")))
    return Field(name, form, type="list", elements="str")


CHANNEL = ChannelKind(
    name="channel",
    identity=("channel",),
    words=(REMOVE_CHANNEL, CHANGE_SOURCE),
    fields=(
        Field("channel", ChannelName()),
        Field("source_host", HostName(), required=True),
        # Whom it follows is never changed by leaving it out.
        Field("source_port", Within(1, 65535), type="int", default=3306, kept=True),
        Field("source_user", Plain(longest=128), required=True),
        Field("source_password", Plain(longest=128), write_only=True),
        Field("gtid", Boolean(), type="bool", default=True),
        Field("source_log_file", Plain(), creating=True),
        Field("source_log_pos", Within(4, 2**63 - 1), type="int", creating=True),
        Field("connect_retry", Within(1, _MOST), type="int", default=60),
        Field("retry_count", Within(0, _MOST), type="int"),
        Field("heartbeat_period", Period(), type="float"),
        Field("delay", Within(0, _MOST), type="int", default=0),
        # What protects the connection is never given up by leaving it out.
        Field("ssl", Boolean(), type="bool", kept=True),
        Field("ssl_ca", FilePath(), type="path", kept=True),
        Field("ssl_cert", FilePath(), type="path", kept=True),
        Field("ssl_key", FilePath(), type="path", kept=True),
        Field("ssl_verify_server_cert", Boolean(), type="bool", kept=True),
        Field("get_source_public_key", Boolean(), type="bool", default=False),
        *(_filter(name) for name in FILTERS),
        Field("semi_sync", Boolean(), type="bool", default=False),
        Field("running", Boolean(), type="bool", default=True),
    ),
)
