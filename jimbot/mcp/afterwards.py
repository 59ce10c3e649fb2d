"""What became of the games that were advised on, told to the gateway: so wrong answers leave its
cache, lost games are analysed, and a game's cost is known.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from typing import Any, Final, NamedTuple

import httpx
from pydantic import BaseModel

from jimbot.game import Action, Run

_log = logging.getLogger(__name__)

# Live games remembered; the one longest unheard of goes first, untold.
_GAMES: Final = 256
# Decisions in words that are kept of a game: its end decides most.
_DECISIONS: Final = 1000
_TIMEOUT_S: Final = 5.0


class _Advice(NamedTuple):
    id: str
    ante: int
    followed: bool
    expected: float


class _Game:
    def __init__(self) -> None:
        self.advices: list[_Advice] = []
        self.decisions: list[str] = []
        self.last: Run | None = None
        self.ante = 1
        self.won = False


class Afterwards:
    """Remembers live games and tells the gateway at `url` how they ended.

    What an advice should have brought is measured against how games usually go: of those that
    reached its ante, the share that went beyond it. What it brought is 1 when its game did.
    """

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url = url
        self._http = http
        self._games: OrderedDict[str, _Game] = OrderedDict()
        # By ante: games that ended there, and games that went beyond it.
        self._ended: dict[int, int] = {}
        self._passed: dict[int, int] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def decided(
        self, game: str, run: Run, action: Action, advice_id: str = "", followed: bool = False
    ) -> None:
        """A decision was made in a game; with the id of the advice that was heard before it."""
        from jimbot.claude.describe import choice

        known = self._games.setdefault(game, _Game())
        self._games.move_to_end(game)
        if len(self._games) > _GAMES:
            self._games.popitem(last=False)
        known.ante, known.won, known.last = max(run.ante, 0), run.won, run
        known.decisions.append(f"ante {run.ante}: {choice(run, action).label}"[:400])
        del known.decisions[:-_DECISIONS]
        if advice_id:
            known.advices.append(_Advice(advice_id, known.ante, followed, self.usual(known.ante)))

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        """A game has ended; as it was last seen where nothing else is told."""
        known = self._games.pop(game, None)
        if known is None:
            return
        known.won = known.won if won is None else won
        known.ante = known.ante if ante is None else max(ante, 0)
        for passed in range(1, known.ante + known.won):
            self._passed[passed] = self._passed.get(passed, 0) + 1
        if not known.won:
            self._ended[known.ante] = self._ended.get(known.ante, 0) + 1
        if known.advices:
            task = asyncio.create_task(self._tell(game, known))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def usual(self, ante: int) -> float:
        """The share of games that go beyond an ante, of those that reach it; a half unheard of."""
        passed = self._passed.get(ante, 0)
        return (passed + 1) / (passed + self._ended.get(ante, 0) + 2)

    async def close(self) -> None:
        """Wait for what is being told, or give it up."""
        if self._telling:
            _, late = await asyncio.wait(self._telling, timeout=1.0)
            for task in late:
                task.cancel()

    async def _tell(self, game: str, known: _Game) -> None:
        from jimbot.claude.analysis import LostGame
        from jimbot.claude.describe import state
        from jimbot.claude.question import GameResult, Outcome

        messages: list[tuple[str, BaseModel]] = [
            (
                "outcomes",
                Outcome(
                    advice_id=advice.id,
                    expected=advice.expected,
                    observed=float(known.won or known.ante > advice.ante),
                    followed=advice.followed,
                ),
            )
            for advice in known.advices
        ]
        messages.append(("games", GameResult(game_id=game, won=known.won, ante=known.ante)))
        if not known.won and known.last is not None:
            lost = LostGame(game_id=game, state=state(known.last), decisions=tuple(known.decisions))
            messages.append(("analyses", lost))
        try:
            for path, message in messages:
                answer = await self._http.post(
                    f"{self._url}/api/v1/{path}",
                    content=message.model_dump_json(),
                    headers={"Content-Type": "application/json"},
                    timeout=_TIMEOUT_S,
                )
                answer.raise_for_status()
        except httpx.HTTPError as error:
            # Only the gateway's learning misses it: no game waits for that.
            fields: dict[str, Any] = {"game": game, "error": str(error) or type(error).__name__}
            _log.warning("the gateway does not know how a game ended", extra={"fields": fields})
