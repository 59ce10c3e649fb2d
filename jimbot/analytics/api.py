"""The HTTP API, the stream and the pages, as one application."""

from __future__ import annotations

import asyncio
import json
import pathlib
import time
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import TypeAdapter
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jimbot.analytics.alerts import routes as alert_routes
from jimbot.analytics.alerts.models import Alerts
from jimbot.analytics.around import Around
from jimbot.analytics.exposition import Metrics
from jimbot.analytics.figures import Figures, NoSuchGame
from jimbot.analytics.guard import Guard
from jimbot.analytics.models import LiveGame
from jimbot.analytics.replay import NoReplay
from jimbot.analytics.routes import figures as figure_routes
from jimbot.analytics.routes import games as game_routes
from jimbot.analytics.routes import state as state_routes
from jimbot.analytics.services import ServiceChecks
from jimbot.analytics.stream import Hub
from jimbot.errors import JimbotError
from jimbot.events.games import GameNotFound
from jimbot.service import Health, http_app

STATIC = pathlib.Path(__file__).parent / "static"

_LIVE = TypeAdapter(list[LiveGame])

_DESCRIPTION = """\
What JimBot's games and training came to. Times are ms since 1970, rates and shares 0 to 1;
`null` means that nothing was measured.
"""


def create_app(
    figures: Figures,
    checks: ServiceChecks,
    metrics: Metrics,
    health: Callable[[], Health],
    around: Around,
    alerts: Callable[[], Alerts] = alert_routes.nobody_looks,
    guarded: Callable[[FastAPI], None] | None = None,
) -> tuple[FastAPI, Hub]:
    """The application, and the hub of its streams, which is to be closed before it stops.

    Args:
        guarded: has it ask who one is (`jimbot.analytics.session`); everybody may all if None.
    """
    app = http_app("JimBot analytics", health, registry=metrics.registry, description=_DESCRIPTION)

    async def look() -> dict[str, str]:
        now, services, resources = await asyncio.gather(
            asyncio.to_thread(_figures_or_problem, figures), checks.now(), around.resources()
        )
        return {
            **now,
            "services": services.model_dump_json(),
            "resources": resources.model_dump_json(),
            "alerts": alerts().model_dump_json(),
        }

    hub = Hub(look)
    metrics.stream_clients.set_function(lambda: hub.clients)
    for router in (
        figure_routes.router(figures),
        game_routes.router(figures),
        state_routes.router(checks, around, hub),
    ):
        app.include_router(router)
    app.include_router(alert_routes.router(alerts))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    for path, file in (("/", "index.html"), ("/docs", "docs.html")):
        app.add_api_route(
            path,
            lambda file=file: FileResponse(STATIC / file, media_type="text/html; charset=utf-8"),
            include_in_schema=False,
        )
    app.add_exception_handler(RequestValidationError, _refuse)
    app.add_exception_handler(JimbotError, _explain)
    app.add_middleware(_Timed, metrics=metrics)
    if guarded is not None:
        guarded(app)
    app.add_middleware(Guard)
    return app, hub


def _figures_or_problem(figures: Figures) -> dict[str, str]:
    try:
        return {
            "summary": figures.summary().model_dump_json(),
            "live": _LIVE.dump_json(figures.live_games()).decode(),
        }
    except JimbotError as error:
        return {"problem": json.dumps({"detail": error.message, "hint": error.hint})}


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    """422 with every parameter that does not hold, in one line."""
    assert isinstance(error, RequestValidationError)
    reasons = [
        ": ".join([*(str(part) for part in problem["loc"][1:]), _plain(problem["msg"])])
        for problem in error.errors()
    ]
    return JSONResponse({"detail": "; ".join(reasons), "hint": "See /docs"}, 422)


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")


async def _explain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, JimbotError)
    status = 503
    if isinstance(error, (NoSuchGame, GameNotFound)):
        status = 404
    elif isinstance(error, NoReplay):
        status = 409
    return JSONResponse({"detail": error.message, "hint": error.hint}, status)


class _Timed:
    """Measures how long answers take, by route; streams, which stay open, are left out."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()

        async def timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The route's pattern: paths that people make up must not become labels.
                route = getattr(scope.get("route"), "path", "other")
                if not route.endswith("/stream"):
                    self._metrics.request_seconds.labels(route, str(message["status"])).observe(
                        time.perf_counter() - began
                    )
            await send(message)

        await self._app(scope, receive, timed)
