from __future__ import annotations

import http.server
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jimbot.events import Event
from jimbot.events.games import RecordedGame, read_game, replay
from jimbot.events.log import LogError
from jimbot.events.payloads import stream_of, validate
from jimbot.events.sqlite import SQLiteEventLog
from jimbot.game import Action, ActionKind, Run
from jimbot.game.sampling import random_action
from jimbot.mcp.balatrobot import rpc
from jimbot.mcp.balatrobot.client import Client, GameRefused, GameUnreachable
from jimbot.mcp.balatrobot.driver import Driver, GameStuck
from jimbot.mcp.balatrobot.methods import Game
from tests.mcp.balatrobot.conftest import Memory, Served


class Quick:
    """A policy that is quick, and does everything there is to do."""

    name = "quick"
    confidence = 0.5

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def act(self, run: Run) -> Action:
        return random_action(run, self._random)


class Log:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def send(self, event: Event, *, timeout: float | None = None) -> None:
        validate(event)
        self.events.append(event)

    def types(self) -> list[str]:
        return [event.type for event in self.events]


def client(port: int, **options: Any) -> Client:
    return Client(port=port, timeout=2.0, sleep=lambda _: None, **{"patience": 5.0, **options})


def driver(port: int, log: Log | None = None, policy: Any = None, **options: Any) -> Driver:
    return Driver(
        client(port),
        policy or Quick(),
        events=log,
        seed="DRIVER",
        **{"sleep": lambda _: None, **options},
    )


def test_a_game_from_start_to_finish_is_in_the_log(served: Served, tmp_path: Path) -> None:
    log = Log()
    played = driver(served.port, log).play()
    assert served.game.run is not None
    assert served.game.run.over
    assert (played.seed, played.won, played.refused) == ("DRIVER", False, 0)
    assert (played.ante, played.round) == (served.game.run.ante, served.game.run.round)
    assert log.types()[0] == "GAME_STARTED"
    assert log.types()[-1] == "GAME_FINISHED"
    assert log.types().count("GAME_ACTION") == played.actions > 3
    store = SQLiteEventLog(tmp_path / "log.sqlite")
    store.append([(stream_of(event), event) for event in log.events])
    game: RecordedGame = read_game(store, played.game_id)
    assert game.started is not None
    assert game.started.played_on == "balatrobot"
    assert len({action.digest for action in game.actions}) == len(game.actions)
    with pytest.raises(LogError, match="cannot be dealt again"):
        next(replay(game))
    store.close()


@pytest.mark.parametrize("seed", range(6))
def test_every_state_is_handled(served: Served, seed: int) -> None:
    """Random play with plenty of money goes everywhere; the state never stops the driver."""
    told: list[ActionKind] = []

    def help_along(action: Action, run: Run) -> None:
        told.append(action.kind)
        game = served.game.run
        if game is not None and not game.over:
            game.money = 60
            if game.phase.name == "SELECTING_HAND":
                game.chips += 2500.0

    served.game.random.seed(seed)
    played = Driver(
        client(served.port), Quick(seed), told=help_along, deck="Ghost", sleep=lambda _: None
    ).play()
    assert played.actions == len(told) - played.refused
    assert played.refused <= 2


def test_the_heuristic_plays_and_scores(served: Served) -> None:
    from jimbot.policy import make

    played = driver(served.port, policy=make("heuristic")).play()
    assert played.round >= 2
    assert played.best_hand > 100
    assert played.refused == 0


def test_a_run_under_way_is_taken_over_and_a_finished_one_is_not(served: Served) -> None:
    served.game.call("start", {"deck": "BLUE", "stake": "WHITE", "seed": "UNDERWAY"})
    served.game.call("select", {})
    assert driver(served.port).play().seed == "UNDERWAY"
    assert driver(served.port).play().seed == "DRIVER"


def test_a_won_run_is_the_end_unless_endless(served: Served) -> None:
    log = Log()

    def win(action: Action, run: Run) -> None:
        game = served.game.run
        assert game is not None
        game.ante = game.blind_ante = max(game.ante, 8)
        if game.phase.name == "SELECTING_HAND":
            game.chips = 1e9

    played = driver(served.port, log, told=win).play()
    assert played.won
    assert log.events[-1].payload["won"] is True


class Bad:
    """A policy with a fault: what it raises or returns is no legal action."""

    name = "bad"
    confidence = 1.0

    def __init__(self, act: Callable[[Run], Action]) -> None:
        self.act = act


def _raise(run: Run) -> Action:
    raise RuntimeError("broken")


@pytest.mark.parametrize(
    "act",
    [
        _raise,
        lambda run: Action(ActionKind.BUY_CARD, 99),
        lambda run: Action(ActionKind.SORT_HAND, 0),
        lambda run: Action(ActionKind.MOVE_CARD, 0, (1,)) if run.hand else _raise(run),
    ],
)
def test_a_policy_with_a_fault_still_finishes(served: Served, act: Callable[[Run], Action]) -> None:
    assert driver(served.port, policy=Bad(act)).play().actions > 0


class Faulty:
    """The interface over plain HTTP, with faults in front of the game."""

    def __init__(self, game: Game | None = None) -> None:
        self.game = game or Game(Memory())
        self.before: Callable[[str], str] = lambda method: ""
        self.calls: list[str] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                method = json.loads(body)["method"]
                owner.calls.append(method)
                fault = owner.before(method)
                if fault == "drop":
                    return
                answer = b"" if fault.startswith("{") else rpc.answer(body, owner.game.call)
                if fault == "done but dropped":
                    return
                if fault == "garbage":
                    answer = b"<html>"
                if fault.startswith("{"):
                    answer = fault.encode().replace(b'"ID"', str(json.loads(body)["id"]).encode())
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@contextmanager
def faulty() -> Iterator[Faulty]:
    server = Faulty()
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("fault", ["drop", "done but dropped", "garbage"])
def test_lost_answers_neither_lose_nor_repeat_an_action(fault: str) -> None:
    """What the log says was done is what the game did, in the order it did it."""
    with faulty() as server:
        rng = random.Random(3)
        server.before = lambda method: fault if rng.random() < 0.3 else ""
        done: list[str] = []
        call = server.game.call

        def spy(name: str, params: Any) -> Any:
            before = server.game.run.digest() if server.game.run else None
            result = call(name, params)
            if name not in ("menu", "start") and before:
                run = server.game.run
                if run is not None and run.digest() != before:
                    done.append(name)
            return result

        server.game.call = spy  # type: ignore[method-assign]
        log = Log()
        played = driver(server.port, log).play()
        assert played.restarts == 0
        recorded = [event for event in log.events if event.type == "GAME_ACTION"]
        changing = [e for e in recorded if e.payload["action"][0] not in (17, 18, 19)]
        assert len([name for name in done if name != "rearrange"]) == len(changing)


def test_a_slow_game_is_not_asked_twice() -> None:
    with faulty() as server:
        slow = threading.Event()

        def before(method: str) -> str:
            if method == "select" and not slow.is_set():
                slow.set()
                threading.Event().wait(0.5)
                return "done but dropped"
            return ""

        server.before = before
        Driver(Client(port=server.port, timeout=0.3), Quick(), seed="DRIVER").play()
        selected = server.game.run
        assert selected is not None
        assert server.calls.count("select") == selected.round


def test_busy_states_are_waited_for() -> None:
    with faulty() as server:
        looks = iter(["HAND_PLAYED", "DRAW_TO_HAND", "NEW_ROUND"])

        def before(method: str) -> str:
            state = next(looks, "") if method == "gamestate" else ""
            result = {"state": state, "round_num": 0, "ante_num": 0, "money": 0}
            return json.dumps({"jsonrpc": "2.0", "id": "ID", "result": result}) if state else ""

        server.before = before
        assert driver(server.port).play().actions > 0


def test_the_game_restarts_in_the_middle_and_another_run_begins() -> None:
    with faulty() as server:
        log = Log()
        restarted = threading.Event()

        def before(method: str) -> str:
            if method in ("play", "discard") and not restarted.is_set():
                restarted.set()
                server.game = Game(Memory())
                return "drop"
            return ""

        server.before = before
        played = driver(server.port, log).play()
        assert played.restarts == 1
        types = [kind for kind in log.types() if kind != "GAME_ACTION"]
        assert types == ["GAME_STARTED", "GAME_ABANDONED", "GAME_STARTED", "GAME_FINISHED"]


def test_a_saved_run_goes_on_after_a_restart() -> None:
    with faulty() as server:
        log = Log()
        restarted = threading.Event()

        def before(method: str) -> str:
            if method in ("play", "discard") and not restarted.is_set():
                restarted.set()
                server.game = Game(server.game.files)
                return "drop"
            return ""

        server.before = before
        played = driver(server.port, log, save="autosave").play()
        assert (played.restarts, played.seed) == (1, "DRIVER")
        types = [kind for kind in log.types() if kind != "GAME_ACTION"]
        assert types == ["GAME_STARTED", "GAME_FINISHED"]


def test_a_game_that_was_gone_for_a_while() -> None:
    first = Served()
    port, game = first.port, first.game
    game.call("start", {"deck": "RED", "stake": "WHITE", "seed": "AWAY"})
    first.close()
    second: list[Served] = []
    timer = threading.Timer(0.5, lambda: second.append(Served(port, game)))
    timer.start()
    import time

    away = Client(port=port, timeout=2.0, patience=20.0, sleep=lambda s: time.sleep(min(s, 0.05)))
    try:
        assert Driver(away, Quick(), sleep=lambda _: None).play().seed == "AWAY"
    finally:
        timer.join()
        second[0].close()


def test_a_game_that_stays_away_is_one_clear_line() -> None:
    with pytest.raises(GameUnreachable, match="no answer") as caught:
        Client(port=9, patience=0.0).call("health")
    assert "jimbot game serve" in caught.value.hint


def test_a_game_that_refuses_everything_is_given_up() -> None:
    with faulty() as server:
        refusal = json.dumps(
            {
                "jsonrpc": "2.0",
                "id": "ID",
                "error": {"code": -32003, "message": "no", "data": {"name": "NOT_ALLOWED"}},
            }
        )
        server.before = lambda method: refusal if method in ("select", "skip") else ""
        with pytest.raises(GameStuck, match="refused"):
            driver(server.port).play()


def test_client_errors(served: Served) -> None:
    with client(served.port) as game:
        assert game.call("health") == {"status": "ok"}
        with pytest.raises(GameRefused) as caught:
            game.call("start", deck="PINK", stake="WHITE")
        assert (caught.value.name, caught.value.code) == ("BAD_REQUEST", -32001)


def test_an_older_interface_is_played_without_packs() -> None:
    from jimbot.mcp.balatrobot.methods import document

    with faulty() as server:
        old = {**document()}
        newer = ("pack", "buy_and_use", "reroll_boss")
        old["methods"] = [one for one in old["methods"] if one["name"] not in newer]
        answer = json.dumps({"jsonrpc": "2.0", "id": "ID", "result": old})
        server.before = lambda method: answer if method == "rpc.discover" else ""
        driver(server.port).play()
        assert not {"pack", "buy_and_use", "reroll_boss"} & set(server.calls)
