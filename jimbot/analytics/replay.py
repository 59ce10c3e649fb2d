"""Playing a recorded game again for somebody who looks on, without holding up anybody else.

The rules are fast (a whole game takes some tens of ms), but a page may ask for many games, and a
record may be long or made up: what one question may cost is bounded.
"""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from pydantic import BaseModel, Field

from jimbot.analytics.frames import Before, Frame, deal, done
from jimbot.errors import JimbotError
from jimbot.events import EventLog, LogError
from jimbot.events.games import RecordedGame, ReplayDiverged, read_game, replay

FRAMES_LIMIT = 200
ACTIONS_LIMIT = 20_000
_TIME_LIMIT_S = 5.0
_AT_ONCE = 2


class NoReplay(JimbotError):
    """The log holds this game in a way that cannot be played again."""


class Replay(BaseModel):
    """Some frames of a game, from `start` on; there are `total` of them, frame 0 included.

    `problem`: why the replay ends before the record does; the frames up to there are proved by
    their digests.
    """

    game_id: str
    seed: str
    deck: str
    stake: str
    policy: str
    rules: Annotated[str, Field(description="the JimBot that dealt it")]
    played_on: str
    finished: Annotated[bool, Field(description="false while it is being played, or broke off")]
    won: bool | None
    total: int
    start: int
    frames: list[Frame]
    problem: str = ""
    next: Annotated[int | None, Field(description="`from` of the frames after these")]


class Replayer:
    """Replays games of one log: a few at a time, each for a few seconds at most."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def frames(self, log: EventLog, game_id: str, start: int, count: int) -> Replay:
        """Frames `start` to `start` + `count` of a game.

        Raises:
            NoReplay: only its summary was kept, its record is damaged, or it is too long.
            GameNotFound: there is no such game.
            LogError: the log cannot be read.
        """
        async with self._turn:
            return await asyncio.to_thread(_frames, log, game_id, start, count)


def _frames(log: EventLog, game_id: str, start: int, count: int) -> Replay:
    game = read_game(log, game_id)
    started = game.started
    if started is None:
        raise NoReplay(
            f"game {game_id} was kept as a summary only",
            hint="One in training.record_one_in games of the table is kept action by action",
        )
    if len(game.actions) > ACTIONS_LIMIT:
        raise NoReplay(f"game {game_id} has {len(game.actions):,} actions, too many to show")
    total = len(game.actions) + 1
    end = min(start + count, total)
    if started.played_on == "simulator":
        frames, problem, reached = _play_again(game, start, end)
        if problem:
            total = reached + 1
            end = min(end, total)
    else:
        frames = [
            done(each.number + 1, each.action)
            for each in game.actions[max(start - 1, 0) : max(end - 1, 0)]
        ]
        problem = (
            f"Dealt by {started.played_on}: what was done was kept, what lay on the table was not"
        )
    return Replay(
        game_id=game_id,
        **started.model_dump(include={"seed", "deck", "stake", "policy", "rules", "played_on"}),
        finished=game.finished is not None,
        won=game.finished.won if game.finished else None,
        total=total,
        start=start,
        frames=frames,
        problem=problem,
        next=end if end < total else None,
    )


def _play_again(game: RecordedGame, start: int, end: int) -> tuple[list[Frame], str, int]:
    """Frames `start` to `end`, as far as the game comes out as recorded; why it stopped; how many
    actions were played."""
    from jimbot.game import Action, Run
    from jimbot.game.errors import GameError

    assert game.started is not None
    until = time.monotonic() + _TIME_LIMIT_S
    frames: list[Frame] = []
    reached = 0
    try:
        run = Run(game.started.seed, deck=game.started.deck, stake=game.started.stake)
    except GameError as error:
        raise NoReplay(f"game {game.game_id} cannot be dealt: {error.message}") from error
    if start == 0 and end > 0:
        frames.append(deal(run))
    # `replay` plays on a run of its own, which it gives with the first step; until then its table
    # is the deal's.
    steps = replay(game)
    try:
        for number in range(1, end):
            before = None
            if number >= start:
                before = Before(run, Action.from_json(game.actions[number - 1].action))
            run = next(steps).run
            reached = number
            if before is not None:
                frames.append(before.after(number, run))
            if time.monotonic() > until:
                return frames, "It took too long to play this game again", reached
        if end > len(game.actions):
            next(steps, None)  # compares the outcome
    except (GameError, ReplayDiverged) as error:
        return frames, str(error), reached
    except LogError as error:
        raise NoReplay(error.message, hint=error.hint) from error
    return frames, "", reached
