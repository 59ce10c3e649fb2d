"""Tags: what they do, and at which moment of a run."""

from __future__ import annotations

from typing import Final

from jimbot.game.bosses import new_boss
from jimbot.game.cards import FOIL, HOLOGRAPHIC, NEGATIVE, POLYCHROME, Joker, Offer, Tag
from jimbot.game.catalogue import JOKERS, PACK_BY_KEY, TAG_BY_KEY
from jimbot.game.create import IN_SHOP, create_joker, next_voucher
from jimbot.game.state import State

UNCOMMON: Final = TAG_BY_KEY["tag_uncommon"]
RARE: Final = TAG_BY_KEY["tag_rare"]
INVESTMENT: Final = TAG_BY_KEY["tag_investment"]
VOUCHER: Final = TAG_BY_KEY["tag_voucher"]
BOSS_TAG: Final = TAG_BY_KEY["tag_boss"]
HANDY: Final = TAG_BY_KEY["tag_handy"]
GARBAGE: Final = TAG_BY_KEY["tag_garbage"]
COUPON: Final = TAG_BY_KEY["tag_coupon"]
DOUBLE: Final = TAG_BY_KEY["tag_double"]
JUGGLE: Final = TAG_BY_KEY["tag_juggle"]
D_SIX: Final = TAG_BY_KEY["tag_d_six"]
TOP_UP: Final = TAG_BY_KEY["tag_top_up"]
SPEED: Final = TAG_BY_KEY["tag_skip"]
ORBITAL: Final = TAG_BY_KEY["tag_orbital"]
ECONOMY: Final = TAG_BY_KEY["tag_economy"]

EDITION_TAGS: Final[dict[int, int]] = {
    TAG_BY_KEY["tag_foil"]: FOIL,
    TAG_BY_KEY["tag_holo"]: HOLOGRAPHIC,
    TAG_BY_KEY["tag_polychrome"]: POLYCHROME,
    TAG_BY_KEY["tag_negative"]: NEGATIVE,
}
PACK_TAGS: Final[dict[int, int]] = {
    TAG_BY_KEY["tag_standard"]: PACK_BY_KEY["p_standard_mega"],
    TAG_BY_KEY["tag_charm"]: PACK_BY_KEY["p_arcana_mega"],
    TAG_BY_KEY["tag_meteor"]: PACK_BY_KEY["p_celestial_mega"],
    TAG_BY_KEY["tag_buffoon"]: PACK_BY_KEY["p_buffoon_mega"],
    TAG_BY_KEY["tag_ethereal"]: PACK_BY_KEY["p_spectral_normal"],
}
_RARES: Final = sum(1 for entry in JOKERS if entry.rarity == 3)


def add_tag(state: State, tag: Tag) -> None:
    """Gain a tag; every Double Tag held turns into a copy of it."""
    doubles = 0
    if tag.kind != DOUBLE:
        kept = [held for held in state.tags if held.kind != DOUBLE]
        doubles = len(state.tags) - len(kept)
        state.tags = kept
    state.tags.append(tag)
    for _ in range(doubles):
        state.tags.append(Tag(tag.kind, tag.hand))


def take_tag(state: State, kind: int) -> bool:
    """Use up the first tag of a kind, if there is one."""
    for i in range(len(state.tags)):
        if state.tags[i].kind == kind:
            del state.tags[i]
            return True
    return False


def use_immediate_tags(state: State) -> None:
    """Use up the tags that pay at once."""
    if not state.tags:
        return
    waiting = state.tags
    state.tags = []
    for tag in waiting:
        if not _use_immediately(state, tag):
            state.tags.append(tag)


def _use_immediately(state: State, tag: Tag) -> bool:
    kind = tag.kind
    if kind == TOP_UP:
        for _ in range(2):
            if len(state.jokers) < state.joker_slots:
                state.add_joker(create_joker(state, "top", rarity=0.0))
    elif kind == SPEED:
        state.earn(5 * state.stats.skips)
    elif kind == GARBAGE:
        state.earn(state.stats.unused_discards)
    elif kind == HANDY:
        state.earn(state.stats.hands_played)
    elif kind == ECONOMY:
        state.earn(min(40, max(0, state.money)))
    elif kind == ORBITAL:
        state.level_up(tag.hand, 3)
    else:
        return False
    return True


def next_tag_pack(state: State) -> int:
    """Use up the first tag that acts on the choice of a blind: its pack, or -1.

    A Boss Tag rerolls the boss, and the next tag has its turn.
    """
    i = 0
    while i < len(state.tags):
        kind = state.tags[i].kind
        if kind in PACK_TAGS:
            del state.tags[i]
            return PACK_TAGS[kind]
        if kind == BOSS_TAG:
            del state.tags[i]
            state.boss_rerolled = True
            state.boss = new_boss(state)
            i = 0
        else:
            i += 1
    return -1


def tag_joker(state: State) -> Joker | None:
    """The joker that an Uncommon or Rare Tag puts on the shelf, used up."""
    for i in range(len(state.tags)):
        kind = state.tags[i].kind
        if kind == UNCOMMON:
            del state.tags[i]
            return create_joker(state, "uta", IN_SHOP, 0.9)
        if kind == RARE:
            del state.tags[i]
            owned = {joker.kind for joker in state.jokers if joker.rarity == 3}
            if len(owned) < _RARES:
                return create_joker(state, "rta", IN_SHOP, 1.0)
            return tag_joker(state)
    return None


def modify_offer(state: State, offer: Offer) -> None:
    """Let the first edition tag change a joker on the shelf that has no edition."""
    joker = offer.joker
    if joker is None or joker.edition or not state.tags:
        return
    for i in range(len(state.tags)):
        kind = state.tags[i].kind
        if kind in EDITION_TAGS:
            joker.edition = EDITION_TAGS[kind]
            offer.free = True
            del state.tags[i]
            return


def add_tag_vouchers(state: State) -> None:
    """Put a voucher on the shelf for every Voucher Tag."""
    while take_tag(state, VOUCHER):
        offer = Offer(voucher=next_voucher(state, from_tag=True))
        offer.from_tag = True
        state.shop_vouchers.append(offer)


def use_coupons(state: State) -> None:
    """Make the shelf's cards and packs free for a Coupon Tag."""
    if take_tag(state, COUPON):
        for offer in state.shop_cards:
            offer.free = True
        for offer in state.shop_packs:
            offer.free = True


def use_juggle_tags(state: State) -> int:
    """The hand size that Juggle Tags add this round."""
    size = 0
    while take_tag(state, JUGGLE):
        size += 3
    return size


def investment(state: State) -> int:
    """What Investment Tags pay after a boss."""
    dollars = 0
    while take_tag(state, INVESTMENT):
        dollars += 25
    return dollars
