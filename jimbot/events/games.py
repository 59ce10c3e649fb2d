"""Games in the log: writing them down, finding them, and playing them again.

Every game leaves a summary. One that is kept leaves each action too, with a digest of the state
after it, so that playing it again proves that it was recorded rightly and that the rules have not
changed since.
"""

from __future__ import annotations

import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from jimbot import __version__
from jimbot.events.event import Event, first_problem, now_ms
from jimbot.events.log import EventLog, LogError, Recorded
from jimbot.events.payloads import (
    GAME_ABANDONED,
    GAME_ACTION,
    GAME_FINISHED,
    GAME_STARTED,
    GameAction,
    GameFinished,
    GameStarted,
    game_stream,
)

if TYPE_CHECKING:
    from jimbot.game import Action, Run

_Model = TypeVar("_Model", bound=BaseModel)
_PAGE = 500


class GameNotFound(LogError):
    """The log holds no game of this id."""


class ReplayDiverged(LogError):
    """A recorded game did not come out the same when it was played again."""


def new_game_id() -> str:
    """A unique id that begins with the time, so that ids sort by age."""
    return f"{now_ms():012x}{uuid.uuid4().hex[:8]}"


class Outcome(Protocol):
    """How a game ended; a `jimbot.game.Run` is one."""

    @property
    def won(self) -> bool: ...
    @property
    def ante(self) -> int: ...
    @property
    def round(self) -> int: ...
    @property
    def best_hand(self) -> float: ...
    @property
    def money(self) -> int: ...
    @property
    def jokers(self) -> Sequence[Any]: ...
    @property
    def hand_levels(self) -> Any: ...


class Digested(Protocol):
    """A state of a game that knows its digest; a `jimbot.game.Run` is one."""

    def digest(self) -> str: ...


class GameRecorder:
    """Follows one game while it is played; `finish` gives the events to send.

    A game that may break off, a real one, is sent as it goes: `drain` gives what is new.

    Args:
        source: who played it, e.g. `ray-worker-1`.
        keep: record each action, not the summary alone.
        played_on: the game, when it is not the simulator; such a game cannot be replayed.
    """

    def __init__(
        self,
        *,
        seed: str,
        deck: str,
        stake: str,
        policy: str,
        source: str,
        keep: bool = False,
        game_id: str | None = None,
        played_on: str = "simulator",
    ) -> None:
        self.game_id = game_id or new_game_id()
        self.keep = keep
        self._identity = {
            "game_id": self.game_id,
            "seed": seed,
            "deck": deck,
            "stake": stake,
            "policy": policy,
        }
        self._played_on = played_on
        self._source = source
        self._started_ms = now_ms()
        self._began = time.perf_counter()
        self._count = 0
        self._started = False
        self._waiting: list[tuple[list[Any], str]] = []

    @property
    def actions(self) -> int:
        """How many actions the game has seen."""
        return self._count

    def step(self, action: Action, run: Digested) -> None:
        """Note an action that `run` has just performed."""
        self._count += 1
        if self.keep:
            self._waiting.append((list(action.to_json()), run.digest()))

    def drain(self) -> list[Event]:
        """The events of a kept game that have not been given yet; they come before `finish`'s."""
        events: list[Event] = []
        if not self.keep:
            return events
        if not self._started:
            self._started = True
            started = {**self._identity, "rules": __version__, "played_on": self._played_on}
            events.append(self._event(GAME_STARTED, "started", self._started_ms, started))
        first = self._count - len(self._waiting)
        now = now_ms()
        for number, (action, digest) in enumerate(self._waiting, start=first):
            payload = {
                "game_id": self.game_id,
                "number": number,
                "action": action,
                "digest": digest,
            }
            events.append(self._event(GAME_ACTION, f"{number:05d}", now, payload))
        self._waiting = []
        return events

    def abandon(self, reason: str) -> list[Event]:
        """The last events of a game that broke off."""
        payload = {"game_id": self.game_id, "reason": reason[:500], "actions": self._count}
        return [*self.drain(), self._event(GAME_ABANDONED, "abandoned", now_ms(), payload)]

    def finish(self, run: Outcome) -> list[Event]:
        """The finished game's events, in order: its summary last."""
        # Ids follow from the game's, so that a game sent twice is stored once.
        events = self.drain()
        summary = {
            **self._identity,
            "won": run.won,
            "ante": run.ante,
            "round": run.round,
            # A score may leave what a float holds; JSON has no infinity.
            "best_hand": min(float(run.best_hand), sys.float_info.max),
            "money": int(run.money),
            "actions": self._count,
            "duration_ms": round((time.perf_counter() - self._began) * 1000, 3),
            "jokers": [joker.key for joker in run.jokers],
            "hands": _hands_played(run),
            "recorded": self.keep,
        }
        events.append(self._event(GAME_FINISHED, "finished", now_ms(), summary))
        return events

    def _event(self, kind: str, part: str, timestamp: int, payload: Mapping[str, Any]) -> Event:
        return Event(
            type=kind,
            source=self._source,
            event_id=f"{self.game_id}-{part}",
            timestamp=timestamp,
            payload=dict(payload),
        )


def _hands_played(run: Outcome) -> dict[str, int]:
    from jimbot.game import HandType

    return {HandType(level.hand).label: level.played for level in run.hand_levels if level.played}


class GameSummary(NamedTuple):
    """A finished game as `list_games` shows it; `timestamp` in ms since 1970."""

    position: int
    timestamp: int
    source: str
    game: GameFinished


def list_games(
    log: EventLog,
    limit: int = 20,
    *,
    before: int | None = None,
    recorded: bool | None = None,
    won: bool | None = None,
    policy: str | None = None,
) -> list[GameSummary]:
    """The newest finished games, newest first.

    Args:
        before: only games whose summary lies before this position: the last one's, for paging.
        recorded, won, policy: only games that are so.

    Raises:
        LogError: the log cannot be read.
    """
    found: list[GameSummary] = []
    while len(found) < limit:
        page = log.read(before=before, limit=_PAGE, types=[GAME_FINISHED], newest_first=True)
        for entry in page:
            game = _model(GameFinished, entry)
            if (
                recorded in (None, game.recorded)
                and won in (None, game.won)
                and policy in (None, game.policy)
            ):
                event = entry.event
                found.append(GameSummary(entry.position, event.timestamp, event.source, game))
        if len(page) < _PAGE:
            break
        before = page[-1].position
    return found[:limit]


@dataclass(frozen=True)
class RecordedGame:
    """What the log holds of one game; `started` and `actions` only when it was kept."""

    game_id: str
    started: GameStarted | None
    actions: list[GameAction]
    finished: GameFinished | None


def read_game(log: EventLog, game_id: str) -> RecordedGame:
    """One game's whole record.

    Raises:
        GameNotFound: there is none.
        LogError: the log cannot be read, or the record is damaged.
    """
    entries = log.read_stream(game_stream(game_id))
    started = [_model(GameStarted, entry) for entry in entries if entry.event.type == GAME_STARTED]
    actions = [_model(GameAction, entry) for entry in entries if entry.event.type == GAME_ACTION]
    finished = [
        _model(GameFinished, entry) for entry in entries if entry.event.type == GAME_FINISHED
    ]
    if not (started or finished):
        raise GameNotFound(f"no game {game_id!r} in the log", hint="See: jimbot games list")
    return RecordedGame(
        game_id, next(iter(started), None), actions, finished[-1] if finished else None
    )


class Step(NamedTuple):
    """One action played again, and the run as it is after it (the same object each time)."""

    number: int
    action: Action
    run: Run


def replay(game: RecordedGame) -> Iterator[Step]:
    """Play a kept game again, action by action, comparing each digest and the end.

    Raises:
        ReplayDiverged: an action, or the outcome, did not come out as recorded; names the first.
        LogError: the game's actions are not, or not all, in the log.
    """
    from jimbot.game import Action, Run
    from jimbot.game.errors import GameError

    started = game.started
    if started is None:
        raise LogError(
            f"game {game.game_id} was kept as a summary only",
            hint="Only some games are kept action by action: training.record_one_in in the table",
        )
    if started.played_on != "simulator":
        raise LogError(
            f"game {game.game_id} was dealt by {started.played_on}, and cannot be dealt again",
            hint=f"See what was done: jimbot games show {game.game_id}",
        )
    for expected, recorded in enumerate(game.actions):
        if recorded.number != expected:
            raise LogError(f"action {expected} of game {game.game_id} is not in the log")
    if game.finished is not None and game.finished.actions != len(game.actions):
        raise LogError(
            f"the log holds {len(game.actions)} of game {game.game_id}'s"
            f" {game.finished.actions} actions"
        )
    diverged = f"game {game.game_id} diverged"
    hint = f"It was played by the rules of JimBot {started.rules}, this is {__version__}"
    run = Run(started.seed, deck=started.deck, stake=started.stake)
    for recorded in game.actions:
        where = f"{diverged} at action {recorded.number} {recorded.action}"
        try:
            action = Action.from_json(recorded.action)
            run.step(action)
        except GameError as error:
            raise ReplayDiverged(f"{where}: {error.message}", hint=hint) from error
        digest = run.digest()
        if digest != recorded.digest:
            raise ReplayDiverged(
                f"{where}: the state is {digest}, recorded was {recorded.digest}", hint=hint
            )
        yield Step(recorded.number, action, run)
    end = game.finished
    if end is not None and (end.won, end.ante, end.round, end.money) != (
        run.won,
        run.ante,
        run.round,
        run.money,
    ):
        raise ReplayDiverged(f"{diverged} at its end: the summary says otherwise", hint=hint)


def _model(model: type[_Model], entry: Recorded) -> _Model:
    try:
        return model.model_validate(entry.event.payload)
    except ValidationError as error:
        raise LogError(
            f"the {entry.event.type} at position {entry.position} of the log does not hold:"
            f" {first_problem(error)}",
            hint="A newer JimBot may have written it",
        ) from error
