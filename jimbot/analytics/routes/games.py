"""Games: listed, one by one, and played again."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field

from jimbot.analytics.figures import Figures
from jimbot.analytics.models import GameRecord, Games, LiveGame, Problem
from jimbot.analytics.replay import ACTIONS_LIMIT, FRAMES_LIMIT, Replay, Replayer
from jimbot.analytics.routes import PREFIX, RESPONSES, Question
from jimbot.events.payloads import GameId


class GamesQuestion(Question):
    limit: Annotated[int, Field(ge=1, le=200, description="games on a page")] = 25
    before: Annotated[
        int | None, Field(ge=1, lt=1 << 53, description="`next` of the page before this one")
    ] = None
    policy: Annotated[str | None, Field(max_length=128)] = None
    won: bool | None = None
    recorded: Annotated[
        bool, Field(description="only games that can be replayed; page these by their own `next`")
    ] = False


class ReplayQuestion(Question):
    start: Annotated[int, Field(alias="from", ge=0, le=ACTIONS_LIMIT)] = 0
    count: Annotated[int, Field(ge=1, le=FRAMES_LIMIT)] = 50


def router(figures: Figures) -> APIRouter:
    replayer = Replayer()
    api = APIRouter(prefix=PREFIX, responses=RESPONSES)

    @api.get("/games", tags=["games"])
    def games(question: Annotated[GamesQuestion, Query()]) -> Games:
        """Finished games, newest first."""
        ask = figures.recorded_games if question.recorded else figures.games
        return ask(question.limit, question.before, question.policy, question.won)

    @api.get("/games/live", tags=["games"])
    def live() -> list[LiveGame]:
        """Games that are being played and kept action by action."""
        return figures.live_games()

    @api.get("/games/{game_id}", tags=["games"], responses={404: {"model": Problem}})
    def game(game_id: Annotated[GameId, Path()]) -> GameRecord:
        """One game; with its actions when it was kept action by action."""
        return figures.game(game_id)

    @api.get(
        "/games/{game_id}/replay",
        tags=["games"],
        responses={404: {"model": Problem}, 409: {"model": Problem}},
        response_model_exclude_defaults=True,
    )
    async def replay(
        game_id: Annotated[GameId, Path()], question: Annotated[ReplayQuestion, Query()]
    ) -> Replay:
        """The table after each action of a game that was kept; what is usual is left out.

        The game is played again by the rules, and each state is compared with what was recorded.
        409: only its summary was kept, or it cannot be played again.
        """
        log = await asyncio.to_thread(figures.log)
        return await replayer.frames(log, game_id, question.start, question.count)

    return api
