"""What jokers do outside a hand's score: money, cards, slots and the moments they act at."""

from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, Phase
from jimbot.game.cards import NEGATIVE
from jimbot.game.catalogue import CONSUMABLES, JOKERS, TAGS
from tests.game.situations import (
    at_blind,
    at_shop,
    card,
    consumable,
    consumable_keys,
    discard,
    joker,
    joker_keys,
    play,
    table,
    use,
    win,
)


def kinds(run) -> list[str]:
    return [CONSUMABLES[held.kind].kind for held in run.consumables]


def pay(run) -> int:
    """What the round pays beyond the blind's reward, hands and interest."""
    run.money = 0
    run.hands_left = 1
    run.discards_left = 0
    win(run)
    return run.reward - 3


# Money


def test_credit_card_allows_debt():
    run = at_shop(jokers="j_credit_card")
    run.money = 0
    run.reroll_cost = 20
    run.step(Action(ActionKind.REROLL))
    assert run.money == -20
    assert not run.is_legal(Action(ActionKind.REROLL))
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.debt_limit == 0


def test_delayed_gratification_pays_for_untouched_discards():
    run = table("2S 3S", jokers="j_delayed_grat")
    run.money = 0
    run.hands_left = 1
    run.discards_left = 3
    win(run)
    assert run.reward == 3 + 6
    run = table("2S 3S", jokers="j_delayed_grat", deck_cards="4S 5S")
    discard(run, "2S")
    assert pay(run) == 0


@pytest.mark.parametrize(
    ("key", "dollars"), [("j_golden", 4), ("j_rocket", 1), ("j_cloud_9", 4), ("j_satellite", 0)]
)
def test_pay_at_the_rounds_end(key, dollars):
    assert pay(at_blind(jokers=key)) == dollars


def test_blueprint_does_not_copy_pay():
    assert pay(at_blind(jokers="j_blueprint j_golden")) == 4


def test_rocket_climbs_with_each_boss():
    run = at_blind(jokers="j_rocket", boss="bl_club")
    run.money = 0
    run.hands_left = 1
    run.discards_left = 0
    win(run)
    assert run.reward == 5 + 3


def test_satellite_pays_per_different_planet():
    run = at_blind(jokers="j_satellite")
    for key in ("c_mercury", "c_mercury", "c_pluto"):
        use(run, key)
    assert pay(run) == 2


def test_to_the_moon_raises_interest():
    run = at_blind(jokers="j_to_the_moon")
    run.money = 12
    run.hands_left = 1
    run.discards_left = 0
    win(run)
    assert run.reward == 3 + 2 * 2


def test_business_card_pays_for_faces():
    run = table("KS QD 2S", jokers="j_business", chance=2, money=0)
    play(run, "KS QD 2S")
    assert run.money == 2  # only the King scores
    run = table("KS", jokers="j_business", chance=0, money=0)
    play(run, "KS")
    assert run.money == 0


def test_golden_ticket_pays_for_gold_cards():
    run = table("2S:gold 2D:gold", jokers="j_ticket", money=0)
    play(run, "2S 2D")
    assert run.money == 8


def test_rough_gem_pays_for_diamonds():
    run = table("2S 2D", jokers="j_rough_gem", money=0)
    play(run, "2S 2D")
    assert run.money == 1


def test_reserved_parking_pays_for_held_faces():
    run = table("2S KS QS 3S", jokers="j_reserved_parking", chance=2, money=0)
    play(run, "2S")
    assert run.money == 2


def test_todo_list_pays_for_the_named_hand_and_renames_it():
    run = table("2S 2D 3S", jokers="j_todo_list", money=0)
    run.jokers[0].hand = 1
    play(run, "2S 2D")
    assert run.money == 4
    win(run)
    assert run.jokers[0].hand != 1


def test_faceless_joker_pays_for_three_discarded_faces():
    run = table("KS QS JS 2S", jokers="j_faceless", money=0)
    discard(run, "KS QS JS")
    assert run.money == 5
    run = table("KS QS 2S", jokers="j_faceless", money=0)
    discard(run, "KS QS 2S")
    assert run.money == 0


def test_mail_in_rebate_pays_for_its_rank():
    run = table("KS KD 2S", jokers="j_mail", money=0, mail_rank=13)
    discard(run, "KS KD 2S")
    assert run.money == 10


def test_trading_card_destroys_a_single_first_discard():
    run = table("KS 2S", jokers="j_trading", money=0, deck_cards="3S 4S")
    owned = len(run.all_cards())
    discard(run, "KS")
    assert run.money == 3
    assert len(run.all_cards()) == owned - 1
    discard(run, "2S")
    assert run.money == 3


def test_matador_pays_when_the_boss_acts():
    run = table("2S", jokers="j_matador", boss="bl_psychic", money=0)
    assert play(run, "2S") == 0
    assert run.money == 8
    run = table("2C", jokers="j_matador", boss="bl_club", money=0)
    play(run, "2C")
    assert run.money == 8
    run = table("2S", jokers="j_matador", boss="bl_club", money=0)
    play(run, "2S")
    assert run.money == 0


# Sell values


def test_egg_gains_sell_value():
    run = at_blind(jokers="j_egg")
    value = run.jokers[0].sell_value
    win(run)
    assert run.jokers[0].sell_value == value + 3


def test_gift_card_gives_everything_sell_value():
    run = at_blind(jokers="j_gift j_joker")
    consumable(run, "c_pluto")
    values = [held.sell_value for held in (*run.jokers, *run.consumables)]
    win(run)
    after = [held.sell_value for held in (*run.jokers, *run.consumables)]
    assert after == [value + 1 for value in values]


def test_swashbuckler_sees_sell_values():
    run = table("2S", jokers="j_swashbuckler j_egg")
    run.jokers[1].extra_value = 10
    run.refresh_costs()
    assert play(run, "2S") == 7 * (1 + 12)


# Hand size, hands, discards


@pytest.mark.parametrize(
    ("key", "hand_size", "hands", "discards"),
    [
        ("j_juggler", 1, 0, 0),
        ("j_drunkard", 0, 0, 1),
        ("j_turtle_bean", 5, 0, 0),
        ("j_troubadour", 2, -1, 0),
        ("j_merry_andy", -1, 0, 3),
        ("j_stuntman", -2, 0, 0),
    ],
)
def test_sizes_come_and_go_with_the_joker(key, hand_size, hands, discards):
    plain = at_blind()
    run = at_blind(jokers=key)
    assert run.hand_size == plain.hand_size + hand_size
    assert len(run.hand) == 8 + hand_size
    assert run.hands_left == plain.hands_left + hands
    assert run.discards_left == plain.discards_left + discards
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.hand_size == plain.hand_size
    assert run.hands_per_round == plain.hands_per_round
    assert run.discards_per_round == plain.discards_per_round


def test_turtle_bean_is_eaten():
    run = at_blind(jokers="j_turtle_bean")
    win(run)
    assert run.hand_size == 12
    run.jokers[0].value = 1.0
    run.hand_size = 9
    run.step(Action(ActionKind.CASH_OUT))
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.step(Action(ActionKind.SELECT_BLIND))
    win(run)
    assert run.jokers == []
    assert run.hand_size == 8


def test_burglar_trades_discards_for_hands():
    run = at_blind(jokers="j_burglar")
    assert (run.hands_left, run.discards_left) == (7, 0)


def test_oops_doubles_chances():
    run = at_blind(jokers="j_oops j_oops")
    assert run.chance == 4
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.chance == 2


# At a blind's start


def test_ceremonial_dagger_destroys_its_right_neighbour():
    run = at_blind(jokers="j_ceremonial j_cavendish j_joker")
    assert joker_keys(run) == ["j_ceremonial", "j_joker"]
    assert run.jokers[0].value == 4
    run = at_blind(jokers="j_ceremonial j_cavendish:eternal")
    assert len(run.jokers) == 2


def test_marble_joker_adds_a_stone():
    run = at_blind(jokers="j_marble")
    cards = run.full_deck
    assert len(cards) == 53
    assert cards[-1].enhancement_name == "Stone"


def test_madness_destroys_another_joker_but_not_at_a_boss():
    run = at_blind(jokers="j_madness j_joker")
    assert joker_keys(run) == ["j_madness"]
    assert run.jokers[0].value == 1.5
    run = at_blind(jokers="j_madness j_joker", boss="bl_club")
    assert joker_keys(run) == ["j_madness", "j_joker"]


def test_riff_raff_brings_two_commons_as_room_allows():
    run = at_blind(jokers="j_riff_raff")
    assert [JOKERS[held.kind].rarity for held in run.jokers[1:]] == [1, 1]
    run = at_blind(jokers="j_riff_raff j_juggler j_drunkard j_egg")
    assert len(run.jokers) == 5


def test_cartomancer_brings_a_tarot_if_there_is_room():
    run = at_blind(jokers="j_cartomancer")
    assert kinds(run) == ["Tarot"]
    run = at_blind(jokers="j_cartomancer j_cartomancer j_cartomancer")
    assert kinds(run) == ["Tarot", "Tarot"]


def test_blueprint_copies_cartomancer():
    assert kinds(at_blind(jokers="j_blueprint j_cartomancer")) == ["Tarot", "Tarot"]


def test_certificate_adds_a_sealed_card_to_the_first_hand():
    run = at_blind(jokers="j_certificate")
    assert len(run.hand) == 9
    assert sum(held.seal > 0 for held in run.hand) == 1
    assert len(run.full_deck) == 53


def test_chicot_disables_bosses():
    run = at_blind(jokers="j_chicot", boss="bl_needle")
    assert run.blind.disabled
    assert run.hands_left == 4


# In and after hands


def test_8_ball_brings_tarots_for_eights():
    run = table("8S 8D 8C", jokers="j_8_ball", chance=4)
    play(run, "8S 8D 8C")
    assert kinds(run) == ["Tarot", "Tarot"]  # two slots
    run = table("8S", jokers="j_8_ball", chance=0)
    play(run, "8S")
    assert run.consumables == []


def test_sixth_sense_turns_a_six_into_a_spectral():
    run = table("6S 2S", jokers="j_sixth_sense")
    owned = len(run.all_cards())
    play(run, "6S")
    assert kinds(run) == ["Spectral"]
    assert len(run.all_cards()) == owned - 1
    play(run, "2S")
    assert len(run.all_cards()) == owned - 1


def test_superposition_wants_an_ace_in_a_straight():
    run = table("AS 2S 3H 4D 5C", jokers="j_superposition")
    play(run, "AS 2S 3H 4D 5C")
    assert kinds(run) == ["Tarot"]
    run = table("6S 2S 3H 4D 5C", jokers="j_superposition")
    play(run, "6S 2S 3H 4D 5C")
    assert run.consumables == []


def test_seance_wants_a_straight_flush():
    run = table("6S 2S 3S 4S 5S", jokers="j_seance")
    play(run, "6S 2S 3S 4S 5S")
    assert kinds(run) == ["Spectral"]


def test_vagabond_wants_an_empty_purse():
    run = table("2S 3S", jokers="j_vagabond", money=4)
    play(run, "2S")
    assert kinds(run) == ["Tarot"]
    run = table("2S", jokers="j_vagabond", money=5)
    play(run, "2S")
    assert run.consumables == []


def test_space_joker_levels_up_for_good():
    run = table("2S", jokers="j_space", chance=4)
    play(run, "2S")
    assert run.hand_levels[0].level == 2


def test_wee_joker_grows_with_each_two():
    run = table("2S:red 2D", jokers="j_wee")
    play(run, "2S 2D")
    assert run.jokers[0].value == 24


def test_lucky_cat_counts_a_trigger_once():
    run = table("2S:lucky", jokers="j_lucky_cat", chance=15)
    play(run, "2S")
    assert run.jokers[0].value == 1.25
    assert run.money == 24


def test_glass_joker_counts_broken_glass():
    run = table("2S:glass 2D:glass 3S", jokers="j_glass", chance=4)
    play(run, "2S 2D")
    assert run.jokers[0].value == 2.5
    run = table("2S:glass 2D 3S", jokers="j_glass")
    use(run, "c_hanged_man", "2S 2D")
    assert run.jokers[0].value == 1.75


def test_canio_counts_destroyed_faces():
    run = table("KS:glass QD:glass 3S", jokers="j_caino", chance=4)
    play(run, "KS QD")
    assert run.jokers[0].value == 2.0  # only the King scored
    use(run, "c_hanged_man", "3S")
    assert run.jokers[0].value == 2.0


def test_spare_trousers_ride_the_bus_and_green_joker_grow():
    run = table("2S 2D 3S 3C", jokers="j_trousers j_ride_the_bus j_green_joker")
    play(run, "2S 2D 3S 3C")
    assert [held.value for held in run.jokers] == [2.0, 1.0, 1.0]


def test_mr_bones_saves_a_run_once():
    run = at_blind(jokers="j_mr_bones")
    run.blind.chips = 100.0
    run.chips = 24.0
    run.hands_left = 1
    run.hand = [card(run, "2S")]
    run.draw_pile = []
    play(run, "2S")
    assert run.phase == Phase.ROUND_EVAL
    assert run.jokers == []
    assert run.reward == 0  # $4 make no interest, and the blind pays nothing
    run = at_blind(jokers="j_mr_bones")
    run.hands_left = 1
    run.hand = [card(run, "2S")]
    play(run, "2S")
    assert run.phase == Phase.GAME_OVER


# Discards


def test_green_joker_shrinks_with_discards():
    run = table("2S 3S", jokers="j_green_joker")
    run.jokers[0].value = 3.0
    discard(run, "2S 3S")
    assert run.jokers[0].value == 2.0


def test_ramen_loses_a_hundredth_a_card_until_it_is_gone():
    run = table("2S 3S 4S", jokers="j_ramen")
    discard(run, "2S 3S")
    assert run.jokers[0].value == pytest.approx(1.98)
    run.jokers[0].value = 1.01
    discard(run, "4S")
    assert run.jokers == []


def test_castle_gains_chips_for_its_suit():
    run = table("2S 3S 4H", jokers="j_castle", castle_suit=0)
    discard(run, "2S 3S 4H")
    assert run.jokers[0].value == 6


def test_hit_the_road_counts_jacks_until_the_round_ends():
    run = table("JS JH 4H", jokers="j_hit_the_road")
    discard(run, "JS JH 4H")
    assert run.jokers[0].value == 2.0
    win(run)
    assert run.jokers[0].value == 1.0


def test_yorick_counts_23_cards():
    run = table("2S 3S 4S 5S 6S", jokers="j_yorick")
    run.jokers[0].count = 3
    discard(run, "2S 3S 4S 5S 6S")
    assert (run.jokers[0].value, run.jokers[0].count) == (2.0, 21)


def test_burnt_joker_levels_up_the_first_discarded_hand():
    run = table("2S 2H 4S 4H", jokers="j_burnt", deck_cards="5S 6S 7S")
    discard(run, "2S 2H")
    assert run.hand_levels[1].level == 2
    discard(run, "4S 4H")
    assert run.hand_levels[1].level == 2


# The end of a round


@pytest.mark.parametrize(("key", "odds"), [("j_gros_michel", 6), ("j_cavendish", 1000)])
def test_bananas_go_bad(key, odds):
    run = at_blind(jokers=key, chance=odds)
    win(run)
    assert run.jokers == []
    assert run.gros_michel_gone is (key == "j_gros_michel")
    run = at_blind(jokers=key, chance=0)
    win(run)
    assert len(run.jokers) == 1


def test_popcorn_is_eaten():
    run = at_blind(jokers="j_popcorn")
    win(run)
    assert run.jokers[0].value == 16.0
    run = at_blind(jokers="j_popcorn")
    run.jokers[0].value = 4.0
    win(run)
    assert run.jokers == []


def test_campfire_burns_with_sales_until_a_boss_is_beaten():
    run = at_blind(jokers="j_campfire j_egg")
    consumable(run, "c_pluto")
    run.step(Action(ActionKind.SELL_JOKER, 1))
    run.step(Action(ActionKind.SELL_CONSUMABLE, 0))
    assert run.jokers[0].value == 1.5
    win(run)
    assert run.jokers[0].value == 1.5
    run = at_blind(jokers="j_campfire", boss="bl_club")
    run.jokers[0].value = 2.0
    win(run)
    assert run.jokers[0].value == 1.0


def test_mime_doubles_gold_and_blue_seals_at_the_end():
    run = table("2S KS:gold", jokers="j_mime", money=0)
    run.hand_levels[0].played = 1
    win(run)
    assert run.money == 6
    run = table("2S KS:blue", jokers="j_mime")
    win(run)
    assert consumable_keys(run) == ["c_pluto", "c_pluto"]


# Selling


def test_luchador_disables_the_boss():
    run = at_blind(jokers="j_luchador", boss="bl_needle")
    assert run.hands_left == 1
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.blind.disabled
    assert run.hands_left == 4


def test_selling_a_copy_does_what_the_copied_joker_would():
    run = at_blind(jokers="j_blueprint j_diet_cola")
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert [tag.key for tag in run.tags] == ["tag_double"]
    assert joker_keys(run) == ["j_diet_cola"]


def test_hand_size_gained_in_the_middle_of_a_hand_is_dealt_at_once():
    run = at_blind(jokers="j_luchador", boss="bl_manacle")
    assert len(run.hand) == 7
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert (len(run.hand), run.hand_size) == (9, 8), "as in the game, one too many"
    run = at_blind(jokers="j_merry_andy")
    assert len(run.hand) == 7
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert len(run.hand) == 8


def test_what_blueprint_can_copy():
    """The catalogue's limits agree with the rules; the sizes that jokers add are never copied."""
    from jimbot.game import rules

    moments = [
        name
        for name in dir(rules.Rule)
        if not name.startswith("_") and name not in ("own", "added", "removed")
    ]
    assert len(moments) == 25
    for entry, rule in zip(JOKERS, rules.RULES, strict=True):
        copied = [
            name
            for name in moments
            if getattr(rule, name) is not None and not rule.own & getattr(rules, name.upper())
        ]
        if entry.key not in ("j_blueprint", "j_brainstorm"):
            assert bool(copied) is ("b" not in entry.limits), entry.key


def test_diet_cola_gives_a_double_tag():
    run = at_blind(jokers="j_diet_cola")
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert [TAGS[tag.kind].key for tag in run.tags] == ["tag_double"]


def test_invisible_joker_copies_after_two_rounds():
    run = at_blind(jokers="j_invisible j_joker:negative")
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert joker_keys(run) == ["j_joker"]
    run = at_blind(jokers="j_invisible j_joker:negative")
    run.jokers[0].count = 1
    win(run)
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert joker_keys(run) == ["j_joker", "j_joker"]
    assert [held.edition for held in run.jokers] == [NEGATIVE, 0]


# Shop and packs


def test_chaos_the_clown_gives_a_free_reroll():
    run = at_shop(jokers="j_chaos")
    assert run.reroll_cost == 0
    money = run.money
    run.step(Action(ActionKind.REROLL))
    assert run.money == money
    assert run.reroll_cost == 5
    run.money = 100
    run.step(Action(ActionKind.REROLL))
    assert run.reroll_cost == 6


def test_flash_card_gains_with_rerolls():
    run = at_shop(jokers="j_flash")
    run.money = 100
    run.step(Action(ActionKind.REROLL))
    assert run.jokers[0].value == 2.0


def test_red_card_gains_with_skipped_packs():
    run = at_shop(jokers="j_red_card")
    run.money = 100
    run.step(Action(ActionKind.BUY_PACK, 0))
    run.step(Action(ActionKind.SKIP_PACK))
    assert run.jokers[0].value == 3.0


def test_hallucination_brings_tarots_with_packs():
    run = at_shop(jokers="j_hallucination")
    run.chance = 2
    run.money = 100
    run.step(Action(ActionKind.BUY_PACK, 0))
    assert kinds(run) == ["Tarot"]


def test_astronomer_makes_planets_free():
    run = at_shop(jokers="j_astronomer")
    for offer in (*run.shop_cards, *run.shop_packs):
        free = offer.consumable is not None and offer.consumable.kind_name == "Planet"
        free = free or "Celestial" in offer.name
        assert (offer.cost == 0) is free
    joker_ = run.jokers[0]
    card_ = consumable(run, "c_pluto")
    assert run.consumable_cost(card_) == 0
    run.set_joker_debuff(joker_, True)
    assert run.consumable_cost(card_) == 3


def test_showman_lets_cards_appear_again():
    from jimbot.game.create import consumable_available, joker_available

    run = at_blind(jokers="j_joker")
    consumable(run, "c_fool")
    assert not joker_available(run, 0)
    assert not consumable_available(run, 0)
    joker(run, "j_ring_master")
    assert joker_available(run, 0)
    assert consumable_available(run, 0)


def test_perkeo_copies_a_consumable_as_negative():
    run = at_shop(jokers="j_perkeo")
    consumable(run, "c_pluto")
    run.step(Action(ActionKind.LEAVE_SHOP))
    assert consumable_keys(run) == ["c_pluto", "c_pluto"]
    assert run.consumables[1].edition == NEGATIVE
    assert run.consumable_slots == 3


def test_constellation_and_hologram_grow():
    run = table("2S 3S", jokers="j_constellation j_hologram")
    use(run, "c_pluto")
    assert run.jokers[0].value == pytest.approx(1.1)
    use(run, "c_cryptid", "2S")
    assert run.jokers[1].value == pytest.approx(1.5)


# All of them


def test_every_joker_is_proved_here_or_by_its_score():
    """No joker may be forgotten: its key is in one of the two files of situations."""
    from pathlib import Path

    here = Path(__file__)
    text = here.read_text() + here.with_name("test_joker_scores.py").read_text()
    assert [entry.key for entry in JOKERS if entry.key not in text] == []
