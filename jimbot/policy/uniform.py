"""The policy that knows nothing: any listed action as likely as another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from jimbot.policy import layout

if TYPE_CHECKING:
    from jimbot.game import Action, Run


class RandomPolicy:
    """Takes any legal row with the same chance; selects no single cards.

    Args:
        seed: makes its choices reproducible.
    """

    name = "random"

    def __init__(self, seed: int | None = None) -> None:
        from jimbot.policy.features import Observer

        self.confidence = 0.0
        self._random = random.Random(seed)
        self._observer = Observer()

    def act(self, run: Run) -> Action:
        observer = self._observer
        observer.forget()
        observer.observe(run)
        while True:
            rows = [int(row) for row in observer.mask.nonzero()[0] if not _prepares(int(row))]
            if rows:
                self.confidence = 1 / len(rows)
                action = observer.take(self._random.choice(rows))
                assert action is not None
                return action
            observer.take(layout.NEXT_PAGE)
            observer.observe(run)


def _prepares(row: int) -> bool:
    toggle = layout.BLOCKS["toggle_card"]
    return toggle.first <= row < toggle.first + toggle.size or row == layout.NEXT_PAGE
