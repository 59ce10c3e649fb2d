"""Time series and summaries of games: what the dashboard and the health checks read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jimbot.metrics.games import GameCount, GameRow, Kind
from jimbot.metrics.series import How, Keep, Point, SeriesError, SeriesMissing, SeriesStore

if TYPE_CHECKING:
    from jimbot.appliance import Home

__all__ = [
    "GameCount",
    "GameRow",
    "How",
    "Keep",
    "Kind",
    "Point",
    "SeriesError",
    "SeriesMissing",
    "SeriesStore",
    "init",
    "open_series",
]


def open_series(home: Home, *, read_only: bool = False) -> SeriesStore:
    """The series of one home; the place that chooses its engine.

    Raises:
        SeriesMissing: to be read only, and nobody has made it yet.
        SeriesError: it cannot be used; says why and what to do.
    """
    from jimbot.appliance import stores

    chosen = stores.stores()
    if chosen.series.engine == "server":
        from jimbot.metrics.questdb import QuestDBSeries

        user, password = chosen.series.login(home, read_only=read_only)
        return QuestDBSeries(
            home.series,
            chosen.series.address,
            user=user,
            password=password,
            timeout_s=chosen.timeout_s,
            breaker_failures=chosen.breaker_failures,
            breaker_open_s=chosen.breaker_open_s,
            read_only=read_only,
        )
    from jimbot.metrics.sqlite import SQLiteSeries

    return SQLiteSeries(home.series, read_only=read_only)


def init(home: Home) -> list[str]:
    """Make the series store if there is none; returns a line for people on what was done.

    Raises:
        SeriesError: it cannot be made, or is there and cannot be used.
    """
    existed = home.series.exists()
    store = open_series(home)
    try:
        position = store.position()
    finally:
        store.close()
    state = f"already there, at position {position} of the log" if existed else "created"
    return [f"series {home.series}: {state}"]
