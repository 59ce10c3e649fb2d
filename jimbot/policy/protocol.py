"""What every policy is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from jimbot.game import Action, Run


class Policy(Protocol):
    """Chooses actions from what a player sees.

    Attributes:
        name: stands in the log with every game it played.
        confidence: how sure it was of its last choice, from 0 to 1.
    """

    name: str
    confidence: float

    def act(self, run: Run) -> Action:
        """The action to perform now; the run is not changed and must not be over."""
