"""Spreading the budget over the day: the bar that a question's value must pass to be paid for.

Of the questions of late, only so many can be afforded until the window ends; the bar is where the
best of them begin. When money is plenty for all that come, everything of value is asked.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

REMEMBERED = 512
ENOUGH = 20


class Pace:
    """Remembers the values of the last questions and when they came."""

    def __init__(self, least_value: float, clock: Callable[[], float] = time.time) -> None:
        self._least = least_value
        self._clock = clock
        self._seen: deque[tuple[float, float, int]] = deque(maxlen=REMEMBERED)

    def observe(self, value: float, decisions: int) -> None:
        """A question came, standing for so many decisions of its client."""
        self._seen.append((self._clock(), value, decisions))

    def bar(self, requests_per_s: float, decision_share: float) -> float:
        """The least value that is worth asking.

        Args:
            requests_per_s: how many can be afforded.
            decision_share: how large a share of decisions may consult.
        """
        if len(self._seen) < ENOUGH:
            return self._least
        elapsed = max(self._clock() - self._seen[0][0], 1.0)
        arriving = len(self._seen) / elapsed
        decisions = sum(count for _, _, count in self._seen) / len(self._seen)
        fraction = min(requests_per_s / arriving, decision_share * decisions)
        if fraction >= 1:
            return self._least
        values = sorted((value for _, value, _ in self._seen), reverse=True)
        affordable = max(int(fraction * len(values)), 1)
        return max(values[affordable - 1], self._least)
