"""Planet cards: each levels up one hand type."""

from __future__ import annotations

from typing import Final

from jimbot.game.catalogue import FIRST_PLANET
from jimbot.game.hands import (
    FIVE_OF_A_KIND,
    FLUSH,
    FLUSH_FIVE,
    FLUSH_HOUSE,
    FOUR_OF_A_KIND,
    FULL_HOUSE,
    HANDS,
    HIGH_CARD,
    PAIR,
    STRAIGHT,
    STRAIGHT_FLUSH,
    THREE_OF_A_KIND,
    TWO_PAIR,
)
from jimbot.game.state import State

# The hand of each planet, in the catalogue's order from Mercury to Eris.
PLANET_HANDS: Final = [
    PAIR,
    THREE_OF_A_KIND,
    FULL_HOUSE,
    FOUR_OF_A_KIND,
    FLUSH,
    STRAIGHT,
    TWO_PAIR,
    STRAIGHT_FLUSH,
    HIGH_CARD,
    FIVE_OF_A_KIND,
    FLUSH_HOUSE,
    FLUSH_FIVE,
]


def planet_of(hand: int) -> int:
    """The consumable kind of the planet of a hand type."""
    return FIRST_PLANET + PLANET_HANDS.index(hand)


def use_planet(state: State, kind: int) -> None:
    """Level up the planet's hand."""
    planet = kind - FIRST_PLANET
    state.level_up(PLANET_HANDS[planet], 1)
    state.planets_used |= 1 << planet


def use_black_hole(state: State) -> None:
    """Level up every hand."""
    for hand in range(HANDS):
        state.level_up(hand, 1)
