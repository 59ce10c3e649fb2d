"""The moments at which a joker may act, and the table of who acts when.

A rule of a joker is a function registered for a moment::

    @scored("j_scholar")
    def scholar(play: Play, joker: Joker, card: Card) -> None: ...

Blueprint and Brainstorm run the rules of the joker they copy, with that joker as `joker`; rules
registered with `own=True` run only for the joker itself (what it counts must not count twice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from jimbot.game.cards import Card, Joker
from jimbot.game.catalogue import JOKER_BY_KEY, JOKERS

if TYPE_CHECKING:
    from jimbot.game.scoring import Play
    from jimbot.game.state import State

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
        blind_skipped: when a blind is skipped.
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
        "blind_skipped",
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
        self.blind_skipped: OwnHook | None = None
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
BLIND_SKIPPED: Final = 1 << 23
PACK_SKIPPED: Final = 1 << 24
PACK_OPENED: Final = 1 << 25
USED: Final = 1 << 26
SHOP_LEFT: Final = 1 << 27


def _rule(key: str, own: int) -> Rule:
    rule = RULES[JOKER_BY_KEY[key]]
    rule.own |= own
    return rule


def before(key: str, own: bool = False) -> Callable[[PlayHook], PlayHook]:
    """Registers a rule run once a hand, before any card scores."""

    def register(rule: PlayHook) -> PlayHook:
        _rule(key, BEFORE if own else 0).before = rule
        return rule

    return register


def retrigger(key: str, own: bool = False) -> Callable[[CardCountHook], CardCountHook]:
    """Registers a rule run how often a scored card triggers again."""

    def register(rule: CardCountHook) -> CardCountHook:
        _rule(key, RETRIGGER if own else 0).retrigger = rule
        return rule

    return register


def retrigger_held(key: str, own: bool = False) -> Callable[[CardCountHook], CardCountHook]:
    """Registers a rule run how often a held card triggers again."""

    def register(rule: CardCountHook) -> CardCountHook:
        _rule(key, RETRIGGER_HELD if own else 0).retrigger_held = rule
        return rule

    return register


def scored(key: str, own: bool = False) -> Callable[[CardHook], CardHook]:
    """Registers a rule run for every trigger of a scored card."""

    def register(rule: CardHook) -> CardHook:
        _rule(key, SCORED if own else 0).scored = rule
        return rule

    return register


def held(key: str, own: bool = False) -> Callable[[CardFlagHook], CardFlagHook]:
    """Registers a rule run for every trigger of a held card; whether it did anything."""

    def register(rule: CardFlagHook) -> CardFlagHook:
        _rule(key, HELD if own else 0).held = rule
        return rule

    return register


def main(key: str, own: bool = False) -> Callable[[PlayHook], PlayHook]:
    """Registers a rule run in the joker's own turn."""

    def register(rule: PlayHook) -> PlayHook:
        _rule(key, MAIN if own else 0).main = rule
        return rule

    return register


def beside(key: str, own: bool = False) -> Callable[[JokerHook], JokerHook]:
    """Registers a rule run in every joker's turn, for that joker."""

    def register(rule: JokerHook) -> JokerHook:
        _rule(key, BESIDE if own else 0).beside = rule
        return rule

    return register


def destroys(key: str, own: bool = False) -> Callable[[CardFlagHook], CardFlagHook]:
    """Registers a rule run whether it destroys a scored card."""

    def register(rule: CardFlagHook) -> CardFlagHook:
        _rule(key, DESTROYS if own else 0).destroys = rule
        return rule

    return register


def after(key: str, own: bool = False) -> Callable[[PlayHook], PlayHook]:
    """Registers a rule run when the hand has scored."""

    def register(rule: PlayHook) -> PlayHook:
        _rule(key, AFTER if own else 0).after = rule
        return rule

    return register


def barred(key: str, own: bool = False) -> Callable[[PlayHook], PlayHook]:
    """Registers a rule run when the blind bars the hand."""

    def register(rule: PlayHook) -> PlayHook:
        _rule(key, BARRED if own else 0).barred = rule
        return rule

    return register


def added(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when it starts to work: bought, created, no longer debuffed."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, ADDED if own else 0).added = rule
        return rule

    return register


def removed(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when it stops to work."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, REMOVED if own else 0).removed = rule
        return rule

    return register


def blind_set(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a blind is set."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, BLIND_SET if own else 0).blind_set = rule
        return rule

    return register


def first_draw(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a round's first hand was drawn."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, FIRST_DRAW if own else 0).first_draw = rule
        return rule

    return register


def discarding(key: str, own: bool = False) -> Callable[[CardsHook], CardsHook]:
    """Registers a rule run once a discard, before any card leaves."""

    def register(rule: CardsHook) -> CardsHook:
        _rule(key, DISCARDING if own else 0).discarding = rule
        return rule

    return register


def discard(key: str, own: bool = False) -> Callable[[DiscardHook], DiscardHook]:
    """Registers a rule run for every discarded card; whether it destroys it."""

    def register(rule: DiscardHook) -> DiscardHook:
        _rule(key, DISCARD if own else 0).discard = rule
        return rule

    return register


def cards_destroyed(key: str, own: bool = False) -> Callable[[DestroyedHook], DestroyedHook]:
    """Registers a rule run when playing cards were destroyed."""

    def register(rule: DestroyedHook) -> DestroyedHook:
        _rule(key, CARDS_DESTROYED if own else 0).cards_destroyed = rule
        return rule

    return register


def cards_added(key: str, own: bool = False) -> Callable[[CountHook], CountHook]:
    """Registers a rule run when so many playing cards were added."""

    def register(rule: CountHook) -> CountHook:
        _rule(key, CARDS_ADDED if own else 0).cards_added = rule
        return rule

    return register


def round_end(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a round was won."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, ROUND_END if own else 0).round_end = rule
        return rule

    return register


def dollars(key: str, own: bool = False) -> Callable[[DollarHook], DollarHook]:
    """Registers a rule run what it pays when a round is cashed out."""

    def register(rule: DollarHook) -> DollarHook:
        _rule(key, DOLLARS if own else 0).dollars = rule
        return rule

    return register


def sold(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when it is sold."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, SOLD if own else 0).sold = rule
        return rule

    return register


def sale(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when anything is sold."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, SALE if own else 0).sale = rule
        return rule

    return register


def rerolled(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when the shop is rerolled."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, REROLLED if own else 0).rerolled = rule
        return rule

    return register


def blind_skipped(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a blind is skipped."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, BLIND_SKIPPED if own else 0).blind_skipped = rule
        return rule

    return register


def pack_skipped(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a pack is skipped."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, PACK_SKIPPED if own else 0).pack_skipped = rule
        return rule

    return register


def pack_opened(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when a pack is opened."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, PACK_OPENED if own else 0).pack_opened = rule
        return rule

    return register


def used(key: str, own: bool = False) -> Callable[[CountHook], CountHook]:
    """Registers a rule run when a consumable of that kind is used."""

    def register(rule: CountHook) -> CountHook:
        _rule(key, USED if own else 0).used = rule
        return rule

    return register


def shop_left(key: str, own: bool = False) -> Callable[[OwnHook], OwnHook]:
    """Registers a rule run when the shop is left."""

    def register(rule: OwnHook) -> OwnHook:
        _rule(key, SHOP_LEFT if own else 0).shop_left = rule
        return rule

    return register
