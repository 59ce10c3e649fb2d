from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jimbot.game import Action, ActionKind, Run
from jimbot.game.cards import Consumable, Joker
from jimbot.game.catalogue import CONSUMABLE_BY_KEY
from jimbot.policy import layout, make
from jimbot.policy.features import HIGH, LOW, Observer
from tests.policy.games import situations

QUICK = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
MOVES = (ActionKind.MOVE_JOKER, ActionKind.MOVE_CARD)


@QUICK
@given(seed=st.integers(0, 10_000))
def test_every_row_that_the_mask_allows_is_accepted(seed: int) -> None:
    observer = Observer()
    rng = random.Random(seed)
    for run in situations(seed, every=7):
        observer.forget()
        for _ in range(rng.randrange(4)):  # with some cards selected
            observer.observe(run)
            toggles = [
                row
                for row in range(layout.TOGGLE_CARD, layout.TOGGLE_CARD + layout.CARD_SLOTS)
                if observer.mask[row]
            ]
            if toggles:
                observer.take(rng.choice(toggles))
        observer.observe(run)
        assert observer.mask.any()
        selected = set(observer.selected)
        for row in np.flatnonzero(observer.mask):
            observer.selected = set(selected)
            action = observer.take(int(row))
            observer.page = 0
            if action is not None:
                assert run.is_legal(action), f"{layout.BLOCK_OF_ROW[row]} {action}"
                run.clone().step(action)


@QUICK
@given(seed=st.integers(0, 10_000))
def test_every_legal_action_can_be_composed(seed: int) -> None:
    """`path` leads to exactly the action, by rows that the masks allow."""
    observer = Observer()
    rng = random.Random(seed)
    for run in situations(seed, every=11):
        actions = run.legal_actions()
        by_kind: dict[ActionKind, list[Action]] = {}
        for action in actions:
            by_kind.setdefault(action.kind, []).append(action)
        for kind in by_kind.values():
            for action in rng.sample(kind, min(3, len(kind))):
                assert perform(observer, run.clone(), action) == action


def perform(observer: Observer, run: Run, action: Action) -> Action | None:
    """Take the rows of a path one by one; the action that comes out."""
    observer.forget()
    performed = None
    path = observer.path(run, action)
    for number, row in enumerate(path):
        observer.observe(run)
        assert observer.mask[row]
        performed = observer.take(row)
        assert (performed is None) == (number < len(path) - 1)
    assert performed is not None
    run.step(performed)
    return performed


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("to", range(5))
def test_any_order_of_jokers_can_be_reached(place: int, to: int) -> None:
    run = Run("ALEEB")
    for kind in range(5):
        run.add_joker(Joker(kind, run.new_id(), 0))
    wanted = [joker.id for joker in run.jokers]
    wanted.insert(to, wanted.pop(place))
    observer = Observer()
    # Sending each to the end in the order wanted sorts them.
    for joker in wanted:
        observer.observe(run)
        now = [each.id for each in run.jokers].index(joker)
        if now < len(run.jokers) - 1:
            action = observer.take(layout.JOKER_TO_END + now)
            assert action is not None
            run.step(action)
    assert [joker.id for joker in run.jokers] == wanted


def test_any_order_of_cards_can_be_reached() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    wanted = [card.id for card in run.hand]
    random.Random(3).shuffle(wanted)
    observer = Observer()
    for card in reversed(wanted):
        place = [each.id for each in run.hand].index(card)
        if place > 0:
            observer.observe(run)
            assert observer.take(layout.TOGGLE_CARD + place) is None
            observer.observe(run)
            action = observer.take(layout.CARD_TO_FRONT)
            assert action is not None
            run.step(action)
    assert [card.id for card in run.hand] == wanted


def test_what_overflows_its_block_is_on_the_next_page() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    for kind in range(19):
        run.add_joker(Joker(kind, run.new_id(), 4))
    for _ in range(6):
        run.add_consumable(Consumable(CONSUMABLE_BY_KEY["c_star"], run.new_id(), 4))
    run.hand = run.hand + run.draw_pile[:20]
    run.draw_pile = run.draw_pile[20:]
    observer = Observer()
    for action in (
        Action(ActionKind.PLAY, 0, (1, 25)),
        Action(ActionKind.DISCARD, 0, (0, 19, 20, 21, 27)),
        Action(ActionKind.SELL_JOKER, 17),
        Action(ActionKind.SELL_CONSUMABLE, 5),
        Action(ActionKind.USE_CONSUMABLE, 4, (0, 22)),
        Action(ActionKind.USE_CONSUMABLE, 0, (2, 23, 26)),
    ):
        assert perform(observer, run.clone(), action) == action


def test_an_illegal_action_has_no_path() -> None:
    with pytest.raises(ValueError, match="not legal"):
        Observer().path(Run("ALEEB"), Action(ActionKind.CASH_OUT))


@QUICK
@given(seed=st.integers(0, 10_000))
def test_features_lie_in_their_ranges_and_only_in_legal_rows(seed: int) -> None:
    observer = Observer()
    for run in situations(seed, every=5):
        observer.forget()
        observer.observe(run)
        for array in (observer.rows, observer.state):
            assert np.isfinite(array).all()
            assert array.min() >= LOW
            assert array.max() <= HIGH
        illegal = observer.mask == 0
        assert not observer.rows[illegal].any()
        assert not observer.items[illegal].any()
        for items in (observer.items, observer.owned):
            assert items.min() >= 0
            assert items.max() < layout.ITEMS


@QUICK
@given(seed=st.integers(0, 10_000))
def test_what_is_hidden_does_not_show(seed: int) -> None:
    """With the deck's order and all coming draws shuffled afresh, the view is the same."""
    one, other = Observer(), Observer()
    for run in situations(seed, every=9):
        one.forget()
        other.forget()
        one.observe(run)
        other.observe(run.determinised(random.Random(seed)))
        for name in ("mask", "rows", "items", "owned", "state"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


@pytest.mark.parametrize("seed", range(25))
def test_a_face_down_card_is_a_back(seed: int) -> None:
    """Other cards in the places of those hidden, and the view and the heuristic are the same."""
    rng = random.Random(seed)
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    special = [card.with_enhancement(rng.choice([0, 0, 3, 4, 6])) for card in run.draw_pile]
    rng.shuffle(special)
    hidden = rng.sample(range(8), 4)
    twin = run.clone()
    for each in (run, twin):
        each.draw_pile = special[4:]
        for place, card in zip(hidden, special, strict=False):
            each.hand[place] = card.with_state(False, True, False, False)
        rng.shuffle(special)
        # What one hides, the other may draw.
    assert {card.id for card in run.draw_pile} != {card.id for card in twin.draw_pile}
    one, other = Observer(), Observer()
    one.observe(run)
    other.observe(twin)
    for name in ("mask", "rows", "items", "owned", "state"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert make("heuristic", seed=seed).act(run) == make("heuristic", seed=seed).act(twin)
