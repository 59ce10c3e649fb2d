"""Creating cards: the pools that draws pick from, and what a new card is given."""

from __future__ import annotations

from typing import Final

from jimbot.game.cards import FRONTS, Card, Consumable, Joker, plain_card
from jimbot.game.catalogue import (
    BLACK_HOLE,
    CONSUMABLES,
    ENHANCEMENTS,
    FIRST_PLANET,
    FIRST_SPECTRAL,
    JOKER_BY_KEY,
    JOKERS,
    SOUL,
    TAGS,
    VOUCHER_BY_KEY,
    VOUCHERS,
)
from jimbot.game.hands import FIRST_SECRET
from jimbot.game.planets import PLANET_HANDS
from jimbot.game.state import State

TAROT: Final = 0
PLANET: Final = 1
SPECTRAL: Final = 2
_SET_NAMES: Final = ["Tarot", "Planet", "Spectral"]
_SET_POOLS: Final = [
    list(range(FIRST_PLANET)),
    list(range(FIRST_PLANET, FIRST_SPECTRAL)),
    list(range(FIRST_SPECTRAL, len(CONSUMABLES))),
]
# What the game deals when a whole pool is used up.
_STRENGTH: Final = 11
_PLUTO: Final = 30
_INCANTATION: Final = 36
_SET_LAST: Final = [_STRENGTH, _PLUTO, _INCANTATION]

_JOKER_POOLS: Final = [
    [kind for kind in range(len(JOKERS)) if JOKERS[kind].rarity == rarity] for rarity in range(5)
]
_JOKER_GATES: Final = [ENHANCEMENTS.index(entry.gate) for entry in JOKERS]
NEVER_ETERNAL: Final = ["e" in entry.limits for entry in JOKERS]
NEVER_PERISHABLE: Final = ["p" in entry.limits for entry in JOKERS]
_GROS_MICHEL: Final = JOKER_BY_KEY["j_gros_michel"]
_CAVENDISH: Final = JOKER_BY_KEY["j_cavendish"]
_TAG_MIN_ANTE: Final = [entry.min_ante for entry in TAGS]
_REQUIRES: Final = [VOUCHER_BY_KEY[entry.requires] if entry.requires else -1 for entry in VOUCHERS]

# Where a joker comes from decides which stickers it may get.
ELSEWHERE: Final = 0
IN_SHOP: Final = 1
IN_PACK: Final = 2


def joker_available(state: State, kind: int) -> bool:
    """Whether a joker may be dealt now."""
    if state.used_jokers[kind] and not state.showman:
        return False
    if kind == _GROS_MICHEL:
        return not state.gros_michel_gone
    if kind == _CAVENDISH:
        return state.gros_michel_gone
    gate = _JOKER_GATES[kind]
    if gate:
        for pile in (state.draw_pile, state.hand, state.discard_pile, state.in_play):
            for card in pile:
                if card.enhancement == gate:
                    return True
        return False
    return True


def consumable_available(state: State, kind: int) -> bool:
    """Whether a consumable may be dealt now; The Soul and Black Hole only come by luck."""
    if kind in (SOUL, BLACK_HOLE):
        return False
    if state.used_consumables[kind] and not state.showman:
        return False
    if FIRST_PLANET <= kind < FIRST_SPECTRAL:
        hand = PLANET_HANDS[kind - FIRST_PLANET]
        return hand < FIRST_SECRET or state.hand_levels[hand].played > 0
    return True


def pick_joker(state: State, rarity: int, key: str) -> int:
    """Draw a joker of a rarity; what is not available is drawn again under another key."""
    pool = _JOKER_POOLS[rarity]
    kind = pool[state.draws.below(key, len(pool))]
    attempt = 1
    while not joker_available(state, kind):
        if attempt == 1 and not any(joker_available(state, other) for other in pool):
            return 0
        attempt += 1
        kind = pool[state.draws.below(f"{key}_resample{attempt}", len(pool))]
    return kind


def pick_consumable(state: State, kinds: int, key: str) -> int:
    """Draw a tarot, planet or spectral card."""
    pool = _SET_POOLS[kinds]
    kind = pool[state.draws.below(key, len(pool))]
    attempt = 1
    while not consumable_available(state, kind):
        if attempt == 1 and not any(consumable_available(state, other) for other in pool):
            return _SET_LAST[kinds]
        attempt += 1
        kind = pool[state.draws.below(f"{key}_resample{attempt}", len(pool))]
    return kind


def poll_edition(state: State, key: str, factor: float, negative: bool) -> int:
    """Draw an edition, at the run's rates times a factor."""
    poll = state.draws.random(key)
    if poll > 1.0 - 0.003 * factor and negative:
        return 4
    rate = state.edition_rate * factor
    if poll > 1.0 - 0.006 * rate:
        return 3
    if poll > 1.0 - 0.02 * rate:
        return 2
    if poll > 1.0 - 0.04 * rate:
        return 1
    return 0


def poll_sure_edition(state: State, key: str) -> int:
    """Draw one of foil, holographic and polychrome."""
    poll = state.draws.random(key)
    if poll > 1.0 - 0.006 * 25:
        return 3
    if poll > 1.0 - 0.02 * 25:
        return 2
    return 1


def new_joker(state: State, kind: int, edition: int) -> Joker:
    """A joker as it starts out."""
    joker = Joker(kind, state.new_id(), edition)
    start = START_VALUES.get(kind)
    if start is not None:
        joker.value = start
    count = START_COUNTS.get(kind)
    if count is not None:
        joker.count = count
    if kind == _TODO:
        hands = state.shown_hands()
        joker.hand = hands[state.draws.below("to_do", len(hands))]
    elif kind == _LOYALTY:
        joker.count = state.stats.hands_played
    state.used_jokers[kind] = True
    return joker


# What growing and shrinking jokers start with.
START_VALUES: Final[dict[int, float]] = {
    JOKER_BY_KEY["j_ice_cream"]: 100.0,
    JOKER_BY_KEY["j_constellation"]: 1.0,
    JOKER_BY_KEY["j_madness"]: 1.0,
    JOKER_BY_KEY["j_vampire"]: 1.0,
    JOKER_BY_KEY["j_hologram"]: 1.0,
    JOKER_BY_KEY["j_rocket"]: 1.0,
    JOKER_BY_KEY["j_obelisk"]: 1.0,
    JOKER_BY_KEY["j_turtle_bean"]: 5.0,
    JOKER_BY_KEY["j_lucky_cat"]: 1.0,
    JOKER_BY_KEY["j_popcorn"]: 20.0,
    JOKER_BY_KEY["j_ramen"]: 2.0,
    JOKER_BY_KEY["j_campfire"]: 1.0,
    JOKER_BY_KEY["j_glass"]: 1.0,
    JOKER_BY_KEY["j_hit_the_road"]: 1.0,
    JOKER_BY_KEY["j_caino"]: 1.0,
    JOKER_BY_KEY["j_yorick"]: 1.0,
}
START_COUNTS: Final[dict[int, int]] = {
    JOKER_BY_KEY["j_selzer"]: 10,
    JOKER_BY_KEY["j_yorick"]: 23,
}
_TODO: Final = JOKER_BY_KEY["j_todo_list"]
_LOYALTY: Final = JOKER_BY_KEY["j_loyalty_card"]


def create_joker(
    state: State, append: str, where: int = ELSEWHERE, rarity: float = -1.0, legendary: bool = False
) -> Joker:
    """Create a joker of a random rarity, or of a given one (0 common, 0.9 uncommon, 1 rare)."""
    ante = state.ante
    if legendary:
        kind = pick_joker(state, 4, "Joker4")
    else:
        if rarity < 0.0:
            rarity = state.draws.random(f"rarity{ante}{append}")
        tier = 3 if rarity > 0.95 else 2 if rarity > 0.7 else 1
        kind = pick_joker(state, tier, f"Joker{tier}{append}{ante}")
    joker = new_joker(state, kind, 0)
    if where != ELSEWHERE:
        poll = state.draws.random(f"packetper{ante}" if where == IN_PACK else f"etperpoll{ante}")
        if state.eternals and poll > 0.7:
            joker.eternal = not NEVER_ETERNAL[kind]
        elif state.perishables and 0.4 < poll <= 0.7 and not NEVER_PERISHABLE[kind]:
            joker.perishable = 5
        if state.rentals:
            key = f"packssjr{ante}" if where == IN_PACK else f"ssjr{ante}"
            joker.rental = state.draws.random(key) > 0.7
    joker.edition = poll_edition(state, f"edi{append}{ante}", 1.0, True)
    return joker


def create_consumable(state: State, kinds: int, append: str, by_luck: bool = False) -> Consumable:
    """Create a tarot, planet or spectral card; `by_luck` it may be The Soul or Black Hole."""
    ante = state.ante
    kind = -1
    if by_luck:
        key = f"soul_{_SET_NAMES[kinds]}{ante}"
        soul = kinds != PLANET and (state.showman or not state.used_consumables[SOUL])
        if soul and state.draws.random(key) > 0.997:
            kind = SOUL
        hole = kinds != TAROT and (state.showman or not state.used_consumables[BLACK_HOLE])
        if hole and state.draws.random(key) > 0.997:
            kind = BLACK_HOLE
    if kind < 0:
        kind = pick_consumable(state, kinds, f"{_SET_NAMES[kinds]}{append}{ante}")
    return new_consumable(state, kind)


def new_consumable(state: State, kind: int) -> Consumable:
    state.used_consumables[kind] = True
    return Consumable(kind, state.new_id(), 0)


def create_card(state: State, enhanced: bool, append: str) -> Card:
    """Create a random playing card for a shelf or a pack."""
    enhancement = 0
    if enhanced:
        enhancement = 1 + state.draws.below(f"Enhanced{append}{state.ante}", 8)
    suit, rank = FRONTS[state.draws.below(f"front{append}{state.ante}", len(FRONTS))]
    card = plain_card(state.new_id(), suit, rank)
    return card.with_enhancement(enhancement) if enhancement else card


def next_voucher(state: State, from_tag: bool = False) -> int:
    """Draw a voucher that is neither redeemed nor on the shelf, and whose base is redeemed."""
    key = "Voucher_fromtag" if from_tag else f"Voucher{state.ante}"
    shelved = [offer.voucher for offer in state.shop_vouchers]
    free = [
        not state.vouchers[kind]
        and (_REQUIRES[kind] < 0 or state.vouchers[_REQUIRES[kind]])
        and kind not in shelved
        for kind in range(len(VOUCHERS))
    ]
    if True not in free:
        return VOUCHER_BY_KEY["v_blank"]
    kind = state.draws.below(key, len(free))
    attempt = 1
    while not free[kind]:
        attempt += 1
        kind = state.draws.below(f"{key}_resample{attempt}", len(free))
    return kind


def next_tag(state: State) -> int:
    """Draw the tag of a blind that may be skipped."""
    key = f"Tag{state.ante}"
    kind = state.draws.below(key, len(TAGS))
    attempt = 1
    while _TAG_MIN_ANTE[kind] > state.ante:
        attempt += 1
        kind = state.draws.below(f"{key}_resample{attempt}", len(TAGS))
    return kind
