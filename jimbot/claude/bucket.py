"""So many requests an hour: a token bucket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

HOUR_S = 3600.0


class TokenBucket:
    """At most `limit` requests in any hour, at most `burst` of them at once.

    What a burst takes is part of the hour's limit: the bucket holds `burst` and is refilled at the
    rest an hour, so that no window of an hour sees more than `limit`.
    """

    def __init__(self, limit: int, burst: int, clock: Callable[[], float] = time.time) -> None:
        self._burst = float(min(burst, limit))
        self._per_s = max(limit - self._burst, 0.0) / HOUR_S
        self._limit = limit
        self._clock = clock
        self._tokens = self._burst
        self._at = clock()
        self._taken: list[float] = []

    def replay(self, times: Iterable[float]) -> None:
        """Take what was taken before a restart: the times of the requests of the last hour."""
        now = self._clock()
        for at in sorted(at for at in times if now - HOUR_S < at <= now):
            if not self._taken:
                self._tokens, self._at = self._burst, at
            self._refill(at)
            self._tokens = max(self._tokens - 1, 0.0)
            self._taken.append(at)

    def take(self) -> bool:
        """Take one token if there is one."""
        now = self._clock()
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        self._taken.append(now)
        return True

    def give_back(self) -> None:
        """Undo the last `take`: the request was not made after all."""
        self._tokens = min(self._tokens + 1, self._burst)
        if self._taken:
            self._taken.pop()

    @property
    def per_second(self) -> float:
        """The rate that it can keep up."""
        return self._limit / HOUR_S

    @property
    def used(self) -> float:
        """Of the hour's limit, 0..1."""
        since = self._clock() - HOUR_S
        self._taken = [at for at in self._taken if at > since]
        return len(self._taken) / self._limit

    def _refill(self, now: float) -> None:
        # A clock set back gives nothing and takes nothing.
        self._tokens = min(self._tokens + max(now - self._at, 0.0) * self._per_s, self._burst)
        self._at = now
