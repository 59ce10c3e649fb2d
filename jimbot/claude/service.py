"""The service `claude`: the gateway behind a small HTTP API on the loopback interface."""

from __future__ import annotations

import logging

from fastapi import FastAPI

from jimbot.appliance import Appliance, Home
from jimbot.claude.errors import GatewayError
from jimbot.claude.gateway import Gateway
from jimbot.claude.metrics import Metrics
from jimbot.claude.question import Advice, Question
from jimbot.service import configure_logging, http_app, serving, stop_event

_log = logging.getLogger(__name__)


async def run(appliance: Appliance, home: Home) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        GatewayError: the port is in use.
        HomeError: the state directory cannot be used.
    """
    configure_logging("claude")
    stop = stop_event()
    home.prepare()
    port = appliance.service("claude").ports["http"]
    metrics = Metrics()
    gateway = Gateway(metrics)
    try:
        async with serving(app(gateway, metrics), port):
            _log.info("ready", extra={"fields": {"port": port, "state": gateway.health().reason}})
            await stop.wait()
            _log.info("stopping")
    except OSError as error:
        raise GatewayError(
            f"claude cannot listen on 127.0.0.1:{port}: {error.strerror or error}",
            hint=f"Stop what uses it (ss -ltnp sport = :{port}), or change the port in the table",
        ) from error


def app(gateway: Gateway, metrics: Metrics) -> FastAPI:
    """The HTTP API of one gateway."""
    api = http_app(
        "JimBot claude",
        gateway.health,
        registry=metrics.registry,
        description="Advice on a decision, within its deadline and the budget.",
    )

    @api.post("/api/v1/advice", tags=["advice"])
    async def advice(question: Question) -> Advice:
        """Advise on one decision; always a legal action, never later than `deadline_ms`."""
        return await gateway.advise(question)

    return api
