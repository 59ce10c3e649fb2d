"""Playing a game behind BalatroBot's interface from start to finish, with any policy.

One decision at a time: look at the state, mirror it, ask the policy, send its action. What was
sent without an answer is never sent again: the next look tells whether it happened.
"""

from __future__ import annotations

import hashlib
import json
import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from jimbot.errors import JimbotError
from jimbot.events.event import Event
from jimbot.events.games import GameRecorder
from jimbot.game import Action, ActionKind, Run
from jimbot.game.catalogue import DECKS, STAKES
from jimbot.mcp.balatrobot import names
from jimbot.mcp.balatrobot.client import Client, GameRefused, GameUnreachable
from jimbot.mcp.balatrobot.mirror import Memory, is_settled, mirror
from jimbot.mcp.balatrobot.requests import request_of, safest
from jimbot.mcp.balatrobot.state import GameState

if TYPE_CHECKING:
    from jimbot.policy import Policy

_log = logging.getLogger(__name__)

_LOOK_S: Final = 0.1  # between looks at a game that is busy
_BUSY_S: Final = 120.0
_CHANGE_LOOKS: Final = 15
_REFUSALS: Final = 10  # in a row; after the first, the safest action is taken instead
_MOVES: Final = 20  # in a row
_RESTARTS: Final = 5
_SAVE_EVERY: Final = "BLIND_SELECT"
_MOVING: Final = (ActionKind.MOVE_JOKER, ActionKind.MOVE_CARD, ActionKind.SORT_HAND)


class GameStuck(JimbotError):
    """The game does not go on, whatever is sent."""


class Sink(Protocol):
    """Where events go; `jimbot.mcp.client.EventClient` is one."""

    def send(self, event: Event, *, timeout: float | None = None) -> None: ...


class Played(NamedTuple):
    """A game that was played to its end, and what it took."""

    game_id: str
    seed: str
    won: bool
    ante: int
    round: int
    best_hand: float
    actions: int
    refused: int
    restarts: int


class Driver:
    """Plays games on `client` with `policy`.

    Args:
        deck, stake: for runs that it starts, as `jimbot.game.DECKS` and `STAKES` name them.
        seed: for runs that it starts; the game draws one when None.
        events: gets the log's events of each game; may be None.
        endless: go on after a run is won.
        save: a path on the game's machine where the run is saved before each blind; a game that
            was started anew goes on from there. None saves nothing.
        told: is called with each action and the run it was chosen for.
    """

    def __init__(
        self,
        client: Client,
        policy: Policy,
        *,
        deck: str = "Red",
        stake: str = "White",
        seed: str | None = None,
        events: Sink | None = None,
        source: str = "balatrobot",
        endless: bool = False,
        save: str | None = None,
        told: Callable[[Action, Run], None] = lambda action, run: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._policy = policy
        self._deck = deck
        self._stake = stake
        self._seed = seed
        self._events = events
        self._source = source
        self._endless = endless
        self._save = save
        self._told = told
        self._sleep = sleep
        self._random = random.Random()
        self._offered: frozenset[str] = frozenset()
        self._decks: tuple[str, ...] = ()
        self._stakes: tuple[str, ...] = ()

    def play(self) -> Played:
        """Play one game to its end: the run that is under way, or else a new one.

        Raises:
            GameUnreachable: the game is away for longer than the client's patience.
            GameStuck: it refuses everything, or stays busy.
            GameRefused: it does not start a run as wished.
            UnknownName: it shows something of a content mod.
        """
        self._discover()
        state = self._look()
        if not _under_way(state):
            state = self._start()
        game = _Game(self._record(state), str(state.get("seed", "")))
        saved = False
        refusals = moves = 0
        while True:
            if state["state"] == "MENU" or str(state.get("seed", "")) != game.seed:
                game, state = self._recover(game, state, saved)
                refusals = moves = 0
                continue
            game.memory.see(state)
            run = mirror(state, game.memory, self._random)
            if state["state"] == "GAME_OVER" or (run.won and not self._endless):
                return self._finish(game, run)
            if self._save and state["state"] == _SAVE_EVERY and game.saved_round != run.round:
                saved = self._try_save() or saved
                game.saved_round = run.round
            if refusals > _REFUSALS:
                raise GameStuck(
                    f"the game refused {refusals} actions in a row in state {state['state']}",
                    hint="Look at the game's window; a content mod may ask for something",
                )
            action = self._decide(run, careful=refusals > 0 or moves > _MOVES)
            request = request_of(action, run, self._offered)
            if request is None:
                action = safest(run)
                request = request_of(action, run, self._offered)
                assert request is not None
            moves = moves + 1 if action.kind in _MOVING else 0
            self._told(action, run)
            name, params = request
            try:
                if name == "buy" and "pack" in params:
                    game.memory.pack = state["packs"]["cards"][params["pack"]]["key"]
                after = self._client.call(name, **params)
                refusals = 0
                _remember_use(game.memory, state, name, params)
            except GameRefused as refusal:
                _log.warning("the game refused %s %s: %s", name, params, refusal.message)
                game.refused += 1
                refusals += 1
                state = self._look()
                continue
            except GameUnreachable as trouble:
                _log.warning("%s; looking whether it happened", trouble.message)
                after = self._look_for_change(state)
                if _digest(after) == _digest(state):
                    continue
            if not is_settled(after):
                after = self._look()
            if after["state"] != "MENU" and str(after.get("seed", "")) == game.seed:
                game.recorder.step(action, _Shown(after))
                self._send(game.recorder.drain())
            state = after

    def _discover(self) -> None:
        document = self._client.call("rpc.discover")
        try:
            self._offered = frozenset(method["name"] for method in document["methods"])
            schemas = document["components"]["schemas"]
            self._decks = tuple(one["const"] for one in schemas["Deck"]["oneOf"])
            self._stakes = tuple(one["const"] for one in schemas["Stake"]["oneOf"])
        except (KeyError, TypeError) as error:
            raise GameUnreachable(
                f"{self._client.url} describes itself in a way that is not BalatroBot's",
                hint="Is another program listening there?",
            ) from error

    def _look(self) -> GameState:
        """The state once the game waits for somebody."""
        end = time.monotonic() + _BUSY_S
        while True:
            state: GameState = self._client.call("gamestate")
            if state.get("state") == "MENU" or is_settled(state):
                return state
            if time.monotonic() > end:
                raise GameStuck(
                    f"the game has been in state {state.get('state')!r} for {_BUSY_S:.0f} s",
                    hint="Look at the game's window",
                )
            self._sleep(_LOOK_S)

    def _look_for_change(self, state: GameState) -> GameState:
        """The state after an action without an answer; a game that was slow gets some time."""
        for _ in range(_CHANGE_LOOKS):
            after = self._look()
            if _digest(after) != _digest(state):
                break
            self._sleep(_LOOK_S)
        return after

    def _start(self) -> GameState:
        """Start a run; when the answer is lost, look whether it started."""
        deck = _word(self._decks, names.DECK_NAMES, names.DECK_NAMES[DECKS.index(self._deck)])
        stake = _word(self._stakes, names.STAKE_NAMES, names.STAKE_NAMES[STAKES.index(self._stake)])
        wish = {"deck": deck, "stake": stake}
        if self._seed:
            wish["seed"] = self._seed
        for _ in range(_RESTARTS):
            try:
                if self._look()["state"] != "MENU":
                    self._client.call("menu")
                self._client.call("start", **wish)
            except GameUnreachable as trouble:
                _log.warning("%s; looking whether it happened", trouble.message)
            state = self._look()
            if _under_way(state):
                return state
        raise GameStuck("the game does not start a run", hint="Look at the game's window")

    def _recover(self, game: _Game, state: GameState, saved: bool) -> tuple[_Game, GameState]:
        """The run is gone: the game was started anew, or somebody took it over."""
        game.restarts += 1
        if game.restarts > _RESTARTS:
            raise GameStuck(
                f"the game was started anew {game.restarts} times in one run",
                hint="Look at the game's own log",
            )
        if state["state"] == "MENU" and saved and self._save:
            try:
                self._client.call("load", path=self._save)
                state = self._look()
                if str(state.get("seed", "")) == game.seed:
                    _log.warning("the game was started anew; going on from the last save")
                    game.memory = Memory()
                    return game, state
            except (GameRefused, GameUnreachable) as trouble:
                _log.warning("the saved run cannot be loaded: %s", trouble.message)
                state = self._look()
        _log.warning("the run of game %s is gone; beginning another", game.recorder.game_id)
        self._send(game.recorder.abandon("the game was started anew, or taken over"))
        if not _under_way(state):
            state = self._start()
        following = _Game(self._record(state), str(state.get("seed", "")))
        following.restarts = game.restarts
        return following, state

    def _try_save(self) -> bool:
        try:
            self._client.call("save", path=self._save)
        except (GameRefused, GameUnreachable) as trouble:
            _log.warning("the run is not saved: %s", trouble.message)
            return False
        return True

    def _decide(self, run: Run, *, careful: bool) -> Action:
        """The policy's action; the safest one when it has none that is legal."""
        if careful:
            return safest(run)
        try:
            action = self._policy.act(run)
            reason = run.why_not(action)
        except Exception:
            _log.exception("the policy %s failed", self._policy.name)
            return safest(run)
        if reason:
            _log.warning("the policy chose %s, which is not legal: %s", action, reason)
            return safest(run)
        return action

    def _record(self, state: GameState) -> GameRecorder:
        recorder = GameRecorder(
            seed=str(state.get("seed", "")),
            deck=DECKS[names.number(names.DECK_NAMES, state.get("deck", "RED"))],
            stake=STAKES[names.number(names.STAKE_NAMES, state.get("stake", "WHITE"))],
            policy=self._policy.name,
            source=self._source,
            keep=True,
            played_on="balatrobot",
        )
        self._send(recorder.drain())
        return recorder

    def _send(self, events: list[Event]) -> None:
        if self._events is None:
            return
        for event in events:
            try:
                self._events.send(event, timeout=2.0)
            except JimbotError as error:  # a game never waits for the log
                _log.warning("event %s is not in the log: %s", event.event_id, error)

    def _finish(self, game: _Game, run: Run) -> Played:
        recorder = game.recorder
        self._send(recorder.finish(run))
        return Played(
            recorder.game_id,
            game.seed,
            run.won,
            run.ante,
            run.round,
            run.best_hand,
            recorder.actions,
            game.refused,
            game.restarts,
        )


class _Game:
    """One run on the game, as far as this side knows it."""

    def __init__(self, recorder: GameRecorder, seed: str) -> None:
        self.recorder = recorder
        self.seed = seed
        self.memory = Memory()
        self.saved_round = -1
        self.refused = 0
        self.restarts = 0


class _Shown:
    """A shown state as what a record wants: something with a digest."""

    def __init__(self, state: GameState) -> None:
        self._state = state

    def digest(self) -> str:
        return _digest(self._state)


def _digest(state: GameState) -> str:
    text = json.dumps(state, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _remember_use(memory: Memory, state: GameState, name: str, params: dict[str, Any]) -> None:
    area = {"use": "consumables", "buy_and_use": "shop", "pack": "pack"}.get(name)
    place = params.get("consumable", params.get("card"))
    if area is None or place is None:
        return
    card = state[area]["cards"][place]
    if card["set"] in ("TAROT", "PLANET") and card["key"] != "c_fool":
        memory.last_used = card["key"]


def _under_way(state: GameState) -> bool:
    return state["state"] not in ("MENU", "GAME_OVER") and not (
        state.get("won") and state["state"] == "ROUND_EVAL"
    )


def _word(offered: tuple[str, ...], known: tuple[str, ...], wanted: str) -> str:
    """How this game's version writes a deck or stake."""
    for word in offered:
        try:
            if known[names.number(known, word)] == wanted:
                return word
        except names.UnknownName:
            continue
    return wanted
