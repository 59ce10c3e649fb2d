"""The gateway's HTTP API.

It spends money, so it takes JSON bodies alone and answers to loopback and container names alone:
a web page that the owner visits can neither send it a simple request nor rebind a name to it.
"""

from __future__ import annotations

import logging
import time
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from jimbot.claude import costs
from jimbot.claude.analysis import AnalysisState, Analyst, LostGame, StrategyNote
from jimbot.claude.costs import Costs
from jimbot.claude.errors import GatewayError
from jimbot.claude.gateway import Gateway
from jimbot.claude.question import Advice, GameResult, Outcome, Question
from jimbot.service import http_app, note

_log = logging.getLogger(__name__)

HOSTS = ["127.0.0.1", "localhost", "[::1]", "claude", "jimbot-claude"]
ADVICE = "/api/v1/advice"
# A question of 512 actions with all their figures fits.
LONGEST = 2 * 1024 * 1024


class Learned(BaseModel):
    """Whether an outcome contradicted a cached answer, which then is gone."""

    dropped: bool


class KeyNames(BaseModel):
    """The files that keys came from, newest first, and what is wrong with others."""

    keys: list[str]
    problems: list[str]


def app(gateway: Gateway, analyst: Analyst | None) -> FastAPI:
    """The HTTP API of one gateway; without an analyst (no ledger) its routes answer 503."""
    api = http_app(
        "JimBot claude",
        gateway.health,
        registry=gateway.metrics.registry,
        description="Advice on a decision, within its deadline and the budget.",
    )
    api.add_middleware(TrustedHostMiddleware, allowed_hosts=HOSTS)

    async def advice(request: Request) -> Response:
        if not request.headers.get("content-type", "").startswith("application/json"):
            raise HTTPException(415, "the body must be application/json")
        try:
            question = Question.model_validate_json(await _body(request))
        except ValidationError as error:
            detail = error.json(include_url=False, include_input=False, include_context=False)
            return Response(f'{{"detail":{detail}}}', 422, media_type="application/json")
        if question.game_id:
            note(game=question.game_id)
        answer = await gateway.advise(question)
        return Response(answer.model_dump_json(), media_type="application/json")

    # A bare route, described by hand below: FastAPI's own way costs as much as a cached answer.
    api.router.routes.append(Route(ADVICE, advice, methods=["POST"]))

    @api.post("/api/v1/outcomes", tags=["advice"])
    async def outcome(outcome: Outcome) -> Learned:
        """Say what came of an advice, so that wrong ones leave the cache."""
        return Learned(dropped=gateway.learn(outcome))

    @api.post("/api/v1/games", tags=["advice"], status_code=204)
    async def game(result: GameResult) -> None:
        """Say how a game that was advised on ended, so that its cost counts."""
        note(game=result.game_id)
        await gateway.game_ended(result)
        _log.info("an advised game has ended", extra={"fields": {"won": result.won}})

    @api.post("/api/v1/analyses", tags=["analysis"], status_code=202)
    def analyse(game: LostGame) -> AnalysisState:
        """Queue a lost game for analysis."""
        note(game=game.game_id)
        _log.info("a lost game was handed in for analysis")
        try:
            return _there(analyst).queue(game)
        except GatewayError as error:
            raise HTTPException(429, str(error)) from None

    @api.get("/api/v1/analyses/{game_id}", tags=["analysis"])
    def analysis(game_id: str) -> AnalysisState:
        """Where a game's analysis is, and what it says."""
        found = _there(analyst).state(game_id)
        if found is None:
            raise HTTPException(404, f"game {game_id} was not queued for analysis")
        return found

    @api.get("/api/v1/notes", tags=["analysis"])
    def notes(
        since: Annotated[float, Query(ge=0, description="seconds since 1970")] = 0.0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> list[StrategyNote]:
        """Strategy notes for the knowledge graph."""
        return _there(analyst).notes(since, limit)

    @api.get("/api/v1/costs", tags=["costs"])
    def money(days: Annotated[int, Query(ge=1, le=3660)] = 30) -> Costs:
        """What was spent, on what, and the month's forecast."""
        if gateway.ledger is None:
            raise HTTPException(503, "the ledger cannot be used")
        return costs.report(gateway.ledger, gateway.limits.budgets, days=days, now=time.time())

    @api.post("/api/v1/keys/reload", tags=["service"])
    async def reload(request: Request) -> KeyNames:
        """Look at the key files now."""
        gateway.ring.reload()
        return KeyNames(
            keys=[key.name for key in gateway.ring.keys], problems=list(gateway.ring.problems)
        )

    _describe_advice(api)
    return api


def _there(analyst: Analyst | None) -> Analyst:
    if analyst is None:
        raise HTTPException(503, "the ledger cannot be used, so nothing is analysed")
    return analyst


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise HTTPException(413, f"a question has at most {LONGEST} bytes")
    return bytes(body)


def _describe_advice(api: FastAPI) -> None:
    made = api.openapi
    reference = "#/components/schemas/{model}"

    def content(model: type[BaseModel]) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": reference.format(model=model.__name__)}}}

    def openapi() -> dict[str, Any]:
        schema = made()
        known = schema.setdefault("components", {}).setdefault("schemas", {})
        for model in (Question, Advice):
            described = model.model_json_schema(ref_template=reference)
            known |= described.pop("$defs", {})
            known[model.__name__] = described
        schema["paths"][ADVICE] = {
            "post": {
                "tags": ["advice"],
                "summary": "Advise on one decision",
                "description": "Always a legal action, never later than `deadline_ms`.",
                "operationId": "advice",
                "requestBody": {"required": True, "content": content(Question)},
                "responses": {
                    "200": {"description": "An answer", "content": content(Advice)},
                    "413": {"description": "Too large"},
                    "415": {"description": "Not JSON"},
                    "422": {"description": "Not a question; `detail` says where and why"},
                },
            }
        }
        return schema

    api.openapi = openapi  # type: ignore[method-assign]
