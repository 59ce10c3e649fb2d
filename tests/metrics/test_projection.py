"""Which events leave which points, and that each leaves them once."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.events import Recorded
from jimbot.metrics import Point, SeriesError, SeriesStore
from jimbot.metrics import projection as projection_module
from jimbot.metrics.projection import fold, project, project_all
from jimbot.metrics.sqlite import SQLiteSeries
from tests.metrics.events import START, anything, game, iteration, other, request

GAME_TAGS = {"policy": "heuristic", "deck": "Red", "stake": "White"}
RUN = {"run": "r1"}

CASES = {
    "a game": (
        game(1, won=True, ante=8, best_hand=1e7, actions=300, duration_ms=12.5),
        {
            "game.finished": 1,
            "game.won": 1,
            "game.ante": 8,
            "game.best_hand": 1e7,
            "game.actions": 300,
            "game.duration_ms": 12.5,
            "game.action_ms": 12.5 / 300,
        },
        GAME_TAGS,
    ),
    "a game that ended before an action": (
        game(2, ante=1, best_hand=0, actions=0, duration_ms=0.5),
        {
            "game.finished": 1,
            "game.won": 0,
            "game.ante": 1,
            "game.best_hand": 0,
            "game.actions": 0,
            "game.duration_ms": 0.5,
        },
        GAME_TAGS,
    ),
    "an iteration": (
        iteration(
            3,
            loss=0.5,
            policy_loss=-0.25,
            value_loss=0.75,
            entropy=1.5,
            kl=0.01,
            return_mean=2.5,
            steps_per_s=800,
        ),
        {
            "training.iteration": 3,
            "training.steps": 4000,
            "training.games": 12,
            "training.loss": 0.5,
            "training.policy_loss": -0.25,
            "training.value_loss": 0.75,
            "training.entropy": 1.5,
            "training.kl": 0.01,
            "training.return_mean": 2.5,
            "training.steps_per_s": 800,
        },
        RUN,
    ),
    "an iteration that reports little": (
        iteration(4, loss=0.0),
        {
            "training.iteration": 4,
            "training.steps": 4000,
            "training.games": 12,
            "training.loss": 0.0,
        },
        RUN,
    ),
    "a request to Claude": (
        request(7),
        {
            "claude.requests": 1,
            "claude.dollars": 0.003,
            "claude.tokens": 1600,
            "claude.elapsed_ms": 900,
        },
        {"model": "claude-sonnet-5-5", "purpose": "decision", "status": "ok"},
    ),
    "a request in a batch, whose time is nobody's": (
        request(8, batch=True, purpose="analysis"),
        {"claude.requests": 1, "claude.dollars": 0.003, "claude.tokens": 1600},
        {"model": "claude-sonnet-5-5", "purpose": "analysis", "status": "ok"},
    ),
    "an unreadable request": (
        other(10, "CLAUDE_REQUEST", request_id="r", dollars=-1),
        {"events.unreadable": 1},
        {"type": "CLAUDE_REQUEST"},
    ),
    "an unreadable game": (
        other(5, "GAME_FINISHED", game_id="g", won="perhaps"),
        {"events.unreadable": 1},
        {"type": "GAME_FINISHED"},
    ),
    "an unreadable iteration": (
        other(6, "TRAINING_ITERATION", run="r", loss=float("nan")),
        {"events.unreadable": 1},
        {"type": "TRAINING_ITERATION"},
    ),
    "a game with a number that no store holds": (
        game(9, money=10**30),
        {"events.unreadable": 1},
        {"type": "GAME_FINISHED"},
    ),
    "an iteration with a number that no float holds": (
        iteration(10, steps=10**400),
        {"events.unreadable": 1},
        {"type": "TRAINING_ITERATION"},
    ),
    "a game with half a character": (
        game(11, jokers=["\ud800"]),
        {"events.unreadable": 1},
        {"type": "GAME_FINISHED"},
    ),
    "an iteration with half a character": (
        iteration(12, run="\ud800"),
        {"events.unreadable": 1},
        {"type": "TRAINING_ITERATION"},
    ),
    "an action": (other(7, "GAME_ACTION", game_id="g"), {}, {}),
    "a heartbeat": (other(8, "HEARTBEAT", version="1", uptime=3.0), {}, {}),
}


@pytest.mark.parametrize(("event", "values", "tags"), CASES.values(), ids=CASES.keys())
def test_an_event_leaves_these_points(
    event: Recorded, values: dict[str, float], tags: dict[str, str]
) -> None:
    points = project([event])
    assert {point.name: point.value for point in points} == values
    assert len(points) == len(values)
    assert all(point.time == START for point in points)
    assert all(point.tags == tags for point in points)


def test_every_name_is_in_the_table_of_the_file() -> None:
    names = {point.name for event, _, _ in CASES.values() for point in project([event])}
    table = projection_module.__doc__ or ""
    documented = {line.split("|")[2].strip() for line in table.splitlines() if line.count("|") > 4}
    assert documented - {"point", ""} - {line for line in documented if set(line) == {"-"}} == names


def test_a_game_keeps_its_summary() -> None:
    (row,) = project_all([game(4, won=True, recorded=True)]).games
    assert (row.position, row.time, row.game_id, row.source) == (4, START, "g4", "worker-1")
    assert row.jokers == ("j_joker", "j_greedy_joker")
    assert row.hands == {"Pair": 3, "Flush": 2}
    assert row.won is True
    assert row.recorded is True


def contents(store: SeriesStore) -> tuple[object, ...]:
    end = START + 10**9
    return (
        store.position(),
        store.recent_games(1000),
        [store.counts(kind) for kind in ("joker", "hand", "policy", "deck", "stake")],
        {
            name: [
                store.range(name, start=0, end=end, step=60_000, how=how)
                for how in ("sum", "last", "p95")
            ]
            for name in store.names()
        },
    )


def _log(rng: random.Random) -> list[Recorded]:
    makers = [
        lambda at, time: game(
            at,
            time=time,
            won=rng.random() < 0.3,
            best_hand=rng.uniform(0, 1e9),
            jokers=rng.sample(["j_a", "j_b", "j_c", "j_d"], rng.randrange(4)),
            policy=rng.choice("pq"),
        ),
        lambda at, time: iteration(at, time=time, loss=rng.gauss(0, 1)),
        lambda at, time: other(at, "GAME_ACTION", time=time, game_id="g"),
        lambda at, time: other(at, "GAME_FINISHED", time=time),
    ]
    return [
        rng.choice(makers)(position, START + position * 700 + rng.randrange(2000))
        for position in range(1, 121)
    ]


@pytest.mark.parametrize("seed", range(8))
def test_any_batching_with_repeats_gives_the_same_store(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    log = _log(rng)
    whole = SQLiteSeries(tmp_path / "whole.sqlite")
    fold(whole, log)
    pieces = SQLiteSeries(tmp_path / "pieces.sqlite")
    done = 0
    while done < len(log):
        begin = max(0, done - rng.randrange(10))  # a follower that does not know how far it got
        done = max(done, begin + rng.randrange(1, 30))
        fold(pieces, log[begin:done])
        if rng.random() < 0.3:
            pieces.close()
            pieces = SQLiteSeries(tmp_path / "pieces.sqlite")
    assert contents(pieces) == contents(whole)
    whole.close()
    pieces.close()


def test_fold_says_how_many_were_new(store: SeriesStore) -> None:
    log = [game(position) for position in range(1, 6)]
    assert fold(store, log[:3]) == 3
    assert fold(store, log) == 2
    assert fold(store, log) == 0
    assert store.total("game.finished", 0, START + 1, "count") == 5
    assert store.position() == 5


def test_fold_goes_as_far_as_the_log_was_read(store: SeriesStore) -> None:
    assert fold(store, [game(3)], position=10) == 1
    assert store.position() == 10
    assert fold(store, [], position=20) == 0
    assert store.position() == 20
    assert fold(store, [], position=15) == 0
    assert store.position() == 20


def test_a_batch_that_failed_may_be_given_again(
    store: SeriesStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = [game(1), game(2)]
    written = type(store).write

    def fail(*_: object, **__: object) -> None:
        raise SeriesError("no disk")

    with monkeypatch.context() as patched:
        patched.setattr(type(store), "write", fail)
        with pytest.raises(SeriesError):
            fold(store, log)
    assert type(store).write is written
    assert fold(store, log) == 2
    assert store.latest("game.finished") == Point("game.finished", START, 1, GAME_TAGS)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(anything(), min_size=1, max_size=4))
def test_no_event_stops_the_projection(store: SeriesStore, events: list[Recorded]) -> None:
    position = store.position()
    log = [entry._replace(position=position + at) for at, entry in enumerate(events, 1)]
    assert fold(store, log) == len(log)
    assert store.position() == position + len(log)
    read = store.recent_games(len(log), position + len(log) + 1)
    assert all(math.isfinite(row.best_hand) for row in read)


def test_series_that_were_emptied_meanwhile_get_no_hole(store: SeriesStore) -> None:
    fold(store, [game(1), game(2)])
    store.clear()
    with pytest.raises(SeriesError, match="at position 0 of the log, not at 2: they were emptied"):
        fold(store, [game(3)], after=2)
    assert store.position() == 0
    assert store.counts("deck") == []
