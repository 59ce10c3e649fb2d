"""mcp while EventStoreDB is away, from its start on: it says so, acknowledges nothing, and takes up
what it was sent as soon as the server is back."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jimbot.events import EventLog, LogError
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.mcp.client import EventClient
from tests.mcp.conftest import Running, Service, dial, hear, heartbeat
from tests.proxy import Mode, Proxy


@pytest.fixture
def door(service: Service, eventstore: Any) -> Iterator[Proxy]:
    """The door in front of the EventStoreDB that the service's table names; shut."""
    door = Proxy(eventstore.port)
    door.mode = "refuse"
    table = service.table.read_text()
    for name, value in (("timeout_s", "0.5"), ("breaker_open_s", "0.2")):
        table = re.sub(rf"(\[stores\](?:\n.+)*?\n{name}) = .*", rf"\1 = {value}", table)
    log = f'[stores.log]\nengine = "server"\naddress = "esdb://127.0.0.1:{door.port}?tls=false"\n'
    table, found = re.subn(r"\[stores\.log\]\n.*\n.*\n", log, table)
    assert found == 1
    service.table.write_text(table)
    yield door
    door.close()


def health(service: Service) -> tuple[int, dict[str, Any]]:
    status, text = service.get("/health")
    return status, json.loads(text) if text else {}


def post(service: Service, event_id: str) -> tuple[int, dict[str, Any]]:
    """An event by HTTP, as the mod sends it."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{service.http_port}/api/v1/events",
        heartbeat(event_id).model_dump_json(exclude_none=True).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("mode", ["refuse", "hang"])
def test_it_starts_without_its_log_says_so_and_catches_up(
    service: Service, door: Proxy, eventstore: Any, mode: Mode
) -> None:
    door.mode = mode
    service.start(wait=False)
    service.wait_until(lambda: health(service)[0] == 503)
    _, said = health(service)
    assert said["status"] == "fail"
    assert "away" in said["reason"]
    assert "EventStoreDB" in said["hint"]
    assert said["details"]["log_position"] == 0, "none told, for analytics"
    client = EventClient(service.url)
    for n in range(50):
        client.send(heartbeat(f"e{n}"))
    with dial(service.url) as socket:
        socket.send(heartbeat("f0").model_dump_json(exclude_none=True))
        refused = hear(socket)
        assert refused["code"] == "storage_unavailable"
        assert "away" in refused["reason"]
        assert not client.flush(1)
        assert client.acknowledged == 0
        assert not eventstore.streams
        door.mode = "refuse"  # what hung does not come late as well
        door.mode = "open"
        while (answer := hear(socket, 20)).get("type") != "ack":
            assert answer["code"] == "storage_unavailable"
        assert answer["event_ids"] == ["f0"]
    assert client.flush(20)
    assert client.acknowledged == 50
    client.close()
    service.wait_until(lambda: health(service)[0] == 200)
    status, said = health(service)
    assert (status, said["status"], said["details"]["log_position"]) == (200, "ok", 51)
    stored = [json.loads(it.metadata)["event_id"] for it in eventstore.streams["jimbot"]]
    assert sorted(stored) == sorted([*(f"e{n}" for n in range(50)), "f0"])


def test_its_health_mends_without_an_event(service: Service, door: Proxy) -> None:
    service.start(wait=False)
    service.wait_until(lambda: health(service)[0] == 503)
    door.mode = "open"
    service.wait_until(lambda: health(service)[0] == 200)
    assert post(service, "e1") == (200, {"acknowledged": ["e1"], "errors": []})


def test_the_mod_is_told_to_send_again(service: Service, door: Proxy, eventstore: Any) -> None:
    service.start(wait=False)
    service.wait_until(lambda: health(service)[0] == 503)
    status, told = post(service, "e1")
    assert (status, told["code"]) == (503, "storage_unavailable")
    assert "away" in told["reason"]
    door.mode = "open"
    service.wait_until(lambda: health(service)[0] == 200)
    assert post(service, "e1")[0] == 200
    assert len(eventstore.streams["jimbot"]) == 1


def test_it_stops_at_once_while_its_log_is_away(service: Service, door: Proxy) -> None:
    service.start(wait=False)
    service.wait_until(lambda: health(service)[0] == 503)
    code, seconds = service.end()
    assert code == 0
    assert seconds < 5


class Away(SQLiteEventLog):
    """A log on a server that is away, until it is `back`."""

    back = False

    def _there(self) -> None:
        if not self.back:
            raise LogError("the log is away", hint="Wait")

    def append(self, *args: Any, **options: Any) -> Any:
        self._there()
        return super().append(*args, **options)

    def position(self) -> int:
        self._there()
        return super().position()

    def contains(self, event_ids: Any) -> set[str]:
        self._there()
        return super().contains(event_ids)


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Away]:
    """Holds `old-0` to `old-2` already."""
    log = Away(tmp_path / "log.sqlite")
    log.back = True
    log.append([("s", heartbeat(f"old-{n}")) for n in range(3)])
    log.back = False
    yield log
    log.close()


def say(socket: Any, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def hear_kind(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        message = hear(socket, 10)
        if message["type"] == kind:
            return message


def ids(frame: dict[str, Any]) -> list[str]:
    return [it["event"]["event_id"] for it in frame["events"]]


def hello(socket: Any, **fields: Any) -> dict[str, Any]:
    wanted = ["events", "subscribe"]
    say(socket, "hello", protocol=1, client="test", capabilities=wanted, **fields)
    return hear_kind(socket, "welcome")


def test_a_subscriber_of_a_log_that_is_away_gets_what_comes_and_no_more(
    serve: Callable[..., Running], away: Away
) -> None:
    running = serve(away)
    assert running.committer.health().reason == "the log is away"
    with dial(running.url) as socket, dial(running.url) as other:
        hello(socket)
        say(socket, "subscribe")
        hello(other)
        say(other, "subscribe", after=1)
        socket.send(heartbeat("new").model_dump_json(exclude_none=True))
        assert hear_kind(socket, "error")["code"] == "storage_unavailable"
        away.back = True
        assert ids(hear_kind(socket, "events")) == ["new"]
        assert ids(hear_kind(other, "events")) == ["old-1", "old-2", "new"]
    assert running.committer.health().status == "ok"
    assert running.committer.position == 4


def test_sessions_outlive_a_server_that_starts_before_its_log(
    serve: Callable[..., Running], away: Away, tmp_path: Path
) -> None:
    kept = tmp_path / "sessions.json"
    away.back = True
    old = serve(away, kept=kept)
    with dial(old.url) as socket:
        session = hello(socket)["session"]
        say(socket, "subscribe", after=0)
        assert hear_kind(socket, "events")["last"] == 3
        socket.send(heartbeat("e1").model_dump_json(exclude_none=True))
        hear_kind(socket, "ack")
        assert hear_kind(socket, "events")["last"] == 4
    old.stop()
    away.append([("s", heartbeat("between"))])
    away.back = False
    new = serve(away, kept=kept)
    with dial(new.url) as socket:
        welcome = hello(socket, session=session)
        assert (welcome["session"], welcome["resumed"]) == (session, True)
        assert "last_event_id" not in welcome, "nobody knows whether this log has it"
        say(socket, "subscribe")
        socket.send(heartbeat("e1").model_dump_json(exclude_none=True))
        hear_kind(socket, "error")
        away.back = True
        assert hear_kind(socket, "ack")["event_ids"] == ["e1"]
        assert ids(hear_kind(socket, "events")) == ["between"]


def test_a_cursor_beyond_the_log_begins_at_its_end(
    serve: Callable[..., Running], away: Away
) -> None:
    """As of a subscriber of a log that was longer, before a backup of it was restored."""
    running = serve(away)
    with dial(running.url) as socket:
        hello(socket)
        say(socket, "subscribe", after=100)
        away.back = True
        socket.send(heartbeat("new").model_dump_json(exclude_none=True))
        assert ids(hear_kind(socket, "events")) == ["new"]


def test_a_log_that_is_long_in_coming_keeps_nobody_waiting(
    serve: Callable[..., Running], away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    def filling(self: EventLog) -> int:
        while not away.back:
            time.sleep(0.01)
        return SQLiteEventLog.position(away)

    monkeypatch.setattr(Away, "position", filling)
    running = serve(away)
    told = running.committer.health()
    assert told.status == "warn"
    assert told.reason
    assert told.hint
    with dial(running.url) as socket:
        socket.send(heartbeat("new").model_dump_json(exclude_none=True))
        away.back = True
        assert hear(socket, 10) == {"type": "ack", "event_ids": ["new"]}
    assert running.committer.health().status == "ok"
