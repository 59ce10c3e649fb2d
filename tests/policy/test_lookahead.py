from __future__ import annotations

import random

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.policy import lookahead
from jimbot.policy.lookahead import LookaheadPolicy
from jimbot.policy.network import NetworkPolicy
from jimbot.policy.weights import Header
from tests.policy.games import Ticking, first_hand
from tests.policy.networks import untrained


def base() -> NetworkPolicy:
    return NetworkPolicy.of(untrained(3), Header(policy="test", progress={}))


def patient(seed: int) -> LookaheadPolicy:
    return LookaheadPolicy(base(), seed, budget_s=60.0)


@pytest.fixture(autouse=True)
def few_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "_ROUNDS", (3, 6))


def test_it_cannot_see_the_future() -> None:
    """It chooses the same when the deck's order and all coming draws are other ones."""
    rng = random.Random(4)
    otherwise = 0
    for number, seed in enumerate(("ALEEB", "7LB2WVPK", "KJ8Q2Z", "TUTORIAL")):
        run = first_hand(seed, 150.0)
        while run.phase == Phase.SELECTING_HAND:
            action = patient(number).act(run)
            twin = run.determinised(rng)
            assert twin.digest() != run.digest()
            assert patient(number).act(twin) == action
            otherwise += action != base().act(run)
            run.step(action)
    assert otherwise >= 3


def test_it_leaves_the_run_as_it_was() -> None:
    run = first_hand("7LB2WVPK", 700.0)
    before = run.digest()
    policy = patient(1)
    action = policy.act(run)
    assert run.digest() == before
    assert run.is_legal(action)
    assert 0.0 <= policy.confidence <= 1.0


@pytest.mark.parametrize("seed", ["ALEEB", "7LB2WVPK", "KJ8Q2Z"])
def test_it_takes_a_win_that_is_there(seed: str) -> None:
    """With the last hand, of which only the best play wins."""
    run = first_hand(seed, 1.0)
    run.hands_left, run.discards_left = 1, 0
    run.blind.chips = max(
        run.preview(a.cards).score for a in run.legal_actions() if a.kind == ActionKind.PLAY
    )
    usual = base().act(run)
    assert run.preview(usual.cards).score < run.blind.chips
    run.step(patient(1).act(run))
    assert run.phase == Phase.ROUND_EVAL


def test_it_does_the_usual_where_that_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing else is even looked for."""

    def others(self: LookaheadPolicy, run: Run) -> list[Action]:
        raise AssertionError

    monkeypatch.setattr(LookaheadPolicy, "_others", others)
    run = first_hand("ALEEB", 5.0)
    policy = patient(1)
    assert policy.act(run) == base().act(run)


def test_it_is_the_usual_policy_without_cards_to_play() -> None:
    run = Run("ALEEB")
    policy, usual = patient(1), base()
    seen = set()
    for _ in range(80):
        if run.over:
            break
        action = usual.act(run)
        if run.phase != Phase.SELECTING_HAND:
            assert policy.act(run) == action
            seen.add(run.phase)
        elif run.blind is not None:
            run.blind.chips = 1.0
        run.step(action)
    assert {Phase.BLIND_SELECT, Phase.SHOP} <= seen


def test_a_budget_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking()
    monkeypatch.setattr(lookahead, "_ROUNDS", (10_000,))
    monkeypatch.setattr(lookahead.time, "monotonic", clock)
    run = first_hand("ALEEB", 900.0)
    assert run.is_legal(LookaheadPolicy(base(), 1, budget_s=1.0).act(run))
    assert 100 <= clock.looks < 110
