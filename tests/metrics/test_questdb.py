"""QuestDB away, hanging, late, or gone: every point is there once, when it is back."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.metrics import Point, SeriesError, open_series
from tests.metrics.events import START
from tests.metrics.server import QuestDBServer, parse_line
from tests.proxy import Proxy

pytest.importorskip("questdb", reason="questdb is not installed: pip install 'jimbot[databases]'")

from jimbot.metrics import questdb as engine
from jimbot.metrics.questdb import QuestDBSeries


@pytest.fixture
def proxy(questdb: QuestDBServer) -> Iterator[Proxy]:
    proxy = Proxy(questdb.port)
    yield proxy
    proxy.close()


def opened(path: Path, port: int, **login: str) -> QuestDBSeries:
    return QuestDBSeries(
        path / "series.sqlite",
        f"http://127.0.0.1:{port}",
        **login,
        timeout_s=0.5,
        breaker_failures=3,
        breaker_open_s=0.3,
    )


def points(first: int, count: int) -> list[Point]:
    return [Point("x", START + n, 1.0, {"of": str(n % 3)}) for n in range(first, first + count)]


def counted(store: QuestDBSeries, within_s: float = 10) -> int:
    """How many points the server has, once it has all that it can get."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            return int(store.total("x", 0, START * 2, "count") or 0)
        except SeriesError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_it_starts_and_takes_points_while_the_server_is_away(tmp_path: Path, proxy: Proxy) -> None:
    proxy.mode = "refuse"
    store = opened(tmp_path, proxy.port)
    store.write(points(0, 100), position=7)
    assert (store.position(), store.spooled()) == (7, 100)
    with pytest.raises(SeriesError, match=r"are away.*points wait on the disk"):
        store.total("x", 0, START * 2, "count")
    store.close()
    again = opened(tmp_path, proxy.port)
    again.write(points(100, 50), position=9, after=7)
    proxy.mode = "open"
    assert counted(again) == 150
    assert again.spooled() == 0
    again.close()


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_what_was_written_through_trouble_is_there_once(
    tmp_path: Path, proxy: Proxy, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FLUSH_S", 0.02)
    store = opened(tmp_path, proxy.port)
    for batch in range(30):
        proxy.mode = mode if batch % 10 == 3 else "open" if batch % 10 == 6 else proxy.mode  # type: ignore[assignment]
        store.write(points(batch * 10, 10), position=batch + 1, after=batch)
        time.sleep(0.02)
    proxy.mode = "open"
    assert counted(store) == 300
    store.close()


def test_an_answer_that_was_lost_does_not_count_twice(
    tmp_path: Path, questdb: QuestDBServer, proxy: Proxy
) -> None:
    store = opened(tmp_path, proxy.port)
    store.write(points(0, 10))
    assert counted(store) == 10
    proxy.mode = "late"
    proxy._late_s = 1.0  # the server has them; the client has given up
    store.write(points(10, 10))
    writes = questdb.writes
    with pytest.raises(SeriesError, match="away"):
        store.flush()
    assert questdb.writes > writes
    assert store.spooled() == 10
    proxy.mode = "open"
    assert counted(store) == 20
    store.close()


def test_a_server_that_says_no_keeps_the_points_here(
    tmp_path: Path, questdb: QuestDBServer
) -> None:
    store = opened(tmp_path, questdb.port)
    questdb.status = 503
    store.write(points(0, 5))
    with pytest.raises(SeriesError, match="away"):
        store.flush()
    questdb.status = 200
    assert counted(store) == 5
    store.close()


def test_a_new_file_does_not_add_to_what_an_old_one_sent(
    tmp_path: Path, questdb: QuestDBServer
) -> None:
    for directory in ("first", "second"):
        (tmp_path / directory).mkdir()
        store = opened(tmp_path / directory, questdb.port)
        store.write(points(0, 5), position=5)
        assert counted(store) == 5
        store.close()


def on_server(server: QuestDBServer) -> int:
    return int(server.execute(f"SELECT count(*) FROM {engine.TABLE}")[1]["dataset"][0][0])


def test_what_is_cleared_while_the_server_is_away_is_not_counted_when_it_is_back(
    tmp_path: Path, questdb: QuestDBServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FLUSH_S", 60)
    store = opened(tmp_path, proxy.port)
    store.write(points(0, 10), position=10)
    assert counted(store) == 10
    proxy.mode = "refuse"
    store.clear()
    assert store.position() == 0
    store.write(points(0, 10), position=10)
    proxy.mode = "open"
    # Nor by a reader that asks before the first new point is sent.
    reader = QuestDBSeries(store.path, store.address, read_only=True)
    assert reader.total("x", 0, START * 2, "count") == 0
    reader.close()
    assert counted(store) == 10
    assert on_server(questdb) == 10
    store.clear()
    assert on_server(questdb) == 0
    store.close()


def test_of_two_processes_one_empties_the_table(tmp_path: Path, questdb: QuestDBServer) -> None:
    first, second = opened(tmp_path, questdb.port), opened(tmp_path, questdb.port)
    first.write(points(0, 10))

    def meanwhile(sql: str) -> None:
        if sql.startswith("CREATE"):
            questdb.before = lambda sql: None
            first.flush()

    questdb.before = meanwhile
    second.flush()
    second.write(points(10, 5))
    assert counted(second) == 15
    assert on_server(questdb) == 15
    first.close()
    second.close()


def test_a_point_that_the_server_refuses_holds_up_no_other(
    tmp_path: Path, questdb: QuestDBServer, caplog: pytest.LogCaptureFixture
) -> None:
    questdb.refuses = "ms=17000000000(07|41)i"
    begin = 1_700_000_000_000
    store = opened(tmp_path, questdb.port)
    store.write([Point("x", begin + n, 1.0) for n in range(100)], position=1)
    assert counted(store) == 98
    assert (store.spooled(), store.set_aside()) == (0, 2)
    store.write([Point("x", begin + n, 1.0) for n in range(100, 150)], position=2)
    assert counted(store) == 148
    (record,) = (entry for entry in caplog.records if entry.levelno == logging.ERROR)
    assert "cast error" in str(record.__dict__["fields"])
    with pytest.raises(SeriesError, match="does not take 2 points") as told:
        store.ping()
    assert "rebuild" in told.value.hint
    store.close()
    store = opened(tmp_path, questdb.port)
    assert store.set_aside() == 2
    store.clear()
    store.ping()
    store.close()


def test_what_is_too_much_for_one_request_goes_in_several(
    tmp_path: Path, questdb: QuestDBServer
) -> None:
    store = opened(tmp_path, questdb.port)
    store._sender_conf += "max_buf_size=2000;"
    store.write(points(0, 100))
    store.write([Point("x", START, 1.0, {"of": "a" * 3000})])  # too much by itself
    store.write(points(100, 100))
    assert counted(store) == 200
    assert (store.spooled(), store.set_aside()) == (0, 1)
    assert questdb.writes > 10
    store.close()


def test_the_sender_outlives_what_nobody_expected(
    tmp_path: Path,
    questdb: QuestDBServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(engine, "FLUSH_S", 0.01)
    store = opened(tmp_path, questdb.port)
    tries: list[object] = []

    def broken(self: QuestDBSeries, rows: object) -> None:
        tries.append(rows)
        raise RuntimeError("on purpose")

    with monkeypatch.context() as patched:
        patched.setattr(QuestDBSeries, "_send_rows", broken)
        store.write(points(0, 10), position=1)
        deadline = time.monotonic() + 5
        while len(tries) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 3 <= len(tries) < 12  # less and less often
        assert store.spooled() == 10
        with pytest.raises(SeriesError, match=r"do not reach.*on purpose"):
            store.ping()
        with pytest.raises(SeriesError, match=r"do not reach.*on purpose"):
            store.total("x", 0, START * 2, "count")
        (record,) = (entry for entry in caplog.records if entry.levelno == logging.ERROR)
        assert record.exc_info
    deadline = time.monotonic() + 5
    while store.spooled() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert store.spooled() == 0
    store.ping()
    assert counted(store) == 10
    store.close()


def test_a_server_that_is_away_is_told_of_once(
    tmp_path: Path,
    proxy: Proxy,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(engine, "FLUSH_S", 0.01)
    proxy.mode = "refuse"
    store = QuestDBSeries(tmp_path / "series.sqlite", f"http://127.0.0.1:{proxy.port}")
    store.write(points(0, 1))
    time.sleep(2)  # its breaker counts the seconds until it asks again
    assert len([entry for entry in caplog.records if "wait" in entry.message]) == 1
    store.close()


@pytest.mark.parametrize("login", [("a;b", "p;;q;"), ("ä€😀", "/#@ %+;:=\"'\\"), ("jim", "")])
def test_users_and_passwords_may_have_any_character(
    tmp_path: Path, questdb: QuestDBServer, login: tuple[str, str]
) -> None:
    questdb.login = login
    user, password = login
    store = opened(tmp_path, questdb.port, user=user, password=password)
    store.write(points(0, 5))
    assert counted(store) == 5
    store.close()
    wrong = opened(tmp_path, questdb.port, user=user, password="wrong")
    with pytest.raises(SeriesError, match="401 Unauthorized"):
        wrong.ping()
    wrong.close()


def test_points_go_out_on_time_and_on_size(
    tmp_path: Path, questdb: QuestDBServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FLUSH_POINTS", 50)
    monkeypatch.setattr(engine, "FLUSH_S", 60)
    store = opened(tmp_path, questdb.port)
    store.write(points(0, 49))
    time.sleep(0.3)
    assert questdb.writes == 0
    store.write(points(49, 50))
    deadline = time.monotonic() + 5
    while store.spooled() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert questdb.writes == 2
    store.close()
    monkeypatch.setattr(engine, "FLUSH_S", 0.05)
    store = opened(tmp_path, questdb.port)
    store.write(points(99, 1))
    while store.spooled() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert store.spooled() == 0
    store.close()


_WRITER = """
import sys
from pathlib import Path
from jimbot.metrics import Point
from jimbot.metrics import questdb
questdb.FLUSH_S = 0.01
store = questdb.QuestDBSeries(Path(sys.argv[1]), sys.argv[2])
position = store.position()
while True:
    points = [Point("x", 60_000 + position + at, 1.0) for at in range(10)]
    store.write(points, position=position + 10, after=position)
    position += 10
    print(position, flush=True)
"""


def test_killed_writers_lose_and_repeat_nothing(tmp_path: Path, questdb: QuestDBServer) -> None:
    path = tmp_path / "series.sqlite"
    told = 0
    for generation in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), f"http://127.0.0.1:{questdb.port}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert writer.stdout is not None
        for _ in range(5 + 9 * generation):
            told = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=10)
    store = opened(tmp_path, questdb.port)
    assert store.position() >= told
    assert counted(store) == store.position()
    store.close()


def test_the_stand_in_reads_the_line_protocol() -> None:
    line = r'p,name=a\ b\,c\=d\\e,tags={"k":"v"} series=3i,value=-1.5e300 1700000000000000000'
    assert parse_line(line) == (
        "p",
        {
            "time": 1_700_000_000_000_000,
            "name": "a b,c=d\\e",
            "tags": '{"k":"v"}',
            "series": 3,
            "value": -1.5e300,
        },
    )


def test_the_table_chooses_the_engine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from jimbot.appliance.stores import Engine, Stores

    chosen = Stores(series=Engine(engine="server", address="http://127.0.0.1:1"), timeout_s=1)
    monkeypatch.setattr("jimbot.appliance.stores.stores", lambda: chosen)
    store = open_series(home)
    assert isinstance(store, QuestDBSeries)
    store.close()
