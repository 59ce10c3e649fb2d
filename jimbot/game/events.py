"""Moments that rules of several kinds bring about, and that the jokers hear of."""

from __future__ import annotations

from jimbot.game.cards import Card
from jimbot.game.rules import (
    BLIND_SET,
    CARDS_DESTROYED,
    FIRST_DRAW,
    PACK_OPENED,
    PACK_SKIPPED,
    REROLLED,
    ROUND_END,
    RULES,
    SALE,
    SHOP_LEFT,
    USED,
    OwnHook,
    Rule,
)
from jimbot.game.state import State


def _hook(rule: Rule, moment: int) -> OwnHook | None:
    if moment == BLIND_SET:
        return rule.blind_set
    if moment == FIRST_DRAW:
        return rule.first_draw
    if moment == ROUND_END:
        return rule.round_end
    if moment == SALE:
        return rule.sale
    if moment == REROLLED:
        return rule.rerolled
    if moment == PACK_SKIPPED:
        return rule.pack_skipped
    if moment == PACK_OPENED:
        return rule.pack_opened
    return rule.shop_left if moment == SHOP_LEFT else None


def tell_jokers(state: State, moment: int) -> None:
    """Let the jokers act at a moment, left to right; some may be destroyed on the way."""
    for owner in list(state.jokers):
        for i in range(len(state.jokers)):
            if state.jokers[i] is owner:
                joker = state.acting[i]
                rule = RULES[joker.kind]
                hook = _hook(rule, moment)
                if hook is not None and state.acts(i, rule.own & moment):
                    hook(state, joker)
                break


def consumable_used(state: State, kind: int) -> None:
    for i in range(len(state.acting)):
        joker = state.acting[i]
        rule = RULES[joker.kind]
        hook = rule.used
        if hook is not None and state.acts(i, rule.own & USED):
            hook(state, joker, kind)


def cards_destroyed(state: State, cards: list[Card], shattered: bool) -> None:
    """Tell the jokers that playing cards were destroyed; the game counts some glass as shattered
    only later, and Glass Joker misses it then."""
    for i in range(len(state.acting)):
        joker = state.acting[i]
        rule = RULES[joker.kind]
        hook = rule.cards_destroyed
        if hook is not None and state.acts(i, rule.own & CARDS_DESTROYED):
            hook(state, joker, cards, shattered)


def destroy_cards(state: State, cards: list[Card], shattered: bool = False) -> None:
    """Destroy playing cards, and tell the jokers."""
    for card in cards:
        state.destroy_card(card)
    if cards:
        cards_destroyed(state, cards, shattered)
