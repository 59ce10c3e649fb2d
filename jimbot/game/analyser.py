"""What a seed holds, as seed analysers tell it.

An analyser follows every queue of draws as if nothing were owned or on show: the shop of a run
that never rerolls, the packs with their contents, and no voucher ever redeemed. A run deals a
little differently, because a card that is on show is not dealt again.
"""

from __future__ import annotations

from typing import Any

from jimbot.game.bosses import new_boss
from jimbot.game.cards import Card, Joker, Offer
from jimbot.game.catalogue import BLINDS, ENHANCEMENTS, PACKS, TAGS, VOUCHERS
from jimbot.game.create import next_tag, next_voucher
from jimbot.game.packs import fill_pack, next_pack
from jimbot.game.run import Run
from jimbot.game.shop import create_offer
from jimbot.game.state import State

# Where analysers spell a name differently.
_NAMES = {"Mail-In Rebate": "Mail In Rebate", "Driver's License": "Drivers License"}
_SUITS = "SHCD"
_RANKS = "23456789TJQKA"


def analyse(
    seed: str, deck: str = "Red", stake: str = "White", antes: int = 8
) -> list[dict[str, Any]]:
    """What a seed holds, ante by ante.

    Returns:
        For every ante its `boss`, `voucher`, `tags` (of the small and the big blind), `shop` (the
        cards in order: four in ante 1, six later, two a visit) and `packs` (two a visit, each with
        its `items`).

    Raises:
        InvalidSeed: the seed, deck or stake does not exist.
    """
    state = Run(seed, deck, stake)
    for card in state.consumables:  # what a deck starts with counts as not owned, too
        state.used_consumables[card.kind] = False
    found: list[dict[str, Any]] = []
    for ante in range(1, antes + 1):
        state.ante = ante
        if ante > 1:
            state.boss = new_boss(state)
            state.voucher = next_voucher(state)
            state.skip_tags = [next_tag(state), next_tag(state)]
        visits = 2 if ante == 1 else 3
        shop = [_shelf_card(state) for _ in range(2 * visits)]
        packs = [_pack(state) for _ in range(2 * visits)]
        found.append(
            {
                "ante": ante,
                "boss": BLINDS[state.boss].name,
                "voucher": VOUCHERS[state.voucher].name,
                "tags": [TAGS[tag].name for tag in state.skip_tags],
                "shop": shop,
                "packs": packs,
            }
        )
    return found


def _forget(state: State, offers: list[Offer]) -> None:
    """Forget that cards are on show."""
    for offer in offers:
        if offer.joker is not None:
            state.used_jokers[offer.joker.kind] = False
        elif offer.consumable is not None:
            state.used_consumables[offer.consumable.kind] = False


def _shelf_card(state: State) -> dict[str, Any]:
    offer = create_offer(state)
    _forget(state, [offer])
    return _describe(offer)


def _pack(state: State) -> dict[str, Any]:
    kind = next_pack(state)
    offers = fill_pack(state, kind)
    _forget(state, offers)
    return {"pack": PACKS[kind].name, "items": [_describe(offer) for offer in offers]}


def _describe(offer: Offer) -> dict[str, Any]:
    if offer.card is not None:
        return _describe_card(offer.card)
    if offer.joker is not None:
        return _describe_joker(offer.joker)
    return {"name": offer.name}


def _describe_joker(joker: Joker) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": _NAMES.get(joker.name, joker.name)}
    if joker.edition:
        entry["edition"] = joker.edition_name
    if joker.eternal:
        entry["eternal"] = True
    if joker.perishable >= 0:
        entry["perishable"] = True
    if joker.rental:
        entry["rental"] = True
    return entry


def _describe_card(card: Card) -> dict[str, Any]:
    entry: dict[str, Any] = {"card": f"{_SUITS[card.suit]}_{_RANKS[card.rank - 2]}"}
    if card.enhancement:
        entry["enhancement"] = ENHANCEMENTS[card.enhancement]
    if card.edition:
        entry["edition"] = card.edition_name
    if card.seal:
        entry["seal"] = card.seal_name
    return entry
