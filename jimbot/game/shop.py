"""The shop: its shelves, buying, rerolling."""

from __future__ import annotations

from typing import Final

from jimbot.game.cards import Offer
from jimbot.game.catalogue import VOUCHER_BY_KEY
from jimbot.game.create import (
    IN_SHOP,
    PLANET,
    SPECTRAL,
    TAROT,
    create_card,
    create_consumable,
    create_joker,
)
from jimbot.game.events import tell_jokers
from jimbot.game.packs import next_pack
from jimbot.game.rules import REROLLED, SHOP_LEFT
from jimbot.game.state import SHOP, State
from jimbot.game.tags import (
    D_SIX,
    add_tag_vouchers,
    modify_offer,
    tag_joker,
    take_tag,
    use_coupons,
)
from jimbot.game.vouchers import redeem

_ILLUSION: Final = VOUCHER_BY_KEY["v_illusion"]


def create_offer(state: State) -> Offer:
    """Create one card for the shelf."""
    if state.tags:
        joker = tag_joker(state)
        if joker is not None:
            forced = Offer(joker=joker)
            forced.free = True
            modify_offer(state, forced)
            return forced
    total = (
        state.joker_rate
        + state.tarot_rate
        + state.planet_rate
        + state.card_rate
        + state.spectral_rate
    )
    poll = state.draws.random(f"cdt{state.ante}") * total
    illusion = state.vouchers[_ILLUSION]
    enhanced = illusion and state.draws.random("illusion") > 0.6
    passed = state.joker_rate
    if poll <= passed:
        offer = Offer(joker=create_joker(state, "sho", IN_SHOP))
    elif poll <= passed + state.tarot_rate:
        offer = Offer(consumable=create_consumable(state, TAROT, "sho"))
    elif poll <= passed + state.tarot_rate + state.planet_rate:
        offer = Offer(consumable=create_consumable(state, PLANET, "sho"))
    elif poll <= passed + state.tarot_rate + state.planet_rate + state.card_rate:
        card = create_card(state, enhanced, "sho")
        if illusion and state.draws.random("illusion") > 0.8:
            edition = state.draws.random("illusion")
            card = card.with_edition(3 if edition > 0.85 else 2 if edition > 0.5 else 1)
        offer = Offer(card=card)
    else:
        offer = Offer(consumable=create_consumable(state, SPECTRAL, "sho"))
    modify_offer(state, offer)
    return offer


def fill_shelf(state: State) -> None:
    """Fill the empty places for cards."""
    while len(state.shop_cards) < state.shop_slots:
        state.shop_cards.append(create_offer(state))


def enter_shop(state: State) -> None:
    """Open the shop after a round."""
    state.phase_now = SHOP
    if take_tag(state, D_SIX):
        state.reroll_from_zero = True
        state.set_reroll_cost(False)
    fill_shelf(state)
    if state.voucher >= 0:
        state.shop_vouchers.append(Offer(voucher=state.voucher))
    state.voucher_seen = True
    for _ in range(2):
        state.shop_packs.append(Offer(pack=next_pack(state)))
    if state.tags:
        add_tag_vouchers(state)
        use_coupons(state)
    state.refresh_costs()


def clear_shelf(state: State) -> None:
    """Take the cards off the shelf; from then on they may be dealt again."""
    offers = state.shop_cards
    state.shop_cards = []
    for offer in offers:
        state.release_offer(offer)


def reroll(state: State) -> None:
    """Pay for new cards on the shelf."""
    state.earn(-state.reroll_cost)
    was_free = state.free_rerolls > 0
    state.free_rerolls = max(0, state.free_rerolls - 1)
    state.set_reroll_cost(not was_free)
    state.stats.rerolls += 1
    clear_shelf(state)
    fill_shelf(state)
    state.refresh_costs()
    tell_jokers(state, REROLLED)


def buy_voucher(state: State, place: int) -> None:
    offer = state.shop_vouchers.pop(place)
    state.earn(-offer.cost)
    if not offer.from_tag:
        state.voucher = -1
    slots = state.shop_slots
    redeem(state, offer.voucher)
    if state.shop_slots > slots:
        fill_shelf(state)  # with every empty place, not only the new one
    state.refresh_costs()


def buy_card(state: State, place: int) -> None:
    """Buy a joker, consumable or playing card and put it where it belongs."""
    offer = state.shop_cards.pop(place)
    state.earn(-offer.cost)
    if offer.joker is not None:
        state.stats.jokers_bought += 1
        state.add_joker(offer.joker)
    elif offer.consumable is not None:
        state.add_consumable(offer.consumable)
    elif offer.card is not None:
        state.add_to_deck(offer.card)
        state.cards_added(1)


def leave_shop(state: State) -> None:
    """Close the shop."""
    tell_jokers(state, SHOP_LEFT)
    clear_shelf(state)
    state.shop_vouchers = []
    state.shop_packs = []
