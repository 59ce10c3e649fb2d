from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.metrics import SeriesStore
from jimbot.metrics.sqlite import SQLiteSeries
from tests.metrics.server import QuestDBServer

Opener = Callable[[], SeriesStore]


@pytest.fixture
def questdb() -> Iterator[QuestDBServer]:
    pytest.importorskip("questdb", reason="questdb is not installed: pip install jimbot[databases]")
    server = QuestDBServer()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "questdb"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same store again and again; an engine is one more parameter.

    QuestDB is the one at JIMBOT_TEST_QUESTDB, which is emptied, else a server of our own.
    """
    opened: list[SeriesStore] = []
    path = tmp_path / "metrics" / "series.sqlite"
    if request.param == "questdb":
        address = os.environ.get("JIMBOT_TEST_QUESTDB")
        if not address:
            address = f"http://127.0.0.1:{request.getfixturevalue('questdb').port}"
        from jimbot.metrics.questdb import QuestDBSeries

        def engine() -> SeriesStore:
            return QuestDBSeries(path, address)
    else:

        def engine() -> SeriesStore:
            return SQLiteSeries(path)

    def open_it() -> SeriesStore:
        opened.append(engine())
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Opener) -> SeriesStore:
    return reopen()
