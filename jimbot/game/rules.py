"""The moments at which a joker may act, and the table of who acts when.

A rule of a joker is a function registered for a moment::

    @scored("j_scholar")
    def scholar(play: Play, joker: Joker, card: Card) -> None: ...

Blueprint and Brainstorm run the rules of the joker they copy, with that joker as `joker`; rules
registered with `own=True` run only for the joker itself (what it counts must not count twice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from jimbot.game.cards import Card, Joker
from jimbot.game.catalogue import JOKER_BY_KEY, JOKERS

if TYPE_CHECKING:
    from jimbot.game.scoring import Play
    from jimbot.game.state import State

Hook = TypeVar("Hook")
PlayHook: TypeAlias = "Callable[[Play, Joker], None]"
CardHook: TypeAlias = "Callable[[Play, Joker, Card], None]"
CardCountHook: TypeAlias = "Callable[[Play, Joker, Card], int]"
CardFlagHook: TypeAlias = "Callable[[Play, Joker, Card], bool]"
JokerHook: TypeAlias = "Callable[[Play, Joker, Joker], None]"
OwnHook: TypeAlias = "Callable[[State, Joker], None]"
CardsHook: TypeAlias = "Callable[[State, Joker, list[Card]], None]"
DestroyedHook: TypeAlias = "Callable[[State, Joker, list[Card], bool], None]"
DiscardHook: TypeAlias = "Callable[[State, Joker, Card, list[Card]], bool]"
CountHook: TypeAlias = "Callable[[State, Joker, int], None]"
DollarHook: TypeAlias = "Callable[[State, Joker], int]"


class Rule:
    """What one joker does, by moment; None where it does nothing.

    Attributes:
        own: bits of the moments that copies leave out.
        before: once a hand, before any card scores.
        retrigger: how often a scored card triggers again.
        retrigger_held: how often a held card triggers again.
        scored: for every trigger of a scored card.
        held: for every trigger of a held card; whether it did anything.
        main: in the joker's own turn.
        beside: in every joker's turn, for that joker.
        destroys: whether it destroys a scored card.
        after: when the hand has scored.
        barred: when the blind bars the hand.
        added: when it starts to work: bought, created, no longer debuffed.
        removed: when it stops to work.
        blind_set: when a blind is set.
        first_draw: when a round's first hand was drawn.
        discarding: once a discard, before any card leaves.
        discard: for every discarded card; whether it destroys it.
        cards_destroyed: when playing cards were destroyed, and whether glass among them shattered.
        cards_added: when so many playing cards were added.
        round_end: when a round was won.
        dollars: what it pays when a round is cashed out.
        sold: when it is sold.
        sale: when anything is sold.
        rerolled: when the shop is rerolled.
        pack_skipped: when a pack is skipped.
        pack_opened: when a pack is opened.
        used: when a consumable of that kind is used.
        shop_left: when the shop is left.
    """

    __slots__ = (
        "added",
        "after",
        "barred",
        "before",
        "beside",
        "blind_set",
        "cards_added",
        "cards_destroyed",
        "destroys",
        "discard",
        "discarding",
        "dollars",
        "first_draw",
        "held",
        "main",
        "own",
        "pack_opened",
        "pack_skipped",
        "removed",
        "rerolled",
        "retrigger",
        "retrigger_held",
        "round_end",
        "sale",
        "scored",
        "shop_left",
        "sold",
        "used",
    )

    def __init__(self) -> None:
        self.own = 0
        self.before: PlayHook | None = None
        self.retrigger: CardCountHook | None = None
        self.retrigger_held: CardCountHook | None = None
        self.scored: CardHook | None = None
        self.held: CardFlagHook | None = None
        self.main: PlayHook | None = None
        self.beside: JokerHook | None = None
        self.destroys: CardFlagHook | None = None
        self.after: PlayHook | None = None
        self.barred: PlayHook | None = None
        self.added: OwnHook | None = None
        self.removed: OwnHook | None = None
        self.blind_set: OwnHook | None = None
        self.first_draw: OwnHook | None = None
        self.discarding: CardsHook | None = None
        self.discard: DiscardHook | None = None
        self.cards_destroyed: DestroyedHook | None = None
        self.cards_added: CountHook | None = None
        self.round_end: OwnHook | None = None
        self.dollars: DollarHook | None = None
        self.sold: OwnHook | None = None
        self.sale: OwnHook | None = None
        self.rerolled: OwnHook | None = None
        self.pack_skipped: OwnHook | None = None
        self.pack_opened: OwnHook | None = None
        self.used: CountHook | None = None
        self.shop_left: OwnHook | None = None


RULES: Final[list[Rule]] = [Rule() for _ in JOKERS]

BEFORE: Final = 1 << 0
RETRIGGER: Final = 1 << 1
RETRIGGER_HELD: Final = 1 << 2
SCORED: Final = 1 << 3
HELD: Final = 1 << 4
MAIN: Final = 1 << 5
BESIDE: Final = 1 << 6
DESTROYS: Final = 1 << 7
AFTER: Final = 1 << 8
BARRED: Final = 1 << 9
ADDED: Final = 1 << 10
REMOVED: Final = 1 << 11
BLIND_SET: Final = 1 << 12
FIRST_DRAW: Final = 1 << 13
DISCARDING: Final = 1 << 14
DISCARD: Final = 1 << 15
CARDS_DESTROYED: Final = 1 << 16
CARDS_ADDED: Final = 1 << 17
ROUND_END: Final = 1 << 18
DOLLARS: Final = 1 << 19
SOLD: Final = 1 << 20
SALE: Final = 1 << 21
REROLLED: Final = 1 << 22
PACK_SKIPPED: Final = 1 << 23
PACK_OPENED: Final = 1 << 24
USED: Final = 1 << 25
SHOP_LEFT: Final = 1 << 26


class Moment(Generic[Hook]):
    """A moment at which rules run; called with a joker's key, it registers one."""

    def __init__(self, name: str, bit: int) -> None:
        self.name = name
        self.bit = bit

    def __call__(self, key: str, own: bool = False) -> Callable[[Hook], Hook]:
        rule = RULES[JOKER_BY_KEY[key]]
        if own:
            rule.own |= self.bit

        def register(hook: Hook) -> Hook:
            setattr(rule, self.name, hook)
            return hook

        return register


before: Final[Moment[PlayHook]] = Moment("before", BEFORE)
retrigger: Final[Moment[CardCountHook]] = Moment("retrigger", RETRIGGER)
retrigger_held: Final[Moment[CardCountHook]] = Moment("retrigger_held", RETRIGGER_HELD)
scored: Final[Moment[CardHook]] = Moment("scored", SCORED)
held: Final[Moment[CardFlagHook]] = Moment("held", HELD)
main: Final[Moment[PlayHook]] = Moment("main", MAIN)
beside: Final[Moment[JokerHook]] = Moment("beside", BESIDE)
destroys: Final[Moment[CardFlagHook]] = Moment("destroys", DESTROYS)
after: Final[Moment[PlayHook]] = Moment("after", AFTER)
barred: Final[Moment[PlayHook]] = Moment("barred", BARRED)
added: Final[Moment[OwnHook]] = Moment("added", ADDED)
removed: Final[Moment[OwnHook]] = Moment("removed", REMOVED)
blind_set: Final[Moment[OwnHook]] = Moment("blind_set", BLIND_SET)
first_draw: Final[Moment[OwnHook]] = Moment("first_draw", FIRST_DRAW)
discarding: Final[Moment[CardsHook]] = Moment("discarding", DISCARDING)
discard: Final[Moment[DiscardHook]] = Moment("discard", DISCARD)
cards_destroyed: Final[Moment[DestroyedHook]] = Moment("cards_destroyed", CARDS_DESTROYED)
cards_added: Final[Moment[CountHook]] = Moment("cards_added", CARDS_ADDED)
round_end: Final[Moment[OwnHook]] = Moment("round_end", ROUND_END)
dollars: Final[Moment[DollarHook]] = Moment("dollars", DOLLARS)
sold: Final[Moment[OwnHook]] = Moment("sold", SOLD)
sale: Final[Moment[OwnHook]] = Moment("sale", SALE)
rerolled: Final[Moment[OwnHook]] = Moment("rerolled", REROLLED)
pack_skipped: Final[Moment[OwnHook]] = Moment("pack_skipped", PACK_SKIPPED)
pack_opened: Final[Moment[OwnHook]] = Moment("pack_opened", PACK_OPENED)
used: Final[Moment[CountHook]] = Moment("used", USED)
shop_left: Final[Moment[OwnHook]] = Moment("shop_left", SHOP_LEFT)
