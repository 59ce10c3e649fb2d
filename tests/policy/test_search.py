from __future__ import annotations

import random

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.policy import search
from jimbot.policy.search import SearchPolicy


def first_hand(seed: str) -> Run:
    run = Run(seed)
    run.step(Action(ActionKind.SELECT_BLIND))
    run.blind.chips = 900.0  # more than a hand or two bring
    return run


def patient(seed: int) -> SearchPolicy:
    return SearchPolicy(seed, budget_s=60.0)


@pytest.fixture(autouse=True)
def few_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_ROUNDS", (2, 4))


def test_it_cannot_see_the_future() -> None:
    """It chooses the same when the deck's order and all coming draws are other ones."""
    rng = random.Random(4)
    run = first_hand("ALEEB")
    looked = 0
    for number in range(12):
        if run.over:
            break
        action = patient(number).act(run)
        for _ in range(2):
            twin = run.determinised(rng)
            assert twin.digest() != run.digest()
            assert patient(number).act(twin) == action
        looked += run.phase == Phase.SELECTING_HAND
        run.step(action)
    assert looked >= 4


def test_it_imagines_on_copies() -> None:
    run = first_hand("7LB2WVPK")
    before = run.digest()
    action = patient(1).act(run)
    assert run.digest() == before
    assert run.is_legal(action)


def test_a_budget_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by 10 ms at each look, whatever the machine does."""
    monkeypatch.setattr(search, "_ROUNDS", (10_000,))
    looks = 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return looks * 0.01

    monkeypatch.setattr(search.time, "monotonic", clock)
    run = first_hand("ALEEB")
    assert run.is_legal(SearchPolicy(1, budget_s=1.0).act(run))
    assert looks < 200


def test_it_takes_a_win_that_is_there() -> None:
    """With the last hand and no discards left."""
    run = first_hand("ALEEB")
    run.hands_left = 1
    run.discards_left = 0
    best = max(run.preview(a.cards).score for a in run.legal_actions() if a.kind == ActionKind.PLAY)
    run.blind.chips = best
    action = patient(1).act(run)
    run.step(action)
    assert run.phase == Phase.ROUND_EVAL
