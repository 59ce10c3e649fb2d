from __future__ import annotations

import random
from itertools import combinations

import pytest

from jimbot.game import Action, ActionKind, Run, random_seed
from jimbot.game.cards import Card
from jimbot.game.catalogue import CONSUMABLE_BY_KEY
from jimbot.game.hands import HandType
from jimbot.policy.candidates import (
    KEEP_FLUSH,
    Hand,
    at_least,
    discards,
    plays,
    targets,
)

RANKS = {"T": 10, "J": 11, "Q": 12, "K": 13, "A": 14}
SUITS = {"s": 0, "h": 1, "c": 2, "d": 3}


def run_with(cards: str) -> Run:
    """A run in its first round, with a hand such as "As Kd 2c"."""
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    run.hand = [
        Card(
            1000 + i,
            SUITS[card[1]],
            RANKS.get(card[0]) or int(card[0]),
            0,
            0,
            0,
            0,
            False,
            False,
            False,
            False,
        )
        for i, card in enumerate(cards.split())
    ]
    return run


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        ("As Kd 9c 7h 5s 4d 3c 2h", HandType.STRAIGHT),
        ("As Kd Jc 9h 7s 6d 4c 2h", HandType.HIGH_CARD),
        ("As Ad Jc 9h 7s 6d 4c 2h", HandType.PAIR),
        ("As Ad Jc Jh 7s 6d 4c 2h", HandType.TWO_PAIR),
        ("As Ad Ac 9h 7s 6d 4c 2h", HandType.THREE_OF_A_KIND),
        ("9s 8d 7c 6h 5s Kd Kc 2h", HandType.STRAIGHT),
        ("As 2d 3c 4h 5s Kd Kc 9h", HandType.STRAIGHT),
        ("As Js 9s 4s 2s Kd Kc 8h", HandType.FLUSH),
        ("As Ad Ac Kh Ks 6d 4c 2h", HandType.FULL_HOUSE),
        ("As Ad Ac Ah 7s 6d 4c 2h", HandType.FOUR_OF_A_KIND),
        ("9s 8s 7s 6s 5s Ad Ac Ah", HandType.STRAIGHT_FLUSH),
        ("As As As As As Kd Kc Kh", HandType.FLUSH_FIVE),
        ("As As As Ks Ks Qd Jc 9h", HandType.FLUSH_HOUSE),
        ("As Ad Ac Ah As Kd Kc Kh", HandType.FIVE_OF_A_KIND),
    ],
)
def test_the_strongest_hand_is_proposed(cards: str, expected: HandType) -> None:
    run = run_with(cards)
    best = plays(run, Hand(run), 16)[0]
    assert best.preview.hand == expected


@pytest.mark.parametrize("seed", range(12))
def test_no_other_play_scores_more(seed: int) -> None:
    """Against all subsets, on dealt hands without jokers."""
    rng = random.Random(seed)
    run = Run(random_seed(rng))
    run.step(Action(ActionKind.SELECT_BLIND))
    everything = [
        run.preview(cards).score
        for count in range(1, 6)
        for cards in combinations(range(len(run.hand)), count)
    ]
    assert plays(run, Hand(run), 16)[0].preview.score == max(everything)


def test_a_hand_is_proposed_bare_and_filled_up() -> None:
    run = run_with("As Ad Jc 9h 7s 6d 4c 2h")
    pairs = [play.cards for play in plays(run, Hand(run), 16) if play.preview.hand == HandType.PAIR]
    assert (0, 1) in pairs
    assert (0, 1, 5, 6, 7) in pairs  # with the three cards that are missed least


def test_one_poker_hand_does_not_crowd_out_the_others() -> None:
    run = run_with("As Ad Jc Jh 7s 7d 4c 2h")
    hands = {play.preview.hand for play in plays(run, Hand(run), 4)}
    assert {HandType.TWO_PAIR, HandType.PAIR} <= hands


def test_forced_cards_are_in_every_play_and_discard() -> None:
    run = run_with("As Ad Jc 9h 7s 6d 4c 2h")
    run.hand[3] = run.hand[3].with_state(False, False, False, True)
    hand = Hand(run)
    found = plays(run, hand, 16)
    assert all(3 in play.cards for play in found)
    assert all(3 in discard.cards for discard in discards(run, hand, found[0].cards, 12))


def test_face_down_cards_are_not_looked_at() -> None:
    run = run_with("As Ad Ac Ah 7s 6d 4c 2h")
    for place in (2, 3):
        run.hand[place] = run.hand[place].with_state(False, True, False, False)
    best = plays(run, Hand(run), 16)[0]
    other = run_with("As Ad 9c 3h 7s 6d 4c 2h")
    for place in (2, 3):
        other.hand[place] = other.hand[place].with_state(False, True, False, False)
    assert best.cards == plays(other, Hand(other), 16)[0].cards


def test_a_flush_draw_is_kept() -> None:
    run = run_with("As Js 9s 4s Kd Qc 8h 3d")
    hand = Hand(run)
    best = plays(run, hand, 16)[0]
    flush = next(d for d in discards(run, hand, best.cards, 12) if d.keep == KEEP_FLUSH)
    assert set(flush.cards) == {4, 5, 6, 7}
    assert 0.5 < flush.chance < 0.8


@pytest.mark.parametrize(
    ("wanted", "draws", "hits", "size", "chance"),
    [
        (0, 3, 0, 10, 1.0),
        (1, 1, 13, 52, 0.25),
        (2, 2, 4, 52, 12 / 2652),
        (3, 2, 50, 52, 0.0),
        (1, 10, 1, 10, 1.0),
        (1, 60, 1, 52, 1.0),
    ],
)
def test_the_chance_to_draw(wanted: int, draws: int, hits: int, size: int, chance: float) -> None:
    assert at_least(wanted, draws, hits, size) == pytest.approx(chance)


@pytest.mark.parametrize(
    ("key", "cards"),
    [
        ("c_magician", 2),
        ("c_lovers", 1),
        ("c_star", 3),
        ("c_death", 2),
        ("c_hanged_man", 2),
        ("c_aura", 1),
    ],
)
def test_targets_are_as_many_as_the_consumable_takes(key: str, cards: int) -> None:
    run = run_with("As Ad Jc 9h 7s 6d 4c 2h")
    choices = targets(Hand(run), CONSUMABLE_BY_KEY[key])
    assert choices
    assert all(len(choice) == cards == len(set(choice)) for choice in choices)


def test_a_consumable_without_targets_takes_none() -> None:
    run = run_with("As Ad")
    assert targets(Hand(run), CONSUMABLE_BY_KEY["c_hermit"]) == [()]
