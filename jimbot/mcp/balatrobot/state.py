"""A run as BalatroBot shows it: `GameState` of openrpc.json."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, Final

from jimbot.game import Card, Consumable, Joker, Offer, Run
from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLES,
    PACK_BY_KEY,
    PACKS,
    TAGS,
    VOUCHER_BY_KEY,
    VOUCHERS,
)
from jimbot.game.hands import HAND_NAMES, HANDS
from jimbot.game.state import BLIND_SELECT, PACK, ROUND_EVAL, SELECTING_HAND, SHOP
from jimbot.mcp.balatrobot import names
from jimbot.mcp.balatrobot.texts import card_text, joker_text

GameState = dict[str, Any]

HIGHLIGHTED_LIMIT: Final = 5
PACK_SLOTS: Final = 2
_PHASES: Final = {
    BLIND_SELECT: "BLIND_SELECT",
    SELECTING_HAND: "SELECTING_HAND",
    ROUND_EVAL: "ROUND_EVAL",
    SHOP: "SHOP",
    PACK: names.PACK_OPEN,
}
# The most that JSON readers take for a number; scores of endless games leave what a float holds.
_MOST: Final = int(sys.float_info.max)


def state_name(run: Run | None) -> str:
    """The name of the state that the game is in; without a run it shows the menu."""
    return "MENU" if run is None else _PHASES.get(run.phase_now, "GAME_OVER")


def game_state(run: Run | None) -> GameState:
    """The whole state. The deck's cards stand in no telling order; all else is the mod's."""
    if run is None:
        return {"state": "MENU", "round_num": 0, "ante_num": 1, "money": 0, "won": False}
    state: GameState = {
        "state": state_name(run),
        "round_num": run.round,
        "ante_num": run.ante,
        "money": run.money,
        "deck": names.DECK_NAMES[run.deck_kind],
        "stake": names.STAKE_NAMES[run.stake_kind],
        "seed": run.seed,
        "won": run.won,
        "used_vouchers": {key: VOUCHERS[VOUCHER_BY_KEY[key]].text for key in run.voucher_keys},
        "hands": _hands(run),
        "round": {
            "hands_left": run.hands_left,
            "hands_played": run.hands_this_round,
            "discards_left": run.discards_left,
            "discards_used": run.discards_this_round,
            "reroll_cost": run.reroll_cost,
            "chips": _whole(run.chips),
        },
        "blinds": _blinds(run),
        "jokers": area((_joker(run, joker) for joker in run.jokers), run.joker_slots),
        "consumables": area((_consumable(card) for card in run.consumables), run.consumable_slots),
        "cards": area((_card(card, hidden=True) for card in run.deck_view()), len(run.all_cards())),
        "hand": {
            **area(map(_card, run.hand), run.hand_size),
            "highlighted_limit": HIGHLIGHTED_LIMIT,
        },
    }
    if run.last_tarot_planet >= 0:
        state["last_tarot_planet"] = CONSUMABLES[run.last_tarot_planet].key
    if run.tags:
        state["tags"] = [
            {"key": tag.key, "name": tag.name, "effect": TAGS[tag.kind].text} for tag in run.tags
        ]
    pack = run.pack
    if run.phase_now == SHOP or (pack is not None and pack.back_to == SHOP):
        state["shop"] = area((_offer(run, offer) for offer in run.shop_cards), run.shop_slots)
        state["vouchers"] = area((_offer(run, offer) for offer in run.shop_vouchers), 1)
        state["packs"] = area((_offer(run, offer) for offer in run.shop_packs), PACK_SLOTS)
    if pack is not None:
        state["pack"] = area((_offer(run, offer) for offer in pack.cards), PACKS[pack.kind].size)
    return state


def area(cards: Iterable[dict[str, Any]], limit: int) -> dict[str, Any]:
    shown = list(cards)
    return {"count": len(shown), "limit": limit, "cards": shown}


def _hands(run: Run) -> dict[str, Any]:
    return {
        HAND_NAMES[entry.hand]: {
            "order": HANDS - entry.hand,
            "level": entry.level,
            "chips": entry.chips,
            "mult": entry.mult,
            "played": entry.played,
            "played_this_round": entry.played_this_round,
        }
        for entry in run.hand_levels
    }


def _blinds(run: Run) -> dict[str, Any]:
    blinds: dict[str, Any] = {}
    for ahead in run.blinds_ahead:
        name = names.BLIND_SLOTS[ahead.slot]
        blinds[name] = {
            "type": name.upper(),
            "status": names.BLIND_STATUS[ahead.status],
            "name": ahead.name,
            "effect": BLINDS[ahead.kind].text,
            "score": _whole(ahead.required),
        }
        if ahead.tag >= 0:
            blinds[name]["tag_name"] = TAGS[ahead.tag].name
            blinds[name]["tag_effect"] = TAGS[ahead.tag].text
    return blinds


def _shown(
    id: int, key: str, kind: str, label: str, effect: str, sell: int, buy: int
) -> dict[str, Any]:
    return {
        "id": id,
        "key": key,
        "set": kind,
        "label": label,
        "value": {"effect": effect},
        "modifier": {},
        "state": {},
        "cost": {"sell": sell, "buy": buy},
    }


def _card(card: Card, cost: int = 0, hidden: bool = False) -> dict[str, Any]:
    kind = "ENHANCED" if card.enhancement else "DEFAULT"
    shown = _shown(
        card.id, names.card_key(card.suit, card.rank), kind, card.name, card_text(card), 1, cost
    )
    shown["value"] |= {"suit": names.SUITS[card.suit], "rank": names.RANKS[card.rank - 2]}
    modifier = shown["modifier"]
    if card.seal:
        modifier["seal"] = names.SEALS[card.seal]
    if card.edition:
        modifier["edition"] = names.EDITIONS[card.edition]
    if card.enhancement:
        modifier["enhancement"] = names.ENHANCEMENTS[card.enhancement]
    if card.debuffed:
        shown["state"]["debuff"] = True
    if card.face_down or hidden:
        shown["state"]["hidden"] = True
    if card.forced:
        shown["state"]["highlight"] = True
    return shown


def _joker(run: Run, joker: Joker, cost: int | None = None) -> dict[str, Any]:
    buy = run.joker_cost(joker) if cost is None else cost
    sell = joker.sell_value if cost is None else max(1, cost // 2)
    text = joker_text(run, joker)
    shown = _shown(joker.id, joker.key, "JOKER", joker.name, text, sell, buy)
    modifier = shown["modifier"]
    if joker.edition:
        modifier["edition"] = names.EDITIONS[joker.edition]
    if joker.eternal:
        modifier["eternal"] = True
    if joker.perishable > 0:
        modifier["perishable"] = joker.perishable
    if joker.rental:
        modifier["rental"] = True
    if joker.debuffed:
        shown["state"]["debuff"] = True
    if joker.face_down:
        shown["state"]["hidden"] = True
    return shown


def _consumable(card: Consumable, cost: int = 0) -> dict[str, Any]:
    entry = CONSUMABLES[card.kind]
    kind = entry.kind.upper()
    shown = _shown(card.id, card.key, kind, card.name, entry.text, card.sell_value, cost)
    if card.edition:
        shown["modifier"]["edition"] = names.EDITIONS[card.edition]
    return shown


def _offer(run: Run, offer: Offer) -> dict[str, Any]:
    if offer.joker is not None:
        return _joker(run, offer.joker, offer.cost)
    if offer.consumable is not None:
        return _consumable(offer.consumable, offer.cost)
    if offer.card is not None:
        return _card(offer.card, offer.cost)
    if offer.voucher >= 0:
        text = VOUCHERS[offer.voucher].text
        # Vouchers and packs have no number of their own here; their places never change.
        return _shown(0, offer.key, "VOUCHER", offer.name, text, 0, offer.cost)
    entry = PACKS[PACK_BY_KEY[offer.key]]
    text = f"Choose {entry.picks} of {entry.size} cards"
    return _shown(0, f"{offer.key}_1", "BOOSTER", offer.name, text, 0, offer.cost)


def _whole(score: float) -> int:
    return int(score) if score <= _MOST else _MOST
