"""A game's table between two actions, as data that a page can draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from jimbot.game import Action, Card, Consumable, Joker, Offer, Run
    from jimbot.game.scoring import Preview

Score = Annotated[float | None, Field(description="null where it is larger than a number can be")]


class CardView(BaseModel):
    """A playing card. What is the usual is empty, or left false."""

    suit: Annotated[str, Field(description="Spades, Hearts, Clubs or Diamonds")]
    rank: Annotated[str, Field(description="2 to 10, Jack, Queen, King, Ace")]
    enhancement: str = ""
    edition: str = ""
    seal: str = ""
    bonus: Annotated[int, Field(description="chips gained for good")] = 0
    debuffed: bool = False
    face_down: Annotated[bool, Field(description="the player could not see its face")] = False


class ThingView(BaseModel):
    """A joker, consumable, voucher, pack or tag, with what it does."""

    kind: Literal["Joker", "Tarot", "Planet", "Spectral", "Voucher", "Pack", "Tag"]
    name: str
    text: str = ""
    edition: str = ""
    rarity: Annotated[int, Field(description="1 common to 4 legendary; 0 of no joker")] = 0
    sell: int | None = None
    value: Annotated[float, Field(description="what a joker has grown to, as its text says")] = 0
    notes: Annotated[list[str], Field(description="eternal, rental, perishable, debuffed …")] = []


class OfferView(BaseModel):
    """Something on a shelf or in a pack: a card or a thing, and its price."""

    card: CardView | None = None
    thing: ThingView | None = None
    cost: int = 0


class BlindView(BaseModel):
    name: str
    slot: Annotated[int, Field(description="0 small, 1 big, 2 boss")]
    state: Literal["upcoming", "next", "playing", "beaten", "skipped"]
    required: Score
    reward: int
    text: str = ""
    tag: str = ""


class PlayView(BaseModel):
    """A hand that was played. Chips and mult are null where chance had a say in them: the rules
    tell the score then, not how it came about."""

    cards: list[CardView]
    hand: str
    level: int
    scoring: Annotated[list[int], Field(description="places among `cards` of those that score")]
    chips: Score
    mult: Score
    score: Score


class Table(BaseModel):
    """Everything that lies on the table."""

    phase: str
    ante: int
    round: int
    money: int
    hands: int
    discards: int
    chips: Score
    required: Score
    blinds: list[BlindView]
    hand: list[CardView]
    jokers: list[ThingView]
    joker_slots: int
    consumables: list[ThingView]
    consumable_slots: int
    shop: list[OfferView]
    pack: list[OfferView]
    pack_name: str = ""
    tags: list[ThingView]
    vouchers: list[str]
    deck: Annotated[int, Field(description="cards left to draw")]
    deck_size: Annotated[int, Field(description="cards owned")]


class Frame(BaseModel):
    """The table after action `number`; frame 0 is the deal, before any action."""

    number: int
    action: Annotated[list[Any] | None, Field(description="[kind, index, [cards]]")] = None
    kind: Annotated[str, Field(description="play, discard, buy_card …; empty in frame 0")] = ""
    text: Annotated[str, Field(description="what was done, in words")]
    play: PlayView | None = None
    discarded: list[CardView] = []
    table: Annotated[
        Table | None, Field(description="null for a game that JimBot did not deal")
    ] = None


def deal(run: Run) -> Frame:
    """The frame before the first action."""
    return Frame(number=0, text=f"{run.deck} deck, {run.stake} stake", table=table(run))


class Before:
    """What has to be remembered of the table before an action, to tell afterwards what it did."""

    def __init__(self, run: Run, action: Action) -> None:
        self.action = action
        # As the game plays them: by their places, whatever order they were named in.
        self.places = [at for at in sorted(action.cards) if 0 <= at < len(run.hand)]
        self.cards = [card(run.hand[at]) for at in self.places]
        self.what = _named(run, action)
        self.chips = run.chips
        self.money = run.money
        self.preview: Preview | None = None
        if action.kind.name == "PLAY":
            self.preview = run.preview(action.cards)
            self.levels = [level.level for level in run.hand_levels]

    def after(self, number: int, run: Run) -> Frame:
        """The frame of the action, now that `run` has performed it."""
        kind = self.action.kind.name.lower()
        play = self._play(run) if self.preview is not None else None
        return Frame(
            number=number,
            action=list(self.action.to_json()),
            kind=kind,
            text=_words(kind, self, play, run),
            play=play,
            discarded=self.cards if kind == "discard" else [],
            table=table(run),
        )

    def _play(self, run: Run) -> PlayView:
        from jimbot.game import HandType

        preview = self.preview
        assert preview is not None
        score = run.chips - self.chips
        # The Hook, face-down cards or luck may make another hand of it than was foreseen.
        hand = run.last_hand if run.last_hand >= 0 else preview.hand
        sure = score == preview.score and hand == preview.hand
        return PlayView(
            cards=self.cards,
            hand=HandType(hand).label,
            level=self.levels[hand],
            scoring=[place for place, at in enumerate(self.places) if at in preview.scoring],
            chips=_finite(preview.chips) if sure else None,
            mult=_finite(preview.mult) if sure else None,
            score=_finite(score),
        )


def done(number: int, action: Sequence[Any]) -> Frame:
    """The frame of an action whose table nobody can deal again."""
    from jimbot.game import Action
    from jimbot.game.errors import GameError

    try:
        known = Action.from_json(action)
    except GameError:
        return Frame(number=number, action=list(action), text=f"Action {list(action)}"[:120])
    kind = known.kind.name.lower()
    places = ", ".join(str(at + 1) for at in known.cards)
    text = kind.replace("_", " ").capitalize()
    if places:
        text += f": places {places}"
    return Frame(number=number, action=list(action), kind=kind, text=text)


def table(run: Run) -> Table:
    from jimbot.game import Phase
    from jimbot.game.catalogue import BLINDS, TAGS

    states = ("upcoming", "next", "playing", "beaten", "skipped")
    pack = run.pack
    offers = [*run.shop_cards, *run.shop_vouchers, *run.shop_packs]
    return Table(
        phase=run.phase.name.lower(),
        ante=run.ante,
        round=run.round,
        money=run.money,
        hands=run.hands_left,
        discards=run.discards_left,
        chips=_finite(run.chips),
        required=_finite(run.required),
        blinds=[
            BlindView(
                name=blind.name,
                slot=blind.slot,
                state=states[blind.status],  # type: ignore[arg-type]
                required=_finite(blind.required),
                reward=blind.reward,
                text=BLINDS[blind.kind].text if blind.slot == 2 else "",
                tag=blind.tag_name,
            )
            for blind in run.blinds_ahead
        ],
        hand=[card(each) for each in run.hand],
        jokers=[joker(each) for each in run.jokers],
        joker_slots=run.joker_slots,
        consumables=[consumable(each) for each in run.consumables],
        consumable_slots=run.consumable_slots,
        shop=[offer(each) for each in offers] if run.phase == Phase.SHOP else [],
        pack=[offer(each) for each in pack.cards] if pack is not None else [],
        pack_name=pack.name if pack is not None else "",
        tags=[ThingView(kind="Tag", name=tag.name, text=TAGS[tag.kind].text) for tag in run.tags],
        vouchers=_voucher_names(run),
        deck=run.deck_count,
        deck_size=len(run.all_cards()),
    )


def card(what: Card) -> CardView:
    return CardView(
        suit=what.suit_name,
        rank=what.rank_name,
        enhancement=what.enhancement_name,
        edition=what.edition_name,
        seal=what.seal_name,
        bonus=what.bonus,
        debuffed=what.debuffed,
        face_down=what.face_down,
    )


def joker(what: Joker) -> ThingView:
    from jimbot.game.catalogue import JOKERS

    notes = [
        word
        for word, holds in (
            ("eternal", what.eternal),
            ("rental", what.rental),
            ("debuffed", what.debuffed),
            ("face down", what.face_down),
        )
        if holds
    ]
    if what.perishable >= 0:
        notes.append(f"perishes in {what.perishable} rounds" if what.perishable else "perished")
    return ThingView(
        kind="Joker",
        name=what.name,
        text=JOKERS[what.kind].text,
        edition=what.edition_name,
        rarity=what.rarity,
        sell=what.sell_value,
        value=_finite(what.value) or 0,
        notes=notes,
    )


def consumable(what: Consumable) -> ThingView:
    from jimbot.game.catalogue import CONSUMABLES

    entry = CONSUMABLES[what.kind]
    return ThingView(
        kind=entry.kind,  # type: ignore[arg-type]
        name=entry.name,
        text=entry.text,
        edition=what.edition_name,
        sell=what.sell_value,
    )


def offer(what: Offer) -> OfferView:
    from jimbot.game.catalogue import PACKS, VOUCHERS

    if what.card is not None:
        return OfferView(card=card(what.card), cost=what.cost)
    if what.joker is not None:
        return OfferView(thing=joker(what.joker), cost=what.cost)
    if what.consumable is not None:
        return OfferView(thing=consumable(what.consumable), cost=what.cost)
    if what.voucher >= 0:
        voucher = VOUCHERS[what.voucher]
        thing = ThingView(kind="Voucher", name=voucher.name, text=voucher.text)
        return OfferView(thing=thing, cost=what.cost)
    pack = PACKS[what.pack]
    text = f"Choose {pack.picks} of {pack.size} {pack.kind} cards"
    return OfferView(thing=ThingView(kind="Pack", name=pack.name, text=text), cost=what.cost)


def _voucher_names(run: Run) -> list[str]:
    from jimbot.game.catalogue import VOUCHERS

    return [VOUCHERS[kind].name for kind in range(len(VOUCHERS)) if run.vouchers[kind]]


def _named(run: Run, action: Action) -> str:
    """The name of what an action is about, as it lies there before it is done."""
    index = action.index
    shelves: dict[str, Sequence[Any]] = {
        "BUY_CARD": run.shop_cards,
        "BUY_AND_USE": run.shop_cards,
        "BUY_VOUCHER": run.shop_vouchers,
        "BUY_PACK": run.shop_packs,
        "SELL_JOKER": run.jokers,
        "SELL_CONSUMABLE": run.consumables,
        "USE_CONSUMABLE": run.consumables,
        "PICK_PACK": run.pack.cards if run.pack is not None else (),
        "MOVE_JOKER": run.jokers,
        "MOVE_CARD": run.hand,
        "SKIP_BLIND": run.blinds_ahead,
        "SELECT_BLIND": run.blinds_ahead,
        "SKIP_PACK": [run.pack] if run.pack is not None else (),
    }
    shelf = shelves.get(action.kind.name, ())
    at = run.on_deck if action.kind.name.endswith("_BLIND") else index
    if action.kind.name == "SKIP_PACK":
        at = 0
    return str(shelf[at].name) if 0 <= at < len(shelf) else ""


_DONE = {
    "discard": "Discarded",
    "reroll_boss": "Rerolled the boss",
    "cash_out": "Cashed out",
    "buy_card": "Bought",
    "buy_and_use": "Bought and used",
    "buy_voucher": "Redeemed",
    "buy_pack": "Opened",
    "reroll": "Rerolled the shop",
    "leave_shop": "Left the shop",
    "sell_joker": "Sold",
    "sell_consumable": "Sold",
    "use_consumable": "Used",
    "pick_pack": "Picked",
    "skip_pack": "Passed up the rest of the",
    "move_joker": "Moved",
    "move_card": "Moved",
    "select_blind": "Faced",
    "skip_blind": "Skipped",
}


def _words(kind: str, before: Before, play: PlayView | None, run: Run) -> str:
    if play is not None:
        score = "a score past all numbers" if play.score is None else f"{play.score:,.0f}"
        return f"Played {play.hand} for {score}"
    if kind == "sort_hand":
        return "Sorted the hand by suit" if before.action.index else "Sorted the hand by rank"
    cards = before.cards
    text = _DONE[kind]
    if kind == "discard":
        return f"{text} {len(cards)} card{'' if len(cards) == 1 else 's'}"
    if before.what:
        text += f" {before.what}"
    if kind == "use_consumable" and cards:
        text += f" on {len(cards)} card{'' if len(cards) == 1 else 's'}"
    if gained := run.money - before.money:
        text += f", ${abs(gained)} {'gained' if gained > 0 else 'paid'}"
    return text


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
