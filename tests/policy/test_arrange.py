"""Cards that score more in front are moved there before they are played."""

from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.policy.arrange import arranged
from jimbot.policy.candidates import Hand
from jimbot.policy.candidates import plays as proposed
from tests.game.situations import joker, places, table
from tests.policy.games import situations


def play(run: Run, text: str) -> Action:
    return Action(ActionKind.PLAY, 0, tuple(sorted(places(run, text))))


@pytest.mark.parametrize(
    ("hand", "jokers", "played", "front"),
    [
        # +10 chips once, or the ace's 11 three times.
        ("TS AS AH 2C TH", "j_hanging_chad", "TS TH AS AH", "AS"),
        # The first face card doubles: the one that is Red Seal does it twice.
        ("KS KH:red 2C 3D 4H", "j_photograph", "KS KH", "KH"),
        # X1.5 behind +4 mult.
        ("KS:polychrome KH:mult 2C 3D 4H", "", "KS KH", "KH"),
    ],
)
def test_the_card_that_scores_most_in_front_goes_there(
    hand: str, jokers: str, played: str, front: str
) -> None:
    run = table(hand, jokers=jokers)
    before = run.preview(places(run, played)).score
    (place,) = places(run, front)
    digest = run.digest()
    assert arranged(run, play(run, played)) == Action(ActionKind.MOVE_CARD, place, (0,))
    assert run.digest() == digest
    run.step(Action(ActionKind.MOVE_CARD, place, (0,)))
    again = play(run, played)
    assert run.preview(again.cards).score > 1.02 * before
    assert arranged(run, again) is again


@pytest.mark.parametrize(
    ("hand", "jokers", "played"),
    [
        ("TS AS AH 2C TH", "j_joker", "TS TH AS AH"),  # nothing looks at the order
        ("AS TS AH 2C TH", "j_hanging_chad", "TS TH AS AH"),  # it is in front
        ("AS 2C 3D 4H 6S", "j_hanging_chad", "AS"),
    ],
)
def test_what_brings_nothing_is_not_moved(hand: str, jokers: str, played: str) -> None:
    run = table(hand, jokers=jokers)
    action = play(run, played)
    assert arranged(run, action) is action


def test_other_actions_stay_as_they_are() -> None:
    run = table("TS AS AH 2C TH", jokers="j_hanging_chad")
    action = Action(ActionKind.DISCARD, 0, (0, 1))
    assert arranged(run, action) is action


def test_it_never_makes_a_play_worse() -> None:
    moved = 0
    for seed in range(12):
        for found in situations(seed):
            if found.phase != Phase.SELECTING_HAND:
                continue
            run = found.clone()
            joker(run, "j_hanging_chad")
            digest = run.digest()
            for proposal in proposed(run, Hand(run), 20):
                action = Action(ActionKind.PLAY, 0, proposal.cards)
                move = arranged(run, action)
                assert run.digest() == digest
                if move is action:
                    continue
                ids = {run.hand[place].id for place in action.cards}
                after = run.clone()
                after.step(move)
                cards = tuple(i for i, card in enumerate(after.hand) if card.id in ids)
                assert after.preview(cards).score > run.preview(action.cards).score
                moved += 1
    assert moved > 10
