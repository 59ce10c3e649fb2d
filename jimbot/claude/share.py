"""Less than so large a share of the day's decisions may consult Claude."""

from __future__ import annotations

import time
from collections.abc import Callable

DAY_S = 86_400.0


class DecisionShare:
    """Counts decisions and consultations of the UTC day; a consultation is refused at the share."""

    def __init__(self, share: float, clock: Callable[[], float] = time.time) -> None:
        self.share = share
        self._clock = clock
        self._day = int(clock() // DAY_S)
        self.decisions = 0
        self.consulted = 0

    def restore(self, day: int, decisions: int, consulted: int) -> None:
        """Go on from what was counted before a restart, if that was today."""
        if day == self._day:
            self.decisions, self.consulted = decisions, consulted

    def decided(self, count: int) -> None:
        """Decisions were made."""
        self._turn()
        self.decisions += count

    def take(self) -> bool:
        """Consult, if the share then still is below its limit."""
        self._turn()
        if self.consulted + 1 >= self.share * self.decisions:
            return False
        self.consulted += 1
        return True

    def give_back(self) -> None:
        """Undo the last `take`: nobody was consulted after all."""
        self.consulted = max(self.consulted - 1, 0)

    @property
    def today(self) -> tuple[int, int, int]:
        """`(day, decisions, consulted)`, for `restore`."""
        return self._day, self.decisions, self.consulted

    @property
    def used(self) -> float:
        return self.consulted / self.decisions if self.decisions else 0.0

    def _turn(self) -> None:
        day = int(self._clock() // DAY_S)
        if day > self._day:  # a clock set back stays on the later day
            self._day, self.decisions, self.consulted = day, 0, 0
