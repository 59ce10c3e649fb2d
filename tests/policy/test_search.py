from __future__ import annotations

import random

import pytest

from jimbot.game import Action, ActionKind, Phase, Run
from jimbot.policy import make, search
from jimbot.policy.imagine import power
from jimbot.policy.search import SearchPolicy
from tests.policy.games import Ticking, first_hand

CHIPS = 900.0  # more than a hand or two bring


def patient(seed: int) -> SearchPolicy:
    return SearchPolicy(seed, budget_s=60.0)


@pytest.fixture(autouse=True)
def few_deals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "_ROUNDS", (2, 4))


def test_it_cannot_see_the_future() -> None:
    """It chooses the same when the deck's order and all coming draws are other ones."""
    rng = random.Random(4)
    run = first_hand("ALEEB", CHIPS)
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


def shop(seed: str) -> Run:
    """A shop in which there is money for everything."""
    run = Run(seed)
    policy = make("heuristic", seed=1)
    while run.phase != Phase.SHOP:
        assert not run.over
        run.step(policy.act(run))
    run.money = 60
    return run


def other_future(run: Run, rng: random.Random) -> Run:
    """The same to look at, with other shops, packs, tags and bosses to come."""
    twin = run.determinised(rng)
    assert twin.digest() != run.digest()
    ahead, other = run.clone(), twin.clone()
    for future in (ahead, other):
        future.step(Action(ActionKind.REROLL))
        future.step(Action(ActionKind.REROLL))
    assert [o.name for o in ahead.shop_cards] != [o.name for o in other.shop_cards]
    return twin


def test_it_cannot_see_what_shops_and_packs_hold() -> None:
    """It buys the same when rerolls, packs, tags and bosses to come are other ones."""
    rng = random.Random(7)
    run = shop("ALEEB")
    kinds = set()
    for number in range(15):
        if run.phase not in (Phase.SHOP, Phase.PACK):
            break
        action = patient(number).act(run)
        twin = other_future(run, rng) if run.phase == Phase.SHOP else run.determinised(rng)
        assert patient(number).act(twin) == action
        kinds.add(action.kind)
        run.step(action)
    assert len(kinds) >= 3


def test_imagined_rounds_are_dealt_afresh() -> None:
    """The scores of imagined rounds depend on what the player knows and on the deals' names."""
    rng = random.Random(3)
    run = shop("7LB2WVPK")
    before = run.digest()
    deals = ["DEAL1", "DEAL2", "DEAL3", "DEAL4"]
    scores = power(run, deals)
    assert run.digest() == before
    assert len(set(scores)) > 1
    for _ in range(5):
        assert power(run.determinised(rng), deals) == scores


def test_it_imagines_on_copies() -> None:
    run = first_hand("7LB2WVPK", CHIPS)
    before = run.digest()
    action = patient(1).act(run)
    assert run.digest() == before
    assert run.is_legal(action)


def test_a_budget_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Ticking()
    monkeypatch.setattr(search, "_ROUNDS", (10_000,))
    monkeypatch.setattr(search.time, "monotonic", clock)
    run = first_hand("ALEEB", CHIPS)
    assert run.is_legal(SearchPolicy(1, budget_s=1.0).act(run))
    assert clock.looks < 200


def test_it_takes_a_win_that_is_there() -> None:
    """With the last hand and no discards left."""
    run = first_hand("ALEEB", CHIPS)
    run.hands_left = 1
    run.discards_left = 0
    best = max(run.preview(a.cards).score for a in run.legal_actions() if a.kind == ActionKind.PLAY)
    run.blind.chips = best
    action = patient(1).act(run)
    run.step(action)
    assert run.phase == Phase.ROUND_EVAL
