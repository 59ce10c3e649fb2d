"""The figures that the API and the dashboard show, from the stores that the projections keep."""

from __future__ import annotations

import math
import threading
import time as clock
from collections.abc import Callable, Hashable, Iterable
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar, cast

from jimbot.analytics.models import (
    Combination,
    Counted,
    EvaluationPoint,
    Evaluations,
    Game,
    GameAction,
    GameRecord,
    Games,
    Knowledge,
    LiveGame,
    Opinion,
    Pair,
    Series,
    Summary,
    Training,
    TrainingPoint,
    Trend,
    Trends,
)
from jimbot.analytics.projections import Follower, Projections, Store
from jimbot.appliance import Home
from jimbot.errors import JimbotError
from jimbot.events import EventLog, LogMissing, now_ms, open_log
from jimbot.events.payloads import (
    GAME_ACTION,
    GAME_FINISHED,
    GAME_STARTED,
    TRAINING_EVALUATION,
    TRAINING_ITERATION,
    TrainingEvaluation,
)
from jimbot.metrics import GameCount, GameRow, How, SeriesStore, queries
from jimbot.metrics.wilson import Z95, wilson

MINUTE, HOUR, DAY = queries.MINUTE, queries.HOUR, queries.DAY
_END_OF_TIME = 1 << 53
_BEST_HAND_S, _CATCHING_UP_S = 300.0, 5.0
_ANSWERS_KEPT = 64
_STARTS, _STARTS_READ = 200, 2000
_LIVE_S, _LIVE_STARTS = 1.5, 24
_ENDS = ("finished", "abandoned")
_LIVE_LONGEST_MS, _LIVE_SILENT_MS = 12 * HOUR, 10 * MINUTE
_LEAST_FOR_AN_INTERVAL, _LEAST_FOR_A_RANK = 5, 3
_EVALUATIONS_READ, _EVALUATIONS_SHOWN = 2000, 200
_PAIRS_READ, _KNOWLEDGE_S = 2000, 5.0
BUCKETS = 96  # a chart's points: more than a phone shows, fewer than one sees apart

S = TypeVar("S", bound=Store)
A = TypeVar("A")

_FIGURES = ("loss", "policy_loss", "value_loss", "entropy", "kl", "return_mean", "steps_per_s")


class NotReady(JimbotError):
    """A store is not open: its projection says why."""


class NoSuchGame(JimbotError):
    """No finished game has this id."""


class Figures:
    """Answers questions on one home; safe to use from any thread."""

    def __init__(self, home: Home, projections: Projections) -> None:
        self._home = home
        self._projections = projections
        self._lock = threading.RLock()
        self._log: EventLog | None = None
        self._summary: tuple[float, Summary] | None = None
        self._best = _Best(-math.inf, False, None)
        self._live: tuple[float, list[LiveGame]] | None = None
        self._first_game_at: int | None = None
        # Apart, since the graph may keep one waiting.
        self._curves, self._knowledge = _Answers(), _Answers()

    def summary(self) -> Summary:
        """The figures of the moment; made at most once a second."""
        with self._lock:
            if self._summary is None or clock.monotonic() - self._summary[0] > 0.9:
                self._summary = clock.monotonic(), self._make_summary()
            return self._summary[1]

    def forget(self) -> None:
        """Make the next answers afresh."""
        self._curves.forget()
        self._knowledge.forget()
        with self._lock:
            self._summary, self._best = None, _Best(-math.inf, False, None)
            self._live = None

    def _make_summary(self) -> Summary:
        store, now = self._series(), now_ms()
        # First: what is folded from here on is then in more than it is said to be in, not in less.
        metrics = self._projections.metrics.status()
        end, day_ago = now + 1, now - DAY
        policies = store.counts("policy")
        newest = store.recent_games(1)
        rate = queries.win_rate(store, day_ago, end)
        steps = queries.latest_value(store, "training.steps")
        best_today = queries.best_hand(store, day_ago, end)
        return Summary(
            time=now,
            games_finished=sum(count.games for count in policies),
            games_won=sum(count.wins for count in policies),
            first_game_at=self._first_game(bool(newest)),
            last_game_at=newest[0].time if newest else None,
            games_per_hour=(
                queries.games_per_hour(store, now, window=10 * MINUTE) if newest else None
            ),
            games_last_hour=queries.games_finished(store, now - HOUR, end),
            games_last_day=rate.games if rate else 0,
            win_rate=rate.rate if rate else None,
            win_rate_low=rate.low if rate else None,
            win_rate_high=rate.high if rate else None,
            mean_ante=queries.mean_ante(store, day_ago, end),
            best_hand=self._best_hand(store, best_today, metrics.behind),
            best_hand_last_day=best_today,
            loss=queries.latest_value(store, "training.loss"),
            training_iterations=self._iterations(),
            training_steps=None if steps is None else int(steps),
            events_in_log=metrics.position + metrics.behind,
            events_behind=metrics.behind,
        )

    def trends(self, span_ms: int) -> Trends:
        return self._curves.get(
            ("trends", span_ms), _fresh_s(span_ms), lambda: self._make_trends(span_ms)
        )

    def training(self, span_ms: int, run: str | None) -> Training:
        make = partial(self._make_training, span_ms, run)
        return self._curves.get(("training", span_ms, run), _fresh_s(span_ms), make)

    def evaluations(self, span_ms: int, run: str | None) -> Evaluations:
        make = partial(self._make_evaluations, span_ms, run)
        return self._curves.get(("evaluations", span_ms, run), _fresh_s(span_ms), make)

    def _make_evaluations(self, span_ms: int, run: str | None) -> Evaluations:
        """From the log itself: an evaluation takes minutes, so there are few, and the newest
        `_EVALUATIONS_READ` of them are looked at."""
        now = now_ms()
        start = now - span_ms
        try:
            page = self._open_log().read(
                limit=_EVALUATIONS_READ, types=[TRAINING_EVALUATION], newest_first=True
            )
        except LogMissing:
            page = []
        points = []
        for entry in page:
            try:
                told = TrainingEvaluation.model_validate(entry.event.payload)
            except ValueError:  # a newer JimBot may have written it
                continue
            run = run or told.run
            if told.run == run and entry.event.timestamp >= start:
                figures = told.model_dump(exclude={"run"})
                points.append(EvaluationPoint(time=entry.event.timestamp, **figures))
        points.reverse()
        every = -(-len(points) // _EVALUATIONS_SHOWN) or 1
        # Counted from the newest, which is what one wants to know.
        points = points[(len(points) - 1) % every :: every] if points else []
        return Evaluations(run=run, start=start, end=now, step_ms=1, points=points)

    def _make_trends(self, span_ms: int) -> Trends:
        store, now = self._series(), now_ms()
        start, end = now - span_ms, now + 1
        step = queries.nice_step(start, now, BUCKETS)
        start -= start % step
        rates = dict(queries.win_rate_curve(store, start, end, step))
        antes = _antes(store, start, end, step)
        points = []
        # An empty bucket is one without games only after the first game there ever was.
        first = self._first_game(bool(rates or store.recent_games(1)))
        if first is None:
            return Trends(start=start, end=now, step_ms=step, points=[])
        first = min(first, *rates) if rates else first  # not every log is in order of time
        for time in range(max(start, first - first % step), end, step):
            rate = rates.get(time)
            began = max(time, first)
            span = max(min(time + step, now) - began, 10_000)
            games = rate.games if rate else 0
            mean, low, high = antes.get(time, (None, None, None))
            points.append(
                Trend(
                    time=time,
                    games=games,
                    games_per_hour=games * HOUR / span,
                    win_rate=rate.rate if rate else None,
                    win_rate_low=rate.low if rate else None,
                    win_rate_high=rate.high if rate else None,
                    mean_ante=mean,
                    mean_ante_low=low,
                    mean_ante_high=high,
                )
            )
        return Trends(start=start, end=now, step_ms=step, points=points)

    def _make_training(self, span_ms: int, run: str | None) -> Training:
        store, now = self._series(), now_ms()
        start, end = now - span_ms, now + 1
        step = queries.nice_step(start, now, BUCKETS)
        if run is None and (newest := store.latest("training.iteration")):
            run = newest.tags.get("run")
        points: dict[int, TrainingPoint] = {}
        for figure in _FIGURES if run is not None else ():
            for time, value in queries.training_curve(store, figure, start, end, step, run=run):
                setattr(points.setdefault(time, TrainingPoint(time=time)), figure, value)
        return Training(
            run=run,
            start=start,
            end=now,
            step_ms=step,
            iterations=queries.training_iterations(store, start, end),
            points=[points[time] for time in sorted(points)],
        )

    def games(self, limit: int, before: int | None, policy: str | None, won: bool | None) -> Games:
        store = self._series()
        rows = store.recent_games(limit + 1, before, policy=policy, won=won)
        more = len(rows) > limit
        rows = rows[:limit]
        return Games(
            games=[Game.model_validate(_game(row)) for row in rows],
            next=rows[-1].position if more else None,
            policies=sorted(count.key for count in store.counts("policy")),
        )

    def recorded_games(
        self, limit: int, before: int | None, policy: str | None, won: bool | None
    ) -> Games:
        """Finished games that were kept action by action; they are few, so the log is asked, whose
        `GAME_STARTED` only they have. At most `_STARTS_READ` of these are looked at for a page."""
        store, log = self._series(), self._open_log()
        found: list[GameRow] = []
        looked = 0
        while True:
            page = log.read(before=before, limit=_STARTS, types=[GAME_STARTED], newest_first=True)
            for entry in page:
                before = entry.position
                row = store.game(str(entry.event.payload.get("game_id")))
                if row and row.recorded and policy in (None, row.policy) and won in (None, row.won):
                    found.append(row)
                if len(found) == limit:
                    break
            looked += len(page)
            if len(found) == limit or len(page) < _STARTS or looked >= _STARTS_READ:
                break
        more = before is not None and bool(
            log.read(before=before, limit=1, types=[GAME_STARTED], newest_first=True)
        )
        return Games(
            games=[Game.model_validate(_game(row)) for row in found],
            next=before if more else None,
            policies=sorted(count.key for count in store.counts("policy")),
        )

    def live_games(self) -> list[LiveGame]:
        """Games kept as they are played that have not ended, newest first."""
        with self._lock:
            if self._live is None or clock.monotonic() - self._live[0] > _LIVE_S:
                self._live = clock.monotonic(), self._find_live_games()
            return self._live[1]

    def _find_live_games(self) -> list[LiveGame]:
        try:
            log = self._open_log()
            page = log.read(limit=_LIVE_STARTS, types=[GAME_STARTED], newest_first=True)
        except LogMissing:
            return []
        now = now_ms()
        # A game that broke off without a word is not listed for ever.
        begun = {
            str(entry.event.payload.get("game_id")): entry
            for entry in page
            if now - entry.event.timestamp < _LIVE_LONGEST_MS
        }
        # The recorder's ids: looked up, where reading every game to its end would take long.
        ends = {f"{game_id}-{how}": game_id for game_id in begun for how in _ENDS}
        ended = {ends[event_id] for event_id in log.contains(ends)}
        found = []
        for game_id, entry in begun.items():
            if game_id in ended:
                continue
            started = entry.event
            events = log.read_stream(entry.stream)
            last = max(one.event.timestamp for one in events)
            if now - last > _LIVE_SILENT_MS:
                continue
            played_on = str(started.payload.get("played_on", "simulator"))
            found.append(
                LiveGame(
                    game_id=game_id,
                    **{
                        name: str(started.payload.get(name))
                        for name in ("seed", "deck", "stake", "policy")
                    },
                    source=started.source,
                    played_on=played_on,
                    started=started.timestamp,
                    actions=sum(one.event.type == GAME_ACTION for one in events),
                    last_action=last,
                    replayable=played_on == "simulator",
                )
            )
        return found

    def log(self) -> EventLog:
        """The event log, read only.

        Raises:
            LogMissing: there is none yet.
        """
        return self._open_log()

    def game(self, game_id: str) -> GameRecord:
        """One game, with its actions when it was kept action by action.

        Raises:
            NoSuchGame: there is none of this id.
        """
        row = self._series().game(game_id)
        if row is None:
            raise NoSuchGame(f"no finished game {game_id!r}", hint="See /api/v1/games")
        rules, record = None, None
        if row.recorded:
            from jimbot.events.games import read_game

            kept = read_game(self._open_log(), game_id)
            rules = kept.started.rules if kept.started else None
            record = [GameAction.model_validate(action.model_dump()) for action in kept.actions]
        return GameRecord.model_validate({**_game(row), "rules": rules, "record": record})

    def names(self) -> list[str]:
        return self._series().names()

    def series(self, name: str, start: int, end: int, step: int | None, how: How) -> Series:
        step = step or queries.nice_step(start, end)
        points = self._series().range(name, start=start, end=end, step=step, how=how)
        return Series(name=name, start=start, end=end, step_ms=step, how=how, points=points)

    def knowledge(self, limit: int) -> Knowledge:
        return self._knowledge.get(
            ("knowledge", limit), _KNOWLEDGE_S, lambda: self._make_knowledge(limit)
        )

    def _make_knowledge(self, limit: int) -> Knowledge:
        store = self._series()
        pairs, combinations, opinions, reason = None, None, None, ""
        try:
            pairs = self._pairs(limit)
            combinations = self._combinations(limit)
            opinions = self._opinions(limit)
        except JimbotError as error:
            reason = str(error)
        return Knowledge(
            jokers=_most_trusted(store.counts("joker"), limit, joker_name),
            hands=_most_trusted(store.counts("hand"), limit, str),
            policies=_most_trusted(store.counts("policy"), limit, str),
            pairs=pairs,
            combinations=combinations,
            opinions=opinions,
            pairs_reason=reason,
        )

    def close(self) -> None:
        if self._log is not None:
            self._log.close()

    def _pairs(self, limit: int) -> list[Pair]:
        from jimbot.knowledge.queries import top_pairs

        pairs = top_pairs(_open(self._projections.knowledge), max(limit, _PAIRS_READ))
        pairs.sort(key=lambda pair: pair.games < _LEAST_FOR_A_RANK)
        return [
            Pair(
                jokers=(pair.first, pair.second),
                names=(joker_name(pair.first), joker_name(pair.second)),
                games=pair.games,
                wins=pair.wins,
                confidence=pair.confidence,
            )
            for pair in pairs[:limit]
        ]

    def _combinations(self, limit: int) -> list[Combination]:
        from jimbot.knowledge.queries import combinations_that_won

        return [
            Combination(
                names=[joker_name(key) for key in found.jokers],
                wins=found.wins,
                game_id=found.game,
            )
            for found in combinations_that_won(_open(self._projections.knowledge), limit=limit)
        ]

    def _opinions(self, limit: int) -> list[Opinion]:
        from jimbot.knowledge.queries import notes

        return [
            Opinion(
                subject=joker_name(note.subject),
                relation=note.relation.replace("_", " "),
                object=joker_name(note.object),
                claim=note.claim,
                confidence=note.confidence,
                game_id=note.game,
                time=note.time,
            )
            for note in notes(_open(self._projections.knowledge), limit=limit)
        ]

    def _series(self) -> SeriesStore:
        return _open(self._projections.metrics)

    def _open_log(self) -> EventLog:
        with self._lock:
            if self._log is None:
                self._log = open_log(self._home, read_only=True)
            return self._log

    def _iterations(self) -> int:
        """Of all time, which the log has counted."""
        try:
            return self._open_log().count([TRAINING_ITERATION])
        except LogMissing:
            return 0

    def _first_game(self, any_games: bool) -> int | None:
        """When the first game of all ended; it never changes once there is one."""
        if self._first_game_at is None and any_games:
            first = self._open_log().read(limit=1, types=[GAME_FINISHED])
            self._first_game_at = first[0].event.timestamp if first else None
        return self._first_game_at

    def _best_hand(self, store: SeriesStore, last_day: float | None, behind: int) -> float | None:
        """The best hand of all time. New ones are in the last day's, so all are asked seldom."""
        best, now = self._best, clock.monotonic()
        if now - best.asked > (_CATCHING_UP_S if best.behind else _BEST_HAND_S):
            hand = queries.best_hand(store, 0, _END_OF_TIME)
            best = self._best = _Best(now, behind > 0, hand)
        return _larger(best.hand, last_day)


def _fresh_s(span_ms: int) -> float:
    """A curve is made again when about a thousandth of its time has gone by."""
    return min(span_ms / 1e6, 60.0)


class _Answers:
    """Answers that are good for a while; one is made at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[float, Any]] = {}

    def get(self, question: Hashable, fresh_s: float, make: Callable[[], A]) -> A:
        with self._lock:
            found = self._kept.get(question)
            if found and clock.monotonic() < found[0]:
                return cast(A, found[1])
            answer = make()
            if len(self._kept) >= _ANSWERS_KEPT:
                self._kept.clear()
            self._kept[question] = clock.monotonic() + fresh_s, answer
            return answer

    def forget(self) -> None:
        with self._lock:
            self._kept.clear()


class _Best(NamedTuple):
    asked: float
    behind: bool  # old games were still coming in
    hand: float | None


def _antes(
    store: SeriesStore, start: int, end: int, step: int
) -> dict[int, tuple[float, float | None, float | None]]:
    """Mean ante by time with its 95 % interval.

    What is kept of a bucket is its number, mean, least and most. Those bound its variance (Bhatia
    and Davis 2000): at most (most - mean) (mean - least). So the interval is wide enough for any
    games with these figures, and wider than most need.
    """
    asked = [
        dict(store.range("game.ante", start=start, end=end, step=step, how=how))
        for how in ("mean", "min", "max", "count")
    ]
    means, least, most, counts = asked
    found: dict[int, tuple[float, float | None, float | None]] = {}
    for time, mean in means.items():
        count = counts[time]
        if count < _LEAST_FOR_AN_INTERVAL:
            found[time] = mean, None, None
            continue
        spread = Z95 * math.sqrt(max((most[time] - mean) * (mean - least[time]), 0.0) / count)
        found[time] = mean, mean - spread, mean + spread
    return found


def _larger(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _open(follower: Follower[S]) -> S:
    store = follower.store
    if store is None:
        status = follower.status()
        raise NotReady(
            f"{status.name} is not ready: {status.error or 'it is starting'}", hint=status.hint
        )
    return store


def _game(row: GameRow) -> dict[str, object]:
    return {**row._asdict(), "jokers": [joker_name(key) for key in row.jokers]}


def _most_trusted(
    counts: Iterable[GameCount], limit: int, name: Callable[[str], str]
) -> list[Counted]:
    counted = [
        Counted(
            key=count.key,
            name=name(count.key),
            games=count.games,
            wins=count.wins,
            win_rate=count.wins / count.games,
            confidence=wilson(count.wins, count.games)[0],
        )
        for count in counts
        if count.games
    ]
    # One lucky game leads no list, though where most are lost its interval's lower end would.
    counted.sort(key=lambda it: (it.games < _LEAST_FOR_A_RANK, -it.confidence, -it.games, it.name))
    return counted[:limit]


@cache
def _joker_names() -> dict[str, str]:
    from jimbot.game.catalogue import JOKERS

    return {joker.key: joker.name for joker in JOKERS}


def joker_name(key: str) -> str:
    """What the game calls a joker; a mod's joker by its key, made readable."""
    return _joker_names().get(key) or key.removeprefix("j_").replace("_", " ").title()
