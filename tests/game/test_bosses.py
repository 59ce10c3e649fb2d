"""Blinds: what they ask for, when bosses come, and what each does."""

from __future__ import annotations

import math

import pytest

from jimbot.game import Action, ActionKind, IllegalAction, Phase, Run
from jimbot.game.bosses import base_chips, new_boss
from jimbot.game.catalogue import BLINDS
from tests.game.situations import (
    at_blind,
    discard,
    forced,
    places,
    play,
    table,
    win,
)


@pytest.mark.parametrize(
    ("scaling", "chips"),
    [
        (1, [300, 800, 2000, 5000, 11000, 20000, 35000, 50000, 110000, 560000]),
        (2, [300, 900, 2600, 8000, 20000, 36000, 60000, 100000, 230000, 1100000]),
        (3, [300, 1000, 3200, 9000, 25000, 60000, 110000, 200000, 460000, 2200000]),
    ],
)
def test_base_chips(scaling, chips):
    assert [base_chips(ante, scaling) for ante in range(1, 11)] == chips
    assert base_chips(0, scaling) == 100


def test_endless_antes_grow_to_infinity():
    amounts = [base_chips(ante, 1) for ante in range(8, 45)]
    assert amounts == sorted(amounts)
    assert base_chips(16, 1) == 8.6e20
    assert base_chips(60, 1) == math.inf


@pytest.mark.parametrize(
    ("key", "scale"),
    [
        ("bl_small", 1),
        ("bl_big", 1.5),
        ("bl_club", 2),
        ("bl_wall", 4),
        ("bl_needle", 1),
        ("bl_final_vessel", 6),
        ("bl_final_acorn", 2),
    ],
)
def test_scales(key, scale):
    assert {entry.key: entry.scale for entry in BLINDS}[key] == scale


def test_bosses_come_by_ante_and_least_used_first():
    run = Run("BOSSES")
    seen: dict[int, list[str]] = {}
    for ante in (1, 2, 3, 4, 5, 6, 7, 8, 9, 16):
        run.ante = ante
        seen[ante] = [BLINDS[new_boss(run)].key for _ in range(200)]
    assert set(seen[1]) == {entry.key for entry in BLINDS if entry.min_ante == 1}
    assert set(seen[6]) == {
        entry.key for entry in BLINDS if 1 <= entry.min_ante <= 6 and not entry.finisher
    }
    finishers = {entry.key for entry in BLINDS if entry.finisher}
    assert set(seen[8]) == set(seen[16]) == finishers
    assert not set(seen[9]) & finishers
    assert len(set(seen[8][:5])) == 5, "each finisher once before any comes again"


@pytest.mark.parametrize(
    ("key", "suit"),
    [("bl_club", "C"), ("bl_goad", "S"), ("bl_head", "H"), ("bl_window", "D")],
)
def test_suits_are_debuffed(key, suit):
    run = at_blind(boss=key)
    for held in run.all_cards():
        assert held.debuffed is (held.suit_name[0] == suit)
    win(run)
    assert not any(held.debuffed for held in run.all_cards())


def test_wild_cards_have_every_suit_for_bosses():
    run = table("2S:wild 3S", boss="bl_club")
    assert [held.debuffed for held in run.hand] == [True, False]


def test_plant_debuffs_faces():
    run = at_blind(boss="bl_plant")
    assert {held.rank for held in run.all_cards() if held.debuffed} == {11, 12, 13}
    run = at_blind(boss="bl_plant", jokers="j_pareidolia")
    assert all(held.debuffed for held in run.all_cards())


def test_pillar_debuffs_what_was_played_this_ante():
    run = at_blind(cost=0.0)
    run.step(Action(ActionKind.PLAY, 0, (0, 1, 2, 3, 4)))
    run.step(Action(ActionKind.CASH_OUT))
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.step(Action(ActionKind.SKIP_BLIND))
    while run.phase == Phase.PACK:
        run.step(Action(ActionKind.SKIP_PACK))
    run.boss = [entry.key for entry in BLINDS].index("bl_pillar")
    run.step(Action(ActionKind.SELECT_BLIND))
    assert sum(held.debuffed for held in run.all_cards()) == 5
    win(run)
    assert not any(held.played for held in run.all_cards())


def test_leaf_debuffs_all_until_a_joker_is_sold():
    run = at_blind(boss="bl_final_leaf", jokers="j_joker")
    assert all(held.debuffed for held in run.all_cards())
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert not any(held.debuffed for held in run.all_cards())


def test_psychic_wants_five_cards():
    run = table("2S 3S 4H 5H 7H 8H 9H", boss="bl_psychic")
    assert run.preview((0,)).score == 0
    assert play(run, "2S 3S") == 0
    assert play(run, "4H 5H 7H 8H 9H") > 0


def test_eye_wants_another_hand_each_time():
    run = table("2S 3S 4H 4D", boss="bl_eye")
    assert play(run, "2S") == 7
    assert run.preview(places(run, "3S")).score == 0
    assert play(run, "3S") == 0
    assert play(run, "4H 4D") == 36


def test_mouth_wants_the_same_hand_each_time():
    run = table("2S 3S 4H 4D", boss="bl_mouth")
    assert play(run, "2S") == 7
    assert play(run, "4H 4D") == 0
    assert play(run, "3S") == 8


def test_arm_lowers_the_level_first():
    run = table("2S 3S", boss="bl_arm")
    run.level_up(0, 1)
    guess = run.preview(places(run, "2S"))
    assert run.hand_levels[0].level == 2
    assert play(run, "2S") == guess.score == 7
    assert run.hand_levels[0].level == 1
    assert play(run, "3S") == 8


def test_ox_takes_the_money_for_the_favourite():
    run = table("2S 3S 3H", boss="bl_ox", money=20, favourite=1)
    play(run, "2S")
    assert run.money == 20
    play(run, "3S 3H")
    assert run.money == 0


def test_favourite_is_the_most_played_and_the_last_of_equals():
    run = at_blind()
    run.hand_levels[1].played = 3
    run.hand_levels[4].played = 3
    assert run.most_played() == 4
    run.hand_levels[3].played = 3
    assert run.most_played() == 3
    run.hand_levels[0].played = 4
    assert run.most_played() == 0


def test_flint_halves_the_base():
    assert play(table("2S 2D", boss="bl_flint"), "2S 2D") == (5 + 4) * 1
    assert play(table("2S", boss="bl_flint"), "2S") == (3 + 2) * 1


def test_hook_discards_two_held_cards():
    run = table("2S 3S 4S 5S", boss="bl_hook", deck_cards="")
    play(run, "2S")
    assert len(run.hand) == 1
    assert len(run.discard_pile) == 3


def test_hook_can_take_steel_before_it_counts():
    run = table("2S 3S:steel 4S:steel", boss="bl_hook", deck_cards="6S")
    assert play(run, "2S") == 7


def test_house_hides_the_first_hand():
    run = at_blind(boss="bl_house")
    assert all(held.face_down for held in run.hand)
    run.step(Action(ActionKind.DISCARD, 0, (0, 1)))
    assert sum(held.face_down for held in run.hand) == 6


def test_mark_hides_faces():
    run = at_blind(boss="bl_mark")
    assert all(held.face_down == (11 <= held.rank <= 13) for held in run.hand)


def test_fish_hides_what_is_drawn_after_a_hand():
    run = at_blind(boss="bl_fish")
    assert not any(held.face_down for held in run.hand)
    run.step(Action(ActionKind.DISCARD, 0, (0, 1)))
    assert not any(held.face_down for held in run.hand)
    run.step(Action(ActionKind.PLAY, 0, (0, 1)))
    assert sum(held.face_down for held in run.hand) == 2


def test_wheel_hides_one_in_seven():
    hidden = 0
    for seed in range(100):
        hidden += sum(held.face_down for held in at_blind(boss="bl_wheel", seed=f"W{seed}").hand)
    assert 80 <= hidden <= 150
    assert all(held.face_down for held in at_blind(boss="bl_wheel", chance=7).hand)


def test_hidden_cards_are_not_looked_at():
    run = at_blind(boss="bl_house")
    assert run.preview((0, 1, 2, 3, 4)).scoring == ()
    before = run.preview((0,))
    run.hand = list(reversed(run.hand))
    assert run.preview((0,)).score == before.score
    run = at_blind(boss="bl_house", jokers="j_raised_fist j_baron")
    assert run.preview((0,)).mult == 1


def test_manacle_takes_hand_size():
    run = at_blind(boss="bl_manacle")
    assert len(run.hand) == 7
    win(run)
    assert run.hand_size == 8


def test_needle_allows_one_hand():
    run = at_blind(boss="bl_needle")
    assert run.hands_left == 1


def test_water_takes_all_discards():
    run = at_blind(boss="bl_water")
    assert run.discards_left == 0
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.discards_left == 0


def test_serpent_always_draws_three():
    run = at_blind(boss="bl_serpent")
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert len(run.hand) == 10
    run.step(Action(ActionKind.DISCARD, 0, (0, 1, 2, 3, 4)))
    assert len(run.hand) == 8


def test_tooth_costs_a_dollar_a_card():
    run = table("2S 3S 4S", boss="bl_tooth", money=10)
    play(run, "2S 3S")
    assert run.money == 8


def test_acorn_turns_and_shuffles_the_jokers():
    run = at_blind(boss="bl_final_acorn", jokers="j_joker j_egg j_half j_sly")
    assert all(held.face_down for held in run.jokers)
    win(run)
    assert not any(held.face_down for held in run.jokers)


def test_bell_forces_a_card():
    run = at_blind(boss="bl_final_bell")
    (place,) = forced(run)
    other = (place + 1) % 8
    with pytest.raises(IllegalAction, match="must be among"):
        run.step(Action(ActionKind.PLAY, 0, (other,)))
    run.step(Action(ActionKind.PLAY, 0, (place, other)))
    assert len(forced(run)) == 1
    for action in run.legal_actions():
        if action.kind in (ActionKind.PLAY, ActionKind.DISCARD):
            assert forced(run)[0] in action.cards


def test_heart_disables_another_joker_each_hand():
    run = at_blind(boss="bl_final_heart", jokers="j_joker j_egg")
    assert not any(held.debuffed for held in run.jokers)
    seen = []
    for _ in range(3):
        run.step(Action(ActionKind.PLAY, 0, (0,)))
        (off,) = [held.key for held in run.jokers if held.debuffed]
        seen.append(off)
    assert seen[0] != seen[1] != seen[2]
    win(run)
    assert not any(held.debuffed for held in run.jokers)


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("bl_water", "discards_left", 4),
        ("bl_needle", "hands_left", 4),
        ("bl_manacle", "hand_size", 8),
    ],
)
def test_a_disabled_boss_gives_back(key, field, value):
    run = at_blind(boss=key, jokers="j_luchador")
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert getattr(run, field) == value


@pytest.mark.parametrize(("key", "factor"), [("bl_wall", 2), ("bl_final_vessel", 3)])
def test_a_disabled_boss_asks_for_less(key, factor):
    run = at_blind(boss=key, jokers="j_luchador", cost=12.0)
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.blind.chips == 12.0 / factor


def test_a_disabled_boss_shows_its_cards():
    run = at_blind(boss="bl_house", jokers="j_luchador")
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert not any(held.face_down for held in run.hand)


def test_perished_jokers_stay_off():
    run = at_blind(boss="bl_final_heart", jokers="j_joker")
    run.jokers[0].perishable = 0
    run.set_joker_debuff(run.jokers[0], False)
    assert run.jokers[0].debuffed


def test_a_blind_unbeaten_ends_the_run():
    run = at_blind()
    for _ in range(4):
        run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.phase == Phase.GAME_OVER
    assert run.legal_actions() == []
    with pytest.raises(IllegalAction, match="over"):
        run.step(Action(ActionKind.CASH_OUT))


def test_no_cards_left_ends_the_run():
    run = table("2S", deck_cards="")
    discard(run, "2S")
    assert run.phase == Phase.GAME_OVER


def test_rewards():
    for boss, reward in (("bl_club", 5), ("bl_final_acorn", 8), ("", 3)):
        run = at_blind(boss=boss)
        run.money = 0
        run.hands_left = 1
        win(run)
        assert run.reward == reward


def test_every_boss_is_proved_here():
    from pathlib import Path

    text = Path(__file__).read_text()
    assert [entry.key for entry in BLINDS if entry.key not in text] == []
