"""Asking the Claude gateway when the policy is not sure: the decisions' `Adviser`."""

from __future__ import annotations

import logging
import time
from typing import Final

import httpx

from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.afterwards import Afterwards
from jimbot.mcp.decide import Advised
from jimbot.policy.candidates import Hand, discards, plays
from jimbot.service import correlate

_log = logging.getLogger(__name__)

# Below this confidence of the policy's an answer may be worth its price; whether it is, the
# gateway decides, which knows the budget.
UNSURE: Final = 0.7
_HANDS: Final = 8
_CHOICES: Final = 24
# Kept of the deadline for the answer's way back.
_RESERVE_S: Final = 0.05
# After a failure nobody asks for so long: the gateway is away, and each try costs a game its time.
_REST_S: Final = 10.0


class GatewayAdviser:
    """Asks the gateway at `url`, within what a decision's deadline leaves.

    Args:
        least_deadline_s: with less time than this nobody is asked (`claude.least_deadline_ms`).
    """

    def __init__(self, url: str, least_deadline_s: float) -> None:
        self._url = f"{url}/api/v1/advice"
        self._least_s = least_deadline_s
        self._http = httpx.AsyncClient(trust_env=False, event_hooks={"request": [correlate]})
        self._afterwards = Afterwards(url, self._http)
        self._decisions = 0
        self._rests_until = 0.0

    async def close(self) -> None:
        await self._afterwards.close()
        await self._http.aclose()

    def wants(self, run: Run, confidence: float, left_s: float) -> bool:
        self._decisions += 1
        return (
            confidence < UNSURE
            and left_s >= self._least_s
            and time.monotonic() >= self._rests_until
        )

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None:
        followed = advised.action is not None and action == advised.action
        self._afterwards.decided(game, run, action, advised.advice_id, followed)

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        self._afterwards.over(game, won=won, ante=ante)

    async def advise(self, run: Run, action: Action, left_s: float, game: str = "") -> Advised:
        from jimbot.claude.describe import question
        from jimbot.claude.question import Advice

        legal = considered(run, action)
        rest = 0.5 / max(1, len(legal) - 1)
        asked = question(
            run,
            legal,
            [0.5 if one == action else rest for one in legal] if len(legal) > 1 else [1.0],
            deadline_ms=max(20, int((left_s - _RESERVE_S) * 1000)),
            decisions=min(max(1, self._decisions), 100_000),
            game_id=game or None,
        )
        self._decisions = 0
        try:
            answer = await self._http.post(
                self._url,
                content=asked.model_dump_json(),
                headers={"Content-Type": "application/json"},
                timeout=left_s,
            )
            answer.raise_for_status()
            advice = Advice.model_validate_json(answer.content)
        except (httpx.HTTPError, ValueError) as error:
            _log.warning("no advice from the gateway: %s", error or type(error).__name__)
            self._rests_until = time.monotonic() + _REST_S
            return Advised(None, False)
        # What the gateway knows without Claude, the policy knows better.
        useful = advice.source == "claude" or advice.source.startswith("cache:")
        if not useful or advice.index >= len(legal):
            return Advised(None, advice.source == "claude")
        return Advised(legal[advice.index], advice.source == "claude", advice.advice_id)


def considered(run: Run, chosen: Action) -> list[Action]:
    """The actions worth a question, the policy's first: of hundreds of hands the best few."""
    if run.hand and run.phase.name == "SELECTING_HAND":
        hand = Hand(run)
        best = plays(run, hand, _HANDS)
        found = [Action(ActionKind.PLAY, 0, play.cards) for play in best]
        if run.discards_left > 0 and best:
            found += [
                Action(ActionKind.DISCARD, 0, one.cards)
                for one in discards(run, hand, best[0].cards, _HANDS)
            ]
    else:
        found = run.legal_actions()
    others = [one for one in found if one != chosen and run.is_legal(one)]
    return [chosen, *others[: _CHOICES - 1]]
