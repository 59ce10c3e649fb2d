"""Asking services how they are. What could not be asked is `unknown`, never healthy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, Literal

import httpx
from pydantic import BaseModel, Field, ValidationError

from jimbot.appliance import Appliance, Home
from jimbot.appliance.model import HealthCheck
from jimbot.operations import state


class ServiceHealth(BaseModel):
    """One service's answer, or what came instead of one."""

    status: Literal["ok", "warn", "fail", "unknown"]
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


class Report(BaseModel):
    """Every service's answer. `exit_code`: 0 all healthy, 1 one is not, 2 one could not tell."""

    services: dict[str, ServiceHealth]

    @property
    def exit_code(self) -> int:
        states = {answer.status for answer in self.services.values()}
        if "fail" in states:
            return 1
        return 2 if "unknown" in states or not states else 0


def expected(appliance: Appliance, home: Home) -> list[str]:
    """The services that should be up: those `jimbot up` started, else all of ours in the table."""
    running = state.read(home)
    if running and running.alive():
        return list(running.services)
    return [
        name
        for name, service in appliance.services.items()
        if service.command and "native" in service.runtimes
    ]


async def check(appliance: Appliance, name: str, client: httpx.AsyncClient) -> ServiceHealth:
    """Ask one service.

    Raises:
        TableError: the table has no such service.
    """
    service = appliance.service(name)
    if service.health is None:
        return ServiceHealth(status="unknown", reason="the table has no health check for it")
    port = service.ports[service.health.port]
    try:
        async with asyncio.timeout(service.health.timeout_s):
            if service.health.kind == "tcp":
                return await _ask_tcp(port)
            return await _ask_http(client, port, service.health)
    except (TimeoutError, httpx.TimeoutException):
        return ServiceHealth(
            status="fail",
            reason=f"no answer on port {port} within {service.health.timeout_s:g} s",
            hint=f"Read the log of {name}; restart the appliance if it hangs",
        )
    except (httpx.ConnectError, ConnectionRefusedError):
        return ServiceHealth(
            status="fail", reason=f"nothing listens on port {port}", hint="Start it: jimbot up"
        )
    except (httpx.HTTPError, OSError) as error:
        return ServiceHealth(status="unknown", reason=f"port {port} could not be asked: {error}")


async def _ask_tcp(port: int) -> ServiceHealth:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()
    return ServiceHealth(status="ok", reason=f"port {port} accepts connections")


async def _ask_http(client: httpx.AsyncClient, port: int, how: HealthCheck) -> ServiceHealth:
    response = await client.get(f"http://127.0.0.1:{port}{how.path}", timeout=how.timeout_s)
    try:
        return ServiceHealth.model_validate_json(response.content)
    except ValidationError:
        return ServiceHealth(
            status="unknown",
            reason=f"port {port} answers {response.status_code}, but not as a service of JimBot",
            hint="Something else may use that port",
        )


async def report(appliance: Appliance, names: Iterable[str]) -> Report:
    """Ask services, all at once."""
    names = list(names)
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = await asyncio.gather(*(check(appliance, name, client) for name in names))
    return Report(services=dict(zip(names, answers, strict=True)))


async def wait(
    appliance: Appliance, names: Callable[[], Iterable[str]], timeout_s: float
) -> Report:
    """Ask until all are healthy, at most `timeout_s` seconds; the last answers.

    `names` is asked each time: what should be up changes while the appliance starts.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answers = await report(appliance, names())
        left = deadline - time.monotonic()
        if answers.exit_code == 0 or left <= 0:
            return answers
        await asyncio.sleep(min(0.5, left))
