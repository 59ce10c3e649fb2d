"""Blinds: how much they ask for, which boss comes, and what bosses do."""

from __future__ import annotations

import math
from typing import Final

from jimbot.game.cards import CLUBS, DIAMONDS, HEARTS, SPADES, STONE, WILD, Blind, Card
from jimbot.game.catalogue import BLIND_BY_KEY, BLINDS
from jimbot.game.state import BOSS, SMALL, State

ARM: Final = BLIND_BY_KEY["bl_arm"]
EYE: Final = BLIND_BY_KEY["bl_eye"]
ACORN: Final = BLIND_BY_KEY["bl_final_acorn"]
BELL: Final = BLIND_BY_KEY["bl_final_bell"]
HEART: Final = BLIND_BY_KEY["bl_final_heart"]
LEAF: Final = BLIND_BY_KEY["bl_final_leaf"]
VESSEL: Final = BLIND_BY_KEY["bl_final_vessel"]
FISH: Final = BLIND_BY_KEY["bl_fish"]
FLINT: Final = BLIND_BY_KEY["bl_flint"]
HOOK: Final = BLIND_BY_KEY["bl_hook"]
HOUSE: Final = BLIND_BY_KEY["bl_house"]
MANACLE: Final = BLIND_BY_KEY["bl_manacle"]
MARK: Final = BLIND_BY_KEY["bl_mark"]
MOUTH: Final = BLIND_BY_KEY["bl_mouth"]
NEEDLE: Final = BLIND_BY_KEY["bl_needle"]
OX: Final = BLIND_BY_KEY["bl_ox"]
PILLAR: Final = BLIND_BY_KEY["bl_pillar"]
PLANT: Final = BLIND_BY_KEY["bl_plant"]
PSYCHIC: Final = BLIND_BY_KEY["bl_psychic"]
SERPENT: Final = BLIND_BY_KEY["bl_serpent"]
TOOTH: Final = BLIND_BY_KEY["bl_tooth"]
WALL: Final = BLIND_BY_KEY["bl_wall"]
WATER: Final = BLIND_BY_KEY["bl_water"]
WHEEL: Final = BLIND_BY_KEY["bl_wheel"]

# The suit that a boss debuffs.
DEBUFFED_SUIT: Final[dict[int, int]] = {
    BLIND_BY_KEY["bl_club"]: CLUBS,
    BLIND_BY_KEY["bl_goad"]: SPADES,
    BLIND_BY_KEY["bl_head"]: HEARTS,
    BLIND_BY_KEY["bl_window"]: DIAMONDS,
}

WIN_ANTE: Final = 8

# Base chips of antes 1 to 8, by how fast the stake makes them grow.
_BASE: Final = [
    [300.0, 800.0, 2000.0, 5000.0, 11000.0, 20000.0, 35000.0, 50000.0],
    [300.0, 900.0, 2600.0, 8000.0, 20000.0, 36000.0, 60000.0, 100000.0],
    [300.0, 1000.0, 3200.0, 9000.0, 25000.0, 60000.0, 110000.0, 200000.0],
]


def base_chips(ante: int, scaling: int) -> float:
    """The base chips of an ante; beyond ante 8 they grow faster and faster, to infinity."""
    table = _BASE[scaling - 1]
    if ante < 1:
        return 100.0
    if ante <= 8:
        return table[ante - 1]
    beyond = float(ante - 8)
    try:
        amount = math.floor(
            table[7] * math.pow(1.6 + math.pow(0.75 * beyond, 1.0 + 0.2 * beyond), beyond)
        )
        digits = math.pow(10.0, math.floor(math.log10(amount) - 1.0))
        return float(amount) - math.fmod(float(amount), digits)
    except OverflowError:
        return math.inf


def required_chips(state: State, kind: int, ante: int) -> float:
    """The score that beats a blind."""
    return base_chips(ante, state.blind_scaling) * BLINDS[kind].scale * state.ante_scaling


def new_boss(state: State) -> int:
    """Draw the ante's boss among those least used so far."""
    if not state.bosses_used:
        state.bosses_used = [0] * len(BLINDS)
    ante = state.ante
    finisher = ante >= 2 and ante % WIN_ANTE == 0
    eligible: list[int] = []
    fewest = 100
    for kind in range(2, len(BLINDS)):
        entry = BLINDS[kind]
        if entry.finisher != finisher or (not finisher and entry.min_ante > max(1, ante)):
            continue
        used = state.bosses_used[kind]
        if used < fewest:
            fewest = used
            eligible = []
        if used == fewest:
            eligible.append(kind)
    boss = eligible[state.draws.below("boss", len(eligible))]
    state.bosses_used[boss] += 1
    return boss


def slot_kind(state: State, slot: int) -> int:
    """Which blind stands in a slot of the ante."""
    return state.boss if slot == BOSS else slot


def active(state: State, kind: int) -> bool:
    """Whether a certain boss is in force."""
    blind = state.blind
    return blind is not None and blind.kind == kind and not blind.disabled


def set_blind(state: State, slot: int) -> Blind:
    """Set the blind, with what it does at once."""
    kind = slot_kind(state, slot)
    reward = BLINDS[kind].reward
    if slot == SMALL and not state.small_blind_pays:
        reward = 0
    blind = Blind(kind, slot, reward, required_chips(state, kind, state.blind_ante))
    state.blind = blind
    state.last_blind_was_boss = slot == BOSS
    if kind == WATER:
        blind.taken = state.discards_left
        state.change_discards(-blind.taken)
    elif kind == NEEDLE:
        blind.taken = state.hands_per_round - 1
        state.hands_left -= blind.taken
    elif kind == MANACLE:
        state.change_hand_size(-1)
    elif kind == ACORN and state.jokers:
        for joker in state.jokers:
            joker.face_down = True
        if len(state.jokers) > 1:
            for _ in range(3):
                shuffle_jokers(state)
    if slot == BOSS:
        debuff_all(state)
    return blind


def shuffle_jokers(state: State) -> None:
    """Amber Acorn's shuffle."""
    jokers = sorted(state.jokers, key=lambda joker: joker.id)
    i = len(jokers) - 1
    for j in state.draws.swaps("aajk", len(jokers)):
        jokers[i], jokers[j] = jokers[j], jokers[i]
        i -= 1
    state.jokers = jokers
    state.refresh_jokers()


def is_debuffed(state: State, card: Card) -> bool:
    """Whether the blind debuffs a playing card."""
    blind = state.blind
    if blind is None or blind.disabled or blind.slot != BOSS:
        return False
    kind = blind.kind
    if kind in DEBUFFED_SUIT:
        if card.enhancement == STONE:
            return False
        suit = DEBUFFED_SUIT[kind]
        if card.enhancement == WILD:
            return True
        if state.smeared:
            return (card.suit & 1) == (suit & 1)
        return card.suit == suit
    if kind == PLANT:
        return state.pareidolia or (11 <= card.rank <= 13 and card.enhancement != STONE)
    if kind == PILLAR:
        return card.played
    return kind == LEAF


def debuffed_as_due(state: State, card: Card) -> Card:
    """The card with the debuff that the blind gives it."""
    due = is_debuffed(state, card)
    if due == card.debuffed:
        return card
    return card.with_state(due, card.face_down, card.played, card.forced)


def debuff_all(state: State) -> None:
    """Debuff all playing cards as the blind wants it."""
    for pile in (state.draw_pile, state.hand, state.discard_pile, state.in_play):
        for i in range(len(pile)):
            pile[i] = debuffed_as_due(state, pile[i])


def bars(state: State, size: int, contains: int, hand: int, check: bool) -> bool:
    """Whether the blind lets a hand score nothing; unless only checking, with what it does."""
    blind = state.blind
    if blind is None or blind.disabled:
        return False
    kind = blind.kind
    if kind < 2:
        return False
    blind.triggered = False
    if kind == PSYCHIC and size < 5:
        blind.triggered = True
        return True
    if kind == EYE:
        if (blind.hands_seen >> hand) & 1:
            blind.triggered = True
            return True
        if not check:
            blind.hands_seen |= 1 << hand
    elif kind == MOUTH:
        if blind.only_hand not in (-1, hand):
            blind.triggered = True
            return True
        if not check:
            blind.only_hand = hand
    elif kind == ARM:
        if state.hand_levels[hand].level > 1:
            blind.triggered = True
            if not check:
                state.level_up(hand, -1)
    elif kind == OX and hand == state.favourite:
        blind.triggered = True
        if not check:
            state.money = 0
    return False


def lowers(state: State, hand: int) -> bool:
    """Whether The Arm would lower this hand's level."""
    return active(state, ARM) and state.hand_levels[hand].level > 1


def halves(state: State) -> bool:
    """Whether The Flint halves the base chips and mult."""
    return active(state, FLINT)


def hides(state: State, card: Card) -> bool:
    """Whether a card that is drawn stays face down."""
    blind = state.blind
    if blind is None or blind.disabled or blind.kind < 2:
        return False
    kind = blind.kind
    if kind == WHEEL:
        return state.draws.random("wheel") < state.chance / 7
    if kind == HOUSE:
        return state.hands_this_round == 0 and state.discards_this_round == 0
    if kind == MARK:
        return state.pareidolia or (11 <= card.rank <= 13 and card.enhancement != STONE)
    return kind == FISH and blind.prepped


def disable(state: State) -> None:
    """Switch the boss off, and give back what it took."""
    blind = state.blind
    if blind is None or blind.disabled:
        return
    blind.disabled = True
    kind = blind.kind
    if kind == WATER:
        state.change_discards(blind.taken)
    elif kind == NEEDLE:
        state.hands_left += blind.taken
    elif kind == WALL:
        blind.chips /= 2.0
    elif kind == VESSEL:
        blind.chips /= 3.0
    elif kind == MANACLE:
        # The game deals for the size gained and once more: the hand ends one card over its size.
        state.change_hand_size(1)
        state.cards_owed += 1
    for i in range(len(state.hand)):
        card = state.hand[i]
        if card.face_down or card.forced:
            state.hand[i] = card.with_state(card.debuffed, False, card.played, False)
    for joker in state.jokers:
        joker.face_down = False
        state.set_joker_debuff(joker, False)
    debuff_all(state)


def lift(state: State) -> None:
    """The blind is beaten: undo what it did."""
    blind = state.blind
    if blind is None:
        return
    if blind.kind == MANACLE and not blind.disabled:
        state.change_hand_size(1)
    blind.disabled = True
    for joker in state.jokers:
        joker.face_down = False
        state.set_joker_debuff(joker, False)
    debuff_all(state)


def force_card(state: State) -> None:
    """Cerulean Bell: one card of the hand is always selected."""
    if not state.hand:
        return
    for card in state.hand:
        if card.forced:
            return
    by_age = sorted(range(len(state.hand)), key=lambda i: state.hand[i].id)
    place = by_age[state.draws.below("cerulean_bell", len(by_age))]
    card = state.hand[place]
    state.hand[place] = card.with_state(card.debuffed, card.face_down, card.played, True)


def drawn(state: State) -> None:
    """What the boss does when cards were drawn."""
    blind = state.blind
    if blind is None:
        return
    if not blind.disabled:
        if blind.kind == BELL:
            force_card(state)
        elif blind.kind == HEART and blind.prepped and state.jokers:
            able = [j for j in state.jokers if not j.debuffed or len(state.jokers) < 2]
            for joker in state.jokers:
                state.set_joker_debuff(joker, False)
            able.sort(key=lambda joker: joker.id)
            if able:
                chosen = able[state.draws.below("crimson_heart", len(able))]
                state.set_joker_debuff(chosen, True)
    blind.prepped = False
