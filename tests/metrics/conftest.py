from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jimbot.metrics import SeriesStore
from jimbot.metrics.sqlite import SQLiteSeries

Opener = Callable[[], SeriesStore]


@pytest.fixture(params=["sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """Opens the same store again and again; an engine is one more parameter."""
    opened: list[SeriesStore] = []

    def open_it() -> SeriesStore:
        opened.append(SQLiteSeries(tmp_path / "metrics" / "series.sqlite"))
        return opened[-1]

    yield open_it
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Opener) -> SeriesStore:
    return reopen()
