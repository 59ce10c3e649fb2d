from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, Run


def _through_a_round(run: Run) -> None:
    """Beat the blind that is on deck with the first card, and enter the shop."""
    run.step(Action(ActionKind.SELECT_BLIND))
    assert run.blind is not None
    run.blind.chips = 1.0
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    run.step(Action(ActionKind.CASH_OUT))


@pytest.mark.parametrize("seed", ["ALEEB", "7LB2WVPK", "TUTORIAL"])
def test_a_shuffle_that_nobody_looked_at_counts_as_a_draw(seed: str) -> None:
    """The game shuffles at every cash-out, whether or not a pack then deals from the deck."""
    looked, not_looked = Run(seed), Run(seed)
    for run in (looked, not_looked):
        _through_a_round(run)
    looked.settle_deck()
    for run in (looked, not_looked):
        run.step(Action(ActionKind.LEAVE_SHOP))
        _through_a_round(run)
        run.settle_deck()
    assert [card.id for card in looked.draw_pile] == [card.id for card in not_looked.draw_pile]
    assert looked.digest() == not_looked.digest()


def test_the_deck_is_shuffled_anew_at_each_cash_out_of_an_ante() -> None:
    run = Run("ALEEB")
    _through_a_round(run)
    run.settle_deck()
    first = [card.id for card in run.draw_pile]
    run.step(Action(ActionKind.LEAVE_SHOP))
    _through_a_round(run)
    run.settle_deck()
    assert sorted(first) == sorted(card.id for card in run.draw_pile)
    assert first != [card.id for card in run.draw_pile]
