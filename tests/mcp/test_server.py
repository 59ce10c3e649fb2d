from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from jimbot.events import Appended, Event, LogError
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp import server as server_module
from jimbot.mcp.protocol import MAX_FRAME_BYTES, encode_batch, encode_event
from tests.mcp.conftest import Running, dial, hear, heartbeat


def say(socket: ClientConnection, *events: Event) -> None:
    socket.send(encode_batch("b", [encode_event(event) for event in events]))


def hear_acknowledged(socket: ClientConnection, count: int) -> list[str]:
    ids: list[str] = []
    while len(ids) < count:
        answer = hear(socket)
        assert answer["type"] == "ack", answer
        ids += answer["event_ids"]
    return ids


class Switched(SQLiteEventLog):
    """A log whose disk can be full or slow."""

    full = False
    slow_s = 0.0

    def append(self, items: Sequence[tuple[str, Event]]) -> list[Appended]:
        time.sleep(self.slow_s)
        if self.full:
            raise LogError("cannot write to the event log: database or disk is full", hint="Free")
        return super().append(items)


@pytest.fixture
def log(tmp_path) -> Switched:  # type: ignore[no-untyped-def,override]
    log = Switched(tmp_path / "log.sqlite")
    yield log
    log.close()


def test_an_event_is_acknowledged_once_it_is_stored(server: Running, log: Switched) -> None:
    with dial(server.url) as socket:
        socket.send(encode_event(heartbeat("e1")))
        assert hear(socket) == {"type": "ack", "event_ids": ["e1"]}
        assert [r.stream for r in log.read()] == ["source-test"]
        say(socket, heartbeat("e2", game_id="g7"), heartbeat("e3"))
        assert hear(socket) == {"type": "ack", "event_ids": ["e2", "e3"]}
        assert [r.event.event_id for r in log.read_stream("game-g7")] == ["e2"]


def test_a_duplicate_is_acknowledged_and_not_stored_twice(server: Running, log: Switched) -> None:
    with dial(server.url) as socket:
        say(socket, heartbeat("e1"), heartbeat("e1"))
        assert hear_acknowledged(socket, 2) == ["e1", "e1"]
        say(socket, heartbeat("e1"))
        assert hear_acknowledged(socket, 1) == ["e1"]
    assert log.count() == 1
    assert server.metrics.counts().acknowledged == 3
    assert server.metrics.counts().duplicates == 2


def test_two_connections_send_the_same_event_at_once(server: Running, log: Switched) -> None:
    log.slow_s = 0.02
    ids = [f"e{n}" for n in range(40)]
    heard: list[list[str]] = []

    def talk() -> None:
        with dial(server.url) as socket:
            for one in ids:
                socket.send(encode_event(heartbeat(one)))
            heard.append(hear_acknowledged(socket, len(ids)))

    threads = [threading.Thread(target=talk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == [ids, ids]
    assert [r.event.event_id for r in log.read()] == ids


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "not_json"),
        ("[1, 2]", "invalid_frame"),
        (b"\x00\x01", "invalid_frame"),
        ('{"type": "DANCE", "source": "x", "event_id": "d"}', "unknown_type"),
        (
            '{"type": "HEARTBEAT", "source": "x", "event_id": "d", "version": 9}',
            "unsupported_version",
        ),
        ('{"type": "HEARTBEAT", "source": "x", "event_id": "d"}', "invalid_event"),
        ("x" * (MAX_FRAME_BYTES + 1), "too_large"),
        ("x" * (3 * MAX_FRAME_BYTES), "too_large"),
    ],
)
def test_malformed_input_gets_an_error_and_the_connection_stays(
    server: Running, log: Switched, frame: str | bytes, code: str
) -> None:
    with dial(server.url) as socket:
        socket.send(frame)
        answer = hear(socket)
        assert (answer["type"], answer["code"]) == ("error", code)
        assert answer["reason"]
        if "event_id" in str(frame):
            assert answer["event_id"] == "d"
        socket.send(encode_event(heartbeat("after")))
        assert hear(socket) == {"type": "ack", "event_ids": ["after"]}
    assert log.count() == 1
    assert server.metrics.counts().rejected == {code: 1}


def test_a_bad_event_in_a_batch_does_not_cost_the_others(server: Running, log: Switched) -> None:
    bad = encode_event(Event(type="DANCE", source="x", event_id="bad"))
    with dial(server.url) as socket:
        socket.send(
            encode_batch("b", [encode_event(heartbeat("1")), bad, encode_event(heartbeat("2"))])
        )
        answers = [hear(socket), hear(socket)]
    assert {"type": "ack", "event_ids": ["1", "2"]} in answers
    assert [(a["code"], a["event_id"]) for a in answers if a["type"] == "error"] == [
        ("unknown_type", "bad")
    ]


def test_a_frame_that_is_far_too_large_ends_its_connection_only(server: Running) -> None:
    with dial(server.url) as other, dial(server.url) as socket:
        with contextlib.suppress(ConnectionClosed):  # in the middle of sending, or after it
            socket.send("x" * (9 * MAX_FRAME_BYTES))
        with pytest.raises(ConnectionClosed) as caught:
            hear(socket)
        assert caught.value.rcvd is None or caught.value.rcvd.code == 1009
        other.send(encode_event(heartbeat("e")))
        assert hear(other)["event_ids"] == ["e"]


def test_a_page_in_a_browser_is_turned_away(server: Running) -> None:
    with pytest.raises(InvalidStatus) as caught, dial(server.url, origin="http://evil.example"):
        pass
    assert caught.value.response.status_code == 403


def test_connections_are_limited(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "_CONNECTIONS", 2)
    with dial(server.url), dial(server.url):
        with pytest.raises(InvalidStatus) as caught, dial(server.url):
            pass
        assert caught.value.response.status_code == 503
    end = time.monotonic() + 5
    while server.server.connections and time.monotonic() < end:
        time.sleep(0.01)
    with dial(server.url) as socket:
        socket.send(encode_event(heartbeat("e")))
        assert hear(socket)["event_ids"] == ["e"]


def test_many_frames_share_one_commit(server: Running, log: Switched) -> None:
    log.slow_s = 0.1
    appends = 0
    append = log.append

    def counted(items: Sequence[tuple[str, Event]]) -> list[Appended]:
        nonlocal appends
        appends += 1
        return append(items)

    log.append = counted  # type: ignore[method-assign]
    with dial(server.url) as one, dial(server.url) as two:
        for n in range(50):
            one.send(encode_event(heartbeat(f"one-{n}")))
            two.send(encode_event(heartbeat(f"two-{n}")))
        assert hear_acknowledged(one, 50) == [f"one-{n}" for n in range(50)]
        assert hear_acknowledged(two, 50) == [f"two-{n}" for n in range(50)]
    assert appends <= 10


def test_a_full_disk_is_told_nothing_acknowledged_and_it_recovers(
    server: Running, log: Switched
) -> None:
    log.full = True
    with dial(server.url) as socket, dial(server.url) as other:
        say(socket, heartbeat("e1"), heartbeat("e2"))
        answer = hear(socket)
        assert (answer["type"], answer["code"]) == ("error", "storage_unavailable")
        assert "disk is full" in answer["reason"]
        health = server.committer.health()
        assert (health.status, health.hint) == ("fail", "Free")
        say(socket, heartbeat("e3"))
        say(other, heartbeat("e2"))
        assert hear(other)["code"] == "storage_unavailable"
        assert hear(socket)["code"] == "storage_unavailable"  # said again: it is being tried
        assert log.count() == 0
        log.full = False
        heard = []
        while len(heard) < 3:
            answer = hear(socket)
            heard += answer.get("event_ids", ())
        assert heard == ["e1", "e2", "e3"]
        while "event_ids" not in (answer := hear(other)):
            pass
        assert answer["event_ids"] == ["e2"]
    assert [r.event.event_id for r in log.read()] == ["e1", "e2", "e3"]
    assert server.committer.health().status == "ok"


def test_a_client_that_sends_too_fast_is_slowed_and_loses_nothing(
    server: Running, log: Switched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a slow disk the server stops reading; what is in flight stays near its limit."""
    monkeypatch.setattr(server_module, "_CONNECTION_BYTES", 200_000)
    log.slow_s = 0.05
    highest = 0
    count = 150
    with dial(server.url) as socket:

        def send() -> None:
            for n in range(count):
                say(socket, heartbeat(f"e{n}", filler="x" * 20_000))

        sender = threading.Thread(target=send)
        sender.start()
        heard: list[str] = []
        while len(heard) < count:
            heard += hear_acknowledged(socket, 1)
            highest = max(highest, server.server.in_flight_bytes)
        sender.join()
    assert heard == [f"e{n}" for n in range(count)]
    assert highest < 300_000
    assert log.count() == count


def test_a_client_that_vanishes_in_the_middle_does_not_disturb(
    server: Running, log: Switched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_CONNECTION_BYTES", 10_000)
    log.slow_s = 0.05
    with dial(server.url) as socket:
        for n in range(20):
            say(socket, heartbeat(f"e{n}", filler="x" * 5000))
        socket.socket.close()
    with dial(server.url) as socket:
        say(socket, heartbeat("after"))
        assert hear_acknowledged(socket, 1) == ["after"]
    end = time.monotonic() + 5
    while server.server.in_flight_bytes and time.monotonic() < end:
        time.sleep(0.01)
    assert server.server.in_flight_bytes == 0


def test_stopping_acknowledges_what_was_read(server: Running, log: Switched) -> None:
    log.slow_s = 0.2
    with dial(server.url) as socket:
        for n in range(10):
            socket.send(encode_event(heartbeat(f"e{n}")))
        time.sleep(0.1)
        took = server.stop()
        heard = [one for frame in socket for one in json.loads(frame)["event_ids"]]
        assert socket.close_code == 1001
    assert heard == [r.event.event_id for r in log.read()] == [f"e{n}" for n in range(10)]
    assert took < 2


def test_stopping_with_a_full_disk_acknowledges_nothing(server: Running, log: Switched) -> None:
    log.full = True
    with dial(server.url) as socket:
        say(socket, heartbeat("e1"))
        assert hear(socket)["code"] == "storage_unavailable"
        assert server.stop() < 2
        assert {json.loads(frame)["type"] for frame in socket} <= {"error"}
        assert socket.close_code == 1001
    assert log.count() == 0


def test_a_write_that_does_not_end_is_told(
    server: Running, log: Switched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimbot.mcp.commit._SLOW_S", 0.1)
    log.slow_s = 0.5
    with dial(server.url) as socket:
        say(socket, heartbeat("e1"))
        time.sleep(0.3)
        assert server.committer.health().status == "warn"
        assert "has not finished" in server.committer.health().reason
        assert hear_acknowledged(socket, 1) == ["e1"]
    assert server.committer.health().status == "ok"


def test_position_goes_on_after_a_restart(
    serve: Callable[[SQLiteEventLog], Running], log: Switched
) -> None:
    log.append([("s", heartbeat("old"))])
    server = serve(log)
    assert server.committer.position == 1
    with dial(server.url) as socket:
        say(socket, heartbeat("old"), heartbeat("new"))
        hear_acknowledged(socket, 2)
    assert server.committer.position == 2
