"""The runner: exactly once, from the stored position, one failure not touching the other."""

from __future__ import annotations

import builtins
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from jimbot import metrics
from jimbot.analytics import projections as room
from jimbot.analytics.projections import Projections
from jimbot.appliance import Home
from jimbot.events import Event, open_log
from jimbot.metrics import open_series
from tests.analytics.conftest import add, game, until


@pytest.fixture
def follow(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Starts projections on a home; all are stopped at the end."""
    monkeypatch.setattr(room, "GRAPH_POLL_S", 0.1)
    started: list[Projections] = []

    def start(home: Home, **options: Any) -> Projections:
        started.append(Projections(home, **options))
        started[-1].start()
        return started[-1]

    yield start
    for projections in started:
        projections.stop()


def finished(home: Home) -> int:
    series = open_series(home, read_only=True)
    try:
        return sum(count.games for count in series.counts("policy"))
    finally:
        series.close()


def test_waits_for_a_log_that_is_not_there_yet(home: Home, follow: Any) -> None:
    projections = follow(home)
    until(lambda: {it.state for it in projections.statuses()} == {"waiting"})
    health = projections.health()
    assert (health.status, health.hint != "") == ("warn", True)
    assert "waiting for the event log" in health.reason

    add(home, [game(), game()])
    until(lambda: all(it.position == 2 for it in projections.statuses()))
    until(lambda: projections.health().status == "ok")
    assert finished(home) == 2


def test_a_store_that_is_not_open_yet_is_not_called_well(
    home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, [game()])
    opens = threading.Event()
    slow, plain = opens.wait, metrics.open_series

    def open_slowly(home: Home) -> metrics.SeriesStore:
        assert slow(15)
        return plain(home)

    monkeypatch.setattr(metrics, "open_series", open_slowly)
    projections = follow(home)
    until(lambda: projections.knowledge.status().position == 1)
    health = projections.health()
    assert (health.status, health.reason) == ("warn", "metrics is starting")
    assert health.hint
    opens.set()
    until(lambda: projections.health().status == "ok")


def test_how_far_behind_a_store_is_is_known_before_it_is_asked(
    home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty store beside a log that was not looked at yet is not up to date."""
    add(home, [game(), game()])
    plain, looks, seen = room.open_log, threading.Event(), threading.Event()

    class Late:
        def __init__(self, log: Any) -> None:
            self._log = log

        def __getattr__(self, name: str) -> Any:
            return getattr(self._log, name)

        def position(self) -> int:
            seen.set()
            assert looks.wait(15)
            return int(self._log.position())

        def read(self, **options: Any) -> Any:
            assert folds.wait(15)
            return self._log.read(**options)

    folds = threading.Event()
    monkeypatch.setattr(room, "open_log", lambda *a, **options: Late(plain(*a, **options)))
    metrics_ = follow(home).metrics
    assert seen.wait(15)
    assert metrics_.store is None
    looks.set()
    until(lambda: metrics_.store)
    assert metrics_.status().behind == 2
    folds.set()
    until(lambda: metrics_.status().position == 2)


class Still:
    """A view of a log that shows nothing of what comes after it was opened."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._end = log.position()

    def position(self) -> int:
        return int(self._end)

    def read(self, **asked: Any) -> Any:
        return [entry for entry in self._log.read(**asked) if entry.position <= self._end]

    def close(self) -> None:
        self._log.close()


def test_a_view_of_the_log_that_stands_still_is_opened_anew(
    home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "open_log", lambda *args, **how: Still(open_log(*args, **how)))
    add(home, [game()])
    said = 0
    projections = follow(home, told=lambda: said)
    until(lambda: all(it.position == 1 for it in projections.statuses()))
    add(home, [game(), game()])
    time.sleep(0.5)
    assert [it.position for it in projections.statuses()] == [1, 1]
    said = 3
    until(lambda: all(it.position == 3 for it in projections.statuses()))
    until(lambda: projections.health().status == "ok")
    said = 4
    until(lambda: projections.health().status == "fail")
    assert "ends at position 3 here, and at 4 for mcp" in projections.health().reason
    add(home, [game()])
    until(lambda: all(it.position == 4 for it in projections.statuses()))
    assert finished(home) == 4


def test_goes_on_from_where_it_stopped_and_repeats_nothing(home: Home, follow: Any) -> None:
    add(home, [game() for _ in range(3)])
    first = follow(home)
    until(lambda: all(it.position == 3 for it in first.statuses()))
    first.stop()
    add(home, [game() for _ in range(4)])
    second = follow(home)
    until(lambda: all(it.position == 7 for it in second.statuses()))
    assert [it.events for it in second.statuses()] == [4, 4]
    assert finished(home) == 7


def test_a_store_that_is_emptied_beside_it_gets_no_hole(home: Home, follow: Any) -> None:
    """What `jimbot db rebuild` does while analytics runs."""
    add(home, [game() for _ in range(3)])
    projections = follow(home)
    until(lambda: all(it.position == 3 for it in projections.statuses()))
    series = metrics.open_series(home)
    series.clear()
    series.close()
    add(home, [game()])
    until(lambda: finished(home) == 4)
    assert projections.metrics.status().errors == 0


def test_more_events_than_a_batch(home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "BATCH", 10)
    add(home, [game() for _ in range(35)])
    projections = follow(home)
    until(lambda: all(it.position == 35 for it in projections.statuses()))
    assert finished(home) == 35


def test_events_that_leave_nothing_do_not_count_as_behind(home: Home, follow: Any) -> None:
    other = [Event(type="GAME_STATE", source="mod", payload={"n": n}) for n in range(5)]
    add(home, [game(), *other])
    projections = follow(home)
    until(lambda: all(it.state == "following" for it in projections.statuses()))
    assert [it.behind for it in projections.statuses()] == [0, 0]


def test_metrics_go_on_while_knowledge_fails(home: Home, follow: Any) -> None:
    home.graph.write_bytes(b"this is no graph" * 1000)
    add(home, [game()])
    projections = follow(home)
    until(lambda: projections.knowledge.status().state == "failing")
    until(lambda: projections.metrics.status().position == 1)
    add(home, [game()])
    until(lambda: projections.metrics.status().position == 2)
    health = projections.health()
    assert health.status == "warn"
    assert health.reason.startswith("knowledge is not kept")
    assert health.hint
    assert home.graph.read_bytes().startswith(b"this is no graph")


def test_knowledge_goes_on_while_metrics_fail_and_health_fails(home: Home, follow: Any) -> None:
    home.series.write_bytes(b"this is no series store" * 100)
    add(home, [game()])
    projections = follow(home)
    until(lambda: projections.metrics.status().state == "failing")
    until(lambda: projections.knowledge.status().position == 1)
    health = projections.health()
    assert health.status == "fail"
    assert "not a series store" in health.reason
    assert health.hint


def test_recovers_when_what_failed_is_mended(
    home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "_RETRY_FIRST_S", 0.05)
    home.series.write_bytes(b"this is no series store" * 100)
    add(home, [game()])
    projections = follow(home)
    until(lambda: projections.metrics.status().errors)
    home.series.unlink()
    until(lambda: projections.metrics.status().position == 1)
    until(lambda: projections.health().status == "ok")


def test_without_ladybug_metrics_are_kept_and_health_says_how_to_install_it(
    home: Home, follow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **keywords: Any) -> Any:
        if name == "ladybug":
            raise ImportError(name)
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    add(home, [game()])
    projections = follow(home)
    until(lambda: projections.knowledge.status().state == "missing")
    until(lambda: projections.metrics.status().position == 1)
    health = projections.health()
    assert health.status == "warn"
    assert "ladybug" in health.reason
    assert "pip install" in health.hint


def test_a_store_of_another_log_is_told_not_shown_as_current(home: Home, follow: Any) -> None:
    series = open_series(home)
    series.write([], position=500)
    series.close()
    add(home, [game()])
    projections = follow(home)
    until(lambda: projections.metrics.status().state == "failing")
    assert "another log" in projections.health().reason


def test_a_damaged_log_is_reported_and_not_overwritten(home: Home, follow: Any) -> None:
    home.event_log.write_bytes(b"damaged" * 1000)
    projections = follow(home)
    until(lambda: projections.metrics.status().state == "failing")
    assert projections.health().status == "fail"
    assert home.event_log.read_bytes() == b"damaged" * 1000


def test_stops_at_once_and_leaves_files_that_open_again(home: Home, tmp_path: Path) -> None:
    add(home, [game()])
    projections = Projections(home)
    projections.start()
    until(lambda: projections.metrics.status().position == 1)
    projections.stop()
    assert projections.metrics.store is None
    with sqlite3.connect(home.series) as connection:
        assert connection.execute("SELECT count(*) FROM games").fetchone() == (1,)
