"""Tarot cards."""

from __future__ import annotations

from jimbot.game.bosses import debuffed_as_due
from jimbot.game.cards import (
    ACE,
    BONUS,
    CLUBS,
    DIAMONDS,
    GLASS,
    GOLD,
    HEARTS,
    LUCKY,
    MULT,
    SPADES,
    STEEL,
    STONE,
    WILD,
    Card,
    Joker,
)
from jimbot.game.catalogue import CONSUMABLE_BY_KEY
from jimbot.game.create import (
    PLANET,
    TAROT,
    create_consumable,
    create_joker,
    new_consumable,
    poll_sure_edition,
)
from jimbot.game.events import destroy_cards
from jimbot.game.state import State
from jimbot.game.uses import use

_FOOL = CONSUMABLE_BY_KEY["c_fool"]


def set_card(state: State, place: int, card: Card) -> None:
    """Put a changed card in its place, with the debuff that it now deserves."""
    state.hand[place] = debuffed_as_due(state, card)


def consumable_room(state: State, freed: int) -> bool:
    return len(state.consumables) - freed < state.consumable_slots


def joker_room(state: State, freed: int) -> bool:
    return len(state.jokers) < state.joker_slots


def plain_jokers(state: State) -> list[Joker]:
    """Jokers without an edition, by age, as draws count them."""
    plain = [joker for joker in state.jokers if joker.edition == 0]
    plain.sort(key=lambda joker: joker.id)
    return plain


def has_plain_joker(state: State, freed: int) -> bool:
    return any(joker.edition == 0 for joker in state.jokers)


def can_repeat(state: State, freed: int) -> bool:
    last = state.last_tarot_planet
    return last >= 0 and last != _FOOL and consumable_room(state, freed)


@use("c_fool", able=can_repeat)
def fool(state: State, places: list[int]) -> None:
    if consumable_room(state, 0):
        state.add_consumable(new_consumable(state, state.last_tarot_planet))


def _enhance(state: State, places: list[int], enhancement: int) -> None:
    for place in places:
        set_card(state, place, state.hand[place].with_enhancement(enhancement))


@use("c_magician", 1, 2)
def magician(state: State, places: list[int]) -> None:
    _enhance(state, places, LUCKY)


@use("c_empress", 1, 2)
def empress(state: State, places: list[int]) -> None:
    _enhance(state, places, MULT)


@use("c_heirophant", 1, 2)
def hierophant(state: State, places: list[int]) -> None:
    _enhance(state, places, BONUS)


@use("c_lovers", 1, 1)
def lovers(state: State, places: list[int]) -> None:
    _enhance(state, places, WILD)


@use("c_chariot", 1, 1)
def chariot(state: State, places: list[int]) -> None:
    _enhance(state, places, STEEL)


@use("c_justice", 1, 1)
def justice(state: State, places: list[int]) -> None:
    _enhance(state, places, GLASS)


@use("c_devil", 1, 1)
def devil(state: State, places: list[int]) -> None:
    _enhance(state, places, GOLD)


@use("c_tower", 1, 1)
def tower(state: State, places: list[int]) -> None:
    _enhance(state, places, STONE)


def create_consumables(state: State, kinds: int, count: int, append: str) -> None:
    """Create consumables as far as there is room."""
    for _ in range(count):
        if consumable_room(state, 0):
            state.add_consumable(create_consumable(state, kinds, append))


@use("c_high_priestess", able=consumable_room)
def high_priestess(state: State, places: list[int]) -> None:
    create_consumables(state, PLANET, 2, "pri")


@use("c_emperor", able=consumable_room)
def emperor(state: State, places: list[int]) -> None:
    create_consumables(state, TAROT, 2, "emp")


@use("c_hermit")
def hermit(state: State, places: list[int]) -> None:
    state.earn(max(0, min(state.money, 20)))


@use("c_wheel_of_fortune", able=has_plain_joker)
def wheel_of_fortune(state: State, places: list[int]) -> None:
    if state.draws.random("wheel_of_fortune") < state.chance / 4:
        jokers = plain_jokers(state)
        joker = jokers[state.draws.below("wheel_of_fortune", len(jokers))]
        joker.edition = poll_sure_edition(state, "wheel_of_fortune")
        state.refresh_costs()


@use("c_strength", 1, 2)
def strength(state: State, places: list[int]) -> None:
    for place in places:
        card = state.hand[place]
        rank = 2 if card.rank == ACE else card.rank + 1
        set_card(state, place, card.with_face(card.suit, rank))


@use("c_hanged_man", 1, 2)
def hanged_man(state: State, places: list[int]) -> None:
    destroy_cards(state, [state.hand[place] for place in places], True)


@use("c_death", 2, 2)
def death(state: State, places: list[int]) -> None:
    model = state.hand[places[-1]]
    for place in places[:-1]:
        card = state.hand[place]
        copy = model.copied(card.id)
        set_card(
            state, place, copy.with_state(copy.debuffed, card.face_down, copy.played, card.forced)
        )


@use("c_temperance")
def temperance(state: State, places: list[int]) -> None:
    state.earn(min(50, sum([joker.sell_value for joker in state.jokers])))


def _recolour(state: State, places: list[int], suit: int) -> None:
    for place in places:
        card = state.hand[place]
        set_card(state, place, card.with_face(suit, card.rank))


@use("c_star", 1, 3)
def star(state: State, places: list[int]) -> None:
    _recolour(state, places, DIAMONDS)


@use("c_moon", 1, 3)
def moon(state: State, places: list[int]) -> None:
    _recolour(state, places, CLUBS)


@use("c_sun", 1, 3)
def sun(state: State, places: list[int]) -> None:
    _recolour(state, places, HEARTS)


@use("c_world", 1, 3)
def world(state: State, places: list[int]) -> None:
    _recolour(state, places, SPADES)


@use("c_judgement", able=joker_room)
def judgement(state: State, places: list[int]) -> None:
    state.add_joker(create_joker(state, "jud"))
