"""Asking a server that is away no more often than helps: a circuit breaker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Breaker:
    """After `failures` in a row, calls are refused for `open_s` seconds; then one may try.

    Args:
        refuse: makes what is raised while calls are refused.
        failed: which exceptions count as the server being away.
    """

    def __init__(
        self,
        failures: int,
        open_s: float,
        *,
        refuse: Callable[[float], Exception],
        failed: tuple[type[BaseException], ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._open_s = open_s
        self._refuse = refuse
        self._failed = failed
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0

    @contextmanager
    def calling(self) -> Iterator[None]:
        with self._lock:
            left = self._until - self._clock()
            if left > 0:
                raise self._refuse(left)
            if self._failures >= self._limit:
                self._until = self._clock() + self._open_s  # the others wait for this one's luck
        try:
            yield
        except self._failed:
            with self._lock:
                self._failures += 1
                if self._failures >= self._limit:
                    self._until = self._clock() + self._open_s
            raise
        except Exception:
            self._answered()  # whatever it said, it is there
            raise
        self._answered()

    def _answered(self) -> None:
        with self._lock:
            self._failures, self._until = 0, 0.0
