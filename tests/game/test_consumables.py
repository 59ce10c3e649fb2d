"""Tarots, planets and spectrals: what a player sees them do."""

from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, IllegalAction
from jimbot.game.cards import NEGATIVE, POLYCHROME
from jimbot.game.catalogue import CONSUMABLES, FIRST_SPECTRAL, JOKERS
from jimbot.game.hands import HAND_NAMES
from tests.game.situations import (
    at_blind,
    at_shop,
    card,
    consumable,
    consumable_keys,
    faces,
    joker,
    joker_keys,
    places,
    table,
    use,
)

HAND = "2S 3H 4C 5D"


@pytest.mark.parametrize(
    ("key", "targets", "enhancement"),
    [
        ("c_magician", "2S 3H", "Lucky"),
        ("c_empress", "2S 3H", "Mult"),
        ("c_heirophant", "2S", "Bonus"),
        ("c_lovers", "2S", "Wild"),
        ("c_chariot", "2S", "Steel"),
        ("c_justice", "2S", "Glass"),
        ("c_devil", "2S", "Gold"),
        ("c_tower", "2S", "Stone"),
    ],
)
def test_enhancing(key, targets, enhancement):
    run = table(HAND)
    chosen = places(run, targets)
    use(run, key, targets)
    for place, held in enumerate(run.hand):
        assert held.enhancement_name == (enhancement if place in chosen else "")


@pytest.mark.parametrize(
    ("key", "suit"),
    [("c_star", "D"), ("c_moon", "C"), ("c_sun", "H"), ("c_world", "S")],
)
def test_recolouring(key, suit):
    run = table(HAND)
    use(run, key, "2S 3H 4C")
    assert faces(run) == f"2{suit} 3{suit} 4{suit} 5D"


@pytest.mark.parametrize(
    ("key", "most"),
    [("c_magician", 2), ("c_lovers", 1), ("c_star", 3), ("c_hanged_man", 2), ("c_talisman", 1)],
)
def test_too_many_or_no_targets_are_refused(key, most):
    run = table(HAND)
    consumable(run, key)
    state = run.digest()
    for chosen in ((), tuple(range(most + 1)), (9,), (0, 0)):
        with pytest.raises(IllegalAction):
            run.step(Action(ActionKind.USE_CONSUMABLE, 0, chosen))
    assert run.digest() == state


def test_targets_need_a_hand():
    run = at_shop()
    consumable(run, "c_magician")
    assert "no hand" in run.why_not(Action(ActionKind.USE_CONSUMABLE, 0, (0,)))


def test_strength_raises_ranks_and_wraps_at_the_ace():
    run = table("KS AH 4C")
    use(run, "c_strength", "KS AH")
    assert faces(run) == "AS 2H 4C"


def test_hanged_man_destroys():
    run = table(HAND)
    owned = len(run.all_cards())
    use(run, "c_hanged_man", "2S 5D")
    assert faces(run) == "3H 4C"
    assert len(run.all_cards()) == owned - 2


def test_death_makes_the_left_the_right():
    run = table("2S 3H:glass,foil,red 4C")
    ids = [held.id for held in run.hand]
    use(run, "c_death", "2S 3H")
    assert faces(run) == "3H 3H 4C"
    copy = run.hand[0]
    assert (copy.enhancement_name, copy.edition_name, copy.seal_name) == (
        "Glass",
        "Foil",
        "Red Seal",
    )
    assert [held.id for held in run.hand] == ids
    run = table("2S 3H 4C")
    consumable(run, "c_death")
    assert not run.is_legal(Action(ActionKind.USE_CONSUMABLE, 0, (0,)))


@pytest.mark.parametrize(("money", "after"), [(7, 14), (50, 70), (0, 0), (-5, -5)])
def test_hermit(money, after):
    run = table(HAND, money=money)
    use(run, "c_hermit")
    assert run.money == after


def test_temperance_pays_the_jokers_sell_value():
    run = table(HAND, jokers="j_joker j_egg", money=0)
    run.jokers[1].extra_value = 10
    run.refresh_costs()
    use(run, "c_temperance")
    assert run.money == 1 + 12
    run.jokers[1].extra_value = 100
    run.refresh_costs()
    run.money = 0
    use(run, "c_temperance")
    assert run.money == 50


def test_wheel_of_fortune():
    run = table(HAND, jokers="j_joker", chance=4)
    use(run, "c_wheel_of_fortune")
    assert run.jokers[0].edition_name in ("Foil", "Holographic", "Polychrome")
    consumable(run, "c_wheel_of_fortune")
    assert not run.is_legal(Action(ActionKind.USE_CONSUMABLE, 0))
    run = table(HAND, jokers="j_joker", chance=0)
    use(run, "c_wheel_of_fortune")
    assert run.jokers[0].edition == 0


def test_fool_repeats_the_last_tarot_or_planet():
    run = table(HAND)
    consumable(run, "c_fool")
    assert not run.is_legal(Action(ActionKind.USE_CONSUMABLE, 0))
    use(run, "c_pluto")
    run.step(Action(ActionKind.USE_CONSUMABLE, 0))
    assert consumable_keys(run) == ["c_pluto"]
    consumable(run, "c_fool")
    assert not run.is_legal(Action(ActionKind.USE_CONSUMABLE, 1)), "not a Fool again"


@pytest.mark.parametrize(("key", "kind"), [("c_emperor", "Tarot"), ("c_high_priestess", "Planet")])
def test_two_consumables_as_room_allows(key, kind):
    run = table(HAND)
    consumable(run, key)
    run.step(Action(ActionKind.USE_CONSUMABLE, 0))
    assert [CONSUMABLES[held.kind].kind for held in run.consumables] == [kind, kind]
    assert key not in consumable_keys(run), "the one being used is not dealt"
    run = table(HAND, consumables="c_pluto")
    consumable(run, key)
    run.step(Action(ActionKind.USE_CONSUMABLE, 1))
    assert len(run.consumables) == 2
    consumable_full = table(HAND, consumables="c_pluto c_mars")
    consumable_full.consumable_slots = 1
    assert len(consumable_full.consumables) == 2


def test_judgement_brings_a_joker():
    run = table(HAND)
    use(run, "c_judgement")
    assert len(run.jokers) == 1
    full = table(HAND, jokers="j_joker j_egg j_half j_sly j_mad")
    consumable(full, "c_judgement")
    assert not full.is_legal(Action(ActionKind.USE_CONSUMABLE, 0))


@pytest.mark.parametrize(
    ("key", "hand"),
    [
        ("c_mercury", "Pair"),
        ("c_venus", "Three of a Kind"),
        ("c_earth", "Full House"),
        ("c_mars", "Four of a Kind"),
        ("c_jupiter", "Flush"),
        ("c_saturn", "Straight"),
        ("c_uranus", "Two Pair"),
        ("c_neptune", "Straight Flush"),
        ("c_pluto", "High Card"),
        ("c_planet_x", "Five of a Kind"),
        ("c_ceres", "Flush House"),
        ("c_eris", "Flush Five"),
    ],
)
def test_planets_level_up_their_hand(key, hand):
    run = table(HAND)
    use(run, key)
    levels = {HAND_NAMES[entry.hand]: entry.level for entry in run.hand_levels}
    assert levels.pop(hand) == 2
    assert set(levels.values()) == {1}


@pytest.mark.parametrize(
    ("hand", "chips", "mult"),
    [
        (0, 15, 2),
        (1, 25, 3),
        (2, 40, 3),
        (3, 50, 5),
        (4, 60, 7),
        (5, 50, 6),
        (6, 65, 6),
        (7, 90, 10),
        (8, 140, 12),
        (9, 155, 15),
        (10, 180, 18),
        (11, 210, 19),
    ],
)
def test_what_a_second_level_is_worth(hand, chips, mult):
    run = table(HAND)
    run.level_up(hand, 1)
    assert (run.hand_levels[hand].chips, run.hand_levels[hand].mult) == (chips, mult)


def test_black_hole_levels_up_every_hand():
    run = table(HAND)
    use(run, "c_black_hole")
    assert {entry.level for entry in run.hand_levels} == {2}


@pytest.mark.parametrize(
    ("key", "seal"),
    [
        ("c_talisman", "Gold Seal"),
        ("c_deja_vu", "Red Seal"),
        ("c_trance", "Blue Seal"),
        ("c_medium", "Purple Seal"),
    ],
)
def test_seals(key, seal):
    run = table(HAND)
    use(run, key, "3H")
    assert [held.seal_name for held in run.hand] == ["", seal, "", ""]


@pytest.mark.parametrize(
    ("key", "count", "ranks"),
    [
        ("c_familiar", 3, {11, 12, 13}),
        ("c_grim", 2, {14}),
        ("c_incantation", 4, set(range(2, 11))),
    ],
)
def test_a_held_card_becomes_enhanced_ones(key, count, ranks):
    run = table(HAND)
    old = {held.id for held in run.all_cards()}
    use(run, key)
    new = [held for held in run.hand if held.id not in old]
    assert len(new) == count
    assert len(run.hand) == 3 + count
    assert all(held.rank in ranks and held.enhancement not in (0, 6) for held in new)
    lonely = table("2S")
    consumable(lonely, key)
    assert not lonely.is_legal(Action(ActionKind.USE_CONSUMABLE, 0))


def test_aura_gives_an_edition_once():
    run = table(HAND)
    use(run, "c_aura", "2S")
    place = places(run, "2S")[0]
    assert run.hand[place].edition in (1, 2, 3)
    consumable(run, "c_aura")
    assert not run.is_legal(Action(ActionKind.USE_CONSUMABLE, 0, (place,)))


def test_wraith_brings_a_rare_joker_for_all_money():
    run = table(HAND, money=30)
    use(run, "c_wraith")
    assert JOKERS[run.jokers[0].kind].rarity == 3
    assert run.money == 0


def test_sigil_and_ouija():
    run = table(HAND)
    use(run, "c_sigil")
    assert len({held.suit for held in run.hand}) == 1
    run = table(HAND)
    size = run.hand_size
    use(run, "c_ouija")
    assert len({held.rank for held in run.hand}) == 1
    assert run.hand_size == size - 1


def test_ectoplasm_takes_more_hand_size_each_time():
    run = table(HAND, jokers="j_joker j_egg")
    use(run, "c_ectoplasm")
    assert run.hand_size == 7
    assert run.joker_slots == 6
    use(run, "c_ectoplasm")
    assert run.hand_size == 5
    assert [held.edition for held in run.jokers] == [NEGATIVE, NEGATIVE]


def test_immolate_destroys_five_for_20():
    run = table("2S 3H 4C 5D 6S 7S", money=0)
    use(run, "c_immolate")
    assert len(run.hand) == 1
    assert run.money == 20


def test_ankh_copies_one_and_destroys_the_others():
    run = table(HAND, jokers="j_joker j_egg j_half")
    use(run, "c_ankh")
    assert len(run.jokers) == 2
    assert run.jokers[0].kind == run.jokers[1].kind
    run = table(HAND, jokers="j_joker:negative")
    use(run, "c_ankh")
    assert [held.edition for held in run.jokers] == [NEGATIVE, 0]
    run = table(HAND, jokers="j_joker:eternal j_egg:eternal")
    use(run, "c_ankh")
    assert len(run.jokers) == 3
    full = table(HAND, jokers="j_joker j_egg j_half j_sly j_mad")
    consumable(full, "c_ankh")
    assert not full.is_legal(Action(ActionKind.USE_CONSUMABLE, 0)), "it wants room first"


def test_hex_polishes_one_and_destroys_the_others():
    run = table(HAND, jokers="j_joker j_egg j_half")
    use(run, "c_hex")
    assert [held.edition for held in run.jokers] == [POLYCHROME]


def test_cryptid_copies_twice():
    run = table("2S:glass,foil,red 3H")
    use(run, "c_cryptid", "2S")
    copies = [held for held in run.hand if held.rank == 2]
    assert len(copies) == 3
    assert len({held.id for held in copies}) == 3
    assert {(held.enhancement, held.edition, held.seal) for held in copies} == {(4, 1, 2)}


def test_soul_brings_a_legendary():
    run = table(HAND)
    use(run, "c_soul")
    assert JOKERS[run.jokers[0].kind].rarity == 4


def test_a_hand_emptied_by_immolate_is_dealt_again():
    run = at_blind()
    run.hand = run.hand[:3]
    use(run, "c_immolate")
    assert len(run.hand) == 8


def test_spectrals_do_not_count_for_the_fool():
    run = table(HAND)
    use(run, "c_sigil")
    assert run.last_tarot_planet == -1


def test_debuffs_follow_changes():
    run = table("2S 3H", boss="bl_club")
    use(run, "c_moon", "2S")
    assert run.hand[places(run, "2C")[0]].debuffed
    use(run, "c_sun", "2C")
    assert not run.hand[places(run, "2H")[0]].debuffed


def test_buying_and_using_at_once():
    run = at_shop()
    run.money = 100
    for kind in (30, 9):  # Pluto, The Hermit
        from jimbot.game.cards import Consumable, Offer

        offer = Offer(consumable=Consumable(kind, run.new_id(), 0))
        offer.cost = 3
        run.shop_cards.append(offer)
    run.consumable_slots = 0
    index = len(run.shop_cards) - 2
    assert not run.is_legal(Action(ActionKind.BUY_CARD, index))
    run.step(Action(ActionKind.BUY_AND_USE, index))
    assert run.hand_levels[0].level == 2
    assert run.money == 97


def test_selling():
    run = table(HAND, jokers="j_joker", money=0)
    consumable(run, "c_pluto")
    run.step(Action(ActionKind.SELL_CONSUMABLE, 0))
    assert run.money == 1
    joker(run, "j_cavendish:eternal")
    with pytest.raises(IllegalAction, match="eternal"):
        run.step(Action(ActionKind.SELL_JOKER, 1))
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert run.money == 2
    assert joker_keys(run) == ["j_cavendish"]


def test_observatory_multiplies_by_held_planets():
    from jimbot.game.vouchers import redeem

    run = table("2S 2D", consumables="c_mercury c_mercury")
    redeem(run, 11)
    assert run.preview((0, 1)).mult == 2 * 1.5 * 1.5
    assert run.preview((0,)).mult == 1


@pytest.mark.parametrize(
    ("text", "chips", "mult"),
    [
        ("2S:bonus", 37, 1),
        ("2S:mult", 7, 5),
        ("2S:glass", 7, 2),
        ("2S:stone", 55, 1),
        ("2S:foil", 57, 1),
        ("2S:holographic", 7, 11),
        ("2S:polychrome", 7, 1.5),
        ("2S:red", 9, 1),
        ("2S:red,glass", 9, 4),
        ("2S:red,polychrome,mult", 9, (5 * 1.5 + 4) * 1.5),
        ("2S:debuffed,glass,foil,red", 5, 1),
    ],
)
def test_what_cards_score(text, chips, mult):
    run = table(text)
    run.draw_pile = []
    guess = run.preview((0,))
    assert (guess.chips, guess.mult) == (chips, mult)
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.chips == int(chips * mult)


@pytest.mark.parametrize(
    ("text", "mult"), [("KS:steel", 1.5), ("KS:steel,red", 2.25), ("KS:steel,debuffed", 1)]
)
def test_what_held_cards_do(text, mult):
    assert table(f"2S {text}").preview((0,)).mult == mult


def test_lucky_cards():
    run = table("2S:lucky", chance=15, money=0)
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.chips == 7 * 21
    assert run.money == 20
    run = table("2S:lucky", chance=0, money=0)
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.chips == 7
    assert run.money == 0
    assert table("2S:lucky").preview((0,)).mult == 1 + 20 / 5


def test_glass_breaks_one_time_in_four():
    run = table("2S:glass 3S", chance=4)
    owned = len(run.all_cards())
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert len(run.all_cards()) == owned - 1
    run = table("2S:glass 3S", chance=0)
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert len(run.all_cards()) == owned


def test_gold_seals_purple_seals_and_gold_cards():
    run = table("2S:goldseal 3S:purple 4S:gold", money=0, deck_cards="")
    run.hand = [card(run, "2S:goldseal"), card(run, "3S:purple"), card(run, "4S:gold")]
    run.step(Action(ActionKind.PLAY, 0, (0,)))
    assert run.money == 3
    run.step(Action(ActionKind.DISCARD, 0, places(run, "3S")))
    assert CONSUMABLES[run.consumables[0].kind].kind == "Tarot"


def test_every_consumable_is_proved_here():
    from pathlib import Path

    text = Path(__file__).read_text()
    assert [entry.key for entry in CONSUMABLES if entry.key not in text] == []
    assert len(CONSUMABLES) - FIRST_SPECTRAL == 18
