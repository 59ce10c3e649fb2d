"""Decks: the cards a run starts with, and what else its deck changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from jimbot.game.cards import CLUBS, DIAMONDS, FRONTS, HEARTS, JACK, KING, SPADES, Card, plain_card
from jimbot.game.catalogue import CONSUMABLE_BY_KEY, DECKS, VOUCHER_BY_KEY
from jimbot.game.create import new_consumable
from jimbot.game.state import State
from jimbot.game.vouchers import redeem

SetUp: TypeAlias = "Callable[[State], None]"

SET_UP: Final[dict[str, SetUp]] = {}


def _deck(name: str) -> Callable[[SetUp], SetUp]:
    def register(set_up: SetUp) -> SetUp:
        SET_UP[name] = set_up
        return set_up

    return register


def set_up_deck(state: State) -> None:
    """Apply the deck to a run that starts, and lay out its cards in order of creation."""
    name = DECKS[state.deck_kind]
    if name in SET_UP:
        SET_UP[name](state)
    fronts = list(range(len(FRONTS)))
    if name == "Erratic":
        fronts = [state.draws.below("erratic", len(FRONTS)) for _ in fronts]
        fronts.sort()
    for front in fronts:
        suit, rank = FRONTS[front]
        if name == "Abandoned" and JACK <= rank <= KING:
            continue
        state.draw_pile.append(plain_card(state.new_id(), suit, rank))
    if name == "Checkered":
        state.draw_pile = [_checkered(card) for card in state.draw_pile]
    state.starting_size = len(state.draw_pile)


def _checkered(card: Card) -> Card:
    if card.suit == CLUBS:
        return card.with_face(SPADES, card.rank)
    if card.suit == DIAMONDS:
        return card.with_face(HEARTS, card.rank)
    return card


def _start_with(state: State, key: str) -> None:
    state.add_consumable(new_consumable(state, CONSUMABLE_BY_KEY[key]))


@_deck("Red")
def red(state: State) -> None:
    state.discards_per_round += 1


@_deck("Blue")
def blue(state: State) -> None:
    state.hands_per_round += 1


@_deck("Yellow")
def yellow(state: State) -> None:
    state.money += 10


@_deck("Green")
def green(state: State) -> None:
    state.money_per_hand = 2
    state.money_per_discard = 1
    state.interest = False


@_deck("Black")
def black(state: State) -> None:
    state.joker_slots += 1
    state.hands_per_round -= 1


@_deck("Magic")
def magic(state: State) -> None:
    redeem(state, VOUCHER_BY_KEY["v_crystal_ball"])
    _start_with(state, "c_fool")
    _start_with(state, "c_fool")


@_deck("Nebula")
def nebula(state: State) -> None:
    redeem(state, VOUCHER_BY_KEY["v_telescope"])
    state.consumable_slots -= 1


@_deck("Ghost")
def ghost(state: State) -> None:
    state.spectral_rate = 2.0
    _start_with(state, "c_hex")


@_deck("Zodiac")
def zodiac(state: State) -> None:
    redeem(state, VOUCHER_BY_KEY["v_tarot_merchant"])
    redeem(state, VOUCHER_BY_KEY["v_planet_merchant"])
    redeem(state, VOUCHER_BY_KEY["v_overstock_norm"])


@_deck("Painted")
def painted(state: State) -> None:
    state.hand_size += 2
    state.joker_slots -= 1


@_deck("Plasma")
def plasma(state: State) -> None:
    state.ante_scaling = 2.0
