"""BalatroMCP, the mod that reports by HTTP: its states read, and actions as its commands.

The mod shows less than BalatroBot does, and cannot choose from packs; a policy gets a run with
what it shows, and what its commands cannot say is replaced by the safest action that they can.
"""

from __future__ import annotations

from typing import Any, Final

from jimbot.game import Action, ActionKind, Run
from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLES,
    JOKERS,
    PACKS,
    RANKS,
    SUITS,
    VOUCHERS,
)
from jimbot.mcp.balatrobot import names
from jimbot.mcp.balatrobot.names import UnknownName
from jimbot.mcp.balatrobot.requests import safest
from jimbot.mcp.balatrobot.state import GameState, area

# The game's own numbers for its states, which the mod may send instead of their names.
_STATES: Final = {
    1: "SELECTING_HAND",
    2: "HAND_PLAYED",
    3: "DRAW_TO_HAND",
    4: "GAME_OVER",
    5: "SHOP",
    6: "PLAY_TAROT",
    7: "BLIND_SELECT",
    8: "ROUND_EVAL",
    11: "MENU",
    19: "NEW_ROUND",
}
COMMANDS: Final = frozenset(
    (
        "play_hand",
        "discard",
        "sort_hand",
        "select_card",
        "buy_joker",
        "buy_booster",
        "buy_voucher",
        "sell_joker",
        "reroll_shop",
        "skip_shop",
        "select_small_blind",
        "select_big_blind",
        "select_boss_blind",
        "skip_blind",
        "go_to_shop",
    )
)
# A boss that is not shown yet, and does nothing that a policy would prepare for.
_ANY_BOSS: Final = {"name": "The Wall", "score": 0}
_JOKER_KEYS: Final = {entry.name: entry.key for entry in JOKERS}
_CONSUMABLE_KEYS: Final = {entry.name: (entry.key, entry.kind) for entry in CONSUMABLES}
_VOUCHER_KEYS: Final = {entry.name: entry.key for entry in VOUCHERS}
_PACK_KEYS: Final = {entry.name: entry.key for entry in PACKS}
_BLIND_NAMES: Final = {entry.name: entry for entry in BLINDS}


def read_state(payload: dict[str, Any]) -> GameState:
    """A GAME_STATE payload in BalatroBot's form. `deck`, which gives the hidden order away, is
    read as a set.

    Raises:
        UnknownName: something in it is not of the unmodded game.
    """
    shown = payload.get("game_state")
    state = _STATES.get(shown, "") if isinstance(shown, int) else str(shown or "").upper()
    ante = int(payload.get("ante") or 1)
    blind = _dict(payload.get("blind"))
    hand = [_card(card, number) for number, card in enumerate(_list(payload.get("hand")), 1)]
    deck = _dict(payload.get("deck"))
    rest = [
        _card(card, number)
        for number, card in enumerate(_list(deck.get("cards_remaining")), len(hand) + 1)
    ]
    rest.sort(key=lambda card: str(card["key"]))
    items = sorted(_dict(payload.get("shop_items")).items(), key=_shelf_place)
    shelves: dict[str, list[dict[str, Any]]] = {"shop": [], "vouchers": [], "packs": []}
    for name, item in items:
        shelf = {"joker": "shop", "voucher": "vouchers", "booster": "packs"}[name.split("_")[0]]
        shelves[shelf].append(_item(_dict(item)))
    jokers = [_joker(joker) for joker in _list(payload.get("jokers"))]
    consumables = [_item(_dict(card)) for card in _list(payload.get("consumables"))]
    found: GameState = {
        "state": state,
        "round_num": int(payload.get("round") or 0),
        "ante_num": ante,
        "money": int(payload.get("money") or 0),
        "seed": str(payload.get("game_id") or ""),
        "round": {
            "hands_left": int(payload.get("hands_remaining") or 0),
            "hands_played": int(payload.get("hand_number") or 0),
            "discards_left": int(payload.get("discards_remaining") or 0),
            "chips": int(payload.get("chips") or 0),
        },
        "blinds": _blinds(blind, state, int(payload.get("round") or 0)),
        "jokers": area(jokers, max(5, len(jokers))),
        "consumables": area(consumables, max(2, len(consumables))),
        "cards": area(rest, len(rest) + len(hand)),
        "hand": area(hand, int(payload.get("hand_size") or 8)),
    }
    if state == "SHOP":
        for name, cards in shelves.items():
            found[name] = area(cards, max(2, len(cards)))
    return found


def commands(action: Action, run: Run) -> list[str]:
    """The commands that perform an action, or else the safest one that they can."""
    kind, place = action.kind, action.index
    if kind in (ActionKind.PLAY, ActionKind.DISCARD):
        chosen = [f"select_card:{card}" for card in action.cards]
        return [*chosen, "play_hand" if kind == ActionKind.PLAY else "discard"]
    if kind == ActionKind.BUY_CARD and run.shop_cards[place].joker is not None:
        return [f"buy_joker:{place}"]
    placed = {ActionKind.BUY_VOUCHER: "buy_voucher", ActionKind.SELL_JOKER: "sell_joker"}
    if kind in placed:
        return [f"{placed[kind]}:{place}"]
    simple = {
        ActionKind.CASH_OUT: "go_to_shop",
        ActionKind.LEAVE_SHOP: "skip_shop",
        ActionKind.REROLL: "reroll_shop",
        ActionKind.SELECT_BLIND: f"select_{names.BLIND_SLOTS[run.on_deck]}_blind",
        ActionKind.SORT_HAND: "sort_hand",
    }
    if kind in simple:
        return [simple[kind]]
    instead = safest(run)
    return commands(instead, run) if instead.kind != ActionKind.SKIP_PACK else []


def is_command(line: str) -> bool:
    """Whether a line is one that the mod takes: `cmd`, or `cmd:1,2` with numbers from 0."""
    name, colon, numbers = line.partition(":")
    if name not in COMMANDS:
        return False
    return not colon or all(part.isascii() and part.isdigit() for part in numbers.split(","))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _shelf_place(entry: tuple[str, Any]) -> tuple[str, int]:
    kind, _, number = entry[0].partition("_")
    if kind not in ("joker", "voucher", "booster") or not number.isdigit():
        raise UnknownName(f"the shop shows {entry[0]!r:.60}", hint="Update the mod, or JimBot")
    return kind, int(number)


def _shown(number: int, key: str, kind: str, name: str, cost: int, sell: int) -> dict[str, Any]:
    return {
        "id": number,
        "key": key,
        "set": kind,
        "label": name,
        "value": {"effect": ""},
        "modifier": {},
        "state": {},
        "cost": {"sell": sell, "buy": cost},
    }


def _word(value: object, none: str) -> str | None:
    text = str(value or "").lower().removeprefix("m_").removeprefix("e_")
    return None if text in ("", "none", "base", none) else text


def _card(value: object, number: int) -> dict[str, Any]:
    card = _dict(value)
    rank, suit = str(card.get("rank", "")), str(card.get("suit", ""))
    if rank in RANKS:
        rank = names.RANKS[RANKS.index(rank)]
    if suit in SUITS:
        suit = names.SUITS[SUITS.index(suit)]
    key = names.card_key(names.number(names.SUITS, suit), names.number(names.RANKS, rank) + 2)
    shown = _shown(number, key, "DEFAULT", key, 0, 1)
    shown["value"] |= {"suit": suit, "rank": rank}
    shown["modifier"] = {
        "enhancement": _word(card.get("enhancement"), "base"),
        "edition": _word(card.get("edition"), "base"),
        "seal": _word(card.get("seal"), "none"),
    }
    return shown


def _joker(value: object) -> dict[str, Any]:
    joker = _dict(value)
    properties = _dict(joker.get("properties"))
    name = str(joker.get("name", ""))
    key = _JOKER_KEYS.get(name)
    if key is None:
        raise UnknownName(f"the game shows the joker {name!r:.60}", hint="Play without mods")
    sell = int(properties.get("sell_value") or 1)
    shown = _shown(
        int(joker.get("position") or 0),
        key,
        "JOKER",
        name,
        int(properties.get("cost") or 0),
        sell,
    )
    shown["modifier"] = {"edition": _word(properties.get("edition"), "base")}
    return shown


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """Something on a shelf or in a slot, by its name."""
    name, cost = str(item.get("name", "")), int(item.get("cost") or 0)
    if name in _JOKER_KEYS:
        return _shown(0, _JOKER_KEYS[name], "JOKER", name, cost, max(1, cost // 2))
    if name in _CONSUMABLE_KEYS:
        key, kind = _CONSUMABLE_KEYS[name]
        return _shown(0, key, kind.upper(), name, cost, max(1, cost // 2))
    if name in _VOUCHER_KEYS:
        return _shown(0, _VOUCHER_KEYS[name], "VOUCHER", name, cost, 0)
    if name in _PACK_KEYS:
        return _shown(0, f"{_PACK_KEYS[name]}_1", "BOOSTER", name, cost, 0)
    raise UnknownName(f"the game shows {name!r:.60}", hint="Play without mods")


def _blinds(blind: dict[str, Any], state: str, round: int) -> dict[str, Any]:
    """The ante's blinds, as far as the mod tells.

    In the choice of a blind it does not say which one comes: without skips, which its commands
    are not given here, every third round is a boss's.
    """
    if state == "BLIND_SELECT":
        slot = round % 3
        return {
            name: {"status": "DEFEATED" if place < slot else "SELECT", "name": "", "score": 0}
            for place, name in enumerate(names.BLIND_SLOTS[: slot + 1])
            if name != "boss"
        } | ({"boss": {**_ANY_BOSS, "status": "SELECT"}} if slot == 2 else {})
    entry = _BLIND_NAMES.get(str(blind.get("name", "")))
    if entry is None:
        return {}
    slot = min(BLINDS.index(entry), 2)
    passed = names.BLIND_SLOTS[:slot]
    status = "CURRENT" if state == "SELECTING_HAND" else "DEFEATED"
    return {
        **{name: {"status": "DEFEATED", "name": "", "score": 0} for name in passed},
        names.BLIND_SLOTS[slot]: {
            "status": status,
            "name": entry.name,
            "score": int(blind.get("chips") or 0),
        },
    }
