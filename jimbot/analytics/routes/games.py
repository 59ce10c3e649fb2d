"""Games: listed, one by one, and played again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from jimbot.analytics.figures import Figures
from jimbot.analytics.models import GameRecord, Games, Problem
from jimbot.analytics.routes import PREFIX, RESPONSES, Question
from jimbot.events.payloads import GameId


class GamesQuestion(Question):
    limit: Annotated[int, Field(ge=1, le=200, description="games on a page")] = 25
    before: Annotated[
        int | None, Field(ge=1, lt=1 << 53, description="`next` of the page before this one")
    ] = None
    policy: Annotated[str | None, Field(max_length=128)] = None
    won: bool | None = None


def router(figures: Figures) -> APIRouter:
    api = APIRouter(prefix=PREFIX, responses=RESPONSES)

    @api.get("/games", tags=["games"])
    def games(question: Annotated[GamesQuestion, Query()]) -> Games:
        """Finished games, newest first."""
        return figures.games(question.limit, question.before, question.policy, question.won)

    @api.get("/games/{game_id}", tags=["games"], responses={404: {"model": Problem}})
    def game(game_id: Annotated[GameId, Path()]) -> GameRecord:
        """One game; with its actions when it was kept action by action."""
        return figures.game(game_id)

    return api
