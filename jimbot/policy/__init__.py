"""What chooses an action: policies, and the rows of features that they choose from.

Nothing here needs torch, Ray or Gymnasium. `COMPILED` tells whether rows and proposals run
compiled: `jimbot.policy._compiled` chooses it on import, and has to be imported first.
"""

from __future__ import annotations

from jimbot.errors import JimbotError
from jimbot.policy._compiled import COMPILED
from jimbot.policy.protocol import Policy

NAMES = ("random", "heuristic")


class UnknownPolicy(JimbotError):
    """There is no policy of this name."""


def make(name: str, *, seed: int = 0) -> Policy:
    """A policy by its name.

    Raises:
        UnknownPolicy: no such policy.
    """
    if name == "random":
        from jimbot.policy.uniform import RandomPolicy

        return RandomPolicy(seed)
    if name == "heuristic":
        from jimbot.policy.heuristic import HeuristicPolicy

        return HeuristicPolicy(seed)
    raise UnknownPolicy(f"there is no policy {name!r}", hint=f"Policies: {', '.join(NAMES)}")


__all__ = ["COMPILED", "NAMES", "Policy", "UnknownPolicy", "make"]
