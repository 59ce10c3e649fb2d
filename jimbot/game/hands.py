"""Poker hands: what they are, what they are worth, and finding them in cards."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from jimbot.game.cards import ACE, STONE, WILD, Card

HIGH_CARD: Final = 0
PAIR: Final = 1
TWO_PAIR: Final = 2
THREE_OF_A_KIND: Final = 3
STRAIGHT: Final = 4
FLUSH: Final = 5
FULL_HOUSE: Final = 6
FOUR_OF_A_KIND: Final = 7
STRAIGHT_FLUSH: Final = 8
FIVE_OF_A_KIND: Final = 9
FLUSH_HOUSE: Final = 10
FLUSH_FIVE: Final = 11
HANDS: Final = 12
# From here on a hand is shown only once it was played.
FIRST_SECRET: Final = FIVE_OF_A_KIND


class HandType(IntEnum):
    """The poker hands, weakest first."""

    HIGH_CARD = 0
    PAIR = 1
    TWO_PAIR = 2
    THREE_OF_A_KIND = 3
    STRAIGHT = 4
    FLUSH = 5
    FULL_HOUSE = 6
    FOUR_OF_A_KIND = 7
    STRAIGHT_FLUSH = 8
    FIVE_OF_A_KIND = 9
    FLUSH_HOUSE = 10
    FLUSH_FIVE = 11

    @property
    def label(self) -> str:
        return HAND_NAMES[self]


HAND_NAMES: Final = (
    "High Card",
    "Pair",
    "Two Pair",
    "Three of a Kind",
    "Straight",
    "Flush",
    "Full House",
    "Four of a Kind",
    "Straight Flush",
    "Five of a Kind",
    "Flush House",
    "Flush Five",
)

# The order in which LuaJIT 2.1.0-beta3, which the game ships, walks its table of hands: that of a
# hash table filled from Flush Five to High Card. To Do List, Orbital Tag and the favourite hand
# depend on it.
HASH_ORDER: Final = [
    FLUSH_HOUSE,
    FULL_HOUSE,
    FLUSH,
    PAIR,
    HIGH_CARD,
    STRAIGHT_FLUSH,
    STRAIGHT,
    TWO_PAIR,
    FLUSH_FIVE,
    FIVE_OF_A_KIND,
    THREE_OF_A_KIND,
    FOUR_OF_A_KIND,
]

# By hand type: chips and mult at level 1, and what a level adds.
BASE_CHIPS: Final = [5, 10, 20, 30, 30, 35, 40, 60, 100, 120, 140, 160]
BASE_MULT: Final = [1, 2, 2, 3, 4, 4, 4, 7, 8, 12, 14, 16]
LEVEL_CHIPS: Final = [10, 15, 20, 20, 30, 15, 25, 30, 40, 35, 40, 50]
LEVEL_MULT: Final = [1, 1, 1, 2, 3, 2, 2, 3, 4, 3, 4, 3]


class HandLevel:
    """A hand type's level in a run.

    Attributes:
        level: from 1; The Arm may lower it to 0 only through level 1, which it spares.
        played: times played in this run.
        played_this_round: times played in this round.
        chips, mult: what it starts a score with.
    """

    __slots__ = ("hand", "level", "played", "played_this_round")

    def __init__(self, hand: int, level: int, played: int, played_this_round: int) -> None:
        self.hand = hand
        self.level = level
        self.played = played
        self.played_this_round = played_this_round

    def copy(self) -> HandLevel:
        return HandLevel(self.hand, self.level, self.played, self.played_this_round)

    @property
    def chips(self) -> int:
        return max(BASE_CHIPS[self.hand] + LEVEL_CHIPS[self.hand] * (self.level - 1), 0)

    @property
    def mult(self) -> int:
        return max(BASE_MULT[self.hand] + LEVEL_MULT[self.hand] * (self.level - 1), 1)

    @property
    def visible(self) -> bool:
        """Secret hands show once they were played."""
        return self.hand < FIRST_SECRET or self.played > 0

    def __repr__(self) -> str:
        return f"<{HAND_NAMES[self.hand]} level {self.level}>"


class Found:
    """What a set of cards holds.

    Attributes:
        hand: the best hand type.
        contains: a bit for every hand type that the cards contain (`1 << hand`).
        scoring: a bit for each card, by its place, that makes up the best hand.
    """

    __slots__ = ("contains", "hand", "scoring")

    def __init__(self, hand: int, contains: int, scoring: int) -> None:
        self.hand = hand
        self.contains = contains
        self.scoring = scoring


def in_suit_for_flush(card: Card, suit: int, smeared: bool) -> bool:
    """Whether a card counts as a suit when looking for a flush (debuffed cards keep their suit)."""
    if card.enhancement == STONE:
        return False
    if card.enhancement == WILD and not card.debuffed:
        return True
    if smeared:
        return (card.suit & 1) == (suit & 1)
    return card.suit == suit


def _flush(cards: list[Card], need: int, smeared: bool) -> int:
    """The cards of the first suit that makes a flush, as bits."""
    if len(cards) < need:
        return 0
    for suit in range(4):
        bits = 0
        count = 0
        for i in range(len(cards)):
            if in_suit_for_flush(cards[i], suit, smeared):
                bits |= 1 << i
                count += 1
        if count >= need:
            return bits
    return 0


def _straight(cards: list[Card], need: int, shortcut: bool) -> int:
    """The cards that make a straight, as bits; the Ace is low and high."""
    if len(cards) < need:
        return 0
    ranks = 0
    for card in cards:
        if card.enhancement != STONE:
            ranks |= 1 << card.rank
    if ranks & (1 << ACE):
        ranks |= 2
    length = 0
    found = False
    skipped = False
    members = 0
    for rank in range(1, 15):
        if ranks & (1 << rank):
            length += 1
            skipped = False
            members |= 1 << rank
        elif shortcut and not skipped and rank != 14:
            skipped = True
        else:
            length = 0
            skipped = False
            if found:
                break
            members = 0
        if length >= need:
            found = True
    if not found:
        return 0
    if members & 2:
        members |= 1 << ACE
    bits = 0
    for i in range(len(cards)):
        if cards[i].enhancement != STONE and members & (1 << cards[i].rank):
            bits |= 1 << i
    return bits


def find(cards: list[Card], four_fingers: bool, shortcut: bool, smeared: bool) -> Found:
    """Find the poker hand in one to five cards."""
    need = 4 if four_fingers else 5
    n = len(cards)
    # Groups of equal rank: the cards of each group size, the higher rank first.
    five = four = three = pair_high = pair_low = 0
    best = 0
    for i in range(n):
        if cards[i].order > cards[best].order:
            best = i
        if cards[i].enhancement == STONE:
            continue
        rank = cards[i].rank
        group = 0
        size = 0
        first = True
        for j in range(n):
            if cards[j].rank == rank and cards[j].enhancement != STONE:
                if j < i:
                    first = False
                    break
                group |= 1 << j
                size += 1
        if not first:
            continue
        if size == 2:
            if pair_high == 0:
                pair_high = group
            else:
                pair_low = group
        elif size == 3:
            three = group
        elif size == 4:
            four = group
        elif size == 5:
            five = group
    flush = _flush(cards, need, smeared)
    straight = _straight(cards, need, shortcut)

    contains = 1 << HIGH_CARD
    hand = HIGH_CARD
    scoring = (1 << best) if n else 0
    if pair_high:
        contains |= 1 << PAIR
        hand = PAIR
        scoring = pair_high
    if (pair_high and pair_low) or (three and pair_high):
        contains |= 1 << TWO_PAIR
        hand = TWO_PAIR
        scoring = pair_high | pair_low | three
    if three:
        contains |= (1 << THREE_OF_A_KIND) | (1 << PAIR)
        hand = THREE_OF_A_KIND
        scoring = three
    if straight:
        contains |= 1 << STRAIGHT
        hand = STRAIGHT
        scoring = straight
    if flush:
        contains |= 1 << FLUSH
        hand = FLUSH
        scoring = flush
    if three and pair_high:
        contains |= 1 << FULL_HOUSE
        hand = FULL_HOUSE
        scoring = three | pair_high
    if four:
        contains |= (1 << FOUR_OF_A_KIND) | (1 << THREE_OF_A_KIND) | (1 << PAIR)
        hand = FOUR_OF_A_KIND
        scoring = four
    if straight and flush:
        contains |= 1 << STRAIGHT_FLUSH
        hand = STRAIGHT_FLUSH
        scoring = straight | flush
    if five:
        contains |= (
            (1 << FIVE_OF_A_KIND) | (1 << FOUR_OF_A_KIND) | (1 << THREE_OF_A_KIND) | (1 << PAIR)
        )
        hand = FIVE_OF_A_KIND
        scoring = five
    if three and pair_high and flush:
        contains |= 1 << FLUSH_HOUSE
        hand = FLUSH_HOUSE
        scoring = three | pair_high
    if five and flush:
        contains |= 1 << FLUSH_FIVE
        hand = FLUSH_FIVE
        scoring = five
    return Found(hand, contains, scoring)
