"""How the services of the table are: asked over their own health checks, a few seconds' memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import httpx
from pydantic import ValidationError

from jimbot import usage
from jimbot.analytics.models import Services, ServiceState, ServiceStatus
from jimbot.appliance import Appliance, Home, Service
from jimbot.appliance.model import HealthCheck
from jimbot.events import now_ms
from jimbot.service import Health

CACHE_S = 2.0
# The page waits for the slowest one, so nobody gets as long as the table gives a start.
_TIMEOUT_S = 1.0
_WORST_FIRST: tuple[ServiceStatus, ...] = ("fail", "unknown", "unchecked", "warn", "ok")


class ServiceChecks:
    """Asks every service of the table that is expected to run.

    Args:
        me: this service's own name and how it is, which needs no question over HTTP.
    """

    def __init__(self, appliance: Appliance, home: Home, me: tuple[str, Callable[[], Health]]):
        self._appliance = appliance
        self._home = home
        self._me = me
        self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        self._lock = asyncio.Lock()
        self._newest: Services | None = None
        self._until = 0.0

    async def now(self) -> Services:
        """The state of every service, at most two seconds old."""
        async with self._lock:
            if self._newest is None or time.monotonic() >= self._until:
                self._newest = await self._ask_all()
                self._until = time.monotonic() + CACHE_S
            return self._newest

    def last(self) -> Services | None:
        """What was found last, however long ago."""
        return self._newest

    def log_position(self) -> int:
        """How far the log goes, as mcp said when it was asked last; 0 when it did not."""
        for state in self._newest.services if self._newest else ():
            if state.name == "mcp" and isinstance(
                position := state.details.get("log_position"), int
            ):
                return position
        return 0

    async def close(self) -> None:
        await self._client.aclose()

    async def _ask_all(self) -> Services:
        expected = await asyncio.to_thread(usage.expected, self._home)
        states = await asyncio.gather(
            *(self._ask(name, row, expected) for name, row in self._appliance.services.items())
        )
        found = {state.status for state in states if state.expected}
        worst: ServiceStatus = next((it for it in _WORST_FIRST if it in found), "unchecked")
        return Services(status=worst, checked_at=now_ms(), services=list(states))

    async def _ask(self, name: str, row: Service, expected: list[str] | None) -> ServiceState:
        why_not = _not_expected(name, row, expected)
        state = ServiceState(
            name=name,
            title=row.title,
            status="unchecked",
            expected=not why_not or name == self._me[0],
            reason=why_not,
        )
        if name == self._me[0]:
            return _told(state, self._me[1]())
        if why_not:
            return state
        if row.health is None:
            return state.model_copy(update={"reason": "the table has no health check for it"})
        port = row.ports[row.health.port]
        return await self._knock(state, port, row.health, ours=bool(row.command))

    async def _knock(
        self, state: ServiceState, port: int, how: HealthCheck, *, ours: bool
    ) -> ServiceState:
        limit = min(how.timeout_s, _TIMEOUT_S)
        try:
            async with asyncio.timeout(limit):
                if how.kind == "tcp":
                    return await _knock_tcp(state, port)
                response = await self._client.get(f"http://127.0.0.1:{port}{how.path}")
                if not ours:  # a server of others answers by its status
                    said = f"port {port} answers {response.status_code}"
                    return _found(state, "ok" if response.is_success else "fail", said, "")
                return _told(state, Health.model_validate_json(response.content))
        except (TimeoutError, httpx.TimeoutException):
            problem = f"no answer on port {port} within {limit:g} s"
            return _found(state, "fail", problem, f"Read the log of {state.name}")
        except (httpx.ConnectError, ConnectionRefusedError):
            return _found(state, "fail", f"nothing listens on port {port}", usage.how_to_start())
        except ValidationError:
            problem = f"port {port} answers, but not as a service of JimBot"
            return _found(state, "unknown", problem, "Something else may use that port")
        except (httpx.HTTPError, OSError) as error:
            return _found(state, "unknown", f"port {port} could not be asked: {error}", "")


def _not_expected(name: str, row: Service, expected: list[str] | None) -> str:
    """Why a service need not be up here; empty for one that must."""
    if expected is not None:
        return "" if name in expected else "not part of this run"
    if row.engine == "server":
        return "not used with embedded stores"
    if not row.command or "native" not in row.runtimes:
        return "runs in containers only"
    return ""


async def _knock_tcp(state: ServiceState, port: int) -> ServiceState:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    return state.model_copy(update={"status": "ok", "reason": f"port {port} takes connections"})


def _told(state: ServiceState, health: Health) -> ServiceState:
    return state.model_copy(
        update={
            "status": health.status,
            "reason": health.reason,
            "hint": health.hint,
            "details": health.details,
        }
    )


def _found(state: ServiceState, status: ServiceStatus, reason: str, hint: str) -> ServiceState:
    return state.model_copy(update={"status": status, "reason": reason, "hint": hint})
