"""Setting up a table: a hand, jokers, and whatever else a rule looks at.

Cards are written like `AS`, `TH:glass,foil,red` or `2C:debuffed`: rank, suit, then enhancement,
edition, seal (by its colour) and state.
"""

from __future__ import annotations

from jimbot.game import Action, ActionKind, Joker, Run
from jimbot.game.bosses import debuff_all
from jimbot.game.cards import Card, Consumable
from jimbot.game.catalogue import BLIND_BY_KEY, CONSUMABLE_BY_KEY, JOKER_BY_KEY
from jimbot.game.create import new_consumable, new_joker

RANKS = "23456789TJQKA"
SUITS = "SHCD"
ENHANCEMENTS = ["", "bonus", "mult", "wild", "glass", "steel", "stone", "gold", "lucky"]
EDITIONS = ["", "foil", "holographic", "polychrome", "negative"]
SEALS = ["", "goldseal", "red", "blue", "purple"]

# So far above any score that a round never ends by itself.
ENDLESS = 1e300


def card(run: Run, text: str) -> Card:
    face, _, marks = text.partition(":")
    enhancement = edition = seal = 0
    debuffed = False
    for mark in marks.split(",") if marks else []:
        if mark in ENHANCEMENTS:
            enhancement = ENHANCEMENTS.index(mark)
        elif mark in EDITIONS:
            edition = EDITIONS.index(mark)
        elif mark in SEALS:
            seal = SEALS.index(mark)
        elif mark == "debuffed":
            debuffed = True
        else:
            raise ValueError(f"unknown mark {mark}")
    return Card(
        run.new_id(),
        SUITS.index(face[1]),
        RANKS.index(face[0]) + 2,
        enhancement,
        edition,
        seal,
        0,
        debuffed,
        False,
        False,
        False,
    )


def cards(run: Run, text: str) -> list[Card]:
    return [card(run, word) for word in text.split()]


def joker(run: Run, text: str) -> Joker:
    """A joker like `j_joker` or `j_joker:polychrome,eternal`, put on the table."""
    key, _, marks = text.partition(":")
    made = new_joker(run, JOKER_BY_KEY[key], 0)
    for mark in marks.split(",") if marks else []:
        if mark in EDITIONS:
            made.edition = EDITIONS.index(mark)
        elif mark == "debuffed":
            made.debuffed = True
        else:
            setattr(made, mark, True)
    run.add_joker(made)
    return made


def consumable(run: Run, key: str) -> Consumable:
    made = new_consumable(run, CONSUMABLE_BY_KEY[key])
    run.add_consumable(made)
    return made


def at_blind(
    *,
    jokers: str = "",
    boss: str = "",
    deck: str = "Red",
    stake: str = "White",
    seed: str = "TABLE",
    cost: float = ENDLESS,
    **fields: object,
) -> Run:
    """A run whose blind was just selected: the Small Blind, or a boss."""
    run = Run(seed, deck, stake, endless=True)
    for text in jokers.split():
        joker(run, text)
    for name, value in fields.items():
        setattr(run, name, value)
    if boss:
        run.boss = BLIND_BY_KEY[boss]
        run.blind_status = [3, 3, 1]
        run.on_deck = 2
    run.step(Action(ActionKind.SELECT_BLIND))
    assert run.blind is not None
    run.blind.chips = cost
    return run


def table(
    hand: str = "",
    *,
    jokers: str = "",
    deck_cards: str | None = None,
    consumables: str = "",
    boss: str = "",
    cost: float = ENDLESS,
    **fields: object,
) -> Run:
    """A run in the middle of a blind, with this hand and these jokers.

    The draw pile is plain (or `deck_cards`), fields of the run are set as named.
    """
    run = at_blind(boss=boss, cost=cost)
    run.discard_pile = []
    run.hand = cards(run, hand)
    if deck_cards is not None:
        run.draw_pile = cards(run, deck_cards)
    for text in jokers.split():
        joker(run, text)
    for key in consumables.split():
        consumable(run, key)
    for name, value in fields.items():
        setattr(run, name, value)
    if boss:
        debuff_all(run)
    return run


def places(run: Run, text: str) -> tuple[int, ...]:
    """Where the cards with these faces are in the hand, each used once."""
    chosen: list[int] = []
    for word in text.split():
        face = word.partition(":")[0]
        for i, held in enumerate(run.hand):
            if i not in chosen and RANKS[held.rank - 2] + SUITS[held.suit] == face:
                chosen.append(i)
                break
        else:
            raise ValueError(f"{word} is not in the hand")
    return tuple(chosen)


def play(run: Run, text: str) -> float:
    """Play cards of the hand; what they scored."""
    before = run.chips
    run.step(Action(ActionKind.PLAY, 0, places(run, text)))
    return run.chips - before


def discard(run: Run, text: str) -> None:
    run.step(Action(ActionKind.DISCARD, 0, places(run, text)))


def use(run: Run, key: str, targets: str = "") -> None:
    """Use a consumable, given to the run for it, on cards of the hand."""
    kind = CONSUMABLE_BY_KEY[key]
    run.consumable_slots += 1
    consumable(run, key)
    index = max(i for i, held in enumerate(run.consumables) if held.kind == kind)
    run.consumable_slots -= 1
    run.step(Action(ActionKind.USE_CONSUMABLE, index, tuple(sorted(places(run, targets)))))


def win(run: Run) -> None:
    """Win the round with whatever is in hand."""
    assert run.blind is not None
    run.blind.chips = 0.0
    run.step(Action(ActionKind.PLAY, 0, forced(run)))


def forced(run: Run) -> tuple[int, ...]:
    return tuple(i for i, held in enumerate(run.hand) if held.forced) or (0,)


def to_shop(run: Run) -> None:
    """Win the round, and go to the shop."""
    win(run)
    run.step(Action(ActionKind.CASH_OUT))


def at_shop(**setting: object) -> Run:
    run = at_blind(**setting)
    to_shop(run)
    return run


def faces(run: Run) -> str:
    """The hand in words, for comparing."""
    return " ".join(RANKS[held.rank - 2] + SUITS[held.suit] for held in run.hand)


def joker_keys(run: Run) -> list[str]:
    return [held.key for held in run.jokers]


def consumable_keys(run: Run) -> list[str]:
    return [held.key for held in run.consumables]
