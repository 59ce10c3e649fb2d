"""The quick way in which rows are written, against the plain meaning of their columns."""

from __future__ import annotations

import random
from math import log2, log10

import numpy as np
import pytest

from jimbot.game import Action, ActionKind, Run
from jimbot.policy import layout
from jimbot.policy.features import Observer
from tests.policy.games import situations


def scaled(amount: float) -> float:
    return min(4.0, log10(1 + amount) / 8)


def share(run: Run, cards: tuple[int, ...], wanted: str) -> float:
    """The share of a set of cards that is so, as a player sees them."""
    shown = [run.hand[place] for place in cards if not run.hand[place].face_down]
    count = {
        "rank": sum(card.rank for card in shown) / 14,
        "spades": sum(card.suit == 0 for card in shown),
        "hearts": sum(card.suit == 1 for card in shown),
        "clubs": sum(card.suit == 2 for card in shown),
        "diamonds": sum(card.suit == 3 for card in shown),
        "enhanced": sum(card.enhancement > 0 for card in shown),
        "sealed": sum(card.seal > 0 for card in shown),
        "debuffed": sum(card.debuffed for card in shown),
        "face_down": len(cards) - len(shown),
    }
    return count[wanted] / len(cards)


SHARES = (
    "rank spades hearts clubs diamonds enhanced sealed debuffed face_down".split()  # noqa: SIM905
)


@pytest.mark.parametrize("seed", range(8))
def test_rows_of_cards_say_what_their_columns_mean(seed: int) -> None:
    observer = Observer()
    rng = random.Random(seed)
    for run in situations(seed, every=3, limit=90):
        run = run.clone()
        run.hand = [
            card.with_enhancement(rng.choice([0, 0, card.enhancement, rng.randrange(9)]))
            .with_seal(rng.choice([0, 0, 3]))
            .with_state(rng.random() < 0.1, rng.random() < 0.1, False, False)
            for card in run.hand
        ]
        observer.forget()
        observer.observe(run)
        for row in np.flatnonzero(observer.mask[: layout.TOGGLE_CARD]):
            action = observer.take(int(row))
            assert action is not None
            expected = {name: share(run, action.cards, name) for name in SHARES}
            expected["cards"] = len(action.cards) / 5
            item = layout.FIRST_KEEP
            if action.kind == ActionKind.PLAY:
                preview = run.preview(action.cards)
                needed = run.required - run.chips
                expected |= {
                    "chips": scaled(preview.chips),
                    "mult": scaled(preview.mult),
                    "score": scaled(preview.score),
                    "share": min(1.0, preview.score / needed) if needed > 0 else 1.0,
                    "wins": float(preview.score >= needed),
                    "level": log2(1 + run.hand_levels[preview.hand].level) / 5,
                    "scoring": len(preview.scoring) / 5,
                }
                item = layout.FIRST_HAND + preview.hand
                assert observer.items[row] == item
            else:
                expected["chance"] = observer.discards[int(row) - layout.DISCARD].chance
            wanted = [expected.get(name, 0.0) for name in layout.COLUMNS]
            assert observer.rows[row] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("seed", range(8))
def test_a_look_at_an_unchanged_run_sees_what_a_fresh_look_sees(seed: int) -> None:
    rng = random.Random(seed)
    quick = Observer()
    for run in situations(seed, every=4):
        quick.forget()
        quick.observe(run)
        for _ in range(4):
            loose = [
                int(row)
                for row in np.flatnonzero(quick.mask)
                if layout.TOGGLE_CARD <= row < layout.PLAY_SELECTED or row == layout.NEXT_PAGE
            ]
            if not loose:
                break
            assert quick.take(rng.choice(loose)) is None
            quick.observe(run, unchanged=True)
            fresh = Observer()
            fresh.selected = set(quick.selected)
            fresh.page = quick.page
            fresh.observe(run)
            for name in ("mask", "rows", "items", "owned", "state"):
                assert np.array_equal(getattr(quick, name), getattr(fresh, name)), name
            for row in np.flatnonzero(fresh.mask):
                if row not in loose:
                    selected, page = set(quick.selected), quick.page
                    assert quick.take(int(row)) == fresh.take(int(row))
                    quick.selected, quick.page = set(selected), page
                    fresh.selected, fresh.page = set(selected), page


def test_the_columns_lie_where_the_constants_say() -> None:
    for place, name in enumerate(layout.COLUMNS):
        assert getattr(layout, name.upper()) == place


def test_the_action_of_a_row_is_found_again() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    observer = Observer()
    observer.observe(run)
    for row in np.flatnonzero(observer.mask):
        action = observer.take(int(row))
        if action is not None:
            observer.observe(run)
            assert observer.path(run, action) == [row]
        observer.forget()
