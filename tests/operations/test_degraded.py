"""Analytics with its servers away: it starts, its health says so, and it catches up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from jimbot.analytics.projections import Projections
from jimbot.appliance import Home
from jimbot.appliance.stores import Engine, Stores
from jimbot.events import open_log
from jimbot.metrics import open_series
from tests.metrics.events import game
from tests.proxy import Proxy

pytest.importorskip("esdbclient", reason="pip install 'jimbot[databases]'")
pytest.importorskip("questdb", reason="pip install 'jimbot[databases]'")

from tests.events.server import EventStoreServer
from tests.metrics.server import QuestDBServer


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Proxy, Proxy]]:
    """The doors in front of EventStoreDB and QuestDB, which the table names."""
    servers = EventStoreServer(), QuestDBServer()
    log, series = (Proxy(server.port) for server in servers)
    chosen = Stores(
        timeout_s=0.5,
        breaker_open_s=0.2,
        log=Engine(engine="server", address=f"esdb://127.0.0.1:{log.port}?tls=false"),
        series=Engine(engine="server", address=f"http://127.0.0.1:{series.port}"),
    )
    monkeypatch.setattr("jimbot.appliance.stores.stores", lambda: chosen)
    yield log, series
    for each in (log, series, *servers):
        each.close()


def until(holds: Callable[[], bool], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_it_starts_without_its_servers_says_so_and_catches_up(
    home: Home, doors: tuple[Proxy, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.analytics.projections.CHECK_S", 0.2)
    log_door, series_door = doors
    log = open_log(home)
    log.append([(r.stream, r.event) for r in (game(n) for n in range(100))])
    log.close()
    log_door.mode = series_door.mode = "refuse"
    projections = Projections(home)
    projections.start()
    try:
        assert until(lambda: projections.metrics.status().state == "failing")
        health = projections.health()
        assert health.status == "fail"
        assert "away" in health.reason
        assert "EventStoreDB" in health.hint
        # The log comes back: the games are folded, their points wait for QuestDB.
        log_door.mode = "open"
        assert until(lambda: projections.metrics.status().position == 100)
        store = projections.metrics.store
        assert store is not None
        assert store.counts("deck")[0].games == 100
        assert until(lambda: "700 points wait for it" in projections.health().reason)
        assert projections.health().status == "warn"
        series_door.mode = "open"
        assert until(lambda: projections.metrics.status().warning == "")
    finally:
        projections.stop()
    series = open_series(home)
    assert until(lambda: series.spooled() == 0)  # type: ignore[attr-defined]
    assert series.total("game.finished", 0, 1 << 45, "count") == 100
    series.close()
