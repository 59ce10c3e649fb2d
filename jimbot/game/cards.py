"""Cards, jokers and consumables: what lies on the table.

Kinds, editions, seals and enhancements are numbers here; `jimbot.game.catalogue` names them.
"""

from __future__ import annotations

from typing import Final

from jimbot.game.catalogue import (
    BLINDS,
    CONSUMABLES,
    EDITIONS,
    ENHANCEMENTS,
    JOKERS,
    PACKS,
    RANKS,
    SEALS,
    SUITS,
    TAGS,
    VOUCHERS,
)

SPADES: Final = 0
HEARTS: Final = 1
CLUBS: Final = 2
DIAMONDS: Final = 3

JACK: Final = 11
QUEEN: Final = 12
KING: Final = 13
ACE: Final = 14

BONUS: Final = 1
MULT: Final = 2
WILD: Final = 3
GLASS: Final = 4
STEEL: Final = 5
STONE: Final = 6
GOLD: Final = 7
LUCKY: Final = 8

FOIL: Final = 1
HOLOGRAPHIC: Final = 2
POLYCHROME: Final = 3
NEGATIVE: Final = 4

GOLD_SEAL: Final = 1
RED_SEAL: Final = 2
BLUE_SEAL: Final = 3
PURPLE_SEAL: Final = 4

# The price of an edition, by edition.
EDITION_COST: Final = [0, 2, 3, 5, 5]

# The 52 fronts in the byte order of the game's keys: C_2 … C_9, C_A, C_J, C_K, C_Q, C_T, D_2 …
_FRONT_SUITS: Final = [CLUBS, DIAMONDS, HEARTS, SPADES]
_FRONT_RANKS: Final = [2, 3, 4, 5, 6, 7, 8, 9, ACE, JACK, KING, QUEEN, 10]
FRONTS: Final[list[tuple[int, int]]] = [
    (suit, rank) for suit in _FRONT_SUITS for rank in _FRONT_RANKS
]

NO_PERISH: Final = -1


class Card:
    """A playing card. Never changed: a change puts another value in its place.

    Attributes:
        id: order of creation, kept through changes.
        rank: 2 to 14 (Jack 11, Queen 12, King 13, Ace 14).
        suit: 0 Spades, 1 Hearts, 2 Clubs, 3 Diamonds.
        enhancement, edition, seal: 0 for none, else as `catalogue` lists them.
        bonus: chips gained for good (Hiker).
        debuffed: switched off by the blind.
        face_down: its face is hidden from the player.
        played: it was played in this ante (The Pillar).
        forced: it must be among the cards played or discarded (Cerulean Bell).
        order: sorts the hand as the game does, highest first.
    """

    __slots__ = (
        "bonus",
        "debuffed",
        "edition",
        "enhancement",
        "face_down",
        "forced",
        "id",
        "order",
        "played",
        "rank",
        "seal",
        "suit",
    )

    def __init__(
        self,
        id: int,
        suit: int,
        rank: int,
        enhancement: int,
        edition: int,
        seal: int,
        bonus: int,
        debuffed: bool,
        face_down: bool,
        played: bool,
        forced: bool,
    ) -> None:
        self.id = id
        self.suit = suit
        self.rank = rank
        self.enhancement = enhancement
        self.edition = edition
        self.seal = seal
        self.bonus = bonus
        self.debuffed = debuffed
        self.face_down = face_down
        self.played = played
        self.forced = forced
        if enhancement == STONE:
            self.order = ((suit * 16 + rank - 1000) << 20) - id
        else:
            self.order = ((rank * 4 + 3 - suit) << 20) - id

    @property
    def suit_order(self) -> int:
        """Sorts the hand by suit first."""
        if self.enhancement == STONE:
            return self.order
        return (((3 - self.suit) * 16 + self.rank) << 20) - self.id

    def with_face(self, suit: int, rank: int) -> Card:
        return Card(
            self.id,
            suit,
            rank,
            self.enhancement,
            self.edition,
            self.seal,
            self.bonus,
            self.debuffed,
            self.face_down,
            self.played,
            self.forced,
        )

    def with_enhancement(self, enhancement: int) -> Card:
        return Card(
            self.id,
            self.suit,
            self.rank,
            enhancement,
            self.edition,
            self.seal,
            self.bonus,
            self.debuffed,
            self.face_down,
            self.played,
            self.forced,
        )

    def with_edition(self, edition: int) -> Card:
        return Card(
            self.id,
            self.suit,
            self.rank,
            self.enhancement,
            edition,
            self.seal,
            self.bonus,
            self.debuffed,
            self.face_down,
            self.played,
            self.forced,
        )

    def with_seal(self, seal: int) -> Card:
        return Card(
            self.id,
            self.suit,
            self.rank,
            self.enhancement,
            self.edition,
            seal,
            self.bonus,
            self.debuffed,
            self.face_down,
            self.played,
            self.forced,
        )

    def with_bonus(self, bonus: int) -> Card:
        return Card(
            self.id,
            self.suit,
            self.rank,
            self.enhancement,
            self.edition,
            self.seal,
            bonus,
            self.debuffed,
            self.face_down,
            self.played,
            self.forced,
        )

    def with_state(self, debuffed: bool, face_down: bool, played: bool, forced: bool) -> Card:
        return Card(
            self.id,
            self.suit,
            self.rank,
            self.enhancement,
            self.edition,
            self.seal,
            self.bonus,
            debuffed,
            face_down,
            played,
            forced,
        )

    def copied(self, id: int) -> Card:
        """A copy as another card, face up."""
        return Card(
            id,
            self.suit,
            self.rank,
            self.enhancement,
            self.edition,
            self.seal,
            self.bonus,
            self.debuffed,
            False,
            self.played,
            False,
        )

    @property
    def rank_name(self) -> str:
        return RANKS[self.rank - 2]

    @property
    def suit_name(self) -> str:
        return SUITS[self.suit]

    @property
    def name(self) -> str:
        return f"{self.rank_name} of {self.suit_name}"

    @property
    def enhancement_name(self) -> str:
        return ENHANCEMENTS[self.enhancement]

    @property
    def edition_name(self) -> str:
        return EDITIONS[self.edition]

    @property
    def seal_name(self) -> str:
        return SEALS[self.seal]

    def __repr__(self) -> str:
        return f"<Card {self.id} {self.name}>"


def plain_card(id: int, suit: int, rank: int) -> Card:
    return Card(id, suit, rank, 0, 0, 0, 0, False, False, False, False)


class Joker:
    """A joker and what it has counted so far.

    Attributes:
        kind: its place in `catalogue.JOKERS`.
        id: order of creation.
        edition: 0 for none, else as `catalogue.EDITIONS` lists them.
        eternal, rental: stickers.
        perishable: rounds until it perishes, 0 when it has, -1 without the sticker.
        debuffed: switched off.
        face_down: hidden by Amber Acorn.
        extra_value: sell value gained.
        value: what it has grown to (mult, chips or a factor, as its text says).
        count: what it counts down or up besides.
        hand: the hand type that To Do List names.
        sell_value: what selling it brings now.
    """

    __slots__ = (
        "count",
        "debuffed",
        "edition",
        "eternal",
        "extra_value",
        "face_down",
        "hand",
        "id",
        "kind",
        "perishable",
        "rental",
        "sell_value",
        "value",
    )

    def __init__(self, kind: int, id: int, edition: int) -> None:
        self.kind = kind
        self.id = id
        self.edition = edition
        self.eternal = False
        self.perishable = NO_PERISH
        self.rental = False
        self.debuffed = False
        self.face_down = False
        self.extra_value = 0
        self.value = 0.0
        self.count = 0
        self.hand = 0
        self.sell_value = 0

    def copy(self) -> Joker:
        twin = Joker(self.kind, self.id, self.edition)
        twin.eternal = self.eternal
        twin.perishable = self.perishable
        twin.rental = self.rental
        twin.debuffed = self.debuffed
        twin.face_down = self.face_down
        twin.extra_value = self.extra_value
        twin.value = self.value
        twin.count = self.count
        twin.hand = self.hand
        twin.sell_value = self.sell_value
        return twin

    @property
    def key(self) -> str:
        return JOKERS[self.kind].key

    @property
    def name(self) -> str:
        return JOKERS[self.kind].name

    @property
    def rarity(self) -> int:
        return JOKERS[self.kind].rarity

    @property
    def edition_name(self) -> str:
        return EDITIONS[self.edition]

    def __repr__(self) -> str:
        return f"<Joker {self.id} {self.name}>"


class Consumable:
    """A tarot, planet or spectral card.

    Attributes:
        kind: its place in `catalogue.CONSUMABLES`.
        id: order of creation.
        edition: 0, or 4 when Negative.
        extra_value: sell value gained.
        sell_value: what selling it brings now.
    """

    __slots__ = ("edition", "extra_value", "id", "kind", "sell_value")

    def __init__(self, kind: int, id: int, edition: int) -> None:
        self.kind = kind
        self.id = id
        self.edition = edition
        self.extra_value = 0
        self.sell_value = 1

    def copy(self) -> Consumable:
        twin = Consumable(self.kind, self.id, self.edition)
        twin.extra_value = self.extra_value
        twin.sell_value = self.sell_value
        return twin

    @property
    def key(self) -> str:
        return CONSUMABLES[self.kind].key

    @property
    def name(self) -> str:
        return CONSUMABLES[self.kind].name

    @property
    def kind_name(self) -> str:
        """Tarot, Planet or Spectral."""
        return CONSUMABLES[self.kind].kind

    @property
    def edition_name(self) -> str:
        return EDITIONS[self.edition]

    def __repr__(self) -> str:
        return f"<Consumable {self.id} {self.name}>"


class Offer:
    """Something on a shelf or in an open pack: exactly one of its five things is there.

    Attributes:
        joker, consumable, card: what is offered, or None.
        voucher, pack: numbers in the catalogue, or -1.
        free: a tag pays for it.
        cost: in dollars, as things stand now.
        from_tag: a voucher that a tag brought, gone with the visit.
    """

    __slots__ = ("card", "consumable", "cost", "free", "from_tag", "joker", "pack", "voucher")

    def __init__(
        self,
        joker: Joker | None = None,
        consumable: Consumable | None = None,
        card: Card | None = None,
        voucher: int = -1,
        pack: int = -1,
    ) -> None:
        self.joker = joker
        self.consumable = consumable
        self.card = card
        self.voucher = voucher
        self.pack = pack
        self.free = False
        self.from_tag = False
        self.cost = 0

    def copy(self) -> Offer:
        joker = self.joker
        consumable = self.consumable
        twin = Offer(
            None if joker is None else joker.copy(),
            None if consumable is None else consumable.copy(),
            self.card,
            self.voucher,
            self.pack,
        )
        twin.free = self.free
        twin.from_tag = self.from_tag
        twin.cost = self.cost
        return twin

    @property
    def name(self) -> str:
        if self.joker is not None:
            return self.joker.name
        if self.consumable is not None:
            return self.consumable.name
        if self.card is not None:
            return self.card.name
        if self.voucher >= 0:
            return VOUCHERS[self.voucher].name
        return PACKS[self.pack].name

    @property
    def key(self) -> str:
        """The catalogue's key; empty for a playing card."""
        if self.joker is not None:
            return self.joker.key
        if self.consumable is not None:
            return self.consumable.key
        if self.voucher >= 0:
            return VOUCHERS[self.voucher].key
        return PACKS[self.pack].key if self.pack >= 0 else ""

    def __repr__(self) -> str:
        return f"<Offer {self.name} ${self.cost}>"


class Tag:
    """A tag won by skipping a blind.

    Attributes:
        kind: its place in `catalogue.TAGS`.
        hand: the hand type that an Orbital Tag names.
    """

    __slots__ = ("hand", "kind")

    def __init__(self, kind: int, hand: int) -> None:
        self.kind = kind
        self.hand = hand

    @property
    def key(self) -> str:
        return TAGS[self.kind].key

    @property
    def name(self) -> str:
        return TAGS[self.kind].name

    def __repr__(self) -> str:
        return f"<Tag {self.name}>"


class Blind:
    """The blind being played.

    Attributes:
        kind: its place in `catalogue.BLINDS`.
        slot: 0 small, 1 big, 2 boss.
        disabled: its effect is off.
        reward: dollars for beating it.
        chips: the score that beats it.
        triggered: its effect touched the hand just played.
        prepped: The Fish or Crimson Heart act on the next draw.
        hands_seen: bits of the hand types played (The Eye).
        only_hand: the one hand type allowed (The Mouth), -1 before the first.
        taken: discards or hands taken away, given back when disabled.
    """

    __slots__ = (
        "chips",
        "disabled",
        "hands_seen",
        "kind",
        "only_hand",
        "prepped",
        "reward",
        "slot",
        "taken",
        "triggered",
    )

    def __init__(self, kind: int, slot: int, reward: int, chips: float) -> None:
        self.kind = kind
        self.slot = slot
        self.reward = reward
        self.chips = chips
        self.disabled = False
        self.triggered = False
        self.prepped = False
        self.hands_seen = 0
        self.only_hand = -1
        self.taken = 0

    def copy(self) -> Blind:
        twin = Blind(self.kind, self.slot, self.reward, self.chips)
        twin.disabled = self.disabled
        twin.triggered = self.triggered
        twin.prepped = self.prepped
        twin.hands_seen = self.hands_seen
        twin.only_hand = self.only_hand
        twin.taken = self.taken
        return twin

    @property
    def key(self) -> str:
        return BLINDS[self.kind].key

    @property
    def name(self) -> str:
        return BLINDS[self.kind].name

    @property
    def slot_name(self) -> str:
        """small, big or boss."""
        return ("small", "big", "boss")[self.slot]

    def __repr__(self) -> str:
        return f"<Blind {self.name}>"
