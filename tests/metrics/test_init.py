"""`open_series` and `init`: where a home keeps its series."""

from __future__ import annotations

from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.metrics import Point, SeriesMissing, init, open_series


def test_init_twice_says_what_was_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (first,) = init(home)
    assert first == f"series {home.series}: created"
    store = open_series(home)
    store.write([Point("x", 1, 1.0)], position=12)
    store.close()
    (second,) = init(home)
    assert second == f"series {home.series}: already there, at position 12 of the log"


def test_reading_only_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(SeriesMissing):
        open_series(Home(tmp_path), read_only=True)
    assert list(tmp_path.iterdir()) == []
