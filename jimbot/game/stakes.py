"""Stakes: each adds its difficulty to those below it."""

from __future__ import annotations

from typing import Final

from jimbot.game.catalogue import STAKES
from jimbot.game.state import State

RED: Final = STAKES.index("Red")
GREEN: Final = STAKES.index("Green")
BLACK: Final = STAKES.index("Black")
BLUE: Final = STAKES.index("Blue")
PURPLE: Final = STAKES.index("Purple")
ORANGE: Final = STAKES.index("Orange")
GOLD: Final = STAKES.index("Gold")


def set_up_stake(state: State) -> None:
    """Apply the stake to a run that starts."""
    stake = state.stake_kind
    if stake >= RED:
        state.small_blind_pays = False
    if stake >= GREEN:
        state.blind_scaling = 2
    if stake >= BLACK:
        state.eternals = True
    if stake >= BLUE:
        state.discards_per_round -= 1
    if stake >= PURPLE:
        state.blind_scaling = 3
    if stake >= ORANGE:
        state.perishables = True
    if stake >= GOLD:
        state.rentals = True
