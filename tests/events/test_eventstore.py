"""EventStoreDB away, hanging, late, losing answers; and mirrors that are not its own."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jimbot.appliance import Home
from jimbot.events import Event, LogError, open_log
from jimbot.security import authority
from tests.events.conftest import heartbeat
from tests.proxy import Mode, Proxy

pytest.importorskip("esdbclient", reason="pip install 'jimbot[databases]'")

from jimbot.events import eventstore as room
from jimbot.events.eventstore import EventStoreLog
from tests.events.server import EventStoreServer


@pytest.fixture
def proxy(eventstore: EventStoreServer) -> Iterator[Proxy]:
    proxy = Proxy(eventstore.port)
    yield proxy
    proxy.close()


def opened(path: Path, port: int, *, timeout_s: float = 0.5) -> EventStoreLog:
    return EventStoreLog(
        path / "mirror.sqlite",
        f"esdb://127.0.0.1:{port}?tls=false",
        timeout_s=timeout_s,
        breaker_failures=3,
        breaker_open_s=0.2,
    )


def stored(server: EventStoreServer) -> list[bytes]:
    return [event.metadata for event in server.streams.get("jimbot", [])]


def test_it_starts_while_the_server_is_away_and_acknowledges_nothing(
    tmp_path: Path, proxy: Proxy
) -> None:
    proxy.mode = "refuse"
    log = opened(tmp_path, proxy.port)
    with pytest.raises(LogError, match=r"is away.*sent again"):
        log.append([("s", heartbeat("1"))])
    with pytest.raises(LogError, match="away"):
        log.position()
    assert log.read() == []
    proxy.mode = "open"
    time.sleep(0.3)
    assert append_until_stored(log, ["1"]) == [1]
    log.close()


def test_what_the_mirror_has_is_told_while_the_server_is_away(tmp_path: Path, proxy: Proxy) -> None:
    log = opened(tmp_path, proxy.port)
    log.append([("s", heartbeat("1"))])
    proxy.mode = "refuse"
    assert [r.event.event_id for r in log.read()] == ["1"]
    assert log.count() == len(log.read_stream("s")) == 1
    # But not that an event is stored, or how far the log is: nobody could know.
    with pytest.raises(LogError, match="away"):
        log.contains(["1"])
    log.close()


def append_until_stored(log: EventStoreLog, ids: list[str], within_s: float = 20) -> list[int]:
    deadline = time.monotonic() + within_s
    while True:
        try:
            return [one.position for one in log.append([("s", heartbeat(i)) for i in ids])]
        except LogError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_acknowledged_events_are_there_in_order_once_through_trouble(
    tmp_path: Path, eventstore: EventStoreServer, proxy: Proxy, mode: Mode
) -> None:
    log = opened(tmp_path, proxy.port)
    append_until_stored(log, ["first"])
    stop = threading.Event()

    def disturb() -> None:
        for _ in range(3):
            time.sleep(0.2)
            proxy.mode = mode
            time.sleep(0.3)
            if mode == "hang":
                proxy.mode = "refuse"  # what hung does not come late as well
            proxy.mode = "open"
        stop.set()

    disturber = threading.Thread(target=disturb)
    disturber.start()
    acknowledged = ["first"]
    number = 0
    while not stop.is_set() or number < 30:
        ids = [f"{number}-{n}" for n in range(number % 4 + 1)]
        append_until_stored(log, ids)
        acknowledged += ids
        number += 1
    disturber.join(10)
    log.close()
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    reader = opened(fresh, eventstore.port)
    assert [r.event.event_id for r in reader.read(limit=10**6)] == acknowledged
    assert len(stored(eventstore)) == len(acknowledged)
    reader.close()


def test_an_answer_that_was_lost_is_no_second_event(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    eventstore.lose_every = 3
    log = opened(tmp_path, eventstore.port)
    ids = [str(n) for n in range(30)]
    for one in ids:
        append_until_stored(log, [one])
    assert [r.event.event_id for r in log.read()] == ids
    assert len(stored(eventstore)) == 30
    log.close()


def test_a_late_answer_is_given_up_and_found_again(tmp_path: Path, proxy: Proxy) -> None:
    log = opened(tmp_path, proxy.port)
    log.append([("s", heartbeat("1"))])
    proxy.mode, proxy._late_s = "late", 0.8
    began = time.monotonic()
    with pytest.raises(LogError, match="away"):
        log.append([("s", heartbeat("2"))])
    assert time.monotonic() - began < 5
    proxy.mode = "open"
    time.sleep(0.3)
    assert append_until_stored(log, ["2"]) == [2]
    log.close()


def test_a_mirror_of_another_log_is_refused_and_left_as_it_is(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    log = opened(tmp_path, eventstore.port)
    log.append([("s", heartbeat("1"))])
    other = EventStoreServer()
    wrong = opened(tmp_path, other.port)
    with pytest.raises(LogError, match=r"of another log.*move the mirror away"):
        wrong.append([("s", heartbeat("2"))])
    assert other.streams == {}
    for each in (log, wrong):
        each.close()
    other.close()


def test_a_lost_mirror_is_filled_anew(
    tmp_path: Path, eventstore: EventStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.events.eventstore._PAGE", 7)
    log = opened(tmp_path, eventstore.port)
    log.append([(f"s{n % 3}", heartbeat(str(n))) for n in range(50)])
    everything = log.read(limit=100)
    log.close()
    (tmp_path / "mirror.sqlite").unlink()
    log = opened(tmp_path, eventstore.port)
    assert log.read(limit=100) == everything
    log.close()


def test_large_payloads_travel_and_lie_compressed(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    log = opened(tmp_path, eventstore.port)
    large = heartbeat("big").model_copy(update={"payload": {"text": "balatro " * 1000}})
    log.append([("s", heartbeat("small")), ("s", large)])
    small, big = eventstore.streams["jimbot"]
    assert small.content_type == "application/json"
    assert big.content_type == "application/octet-stream"
    assert len(big.data) < 1000
    log.close()
    (tmp_path / "mirror.sqlite").unlink()
    log = opened(tmp_path, eventstore.port)
    assert log.read()[1].event == large
    log.close()


def test_one_event_goes_by_append_and_several_by_batch_append(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    log = opened(tmp_path, eventstore.port)
    log.append([("s", heartbeat("1"))])
    log.append([("s", heartbeat("2")), ("s", heartbeat("3"))])
    assert [call.name for call in eventstore.calls if call.name != "Read"] == [
        "Append",
        "BatchAppend",
    ]
    log.close()


def test_more_than_the_server_takes_at_once_is_stored_in_parts(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    """As mcp's groups get when clients come back with all that an outage kept from them."""
    log = opened(tmp_path, eventstore.port, timeout_s=5)
    log.append([(f"s{n % 7}", finished(n, 1)) for n in range(8000)])
    log.append([("s0", heartbeat("last"))])
    assert eventstore.appends > 2
    assert log.scavenge(2, {"GAME_FINISHED"}) == 0
    left = log.read(limit=9000)
    assert [it.event.event_id for it in left] == [*(f"f{n}" for n in range(8000)), "last"]
    log.close()
    (tmp_path / "mirror.sqlite").unlink()
    log = opened(tmp_path, eventstore.port, timeout_s=5)
    assert log.read(limit=9000) == left
    log.close()


def test_parts_that_another_writer_comes_between_are_no_duplicates(
    tmp_path: Path, eventstore: EventStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path, eventstore.port, timeout_s=5)
    (tmp_path / "other").mkdir()
    other = opened(tmp_path / "other", eventstore.port, timeout_s=5)
    plain, between = room._parts, [[("theirs", heartbeat("theirs"))]]

    def disturbed(events: Sequence[Any]) -> Iterator[Sequence[Any]]:
        for number, part in enumerate(plain(events)):
            if number == 1 and between:
                other.append(between.pop())
            yield part

    monkeypatch.setattr(room, "_parts", disturbed)
    items = [("s", finished(n, 1)) for n in range(8000)]
    stored = log.append(items, expected={"s": -1})
    assert between == []
    assert [it.duplicate for it in stored] == [False] * 8000
    assert log.position() == 8001
    assert all(it.duplicate for it in log.append(items))
    log.close()
    other.close()


@pytest.mark.parametrize("password", ["a/b+c=", "#1?x@y:z%2Fé &"])
def test_every_password_arrives_as_it_is(tmp_path: Path, password: str) -> None:
    files = authority.init(tmp_path / "tls", ["localhost"])
    server = EventStoreServer((files.server, files.server_key))
    log = EventStoreLog(
        tmp_path / "mirror.sqlite",
        f"esdb://localhost:{server.port}?tls=true&tlsCaFile={files.ca}",
        user="mcp@home",
        password=password,
    )
    log.append([("s", heartbeat("1"))])
    log.append([("s", heartbeat("2").model_copy(update={"timestamp": 1})), ("s", heartbeat("3"))])
    log.scavenge(5, set())
    wanted = "Basic " + base64.b64encode(f"mcp@home:{password}".encode()).decode()
    assert {call.name for call in server.calls} == {"Append", "BatchAppend", "Read"}
    assert {call.authorization for call in server.calls} == {wanted}
    log.close()
    server.close()


def test_an_address_that_is_none_is_said_without_the_password(tmp_path: Path) -> None:
    log = EventStoreLog(tmp_path / "m.sqlite", "localhost:2113", user="mcp", password="secret")
    with pytest.raises(LogError, match="Mend `address`") as told:
        log.append([("s", heartbeat("1"))])
    assert "secret" not in str(told.value)
    log.close()


def test_a_login_that_is_missing_is_said_without_the_password(tmp_path: Path) -> None:
    for user, password in (("", ""), ("mcp", ""), ("", "secret")):
        log = EventStoreLog(
            tmp_path / "mirror.sqlite", "esdb://127.0.0.1:1", user=user, password=password
        )
        with pytest.raises(LogError, match=r"password are required.*\[stores.log\]") as caught:
            log.position()
        assert "secret" not in str(caught.value)
        log.close()


def test_events_from_before_revisions_were_told_are_numbered_as_they_come(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    log = opened(tmp_path, eventstore.port)
    log.append([("s", heartbeat(f"{n}").model_copy(update={"timestamp": n})) for n in range(6)])
    old = []
    for each in eventstore.streams["jimbot"]:
        told = json.loads(each.metadata)
        assert told.pop("revision") == len(old)
        old.append(each._replace(metadata=json.dumps(told).encode()))
    eventstore.streams["jimbot"] = old
    log.scavenge(3, set())
    # A mirror that is filled now has no way to know.
    later = opened(tmp_path / "later", eventstore.port)
    assert [(it.position, it.revision) for it in later.read()] == [(4, 0), (5, 1), (6, 2)]
    # Both go on, and meet again at what is told.
    later.append([("s", heartbeat("6"))])
    assert log.read_stream("s")[-1].revision == 6
    log.append([("s", heartbeat("7"))])
    for each in (log, later):
        assert each.read_stream("s")[-1].revision == 7
        each.close()


def finished(number: int, time: int) -> Event:
    return heartbeat(f"f{number}").model_copy(update={"type": "GAME_FINISHED", "timestamp": time})


def test_what_is_scavenged_goes_from_the_server_and_summaries_stay(
    tmp_path: Path, eventstore: EventStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.events.eventstore._PAGE", 3)
    log = opened(tmp_path, eventstore.port)
    for n in range(10):
        old = heartbeat(f"{n}").model_copy(update={"timestamp": 1000 + n})
        log.append([(f"g{n}", old), (f"g{n}", finished(n, 1000 + n))])
    log.append([("g10", heartbeat("new").model_copy(update={"timestamp": 5000}))])
    readers = {"$acl": {"$r": ["analytics"]}}
    log._call(lambda client: client.set_stream_metadata("jimbot", metadata=readers))
    assert log.scavenge(1005, {"GAME_FINISHED"}) == 5
    told = json.loads(eventstore.streams["$$jimbot"][-1].data)
    assert told == {**readers, "$tb": 10}
    assert log.scavenge(1005, {"GAME_FINISHED"}) == 0, "again, and nothing more"
    assert eventstore._truncated("jimbot") == 10
    assert [each.type for each in eventstore.streams["jimbot-kept"]] == ["GAME_FINISHED"] * 5
    assert log.scavenge(2000, {"GAME_FINISHED"}) == 5
    assert len(eventstore.streams["jimbot-kept"]) == 10
    left = log.read(limit=100)
    assert [it.event.event_id for it in left] == [*(f"f{n}" for n in range(10)), "new"]
    log.append([("g11", heartbeat("newer"))])
    left = log.read(limit=100)
    assert left[-1].position == 22
    log.close()
    # A mirror that is lost is filled with all that is left, at the same places.
    (tmp_path / "mirror.sqlite").unlink()
    log = opened(tmp_path, eventstore.port)
    assert log.read(limit=100) == left
    assert log.append([("g12", heartbeat("newest"))])[0].position == 23
    log.close()


def test_a_mirror_that_ends_before_what_is_left_is_refused(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    log = opened(tmp_path, eventstore.port)
    behind = opened(tmp_path / "behind", eventstore.port)
    log.append([("s", heartbeat("0").model_copy(update={"timestamp": 1}))])
    assert behind.position() == 1
    log.append([("s", finished(n, n)) for n in range(5)])
    log.append([("s", heartbeat("last"))])
    log.scavenge(100, {"GAME_FINISHED"})
    with pytest.raises(LogError, match="ends before what is left there"):
        behind.position()
    for each in (log, behind):
        each.close()


_WRITER = """
import sys
from pathlib import Path
from tests.events.conftest import heartbeat
from jimbot.events.eventstore import EventStoreLog
log = EventStoreLog(Path(sys.argv[1]), sys.argv[2])
for batch in range(1_000_000):
    ids = [f"{sys.argv[3]}-{batch}-{n}" for n in range(batch % 5 + 1)]
    log.append([("s", heartbeat(one)) for one in ids])
    print(*ids, flush=True)
"""


def test_killed_writers_lose_and_repeat_nothing(
    tmp_path: Path, eventstore: EventStoreServer
) -> None:
    acknowledged: list[str] = []
    address = f"esdb://127.0.0.1:{eventstore.port}?tls=false"
    for generation in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _WRITER, tmp_path / "mirror.sqlite", address, str(generation)],
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(4 + 9 * generation):
            acknowledged += child.stdout.readline().split()
        child.send_signal(signal.SIGKILL)
        for line in child.communicate(timeout=10)[0].splitlines(keepends=True):
            if line.endswith("\n"):
                acknowledged += line.split()
    log = opened(tmp_path, eventstore.port, timeout_s=5)
    found = [r.event.event_id for r in log.read(limit=10**6)]
    known = set(acknowledged)
    assert [one for one in found if one in known] == acknowledged
    assert len(found) == len(set(found)) == len(stored(eventstore))
    log.close()


def test_the_table_chooses_the_engine(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    from jimbot.appliance.stores import Engine, Stores

    chosen = Stores(log=Engine(engine="server", address="esdb://127.0.0.1:1?tls=false"))
    monkeypatch.setattr("jimbot.appliance.stores.stores", lambda: chosen)
    log = open_log(home)
    assert isinstance(log, EventStoreLog)
    log.close()
    assert not home.event_log.exists()
