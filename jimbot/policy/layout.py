"""The layout of actions and observations: which row is what, and which column means what.

An action is the number of a row. Rows lie in fixed blocks, so that a network may learn what a block
is for, and each legal row is described by the same columns. What is longer than its block (a huge
hand, many negative jokers) is seen through a window that the `next_page` row moves on.

`docs/environment.md` tells it for people; its tables are checked against this file by a test.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLES,
    ENHANCEMENTS,
    JOKERS,
    PACKS,
    TAGS,
    VOUCHERS,
)
from jimbot.game.hands import HAND_NAMES


class Block(NamedTuple):
    """A run of rows of one kind: `first` to `first + size - 1`."""

    name: str
    first: int
    size: int


PLAYS: Final = 16
DISCARDS: Final = 12
CARD_SLOTS: Final = 20
JOKER_SLOTS: Final = 8
CONSUMABLE_SLOTS: Final = 4
SHELF_SLOTS: Final = 4
VOUCHER_SLOTS: Final = 2
SHOP_PACK_SLOTS: Final = 2
PACK_SLOTS: Final = 5
TARGET_CHOICES: Final = 2  # sets of cards proposed for a consumable that needs some

_SIZES: Final = (
    ("play", PLAYS),
    ("discard", DISCARDS),
    ("toggle_card", CARD_SLOTS),
    ("play_selected", 1),
    ("discard_selected", 1),
    ("card_to_front", 1),
    ("sort_hand", 2),
    ("select_blind", 1),
    ("skip_blind", 1),
    ("reroll_boss", 1),
    ("cash_out", 1),
    ("reroll", 1),
    ("leave_shop", 1),
    ("skip_pack", 1),
    ("next_page", 1),
    ("buy", SHELF_SLOTS),
    ("buy_and_use", SHELF_SLOTS),
    ("buy_voucher", VOUCHER_SLOTS),
    ("buy_pack", SHOP_PACK_SLOTS),
    ("sell_joker", JOKER_SLOTS),
    ("joker_to_end", JOKER_SLOTS),
    ("sell_consumable", CONSUMABLE_SLOTS),
    ("use", CONSUMABLE_SLOTS * TARGET_CHOICES),
    ("use_on_selected", CONSUMABLE_SLOTS),
    ("pick", PACK_SLOTS * TARGET_CHOICES),
    ("pick_on_selected", PACK_SLOTS),
)


def _blocks() -> dict[str, Block]:
    blocks = {}
    first = 0
    for name, size in _SIZES:
        blocks[name] = Block(name, first, size)
        first += size
    return blocks


BLOCKS: Final[dict[str, Block]] = _blocks()
ROWS: Final = sum(size for _, size in _SIZES)
# By row, the number of its block.
BLOCK_OF_ROW: Final[tuple[int, ...]] = tuple(
    number for number, (_, size) in enumerate(_SIZES) for _ in range(size)
)

# Blocks that only prepare an action: they select, turn a page, or put cards and jokers elsewhere.
PREPARING: Final = ("toggle_card", "card_to_front", "sort_hand", "joker_to_end", "next_page")

PLAY: Final = BLOCKS["play"].first
DISCARD: Final = BLOCKS["discard"].first
TOGGLE_CARD: Final = BLOCKS["toggle_card"].first
PLAY_SELECTED: Final = BLOCKS["play_selected"].first
DISCARD_SELECTED: Final = BLOCKS["discard_selected"].first
CARD_TO_FRONT: Final = BLOCKS["card_to_front"].first
SORT_HAND: Final = BLOCKS["sort_hand"].first
SELECT_BLIND: Final = BLOCKS["select_blind"].first
SKIP_BLIND: Final = BLOCKS["skip_blind"].first
REROLL_BOSS: Final = BLOCKS["reroll_boss"].first
CASH_OUT: Final = BLOCKS["cash_out"].first
REROLL: Final = BLOCKS["reroll"].first
LEAVE_SHOP: Final = BLOCKS["leave_shop"].first
SKIP_PACK: Final = BLOCKS["skip_pack"].first
NEXT_PAGE: Final = BLOCKS["next_page"].first
BUY: Final = BLOCKS["buy"].first
BUY_AND_USE: Final = BLOCKS["buy_and_use"].first
BUY_VOUCHER: Final = BLOCKS["buy_voucher"].first
BUY_PACK: Final = BLOCKS["buy_pack"].first
SELL_JOKER: Final = BLOCKS["sell_joker"].first
JOKER_TO_END: Final = BLOCKS["joker_to_end"].first
SELL_CONSUMABLE: Final = BLOCKS["sell_consumable"].first
USE: Final = BLOCKS["use"].first
USE_ON_SELECTED: Final = BLOCKS["use_on_selected"].first
PICK: Final = BLOCKS["pick"].first
PICK_ON_SELECTED: Final = BLOCKS["pick_on_selected"].first

# What describes a row. Ratios and flags lie in [0, 1]; amounts are scaled, see `features`.
COLUMNS: Final[tuple[str, ...]] = (
    "chips",
    "mult",
    "score",
    "share",
    "wins",
    "level",
    "cards",
    "scoring",
    "chance",
    "rank",
    "spades",
    "hearts",
    "clubs",
    "diamonds",
    "enhanced",
    "foil",
    "holographic",
    "polychrome",
    "negative",
    "sealed",
    "debuffed",
    "face_down",
    "selected",
    "cost",
    "money_after",
    "interest_after",
    "sell_value",
    "eternal",
    "perishable",
    "rental",
    "grown",
    "place",
    "adds",
    "swap",
)
WIDTH: Final = len(COLUMNS)
# The places of those columns.
CHIPS: Final = 0
MULT: Final = 1
SCORE: Final = 2
SHARE: Final = 3
WINS: Final = 4
LEVEL: Final = 5
CARDS: Final = 6
SCORING: Final = 7
CHANCE: Final = 8
RANK: Final = 9
SPADES: Final = 10
HEARTS: Final = 11
CLUBS: Final = 12
DIAMONDS: Final = 13
ENHANCED: Final = 14
FOIL: Final = 15
HOLOGRAPHIC: Final = 16
POLYCHROME: Final = 17
NEGATIVE: Final = 18
SEALED: Final = 19
DEBUFFED: Final = 20
FACE_DOWN: Final = 21
SELECTED: Final = 22
COST: Final = 23
MONEY_AFTER: Final = 24
INTEREST_AFTER: Final = 25
SELL_VALUE: Final = 26
ETERNAL: Final = 27
PERISHABLE: Final = 28
RENTAL: Final = 29
GROWN: Final = 30
PLACE: Final = 31
ADDS: Final = 32
SWAP: Final = 33

# What a row or a slot is about, by number: 0 is nothing, then kind after kind of content.
KEEP: Final = ("flush", "straight", "groups", "best hand", "high cards", "all but the weakest")
FIRST_HAND: Final = 1
FIRST_KEEP: Final = FIRST_HAND + len(HAND_NAMES)
FIRST_ENHANCEMENT: Final = FIRST_KEEP + len(KEEP)
FIRST_JOKER: Final = FIRST_ENHANCEMENT + len(ENHANCEMENTS)
FIRST_CONSUMABLE: Final = FIRST_JOKER + len(JOKERS)
FIRST_VOUCHER: Final = FIRST_CONSUMABLE + len(CONSUMABLES)
FIRST_PACK: Final = FIRST_VOUCHER + len(VOUCHERS)
FIRST_TAG: Final = FIRST_PACK + len(PACKS)
FIRST_BLIND: Final = FIRST_TAG + len(TAGS)
ITEMS: Final = FIRST_BLIND + len(BLINDS)

# What is owned or in force: jokers from the left, consumables, tags, the blind that comes or is.
TAG_SLOTS: Final = 3
OWNED: Final = JOKER_SLOTS + CONSUMABLE_SLOTS + TAG_SLOTS + 1

_STATE_SIZES: Final = (
    ("phase", 5),
    ("slot", 3),
    ("ante", 1),
    ("round", 1),
    ("required", 1),
    ("chips", 1),
    ("share", 1),
    ("best_share", 1),
    ("ante_required", 3),
    ("best_hand", 1),
    ("boss_disabled", 1),
    ("hands_left", 1),
    ("discards_left", 1),
    ("money", 1),
    ("wealth", 1),
    ("interest", 1),
    ("reroll_cost", 1),
    ("picks", 1),
    ("hand_size", 1),
    ("cards_held", 1),
    ("cards_left", 1),
    ("deck_size", 1),
    ("jokers", 1),
    ("joker_room", 1),
    ("consumables", 1),
    ("consumable_room", 1),
    ("selected", 1),
    ("page", 1),
    ("margin", 1),
    ("hand_suits", 4),
    ("hand_ranks", 13),
    ("deck_suits", 4),
    ("deck_ranks", 13),
    ("enhancements", 8),
    ("seals", 4),
    ("hand_levels", 12),
    ("hands_played", 12),
    ("vouchers", len(VOUCHERS)),
)


def _places() -> dict[str, tuple[int, int]]:
    places = {}
    first = 0
    for name, size in _STATE_SIZES:
        places[name] = (first, size)
        first += size
    return places


# By name, the first place and the number of places in the state vector.
STATE: Final[dict[str, tuple[int, int]]] = _places()
STATE_SIZE: Final = sum(size for _, size in _STATE_SIZES)
