"""From events to points and games: what is measured, under which name.

| event              | point                | value                         | tags                |
|--------------------|----------------------|-------------------------------|---------------------|
| GAME_FINISHED      | game.finished        | 1                             | policy, deck, stake |
|                    | game.won             | 1 or 0; mean: the win rate    |                     |
|                    | game.ante            | ante reached                  |                     |
|                    | game.best_hand       | chips of the best single hand |                     |
|                    | game.actions         | actions taken                 |                     |
|                    | game.duration_ms     | ms from first to last action  |                     |
|                    | game.action_ms       | ms an action took, their mean |                     |
| TRAINING_ITERATION | training.iteration   | its number                    | run                 |
|                    | training.steps       | environment steps so far      |                     |
|                    | training.games       | games finished in it          |                     |
|                    | training.loss        | total loss                    |                     |
|                    | training.policy_loss | loss of the policy            |                     |
|                    | training.value_loss  | loss of the value function    |                     |
|                    | training.entropy     | entropy of the policy, nats   |                     |
|                    | training.kl          | KL divergence of the update   |                     |
|                    | training.return_mean | mean return of an episode     |                     |
|                    | training.steps_per_s | environment steps a second    |                     |
| CLAUDE_REQUEST     | claude.requests      | 1                             | model, purpose,     |
|                    | claude.dollars       | what it cost                  | status              |
|                    | claude.tokens        | of input, output and cache    |                     |
|                    | claude.elapsed_ms    | until its answer; no batch's  |                     |
| one, unreadable    | events.unreadable    | 1                             | type                |

What an iteration does not report leaves no point. An event whose payload is not what its type
promises is counted and passed over, since the log keeps it and no retry would mend it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jimbot.events import Recorded
from jimbot.events.payloads import (
    CLAUDE_REQUEST,
    GAME_FINISHED,
    TRAINING_ITERATION,
    ClaudeRequest,
    GameFinished,
    TrainingIteration,
)
from jimbot.metrics.games import GameRow, parse_game
from jimbot.metrics.series import Point, SeriesError, SeriesStore

TYPES = (GAME_FINISHED, TRAINING_ITERATION, CLAUDE_REQUEST)
"""The only types that leave anything: a follower may read the log for these alone."""

_OF_A_GAME = ("ante", "best_hand", "actions", "duration_ms")
_OF_AN_ITERATION = (
    "iteration",
    "steps",
    "games",
    "loss",
    "policy_loss",
    "value_loss",
    "entropy",
    "kl",
    "return_mean",
    "steps_per_s",
)

_TAKEN_OVER = tuple(
    name
    for name in GameRow._fields
    if name not in {"position", "time", "source", "jokers", "hands"}
)


class Projected(NamedTuple):
    """What a batch of events leaves in the store."""

    points: list[Point]
    games: list[GameRow]


def project(recorded: Sequence[Recorded]) -> list[Point]:
    """The points that these events leave, in their order."""
    return project_all(recorded).points


def project_all(recorded: Sequence[Recorded]) -> Projected:
    """The points and the games that these events leave, in their order."""
    result = Projected([], [])
    for entry in recorded:
        event = entry.event
        try:
            if event.type == GAME_FINISHED:
                _game(entry, parse_game(event.payload), result)
            elif event.type == TRAINING_ITERATION:
                _iteration(entry, TrainingIteration.model_validate(event.payload), result)
            elif event.type == CLAUDE_REQUEST:
                _request(entry, ClaudeRequest.model_validate(event.payload), result)
        except (ValueError, OverflowError):  # pydantic's ValidationError is a ValueError
            tags = {"type": event.type}
            result.points.append(Point("events.unreadable", event.timestamp, 1.0, tags))
    return result


def fold(
    store: SeriesStore,
    recorded: Sequence[Recorded],
    *,
    position: int | None = None,
    after: int = 0,
) -> int:
    """Project events into the store, each exactly once; returns how many were new.

    Args:
        recorded: events by position. Those that the store has seen are passed over, so a batch
            may be given again.
        position: how far the log was read, where that is further than the last event here
            (because the reader left other types out).
        after: where the reader believes the store to be at least, so that one that was emptied
            meanwhile gets no hole.

    Raises:
        SeriesError: nothing was stored. Unless `after` does not hold, the same batch may be given
            again.
    """
    seen = store.position()
    if seen < after:
        raise SeriesError(
            f"the series are at position {seen} of the log, not at {after}: they were emptied",
            hint="Go on from the position that they are at",
        )
    fresh = [entry for entry in recorded if entry.position > seen]
    reached = max(position or 0, fresh[-1].position if fresh else 0)
    if reached <= seen:
        return 0
    projected = project_all(fresh)
    store.write(projected.points, games=projected.games, position=reached, after=seen)
    return len(fresh)


def _game(entry: Recorded, game: GameFinished, into: Projected) -> None:
    time = entry.event.timestamp
    tags = {"policy": game.policy, "deck": game.deck, "stake": game.stake}
    into.points.append(Point("game.finished", time, 1.0, tags))
    into.points.append(Point("game.won", time, float(game.won), tags))
    for field in _OF_A_GAME:
        into.points.append(Point(f"game.{field}", time, float(getattr(game, field)), tags))
    if game.actions:
        into.points.append(Point("game.action_ms", time, game.duration_ms / game.actions, tags))
    into.games.append(
        GameRow(
            position=entry.position,
            time=time,
            source=entry.event.source,
            jokers=tuple(game.jokers),
            hands=dict(game.hands),
            **{name: getattr(game, name) for name in _TAKEN_OVER},
        )
    )


def _iteration(entry: Recorded, iteration: TrainingIteration, into: Projected) -> None:
    iteration.run.encode()  # as in parse_game
    time, tags = entry.event.timestamp, {"run": iteration.run}
    values = ((field, getattr(iteration, field)) for field in _OF_AN_ITERATION)
    into.points.extend(
        [
            Point(f"training.{field}", time, float(value), tags)
            for field, value in values
            if value is not None
        ]
    )


def _request(entry: Recorded, request: ClaudeRequest, into: Projected) -> None:
    tags = {"model": request.model, "purpose": request.purpose, "status": request.status}
    for text in tags.values():
        text.encode()  # as in parse_game
    values = {"requests": 1.0, "dollars": request.dollars, "tokens": float(request.tokens)}
    if not request.batch:
        values["elapsed_ms"] = request.elapsed_ms
    into.points.extend(
        [
            Point(f"claude.{name}", entry.event.timestamp, value, tags)
            for name, value in values.items()
        ]
    )
