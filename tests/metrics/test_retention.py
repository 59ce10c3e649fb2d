"""What is kept how finely, and that coarser rows say the same as the points they stand for."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimbot.metrics import Keep, Point, SeriesError, SeriesStore, sketch
from jimbot.metrics import sqlite as engine
from jimbot.metrics.projection import project_all
from jimbot.metrics.sqlite import HOUR, MINUTE, SQLiteSeries
from tests.metrics.events import START, game

DAY = 24 * HOUR
NOW = START + 10 * DAY
KEEP = Keep(raw=DAY, minutes=3 * DAY, hours=8 * DAY, games=2 * DAY)


def coarsens(store: SeriesStore) -> bool:
    """Whether raw points go before their hours do; QuestDB keeps them as long."""
    return type(store) is SQLiteSeries


def filled(store: SeriesStore) -> list[Point]:
    """A point every seven minutes or so over ten days."""
    rng = random.Random(1)
    times = sorted(rng.sample(range(START, NOW), 2000))
    points = [Point("x", time, round(rng.uniform(1, 100), 3)) for time in times]
    store.write(points)
    return points


@pytest.mark.parametrize("how", ["sum", "count", "mean", "min", "max", "last"])
@pytest.mark.parametrize("step", [HOUR, 6 * HOUR, DAY])
def test_hours_answer_as_the_points_did(store: SeriesStore, how: str, step: int) -> None:
    filled(store)
    ask = {"start": NOW - 8 * DAY, "end": NOW, "step": step, "how": how}
    before = store.range("x", **ask)  # type: ignore[arg-type]
    total = store.total("x", NOW - 8 * DAY, NOW, how)  # type: ignore[arg-type]
    removed = store.retain(NOW, KEEP)
    assert removed > 1000 or not coarsens(store)
    after = store.range("x", **ask)  # type: ignore[arg-type]
    assert [time for time, _ in after] == [time for time, _ in before]
    assert [value for _, value in after] == pytest.approx([value for _, value in before])
    assert store.total("x", NOW - 8 * DAY, NOW, how) == pytest.approx(total)  # type: ignore[arg-type]


def test_nothing_is_lost_or_counted_twice_at_the_seams(store: SeriesStore) -> None:
    points = filled(store)
    store.retain(NOW, KEEP)
    recent = [point for point in points if point.time >= NOW - 8 * DAY]
    for step in (1000, MINUTE, 5 * MINUTE, HOUR, DAY):
        found = store.range("x", start=NOW - 8 * DAY, end=NOW, step=step, how="count")
        assert sum(count for _, count in found) == len(recent)
        assert found == sorted(found)
    if not coarsens(store):
        return
    # Finer than is kept: minutes and hours at their beginnings, points where they are.
    times = [t for t, _ in store.range("x", start=START, end=NOW, step=1, how="count")]
    assert all(time % HOUR == 0 for time in times if time < NOW - 3 * DAY)
    assert all(time % MINUTE == 0 for time in times if time < NOW - DAY)
    assert [t for t in times if t >= NOW - DAY] == [p.time for p in points if p.time >= NOW - DAY]


def test_what_is_older_than_everything_goes(store: SeriesStore) -> None:
    points = filled(store)
    store.retain(NOW, KEEP)
    # The embedded engine keeps hours by whole days, as their sketches are.
    gone = (NOW - 8 * DAY) // DAY * DAY if coarsens(store) else NOW - 8 * DAY - HOUR
    assert store.total("x", START, gone, "count") == 0
    last = points[-1]
    assert store.latest("x") == last
    assert store.retain(NOW, KEEP) == 0
    store.retain(NOW + 5 * DAY, KEEP)
    assert store.latest("x") == last  # raw points and minutes are gone, the hour still has it


def test_games_go_and_what_they_counted_stays(store: SeriesStore) -> None:
    games = project_all([game(n, time=START + n * DAY) for n in range(1, 10)]).games
    store.write([], games=games)
    store.retain(NOW, KEEP)
    assert [row.position for row in store.recent_games(100)] == [9, 8]
    assert store.counts("deck")[0].games == 9


def test_points_that_come_late_count(store: SeriesStore) -> None:
    store.retain(NOW, KEEP)
    store.write([Point("x", NOW - 5 * DAY, 4.0), Point("x", NOW - 5 * DAY + 1, 5.0)])
    for step in (1, MINUTE, HOUR):
        found = store.range("x", start=NOW - 6 * DAY, end=NOW, step=step, how="sum")
        assert sum(value for _, value in found) == 9
    store.retain(NOW, KEEP)
    assert store.total("x", NOW - 6 * DAY, NOW, "sum") == 9
    assert store.total("x", NOW - 6 * DAY, NOW, "p95") == pytest.approx(5, rel=0.01)


@pytest.mark.parametrize("how", ["p50", "p95", "p99"])
@pytest.mark.parametrize("step", [HOUR, DAY, None])
def test_percentiles_of_many_points_are_within_one_percent(
    store: SeriesStore, how: str, step: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(3)
    store.write(
        [
            Point("x", rng.randrange(START, START + DAY), rng.lognormvariate(3, 2), {"of": of})
            for of in "ab"
            for _ in range(3000)
        ]
    )

    def ask() -> list[float]:
        start, end = START + 17, START + DAY - 12_345
        if step is None:
            return [store.total("x", start, end, how) or 0]  # type: ignore[arg-type]
        return [v for _, v in store.range("x", start=start, end=end, step=step, how=how)]  # type: ignore[arg-type]

    exact = ask()
    monkeypatch.setattr(engine, "EXACT", 10)
    sketched = ask()
    assert sketched == pytest.approx(exact, rel=0.0101)
    assert (sketched != exact) == coarsens(store)


def test_days_that_are_over_answer_as_their_hours_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "EXACT", 10)
    store = SQLiteSeries(tmp_path / "series.sqlite")
    filled(store)
    spans = [(START, NOW), (NOW - 7 * DAY + 17, NOW - 12_345), (NOW - DAY, NOW)]

    def ask() -> list[object]:
        return [
            store.range("x", start=start, end=end, step=step, how=how)
            for start, end in spans
            for step in (HOUR, 6 * HOUR, DAY, 3 * DAY)
            for how in ("p50", "p95")
        ] + [store.total("x", start, end, "p99") for start, end in spans]

    long = Keep(raw=30 * DAY, minutes=30 * DAY, hours=30 * DAY, games=30 * DAY)
    before = ask()
    store.retain(NOW - 4 * DAY + HOUR, long)
    assert ask() == before
    # What comes late for such a day is in its answers, also where the series is new to it.
    late = [Point("x", NOW - 6 * DAY + 5 * n, 1000.0, {"of": "late"}) for n in range(2000)]
    store.write(late)
    store.write(late[:10])
    with_late = ask()
    assert with_late != before
    days = dict(store.range("x", start=NOW - 7 * DAY, end=NOW, step=DAY, how="p95"))
    assert days[NOW // DAY * DAY - 6 * DAY] == pytest.approx(1000, rel=0.01)
    store.retain(NOW, long)
    assert ask() == with_late
    # The same from hours alone.
    fresh = SQLiteSeries(tmp_path / "fresh.sqlite")
    filled(fresh)
    fresh.write(late)
    fresh.write(late[:10])
    store.close()
    store = fresh
    assert ask() == with_late
    store.close()


def test_a_year_by_day_is_read_from_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "EXACT", 10)
    store = SQLiteSeries(tmp_path / "series.sqlite")
    filled(store)
    store.retain(NOW, KEEP)
    read: list[int] = []
    real = sketch.percentile

    def percentile(parts: Sequence[bytes], *rest: Any) -> float:
        read.append(len(parts))
        return real(parts, *rest)

    monkeypatch.setattr(sketch, "percentile", percentile)
    end = NOW // DAY * DAY - DAY
    assert len(store.range("x", start=end - 7 * DAY, end=end, step=DAY, how="p95")) == 7
    assert read == [1] * 7  # one sketch a day, not one an hour
    store.close()


@pytest.mark.parametrize("sketch_of", ["sketches", "day_sketches"])
@pytest.mark.parametrize("bad", [b"123", b"\xff" * 16, b""])
def test_a_damaged_sketch_is_named_with_the_way_out(
    tmp_path: Path, sketch_of: str, bad: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sqlite3

    monkeypatch.setattr(engine, "EXACT", 10)
    store = SQLiteSeries(tmp_path / "series.sqlite")
    filled(store)
    store.retain(NOW, KEEP)
    with sqlite3.connect(store.path) as connection:
        connection.execute(f"UPDATE {sketch_of} SET sketch = ?", (bad,))
    connection.close()
    day = NOW // DAY * DAY - 6 * DAY
    with pytest.raises(SeriesError, match="damaged"):
        store.total("x", day + (HOUR if sketch_of == "sketches" else 0), day + DAY, "p95")
    if bad == b"123":
        late = next(
            time for time, _ in store.range("x", start=day, end=day + DAY, step=1, how="sum")
        )
        with pytest.raises(SeriesError, match="damaged"):
            store.write([Point("x", late, 1.0)])
    store.close()


@given(
    values=st.lists(
        st.floats(allow_nan=False, allow_infinity=False)
        | st.floats(-100, 100)
        | st.sampled_from([0.0, 1.0, -1.0, 1e-12]),
        min_size=1,
        max_size=60,
    ),
    cut=st.integers(0, 60),
    percent=st.sampled_from([1, 50, 95, 99, 100]),
)
def test_a_sketch_keeps_its_promise_for_any_values(
    values: list[float], cut: int, percent: int
) -> None:
    parts = [sketch.encode(sketch.of(values[:cut])), sketch.encode(sketch.of(values[cut:]))]
    whole = sketch.of(values)
    assert sketch.decode(sketch.encode(whole)) == whole
    assert sketch.decode(sketch.together(parts)) == whole
    expected = sorted(values)[math.ceil(percent / 100 * len(values)) - 1]
    found = sketch.percentile(parts, percent, min(values), max(values))
    assert found == pytest.approx(expected, rel=0.0101, abs=1e-9)


def test_a_sketch_of_nothing_has_no_percentiles() -> None:
    with pytest.raises(ValueError, match="nothing"):
        sketch.percentile([], 50, 0, 0)


def test_a_store_of_the_first_version_is_filled_anew(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "series.sqlite"
    with sqlite3.connect(path) as plain:
        plain.executescript(engine._FIRST)
        plain.execute("INSERT INTO positions VALUES ('metrics', 70)")
        plain.execute("INSERT INTO series VALUES (1, 'x', '{}')")
        plain.execute(f"PRAGMA application_id = {engine.KIND.application_id}")
        plain.execute("PRAGMA user_version = 1")
    plain.close()
    store = SQLiteSeries(path)
    assert (store.position(), store.names()) == (0, [])
    store.close()
