"""A question about a run: what the player sees of it, and the legal actions in words.

Face-down cards and jokers are `?`, also in what an action names; the deck is counts of what has
not been seen, face-down cards of the hand among it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from jimbot.claude.question import Choice, Kind, Question, State
from jimbot.game import Action, ActionKind, Card, HandType, Joker, Offer, Phase, Run

HIDDEN = "?"
BOSS_SLOT = 2


def question(
    run: Run, legal: Sequence[Action], probabilities: Sequence[float] = (), **fields: Any
) -> Question:
    """Ask which of these legal actions to take; `fields` are the rest of a `Question`.

    Args:
        legal: what the policy considers, in the order of its probabilities.
    """
    return Question(
        kind=kind(run, legal),
        state=state(run),
        legal=tuple(choice(run, action) for action in legal),
        probabilities=tuple(probabilities),
        **fields,
    )


def kind(run: Run, legal: Sequence[Action]) -> Kind:
    """What sort of decision this is; a shop with a voucher or a spectral pack is that first."""
    kinds = {action.kind for action in legal}
    if run.phase is Phase.SELECTING_HAND:
        if run.blind is not None and run.blind.slot == BOSS_SLOT:
            return "boss"
        return "play" if ActionKind.PLAY in kinds else "consumable"
    if run.phase is Phase.PACK:
        spectral = run.pack is not None and "Spectral" in run.pack.name
        return "spectral" if spectral else "pack"
    if run.phase is Phase.SHOP:
        if ActionKind.BUY_VOUCHER in kinds:
            return "voucher"
        return "synergy" if _buys_joker(run, legal) and run.jokers else "shop"
    return "blind"


def state(run: Run) -> State:
    """What the player sees of a run."""
    blind = run.blind
    unseen = [*run.deck_view(), *(card for card in run.hand if card.face_down)]
    ahead = run.blinds_ahead
    return State(
        ante=max(run.ante, 0),
        round=run.round,
        deck=run.deck,
        stake=run.stake,
        blind=ahead[blind.slot].name if blind else "",
        boss=blind is not None and blind.slot == BOSS_SLOT and not blind.disabled,
        chips=run.chips if blind else 0.0,
        required=blind.chips if blind else 0.0,
        hands_left=run.hands_left,
        discards_left=run.discards_left,
        money=run.money,
        reroll_cost=run.reroll_cost if run.phase is Phase.SHOP else 0,
        joker_slots=run.joker_slots,
        jokers=tuple(_joker(joker) for joker in run.jokers),
        consumables=tuple(each.key for each in run.consumables),
        vouchers=tuple(run.voucher_keys),
        hand=tuple(_card(card) for card in run.hand),
        hand_levels={HandType(h.hand).label: h.level for h in run.hand_levels if h.level > 1},
        deck_left=dict(Counter(card.suit_name for card in unseen))
        | dict(Counter(card.rank_name for card in unseen)),
        notes=tuple(f"{each.name} ahead: {each.required:.0f} chips" for each in ahead
                    if blind is None and each.status < 2),
    )  # fmt: skip


def choice(run: Run, action: Action) -> Choice:
    """One action: a key that means the same in other states, a label, and figures."""
    cards = [run.hand[place] for place in action.cards if place < len(run.hand)]
    shown = ", ".join(_card(card) for card in cards)
    what = action.kind
    if what is ActionKind.PLAY:
        preview = run.preview(action.cards)
        hidden = any(card.face_down for card in cards)
        hand = HIDDEN if hidden else HandType(preview.hand).label
        figures = {"cards": float(len(cards))} | ({} if hidden else {"score": preview.score})
        return Choice(key=f"play:{hand}", label=f"Play {hand}: {shown}", features=figures)
    if what is ActionKind.DISCARD:
        return Choice(
            key=f"discard:{len(cards)}", label=f"Discard {shown}",
            features={"cards": float(len(cards))},
        )  # fmt: skip
    verb, shelf = _OFFERED.get(what, ("", ""))
    if verb:
        offers = run.pack.cards if shelf == "pack" and run.pack else getattr(run, shelf, [])
        offer: Offer = offers[action.index]
        label = f"{verb.capitalize()} {offer.name}" + (f" on {shown}" if shown else "")
        figures = {} if shelf == "pack" else {"cost": float(offer.cost)}
        return Choice(key=f"{verb}:{_offered(offer)}", label=label[:200], features=figures)
    if what is ActionKind.SELL_JOKER:
        joker = run.jokers[action.index]
        name = HIDDEN if joker.face_down else joker.key
        return Choice(
            key=f"sell:{name}", label=f"Sell {_joker(joker)}",
            features={"cost": float(-joker.sell_value)},
        )  # fmt: skip
    if what in (ActionKind.SELL_CONSUMABLE, ActionKind.USE_CONSUMABLE):
        verb = "use" if what is ActionKind.USE_CONSUMABLE else "sell"
        held = run.consumables[action.index]
        label = f"{verb.capitalize()} {held.name}" + (f" on {shown}" if shown else "")
        return Choice(key=f"{verb}:{held.key}", label=label[:200])
    name = what.name.lower()
    target = f":{action.index}" if what in (ActionKind.MOVE_JOKER, ActionKind.MOVE_CARD) else ""
    return Choice(key=f"{name}{target}", label=name.replace("_", " ").capitalize())


_OFFERED = {
    ActionKind.BUY_CARD: ("buy", "shop_cards"),
    ActionKind.BUY_AND_USE: ("use", "shop_cards"),
    ActionKind.BUY_VOUCHER: ("buy", "shop_vouchers"),
    ActionKind.BUY_PACK: ("open", "shop_packs"),
    ActionKind.PICK_PACK: ("pick", "pack"),
}


def _offered(offer: Offer) -> str:
    return offer.key or offer.name.lower().replace(" ", "_")


def _buys_joker(run: Run, legal: Sequence[Action]) -> bool:
    return any(
        action.kind is ActionKind.BUY_CARD and run.shop_cards[action.index].joker is not None
        for action in legal
    )


def _card(card: Card) -> str:
    if card.face_down:
        return HIDDEN
    marks = [
        name
        for number, name in (
            (card.enhancement, card.enhancement_name),
            (card.edition, card.edition_name),
            (card.seal, card.seal_name),
        )
        if number
    ]
    if card.debuffed:
        marks.append("debuffed")
    return f"{card.name} ({', '.join(marks)})" if marks else card.name


def _joker(joker: Joker) -> str:
    """Its key alone, so that questions with the same jokers are alike; marks after a space."""
    if joker.face_down:
        return HIDDEN
    marks = [joker.edition_name] if joker.edition else []
    marks += [mark for mark in ("eternal", "rental", "debuffed") if getattr(joker, mark)]
    return " ".join([joker.key, *marks])
