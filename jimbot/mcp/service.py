"""The mcp service: the event log's one writer, its WebSocket door, its HTTP answers."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from fastapi import FastAPI
from pydantic import BaseModel

from jimbot.appliance import Appliance, Home
from jimbot.errors import PortTaken
from jimbot.events import open_log
from jimbot.mcp.advice import GatewayAdviser
from jimbot.mcp.commit import Committer
from jimbot.mcp.decide import ClosingAdviser, Decider
from jimbot.mcp.door import Door
from jimbot.mcp.metrics import Counts, Metrics
from jimbot.mcp.server import EventServer, Outside
from jimbot.policy import Policy, make
from jimbot.security.entrance import Entrance
from jimbot.security.errors import TokenError
from jimbot.service import Health, configure_logging, http_app, serving, stop_event

if TYPE_CHECKING:
    from jimbot.security.tls import Renewing

_log = logging.getLogger(__name__)


class ServiceStatus(BaseModel):
    """What mcp is doing, for people; programs read /health and /metrics."""

    health: Health
    websocket: str
    connections: int
    in_flight_bytes: int
    log_position: int
    events: Counts
    uptime_s: float


async def run(appliance: Appliance, home: Home) -> None:
    """Serve with the table's policy, which asks the gateway when it is unsure; see `serve`."""
    await serve(
        appliance,
        home,
        lambda: make(appliance.play.policy, home=home),
        GatewayAdviser(appliance.url("claude"), appliance.claude.least_deadline_ms / 1000),
    )


async def serve(
    appliance: Appliance, home: Home, policy: Callable[[], Policy], adviser: ClosingAdviser
) -> None:
    """Serve until SIGTERM or SIGINT; then acknowledge what was committed, and stop.

    Where the log's server is away it is waited for: health says so, and nothing is acknowledged.

    Args:
        policy: makes the policy that decides.
        adviser: asked when that is unsure.

    Raises:
        LogError: the log cannot be used.
        PortTaken: one of mcp's ports is in use.
        HomeError: the state directory cannot be used.
        SecurityError: other machines would reach mcp without TLS or tokens.
    """
    configure_logging("mcp")
    stop = stop_event()
    # A policy that thinks in a thread gives way to the sockets after 1 ms instead of 5.
    sys.setswitchinterval(0.001)
    home.prepare()
    ports = appliance.service("mcp").ports
    entrance = Entrance.of(appliance.security, home)
    renewing = _certificate(appliance, home)
    log = open_log(home)
    async with AsyncExitStack() as stack:
        if renewing is not None:
            stack.callback(asyncio.create_task(renewing.follow()).cancel)
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, renewing.look)
        stack.callback(log.close)
        metrics = Metrics()
        committer = await stack.enter_async_context(Committer(log, metrics))
        stack.push_async_callback(adviser.close)
        decider = Decider(policy, adviser)
        stack.callback(decider.close)
        decider.warm()
        events = EventServer(
            committer,
            metrics,
            ports["websocket"],
            decider=decider,
            flush_ms=appliance.aggregation.flush_ms,
            entrance=entrance,
            outside=_outside(appliance, entrance, renewing),
            origins=appliance.security.origins,
            kept=home.run / "mcp-sessions.json",
        )
        try:
            await stack.enter_async_context(events)
        except OSError as error:
            raise PortTaken(ports["websocket"], error) from error
        app = _http(committer, events, metrics)
        Door(committer, metrics, events, decider).add_to(app)
        await stack.enter_async_context(serving(app, ports["http"]))
        _log.info(
            "ready", extra={"fields": {"log_position": committer.position, "ports": dict(ports)}}
        )
        # Rather dead, and started again by the supervisor, than listening to no end.
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(committer.broken())}
        _, running = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in running:
            task.cancel()
        _log.info("stopping")
    _log.info("stopped", extra={"fields": {"log_position": committer.position}})


def _certificate(appliance: Appliance, home: Home) -> Renewing | None:
    """What the socket for other machines goes by; None where there is none."""
    if not appliance.security.exposed:
        return None
    from jimbot.security.tls import Renewing  # 10 MB, which loopback needs not

    return Renewing(appliance.security, home)


def _outside(appliance: Appliance, entrance: Entrance, renewing: Renewing | None) -> Outside | None:
    if renewing is None:
        return None
    address = str(appliance.security.listen)
    if entrance.open:
        raise TokenError(
            f"mcp would listen on {address}, and there are no tokens",
            hint="Make one for the game: jimbot tokens create NAME --role player",
        )
    return Outside(address, renewing.context)


def _http(committer: Committer, events: EventServer, metrics: Metrics) -> FastAPI:
    started = time.monotonic()

    def health() -> Health:
        details = {"connections": events.connections, "log_position": committer.position}
        return committer.health().model_copy(update={"details": details})

    app = http_app(
        "JimBot mcp",
        health,
        registry=metrics.registry,
        description="The door to the event log. Events come in over the WebSocket.",
    )

    @app.get("/api/v1/status", tags=["service"])
    def status() -> ServiceStatus:
        """What this service is doing."""
        return ServiceStatus(
            health=health(),
            websocket=f"ws://127.0.0.1:{events.port}",
            connections=events.connections,
            in_flight_bytes=events.in_flight_bytes,
            log_position=committer.position,
            events=metrics.counts(),
            uptime_s=round(time.monotonic() - started, 3),
        )

    return app
