"""The figures that people ask for, from what every series store can do, so all give the same.

Times and spans are ms since 1970 and ms; a range is half open. None means: nothing measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jimbot.metrics.series import How, SeriesStore
from jimbot.metrics.wilson import wilson

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Tags = Mapping[str, str]


class Rate(NamedTuple):
    """A share of `games` that were won, with its 95 % Wilson interval; all within 0 to 1."""

    games: int
    wins: int
    rate: float
    low: float
    high: float


def games_finished(store: SeriesStore, start: int, end: int, *, tags: Tags | None = None) -> int:
    """How many games ended between two times."""
    return int(store.total("game.finished", start, end, "count", tags=tags) or 0)


def games_per_hour(
    store: SeriesStore, now: int, *, window: int = HOUR, tags: Tags | None = None
) -> float:
    """Games an hour over the last `window`.

    Where the first game of the window came later than its start, the time before does not count
    (JimBot was not running, or just began); but never less than ten seconds are counted.
    """
    games, span = _played(store, now, window, tags)
    return games * HOUR / span


class Throughput(NamedTuple):
    """What was done over a window: games an hour, their actions a second, and the environment
    steps a second that training's iterations reported, in the mean; None: they reported none.
    """

    games_per_hour: float
    actions_per_s: float
    steps_per_s: float | None


def throughput(
    store: SeriesStore,
    now: int,
    *,
    window: int = HOUR,
    tags: Tags | None = None,
    run: str | None = None,
) -> Throughput:
    """How much was done over the last `window`; its beginning is that of `games_per_hour`.

    Args:
        tags: of the games: policy, deck, stake.
        run: the only run of training.
    """
    start, end = now - window, now + 1
    games, span = _played(store, now, window, tags)
    actions = store.total("game.actions", start, end, "sum", tags=tags) or 0.0
    runs = None if run is None else {"run": run}
    return Throughput(
        games * HOUR / span,
        actions * SECOND / span,
        store.total("training.steps_per_s", start, end, "mean", tags=runs),
    )


def win_rate(store: SeriesStore, start: int, end: int, *, tags: Tags | None = None) -> Rate | None:
    """The share of games won between two times."""
    games = games_finished(store, start, end, tags=tags)
    if not games:
        return None
    return _rate(games, int(store.total("game.won", start, end, "sum", tags=tags) or 0))


def win_rate_curve(
    store: SeriesStore, start: int, end: int, step: int, *, tags: Tags | None = None
) -> list[tuple[int, Rate]]:
    """The share of games won, by time."""
    of = {"start": start, "end": end, "step": step}
    wins = dict(store.range("game.won", **of, how="sum", tags=tags))
    return [
        (time, _rate(int(games), int(wins.get(time, 0))))
        for time, games in store.range("game.finished", **of, how="count", tags=tags)
    ]


def mean_ante(
    store: SeriesStore, start: int, end: int, *, tags: Tags | None = None
) -> float | None:
    """The mean ante that games reached."""
    return store.total("game.ante", start, end, "mean", tags=tags)


def best_hand(
    store: SeriesStore, start: int, end: int, *, tags: Tags | None = None
) -> float | None:
    """The chips of the best single hand."""
    return store.total("game.best_hand", start, end, "max", tags=tags)


def training_iterations(store: SeriesStore, start: int, end: int) -> int:
    """How many training iterations ended between two times."""
    return int(store.total("training.iteration", start, end, "count") or 0)


def training_curve(
    store: SeriesStore, figure: str, start: int, end: int, step: int, *, run: str | None = None
) -> list[tuple[int, float]]:
    """One figure of training by time, the mean of each step: `loss`, `return_mean`, `kl` …"""
    tags = None if run is None else {"run": run}
    return store.range(f"training.{figure}", start=start, end=end, step=step, how="mean", tags=tags)


def loss_curve(
    store: SeriesStore, start: int, end: int, step: int, *, run: str | None = None
) -> list[tuple[int, float]]:
    """The total loss by time."""
    return training_curve(store, "loss", start, end, step, run=run)


class Cost(NamedTuple):
    """What Claude cost: dollars, tokens of every kind, requests."""

    dollars: float
    tokens: int
    requests: int


def cost(store: SeriesStore, start: int, end: int, *, tags: Tags | None = None) -> Cost:
    """What requests to Claude that ended between two times cost; tags: model, purpose, status."""
    total = {
        name: store.total(f"claude.{name}", start, end, "sum", tags=tags) or 0.0
        for name in ("dollars", "tokens", "requests")
    }
    return Cost(total["dollars"], int(total["tokens"]), int(total["requests"]))


def cost_curve(
    store: SeriesStore, start: int, end: int, step: int, *, tags: Tags | None = None
) -> list[tuple[int, float]]:
    """Dollars by time."""
    return store.range("claude.dollars", start=start, end=end, step=step, how="sum", tags=tags)


def claude_latency(
    store: SeriesStore, start: int, end: int, how: How = "p95", *, tags: Tags | None = None
) -> float | None:
    """How long Claude took to answer, ms."""
    return store.total("claude.elapsed_ms", start, end, how, tags=tags)


class Latency(NamedTuple):
    """How long something took, ms: half of the times were at most `p50`, 95 % `p95`, 99 % `p99`."""

    p50: float
    p95: float
    p99: float


def latency(
    store: SeriesStore, name: str, start: int, end: int, *, tags: Tags | None = None
) -> Latency | None:
    """Percentiles of a series of times, as `claude.elapsed_ms` (with its `purpose`: decision …)."""
    p50, p95, p99 = (store.total(name, start, end, how, tags=tags) for how in ("p50", "p95", "p99"))
    return None if p50 is None or p95 is None or p99 is None else Latency(p50, p95, p99)


def decision_latency(
    store: SeriesStore, start: int, end: int, *, tags: Tags | None = None
) -> Latency | None:
    """How long decisions took, and what they led to: percentiles of the games' means.

    tags: policy, deck, stake. Games that an older JimBot folded have no `game.action_ms`, until the
    series are rebuilt.
    """
    return latency(store, "game.action_ms", start, end, tags=tags)


def latest_value(store: SeriesStore, name: str) -> float | None:
    """The last value of a series."""
    point = store.latest(name)
    return None if point is None else point.value


def nice_step(start: int, end: int, buckets: int = 200) -> int:
    """A step (ms) that people count in, at which a range has at most about `buckets` buckets."""
    wanted = max(end - start, 1) / max(buckets, 1)
    return next((step for step in _STEPS if step >= wanted), -(-int(wanted) // DAY) * DAY)


_STEPS = (
    *(n * SECOND for n in (1, 2, 5, 10, 15, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 30)),
)


def _played(store: SeriesStore, now: int, window: int, tags: Tags | None) -> tuple[float, int]:
    """The games of the last `window`, and the ms that they took, as `games_per_hour` has it."""
    start = now - window
    # Until just past now, so that a game that ends in this very millisecond counts.
    minutes = store.range(
        "game.finished", start=start, end=now + 1, step=MINUTE, how="count", tags=tags
    )
    if not minutes:
        return 0.0, window
    first = minutes[0][0]
    seconds = store.range(
        "game.finished",
        start=max(start, first),
        end=min(first + MINUTE, now + 1),
        step=SECOND,
        how="count",
        tags=tags,
    )
    span = max(now - max(start, seconds[0][0]), 10 * SECOND)
    return sum(count for _, count in minutes), span


def _rate(games: int, wins: int) -> Rate:
    return Rate(games, wins, wins / games, *wilson(wins, games))
