"""Random legal play, for benchmarks, soaks and as the weakest of policies."""

from __future__ import annotations

import random

from jimbot.game.actions import Action, ActionKind
from jimbot.game.consumables import targets
from jimbot.game.run import Run
from jimbot.game.state import BLIND_SELECT, PACK, ROUND_EVAL, SELECTING_HAND, SHOP


def random_action(run: Run, rng: random.Random) -> Action:
    """A random legal action, found without listing them all.

    First a kind of thing to do, then which; what turns out not to be legal is left for something
    that always is.
    """
    phase = run.phase_now
    if phase == ROUND_EVAL:
        return Action(ActionKind.CASH_OUT)
    if rng.random() < 0.1:
        action = _random_aside(run, rng)
        if action is not None and not run.why_not(action):
            return action
    if phase == SELECTING_HAND:
        size = len(run.hand)
        cards = _choose(rng, size, rng.randint(1, min(5, size)))
        for place in range(size):
            if run.hand[place].forced and place not in cards:
                cards = (*cards[:4], place)
        discard = run.discards_left > 0 and rng.random() < 0.5
        return Action(ActionKind.DISCARD if discard else ActionKind.PLAY, 0, cards)
    if phase == BLIND_SELECT:
        action = Action(ActionKind.SELECT_BLIND)
        draw = rng.random()
        if draw < 0.1:
            action = Action(ActionKind.SKIP_BLIND)
        elif draw < 0.2:
            action = Action(ActionKind.REROLL_BOSS)
        return Action(ActionKind.SELECT_BLIND) if run.why_not(action) else action
    if phase == SHOP:
        action = _random_purchase(run, rng)
        return Action(ActionKind.LEAVE_SHOP) if run.why_not(action) else action
    pack = run.pack
    if phase == PACK and pack is not None and pack.cards and rng.random() < 0.9:
        place = rng.randrange(len(pack.cards))
        consumable = pack.cards[place].consumable
        kind = -1 if consumable is None else consumable.kind
        action = Action(ActionKind.PICK_PACK, place, _random_targets(run, rng, kind))
        if not run.why_not(action):
            return action
    return Action(ActionKind.SKIP_PACK)


def _choose(rng: random.Random, size: int, count: int) -> tuple[int, ...]:
    """So many different places among so many, in a random order."""
    places = list(range(size))
    chosen: list[int] = []
    for i in range(count):
        j = i + int(rng.random() * (size - i))
        chosen.append(places[j])
        places[j] = places[i]
    return tuple(chosen)


def _random_targets(run: Run, rng: random.Random, kind: int) -> tuple[int, ...]:
    """Cards of the hand for a consumable, as many as it wants."""
    if kind < 0:
        return ()
    least, most = targets(kind)
    most = min(most, len(run.hand))
    if most < max(least, 1):
        return ()
    return tuple(sorted(_choose(rng, len(run.hand), rng.randint(least, most))))


def _random_purchase(run: Run, rng: random.Random) -> Action:
    draw = rng.random()
    if draw < 0.4 and run.shop_cards:
        kind = ActionKind.BUY_CARD if draw < 0.35 else ActionKind.BUY_AND_USE
        return Action(kind, rng.randrange(len(run.shop_cards)))
    if draw < 0.55 and run.shop_packs:
        return Action(ActionKind.BUY_PACK, rng.randrange(len(run.shop_packs)))
    if draw < 0.65 and run.shop_vouchers:
        return Action(ActionKind.BUY_VOUCHER, rng.randrange(len(run.shop_vouchers)))
    if draw < 0.8:
        return Action(ActionKind.REROLL)
    return Action(ActionKind.LEAVE_SHOP)


def _random_aside(run: Run, rng: random.Random) -> Action | None:
    """Something that can be done in most phases: using, selling, moving."""
    draw = rng.random()
    if draw < 0.5 and run.consumables:
        place = rng.randrange(len(run.consumables))
        kind = run.consumables[place].kind
        return Action(ActionKind.USE_CONSUMABLE, place, _random_targets(run, rng, kind))
    if draw < 0.6 and run.jokers:
        return Action(ActionKind.SELL_JOKER, rng.randrange(len(run.jokers)))
    if draw < 0.7 and run.consumables:
        return Action(ActionKind.SELL_CONSUMABLE, rng.randrange(len(run.consumables)))
    if draw < 0.85 and len(run.jokers) > 1:
        count = len(run.jokers)
        return Action(ActionKind.MOVE_JOKER, rng.randrange(count), (rng.randrange(count),))
    if len(run.hand) > 1:
        count = len(run.hand)
        return Action(ActionKind.MOVE_CARD, rng.randrange(count), (rng.randrange(count),))
    return None
