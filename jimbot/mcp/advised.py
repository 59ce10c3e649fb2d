"""A policy that asks the gateway where it is unsure: for games that are played in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from jimbot.mcp.decide import UNADVISED, ClosingAdviser, heard

if TYPE_CHECKING:
    from jimbot.game import Action, Run
    from jimbot.policy import Policy

# A game that shows animations can wait that long for advice, and not longer.
PATIENCE_S: Final = 5.0


class AdvisedPolicy:
    """Another policy's choice, or the adviser's where that is unsure; close it after the game.

    Args:
        patience_s: how long an answer may take; then the policy's own choice is played.
    """

    def __init__(
        self, policy: Policy, adviser: ClosingAdviser, patience_s: float = PATIENCE_S
    ) -> None:
        self.name = policy.name
        self.confidence = 1.0
        self.advised = 0
        self._policy = policy
        self._adviser = adviser
        self._patience_s = patience_s
        self._runner = asyncio.Runner()

    def act(self, run: Run) -> Action:
        action = self._policy.act(run)
        self.confidence = self._policy.confidence
        advised = UNADVISED
        game, patience_s = _game(run.seed), self._patience_s
        if self._adviser.wants(run, self.confidence, patience_s):
            advised = self._runner.run(heard(self._adviser, run, action, patience_s, game))
            if advised.action is not None and run.is_legal(advised.action):
                action = advised.action
                self.advised += 1
        self._adviser.decided(game, run.clone(), action, advised)
        return action

    def over(self, seed: str, *, won: bool, ante: int) -> None:
        """Tell the adviser how the game of a seed ended."""

        async def tell() -> None:
            self._adviser.over(_game(seed), won=won, ante=ante)

        self._runner.run(tell())

    def close(self) -> None:
        self._runner.run(self._adviser.close())
        self._runner.close()


def _game(seed: str) -> str:
    return f"seed-{seed}"
