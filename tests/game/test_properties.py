"""What must hold in every game, whatever is played."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from jimbot.game import DECKS, STAKES, Action, ActionKind, IllegalAction, Phase, Run
from jimbot.game.sampling import random_action
from tests.game.invariants import check, owned

seeds = st.text("123456789ABCDEFGHIJKLMNPQRSTUVWXYZ", min_size=1, max_size=8)
games = st.tuples(
    seeds, st.sampled_from(DECKS), st.sampled_from(STAKES), st.integers(0, 2**32), st.booleans()
)


def start(game: tuple[str, str, str, int, bool]) -> tuple[Run, random.Random, bool]:
    seed, deck, stake, choice, easy = game
    return Run(seed, deck, stake, endless=True), random.Random(choice), easy


def help_along(run: Run, easy: bool) -> None:
    """Let an easy game win its last hands, so that it gets further."""
    blind = run.blind
    if easy and blind is not None and run.phase == Phase.SELECTING_HAND and run.hands_left == 1:
        blind.chips = 0.0


@settings(max_examples=40, deadline=None)
@given(games)
def test_invariants_hold_through_a_game(game):
    run, rng, easy = start(game)
    for _ in range(150):
        if run.phase == Phase.GAME_OVER:
            break
        help_along(run, easy)
        run.step(random_action(run, rng))
        check(run)


@settings(max_examples=25, deadline=None)
@given(games, st.integers(0, 80))
def test_clone_then_play_is_play(game, steps):
    run, rng, easy = start(game)
    for _ in range(steps):
        if run.phase != Phase.GAME_OVER:
            help_along(run, easy)
            run.step(random_action(run, rng))
    twin = run.clone()
    rng.seed(1)
    other = random.Random(1)
    for _ in range(25):
        if run.phase == Phase.GAME_OVER:
            break
        run.step(random_action(run, rng))
        twin.step(random_action(twin, other))
        assert twin.digest() == run.digest()


@settings(max_examples=25, deadline=None)
@given(games, st.data())
def test_an_action_is_legal_exactly_if_it_is_accepted(game, data):
    run, rng, easy = start(game)
    for _ in range(data.draw(st.integers(0, 100))):
        if run.phase != Phase.GAME_OVER:
            help_along(run, easy)
            run.step(random_action(run, rng))
    for _ in range(20):
        action = Action(
            data.draw(st.sampled_from(ActionKind)),
            data.draw(st.integers(-1, 4)),
            tuple(data.draw(st.lists(st.integers(-1, 9), max_size=6))),
        )
        twin = run.clone()
        before = twin.digest()
        accepted = True
        try:
            twin.step(action)
        except IllegalAction:
            accepted = False
        assert run.is_legal(action) is accepted
        assert accepted or twin.digest() == before


@settings(max_examples=25, deadline=None)
@given(games)
def test_money_and_cards_change_only_when_something_explains_it(game):
    run, rng, easy = start(game)
    for _ in range(120):
        if run.phase == Phase.GAME_OVER:
            break
        help_along(run, easy)
        action = random_action(run, rng)
        money, cards = run.money, owned(run)
        cost = price(run, action)
        phase = run.phase
        run.step(action)
        if cost is not None and not run.tags and run.pack is None:
            assert run.money == money - cost, action
        quiet = (ActionKind.CASH_OUT, ActionKind.REROLL, ActionKind.SELL_JOKER)
        if action.kind in quiet or (action.kind == ActionKind.LEAVE_SHOP and phase == Phase.SHOP):
            assert owned(run) == cards


def price(run: Run, action: Action) -> int | None:
    """What an action costs by what is written on it; None where rules decide."""
    kind, index = action.kind, action.index
    if kind == ActionKind.BUY_CARD:
        return run.shop_cards[index].cost
    if kind == ActionKind.BUY_VOUCHER:
        return run.shop_vouchers[index].cost
    if kind == ActionKind.REROLL:
        return run.reroll_cost
    if kind == ActionKind.SELL_JOKER:
        return -run.jokers[index].sell_value
    if kind == ActionKind.SELL_CONSUMABLE:
        return -run.consumables[index].sell_value
    if kind == ActionKind.CASH_OUT:
        return -run.reward
    if kind in (ActionKind.SELECT_BLIND, ActionKind.LEAVE_SHOP, ActionKind.MOVE_JOKER):
        return 0
    return None


@settings(max_examples=20, deadline=None)
@given(games)
def test_a_sure_preview_is_what_the_play_scores(game):
    run, rng, easy = start(game)
    for _ in range(80):
        if run.phase == Phase.GAME_OVER:
            break
        help_along(run, easy)
        action = random_action(run, rng)
        if action.kind == ActionKind.PLAY and is_sure(run):
            guess = run.preview(action.cards)
            twin = run.clone()
            before = twin.chips
            assert twin.blind is not None
            twin.blind.chips = 1e300
            twin.hands_left = run.hands_left
            twin.step(action)
            if twin.phase == Phase.SELECTING_HAND:
                assert abs(twin.chips - before - guess.score) <= 1e-9 * guess.score + 1
        run.step(action)


RANDOM_JOKERS = {"j_misprint", "j_space", "j_bloodstone", "j_lucky_cat", "j_8_ball"}


def is_sure(run: Run) -> bool:
    """Whether nothing random and nothing hidden decides what the hand scores."""
    blind = run.blind
    return (
        not any(card.enhancement == 8 or card.face_down for card in run.hand)
        and not any(joker.key in RANDOM_JOKERS or joker.face_down for joker in run.jokers)
        and not any(joker.key in ("j_business", "j_reserved_parking") for joker in run.jokers)
        and blind is not None
        and blind.key not in ("bl_hook", "bl_tooth", "bl_ox")
    )
