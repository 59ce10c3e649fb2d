"""What is around the games: memory against budget, Claude's costs, backups' age.

Each is asked at most every few seconds, however many pages are open, and says so when it could not
be told: "not checked" is a state of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Generic, Literal, TypeVar

import httpx
from pydantic import ValidationError

from jimbot import usage
from jimbot.analytics.models import Backups, CostReport, Costs, Gpu, Resources, Services, Use
from jimbot.appliance import Appliance, Home
from jimbot.events import now_ms

_MB = 1 << 20
_RESOURCES_S, _STORAGE_S, _COSTS_S, _BACKUPS_S = 5.0, 60.0, 20.0, 20.0
_TIMEOUT_S = 3.0
_COST_DAYS = 30

T = TypeVar("T")


class _Kept(Generic[T]):
    """An answer that is made again once it is older than `keep_s`; by one asker at a time."""

    def __init__(self, make: Callable[[], Awaitable[T]], keep_s: float) -> None:
        self._make = make
        self._keep_s = keep_s
        self._lock = asyncio.Lock()
        self._answer: tuple[float, T] | None = None

    async def now(self) -> T:
        async with self._lock:
            if self._answer is None or time.monotonic() - self._answer[0] > self._keep_s:
                self._answer = time.monotonic(), await self._make()
            return self._answer[1]


class Around:
    """Asks what is around the games of one home.

    Args:
        services: which services are expected, as they were found last.
    """

    def __init__(
        self, appliance: Appliance, home: Home, services: Callable[[], Services | None]
    ) -> None:
        self._appliance = appliance
        self._home = home
        self._services = services
        self._rates = usage.Rates()
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        self._storage: tuple[float, dict[str, int]] = -_STORAGE_S, {}
        self._resources = _Kept(lambda: asyncio.to_thread(self._measure), _RESOURCES_S)
        self._costs = _Kept(self._ask_costs, _COSTS_S)
        self._backups = _Kept(lambda: asyncio.to_thread(self._read_backups), _BACKUPS_S)

    async def resources(self) -> Resources:
        return await self._resources.now()

    async def costs(self) -> Costs:
        return await self._costs.now()

    async def backups(self) -> Backups:
        return await self._backups.now()

    async def close(self) -> None:
        await self._client.aclose()

    def _measure(self) -> Resources:
        gpus = usage.gpus()
        run = usage.running(self._home)
        profile = usage.profile(self._home)
        found = usage.of_services(self._home, usage.gpu_processes() if gpus else None)
        together = [one.service for one in found]
        cores = self._rates.cores(found)
        by_name = {one.service: one for one in found}
        rows = self._appliance.services
        expected = usage.expected(self._home) or ()
        names = [name for name in rows if name in by_name or name in expected]
        services = [
            Use(
                name=name,
                title=rows[name].title,
                group=rows[name].group,
                used=by_name[name].memory if name in by_name else None,
                limit=usage.limit_bytes(self._appliance, name, together, profile),
                gpu_used=by_name[name].gpu_memory if name in by_name else None,
                gpu_limit=rows[name].vram_mb * _MB,
                cores=cores.get(name),
            )
            for name in names
        ]
        try:
            used, size = usage.disk(self._home)
        except OSError:
            used = size = None  # type: ignore[assignment]
        return Resources(
            checked=run is not None or bool(found),
            reason="" if run or found else _nothing(self._home),
            time=now_ms(),
            services=services,
            groups=self._groups(services),
            gpus=None if gpus is None else [_gpu(each) for each in gpus],
            storage=self._sizes(),
            disk_used=used,
            disk_size=size,
        )

    def _groups(self, services: list[Use]) -> list[Use]:
        """Every group with what its services use together, those of groups inside it too."""
        groups = self._appliance.groups
        found = []
        for name, group in groups.items():
            inside = {name, *(other for other, row in groups.items() if row.inside == name)}
            used = [one.used for one in services if one.group in inside and one.used is not None]
            found.append(
                Use(
                    name=name,
                    title="",
                    used=sum(used) if used else None,
                    limit=group.memory_mb * _MB,
                    gpu_limit=group.vram_mb * _MB,
                )
            )
        return found

    def _sizes(self) -> dict[str, int]:
        if time.monotonic() - self._storage[0] > _STORAGE_S:
            self._storage = time.monotonic(), usage.storage(self._home)
        return self._storage[1]

    async def _ask_costs(self) -> Costs:
        known = self._services()
        gateway = (
            next((it for it in known.services if it.name == "claude"), None) if known else None
        )
        if gateway is not None and not gateway.expected:
            return Costs(
                state="unchecked",
                reason=f"The gateway to Claude was not asked: {gateway.reason}",
                hint="What was spent before: jimbot costs",
                report=None,
            )
        try:
            url = f"{self._appliance.url('claude')}/api/v1/costs"
            answer = await self._client.get(url, params={"days": _COST_DAYS})
            answer.raise_for_status()
            return Costs(state="ok", report=CostReport.model_validate_json(answer.content))
        except httpx.HTTPStatusError as error:
            reason = f"The gateway to Claude answered {error.response.status_code}"
        except (httpx.HTTPError, OSError) as error:
            reason = f"The gateway to Claude is away ({type(error).__name__})"
        except ValidationError:
            reason = "Something answers in the gateway's place that is not it"
        return Costs(
            state="away", reason=reason, hint="See it with: jimbot logs claude", report=None
        )

    def _read_backups(self) -> Backups:
        state: Literal["none", "stale", "ok"]
        try:
            # Late: a service that reads what operations has written down.
            from jimbot.operations import backup

            status = backup.status(self._home, self._appliance)
        except Exception as error:  # whatever is wrong there must not take the page away
            return Backups(state="unchecked", reason=f"Backups could not be looked at: {error}")
        if status.last_ok is None:
            state, reason = "none", status.problem or "No backup of this home has been made"
        elif status.problem:
            state, reason = "stale", status.problem
        elif status.stale:
            state, reason = "stale", "The newest backup is older than the table allows"
        else:
            state, reason = "ok", ""
        return Backups(
            state=state,
            reason=reason,
            hint="" if state == "ok" else "Make one: jimbot backup run",
            last_ok=_ms(status.last_ok) if status.last_ok else None,
            age_s=status.age_s,
            stale_after_s=self._appliance.backup.stale_after_hours * 3600.0,
            snapshots=status.snapshots,
            last_try=_ms(status.last_try) if status.last_try else None,
            last={kind: _ms(at) for kind, at in status.last.items()},
        )


def _gpu(each: usage.Gpu) -> Gpu:
    return Gpu(name=each.name, used=each.memory_used, size=each.memory_size, busy=each.busy)


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _nothing(home: Home) -> str:
    if usage.by_system(home):
        return "No unit of the system runs, or they are containers: systemd-cgtop jimbot.slice"
    return "No `jimbot up` runs on this home, so nothing was measured"
