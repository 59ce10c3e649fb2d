"""What every service of ours has in common: JSON logs, a health answer, metrics, a clean stop."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

import httpx
import uvicorn
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jimbot import __version__
from jimbot.errors import PortTaken
from jimbot.security import redact
from jimbot.security.patience import PatientProtocol

Status = Literal["ok", "warn", "fail"]


class Health(BaseModel):
    """A service's answer to "are you well?".

    `reason` says why it is not `ok`, `hint` what to do about it; `details` are figures for people.
    """

    status: Status
    reason: str = ""
    hint: str = ""
    details: dict[str, Any] = {}


CORRELATION_HEADER = "X-Correlation-ID"
"""What requests between services carry, so that what one thing led to is found in all logs."""

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_access = logging.getLogger(f"{__name__}.access")
_context: ContextVar[Mapping[str, Any]] = ContextVar("log_context", default=MappingProxyType({}))


def note(**fields: Any) -> None:
    """Put fields into every log line that this task, and those it starts, write from now on.

    `game`, `session` and `correlation_id` are what `jimbot logs` looks for.
    """
    _context.set({**_context.get(), **fields})


@contextmanager
def noted(**fields: Any) -> Iterator[None]:
    """`note` for the length of the block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def new_correlation_id() -> str:
    return secrets.token_hex(8)


async def correlate(request: httpx.Request) -> None:
    """An httpx event hook: sends the correlation id of the task at hand along."""
    if known := _context.get().get("correlation_id"):
        request.headers.setdefault(CORRELATION_HEADER, known)


class _Correlated:
    """Notes a request's correlation id, or a new one, and gives it back with the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = CORRELATION_HEADER.lower().encode()
        given = next((value for key, value in scope["headers"] if key == name), b"")
        text = given.decode("latin-1")
        known = text if _CORRELATION_ID.fullmatch(text) else new_correlation_id()
        began = time.perf_counter()

        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[CORRELATION_HEADER] = known
                if _access.isEnabledFor(logging.DEBUG):
                    took_ms = round((time.perf_counter() - began) * 1000, 3)
                    said = scope["method"], scope["path"], message["status"]
                    _access.debug("%s %s %s", *said, extra={"fields": {"took_ms": took_ms}})
            await send(message)

        with noted(correlation_id=known):
            await self._app(scope, receive, answering)


class _JsonLines(logging.Formatter):
    """One JSON object a line. What a call passes as `extra={"fields": {...}}` becomes keys, and
    so does what the task has noted."""

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
            **_context.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        # Not even a secret that somebody put where none belongs, in a path say, is kept here.
        safe = {key: redact.text(one) if isinstance(one, str) else one for key, one in line.items()}
        return json.dumps(safe, default=str)


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
    app.add_middleware(_Correlated)

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
async def serving(app: ASGIApp, port: int, *, host: str = "127.0.0.1") -> AsyncIterator[int]:
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
        uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            proxy_headers=False,  # else whoever is on this machine says what address he has
            server_header=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=2,
        )
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
