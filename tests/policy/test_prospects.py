from __future__ import annotations

import random
from math import log

import numpy as np
import pytest

from jimbot.game import Joker, Offer, Phase, Run
from jimbot.game.catalogue import JOKER_BY_KEY
from jimbot.game.hands import FIVE_OF_A_KIND, FLUSH
from jimbot.policy import layout, make
from jimbot.policy.features import Observer
from jimbot.policy.prospects import Prospects
from tests.policy.games import situations


def shop(seed: str = "ALEEB", *jokers: str, money: int = 10) -> Run:
    run = Run(seed)
    policy = make("heuristic", seed=1)
    while run.phase != Phase.SHOP:
        run.step(policy.act(run))
    for joker in list(run.jokers):
        run.remove_joker(joker)
    for key in jokers:
        run.add_joker(joker_of(run, key))
    run.money = money
    return run


def joker_of(run: Run, key: str) -> Joker:
    return Joker(JOKER_BY_KEY[key], run.new_id(), 0)


def seen(run: Run) -> Prospects:
    prospects = Prospects()
    prospects.look(run)
    return prospects


def test_a_joker_adds_what_it_multiplies() -> None:
    run = shop()
    assert seen(run).with_joker(joker_of(run, "j_cavendish")) == pytest.approx(log(3), abs=0.01)
    assert seen(run).with_joker(joker_of(run, "j_golden")) == 0.0


def test_giving_it_up_takes_that_away() -> None:
    run = shop("ALEEB", "j_cavendish", "j_golden")
    prospects = seen(run)
    assert prospects.without_joker(run.jokers[0]) == pytest.approx(-log(3), abs=0.01)
    assert prospects.without_joker(run.jokers[1]) == 0.0


def test_the_order_of_jokers_counts_where_it_does() -> None:
    run = shop("ALEEB", "j_cavendish", "j_joker")
    prospects = seen(run)
    assert prospects.with_joker_last(run.jokers[0]) > 0.0  # +4, then X3
    assert prospects.with_joker_last(run.jokers[1]) == 0.0
    run = shop("ALEEB", "j_golden", "j_joker")
    assert seen(run).with_joker_last(run.jokers[0]) == 0.0


def test_a_joker_that_a_round_eats_is_no_obstacle() -> None:
    """Each dagger eats its right neighbour when the blind begins."""
    run = shop("ALEEB", "j_ceremonial", "j_joker", "j_ceremonial", "j_joker", "j_cavendish")
    prospects = seen(run)
    for joker in run.jokers:
        assert prospects.without_joker(joker) <= 0.0
        prospects.with_joker_last(joker)
    assert prospects.without_joker(run.jokers[4]) == pytest.approx(-log(3), abs=0.01)
    assert prospects.without_joker(run.jokers[1]) == 0.0


def test_a_level_adds_where_its_hand_is_played() -> None:
    prospects = seen(shop("ALEEB", "j_jolly"))
    assert max(prospects.with_level(hand) for hand in range(12)) > 0.1
    assert prospects.with_level(FIVE_OF_A_KIND) == 0.0
    assert prospects.with_level(FLUSH) >= 0.0


def test_the_margin_tells_what_is_strong_enough() -> None:
    run = shop()
    strong = shop("ALEEB", "j_cavendish")
    assert seen(strong).margin > seen(run).margin + 0.5
    late = run.clone()
    late.ante = late.blind_ante = 6
    assert seen(late).margin < seen(run).margin - 2.0


def test_it_cannot_see_the_future_and_changes_nothing() -> None:
    rng = random.Random(3)
    looked = 0
    for seed in range(10):
        for run in situations(seed, every=7):
            if run.phase not in (Phase.SHOP, Phase.PACK):
                continue
            before = run.digest()
            prospects, other = seen(run), seen(run.determinised(rng))
            assert run.digest() == before
            assert prospects.margin == other.margin
            for hand in range(12):
                assert prospects.with_level(hand) == other.with_level(hand)
            looked += 1
    assert looked > 20


def test_what_is_kept_of_the_last_look_is_never_stale() -> None:
    kept = Observer(foresight=True)
    looked = 0
    for seed in range(8):
        for run in situations(seed, every=1, limit=150):
            kept.forget()
            kept.observe(run)
            if run.phase in (Phase.SHOP, Phase.PACK):
                fresh = Observer(foresight=True)
                fresh.observe(run)
                assert np.array_equal(kept.rows, fresh.rows)
                assert np.array_equal(kept.state, fresh.state)
                looked += 1
    assert looked > 100


def test_an_observer_shows_it_in_its_columns() -> None:
    run = shop("ALEEB", "j_cavendish", "j_golden", "j_joker", "j_joker", "j_joker", money=30)
    joker = joker_of(run, "j_duo")
    run.shop_cards = [Offer(joker=joker)]
    plain, far = Observer(), Observer(foresight=True)
    plain.observe(run)
    far.observe(run)
    prospects = seen(run)
    margin = layout.STATE["margin"][0]
    assert far.state[margin] == pytest.approx(prospects.margin / 2, abs=1e-6)
    for place in range(5):
        row = far.rows[layout.SELL_JOKER + place]
        assert row[layout.ADDS] == pytest.approx(
            prospects.without_joker(run.jokers[place]), abs=1e-6
        )
        swap = prospects.with_joker(joker) + prospects.without_joker(run.jokers[place])
        assert row[layout.SWAP] == pytest.approx(max(-1.0, swap), abs=1e-6)
    assert far.rows[layout.SELL_JOKER, layout.SWAP] < far.rows[layout.SELL_JOKER + 1, layout.SWAP]
    assert plain.state[margin] == 0.0
    assert not plain.rows[:, [layout.ADDS, layout.SWAP]].any()
    kept = [name not in ("adds", "swap") for name in layout.COLUMNS]
    assert np.array_equal(plain.rows[far.mask > 0][:, kept], far.rows[far.mask > 0][:, kept])


def test_with_it_jokers_are_moved_only_where_that_adds_something() -> None:
    run = shop("ALEEB", "j_cavendish", "j_joker", "j_golden")
    plain, far = Observer(), Observer(foresight=True)
    plain.observe(run)
    far.observe(run)
    moves = slice(layout.JOKER_TO_END, layout.JOKER_TO_END + layout.JOKER_SLOTS)
    assert list(plain.mask[moves][:3]) == [1, 1, 0]
    assert list(far.mask[moves][:3]) == [1, 0, 0]  # X3 behind +4
    assert far.rows[layout.JOKER_TO_END, layout.ADDS] > 0.01
    assert np.array_equal(np.delete(far.mask, moves), np.delete(plain.mask, moves))
    action = far.take(layout.JOKER_TO_END)
    assert action is not None
    run.step(action)
    far.forget()
    far.observe(run)
    assert not far.mask[moves].any()
