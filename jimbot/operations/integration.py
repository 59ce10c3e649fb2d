"""A real game through every service, with the data checked at the end.

On the running appliance, whoever runs it, or, where none runs, on one that is started in a scratch
home with ports of its own and stopped again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import httpx
from pydantic import BaseModel
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from jimbot import usage
from jimbot.appliance import Appliance, Home, load
from jimbot.errors import JimbotError
from jimbot.events import open_log
from jimbot.events.games import read_game
from jimbot.mcp.balatrobot.client import Client
from jimbot.mcp.balatrobot.driver import Driver, Played
from jimbot.mcp.balatrobot.methods import Game
from jimbot.mcp.balatrobot.server import GameServer, LocalFiles
from jimbot.mcp.client import EventClient
from jimbot.mcp.messages import PROTOCOL
from jimbot.operations import control, health, ports
from jimbot.operations.errors import OperationError
from jimbot.operations.forward import name as name_of_socket
from jimbot.operations.forward import short
from jimbot.policy import make
from jimbot.security import tokens

Tell = Callable[[str], None]

_START_S = 120.0
_STOP_S = 30.0
_DELIVER_S = 20.0
_FOLD_S = 60.0
_HTTP_S = 10.0


class Check(BaseModel):
    """One thing that must hold."""

    name: str
    ok: bool
    detail: str = ""


class Tested(BaseModel):
    """What was checked. `scratch`: on an appliance that was started for it."""

    scratch: bool
    game_id: str = ""
    actions: int = 0
    seconds: float = 0.0
    checks: list[Check] = []

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)


def run(appliance: Appliance, home: Home, table: Path | None, tell: Tell) -> Tested:
    """Play and check.

    Raises:
        OperationError: there is no appliance to test, and none can be started.
    """
    began = time.monotonic()
    if control.running(home) or usage.by_system(home):
        tested = _test(appliance, home, Tested(scratch=False), tell)
    else:
        with _started(appliance, table, tell) as (own, scratch):
            tested = _test(own, scratch, Tested(scratch=True), tell)
    tested.seconds = round(time.monotonic() - began, 1)
    return tested


@contextmanager
def _started(appliance: Appliance, table: Path | None, tell: Tell) -> Iterator[tuple[Any, Home]]:
    if any(store.engine == "server" for store in _stores(appliance)):
        raise OperationError(
            "the table names servers as stores, which a test must not write to by itself",
            hint="Start the appliance, then test it: jimbot up",
        )
    directory = Path(tempfile.mkdtemp(prefix="jimbot-test-"))
    try:
        path = directory / "appliance.toml"
        packaged = resources.files("jimbot.appliance") / "appliance.toml"
        path.write_bytes((table or packaged).read_bytes())
        ports.replace(path)
        home = Home(directory / "home")
        own = load(path)
        tell("starting an appliance in a scratch home")
        environment = os.environ | {"JIMBOT_HOME": str(home.path), "JIMBOT_TABLE": str(path)}
        with (directory / "up.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "jimbot", "up", "--no-train"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            report = asyncio.run(health.wait(own, lambda: health.expected(own, home), _START_S))
            if process.poll() is not None or report.exit_code:
                said = (directory / "up.log").read_text(errors="replace").strip().splitlines()
                raise OperationError(
                    f"the appliance did not become healthy: {said[-1] if said else 'no reason'}",
                    hint="Try it by hand: jimbot up --no-train",
                )
            yield own, home
        finally:
            process.terminate()
            try:
                process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _stores(appliance: Appliance) -> tuple[Any, ...]:
    return (appliance.stores.log, appliance.stores.series, appliance.stores.graph)


def _test(appliance: Appliance, home: Home, tested: Tested, tell: Tell) -> Tested:
    def check(name: str, test: Callable[[], str]) -> None:
        try:
            tested.checks.append(Check(name=name, ok=True, detail=test()))
        except _BAD as error:
            detail = str(error) or type(error).__name__
            tested.checks.append(Check(name=name, ok=False, detail=detail))
        last = tested.checks[-1]
        tell(f"{'ok  ' if last.ok else 'FAIL'}  {name}: {last.detail}")

    def played() -> str:
        result = _play(appliance, home)
        tested.game_id, tested.actions = result.game_id, result.actions
        return f"{result.actions} actions, ante {result.ante}, all events acknowledged"

    check("health", lambda: _healthy(appliance, home))
    check("mcp: a game, its events", played)
    check("mcp: a session, a decision, resumed", lambda: _session(appliance, home))
    check("claude: an advice", lambda: _advice(appliance, home))
    if tested.game_id:
        check("log: the game, whole", lambda: _in_the_log(home, tested))
        check("analytics: the game, folded", lambda: _in_analytics(appliance, home, tested))
    check("analytics: the dashboard's answers", lambda: _dashboard(appliance, home))
    check("health afterwards", lambda: _healthy(appliance, home))
    return tested


class _Wrong(Exception):
    """Something is not as it must be."""


_BAD = (_Wrong, JimbotError, OSError, WebSocketException, httpx.HTTPError, ValueError, KeyError)


def _expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise _Wrong(f"{what} is {found!r}, not {wanted!r}")


def _healthy(appliance: Appliance, home: Home) -> str:
    names = health.expected(appliance, home)
    report = asyncio.run(health.report(appliance, names, health.addresses(home)))
    for name, answer in report.services.items():
        if answer.status not in ("ok", "warn"):
            raise _Wrong(f"{name} is {answer.status}: {answer.reason}")
    return ", ".join(names)


def _websocket(appliance: Appliance) -> str:
    return appliance.url("mcp", "websocket", scheme="ws")


def _play(appliance: Appliance, home: Home) -> Played:
    """A game as `jimbot play balatrobot` plays it: the simulator in the place of the real one."""
    events = EventClient(_websocket(appliance), journal=home.acknowledged, token=tokens.own(home))
    with _game() as port, Client("127.0.0.1", port) as client:
        driver = Driver(
            client, make("heuristic"), deck="Red", stake="White", seed=None, events=events
        )
        try:
            played = driver.play()
        finally:
            delivered = events.close(_DELIVER_S)
    if not delivered:
        raise _Wrong("mcp did not acknowledge all events")
    return played


@contextmanager
def _game() -> Iterator[int]:
    """Serve a simulated game on a thread; yields its port."""
    loop = asyncio.new_event_loop()
    server = GameServer(0)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(_HTTP_S)
        yield server.port
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(_HTTP_S)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _session(appliance: Appliance, home: Home) -> str:
    game = Game(LocalFiles())
    state = game.call("start", {"deck": "RED", "stake": "WHITE"})
    with connect(_websocket(appliance), proxy=None) as socket:
        welcome = _hello(socket, home, None)
        asked = {"type": "decide", "request_id": "test", "state": state, "deadline_ms": 5000}
        decision = _say(socket, asked, "decision")
        action = decision["action"]
        game.call(action["method"], action["params"])  # refuses what is not legal
    with connect(_websocket(appliance), proxy=None) as socket:
        again = _hello(socket, home, welcome["session"])
        _expect("resumed", again["resumed"], True)
    return f"{decision['policy']} said {action['method']}"


def _hello(socket: ClientConnection, home: Home, session: str | None) -> dict[str, Any]:
    hello = {
        "type": "hello",
        "protocol": PROTOCOL,
        "client": "jimbot test-integration",
        "capabilities": ["events", "decisions"],
        "session": session,
        "token": tokens.own(home),
    }
    return _say(socket, hello, "welcome")


def _say(socket: ClientConnection, message: dict[str, Any], wanted: str) -> dict[str, Any]:
    socket.send(json.dumps(message))
    while True:
        answer: dict[str, Any] = json.loads(socket.recv(timeout=_HTTP_S))
        if answer["type"] == "error":
            raise _Wrong(f"mcp answers {answer['code']}: {answer['reason']}")
        if answer["type"] == wanted:
            return answer


def _advice(appliance: Appliance, home: Home) -> str:
    keys = ["buy:j_blueprint", "leave"]
    question = {
        "kind": "shop",
        "state": {"ante": 1, "money": 8, "jokers": ["Joker"]},
        "legal": [
            {"key": keys[0], "label": "buy Blueprint", "features": {"cost": 8}},
            {"key": keys[1], "label": "leave the shop"},
        ],
        "probabilities": [0.5, 0.5],
        "deadline_ms": 5000,
    }
    with _client(appliance, "claude", home) as client:
        answer = client.post("/api/v1/advice", json=question)
        answer.raise_for_status()
        advice = answer.json()
    _expect("the advice", advice["key"], keys[advice["index"]])
    return f"{advice['key']} by {advice['source']}"


def _in_the_log(home: Home, tested: Tested) -> str:
    log = open_log(home, read_only=True)
    try:
        game = read_game(log, tested.game_id)
    finally:
        log.close()
    _expect("the number of actions", len(game.actions), tested.actions)
    _expect("the order", [action.number for action in game.actions], list(range(tested.actions)))
    if game.finished is None:
        raise _Wrong("it has no end")
    return f"{len(game.actions)} actions in order, and its end"


def _in_analytics(appliance: Appliance, home: Home, tested: Tested) -> str:
    deadline = time.monotonic() + _FOLD_S
    with _client(appliance, "analytics", home) as client:
        while True:
            answer = client.get(f"/api/v1/games/{tested.game_id}")
            summary = client.get("/api/v1/summary").json()
            if answer.status_code == 200 and summary.get("events_behind") == 0:
                break
            if time.monotonic() > deadline:
                raise _Wrong(
                    f"the game answers {answer.status_code}, "
                    f"{summary.get('events_behind')} events are not folded"
                )
            time.sleep(0.25)
        game = answer.json()
    _expect("the game", game["game_id"], tested.game_id)
    _expect("its record", len(game["record"] or ()), tested.actions)
    return f"ante {game['ante']}, {len(game['record'])} actions, nothing left to fold"


def _dashboard(appliance: Appliance, home: Home) -> str:
    asked = ["/", "/api/v1/summary", "/api/v1/series", "/api/v1/trends", "/api/v1/games"]
    asked += ["/api/v1/services", "/metrics"]
    with _client(appliance, "analytics", home) as client:
        for path in asked:
            _expect(path, client.get(path).status_code, 200)
    return f"{len(asked)} answers"


@contextmanager
def _client(appliance: Appliance, name: str, home: Home) -> Iterator[httpx.Client]:
    """To one service of ours, wherever it is."""
    port = appliance.service(name).ports["http"]
    address = health.addresses(home).get(name, "")
    closed = address.startswith(health.SOCKETS)
    with short(Path(address.removeprefix(health.SOCKETS)) if closed else home.path) as folder:
        uds = f"{folder}/{name_of_socket(port)}" if closed else None
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers=tokens.headers(home),
            transport=httpx.HTTPTransport(uds=uds),
            timeout=_HTTP_S,
        ) as client:
            yield client
