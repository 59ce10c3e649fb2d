"""The figures on the dashboard, against games that one can count by hand."""

from __future__ import annotations

import pytest

from jimbot.metrics import SeriesStore, queries
from jimbot.metrics.projection import fold
from jimbot.metrics.queries import HOUR, MINUTE
from tests.metrics.events import START, game, iteration, request

END = START + HOUR


@pytest.fixture
def played(store: SeriesStore) -> SeriesStore:
    """Ten games, one every three minutes from START, three won; two iterations."""
    games = [
        game(
            at + 1,
            time=START + at * 3 * MINUTE,
            won=at in (2, 5, 8),
            ante=at % 4 + 1,
            best_hand=100.0 * at,
            policy="ppo" if at < 5 else "heuristic",
        )
        for at in range(10)
    ]
    fold(store, games)
    fold(store, [iteration(11, loss=2.0), iteration(12, time=START + MINUTE, loss=1.0, run="r2")])
    return store


def test_nothing_measured_is_nothing(store: SeriesStore) -> None:
    assert queries.games_finished(store, START, END) == 0
    assert queries.games_per_hour(store, END) == 0
    assert queries.win_rate(store, START, END) is None
    assert queries.win_rate_curve(store, START, END, MINUTE) == []
    assert queries.mean_ante(store, START, END) is None
    assert queries.best_hand(store, START, END) is None
    assert queries.training_iterations(store, START, END) == 0
    assert queries.loss_curve(store, START, END, MINUTE) == []
    assert queries.latest_value(store, "training.loss") is None


def test_games_are_counted(played: SeriesStore) -> None:
    assert queries.games_finished(played, START, END) == 10
    assert queries.games_finished(played, START, END, tags={"policy": "ppo"}) == 5
    assert queries.mean_ante(played, START, END) == pytest.approx(23 / 10)
    assert queries.best_hand(played, START, END) == 900


def test_win_rate_has_its_interval(played: SeriesStore) -> None:
    rate = queries.win_rate(played, START, END)
    assert rate is not None
    assert (rate.games, rate.wins, rate.rate) == (10, 3, 0.3)
    assert (rate.low, rate.high) == pytest.approx((0.10779, 0.60322), abs=1e-5)
    curve = queries.win_rate_curve(played, START, END, 15 * MINUTE)
    assert [(time - START, rate.wins, rate.games) for time, rate in curve] == [
        (0, 1, 5),
        (15 * MINUTE, 2, 5),
    ]


def test_games_per_hour_over_a_full_window(played: SeriesStore) -> None:
    # From START + 20 min on: the seven games at 21, 24, 27 and none after, over the 9 minutes
    # since the first of them.
    now = START + 30 * MINUTE
    assert queries.games_per_hour(played, now, window=10 * MINUTE) == pytest.approx(3 * 60 / 9)
    assert queries.games_per_hour(played, now) == pytest.approx(10 * 60 / 30)


def test_games_per_hour_of_a_run_that_just_began(store: SeriesStore) -> None:
    first = START + 59_000
    fold(store, [game(at + 1, time=first + at * 500) for at in range(120)])
    assert queries.games_per_hour(store, first + 60_000) == pytest.approx(120 * 60)
    # One game a moment ago is no thousand games an hour.
    fold(store, [game(200, time=END)])
    assert queries.games_per_hour(store, END, window=MINUTE) == pytest.approx(360)


def test_how_long_decisions_take(store: SeriesStore) -> None:
    assert queries.decision_latency(store, START, END) is None
    fold(store, [game(at, actions=at, duration_ms=at * at * 10.0) for at in range(1, 101)])
    fold(store, [game(101, actions=0), game(102, policy="ppo", actions=4, duration_ms=2.0)])
    # A game of n actions took 10 n ms for each.
    of_one = {"policy": "heuristic"}
    assert queries.decision_latency(store, START, END, tags=of_one) == (500, 950, 990)
    assert queries.decision_latency(store, START, END, tags={"policy": "ppo"}) == (0.5, 0.5, 0.5)
    assert queries.decision_latency(store, START, END) == (500, 950, 990)
    assert queries.decision_latency(store, START + 1, END) is None


def test_how_long_claudes_decisions_take(store: SeriesStore) -> None:
    requests = [request(at, elapsed_ms=float(at)) for at in range(1, 201)]
    fold(store, [*requests, request(201, purpose="analysis", elapsed_ms=60_000.0)])
    found = queries.latency(store, "claude.elapsed_ms", START, END, tags={"purpose": "decision"})
    assert found == (100, 190, 198)
    assert queries.latency(store, "claude.elapsed_ms", START, END) == (101, 191, 199)


def test_throughput(played: SeriesStore) -> None:
    assert queries.throughput(played, START - 1) == (0.0, 0.0, None)
    now = START + 30 * MINUTE
    # Ten games of ninety actions in half an hour; no iteration says how fast it was.
    assert queries.throughput(played, now) == pytest.approx((20, 0.5, None))
    fold(
        played,
        [
            iteration(13, time=now - MINUTE, steps_per_s=800),
            iteration(14, time=now, steps_per_s=400, run="r2"),
            game(15, time=now, actions=180, policy="ppo"),
        ],
    )
    assert queries.throughput(played, now) == pytest.approx((22, 0.6, 600))
    assert queries.throughput(played, now, tags={"policy": "heuristic"}, run="r2") == (
        pytest.approx((5 * 60 / 15, 450 / 900, 400))
    )
    # The first game of the window came at its end: ten seconds are counted.
    assert queries.throughput(played, now, window=MINUTE) == pytest.approx((360, 18, 600))


def test_training_curves(played: SeriesStore) -> None:
    assert queries.training_iterations(played, START, END) == 2
    assert queries.loss_curve(played, START, END, MINUTE) == [(START, 2.0), (START + MINUTE, 1.0)]
    assert queries.loss_curve(played, START, END, HOUR) == [(START, 1.5)]
    assert queries.loss_curve(played, START, END, HOUR, run="r2") == [(START, 1.0)]
    assert queries.latest_value(played, "training.loss") == 1.0


@pytest.mark.parametrize(
    ("span", "buckets", "step"),
    [
        (HOUR, 60, MINUTE),
        (HOUR, 61, MINUTE),
        (HOUR, 59, 2 * MINUTE),
        (24 * HOUR, 200, 10 * MINUTE),
        (0, 200, 1000),
        (10_000 * 24 * HOUR, 200, 50 * 24 * HOUR),
    ],
)
def test_steps_that_people_count_in(span: int, buckets: int, step: int) -> None:
    assert queries.nice_step(START, START + span, buckets) == step


def test_what_claude_costs(store: SeriesStore) -> None:
    assert queries.cost(store, START, END) == (0.0, 0, 0)
    assert queries.claude_latency(store, START, END) is None
    fold(
        store,
        [
            request(1, dollars=0.5),
            request(2, time=START + MINUTE, dollars=0.25, elapsed_ms=100.0),
            request(3, time=START + 2 * MINUTE, dollars=2.0, purpose="analysis", batch=True),
        ],
    )
    assert queries.cost(store, START, END) == (2.75, 4800, 3)
    assert queries.cost(store, START, END, tags={"purpose": "analysis"}) == (2.0, 1600, 1)
    assert queries.cost_curve(store, START, END, MINUTE) == [
        (START, 0.5),
        (START + MINUTE, 0.25),
        (START + 2 * MINUTE, 2.0),
    ]
    assert queries.claude_latency(store, START, END, "max") == 900
