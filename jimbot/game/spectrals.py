"""Spectral cards."""

from __future__ import annotations

from typing import Final

from jimbot.game.cards import (
    ACE,
    BLUE_SEAL,
    CLUBS,
    DIAMONDS,
    GOLD_SEAL,
    HEARTS,
    JACK,
    KING,
    NEGATIVE,
    POLYCHROME,
    PURPLE_SEAL,
    QUEEN,
    RED_SEAL,
    SPADES,
    STONE,
    Card,
    Joker,
)
from jimbot.game.create import create_joker, poll_sure_edition
from jimbot.game.events import destroy_cards
from jimbot.game.planets import use_black_hole
from jimbot.game.state import State, card_id
from jimbot.game.tarots import has_plain_joker, joker_room, plain_jokers, set_card
from jimbot.game.uses import use

# The order in which these cards draw suits and enhancements.
_SUITS: Final = [SPADES, HEARTS, DIAMONDS, CLUBS]
_ENHANCEMENTS: Final = [kind for kind in range(1, 9) if kind != STONE]
_NUMBERS: Final = [2, 3, 4, 5, 6, 7, 8, 9, 10]
_FACES: Final = [JACK, QUEEN, KING]
_RANKS: Final = [2, 3, 4, 5, 6, 7, 8, 9, 10, JACK, QUEEN, KING, ACE]


def has_cards(state: State, freed: int) -> bool:
    return len(state.hand) > 1


def by_age(cards: list[Card]) -> list[Card]:
    return sorted(cards, key=card_id)


def _replace_card(state: State, key: str, ranks: list[int], count: int) -> None:
    """Destroy a random card of the hand and create enhanced ones."""
    held = by_age(state.hand)
    destroyed = [held[state.draws.below("random_destroy", len(held))]]
    for card in destroyed:
        state.destroy_card(card)
    for _ in range(count):
        rank = ranks[state.draws.below(key, len(ranks))] if len(ranks) > 1 else ranks[0]
        suit = _SUITS[state.draws.below(key, len(_SUITS))]
        enhancement = _ENHANCEMENTS[state.draws.below("spe_card", len(_ENHANCEMENTS))]
        card = Card(state.new_id(), suit, rank, enhancement, 0, 0, 0, False, False, False, False)
        state.hand.append(card)
        set_card(state, len(state.hand) - 1, card)
    state.cards_added(count)
    destroy_cards(state, destroyed)


@use("c_familiar", able=has_cards)
def familiar(state: State, places: list[int]) -> None:
    _replace_card(state, "familiar_create", _FACES, 3)


@use("c_grim", able=has_cards)
def grim(state: State, places: list[int]) -> None:
    _replace_card(state, "grim_create", [ACE], 2)


@use("c_incantation", able=has_cards)
def incantation(state: State, places: list[int]) -> None:
    _replace_card(state, "incantation_create", _NUMBERS, 4)


def _seal(state: State, places: list[int], seal: int) -> None:
    for place in places:
        state.hand[place] = state.hand[place].with_seal(seal)


@use("c_talisman", 1, 1)
def talisman(state: State, places: list[int]) -> None:
    _seal(state, places, GOLD_SEAL)


@use("c_deja_vu", 1, 1)
def deja_vu(state: State, places: list[int]) -> None:
    _seal(state, places, RED_SEAL)


@use("c_trance", 1, 1)
def trance(state: State, places: list[int]) -> None:
    _seal(state, places, BLUE_SEAL)


@use("c_medium", 1, 1)
def medium(state: State, places: list[int]) -> None:
    _seal(state, places, PURPLE_SEAL)


@use("c_aura", 1, 1)
def aura(state: State, places: list[int]) -> None:
    for place in places:
        state.hand[place] = state.hand[place].with_edition(poll_sure_edition(state, "aura"))


@use("c_wraith", able=joker_room)
def wraith(state: State, places: list[int]) -> None:
    state.add_joker(create_joker(state, "wra", rarity=0.99))
    state.money = 0


@use("c_sigil", able=has_cards)
def sigil(state: State, places: list[int]) -> None:
    suit = _SUITS[state.draws.below("sigil", len(_SUITS))]
    for place in range(len(state.hand)):
        card = state.hand[place]
        set_card(state, place, card.with_face(suit, card.rank))


@use("c_ouija", able=has_cards)
def ouija(state: State, places: list[int]) -> None:
    rank = _RANKS[state.draws.below("ouija", len(_RANKS))]
    for place in range(len(state.hand)):
        card = state.hand[place]
        set_card(state, place, card.with_face(card.suit, rank))
    state.change_hand_size(-1)


@use("c_ectoplasm", able=has_plain_joker)
def ectoplasm(state: State, places: list[int]) -> None:
    jokers = plain_jokers(state)
    joker = jokers[state.draws.below("ectoplasm", len(jokers))]
    joker.edition = NEGATIVE
    state.joker_slots += 1
    state.refresh_costs()
    state.change_hand_size(-state.ectoplasm_cost)
    state.ectoplasm_cost += 1


@use("c_immolate", able=has_cards)
def immolate(state: State, places: list[int]) -> None:
    held = by_age(state.hand)
    i = len(held) - 1
    for j in state.draws.swaps("immolate", len(held)):
        held[i], held[j] = held[j], held[i]
        i -= 1
    destroy_cards(state, held[:5])
    state.earn(20)


def _destroy_other_jokers(state: State, kept: Joker) -> None:
    for joker in list(state.jokers):
        if joker is not kept and not joker.eternal:
            state.remove_joker(joker)


def can_copy_joker(state: State, freed: int) -> bool:
    """The game asks for room before it destroys the others."""
    return 0 < len(state.jokers) < state.joker_slots


@use("c_ankh", able=can_copy_joker)
def ankh(state: State, places: list[int]) -> None:
    jokers = sorted(state.jokers, key=lambda joker: joker.id)
    model = jokers[state.draws.below("ankh_choice", len(jokers))]
    _destroy_other_jokers(state, model)
    state.add_joker(copied_joker(state, model, 0 if model.edition == NEGATIVE else model.edition))


def copied_joker(state: State, model: Joker, edition: int) -> Joker:
    """A copy with all that the model has counted."""
    twin = model.copy()
    twin.id = state.new_id()
    twin.edition = edition
    return twin


@use("c_hex", able=has_plain_joker)
def hex_(state: State, places: list[int]) -> None:
    jokers = plain_jokers(state)
    joker = jokers[state.draws.below("hex", len(jokers))]
    joker.edition = POLYCHROME
    _destroy_other_jokers(state, joker)
    state.refresh_costs()


@use("c_cryptid", 1, 1)
def cryptid(state: State, places: list[int]) -> None:
    model = state.hand[places[0]]
    for _ in range(2):
        state.hand.append(model.copied(state.new_id()))
    state.cards_added(2)


@use("c_soul", able=joker_room)
def soul(state: State, places: list[int]) -> None:
    state.add_joker(create_joker(state, "sou", legendary=True))


@use("c_black_hole")
def black_hole(state: State, places: list[int]) -> None:
    use_black_hole(state)
