"""What every series store must do, whichever engine keeps it."""

from __future__ import annotations

import itertools
import math
import random
import sys
import threading
from collections import defaultdict
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.metrics import GameCount, How, Keep, Point, SeriesError, SeriesStore
from jimbot.metrics.projection import project_all
from tests.metrics.conftest import Opener
from tests.metrics.events import START, game

MINUTE = 60_000
HOWS: tuple[How, ...] = get_args(How)


def reference(points: list[Point], start: int, end: int, step: int, how: How) -> dict[int, float]:
    """What `range` must answer, in the plainest words."""
    buckets: dict[int, list[tuple[int, int, float]]] = defaultdict(list)
    for order, point in enumerate(points):
        if start <= point.time < end:
            bucket = point.time // step * step
            buckets[bucket].append((point.time, order, point.value))
    return {bucket: _one(found, how) for bucket, found in sorted(buckets.items())}


def _one(found: list[tuple[int, int, float]], how: How) -> float:
    values = [value for _, _, value in found]
    match how:
        case "sum":
            return math.fsum(values)
        case "count":
            return len(values)
        case "mean":
            return math.fsum(values) / len(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "last":
            return max(found)[2]
        case _:
            return sorted(values)[math.ceil(int(how[1:]) / 100 * len(values)) - 1]


def test_starts_empty(store: SeriesStore) -> None:
    assert store.names() == []
    assert store.position() == 0
    assert store.latest("game.ante") is None
    assert store.recent_games(10) == []
    assert store.counts("joker") == []
    assert store.range("game.ante", start=0, end=START, step=MINUTE, how="sum") == []


@pytest.mark.parametrize("how", HOWS)
def test_no_points_are_no_value(store: SeriesStore, how: How) -> None:
    assert store.total("game.ante", 0, START, how) == (0 if how == "count" else None)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("step", [1, 1000, 7 * 1000, MINUTE, 5 * MINUTE, 60 * MINUTE])
def test_range_agrees_with_the_plainest_words(store: SeriesStore, how: How, step: int) -> None:
    rng = random.Random(f"{how}{step}")
    points = [
        Point("x", START + rng.randrange(0, 12 * MINUTE, 500), round(rng.uniform(-5, 5), 2))
        for _ in range(400)
    ]
    store.write(points[:250])
    store.write(points[250:])
    for start, end in [
        (START, START + 12 * MINUTE),
        (START + 1, START + 12 * MINUTE - 1),
        (START + 90_500, START + 7 * MINUTE + 500),
        (START + 500, START + 40_000),
        (START + MINUTE, START + 2 * MINUTE),
        (START, START),
    ]:
        found = store.range("x", start=start, end=end, step=step, how=how)
        expected = reference(points, start, end, step, how)
        assert [time for time, _ in found] == list(expected)
        assert [value for _, value in found] == pytest.approx(list(expected.values()))
        total = reference(points, start, end, 1 << 50, how).get(0, 0 if how == "count" else None)
        assert store.total("x", start, end, how) == (
            total if total is None else pytest.approx(total)
        )


@pytest.mark.parametrize("how", ["median", "avg", "p50; DROP TABLE points", ""])
def test_an_unknown_way_is_refused_by_name(store: SeriesStore, how: str) -> None:
    with pytest.raises(SeriesError, match="cannot become one"):
        store.range("x", start=0, end=1, step=1, how=how)  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [0, -1])
def test_a_step_is_positive(store: SeriesStore, step: int) -> None:
    with pytest.raises(SeriesError, match="step"):
        store.range("x", start=0, end=1, step=step, how="sum")


def test_names_and_tags_keep_series_apart(store: SeriesStore) -> None:
    store.write(
        [
            Point("b", START, 1, {"policy": "p", "deck": "Red"}),
            Point("b", START + 1, 2, {"policy": "q", "deck": "Red"}),
            Point("b", START + 2, 4, {"deck": "Red", "policy": "p"}),
            Point("a", START, 8),
        ]
    )
    end = START + MINUTE
    assert store.names() == ["a", "b"]
    assert store.total("b", START, end, "sum") == 7
    assert store.total("b", START, end, "sum", tags={"policy": "p"}) == 5
    assert store.total("b", START, end, "p50", tags={"policy": "q", "deck": "Red"}) == 2
    assert store.total("b", START, end, "sum", tags={"policy": "nobody"}) is None
    assert store.latest("b", tags={"policy": "q"}) == Point(
        "b", START + 1, 2, {"policy": "q", "deck": "Red"}
    )


def test_latest_is_by_time_then_by_writing(store: SeriesStore) -> None:
    store.write([Point("x", START + 5, 1, {"run": "a"}), Point("x", START, 2, {"run": "b"})])
    assert store.latest("x") == Point("x", START + 5, 1, {"run": "a"})
    store.write([Point("x", START + 5, 3, {"run": "b"})])
    assert store.latest("x") == Point("x", START + 5, 3, {"run": "b"})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_no_chart_holds_is_refused_and_nothing_is_stored(
    store: SeriesStore, value: float
) -> None:
    with pytest.raises(SeriesError, match=r"point of x"):
        store.write([Point("x", START, 1.0), Point("x", START, value)], position=3)
    assert store.names() == []
    assert store.position() == 0


@pytest.mark.parametrize("how", HOWS)
def test_sums_of_huge_values_stay_finite(store: SeriesStore, how: How) -> None:
    huge = sys.float_info.max
    for value in (huge, huge, huge, -huge, -huge, -huge):
        store.write([Point("x", START, value)])
    for step in (1000, MINUTE):
        ((_, value),) = store.range("x", start=START, end=START + MINUTE, step=step, how=how)
        assert math.isfinite(value)


@pytest.mark.parametrize("far", [(1 << 53) - 1, 9_223_372_036_855, 253_402_300_800_000])
def test_a_time_in_the_far_future_is_a_time(store: SeriesStore, far: int) -> None:
    store.write([Point("x", START, 1)], position=1)
    store.write([Point("x", far, 2), Point("x", far - 1, 4), Point("x", START + 1, 8)], position=2)
    store.write([Point("x", START + 2, 16)], position=3)
    assert store.total("x", START, START + MINUTE, "sum") == 25
    assert store.total("x", 0, far + 1, "sum") == 31
    assert store.total("x", 0, far, "count") == 4
    assert store.latest("x") == Point("x", far, 2)
    assert store.range("x", start=START + MINUTE, end=far + 1, step=1, how="last") == [
        (far - 1, 4),
        (far, 2),
    ]
    store.retain(START + MINUTE, Keep(raw=MINUTE, minutes=MINUTE, hours=MINUTE, games=MINUTE))
    assert store.total("x", START + MINUTE, far + 1, "sum") == 6


def test_position_goes_with_the_points(store: SeriesStore) -> None:
    store.write([Point("x", START, 1)], position=4)
    store.write([], position=9)
    store.write([Point("x", START, 1)])
    assert store.position() == 9
    assert store.position("other") == 0
    store.write([], position=2, projection="other")
    assert (store.position(), store.position("other")) == (9, 2)


def test_two_followers_cannot_store_a_batch_twice(store: SeriesStore) -> None:
    store.write([Point("x", START, 1)], position=4, after=0)
    with pytest.raises(SeriesError, match="at position 4 of the log, not at 0"):
        store.write([Point("x", START, 1)], position=4, after=0)
    assert store.total("x", START, START + 1, "count") == 1
    assert store.position() == 4


def test_a_refused_write_gives_its_series_up(store: SeriesStore) -> None:
    point = Point("new", START, 1)
    with pytest.raises(SeriesError):
        store.write([point], games=_games(game(1)) * 2)
    assert store.names() == []
    store.write([point])
    assert store.latest("new") == point


def _games(*recorded: object) -> list:  # type: ignore[type-arg]
    return project_all(recorded).games  # type: ignore[arg-type]


def test_games_come_newest_first_and_in_pages(store: SeriesStore) -> None:
    rows = _games(
        *(game(number, won=number % 3 == 0, policy="ab"[number % 2]) for number in range(1, 10))
    )
    store.write([], games=rows)
    assert store.recent_games(100) == rows[::-1]
    first = store.recent_games(4)
    assert [row.position for row in first] == [9, 8, 7, 6]
    assert [row.position for row in store.recent_games(4, first[-1].position)] == [5, 4, 3, 2]
    assert [row.position for row in store.recent_games(4, 2)] == [1]
    assert [row.position for row in store.recent_games(4, won=True)] == [9, 6, 3]
    assert [row.position for row in store.recent_games(2, won=False)] == [8, 7]
    assert [row.position for row in store.recent_games(9, 7, policy="a", won=True)] == [6]
    assert store.recent_games(0) == []
    assert store.recent_games(-1) == []


def test_a_game_is_found_by_its_id(store: SeriesStore) -> None:
    rows = _games(game(1), game(2, game_id="twice"), game(3, game_id="twice", won=True))
    store.write([], games=rows)
    assert store.game("g1") == rows[0]
    assert store.game("twice") == rows[2]
    assert store.game("nobody") is None


def test_counts_say_what_was_in_how_many_games(store: SeriesStore) -> None:
    first = game(1, jokers=["j_a", "j_a", "j_b"], hands={"Pair": 3, "Flush": 0}, won=True)
    second = game(2, jokers=["j_a"], hands={"Pair": 1}, deck="Blue", policy="ppo")
    store.write([], games=_games(first))
    store.write([], games=_games(second))
    assert store.counts("joker") == [GameCount("j_a", 2, 1, 3), GameCount("j_b", 1, 1, 1)]
    assert store.counts("hand") == [GameCount("Pair", 2, 1, 4)]
    assert store.counts("deck") == [GameCount("Blue", 1, 0, 1), GameCount("Red", 1, 1, 1)]
    assert store.counts("policy") == [
        GameCount("heuristic", 1, 1, 1),
        GameCount("ppo", 1, 0, 1),
    ]
    assert store.counts("stake") == [GameCount("White", 2, 1, 2)]


def test_all_is_there_after_opening_again(reopen: Opener) -> None:
    store = reopen()
    rows = _games(game(1))
    store.write([Point("x", START, 2.5, {"a": "ä"})], games=rows, position=7)
    store.close()
    again = reopen()
    assert again.latest("x") == Point("x", START, 2.5, {"a": "ä"})
    assert again.recent_games(1) == rows
    assert again.position() == 7
    again.write([Point("x", START, 3, {"a": "ä"})])
    assert again.total("x", START, START + MINUTE, "sum") == 5.5


def test_clear_forgets_everything(store: SeriesStore) -> None:
    store.write([Point("x", START, 1)], games=_games(game(1)), position=7)
    store.clear()
    assert (store.names(), store.recent_games(1), store.counts("joker")) == ([], [], [])
    assert store.position() == 0
    assert store.range("x", start=0, end=START + 1, step=MINUTE, how="sum") == []
    store.write([Point("x", START, 4)], position=1)
    assert store.total("x", 0, START + 1, "sum") == 4


def test_a_writer_beside_which_another_one_clears_gives_points_to_their_series(
    reopen: Opener,
) -> None:
    first, second = reopen(), reopen()
    first.write([Point("a", START, 1), Point("b", START, 2)])
    second.clear()
    second.write([Point("b", START, 4), Point("c", START, 8)])
    first.write([Point("a", START, 16), Point("b", START, 32)])
    assert {name: first.total(name, START, START + 1, "sum") for name in first.names()} == {
        "a": 16,
        "b": 36,
        "c": 8,
    }


def test_a_closed_store_says_so(store: SeriesStore) -> None:
    store.close()
    store.close()
    with pytest.raises(SeriesError, match="closed"):
        store.names()
    with pytest.raises(SeriesError, match="closed"):
        store.write([Point("x", START, 1)])


def test_readers_and_a_writer_in_many_threads(store: SeriesStore) -> None:
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for _ in range(30):
                # Both come from one transaction, so they can never disagree.
                total = store.total("x", 0, START * 2, "count")
                assert total is not None
                assert total % 10 == 0
                assert store.position() >= total
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for batch in range(1, 31):
        store.write([Point("x", START + batch, 1.0)] * 10, position=batch * 10)
    for thread in threads:
        thread.join(30)
    assert not failures
    assert store.total("x", 0, START * 2, "count") == 300


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(
        st.tuples(st.integers(0, 5 * MINUTE), st.floats(-1e12, 1e12), st.sampled_from("ab")),
        max_size=40,
    ),
    cuts=st.sets(st.integers(1, 39), max_size=6),
    span=st.tuples(st.integers(-MINUTE, 6 * MINUTE), st.integers(-MINUTE, 6 * MINUTE)),
    step=st.sampled_from([999, MINUTE, 2 * MINUTE]),
    how=st.sampled_from(HOWS),
)
def test_batching_changes_nothing(
    store: SeriesStore,
    values: list[tuple[int, float, str]],
    cuts: set[int],
    span: tuple[int, int],
    step: int,
    how: How,
) -> None:
    points = [Point("x", START + time, value, {"of": of}) for time, value, of in values]

    def answers() -> list[tuple[int, float]]:
        start, end = START + span[0], START + span[1]
        return store.range("x", start=start, end=end, step=step, how=how)

    store.clear()
    store.write(points)
    whole = answers()
    store.clear()
    bounds = [0, *sorted(cut for cut in cuts if cut < len(points)), len(points)]
    for begin, end in itertools.pairwise(bounds):
        store.write(points[begin:end])
    assert answers() == whole
