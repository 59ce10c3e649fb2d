"""Decisions for games that play elsewhere: a shown state in, an action out, in time."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol

from jimbot.errors import JimbotError
from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.balatrobot.methods import METHODS
from jimbot.mcp.balatrobot.mirror import Memory, is_settled, mirror
from jimbot.mcp.balatrobot.requests import request_of, safest
from jimbot.mcp.messages import Decide, Decision, Move
from jimbot.service import note

if TYPE_CHECKING:
    from jimbot.policy import Policy

_log = logging.getLogger(__name__)

# Threads that think. They share the interpreter, so two would only make each other late.
_THREADS: Final = 1
# What the way there and back, and the fallback, take of a deadline.
_RESERVE_S: Final = 0.008
_QUICK_PLAYS: Final = 4
QUICK: Final = "quick"  # the fallback's name as a policy


class NoDecision(JimbotError):
    """The state is none that a player can act in."""


class Advised(NamedTuple):
    """What an adviser says: an action, or None for no opinion; and whether Claude was asked.

    `advice_id` is set with an action: what came of it is told by it.
    """

    action: Action | None
    asked_claude: bool
    advice_id: str = ""


UNADVISED: Final = Advised(None, False)


class Adviser(Protocol):
    """Somebody to ask when the policy is not sure (`jimbot.mcp.advice`)."""

    def wants(self, run: Run, confidence: float, left_s: float) -> bool: ...

    async def advise(self, run: Run, action: Action, left_s: float, game: str = "") -> Advised:
        """By the deadline, whatever happens; never raises."""

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None:
        """What was decided in a game in the end, with what was advised before."""

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        """A game has ended; as its last decision showed it where nothing else is told."""


async def heard(adviser: Adviser, run: Run, action: Action, left_s: float, game: str) -> Advised:
    """What an adviser says within the time, whatever it promised."""
    try:
        async with asyncio.timeout(left_s):
            return await adviser.advise(run, action, left_s, game)
    except TimeoutError:
        return Advised(None, True)


class ClosingAdviser(Adviser, Protocol):
    """One that holds what has to be closed."""

    async def close(self) -> None: ...


class _Thought(NamedTuple):
    action: Action
    confidence: float
    policy: str


class Decider:
    """Answers `Decide` messages with one policy; make one a process, and `close` it.

    Args:
        make: makes a policy; each thread gets one of its own.
        adviser: asked when it wants to be, within the deadline.
    """

    def __init__(self, make: Callable[[], Policy], adviser: Adviser | None = None) -> None:
        self._make = make
        self._adviser = adviser
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="decide")
        # The fallback never waits behind a policy that does not come back.
        self._fallback = ThreadPoolExecutor(1, thread_name_prefix="decide-fallback")
        self._own = threading.local()
        self._random = random.Random()

    def close(self) -> None:
        for threads in (self._threads, self._fallback):
            threads.shutdown(wait=False, cancel_futures=True)

    def warm(self) -> None:
        """Begin to load what the first decisions need, so that they are not late."""
        run = Run("WARM", endless=True)
        run.step(Action(ActionKind.SELECT_BLIND))
        for _ in range(_THREADS):
            self._threads.submit(self._think, run.clone(), math.inf)
        self._fallback.submit(_quick, run)

    async def decide(self, asked: Decide, memory: Memory) -> Decision:
        """The decision, by the deadline or very little after it.

        Raises:
            NoDecision: there is nothing to decide in this state.
            UnknownName: the state shows what JimBot does not know.
        """
        began = time.monotonic()
        game = self._follow(asked, memory)
        note(game=game)
        if not is_settled(asked.state) or asked.state.get("state") == "GAME_OVER":
            raise NoDecision(
                f"there is nothing to decide in state {asked.state.get('state')!r:.40}"
            )
        if asked.pack:
            memory.pack = asked.pack
        end = began + asked.deadline_ms / 1000 - _RESERVE_S
        memory.see(asked.state)
        run = mirror(asked.state, memory, self._random)
        source: Literal["policy", "claude", "fallback"] = "policy"
        thought = await self._thought(run, end)
        if thought.policy == QUICK:
            source = "fallback"
        advised = UNADVISED
        adviser = self._adviser
        left = end - time.monotonic()
        if source == "policy" and adviser and adviser.wants(run, thought.confidence, left):
            advised = await heard(adviser, run, thought.action, left, game)
            if advised.action is not None and run.is_legal(advised.action):
                thought = thought._replace(action=advised.action)
                source = "claude"
        request = request_of(thought.action, run, METHODS)
        if request is None:
            source = "fallback"
            thought = thought._replace(action=safest(run), confidence=0.0)
            request = request_of(thought.action, run, METHODS)
            assert request is not None
        if adviser:
            adviser.decided(game, run, thought.action, advised)
        total, others = _alternatives(run, request, asked.alternatives)
        return Decision(
            request_id=asked.request_id,
            action=Move(method=request[0], params=request[1]),
            source=source,
            policy=thought.policy,
            confidence=min(1.0, max(0.0, thought.confidence)),
            asked_claude=advised.asked_claude,
            alternatives=others,
            alternatives_total=total,
            took_ms=round((time.monotonic() - began) * 1000, 3),
        )

    def _follow(self, asked: Decide, memory: Memory) -> str:
        """Which game this is; tells the adviser when it, or the session's last one, is over."""
        state, seed = asked.state, asked.state.get("seed")
        known = isinstance(seed, str) and re.fullmatch(r"[A-Za-z0-9]{1,16}", seed)
        game = asked.game_id or f"seed-{seed if known else 'unknown'}"
        if self._adviser:
            if memory.game and memory.game != game:
                self._adviser.over(memory.game)
            if state.get("state") == "GAME_OVER":
                ante = state.get("ante_num")
                self._adviser.over(
                    game,
                    won=state.get("won") is True,
                    ante=ante if isinstance(ante, int) else None,
                )
        memory.game = game
        return game

    async def choose(self, run: Run, deadline_s: float = 5.0) -> Action:
        """The policy's action, or the fallback's when it is late."""
        return (await self._thought(run, time.monotonic() + deadline_s)).action

    async def _thought(self, run: Run, end: float) -> _Thought:
        loop = asyncio.get_running_loop()
        thinking = loop.run_in_executor(self._threads, self._think, run.clone(), end)
        try:
            return await asyncio.wait_for(asyncio.shield(thinking), end - time.monotonic())
        except TimeoutError:
            thinking.add_done_callback(_take_result)
        except Exception:
            _log.exception("the policy failed")
        return await loop.run_in_executor(self._fallback, _quick, run)

    def _think(self, run: Run, end: float) -> _Thought:
        if time.monotonic() > end:
            raise TimeoutError  # it waited for its turn too long; nobody listens any more
        policy = getattr(self._own, "policy", None)
        if policy is None:
            policy = self._own.policy = self._make()
        action = policy.act(run)
        reason = run.why_not(action)
        if reason:
            raise NoDecision(f"the policy {policy.name} chose {action}: {reason}")
        return _Thought(action, policy.confidence, policy.name)


def _take_result(late: asyncio.Future[_Thought]) -> None:
    """Nobody waits for it any more; unread, its error would be complained of."""
    if not late.cancelled():
        late.exception()


def _quick(run: Run) -> _Thought:
    """A sensible action without much thought: the best-scoring cards, or simply on."""
    action = safest(run)
    if action.kind == ActionKind.PLAY:
        from jimbot.policy.candidates import Hand, plays

        found = plays(run, Hand(run), _QUICK_PLAYS)
        if found and run.is_legal(best := Action(ActionKind.PLAY, 0, found[0].cards)):
            action = best
    return _Thought(action, 0.0, QUICK)


def _alternatives(
    run: Run, chosen: tuple[str, dict[str, Any]], limit: int
) -> tuple[int, list[Move]]:
    """How many other legal actions there are, and the first `limit` of them."""
    total = 0
    moves: list[Move] = []
    for action in run.legal_actions():
        request = request_of(action, run, METHODS)
        if request is None or request == chosen:
            continue
        total += 1
        if len(moves) < limit:
            moves.append(Move(method=request[0], params=request[1]))
    return total, moves
