from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from jimbot.events import Appended, Event, LogError
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp import door as door_module
from jimbot.mcp.balatromcp import COMMANDS, commands, is_command, read_state
from jimbot.mcp.commit import Committer
from jimbot.mcp.decide import Decider
from jimbot.mcp.door import Door
from jimbot.mcp.metrics import Metrics
from jimbot.mcp.protocol import MAX_FRAME_BYTES
from jimbot.mcp.server import EventServer
from jimbot.policy import make
from jimbot.service import Health, http_app, serving
from tests.mcp.conftest import dial, hear
from tests.security.guarded import Guarded

BEAT = {
    "type": "HEARTBEAT",
    "source": "BalatroMCP",
    "event_id": "h1",
    "timestamp": 1700000000000,
    "version": 1,
    "payload": {"version": "1.0", "uptime": 5, "headless": False, "game_state": "SHOP"},
}


class Switched(SQLiteEventLog):
    full = False

    def append(self, items: Sequence[tuple[str, Event]]) -> list[Appended]:
        if self.full:
            raise LogError("the disk is full")
        return super().append(items)


class Running:
    """The mod's door and the WebSocket in front of one log, in a thread."""

    def __init__(self, log: SQLiteEventLog, **options: Any) -> None:
        self.log = log
        self.metrics = Metrics()
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))
        self._thread.start()
        assert self._ready.wait(10)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=15)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        decider = Decider(lambda: make("heuristic"))
        async with (
            Committer(self.log, self.metrics) as committer,
            EventServer(committer, self.metrics, 0, **self._options) as server,
        ):
            app = http_app("mcp", lambda: Health(status="ok"))
            Door(committer, self.metrics, server, decider).add_to(app)
            async with serving(app, 0) as self.port:
                self.url = f"ws://127.0.0.1:{server.port}"
                self._ready.set()
                await self._stop.wait()
        decider.close()

    def close(self) -> None:
        self.http.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Switched]:
    log = Switched(tmp_path / "log.sqlite")
    yield log
    log.close()


@pytest.fixture
def door(log: Switched) -> Iterator[Running]:
    running = Running(log)
    yield running
    running.close()


def stored(log: SQLiteEventLog) -> list[str]:
    return [entry.event.event_id for entry in log.read()]


def test_an_event_is_on_the_disk_before_it_is_answered(door: Running, log: Switched) -> None:
    answer = door.http.post("/api/v1/events", json=BEAT)
    assert (answer.status_code, answer.json()) == (200, {"acknowledged": ["h1"], "errors": []})
    assert stored(log) == ["h1"]
    assert door.http.post("/api/v1/events", json=BEAT).json()["acknowledged"] == ["h1"]
    assert stored(log) == ["h1"]
    test = {**BEAT, "type": "connection_test", "event_id": "t", "data": {"x": 1}}
    del test["payload"]
    assert door.http.post("/api/v1/events", json=test).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/events/batch", "/api/v1/batch", "/api/v1/events"])
def test_batches_in_every_spelling(door: Running, log: Switched, path: str) -> None:
    batch = {
        "batch_id": "b",
        "events": [BEAT, {**BEAT, "type": "DANCE", "event_id": "d"}, {**BEAT, "event_id": "h2"}],
        "source": "BalatroMCP",
        "timestamp": 1700000000000,
    }
    answer = door.http.post(path, json=batch)
    assert answer.status_code == 200
    assert answer.json()["acknowledged"] == ["h1", "h2"]
    assert [(e["code"], e["event_id"]) for e in answer.json()["errors"]] == [("unknown_type", "d")]
    assert stored(log) == ["h1", "h2"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "not_json"),
        (b"{", 400, "not_json"),
        (b"\xff\xfe", 400, "not_json"),
        (b"[]", 400, "invalid_frame"),
        (b"x" * (MAX_FRAME_BYTES + 1), 413, "too_large"),
        (b"x" * (3 * MAX_FRAME_BYTES), 413, "too_large"),
        (b'{"events": []}', 400, "invalid_frame"),
        (b'{"type": "HEARTBEAT", "source": "x"}', 400, "invalid_event"),
        (b'{"type": "hello", "protocol": 1, "client": "c"}', 400, "out_of_order"),
    ],
)
def test_wrong_bodies_are_typed_and_counted(
    door: Running, log: Switched, body: bytes, status: int, code: str
) -> None:
    answer = door.http.post("/api/v1/events", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert door.metrics.counts().rejected == {code: 1}
    assert door.http.post("/api/v1/events", json=BEAT).status_code == 200
    assert stored(log) == ["h1"]


def test_a_refused_event_is_told_and_does_not_make_the_mod_give_up(door: Running) -> None:
    answer = door.http.post("/api/v1/events", json={**BEAT, "version": 2})
    assert answer.status_code == 200
    assert answer.json()["acknowledged"] == []
    assert answer.json()["errors"][0]["code"] == "unsupported_version"


def test_a_full_disk_is_503_and_nothing_is_lost(
    door: Running, log: Switched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "_STORED_S", 0.5)
    log.full = True
    answer = door.http.post("/api/v1/events", json=BEAT)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert answer.json()["reason"] == "the disk is full"
    assert answer.headers["Retry-After"] == "1"
    log.full = False
    end = time.monotonic() + 10
    while not stored(log) and time.monotonic() < end:
        time.sleep(0.05)
    monkeypatch.setattr(door_module, "_STORED_S", 10)
    assert door.http.post("/api/v1/events", json=BEAT).status_code == 200
    assert stored(log) == ["h1"]


def test_what_the_mod_sends_reaches_subscribers(door: Running) -> None:
    with dial(door.url) as socket:
        socket.send(
            json.dumps(
                {"type": "hello", "protocol": 1, "client": "c", "capabilities": ["subscribe"]}
            )
        )
        hear(socket)
        socket.send(json.dumps({"type": "subscribe"}))
        door.http.post("/api/v1/events", json=BEAT)
        assert hear(socket)["events"][0]["event"]["event_id"] == "h1"


def test_commands_are_polled_once(door: Running) -> None:
    assert door.http.get("/api/v1/commands/poll").text == ""
    wish = {"commands": ["select_card:0", "select_card:3", "play_hand"]}
    assert door.http.post("/api/v1/commands", json=wish).json() == {"waiting": 3}
    assert (
        door.http.get("/api/v1/commands/poll").text == "select_card:0\nselect_card:3\nplay_hand\n"
    )
    assert door.http.get("/api/v1/commands/poll").text == ""
    for wrong in ("dance", "play_hand:x", "select_card:-1", "play_hand\nskip_blind", ""):
        assert door.http.post("/api/v1/commands", json={"commands": [wrong]}).status_code == 400
    full = {"commands": ["play_hand"] * 256}
    assert door.http.post("/api/v1/commands", json=full).status_code == 200
    assert door.http.post("/api/v1/commands", json=wish).status_code == 429
    assert door.http.post("/api/v1/commands", json={"commands": "x"}).status_code == 422


def test_web_pages_and_strangers_are_turned_away(log: Switched, tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "guarded")
    door = Running(log, entrance=guarded.entrance)
    key = guarded.tokens["operator"]
    try:
        for headers, status in (
            ({}, 401),
            ({"Authorization": "Bearer wrong"}, 401),
            ({"Authorization": f"Basic {key}"}, 401),
            ({"Authorization": f"Bearer {key}", "Origin": "http://evil.example"}, 403),
            ({"Authorization": f"Bearer {key}"}, 200),
        ):
            for answer in (
                door.http.post("/api/v1/events", json=BEAT, headers=headers),
                door.http.get("/api/v1/commands/poll", headers=headers),
                door.http.put("/api/v1/autopilot", json={"enabled": False}, headers=headers),
            ):
                assert answer.status_code == status
        assert door.metrics.counts().rejected == {"unauthorised": 12}
    finally:
        door.close()


def test_a_role_limits_what_the_mod_may(log: Switched, tmp_path: Path) -> None:
    guarded = Guarded(tmp_path / "guarded")
    door = Running(log, entrance=guarded.entrance)
    try:
        for role, statuses in (("viewer", (403, 403, 403)), ("player", (200, 200, 403))):
            headers = {"Authorization": f"Bearer {guarded.tokens[role]}"}
            answers = (
                door.http.post("/api/v1/events", json=BEAT, headers=headers),
                door.http.get("/api/v1/commands/poll", headers=headers),
                door.http.put("/api/v1/autopilot", json={"enabled": False}, headers=headers),
            )
            assert tuple(answer.status_code for answer in answers) == statuses
    finally:
        door.close()


def test_wrong_tokens_are_made_to_wait_and_right_ones_of_this_machine_not(
    log: Switched, tmp_path: Path
) -> None:
    guarded = Guarded(tmp_path / "guarded", failures=3, lockout_first_s=60)
    door = Running(log, entrance=guarded.entrance)
    try:
        wrong = {"Authorization": "Bearer wrong"}
        answers = [door.http.get("/api/v1/commands/poll", headers=wrong) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert int(answers[-1].headers["retry-after"]) > 30
        right = {"Authorization": f"Bearer {guarded.tokens['player']}"}
        assert door.http.get("/api/v1/commands/poll", headers=right).status_code == 200
    finally:
        door.close()


def payload(run: Run) -> dict[str, Any]:
    """A GAME_STATE as BalatroMCP writes it."""
    hand = [
        {
            "id": card.id,
            "rank": card.rank_name,
            "suit": card.suit_name,
            "enhancement": "none",
            "edition": "none",
            "seal": "none",
            "position": place,
        }
        for place, card in enumerate(run.hand)
    ]
    deck = [{"rank": card.rank_name, "suit": card.suit_name} for card in run.draw_pile]
    items: dict[str, Any] = {}
    for kind, shelf in (
        ("joker", run.shop_cards),
        ("booster", run.shop_packs),
        ("voucher", run.shop_vouchers),
    ):
        for number, offer in enumerate(shelf, 1):
            items[f"{kind}_{number}"] = {"name": offer.name, "cost": offer.cost}
    return {
        "in_game": True,
        "game_id": run.seed,
        "ante": run.ante,
        "round": run.round,
        "hand_number": run.hands_this_round,
        "chips": run.chips,
        "mult": 0,
        "money": run.money,
        "hand_size": run.hand_size,
        "hands_remaining": run.hands_left,
        "discards_remaining": run.discards_left,
        "jokers": [
            {
                "id": joker.id,
                "name": joker.name,
                "position": place,
                "properties": {"mult": 0, "chips": 0, "cost": 5, "sell_value": joker.sell_value},
            }
            for place, joker in enumerate(run.jokers)
        ],
        "hand": hand,
        "deck": {"remaining_count": len(deck), "cards_remaining": deck},
        "consumables": [],
        "shop_items": items,
        "game_state": {0: 7, 1: 1, 2: 8, 3: 5}[run.phase_now],
        "blind": {} if run.blind is None else {"name": run.blind.name, "chips": run.blind.chips},
        "timestamp": time.time(),
        "frame_count": 1,
    }


def perform(run: Run, lines: list[str]) -> None:
    """What the mod does with commands."""
    chosen: list[int] = []
    for line in lines:
        name, _, number = line.partition(":")
        place = int(number) if number else 0
        match name:
            case "select_card":
                chosen.append(place)
            case "play_hand":
                run.step(Action(ActionKind.PLAY, 0, tuple(chosen)))
            case "discard":
                run.step(Action(ActionKind.DISCARD, 0, tuple(chosen)))
            case "select_small_blind" | "select_big_blind" | "select_boss_blind":
                assert name.split("_")[1] == ("small", "big", "boss")[run.on_deck]
                run.step(Action(ActionKind.SELECT_BLIND))
            case _:
                kinds = {
                    "go_to_shop": ActionKind.CASH_OUT,
                    "skip_shop": ActionKind.LEAVE_SHOP,
                    "reroll_shop": ActionKind.REROLL,
                    "buy_joker": ActionKind.BUY_CARD,
                    "buy_voucher": ActionKind.BUY_VOUCHER,
                    "sell_joker": ActionKind.SELL_JOKER,
                }
                run.step(Action(kinds[name], place))


def test_the_autopilot_plays_the_mods_game(door: Running) -> None:
    run = Run("PILOT", endless=True)

    def report() -> list[str]:
        event = {**BEAT, "type": "GAME_STATE", "payload": payload(run)}
        del event["event_id"]
        assert door.http.post("/api/v1/events", json=event).status_code == 200
        end = time.monotonic() + 5
        while time.monotonic() < end:
            if text := door.http.get("/api/v1/commands/poll").text:
                return text.splitlines()
            time.sleep(0.01)
        return []

    event = {**BEAT, "type": "GAME_STATE", "payload": payload(run)}
    door.http.post("/api/v1/events", json=event)
    assert door.http.get("/api/v1/commands/poll").text == ""  # it is off
    assert door.http.put("/api/v1/autopilot", json={"enabled": True}).json() == {"enabled": True}
    for _ in range(30):
        if run.over:
            break
        lines = report()
        assert lines, payload(run)
        assert all(is_command(line) for line in lines)
        perform(run, lines)
    assert run.round >= 1


def test_the_hidden_order_is_not_read() -> None:
    run = Run("HIDDEN", endless=True)
    run.step(Action(ActionKind.SELECT_BLIND))
    shown = payload(run)
    state = read_state(shown)
    shown["deck"]["cards_remaining"].reverse()
    again = read_state(shown)
    assert [c["key"] for c in state["cards"]["cards"]] == [
        c["key"] for c in again["cards"]["cards"]
    ]


def test_what_commands_cannot_say_becomes_the_safest() -> None:
    run = Run("SAFE", endless=True)
    assert commands(Action(ActionKind.SKIP_BLIND), run) == ["select_small_blind"]
    run.step(Action(ActionKind.SELECT_BLIND))
    assert commands(Action(ActionKind.SORT_HAND), run) == ["sort_hand"]
    assert commands(Action(ActionKind.PLAY, 0, (2, 4)), run) == [
        "select_card:2",
        "select_card:4",
        "play_hand",
    ]
    run.chips = 300.0
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert commands(Action(ActionKind.CASH_OUT), run) == ["go_to_shop"]
    run.step(Action(ActionKind.CASH_OUT))
    assert commands(Action(ActionKind.BUY_PACK, 0), run) == ["skip_shop"]
    assert {"play_hand", "go_to_shop"} <= COMMANDS
