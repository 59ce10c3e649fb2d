from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client import generate_latest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from jimbot.appliance import Home
from jimbot.events import Event
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp import server as server_module
from jimbot.mcp.balatrobot.mirror import Memory
from jimbot.mcp.balatrobot.state import game_state
from jimbot.mcp.client import EventClient
from jimbot.mcp.decide import Advised, Decider
from jimbot.mcp.messages import SAID_BY_CLIENT, SAID_BY_SERVER, schemas, write_schemas
from jimbot.mcp.protocol import encode_event, receive
from jimbot.mcp.sessions import Sessions
from jimbot.policy import make
from jimbot.security import tokens
from jimbot.security.entrance import Entrance
from tests.mcp.conftest import Running, Service, dial, hear, heartbeat
from tests.security.guarded import Guarded, security

SCHEMAS = Path(__file__).parents[2] / "docs" / "schema"


def say(socket: ClientConnection, kind: str, **fields: Any) -> None:
    socket.send(json.dumps({"type": kind, **fields}))


def hello(socket: ClientConnection, *capabilities: str, **fields: Any) -> dict[str, Any]:
    say(socket, "hello", protocol=1, client="test", capabilities=list(capabilities), **fields)
    return hear(socket)


def hear_kind(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of a kind; every message is held against its schema."""
    while True:
        message = hear(socket)
        Draft202012Validator(schemas()[f"{message['type']}.v1.json"]).validate(message)
        if message["type"] == kind:
            return message
        assert message["type"] in ("heartbeat", "ack"), message


@pytest.fixture
def decider() -> Iterator[Decider]:
    decider = Decider(lambda: make("heuristic"))
    yield decider
    decider.close()


def test_hello_is_welcomed(server: Running) -> None:
    with dial(server.url) as socket:
        welcome = hello(socket, "events", "subscribe", "decisions")
        assert welcome == {
            "type": "welcome",
            "protocol": 1,
            "session": welcome["session"],
            "resumed": False,
            "capabilities": ["events", "subscribe"],  # no decider here
            "heartbeat_s": 5.0,
            "flush_ms": 100,
            "max_frame_bytes": 1 << 20,
        }
        socket.send(encode_event(heartbeat("e1")))
        assert hear_kind(socket, "ack")["event_ids"] == ["e1"]


def test_a_session_goes_on_after_the_last_acknowledged_event(
    server: Running, log: SQLiteEventLog
) -> None:
    with dial(server.url) as socket:
        session = hello(socket, "events")["session"]
        for event_id in ("e1", "e2"):
            socket.send(encode_event(heartbeat(event_id)))
        heard: list[str] = []
        while len(heard) < 2:
            heard += hear_kind(socket, "ack")["event_ids"]
        socket.socket.close()  # a dropped connection
    with dial(server.url) as socket:
        welcome = hello(socket, "events", session=session)
        assert (welcome["session"], welcome["resumed"]) == (session, True)
        assert welcome["last_event_id"] == "e2"
        socket.send(encode_event(heartbeat("e3")))
        hear_kind(socket, "ack")
    assert [entry.event.event_id for entry in log.read()] == ["e1", "e2", "e3"]
    with dial(server.url) as socket:
        assert hello(socket, "events", session="unknown")["resumed"] is False


def _stored(socket: ClientConnection, event_id: str) -> None:
    socket.send(encode_event(heartbeat(event_id)))
    assert hear_kind(socket, "ack")["event_ids"] == [event_id]


def test_a_session_goes_on_at_a_server_that_was_restarted(
    serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path
) -> None:
    kept = tmp_path / "sessions.json"
    old = serve(log, kept=kept)
    with dial(old.url) as socket:
        session = hello(socket, "events", "subscribe")["session"]
        _stored(socket, "e1")
        say(socket, "subscribe", after=0)
        assert hear_kind(socket, "events")["last"] == 1
    old.stop()
    assert kept.stat().st_mode & 0o077 == 0
    new = serve(log, kept=kept)
    with dial(new.url) as socket:
        welcome = hello(socket, "events", "subscribe", session=session)
        assert (welcome["session"], welcome["resumed"]) == (session, True)
        assert welcome["last_event_id"] == "e1"
        _stored(socket, "e2")
        say(socket, "subscribe")
        heard = hear_kind(socket, "events")
        assert [one["event"]["event_id"] for one in heard["events"]] == ["e2"]


def test_a_server_that_stops_sends_nothing_that_it_will_not_remember(
    serve: Callable[..., Running],
    log: SQLiteEventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = Sessions._write

    def slowly(self: Sessions, file: Path, text: str) -> None:
        # Meanwhile there is something new to send.
        log.append([("s", heartbeat("late"))])
        old.committer.position = 2
        time.sleep(0.5)
        write(self, file, text)

    kept = tmp_path / "sessions.json"
    old = serve(log, kept=kept)
    heard: list[int] = []
    with dial(old.url) as socket:
        session = hello(socket, "events", "subscribe")["session"]
        _stored(socket, "e1")
        say(socket, "subscribe", after=0)
        heard.append(hear_kind(socket, "events")["last"])
        monkeypatch.setattr(Sessions, "_write", slowly)
        stopping = threading.Thread(target=old.stop)
        stopping.start()
        with contextlib.suppress(ConnectionClosed):
            while True:
                heard.append(hear_kind(socket, "events")["last"])
    stopping.join()
    monkeypatch.undo()
    with dial(serve(log, kept=kept).url) as socket:
        assert hello(socket, "events", "subscribe", session=session)["resumed"] is True
        say(socket, "subscribe")
        heard.append(hear_kind(socket, "events")["last"])
    assert heard == [1, 2]


def test_a_session_goes_on_at_a_server_that_comes_after_a_killed_one(service: Service) -> None:
    service.start()
    with dial(service.url) as socket:
        session = hello(socket, "events")["session"]
        _stored(socket, "e1")
        file = service.home.run / "mcp-sessions.json"
        service.wait_until(lambda: file.exists() and "e1" in file.read_text())
        service.end(signal.SIGKILL)
    service.start()
    with dial(service.url) as socket:
        welcome = hello(socket, "events", session=session)
        assert (welcome["resumed"], welcome["last_event_id"]) == (True, "e1")


def test_a_session_says_nothing_of_events_that_the_log_has_not(
    serve: Callable[..., Running], tmp_path: Path
) -> None:
    """As after a backup was restored: what came after it is to be sent again."""
    kept = tmp_path / "sessions.json"
    logs = [SQLiteEventLog(tmp_path / name) for name in ("one.sqlite", "other.sqlite")]
    old = serve(logs[0], kept=kept)
    with dial(old.url) as socket:
        session = hello(socket, "events")["session"]
        _stored(socket, "e1")
    old.stop()
    new = serve(logs[1], kept=kept)
    with dial(new.url) as socket:
        welcome = hello(socket, "events", "subscribe", session=session)
        assert welcome["resumed"] is True
        assert "last_event_id" not in welcome
        _stored(socket, "e2")
        say(socket, "subscribe")
        assert hear_kind(socket, "events")["last"] == 1
    new.stop()
    for log in logs:
        log.close()


@pytest.mark.parametrize("text", ["", "{", "{}", "[1]", '[{"id": "x"}]'])
def test_sessions_that_cannot_be_read_are_begun_anew(
    serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path, text: str
) -> None:
    kept = tmp_path / "sessions.json"
    kept.write_text(text)
    with dial(serve(log, kept=kept).url) as socket:
        assert hello(socket, "events", session="x")["resumed"] is False


def test_what_was_seen_of_a_game_outlives_the_server() -> None:
    memory = Memory()
    run = Run("MEMORY", endless=True)
    memory.pack, memory.game = "p_arcana_normal_1", "g"
    memory.see(game_state(run))
    run.step(next(it for it in run.legal_actions() if it.kind == ActionKind.SELECT_BLIND))
    memory.see(game_state(run))
    again = Memory.of(json.loads(json.dumps(memory.state())))
    assert vars(again) == vars(memory)
    assert again.state()["_cards"]


def test_a_new_connection_takes_its_session_over(server: Running) -> None:
    with dial(server.url) as old, dial(server.url) as new:
        session = hello(old)["session"]
        assert hello(new, session=session)["resumed"] is True
        with pytest.raises(ConnectionClosed):
            hear(old)
        new.send(encode_event(heartbeat("e")))
        assert hear_kind(new, "ack")["event_ids"] == ["e"]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "hello"}, "invalid_message"),
        ({"type": "hello", "protocol": "x", "client": "c"}, "invalid_message"),
        ({"type": "hello", "protocol": 2, "client": "c"}, "unsupported_version"),
        ({"type": "hello", "protocol": 1, "client": "c", "capabilities": ["x"]}, "invalid_message"),
        ({"type": "subscribe"}, "out_of_order"),
        ({"type": "subscribe", "after": -1}, "invalid_message"),
        ({"type": "decide", "request_id": "r", "state": {}}, "out_of_order"),
        ({"type": "decide", "request_id": "r"}, "invalid_message"),
        ({"type": "heartbeat", "extra": 1}, "invalid_message"),
        ({"type": ["hello"]}, "invalid_event"),
    ],
)
def test_wrong_messages_are_typed_errors_and_counted(
    server: Running, message: dict[str, Any], code: str
) -> None:
    with dial(server.url) as socket:
        socket.send(json.dumps(message))
        answer = hear_kind(socket, "error")
        assert answer["code"] == code
        if "request_id" in message:
            assert answer["request_id"] == "r"
        assert hello(socket)["type"] == "welcome"
    assert server.metrics.counts().rejected == {code: 1}


def test_hello_twice_and_what_was_not_granted(server: Running) -> None:
    with dial(server.url) as socket:
        hello(socket, "events")
        assert hello(socket)["code"] == "out_of_order"
        say(socket, "subscribe")
        assert "not granted" in hear_kind(socket, "error")["reason"]


def test_both_sides_say_that_they_live(serve: Callable[..., Running], log: SQLiteEventLog) -> None:
    server = serve(log, heartbeat_s=0.05)
    with dial(server.url) as socket:
        with pytest.raises(TimeoutError):
            hear(socket, timeout=0.2)  # the simple protocol stays silent
        hello(socket)
        assert [hear(socket)["type"] for _ in range(3)] == ["heartbeat"] * 3
    with dial(serve(log).url) as socket:
        say(socket, "heartbeat")
        assert hear(socket)["type"] == "heartbeat"


def test_a_subscriber_gets_what_is_stored_in_order_and_aggregated(
    server: Running, log: SQLiteEventLog
) -> None:
    log.append([("s", heartbeat("before"))])
    server.committer.position = 1
    with dial(server.url) as reader, dial(server.url) as writer:
        hello(reader, "subscribe")
        say(reader, "subscribe")
        began = time.monotonic()
        for n in range(60):
            writer.send(encode_event(heartbeat(f"e{n}")))
        heard: list[dict[str, Any]] = []
        batches = 0
        while len(heard) < 60:
            batch = hear_kind(reader, "events")
            batches += 1
            heard += batch["events"]
            assert batch["last"] == batch["events"][-1]["position"]
        assert [entry["event"]["event_id"] for entry in heard] == [f"e{n}" for n in range(60)]
        assert [entry["position"] for entry in heard] == list(range(2, 62))
        assert batches <= 2 + (time.monotonic() - began) / 0.1
        say(reader, "subscribe", after=0, types=["HEARTBEAT"])
        assert hear_kind(reader, "events")["events"][0]["event"]["event_id"] == "before"
        say(reader, "subscribe", after=0, types=["GAME_FINISHED"])
        say(reader, "heartbeat")
        assert hear(reader)["type"] == "heartbeat"
        say(reader, "unsubscribe")
        writer.send(encode_event(heartbeat("unheard")))
        heard_kinds = []
        with contextlib.suppress(TimeoutError):
            while True:
                heard_kinds.append(hear(reader, timeout=0.3)["type"])
        assert "events" not in heard_kinds


def test_a_subscription_goes_on_where_it_was(server: Running) -> None:
    with dial(server.url) as writer:
        with dial(server.url) as reader:
            session = hello(reader, "subscribe")["session"]
            say(reader, "subscribe")
            writer.send(encode_event(heartbeat("e1")))
            assert hear_kind(reader, "events")["last"] == 1
        writer.send(encode_event(heartbeat("e2")))
        hear(writer)
        with dial(server.url) as reader:
            hello(reader, "subscribe", session=session)
            say(reader, "subscribe")
            events = hear_kind(reader, "events")["events"]
            assert [entry["event"]["event_id"] for entry in events] == ["e2"]


def test_a_slow_subscriber_loses_nothing_and_holds_nobody_up(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "_PAGE_BYTES", 20_000)
    count = 300
    with dial(server.url, max_queue=1) as reader, dial(server.url) as writer:
        hello(reader, "subscribe")
        say(reader, "subscribe")
        began = time.monotonic()
        for n in range(count):
            writer.send(encode_event(heartbeat(f"e{n}", filler="x" * 10_000)))
        stored = 0
        while stored < count:
            stored += len(hear_kind(writer, "ack")["event_ids"])
        assert time.monotonic() - began < 15
        time.sleep(0.5)  # while nobody reads
        heard = 0
        while heard < count:
            heard += len(hear_kind(reader, "events")["events"])


def decide(socket: ClientConnection, run: Run, **fields: Any) -> dict[str, Any]:
    say(socket, "decide", **{"request_id": "r1", "state": game_state(run), **fields})
    return hear(socket)


def test_a_game_is_played_by_decisions(
    serve: Callable[..., Running], log: SQLiteEventLog, decider: Decider
) -> None:
    from jimbot.mcp.balatrobot.methods import Game
    from tests.mcp.balatrobot.conftest import Memory

    server = serve(log, decider=decider)
    game = Game(Memory())
    game.call("start", {"deck": "RED", "stake": "WHITE", "seed": "WS"})
    with dial(server.url) as socket:
        assert "decisions" in hello(socket, "decisions")["capabilities"]
        for number in range(25):
            assert game.run is not None
            if game.run.over:
                break
            decision = decide(
                socket, game.run, request_id=f"r{number}", deadline_ms=5000, alternatives=5
            )
            Draft202012Validator(schemas()["decision.v1.json"]).validate(decision)
            assert (decision["request_id"], decision["source"]) == (f"r{number}", "policy")
            assert decision["policy"] == "heuristic"
            assert decision["asked_claude"] is False
            assert len(decision["alternatives"]) == min(5, decision["alternatives_total"])
            for move in decision["alternatives"]:
                assert move != decision["action"]
            game.call(decision["action"]["method"], decision["action"]["params"])
        assert game.run.round >= 1
    exposed = generate_latest(server.metrics.registry).decode()
    assert 'jimbot_mcp_decisions_total{source="policy"}' in exposed


class Slow:
    name = "slow"
    confidence = 1.0

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def act(self, run: Run) -> Action:
        time.sleep(self._seconds)
        return Action(ActionKind.SELECT_BLIND)


def test_a_late_or_broken_policy_is_replaced_in_time(
    serve: Callable[..., Running], log: SQLiteEventLog
) -> None:
    slow = Decider(lambda: Slow(2.0))
    broken = Decider(lambda: Slow(-1))  # sleeping for less than nothing is an error
    run = Run("LATE", endless=True)
    run.step(Action(ActionKind.SELECT_BLIND))
    for one in (slow, broken):
        server = serve(log, decider=one)
        with dial(server.url) as socket:
            hello(socket, "decisions")
            for number in range(3):  # more than there are threads
                began = time.monotonic()
                decision = decide(socket, run, request_id=f"r{number}", deadline_ms=100)
                assert time.monotonic() - began < 1.5
                assert (decision["source"], decision["confidence"]) == ("fallback", 0)
                assert decision["action"]["method"] == "play"
        one.close()


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"state": "MENU"},
        {"state": "GAME_OVER"},
        {"state": "SHOP"},
        {"state": ["SHOP"]},
        {"state": "SHOP", "round_num": 1, "ante_num": 1, "money": 1, "jokers": {"cards": [{}]}},
    ],
)
def test_states_without_a_decision_are_refused(
    serve: Callable[..., Running], log: SQLiteEventLog, decider: Decider, state: dict[str, Any]
) -> None:
    server = serve(log, decider=decider)
    with dial(server.url) as socket:
        hello(socket, "decisions")
        say(socket, "decide", request_id="r", state=state)
        error = hear_kind(socket, "error")
        assert (error["code"], error["request_id"]) == ("no_decision", "r")
        assert decide(socket, Run("NEXT", endless=True), deadline_ms=5000)["type"] == "decision"


class Oracle:
    """An adviser with an opinion."""

    def __init__(self, action: Action | None) -> None:
        self.action = action

    def wants(self, run: Run, confidence: float, left_s: float) -> bool:
        return True

    async def advise(self, run: Run, action: Action, left_s: float, game: str = "") -> Advised:
        return Advised(self.action, True)

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None: ...

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None: ...


@pytest.mark.parametrize(
    ("advice", "source", "method"),
    [
        (Action(ActionKind.SKIP_BLIND), "claude", "skip"),
        (Action(ActionKind.CASH_OUT), "policy", "select"),
        (None, "policy", "select"),
    ],
)
def test_the_decision_says_whether_claude_was_asked(
    serve: Callable[..., Running],
    log: SQLiteEventLog,
    advice: Action | None,
    source: str,
    method: str,
) -> None:
    decider = Decider(lambda: make("heuristic"), Oracle(advice))
    server = serve(log, decider=decider)
    with dial(server.url) as socket:
        hello(socket, "decisions")
        decision = decide(socket, Run("ASK", endless=True), deadline_ms=5000)
        assert decision["asked_claude"] is True
        assert (decision["source"], decision["action"]["method"]) == (source, method)
    decider.close()


def test_tokens(serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "guarded")
    server = serve(log, entrance=guarded.entrance)
    token = guarded.tokens["player"]
    with dial(server.url) as socket:
        socket.send(encode_event(heartbeat("e1")))
        assert hear(socket)["code"] == "unauthorised"
        say(socket, "subscribe")
        assert hear(socket)["code"] == "unauthorised"
        assert hello(socket, "events", token="wrong")["code"] == "unauthorised"
        assert hello(socket, "events")["code"] == "unauthorised"
        assert hello(socket, "events", token=token)["type"] == "welcome"
        socket.send(encode_event(heartbeat("e2")))
        assert hear_kind(socket, "ack")["event_ids"] == ["e2"]
    assert [entry.event.event_id for entry in log.read()] == ["e2"]
    assert server.metrics.counts().rejected == {"unauthorised": 4}
    client = EventClient(server.url, token=token)
    client.send(heartbeat("e3"))
    assert client.close(10)
    stranger = EventClient(server.url)
    stranger.send(heartbeat("e4"))
    assert not stranger.close(0.3)
    assert log.count() == 2


def test_a_role_limits_what_a_session_may(
    serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path
) -> None:
    guarded = Guarded(tmp_path / "guarded")
    server = serve(log, entrance=guarded.entrance)
    with dial(server.url) as socket:
        welcome = hello(socket, "events", "subscribe", token=guarded.tokens["viewer"])
        assert welcome["capabilities"] == ["subscribe"]
        socket.send(encode_event(heartbeat("e1")))
        assert hear(socket)["code"] == "unauthorised"
    assert log.count() == 0


def test_a_revoked_token_ends_its_connection(
    serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path
) -> None:
    guarded = Guarded(tmp_path / "guarded")
    server = serve(log, entrance=guarded.entrance)
    with (
        dial(server.url) as gone,
        dial(server.url) as kept,
    ):
        assert hello(gone, "events", token=guarded.tokens["player"])["type"] == "welcome"
        assert hello(kept, "events", token=guarded.tokens["operator"])["type"] == "welcome"
        guarded.revoke("player")
        with pytest.raises(ConnectionClosed) as closed:
            gone.recv(timeout=10)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        kept.send(encode_event(heartbeat("e1")))
        assert hear_kind(kept, "ack")["event_ids"] == ["e1"]


def test_the_first_token_ends_the_open_connections(
    serve: Callable[..., Running], log: SQLiteEventLog, tmp_path: Path
) -> None:
    home = Home(tmp_path / "home")
    home.prepare()
    server = serve(log, entrance=Entrance.of(security(), home))
    with dial(server.url) as socket:
        assert hello(socket, "events")["type"] == "welcome"
        tokens.create(home, security(), "game", "player")
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)


def test_who_says_no_hello_in_time_is_sent_away(
    serve: Callable[..., Running],
    log: SQLiteEventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jimbot.mcp.server._HELLO_S", 0.1)
    server = serve(log, entrance=Guarded(tmp_path / "guarded").entrance)
    with dial(server.url) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=10)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_the_programs_of_the_home_show_its_own_token(
    serve: Callable[..., Running],
    log: SQLiteEventLog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guarded = Guarded(tmp_path / "guarded")
    server = serve(log, entrance=guarded.entrance)
    monkeypatch.setenv("JIMBOT_HOME", str(guarded.home.path))
    client = EventClient(server.url)
    client.send(heartbeat("e1"))
    assert client.close(10)


def test_sessions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jimbot.mcp.sessions._REMEMBERED", 3)
    sessions = Sessions()
    first, _ = sessions.open("c", None, 0)
    for _ in range(2):
        sessions.open("c", None, 0)
    assert sessions.open("c", first.id, 0) == (first, True)
    sessions.open("c", None, 0)
    assert len(sessions) == 3
    assert sessions.open("c", first.id, 0)[1] is True
    assert sessions.open("another", first.id, 0)[1] is False


def test_the_schemas_in_docs_are_the_models(tmp_path: Path) -> None:
    """Mend with: python -m jimbot.mcp.messages docs/schema"""
    write_schemas(tmp_path)
    fresh = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in SCHEMAS.iterdir()} == fresh
    for text in fresh.values():
        Draft202012Validator.check_schema(json.loads(text))
    assert {name.split(".")[0] for name in fresh} == {*SAID_BY_CLIENT, *SAID_BY_SERVER, "event"}


def test_any_message_is_answered_and_the_server_stays_up(
    serve: Callable[..., Running], log: SQLiteEventLog, decider: Decider
) -> None:
    import random

    server = serve(log, decider=decider)
    rng = random.Random(1)
    good = {
        "hello": {"protocol": 1, "client": "f", "capabilities": ["decisions", "subscribe"]},
        "subscribe": {"after": 0},
        "unsubscribe": {},
        "heartbeat": {},
        "decide": {"request_id": "r", "state": game_state(Run("FUZZ", endless=True))},
    }
    odd: list[Any] = [None, -1, 1e308, "", "x" * 2000, [], {}, True, [[1]], {"a": {"b": 0}}, 2**70]

    def broken(value: Any) -> Any:
        if isinstance(value, dict) and value and rng.random() < 0.8:
            key = rng.choice(list(value))
            return {**value, key: broken(value[key])}
        if isinstance(value, list) and value and rng.random() < 0.7:
            place = rng.randrange(len(value))
            return [*value[:place], broken(value[place]), *value[place + 1 :]]
        return rng.choice(odd)

    for _ in range(25):
        with dial(server.url) as socket, contextlib.suppress(TimeoutError):
            for _ in range(6):
                kind = rng.choice(list(good))
                message = {"type": kind, **good[kind]}
                socket.send(json.dumps(broken(message) if rng.random() < 0.7 else message))
                assert isinstance(receive(json.dumps(message)).errors, list)
            while True:
                assert hear(socket, timeout=0.05)["type"] in SAID_BY_SERVER
    with dial(server.url) as socket:
        socket.send(encode_event(heartbeat("after")))
        assert hear(socket)["event_ids"] == ["after"]


def test_stopping_ends_sessions(
    serve: Callable[..., Running], log: SQLiteEventLog, decider: Decider
) -> None:
    server = serve(log, decider=decider)
    with dial(server.url) as socket:
        hello(socket, "subscribe", "decisions")
        say(socket, "subscribe")
        assert server.stop() < 2
        assert {json.loads(frame)["type"] for frame in socket} <= {"heartbeat", "events"}
        assert socket.close_code == 1001


def test_events_before_and_after_hello_are_one_stream(server: Running, log: SQLiteEventLog) -> None:
    event = Event(type="DIAGNOSTIC", source="test", event_id="d")
    with dial(server.url) as socket:
        socket.send(encode_event(event))
        assert hear(socket)["event_ids"] == ["d"]
        assert hello(socket)["type"] == "welcome"
        socket.send(encode_event(event))
        assert hear_kind(socket, "ack")["event_ids"] == ["d"]
    assert log.count() == 1
