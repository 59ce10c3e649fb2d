"""Simulated games on their way into the event log: one outbox for each process that plays.

Where mcp is reached as by this machine's services, the driver says so. A runner on another machine
is told by $JIMBOT_EVENTS, and has a token.
"""

from __future__ import annotations

import gc
import logging
import os
from collections import deque
from itertools import count
from pathlib import Path
from typing import Any

from jimbot.appliance import Home, load
from jimbot.appliance.containers import EVENTS
from jimbot.env.environment import BalatroEnv
from jimbot.env.reward import ANTES
from jimbot.events.games import GameRecorder
from jimbot.game import Run
from jimbot.mcp.client import EventClient
from jimbot.security import tokens

_log = logging.getLogger(__name__)

_outboxes: dict[str, EventClient] = {}


def outbox(url: str, journal: str) -> EventClient:
    """This process's client to mcp at `url`, made when it is first asked for."""
    if url not in _outboxes:
        _outboxes[url] = EventClient(url, journal=Path(journal))
    return _outboxes[url]


def close_outboxes(timeout_s: float) -> bool:
    """Deliver what waits and close; False when something was left."""
    flushed = [client.close(timeout_s) for client in _outboxes.values()]
    _outboxes.clear()
    return all(flushed)


class _Sent(GameRecorder):
    """Follows one game and sends it off at its end."""

    def __init__(self, run: Run, client: EventClient, *, keep: bool) -> None:
        super().__init__(
            seed=run.seed,
            deck=run.deck,
            stake=run.stake,
            policy="ppo",
            source=f"trainer-{os.getpid()}",
            keep=keep,
        )
        self._client = client

    def finish(self, run: Any) -> Any:
        for event in super().finish(run):
            self._client.send(event)
        if self.keep:
            _kept.append(self.game_id)


class Gatherer:
    """Follows games for `BalatroEnv`: every game leaves its summary, one in N all its actions."""

    def __init__(self, url: str, journal: str, record_one_in: int) -> None:
        self._client = outbox(url, journal)
        self._record_one_in = record_one_in
        self._games = 0

    def __call__(self, run: Run) -> _Sent:
        keep = self._games % self._record_one_in == 0
        self._games += 1
        return _Sent(run, self._client, keep=keep)


_gatherers: dict[str, Gatherer] = {}


def _gatherer(context: dict[str, Any]) -> Gatherer | None:
    """What takes this process's games, by mcp's address: one for all its environments, so that
    "one in N" counts them together. None where games leave no record."""
    url = context.get("events") or os.environ.get(EVENTS)
    if not url:
        return None
    if url in _gatherers:
        return _gatherers[url]
    if context.get("events"):
        made = Gatherer(url, context["journal"], context["record_one_in"])
    else:
        home = Home.default()
        if tokens.own(home) is None:
            # mcp would let nobody in, and what waits for it would hold up the games in the end.
            _log.warning("games of this process leave no record: there is no token for %s", url)
            return None
        made = Gatherer(url, str(home.acknowledged), load().training.record_one_in)
    _gatherers[url] = made
    return made


# What this process's games are played for (see `curriculum`), and how many ended and were won.
_level: tuple[str, int] | None = None
_games = 0
_won = 0
# Environments that this process has made.
_environments = count()
# Games of this process that were kept action by action and sent off, for the log.
_kept: deque[str] = deque(maxlen=1000)


def set_level(level: tuple[str, int]) -> None:
    """Play the games that start from here on at this stake and for this goal."""
    global _level
    _level = level


def take_tally() -> tuple[int, int]:
    """Games that ended in this process since the last call, and how many of them were won."""
    global _games, _won
    tally = _games, _won
    _games = _won = 0
    return tally


def take_kept() -> list[str]:
    """Ids of the games that this process has kept action by action since the last call."""
    kept = list(_kept)
    _kept.clear()
    return kept


class TalliedEnv(BalatroEnv):
    """`BalatroEnv`, which counts what ends; RLlib's own figures do not tell of wins."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        global _games, _won
        found = super().step(action)
        if found[2] or found[3]:
            _games += 1
            _won += bool(found[4].get("won"))
        return found


def _look_for_cycles_seldom() -> None:
    """What RLlib keeps of running episodes is looked through again and again by Python's search for
    cycles, a sixth of a runner's time, and nearly all that it drops is in none."""
    gc.freeze()
    gc.set_threshold(50_000, 10, 5)  # a whole look about once an iteration


def make_env(context: dict[str, Any]) -> BalatroEnv:
    """The environment as RLlib makes it in each of its runners.

    Args:
        context: `decks`, of which this process's environments take one after the other, `stake`,
            and for games that shall be kept `events`, `journal` and `record_one_in`; without them
            $JIMBOT_EVENTS says where they go, if it is set.
    """
    first = (context["stake"], ANTES)
    decks = context["decks"]
    number = next(_environments)
    if not number:
        _look_for_cycles_seldom()
    return TalliedEnv(
        decks[number % len(decks)],
        context["stake"],
        follow=_gatherer(context),
        level=lambda: _level or first,
        foresight=True,
    )
