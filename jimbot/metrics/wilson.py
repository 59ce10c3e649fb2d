"""How far a share of few trials can be trusted."""

from __future__ import annotations

from math import sqrt

Z95 = 1.959963984540054
"""The standard normal distribution's 97.5 % quantile: two-sided 95 %."""


def wilson(successes: int, trials: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval (E. B. Wilson 1927) of a share, within 0 to 1.

    It stays sensible for few trials and for shares near 0 and 1. No trials tell nothing: 0 to 1.
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    square = z * z / trials
    centre = share + square / 2
    spread = z * sqrt(share * (1 - share) / trials + square / trials / 4)
    low = (centre - spread) / (1 + square) if successes > 0 else 0.0
    high = (centre + spread) / (1 + square) if successes < trials else 1.0
    return low, high
