"""The appliance on one screen: services, generation, backups, alerts."""

from __future__ import annotations

import os
import time
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, Field, ValidationError

from jimbot import usage
from jimbot.appliance import Appliance, Home
from jimbot.operations import backup, health, state
from jimbot.operations.backup import BackupStatus
from jimbot.operations.health import ServiceHealth
from jimbot.security import tokens

_TIMEOUT_S = 2.0


class ServiceRow(BaseModel):
    """One service that should be up. What is not known is None."""

    service: str
    title: str
    health: ServiceHealth
    pid: int | None = None
    uptime_s: float | None = None
    restarts: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None


class AlertRow(BaseModel):
    """One alert, as analytics tells it."""

    name: str
    severity: Literal["critical", "warning"]
    state: str
    since: int
    summary: str
    what_to_do: str


class AlertsSeen(BaseModel):
    """The alerts; `checked` is false where nobody looks, which is not well, `reason` says why."""

    checked: bool
    reason: str = ""
    alerts: list[AlertRow] = []
    unchecked: Annotated[list[str], Field(description="rules without figures")] = []


class Status(BaseModel):
    """Everything. `exit_code`: 0 all well, 1 something is not, 2 something could not be told."""

    home: str
    running: bool
    by_system: Annotated[bool, Field(description="the system runs it, and not `jimbot up`")] = False
    pid: int | None = None
    profile: str | None = None
    uptime_s: float | None = None
    generation: Annotated[str | None, Field(description="None before the first deploy")] = None
    services: list[ServiceRow]
    drained: Annotated[list[str], Field(description="taken out of work; not expected")] = []
    backups: BackupStatus
    alerts: AlertsSeen

    @property
    def exit_code(self) -> int:
        states = {row.health.status for row in self.services}
        critical = any(
            one.severity == "critical" and one.state == "firing" for one in self.alerts.alerts
        )
        if "fail" in states or critical or not self.running:
            return 1
        return 2 if "unknown" in states or not self.alerts.checked else 0


async def read(appliance: Appliance, home: Home) -> Status:
    """Ask everybody, at once; takes at most a few seconds."""
    run = state.read(home)
    alive = run is not None and run.alive()
    by_system = not alive and bool(usage.by_system(home))
    names, where = health.expected(appliance, home), health.addresses(home)
    report = await health.report(appliance, names, where)
    used = {one.service: one for one in usage.of_services(home)}
    profile, now = usage.profile(home), time.time()
    rows = []
    for name, answer in report.services.items():
        row = ServiceRow(service=name, title=appliance.service(name).title, health=answer)
        if run and alive and (process := run.services.get(name)):
            row.pid, row.restarts = process.pid, process.restarts
            row.uptime_s = max(now - process.started, 0)
        if one := used.get(name):
            row.memory_bytes = one.memory
            row.memory_limit_bytes = usage.limit_bytes(appliance, name, used, profile)
        rows.append(row)
    found = Status(
        home=str(home.path),
        running=alive or by_system,
        by_system=by_system,
        generation=_generation(home),
        services=rows,
        backups=backup.status(home, appliance),
        alerts=await read_alerts(appliance, home),
    )
    if run and alive:
        found.pid, found.profile, found.drained = run.pid, run.profile, run.drained
        found.uptime_s = max(now - run.started, 0)
    elif by_system:
        found.profile = profile or "auto"
    return found


async def read_alerts(appliance: Appliance, home: Home) -> AlertsSeen:
    """The alerts that analytics knows of."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S) as client:
            response = await client.get(
                appliance.url("analytics") + "/api/v1/alerts", headers=tokens.headers(home)
            )
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
        if answer["status"] == "unchecked":
            return AlertsSeen(checked=False, reason="analytics has not looked at them lately")
        return AlertsSeen(
            checked=True,
            alerts=answer["alerts"],
            unchecked=[one["name"] for one in answer["rules"] if one["state"] == "unchecked"],
        )
    except (httpx.HTTPError, ValueError, KeyError, TypeError, ValidationError) as error:
        reason = str(error) or type(error).__name__
        return AlertsSeen(checked=False, reason=f"analytics could not be asked: {reason}")


def _generation(home: Home) -> str | None:
    """What `current` points at, where something was ever deployed."""
    try:
        return os.path.basename(os.readlink(home.path / "generations" / "current"))
    except OSError:
        return None
