"""How fast somebody may speak: a bucket of so many words, that fills again."""

from __future__ import annotations

import time
from collections.abc import Callable


class Pace:
    """So many words a second, and a burst of them at once.

    Nobody is refused: who speaks faster is read more slowly, and so has to wait himself.
    """

    def __init__(
        self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._clock = clock
        self._left = self._burst
        self._at = clock()

    def take(self) -> float:
        """A word is said; the seconds to wait before the next is read."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._per_s, self._burst) - 1.0
        self._at = now
        return max(-self._left / self._per_s, 0.0)
