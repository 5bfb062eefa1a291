# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: 2026 hospital.continuity contributors
"""Starting and stopping guests of both kinds, directly or by way of the HA manager."""

from __future__ import annotations

from typing import Any

from fakepve.model import PveError, TaskError

from lab.pve import qemu_values as q
from lab.pve.guests import Ct, Guest, Vm
from lab.pve.qemu_guests import no_config
from lab.pve.snapshots import Snapshots

MACHINE = "pc-i440fx-10.1+pve0"


class Power(Snapshots):
    """/nodes/{node}/{qemu,lxc}/{vmid}/status."""

    def endpoints_power(self) -> list[tuple[str, str, Any]]:
        table: list[tuple[str, str, Any]] = []
        for kind in ("qemu", "lxc"):
            base = f"/nodes/{{node}}/{kind}/{{vmid}}/status/"
            for action in ("start", "stop", "shutdown", "reboot", "suspend", "resume", "reset"):
                if kind == "qemu" or action != "reset":
                    table.append(("POST", base + action, self._power(kind, action)))
        return table

    def _power(self, kind: str, action: str) -> Any:
        async def act(v: dict[str, Any], user: str) -> Any:
            self.need_quorum()
            if v.get("skiplock") and user != "root@pam":
                raise q.bad(skiplock="Only root may use this option.")
            guest = self.guest(v["vmid"])
            if guest is None or guest.kind != kind or guest.node != v["node"]:
                return await self._absent(kind, action, v, user)
            return await getattr(self, f"_{kind}_{action}")(guest, v, user)

        return act

    async def _absent(self, kind: str, action: str, v: dict[str, Any], user: str) -> Any:
        """A guest that is not there: a start or a stop is a task that fails, the rest is refused at once."""
        node, vmid = v["node"], v["vmid"]
        where = "qemu-server" if kind == "qemu" else "lxc"
        missing = f"Configuration file 'nodes/{node}/{where}/{vmid}.conf' does not exist"
        if kind == "qemu" and action in ("stop", "shutdown"):
            missing = no_config(vmid, node)
        elif kind == "qemu" and action in ("reboot", "suspend", "resume", "reset"):
            raise PveError(500, f"VM {vmid} not running")
        elif kind == "lxc" and action != "start":
            raise PveError(500, f"{'VM' if action == 'reboot' else 'CT'} {vmid} not running")

        async def body() -> None:
            raise TaskError(missing)

        return await self.task(node, ("qm" if kind == "qemu" else "vz") + action, vmid, user, body)

    @staticmethod
    def _unlocked(guest: Guest, *allowed: str) -> None:
        if guest.lock and guest.lock not in allowed:
            raise TaskError(f"{'VM' if isinstance(guest, Vm) else 'CT'} is locked ({guest.lock})")

    async def _by_ha(self, guest: Guest, state: str, user: str) -> str | None:
        """An HA-managed guest is started and stopped by asking the manager; None if it is not managed."""
        entry = self.managed(guest)
        if entry is None or entry.get("state") == "ignored":
            return None
        verb = "start" if state == "started" else "stop"
        kind = "VM" if isinstance(guest, Vm) else "CT"

        async def body() -> None:
            entry["state"] = state
            await self.ha_act(guest)

        line = f"Requesting HA {verb} for {kind} {guest.vmid}"
        return await self.task(guest.node, "ha" + verb, guest.vmid, user, body, lock=False, log=[line])

    # ------------------------------------------------------------- starting

    async def start_guest(self, guest: Guest, user: str) -> str:
        kind = "VM" if isinstance(guest, Vm) else "CT"

        async def body() -> None:
            if guest.template:
                raise TaskError(f"you can't start a {'vm' if kind == 'VM' else 'CT'} if it's a template")
            self._unlocked(guest, "suspended", "mounted")
            if guest.running:
                raise TaskError(f"{kind} {guest.vmid} already running")
            await self.pause(guest.start_secs)
            if guest.start_error:
                raise TaskError(guest.start_error)
            for key, value in guest.config.items():
                if key.startswith("hostpci") and "mapping=" not in str(value):
                    raise TaskError(f"no PCI device found for '{str(value).partition(',')[0]}'")
            self.awaken(guest)

        return await self.task(guest.node, ("qm" if kind == "VM" else "vz") + "start", guest.vmid, user, body, vm=guest)

    def awaken(self, guest: Guest) -> None:
        """Running, with everything that waited for it in force."""
        if isinstance(guest, Vm):
            for key in ("lock", "vmstate", "runningmachine", "runningcpu"):
                if guest.config.get("lock") == "suspended" or key != "lock":
                    guest.config.pop(key, None)
            self.apply_pending(guest)
            guest.booted_cpus = self.cpus_of(guest)
        else:
            self.apply_ct(guest, None, False)
        self.mark_running(guest)

    def halt(self, guest: Guest) -> None:
        """Stopped; what was pending is applied when a VM has gone."""
        self.mark_stopped(guest)
        if isinstance(guest, Vm):
            guest.booted_cpus = None
            self.apply_pending(guest)
        else:
            self.apply_ct(guest, None, False)

    def strike(self, guest: Guest) -> None:
        """A reset: nothing in the books changes by it."""

    async def stop_guest(self, guest: Guest, user: str) -> str:
        async def body() -> None:
            await self.pause(guest.stop_secs)
            self.halt(guest)

        kind = "qm" if isinstance(guest, Vm) else "vz"
        return await self.task(guest.node, kind + "shutdown", guest.vmid, user, body, vm=guest)

    # ----------------------------------------------------------------- qemu

    async def _qemu_start(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        return await self._by_ha(vm, "started", user) or await self.start_guest(vm, user)

    async def _qemu_stop(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        asked = await self._by_ha(vm, "stopped", user) if vm.running else None
        if asked:
            return asked

        async def body() -> None:
            if not v.get("skiplock"):
                self._unlocked(vm)
            if vm.running:
                await self.pause(vm.stop_secs)
                self.halt(vm)

        return await self.task(vm.node, "qmstop", vm.vmid, user, body, vm=vm)

    async def _qemu_shutdown(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        asked = await self._by_ha(vm, "stopped", user) if vm.running else None
        if asked:
            return asked

        async def body() -> str | None:
            self._unlocked(vm)
            return await self._powered_down(vm, v)

        return await self.task(vm.node, "qmshutdown", vm.vmid, user, body, vm=vm)

    async def _powered_down(self, vm: Vm, v: dict[str, Any]) -> str | None:
        """The guest is asked to power off; it may not listen."""
        if not vm.running:
            return None
        timeout = int(v.get("timeout") or self.shutdown_default_timeout)
        if vm.acpi and vm.shutdown_secs <= timeout:
            await self.pause(vm.shutdown_secs)
            self.halt(vm)
            return None
        await self.pause(timeout)
        if v.get("forceStop"):
            self.halt(vm)
            return "VM still running - terminating now with SIGTERM"
        raise TaskError("VM quit/powerdown failed - got timeout")

    async def _qemu_reboot(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        self._must_run(vm)

        async def body() -> None:
            self._unlocked(vm)
            await self._powered_down(vm, v)
            self.awaken(vm)

        return await self.task(vm.node, "qmreboot", vm.vmid, user, body, vm=vm)

    async def _qemu_reset(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        self._must_run(vm)

        async def body() -> None:
            self._unlocked(vm)
            self.strike(vm)

        return await self.task(vm.node, "qmreset", vm.vmid, user, body, vm=vm)

    @staticmethod
    def _must_run(vm: Vm) -> None:
        if not vm.running:
            raise PveError(500, f"VM {vm.vmid} not running")

    async def _qemu_suspend(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        self._must_run(vm)
        disk = bool(v.get("todisk"))

        async def body() -> None:
            self._unlocked(vm)
            if not disk:
                vm.qmpstatus = "paused"
                return
            storage = v.get("statestorage") or vm.config.get("vmstatestorage") or "local"
            running = dict(vm.config)
            self.mark_stopped(vm)
            vm.config = {
                **running,
                "lock": "suspended",
                "vmstate": f"{storage}:vm-{vm.vmid}-state-suspend",
                "runningmachine": MACHINE,
            }

        return await self.task(vm.node, "qmsuspend", vm.vmid, user, body, vm=vm)

    async def _qemu_resume(self, vm: Vm, v: dict[str, Any], user: str) -> Any:
        asleep = vm.lock == "suspended"
        if not vm.running and not asleep:
            raise PveError(500, f"VM {vm.vmid} not running")

        async def body() -> None:
            if asleep:
                self.awaken(vm)
            vm.qmpstatus = "running"

        return await self.task(vm.node, "qmresume", vm.vmid, user, body, vm=vm)

    # ------------------------------------------------------------------ lxc

    async def _lxc_start(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        if ct.running:
            raise PveError(500, f"CT {ct.vmid} already running")
        return await self._by_ha(ct, "started", user) or await self.start_guest(ct, user)

    @staticmethod
    def _ct_must_run(ct: Ct, kind: str = "CT") -> None:
        if not ct.running:
            raise PveError(500, f"{kind} {ct.vmid} not running")

    async def _lxc_stop(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        self._ct_must_run(ct)
        return await self._by_ha(ct, "stopped", user) or await self._ct_halts(ct, "vzstop", user)

    async def _lxc_shutdown(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        self._ct_must_run(ct)
        return await self._by_ha(ct, "stopped", user) or await self._ct_halts(ct, "vzshutdown", user, v)

    async def _ct_halts(self, ct: Ct, kind: str, user: str, v: dict[str, Any] | None = None) -> str:
        async def body() -> None:
            self._unlocked(ct)
            timeout = int((v or {}).get("timeout") or self.shutdown_default_timeout)
            if v is not None and ct.shutdown_secs > timeout and not v.get("forceStop"):
                await self.pause(timeout)
                raise TaskError("container did not stop")
            self.halt(ct)

        return await self.task(ct.node, kind, ct.vmid, user, body, vm=ct)

    async def _lxc_reboot(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        self._ct_must_run(ct, "VM")

        async def body() -> None:
            self._unlocked(ct)
            self.halt(ct)
            self.awaken(ct)

        return await self.task(ct.node, "vzreboot", ct.vmid, user, body, vm=ct)

    async def _lxc_suspend(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        self._ct_must_run(ct)

        async def body() -> None:
            self._unlocked(ct)
            self.mark_stopped(ct)
            ct.checkpoint = True

        return await self.task(ct.node, "vzsuspend", ct.vmid, user, body, vm=ct)

    async def _lxc_resume(self, ct: Ct, v: dict[str, Any], user: str) -> Any:
        if ct.running:
            raise PveError(500, f"CT {ct.vmid} already running")

        async def body() -> None:
            if not ct.checkpoint:
                raise TaskError(
                    f"command 'lxc-checkpoint -n {ct.vmid} -r --foreground -D /var/lib/vz/dump' failed: exit code 1"
                )
            ct.checkpoint = False
            self.mark_running(ct)

        return await self.task(ct.node, "vzresume", ct.vmid, user, body, vm=ct)
