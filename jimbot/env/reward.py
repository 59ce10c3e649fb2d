"""The reward: how far a run has come, as the growth of a potential.

`progress` depends on the state alone and every step is rewarded with how much it grew, so rewards
add up to the progress at the end of the game however it went there: nothing can be farmed, since
what is gained by going back and forth is lost on the way back.
"""

from __future__ import annotations

from math import log1p
from typing import TYPE_CHECKING, Final

from jimbot.game.state import BOSS, DEFEATED

if TYPE_CHECKING:
    from jimbot.game import Run

WIN_BONUS: Final = 4.0
ANTES: Final = 8
# What beating the small blind, the big blind and the boss adds; together one ante. A skipped
# blind's part comes when the boss is beaten.
_PARTS: Final = (0.25, 0.25, 0.5)
_CURVE: Final = 9.0


def reached(run: Run, goal: int = ANTES) -> bool:
    """Whether the boss of ante `goal` is beaten: then a game played for it is won."""
    return run.won or run.ante > goal


def progress(run: Run, goal: int = ANTES) -> float:
    """Antes beaten, with the parts of this one; from 0, to `goal` plus `WIN_BONUS` when reached.

    Within a blind it grows with the chips scored, on a log scale: the first half of the chips
    needed brings three quarters of the blind's part.
    """
    if reached(run, goal):
        return goal + WIN_BONUS
    total = float(min(run.ante, ANTES) - 1)
    if run.blind_status[BOSS] == DEFEATED:  # the ante has gone up already
        return total
    for slot in range(BOSS):
        if run.blind_status[slot] == DEFEATED:
            total += _PARTS[slot]
    blind = run.blind
    if blind is not None and run.blind_status[blind.slot] != DEFEATED and run.chips > 0.0:
        share = min(1.0, run.chips / blind.chips)
        total += _PARTS[blind.slot] * log1p(_CURVE * share) / log1p(_CURVE)
    return total
