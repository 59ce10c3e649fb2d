"""What chooses an action: policies, and the rows of features that they choose from.

Nothing here needs torch, Ray or Gymnasium. `COMPILED` tells whether rows and proposals run
compiled: `jimbot.policy._compiled` chooses it on import, and has to be imported first.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jimbot.errors import JimbotError
from jimbot.policy._compiled import COMPILED
from jimbot.policy.protocol import Policy

if TYPE_CHECKING:
    from jimbot.appliance.home import Home

NAMES = ("random", "heuristic", "search")
SHIPPED = "learned.npz"  # beside this file
LEARNED = "latest"  # what `jimbot export` has put into the home
LOOKAHEAD = "lookahead"  # the same, which looks twice where a blind may be lost


class UnknownPolicy(JimbotError):
    """There is no policy of this name."""


def make(name: str, *, seed: int = 0, home: Home | None = None) -> Policy:
    """A policy by its name.

    Args:
        seed: makes the choices of those that draw reproducible.
        home: where `LEARNED` is looked for; the default home when left out.

    Raises:
        UnknownPolicy: no such policy.
        PolicyFileError: nothing is exported there, or it cannot be used.
    """
    if name == "random":
        from jimbot.policy.uniform import RandomPolicy

        return RandomPolicy(seed)
    if name == "heuristic":
        from jimbot.policy.heuristic import HeuristicPolicy

        return HeuristicPolicy(seed)
    if name == LEARNED:
        from jimbot.policy.network import NetworkPolicy

        return NetworkPolicy(learned_file(home))
    if name == LOOKAHEAD:
        from jimbot.policy.lookahead import LookaheadPolicy
        from jimbot.policy.network import NetworkPolicy

        return LookaheadPolicy(NetworkPolicy(learned_file(home)), seed)
    known = ", ".join((*NAMES, LEARNED, LOOKAHEAD))
    if name == "search":
        from jimbot.policy.search import SearchPolicy

        return SearchPolicy(seed)
    raise UnknownPolicy(f"there is no policy {name!r}", hint=f"Policies: {known}")


def learned_file(home: Home | None = None) -> Path:
    """What `LEARNED` plays: the home's export, or while there is none the one that is shipped."""
    from jimbot.policy.weights import FILE_NAME

    if home is None:
        from jimbot.appliance.home import Home

        home = Home.default()
    own = home.path / FILE_NAME
    shipped = Path(__file__).parent / SHIPPED
    return own if own.exists() or not shipped.exists() else shipped


__all__ = [
    "COMPILED",
    "LEARNED",
    "LOOKAHEAD",
    "NAMES",
    "Policy",
    "UnknownPolicy",
    "learned_file",
    "make",
]
