"""Using consumables, from a slot, a shelf or a pack."""

from __future__ import annotations

import jimbot.game.spectrals as _spectrals
import jimbot.game.tarots as _tarots
from jimbot.game.cards import Consumable
from jimbot.game.catalogue import CONSUMABLE_BY_KEY, FIRST_PLANET, FIRST_SPECTRAL
from jimbot.game.events import consumable_used
from jimbot.game.planets import use_planet
from jimbot.game.state import PACK, SELECTING_HAND, State
from jimbot.game.uses import USES

# Importing these filled the table.
FILLED_BY = (_tarots.__name__, _spectrals.__name__)

_AURA = CONSUMABLE_BY_KEY["c_aura"]


def targets(kind: int) -> tuple[int, int]:
    """The least and most cards of the hand that a consumable acts on."""
    return USES[kind].least, USES[kind].most


def why_not(state: State, kind: int, places: list[int], freed: int) -> str:
    """Why a consumable cannot be used so now; empty when it can.

    Args:
        places: places in the hand, ascending.
        freed: 1 when it lies in a consumable slot that using it frees.
    """
    entry = USES[kind]
    if FIRST_PLANET <= kind < FIRST_SPECTRAL:
        return "a Planet takes no cards" if places else ""
    if entry.run is None:
        return "it does nothing"
    if entry.most:
        if (state.phase_now != SELECTING_HAND and state.phase_now != PACK) or not state.hand:
            return "there is no hand to use it on"
        if not entry.least <= len(places) <= entry.most:
            return f"it takes {entry.least} to {entry.most} cards"
        for i in range(len(places)):
            if not 0 <= places[i] < len(state.hand) or (i and places[i] <= places[i - 1]):
                return "its cards must be different places of the hand"
        if kind == _AURA and state.hand[places[0]].edition:
            return "the card has an edition already"
        return ""
    if places:
        return "it takes no cards"
    able = entry.able
    if able is not None and not able(state, freed):
        return "there is no room or nothing for it to act on"
    return ""


def use_consumable(state: State, card: Consumable, places: list[int]) -> None:
    """Use a consumable that has been taken from where it lay."""
    kind = card.kind
    if kind < FIRST_PLANET:
        state.stats.tarots_used += 1
    if FIRST_PLANET <= kind < FIRST_SPECTRAL:
        use_planet(state, kind)
    else:
        run = USES[kind].run
        if run is not None:
            run(state, places)
    if kind < FIRST_SPECTRAL:
        state.last_tarot_planet = kind
    consumable_used(state, kind)
    state.release_consumable(kind)
