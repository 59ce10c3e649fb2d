"""Exploration that tunes itself: the entropy bonus is steered so that entropy follows a schedule.

Pure: `Exploration.observe` takes the entropy that an iteration had and gives the coefficient of
the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import Final

from jimbot.appliance import training as table

LEAST: Final = 1e-4
MOST: Final = 0.05
# By how much the coefficient is changed (log) for each nat that entropy is away from its target.
_GAIN: Final = 0.5
# A single odd iteration changes it by no more than this (log).
_MOST_CHANGE: Final = 0.1


@dataclass
class Exploration:
    """The entropy bonus's coefficient, which is kept in checkpoints."""

    coefficient: float = 0.003

    def observe(self, entropy: float, target: float) -> float:
        """The next coefficient: larger where entropy was below its target, smaller above it."""
        change = max(-_MOST_CHANGE, min(_MOST_CHANGE, _GAIN * (target - entropy)))
        self.coefficient = max(LEAST, min(MOST, self.coefficient * exp(change)))
        return self.coefficient


def target(rules: table.Exploration, steps: int) -> float:
    """The entropy to have after so many steps: from `first` straight to `last`, then `last`."""
    share = min(1.0, steps / rules.steps)
    return rules.first + share * (rules.last - rules.first)
