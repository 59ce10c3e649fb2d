"""How alike is alike enough: measured on Claude's own answers.

Each time Claude answers a question that has a nearest neighbour in the cache, the two answers
either agree or do not. The threshold is the lowest cosine above which they agreed often enough,
by the lower end of a confidence interval; without the evidence there is no threshold and the
cache does not generalise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

# One-sided 95 %.
Z = 1.645


def wilson_lower(agreed: int, of: int) -> float:
    """Lower end of Wilson's one-sided 95 % interval for a share (Wilson 1927)."""
    if of == 0:
        return 0.0
    share, z2 = agreed / of, Z * Z
    middle = share + z2 / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max((middle - spread) / (1 + z2 / of), 0.0)


def threshold(
    pairs: Iterable[tuple[float, bool]], *, agreement: float, evidence: int
) -> float | None:
    """The lowest cosine such that, of the pairs at or above it, at least `evidence` were seen and
    the share that agreed is `agreement` or more; None when there is no such cosine."""
    found: float | None = None
    agreed = seen = 0
    ordered = sorted(pairs, key=lambda pair: -pair[0])
    for cosine, group in groupby(ordered, key=lambda pair: pair[0]):
        for _, same in group:
            seen += 1
            agreed += same
        if seen >= evidence and wilson_lower(agreed, seen) >= agreement:
            found = cosine
    return found


class Difference:
    """Whether what was observed stays behind what was expected: mean and spread, one at a time
    (Welford 1962)."""

    def __init__(self, count: int = 0, mean: float = 0.0, squares: float = 0.0) -> None:
        self.count, self.mean, self.squares = count, mean, squares

    def add(self, difference: float) -> None:
        self.count += 1
        delta = difference - self.mean
        self.mean += delta / self.count
        self.squares += delta * (difference - self.mean)

    def behind(self, trials: int) -> bool:
        """At least so many were seen, and the upper end of the mean's interval is below zero."""
        if self.count < trials:
            return False
        spread = math.sqrt(self.squares / (self.count - 1) / self.count) if self.count > 1 else 0.0
        return self.mean + Z * spread < 0
