"""The public face of a run: actions, errors, copies, saves, digests."""

from __future__ import annotations

import json
import random

import pytest

from jimbot.game import (
    Action,
    ActionKind,
    CorruptSave,
    GameError,
    IllegalAction,
    InvalidSeed,
    Phase,
    Run,
    random_seed,
)
from jimbot.game.sampling import random_action
from tests.game.situations import at_blind, at_shop, joker, table


def played(seed: str, steps: int, deck: str = "Red", stake: str = "White") -> Run:
    rng = random.Random(seed)
    run = Run(seed, deck, stake, endless=True)
    for _ in range(steps):
        if run.phase == Phase.GAME_OVER:
            break
        blind = run.blind
        if blind is not None and run.hands_left == 1:
            blind.chips = 0.0
        run.step(random_action(run, rng))
    return run


@pytest.mark.parametrize("seed", ["", "ABCDEFGHI", "AB!", "abc", "A B", "Ä"])
def test_seeds_that_cannot_be(seed):
    with pytest.raises(InvalidSeed) as raised:
        Run(seed)
    assert isinstance(raised.value, GameError)
    assert raised.value.hint


@pytest.mark.parametrize(("deck", "stake"), [("Teal", "White"), ("Red", "Platinum"), ("red", "")])
def test_decks_and_stakes_that_cannot_be(deck, stake):
    with pytest.raises(InvalidSeed, match="there is no"):
        Run("A", deck, stake)


def test_random_seeds():
    rng = random.Random(1)
    seeds = {random_seed(rng) for _ in range(100)}
    assert len(seeds) == 100
    assert all(len(seed) == 8 for seed in seeds)
    for seed in seeds:
        Run(seed)


@pytest.mark.parametrize(
    "action",
    [
        Action(ActionKind.PLAY, 0, ()),
        Action(ActionKind.PLAY, 0, (0, 1, 2, 3, 4, 5)),
        Action(ActionKind.PLAY, 0, (8,)),
        Action(ActionKind.PLAY, 0, (-1,)),
        Action(ActionKind.PLAY, 0, (1, 1)),
        Action(ActionKind.SELECT_BLIND),
        Action(ActionKind.SKIP_BLIND),
        Action(ActionKind.REROLL_BOSS),
        Action(ActionKind.CASH_OUT),
        Action(ActionKind.BUY_CARD, 0),
        Action(ActionKind.BUY_AND_USE, 0),
        Action(ActionKind.BUY_VOUCHER, 0),
        Action(ActionKind.BUY_PACK, 0),
        Action(ActionKind.REROLL),
        Action(ActionKind.LEAVE_SHOP),
        Action(ActionKind.SELL_JOKER, 1),
        Action(ActionKind.SELL_JOKER, -1),
        Action(ActionKind.SELL_CONSUMABLE, 0),
        Action(ActionKind.USE_CONSUMABLE, 0),
        Action(ActionKind.PICK_PACK, 0),
        Action(ActionKind.SKIP_PACK),
        Action(ActionKind.MOVE_JOKER, 0, (1,)),
        Action(ActionKind.MOVE_JOKER, 0, ()),
        Action(ActionKind.MOVE_CARD, 0, (8,)),
        Action(ActionKind.SORT_HAND, 2),
    ],
)
def test_illegal_actions_name_what_is_wrong_and_change_nothing(action):
    run = at_blind(jokers="j_joker")
    before = run.digest()
    assert not run.is_legal(action)
    assert action not in run.legal_actions(moves=True)
    with pytest.raises(IllegalAction, match=action.kind.name) as raised:
        run.step(action)
    assert len(raised.value.message) > len(f"{action.kind.name} is not allowed: ")
    assert run.digest() == before


def test_actions_as_json():
    for action in (Action(ActionKind.PLAY, 0, (1, 2)), Action(ActionKind.REROLL)):
        data = json.loads(json.dumps(action.to_json()))
        assert Action.from_json(data) == action
    for wrong in (
        None,
        [],
        [0, 0],
        [99, 0, []],
        [0, "a", []],
        [0, 0, ["x"]],
        "PLAY",
        [True, 0, []],
    ):
        with pytest.raises(IllegalAction):
            Action.from_json(wrong)


def test_moves_and_sorting():
    run = at_blind(jokers="j_joker j_egg j_half")
    run.step(Action(ActionKind.MOVE_JOKER, 0, (2,)))
    assert [held.key for held in run.jokers] == ["j_egg", "j_half", "j_joker"]
    first = run.hand[0]
    run.step(Action(ActionKind.MOVE_CARD, 0, (7,)))
    assert run.hand[7] is first
    run.step(Action(ActionKind.SORT_HAND, 1))
    suits = [held.suit for held in run.hand]
    assert suits == sorted(suits)
    run.step(Action(ActionKind.SORT_HAND, 0))
    ranks = [held.rank for held in run.hand]
    assert ranks == sorted(ranks, reverse=True)


def test_the_played_cards_score_from_left_to_right():
    run = table("KS KD", jokers="j_photograph")
    run.hand = [run.hand[1], run.hand[0]]
    run.hand[0] = run.hand[0].with_enhancement(2)
    # +4 comes before the first face's X2 on the same card.
    assert run.preview((0, 1)).mult == (2 + 4) * 2
    run.step(Action(ActionKind.MOVE_CARD, 0, (1,)))
    assert run.preview((0, 1)).mult == 2 * 2 + 4


def test_a_whole_round():
    run = Run("ALEEB")
    assert run.phase == Phase.BLIND_SELECT
    assert [blind.required for blind in run.blinds_ahead] == [300, 450, 600]
    assert run.required == 300
    run.step(Action(ActionKind.SELECT_BLIND))
    assert (run.round, len(run.hand), run.deck_count) == (1, 8, 44)
    assert len(run.deck_view()) == 44
    run.step(Action(ActionKind.DISCARD, 0, (0, 1)))
    assert (run.discards_left, len(run.hand), len(run.discard_pile)) == (3, 8, 2)
    assert run.blind is not None
    run.blind.chips = 1.0
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.phase == Phase.ROUND_EVAL
    run.step(Action(ActionKind.CASH_OUT))
    assert run.phase == Phase.SHOP
    assert run.money == 4 + 3 + 3
    assert len(run.shop_cards) == len(run.shop_packs) == 2
    run.step(Action(ActionKind.LEAVE_SHOP))
    assert [blind.status for blind in run.blinds_ahead] == [3, 1, 0]


def test_winning_and_going_on():
    for endless in (False, True):
        run = Run("WIN", endless=endless)
        while not run.won:
            if run.phase == Phase.SELECTING_HAND:
                assert run.blind is not None
                run.blind.chips = 0.0
                run.step(Action(ActionKind.PLAY, 0, tuple(range(len(run.hand)))[:5]))
            elif run.phase == Phase.BLIND_SELECT:
                run.step(Action(ActionKind.SELECT_BLIND))
            elif run.phase == Phase.ROUND_EVAL:
                run.step(Action(ActionKind.CASH_OUT))
            else:
                run.step(Action(ActionKind.LEAVE_SHOP))
        assert run.round == 24
        assert run.over is not endless
        assert run.phase == (Phase.ROUND_EVAL if endless else Phase.GAME_OVER)


def test_same_seed_and_actions_give_the_same_digest():
    digests = {played("SAME", 200).digest() for _ in range(2)}
    assert len(digests) == 1
    assert played("OTHER", 200).digest() not in digests
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)


def test_the_digest_sees_every_field():
    run = played("DIGEST", 60)
    seen = {run.digest()}
    for field, value in (("money", 77), ("ante", 5), ("hands_left", 9), ("chips", 1.5)):
        setattr(run, field, value)
        seen.add(run.digest())
    joker(run, "j_joker")
    seen.add(run.digest())
    run.jokers[-1].value = 3.0
    seen.add(run.digest())
    run.draws.random("anything")
    seen.add(run.digest())
    run.draw_pile[0], run.draw_pile[1] = run.draw_pile[1], run.draw_pile[0]
    seen.add(run.digest())
    run.draw_pile[0] = run.draw_pile[0].with_bonus(5)
    seen.add(run.digest())
    assert len(seen) == 10


def test_clones_are_independent():
    run = played("CLONE", 80)
    before = run.digest()
    twin = run.clone()
    assert twin.digest() == before
    rng = random.Random(0)
    for _ in range(50):
        if twin.phase == Phase.GAME_OVER:
            break
        twin.step(random_action(twin, rng))
    assert twin.digest() != before
    assert run.digest() == before


@pytest.mark.parametrize("steps", [0, 1, 30, 90, 200])
def test_saves(steps):
    run = played("SAVED", steps, "Ghost", "Gold")
    twin = Run.load(json.loads(json.dumps(run.save())))
    assert twin.digest() == run.digest()
    rng, other = random.Random(3), random.Random(3)
    for _ in range(60):
        if run.phase == Phase.GAME_OVER:
            break
        run.step(random_action(run, rng))
        twin.step(random_action(twin, other))
    assert twin.digest() == run.digest()


def test_saves_of_every_phase():
    seen = set()
    run = at_shop(jokers="j_joker")
    rng = random.Random(9)
    for _ in range(400):
        seen.add(run.phase)
        twin = Run.load(json.loads(json.dumps(run.save())))
        assert twin.digest() == run.digest()
        assert twin.legal_actions() == run.legal_actions()
        if run.phase == Phase.GAME_OVER:
            run = at_shop(jokers="j_joker", seed=random_seed(rng))
        run.money += 3
        run.step(random_action(run, rng))
    assert len(seen) >= 5


def test_corrupt_saves():
    good = json.loads(json.dumps(played("SAVED", 50).save()))
    for damage in (
        None,
        [],
        {},
        {**good, "format": 99},
        {**good, "run": None},
        {**good, "digest": "0" * 16},
        {**good, "run": {**good["run"], "money": good["run"]["money"] + 1}},
        {**good, "run": {**good["run"], "money": "much"}},
        {**good, "run": {**good["run"], "seed": "?"}},
        {**good, "run": {**good["run"], "deck": 99}},
        {**good, "run": {**good["run"], "jokers": [[1, 2]]}},
        {**good, "run": {**good["run"], "hand": [[1, 9, 99, 0, 0, 0, 0, 0, 0, 0, 0]]}},
        {**good, "run": {**good["run"], "draws": 3}},
        {**good, "run": {k: v for k, v in good["run"].items() if k != "ante"}},
    ):
        with pytest.raises(CorruptSave) as raised:
            Run.load(damage)
        assert raised.value.hint


def test_determinised_clones_keep_what_is_seen_and_shuffle_what_is_not():
    run = at_blind()
    first = run.determinised(random.Random(1))
    second = run.determinised(random.Random(2))
    again = run.determinised(random.Random(1))
    assert first.digest() == again.digest()
    for twin in (first, second):
        assert [held.id for held in twin.hand] == [held.id for held in run.hand]
        assert {held.id for held in twin.draw_pile} == {held.id for held in run.draw_pile}
        assert twin.money == run.money
    assert [c.id for c in first.draw_pile] != [c.id for c in second.draw_pile]
    shops = set()
    for seed in range(6):
        twin = run.determinised(random.Random(seed))
        assert twin.blind is not None
        twin.blind.chips = 0.0
        twin.step(Action(ActionKind.PLAY, 0, (0,)))
        twin.step(Action(ActionKind.CASH_OUT))
        shops.add(tuple(offer.name for offer in twin.shop_cards))
    assert len(shops) > 1, "the coming shop must not be known"


def test_a_determinised_clone_does_not_know_hidden_cards():
    run = at_blind(boss="bl_house")
    hands = set()
    for seed in range(5):
        twin = run.determinised(random.Random(seed))
        assert all(held.face_down for held in twin.hand)
        hands.add(tuple((held.suit, held.rank) for held in twin.hand))
    assert len(hands) == 5


def test_the_deck_view_does_not_tell_the_order():
    run = at_blind()
    twin = run.determinised(random.Random(1))
    assert [c.id for c in run.deck_view()] == [c.id for c in twin.deck_view()]


def test_legal_actions_are_what_is_legal():
    rng = random.Random(4)
    for seed in ("L1", "L2", "L3"):
        run = Run(seed, "Magic", "Gold", endless=True)
        for _ in range(120):
            if run.phase == Phase.GAME_OVER:
                break
            listed = set(run.legal_actions(moves=True))
            assert all(run.is_legal(action) for action in listed)
            for _ in range(20):
                kind = ActionKind(rng.randrange(len(ActionKind)))
                cards = tuple(sorted(rng.sample(range(9), rng.randrange(4))))
                index = 0 if kind < ActionKind.BUY_CARD else rng.randrange(3)
                if kind in (ActionKind.REROLL, ActionKind.LEAVE_SHOP, ActionKind.SKIP_PACK):
                    index = 0
                takes_cards = kind in (
                    ActionKind.PLAY,
                    ActionKind.DISCARD,
                    ActionKind.USE_CONSUMABLE,
                    ActionKind.PICK_PACK,
                    ActionKind.MOVE_JOKER,
                    ActionKind.MOVE_CARD,
                )
                action = Action(kind, index, cards if takes_cards else ())
                moved = kind in (ActionKind.MOVE_JOKER, ActionKind.MOVE_CARD)
                if moved and cards and index == cards[0]:
                    continue
                assert run.is_legal(action) is (action in listed), action
            blind = run.blind
            if blind is not None and run.hands_left == 1:
                blind.chips = 0.0
            run.step(random_action(run, rng))
