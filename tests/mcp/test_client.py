from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websockets

from jimbot.events import Event, EventError
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.client import EventClient, OutboxError
from jimbot.mcp.journal import Audit, Auditor
from jimbot.operations.ports import free as free_ports
from tests.mcp.conftest import Running, heartbeat


@contextmanager
def scripted(*conversations: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A server that plays one script per connection, in turn, then refuses to talk."""
    scripts = iter(conversations)

    def handle(socket: ServerConnection) -> None:
        script = next(scripts, None)
        if script is not None:
            script(socket)

    with serve_websockets(handle, "127.0.0.1", 0, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()
        thread.join()


def ids_of(frame: str | bytes) -> list[str]:
    return [event["event_id"] for event in json.loads(frame)["events"]]


def ack(ids: list[str]) -> str:
    return json.dumps({"type": "ack", "event_ids": ids})


@pytest.fixture
def clients() -> Iterator[Callable[..., EventClient]]:
    made: list[EventClient] = []

    def make(url: str, **options: object) -> EventClient:
        made.append(EventClient(url, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for client in made:
        client.close(0)


def test_events_arrive_in_order_and_are_journaled(
    server: Running, log: SQLiteEventLog, tmp_path: Path, clients: Callable[..., EventClient]
) -> None:
    client = clients(server.url, journal=tmp_path / "journal")
    for n in range(1200):
        client.send(heartbeat(f"e{n}"))
    assert client.flush(10)
    assert (client.acknowledged, client.pending, client.rejected) == (1200, 0, 0)
    assert [r.event.event_id for r in log.read(limit=2000)] == [f"e{n}" for n in range(1200)]
    assert Auditor(tmp_path / "journal", log).audit() == Audit(1200, 1200, [])
    assert client.close()
    with pytest.raises(OutboxError, match="closed"):
        client.send(heartbeat("late"))


def test_it_waits_for_a_server_that_is_not_there_yet(
    serve: Callable[[SQLiteEventLog], Running],
    log: SQLiteEventLog,
    clients: Callable[..., EventClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (port,) = free_ports(1)
    client = clients(f"ws://127.0.0.1:{port}")
    client.send(heartbeat("e1"))
    assert client.flush(0.3) is False
    assert client.pending == 1
    real = "jimbot.mcp.server.EventServer.__init__"
    from jimbot.mcp.server import EventServer

    init = EventServer.__init__
    monkeypatch.setattr(
        real, lambda self, committer, metrics, _: init(self, committer, metrics, port)
    )
    serve(log)
    assert client.flush(10)
    assert log.contains(["e1"]) == {"e1"}


def test_what_was_not_acknowledged_is_sent_again_after_a_drop(
    clients: Callable[..., EventClient],
) -> None:
    seen: list[list[str]] = []

    def acknowledges_half_and_drops(socket: ServerConnection) -> None:
        while len(ids := ids_of(socket.recv())) < 4:
            socket.send(ack(ids))
        seen.append(ids)
        socket.send(ack(ids[:2]))
        socket.socket.close()

    def acknowledges(socket: ServerConnection) -> None:
        seen.append(ids_of(socket.recv()))
        socket.send(ack(seen[-1]))

    with scripted(acknowledges_half_and_drops, acknowledges) as url:
        client = clients(url)
        with client._changed:  # so that all go in one batch
            for n in range(4):
                client.send(heartbeat(f"e{n}"))
        assert client.flush(10)
        assert seen == [["e0", "e1", "e2", "e3"], ["e2", "e3"]]
        assert client.acknowledged == 4


def test_send_blocks_while_the_outbox_is_full(clients: Callable[..., EventClient]) -> None:
    go = threading.Event()

    def slow(socket: ServerConnection) -> None:
        for frame in socket:
            go.wait(10)
            socket.send(ack(ids_of(frame)))

    with scripted(slow) as url:
        client = clients(url, capacity=3)
        for n in range(3):
            client.send(heartbeat(f"e{n}"))
        began = time.monotonic()
        with pytest.raises(OutboxError, match="3 events wait"):
            client.send(heartbeat("one too many"), timeout=0.2)
        assert time.monotonic() - began >= 0.2
        threading.Timer(0.2, go.set).start()
        client.send(heartbeat("e3"))
        assert go.is_set()
        assert client.flush(10)
        assert client.acknowledged == 4


def test_closing_wakes_a_sender_that_waits(clients: Callable[..., EventClient]) -> None:
    client = clients(f"ws://127.0.0.1:{free_ports(1)[0]}", capacity=1)
    client.send(heartbeat("e0"))
    threading.Timer(0.2, client.close, [0]).start()
    with pytest.raises(OutboxError, match="closed"):
        client.send(heartbeat("e1"))


def test_closing_says_what_was_left(
    clients: Callable[..., EventClient], caplog: pytest.LogCaptureFixture
) -> None:
    client = clients(f"ws://127.0.0.1:{free_ports(1)[0]}")
    client.send(heartbeat("e0"))
    began = time.monotonic()
    assert client.close(timeout=0.1) is False
    assert time.monotonic() - began < 2
    assert "1 events" in caplog.text
    assert not client._thread.is_alive()


def test_closing_while_an_answer_is_awaited(clients: Callable[..., EventClient]) -> None:
    def silent(socket: ServerConnection) -> None:
        for _ in socket:
            pass

    with scripted(silent) as url:
        client = clients(url)
        client.send(heartbeat("e0"))
        time.sleep(0.2)
        began = time.monotonic()
        assert client.close(timeout=0.1) is False
        assert time.monotonic() - began < 2
        assert not client._thread.is_alive()


def test_a_refused_event_is_dropped_counted_and_logged(
    clients: Callable[..., EventClient], caplog: pytest.LogCaptureFixture
) -> None:
    def refuses_bad(socket: ServerConnection) -> None:
        for frame in socket:
            for one in ids_of(frame):
                if one == "bad":
                    socket.send(
                        json.dumps(
                            {"type": "error", "code": "c", "reason": "no good", "event_id": one}
                        )
                    )
                else:
                    socket.send(ack([one]))

    with scripted(refuses_bad) as url:
        client = clients(url)
        for one in ("e1", "bad", "e2"):
            client.send(heartbeat(one))
        assert client.flush(10)
        assert (client.acknowledged, client.rejected) == (2, 1)
        assert "refused event bad: no good" in caplog.text


def test_a_full_disk_on_the_other_side_is_waited_out(
    clients: Callable[..., EventClient], caplog: pytest.LogCaptureFixture
) -> None:
    def full_for_a_while(socket: ServerConnection) -> None:
        ids = ids_of(socket.recv())
        for _ in range(3):
            socket.send('{"type": "error", "code": "storage_unavailable", "reason": "full"}')
        time.sleep(0.1)
        assert client.pending == 1
        socket.send(ack(ids))

    with scripted(full_for_a_while) as url, caplog.at_level(logging.WARNING):
        client = clients(url)
        client.send(heartbeat("e1"))
        assert client.flush(10)
        assert caplog.text.count("has not stored events yet: full") == 1


def test_a_server_that_speaks_nonsense_is_tried_again(clients: Callable[..., EventClient]) -> None:
    def nonsense(socket: ServerConnection) -> None:
        socket.recv()
        socket.send("moo")

    def sane(socket: ServerConnection) -> None:
        for frame in socket:
            socket.send(ack(ids_of(frame)))

    with scripted(nonsense, nonsense, sane) as url:
        client = clients(url)
        client.send(heartbeat("e1"))
        assert client.flush(10)


def test_what_the_server_would_refuse_is_refused_at_once(
    clients: Callable[..., EventClient],
) -> None:
    client = clients(f"ws://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(EventError, match="unknown event type"):
        client.send(Event(type="DANCE", source="x"))
    with pytest.raises(EventError, match="JSON"):
        client.send(Event(type="DIAGNOSTIC", source="x", payload={"a": float("inf")}))
    with pytest.raises(EventError, match="bytes"):
        client.send(Event(type="DIAGNOSTIC", source="x", payload={"a": "x" * (1 << 20)}))
    assert client.pending == 0


def test_large_events_are_sent_in_frames_that_the_server_takes(
    server: Running, log: SQLiteEventLog, clients: Callable[..., EventClient]
) -> None:
    client = clients(server.url)
    for n, size in enumerate([1_040_000, 400_000, 400_000, 10, 1_040_000]):
        client.send(heartbeat(f"e{n}", filler="x" * size))
    assert client.flush(10)
    assert (client.acknowledged, client.rejected) == (5, 0)


def test_a_journal_that_cannot_be_written_does_not_stop_the_events(
    server: Running,
    tmp_path: Path,
    clients: Callable[..., EventClient],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr("jimbot.mcp.journal.JournalWriter.write", fail)
    client = clients(server.url, journal=tmp_path / "journal")
    client.send(heartbeat("e1"))
    assert client.flush(10)
    assert "1 acknowledged events are not in the journal: no space" in caplog.text


def test_importing_it_is_light() -> None:
    code = (
        "import sys, jimbot.mcp.client\n"
        "heavy = {'ray', 'torch', 'gymnasium', 'fastapi', 'uvicorn', 'numpy', 'jimbot.game'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=20)
