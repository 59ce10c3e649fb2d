"""Asking services how they are. What could not be asked is `unknown`, never healthy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import BaseModel, Field, ValidationError

from jimbot import usage
from jimbot.appliance import Appliance, Home, Service
from jimbot.appliance.model import HealthCheck
from jimbot.operations import state
from jimbot.operations.forward import name as name_of_socket
from jimbot.operations.forward import short

SOCKETS = "unix:"
"""What an address begins with that is a folder of sockets, one for each port."""
_HUNG_UP_S = 0.25


class ServiceHealth(BaseModel):
    """One service's answer, or what came instead of one.

    `answered`: somebody was there who speaks as the table says. `unanswered`: it took the
    question and said nothing, as a service does that hangs.
    """

    status: Literal["ok", "warn", "fail", "unknown"]
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = Field(default_factory=dict)
    answered: Annotated[bool, Field(exclude=True)] = False
    unanswered: Annotated[bool, Field(exclude=True)] = False


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
    """The services that should be up: as `jimbot up` or the system has it, else all of ours in the
    table."""
    named = usage.expected(home)
    if named is not None:
        return named
    return [
        name
        for name, service in appliance.services.items()
        if service.command and "native" in service.runtimes
    ]


async def check(
    appliance: Appliance, name: str, client: httpx.AsyncClient, address: str = "127.0.0.1"
) -> ServiceHealth:
    """Ask one service of the table, which is at `address`: loopback, or a folder of sockets.

    Raises:
        TableError: the table has no such service.
    """
    return await ask(name, appliance.service(name), client, address)


async def ask(
    name: str, service: Service, client: httpx.AsyncClient, address: str
) -> ServiceHealth:
    """Ask the service of one row of the table."""
    if service.health is None:
        return ServiceHealth(status="unknown", reason="the table has no health check for it")
    how, port = service.health, service.ports[service.health.port]
    ours = bool(service.command)
    try:
        async with asyncio.timeout(how.timeout_s):
            if address.startswith(SOCKETS):
                with short(Path(address.removeprefix(SOCKETS))) as folder:
                    return await _ask_socket(f"{folder}/{name_of_socket(port)}", port, how, ours)
            if how.kind == "tcp":
                return await _ask_tcp(address, port)
            return await _ask_http(client, port, how, ours)
    except (TimeoutError, httpx.TimeoutException):
        return ServiceHealth(
            status="fail",
            reason=f"no answer on port {port} within {how.timeout_s:g} s",
            hint=f"Read the log of {name}; restart the appliance if it hangs",
            unanswered=True,
        )
    except (httpx.ConnectError, ConnectionRefusedError, FileNotFoundError, httpx.ReadError):
        return _nobody(port)
    except (httpx.HTTPError, OSError) as error:
        return ServiceHealth(status="unknown", reason=f"port {port} could not be asked: {error}")


def _nobody(port: int) -> ServiceHealth:
    return ServiceHealth(
        status="fail", reason=f"nothing listens on port {port}", hint=usage.how_to_start()
    )


async def _ask_socket(path: str, port: int, how: HealthCheck, ours: bool) -> ServiceHealth:
    """Ask by the socket that leads to a port of a closed network; it is hung up at once where
    nobody listens behind it."""
    if how.kind == "http":
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as client:
            try:
                return await _ask_http(client, port, how, ours)
            except httpx.RemoteProtocolError:
                return _nobody(port)
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        async with asyncio.timeout(min(_HUNG_UP_S, how.timeout_s / 2)):
            said = await reader.read(1)
    except TimeoutError:
        said = b"nothing, but it listens"
    finally:
        writer.close()
    if not said:
        return _nobody(port)
    return ServiceHealth(status="ok", reason=f"port {port} accepts connections", answered=True)


async def _ask_tcp(address: str, port: int) -> ServiceHealth:
    _, writer = await asyncio.open_connection(address, port)
    writer.close()
    await writer.wait_closed()
    return ServiceHealth(status="ok", reason=f"port {port} accepts connections", answered=True)


async def _ask_http(
    client: httpx.AsyncClient, port: int, how: HealthCheck, ours: bool
) -> ServiceHealth:
    response = await client.get(f"http://127.0.0.1:{port}{how.path}", timeout=how.timeout_s)
    if not ours:  # a server of others has no words of ours, and answers by its status
        said = f"port {port} answers {response.status_code}"
        status: Literal["ok", "fail"] = "ok" if response.is_success else "fail"
        return ServiceHealth(status=status, reason=said, answered=True)
    try:
        answer = ServiceHealth.model_validate_json(response.content)
        return answer.model_copy(update={"answered": True})
    except ValidationError:
        return ServiceHealth(
            status="unknown",
            reason=f"port {port} answers {response.status_code}, but not as a service of JimBot",
            hint="Something else may use that port",
        )


async def report(
    appliance: Appliance, names: Iterable[str], addresses: Mapping[str, str] | None = None
) -> Report:
    """Ask services, all at once; those that `addresses` does not name are on loopback."""
    names = list(names)
    where = addresses or {}
    async with httpx.AsyncClient(trust_env=False) as client:
        answers = await asyncio.gather(
            *(check(appliance, name, client, where.get(name, "127.0.0.1")) for name in names)
        )
    return Report(services=dict(zip(names, answers, strict=True)))


def addresses(home: Home) -> dict[str, str]:
    """Where the services of the running appliance are."""
    running = state.read(home)
    if running is None or not running.alive():
        return {}
    return {name: one.address for name, one in running.services.items() if one}


async def wait(
    appliance: Appliance,
    names: Callable[[], Iterable[str]],
    timeout_s: float,
    where: Callable[[], Mapping[str, str]] = dict,
) -> Report:
    """Ask until all are healthy, at most `timeout_s` seconds; the last answers.

    `names` and `where` are asked each time: what should be up changes while the appliance starts.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        answers = await report(appliance, names(), where())
        left = deadline - time.monotonic()
        if answers.exit_code == 0 or left <= 0:
            return answers
        await asyncio.sleep(min(0.5, left))
