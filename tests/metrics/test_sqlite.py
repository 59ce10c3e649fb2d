"""What is SQLite's own: files that are not ours, damage, reading beside the writer, kill -9."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jimbot.metrics import Point, SeriesError, SeriesMissing
from jimbot.metrics.sqlite import KIND, SQLiteSeries
from tests.metrics.events import START


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.sqlite"


def test_a_reader_sees_what_the_writer_commits(path: Path) -> None:
    writer = SQLiteSeries(path)
    reader = SQLiteSeries(path, read_only=True)
    writer.write([Point("x", START, 1)], position=1)
    assert reader.latest("x") == Point("x", START, 1)
    with pytest.raises(SeriesError, match="reading only"):
        reader.write([Point("x", START, 1)])
    with pytest.raises(SeriesError, match="reading only"):
        reader.clear()
    reader.close()
    writer.close()


@pytest.mark.parametrize("empty", [False, True], ids=["no file", "empty file"])
def test_reading_makes_no_store(path: Path, empty: bool) -> None:
    if empty:
        path.touch()
    with pytest.raises(SeriesMissing, match="init-db"):
        SQLiteSeries(path, read_only=True)
    assert path.exists() == empty
    assert not empty or path.stat().st_size == 0


def test_what_is_no_sqlite_file_is_left_as_it_is(path: Path) -> None:
    path.write_bytes(b"my diary, not a database at all")
    with pytest.raises(SeriesError, match="no SQLite file"):
        SQLiteSeries(path)
    assert path.read_bytes() == b"my diary, not a database at all"


def test_another_programs_file_is_left_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE points (mine)")
    before = path.read_bytes()
    with pytest.raises(SeriesError, match="another program"):
        SQLiteSeries(path)
    assert path.read_bytes() == before


def test_a_newer_store_is_left_as_it_is(path: Path) -> None:
    SQLiteSeries(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {KIND.version + 1}")
    with pytest.raises(SeriesError, match=f"newer JimBot.*schema {KIND.version + 1}"):
        SQLiteSeries(path)


def test_a_damaged_page_is_named_with_the_way_out(path: Path) -> None:
    store = SQLiteSeries(path)
    store.write([Point("x", START + at, at) for at in range(5000)])
    store.close()
    with path.open("r+b") as file:
        for page in range(2, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(512))
    before = path.read_bytes()
    with pytest.raises(SeriesError, match=r"damaged.*filled from the event log"):
        SQLiteSeries(path)
    assert path.read_bytes() == before


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SeriesError, match="directory that JimBot may write to"):
        SQLiteSeries(tmp_path / "file" / "series.sqlite")


_WRITER = """
import sys
from pathlib import Path
from jimbot.metrics import Point
from jimbot.metrics.sqlite import SQLiteSeries

store = SQLiteSeries(Path(sys.argv[1]))
position = store.position()
while True:
    batch = 1 + position % 50
    points = [Point("x", 60_000 + position + at, 1.0, {"of": str(at % 3)}) for at in range(batch)]
    store.write(points, position=position + batch, after=position)
    position += batch
    print(position, flush=True)
"""


def test_killed_in_mid_write_it_has_whole_batches_and_their_position(path: Path) -> None:
    rng = random.Random(7)
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        first = int(writer.stdout.readline())
        time.sleep(rng.uniform(0, 0.15))
        writer.send_signal(signal.SIGKILL)
        told = [
            first,
            *(int(line) for line in writer.stdout.read().splitlines(True) if "\n" in line),
        ]
        writer.wait(10)
        writer.stdout.close()
        store = SQLiteSeries(path)
        position = store.position()
        # Nothing that was told is gone; what is there is as far as the position says, once.
        assert position >= told[-1]
        assert store.total("x", 0, 1 << 40, "count") == position
        assert store.total("x", 0, 1 << 40, "p99") == 1.0
        raw = store.range("x", start=0, end=1 << 40, step=1 << 20 | 1, how="count")
        assert sum(count for _, count in raw) == position
        store.close()
