"""A policy that asks where it is unsure, and never waits for long."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jimbot.game import Action, ActionKind, Run
from jimbot.mcp.advised import AdvisedPolicy
from jimbot.mcp.decide import Advised

SELECT, SKIP = Action(ActionKind.SELECT_BLIND), Action(ActionKind.SKIP_BLIND)


class Unsure:
    name = "unsure"
    confidence = 0.2

    def act(self, run: Run) -> Action:
        return SELECT


class Adviser:
    """Says what it was given, and keeps what it hears."""

    def __init__(self, says: Action | None, *, takes_s: float = 0.0, asks: bool = True) -> None:
        self.says, self.takes_s, self.asks = says, takes_s, asks
        self.heard: list[Any] = []
        self.closed = False

    def wants(self, run: Run, confidence: float, left_s: float) -> bool:
        return self.asks and confidence < 0.7

    async def advise(self, run: Run, action: Action, left_s: float, game: str = "") -> Advised:
        await asyncio.sleep(self.takes_s)
        return Advised(self.says, True, "a1")

    def decided(self, game: str, run: Run, action: Action, advised: Advised) -> None:
        self.heard.append((game, action, advised.advice_id))

    def over(self, game: str, *, won: bool | None = None, ante: int | None = None) -> None:
        asyncio.get_running_loop()  # telling the gateway needs one
        self.heard.append((game, won, ante))

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("adviser", "plays", "advice_id", "followed"),
    [
        (Adviser(SKIP), SKIP, "a1", 1),
        (Adviser(Action(ActionKind.CASH_OUT)), SELECT, "a1", 0),
        (Adviser(None), SELECT, "a1", 0),
        (Adviser(SKIP, asks=False), SELECT, "", 0),
        (Adviser(SKIP, takes_s=30.0), SELECT, "", 0),
    ],
)
def test_legal_advice_that_comes_in_time_is_played(
    adviser: Adviser, plays: Action, advice_id: str, followed: int
) -> None:
    policy = AdvisedPolicy(Unsure(), adviser, patience_s=0.3)
    run = Run("ALEEB")
    assert policy.act(run) == plays
    assert (policy.name, policy.confidence, policy.advised) == ("unsure", 0.2, followed)
    policy.over("ALEEB", won=True, ante=8)
    assert adviser.heard == [("seed-ALEEB", plays, advice_id), ("seed-ALEEB", True, 8)]
    policy.close()
    assert adviser.closed
