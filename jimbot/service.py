"""What every service of ours has in common: JSON logs, a health answer, metrics, a clean stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Literal

import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel

from jimbot import __version__
from jimbot.errors import PortTaken

Status = Literal["ok", "warn", "fail"]


class Health(BaseModel):
    """A service's answer to "are you well?".

    `reason` says why it is not `ok`, `hint` what to do about it; `details` are figures for people.
    """

    status: Status
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = {}


class _JsonLines(logging.Formatter):
    """One JSON object a line. What a call passes as `extra={"fields": {...}}` becomes keys."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(service: str) -> None:
    """Send every log record of this process to stderr as JSON lines; level `$JIMBOT_LOG_LEVEL`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    level = os.environ.get("JIMBOT_LOG_LEVEL", "INFO").upper()
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for chatty in ("httpx", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def http_app(
    title: str,
    health: Callable[[], Health],
    *,
    registry: CollectorRegistry | None = None,
    description: str = "",
) -> FastAPI:
    """A FastAPI application with `/health` (503 when it fails) and, with a registry, `/metrics`.

    FastAPI's own documentation pages load scripts from the network, so they are off; the schema
    is at `/openapi.json`.
    """
    app = FastAPI(
        title=title, version=__version__, description=description, docs_url=None, redoc_url=None
    )

    @app.get("/health", response_model=Health, responses={503: {"model": Health}}, tags=["service"])
    def answer_health(response: Response) -> Health:
        """How this service is."""
        answer = health()
        if answer.status == "fail":
            response.status_code = 503
        return answer

    if registry is not None:
        content_type = "text/plain; version=0.0.4; charset=utf-8"

        @app.get("/metrics", response_class=Response, tags=["service"])
        def metrics() -> Response:
            """This service's metrics in Prometheus' text format."""
            return Response(generate_latest(registry), media_type=content_type)

    return app


@asynccontextmanager
async def serving(app: FastAPI, port: int, *, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve an application over HTTP while the block runs; yields the port (0 picks one).

    Raises:
        PortTaken: another program listens there.
    """
    # Bound here, since uvicorn answers a taken port by ending the process. The protocol is named,
    # since asyncio turns Nagle's algorithm off only where it reads TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(port, error) from error
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    )
    task = asyncio.create_task(server._serve([listener]))
    try:
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the HTTP server did not start")
            await asyncio.sleep(0.005)
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
        listener.close()


def stop_event() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; to be made inside the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
