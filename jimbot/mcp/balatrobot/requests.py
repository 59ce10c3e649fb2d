"""Actions as requests of BalatroBot's interface."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from jimbot.game import Action, ActionKind, Run

Request = tuple[str, dict[str, Any]]


_SIMPLE: Final[dict[ActionKind, str]] = {
    ActionKind.SELECT_BLIND: "select",
    ActionKind.SKIP_BLIND: "skip",
    ActionKind.REROLL_BOSS: "reroll_boss",
    ActionKind.CASH_OUT: "cash_out",
    ActionKind.REROLL: "reroll",
    ActionKind.LEAVE_SHOP: "next_round",
}
_PLACED: Final[dict[ActionKind, tuple[str, str]]] = {
    ActionKind.BUY_CARD: ("buy", "card"),
    ActionKind.BUY_AND_USE: ("buy_and_use", "card"),
    ActionKind.BUY_VOUCHER: ("buy", "voucher"),
    ActionKind.BUY_PACK: ("buy", "pack"),
    ActionKind.SELL_JOKER: ("sell", "joker"),
    ActionKind.SELL_CONSUMABLE: ("sell", "consumable"),
}


def safest(run: Run) -> Action:
    """An action that is always possible and brings the game forward."""
    phase = run.phase.name
    if phase == "SELECTING_HAND":
        forced = [place for place, card in enumerate(run.hand) if card.forced]
        rest = [place for place in range(len(run.hand)) if place not in forced]
        return Action(ActionKind.PLAY, 0, tuple(sorted((forced + rest)[:5])))
    kinds = {
        "BLIND_SELECT": ActionKind.SELECT_BLIND,
        "ROUND_EVAL": ActionKind.CASH_OUT,
        "SHOP": ActionKind.LEAVE_SHOP,
    }
    return Action(kinds.get(phase, ActionKind.SKIP_PACK))


def request_of(action: Action, run: Run, offered: Container[str]) -> Request | None:
    """The request that performs an action; None when the game cannot be asked for it now.

    Args:
        offered: the names of the methods that the game has.
    """
    found = _request(action, run, offered)
    if found is None or found[0] not in offered:
        return None
    if found[0] in ("sell", "use") and run.phase.name in ("BLIND_SELECT", "ROUND_EVAL"):
        return None
    # Without `pack` an opened pack could never be left.
    opens = action.kind in (ActionKind.BUY_PACK, ActionKind.SKIP_BLIND)
    return None if opens and "pack" not in offered else found


def _request(action: Action, run: Run, offered: Container[str]) -> Request | None:
    kind = ActionKind(action.kind)
    place, cards = action.index, list(action.cards)
    if kind == ActionKind.BUY_AND_USE and "buy_and_use" not in offered:
        if run.why_not(Action(ActionKind.BUY_CARD, place)):
            return None
        kind = ActionKind.BUY_CARD
    if kind in _SIMPLE:
        return _SIMPLE[kind], {}
    if kind in _PLACED:
        name, field = _PLACED[kind]
        return name, {field: place}
    if kind in (ActionKind.PLAY, ActionKind.DISCARD):
        return kind.name.lower(), {"cards": cards}
    if kind == ActionKind.USE_CONSUMABLE:
        return "use", {"consumable": place, **({"cards": cards} if cards else {})}
    if kind == ActionKind.PICK_PACK:
        return "pack", {"card": place, **({"targets": cards} if cards else {})}
    if kind == ActionKind.SKIP_PACK:
        return "pack", {"skip": True}
    if kind == ActionKind.MOVE_JOKER:
        return "rearrange", {"jokers": _moved(len(run.jokers), place, cards[0])}
    if kind == ActionKind.MOVE_CARD:
        return "rearrange", {"hand": _moved(len(run.hand), place, cards[0])}
    if not run.hand:
        return None
    hand = run.hand
    if place == 1:
        order = sorted(range(len(hand)), key=lambda n: -hand[n].suit_order)
    else:
        order = sorted(range(len(hand)), key=lambda n: -hand[n].order)
    return "rearrange", {"hand": order}


def _moved(count: int, start: int, end: int) -> list[int]:
    order = list(range(count))
    order.insert(end, order.pop(start))
    return order
