"""The HTTP API, the stream and the pages, as one application."""

from __future__ import annotations

import asyncio
import json
import pathlib
import time
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jimbot.analytics.alerts import routes as alert_routes
from jimbot.analytics.alerts.models import Alerts
from jimbot.analytics.exposition import Metrics
from jimbot.analytics.figures import Figures, NoSuchGame
from jimbot.analytics.guard import Guard
from jimbot.analytics.models import (
    GameRecord,
    Games,
    Knowledge,
    Problem,
    Series,
    Services,
    Summary,
    Training,
    Trends,
)
from jimbot.analytics.services import ServiceChecks
from jimbot.analytics.stream import EventStream, Hub
from jimbot.errors import JimbotError
from jimbot.events import now_ms
from jimbot.events.payloads import GameId
from jimbot.metrics import How
from jimbot.service import Health, http_app

STATIC = pathlib.Path(__file__).parent / "static"

_DESCRIPTION = """\
What JimBot's games and training came to. Times are ms since 1970, rates and shares 0 to 1;
`null` means that nothing was measured.
"""
_YEAR_HOURS = 24 * 366
_DAY_MS = 86_400_000
_MOST_BUCKETS = 20_000


class _Question(BaseModel):
    """Parameters of a question. Unknown ones are refused: a misspelt filter filters nothing."""

    model_config = ConfigDict(extra="forbid")


class GamesQuestion(_Question):
    limit: Annotated[int, Field(ge=1, le=200, description="games on a page")] = 25
    before: Annotated[
        int | None, Field(ge=1, lt=1 << 53, description="`next` of the page before this one")
    ] = None
    policy: Annotated[str | None, Field(max_length=128)] = None
    won: bool | None = None


class SpanQuestion(_Question):
    hours: Annotated[
        float, Field(gt=0, le=_YEAR_HOURS, description="how far back from now, in hours")
    ] = 24

    @property
    def span_ms(self) -> int:
        return max(int(self.hours * 3_600_000), 1000)


class TrainingQuestion(SpanQuestion):
    run: Annotated[str | None, Field(max_length=128, description="the last run otherwise")] = None


class SeriesQuestion(_Question):
    start: Annotated[
        int | None, Field(ge=0, lt=1 << 53, description="ms since 1970; a day before `end` if none")
    ] = None
    end: Annotated[
        int | None, Field(ge=0, lt=1 << 53, description="ms since 1970; not included; now if none")
    ] = None
    step: Annotated[
        int | None, Field(ge=1000, lt=1 << 53, description="ms of a bucket; a fit one if none")
    ] = None
    how: Annotated[How, Field(description="how a bucket's points become one")] = "mean"

    @model_validator(mode="after")
    def _is_a_range(self) -> SeriesQuestion:
        start, end = self.range
        if start >= end:
            raise ValueError("start must lie before end")
        if self.step and (end - start) / self.step > _MOST_BUCKETS:
            raise ValueError(f"step must be larger: at most {_MOST_BUCKETS} buckets")
        return self

    @property
    def range(self) -> tuple[int, int]:
        end = now_ms() + 1 if self.end is None else self.end
        return (max(end - _DAY_MS, 0) if self.start is None else self.start), end


class KnowledgeQuestion(_Question):
    limit: Annotated[int, Field(ge=1, le=200, description="rows of each kind")] = 10


def create_app(
    figures: Figures,
    checks: ServiceChecks,
    metrics: Metrics,
    health: Callable[[], Health],
    alerts: Callable[[], Alerts] = alert_routes.nobody_looks,
) -> tuple[FastAPI, Hub]:
    """The application, and the hub of its streams, which is to be closed before it stops."""
    app = http_app("JimBot analytics", health, registry=metrics.registry, description=_DESCRIPTION)

    async def look() -> dict[str, str]:
        summary, services = await asyncio.gather(
            asyncio.to_thread(_summary_or_problem, figures), checks.now()
        )
        return {**summary, "services": services.model_dump_json()}

    hub = Hub(look)
    metrics.stream_clients.set_function(lambda: hub.clients)
    app.include_router(_api(figures, checks, hub))
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
    app.add_middleware(Guard)
    return app, hub


def _api(figures: Figures, checks: ServiceChecks, hub: Hub) -> APIRouter:
    api = APIRouter(
        prefix="/api/v1",
        responses={
            422: {"model": Problem, "description": "A parameter does not hold"},
            503: {"model": Problem, "description": "A store is not ready"},
        },
    )

    @api.get("/summary", tags=["figures"])
    def summary() -> Summary:
        """The figures of the moment."""
        return figures.summary()

    @api.get("/trends", tags=["figures"])
    def trends(question: Annotated[SpanQuestion, Query()]) -> Trends:
        """Games per hour, win rate with its interval and mean ante, by time."""
        return figures.trends(question.span_ms)

    @api.get("/training", tags=["figures"])
    def training(question: Annotated[TrainingQuestion, Query()]) -> Training:
        """Loss, entropy, return and speed of training, by time."""
        return figures.training(question.span_ms, question.run)

    @api.get("/series", tags=["figures"])
    def names() -> list[str]:
        """The names of all series."""
        return figures.names()

    @api.get("/series/{name}", tags=["figures"])
    def series(
        name: Annotated[str, Path(max_length=128)],
        question: Annotated[SeriesQuestion, Query()],
    ) -> Series:
        """One series over a range of time, in buckets. A name without points has none."""
        return figures.series(name, *question.range, question.step, question.how)

    @api.get("/games", tags=["games"])
    def games(question: Annotated[GamesQuestion, Query()]) -> Games:
        """Finished games, newest first."""
        return figures.games(question.limit, question.before, question.policy, question.won)

    @api.get("/games/{game_id}", tags=["games"], responses={404: {"model": Problem}})
    def game(game_id: Annotated[GameId, Path()]) -> GameRecord:
        """One game; with its actions when it was kept action by action."""
        return figures.game(game_id)

    @api.get("/knowledge", tags=["knowledge"])
    def knowledge(question: Annotated[KnowledgeQuestion, Query()]) -> Knowledge:
        """The jokers, hands and pairs of jokers that won most surely."""
        return figures.knowledge(question.limit)

    @api.get("/services", tags=["service"])
    async def services() -> Services:
        """The state of every service of the appliance; asked at most every two seconds."""
        return await checks.now()

    @api.get(
        "/stream",
        tags=["figures"],
        status_code=200,
        response_class=EventStream,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    async def stream() -> Any:
        """Server-sent events: `summary` and `services` every second, as their answers here.

        While the figures cannot be had `problem` comes in the summary's place. A slow client
        misses seconds, it is never sent old ones.
        """
        if hub.full:
            return JSONResponse({"detail": "too many streams", "hint": "Close a page"}, 503)
        return EventStream(hub)

    return api


def _summary_or_problem(figures: Figures) -> dict[str, str]:
    try:
        return {"summary": figures.summary().model_dump_json()}
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
    status = 404 if isinstance(error, NoSuchGame) else 503
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
