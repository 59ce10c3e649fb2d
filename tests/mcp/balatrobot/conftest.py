from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.balatrobot import rpc
from jimbot.mcp.balatrobot.methods import Game, document
from jimbot.mcp.balatrobot.server import GameServer


class Memory:
    """Files that live in a dictionary; writing to `bad` fails."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def write(self, path: str, content: bytes) -> None:
        if path == "bad":
            raise PermissionError(path)
        self.files[path] = content


class Player:
    """Calls methods as a client does, and holds every answer against the OpenRPC document."""

    def __init__(self, validate_one_in: int = 1) -> None:
        self.files = Memory()
        self.game = Game(self.files)
        self._asked = 0
        self._validate_one_in = validate_one_in  # validating a state takes 100 ms
        self._schemas = {
            method["name"]: validator(method["result"]["schema"])
            for method in document()["methods"]
            if method["name"] != "rpc.discover"
        }

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The whole answer."""
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": 7})
        answer: dict[str, Any] = json.loads(rpc.answer(body.encode(), self.game.call))
        self._asked += 1
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        if "error" in answer:
            check_error(answer["error"])
        elif method != "rpc.discover" and self._asked % self._validate_one_in == 0:
            self._schemas[method].validate(answer["result"])
        return answer

    def __call__(self, method: str, **params: Any) -> dict[str, Any]:
        answer = self.ask(method, **params)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def refused(self, method: str, **params: Any) -> str:
        """The name of the error; the game must not have changed."""
        before = self.game.run.digest() if self.game.run else None
        answer = self.ask(method, **params)
        assert "error" in answer, answer["result"]["state"]
        assert (self.game.run.digest() if self.game.run else None) == before
        name: str = answer["error"]["data"]["name"]
        return name

    @property
    def run(self) -> Run:
        assert self.game.run is not None
        return self.game.run

    def start(self, deck: str = "RED", stake: str = "WHITE", seed: str = "TEST123") -> None:
        self("menu")
        self("start", deck=deck, stake=stake, seed=seed)

    def to_hand(self, **options: str) -> None:
        self.start(**options)
        self("select")

    def to_eval(self, **options: str) -> None:
        self.to_hand(**options)
        self("set", chips=1_000_000)
        assert self("play", cards=[0])["state"] == "ROUND_EVAL"

    def to_shop(self, **options: str) -> None:
        self.to_eval(**options)
        self("cash_out")
        self("set", money=1000)

    def to_pack(self, key: str) -> None:
        """Open a pack of a kind."""
        self.to_shop()
        self("buy", pack=0)
        self("pack", skip=True)
        self("add", key=key)
        self("buy", pack=1)


def validator(schema: dict[str, Any], doc: dict[str, Any] | None = None) -> Draft202012Validator:
    """A validator for a schema that refers into an OpenRPC document."""
    return Draft202012Validator({"components": (doc or document())["components"], **schema})


def check_error(error: dict[str, Any]) -> None:
    known = {
        one["data"]["name"]: one["code"] for one in document()["components"]["errors"].values()
    }
    assert error["code"] == known[error["data"]["name"]]
    assert isinstance(error["message"], str)
    assert error["message"]


def request_of(run: Run, action: Action) -> tuple[str, dict[str, Any]] | None:
    """The request that performs an action; None where the interface has none."""
    place, cards = action.index, list(action.cards)
    match action.kind:
        case ActionKind.PLAY | ActionKind.DISCARD:
            return action.kind.name.lower(), {"cards": cards}
        case ActionKind.PICK_PACK:
            return "pack", {"card": place, "targets": cards}
        case ActionKind.USE_CONSUMABLE:
            return "use", {"consumable": place, "cards": cards}
        case ActionKind.MOVE_JOKER | ActionKind.MOVE_CARD:
            what = "jokers" if action.kind == ActionKind.MOVE_JOKER else "hand"
            order = list(range(len(getattr(run, what))))
            order.insert(cards[0], order.pop(place))
            return "rearrange", {what: order}
    simple: dict[ActionKind, tuple[str, dict[str, Any]]] = {
        ActionKind.SELECT_BLIND: ("select", {}),
        ActionKind.SKIP_BLIND: ("skip", {}),
        ActionKind.REROLL_BOSS: ("reroll_boss", {}),
        ActionKind.CASH_OUT: ("cash_out", {}),
        ActionKind.BUY_CARD: ("buy", {"card": place}),
        ActionKind.BUY_AND_USE: ("buy_and_use", {"card": place}),
        ActionKind.BUY_VOUCHER: ("buy", {"voucher": place}),
        ActionKind.BUY_PACK: ("buy", {"pack": place}),
        ActionKind.REROLL: ("reroll", {}),
        ActionKind.LEAVE_SHOP: ("next_round", {}),
        ActionKind.SELL_JOKER: ("sell", {"joker": place}),
        ActionKind.SELL_CONSUMABLE: ("sell", {"consumable": place}),
        ActionKind.SKIP_PACK: ("pack", {"skip": True}),
    }
    return simple.get(action.kind)


class Served:
    """A `GameServer` in a thread of its own."""

    def __init__(self, port: int = 0, game: Game | None = None) -> None:
        self._ready = threading.Event()
        self._game = game
        self._wanted = port
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with GameServer(self._wanted, self._game) as self.server:
            self.port = self.server.port
            self.game = self.server.game
            self._ready.set()
            await self._stop.wait()

    def close(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(5)
            assert not self._thread.is_alive()


@pytest.fixture
def player() -> Player:
    return Player()


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(5)
