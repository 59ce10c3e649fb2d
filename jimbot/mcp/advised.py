"""A policy that asks the gateway where it is unsure: for games that are played in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from jimbot.mcp.decide import Advised, ClosingAdviser

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
        advised = Advised(None, False)
        if self._adviser.wants(run, self.confidence, self._patience_s):
            advised = self._runner.run(self._ask(run, action))
            if advised.action is not None and run.is_legal(advised.action):
                action = advised.action
                self.advised += 1
        self._adviser.decided(_game(run), run.clone(), action, advised)
        return action

    def over(self, seed: str, *, won: bool, ante: int) -> None:
        """Tell the adviser how the game of a seed ended."""

        async def tell() -> None:
            self._adviser.over(f"seed-{seed}", won=won, ante=ante)

        self._runner.run(tell())

    def close(self) -> None:
        self._runner.run(self._adviser.close())
        self._runner.close()

    async def _ask(self, run: Run, action: Action) -> Advised:
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._adviser.advise(run, action, self._patience_s, _game(run))
        except TimeoutError:
            return Advised(None, True)


def _game(run: Run) -> str:
    return f"seed-{run.seed}"
