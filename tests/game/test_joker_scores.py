"""What jokers add to a hand: a row a situation, with the chips and mult a player would count."""

from __future__ import annotations

import pytest

from jimbot.game.catalogue import JOKER_BY_KEY
from tests.game.situations import card, play, table

PAIR = "2S 2D"
TRIO = "2S 2D 2C"
TWO_PAIR = "2S 2D 3S 3C"
STRAIGHT = "2S 3D 4C 5S 6H"
FLUSH = "2S 3S 4S 5S 7S"
QUADS = "2S 2D 2C 2H"

# Joker, cards played, chips, mult; then cards held, and fields of the run or the joker.
ROWS = [
    ("j_joker", "2S", 7, 5),
    ("j_greedy_joker", "2D 2H", 14, 5),
    ("j_greedy_joker", "2S 2H", 14, 2),
    ("j_lusty_joker", "2H 2S", 14, 5),
    ("j_wrathful_joker", "2S 2D", 14, 5),
    ("j_gluttenous_joker", "2C 2D", 14, 5),
    ("j_jolly", PAIR, 14, 10),
    ("j_jolly", QUADS, 68, 15),
    ("j_jolly", "2S", 7, 1),
    ("j_zany", TRIO, 36, 15),
    ("j_zany", PAIR, 14, 2),
    ("j_mad", TWO_PAIR, 30, 12),
    ("j_mad", "2S 2D 2C 3S 3H", 52, 14),
    ("j_mad", QUADS, 68, 7),
    ("j_crazy", STRAIGHT, 50, 16),
    ("j_droll", FLUSH, 56, 14),
    ("j_sly", PAIR, 64, 2),
    ("j_wily", TRIO, 136, 3),
    ("j_clever", TWO_PAIR, 110, 2),
    ("j_devious", STRAIGHT, 150, 4),
    ("j_crafty", FLUSH, 136, 4),
    ("j_half", "2S", 7, 21),
    ("j_half", TRIO, 36, 23),
    ("j_half", QUADS, 68, 7),
    ("j_stencil", "2S", 7, 5),
    ("j_four_fingers", "2S 3S 4S 5S", 114, 8),
    ("j_mime", "2S", 7, 2.25, {"held": "KS:steel"}),
    ("j_mime", "2S", 7, 1, {"held": "KS"}),
    ("j_banner", "2S", 97, 1, {"discards_left": 3}),
    ("j_mystic_summit", "2S", 7, 16, {"discards_left": 0}),
    ("j_mystic_summit", "2S", 7, 1, {"discards_left": 1}),
    ("j_dusk", "2S", 9, 1, {"hands_left": 1}),
    ("j_dusk", "2S", 7, 1, {"hands_left": 2}),
    ("j_raised_fist", "2S", 7, 7, {"held": "3H 9S"}),
    ("j_raised_fist", "2S", 7, 23, {"held": "AH"}),
    ("j_raised_fist", "2S", 7, 1, {"held": "3H:debuffed 9S"}),
    ("j_fibonacci", "AS", 16, 9),
    ("j_fibonacci", "8S", 13, 9),
    ("j_fibonacci", "4S", 9, 1),
    ("j_steel_joker", "2S", 7, 1.4, {"deck_cards": "KS:steel QS:steel 5H 6H 7H 8H 9H TH"}),
    ("j_scary_face", "KS", 45, 1),
    ("j_scary_face", "AS", 16, 1),
    ("j_abstract", "2S", 7, 4),
    ("j_hack", "2S", 9, 1),
    ("j_hack", "6S", 11, 1),
    ("j_pareidolia j_scary_face", "2S", 37, 1),
    ("j_gros_michel", "2S", 7, 16),
    ("j_even_steven", "2S", 7, 5),
    ("j_even_steven", "3S", 8, 1),
    ("j_even_steven", "QS", 15, 1),
    ("j_odd_todd", "3S", 39, 1),
    ("j_odd_todd", "AS", 47, 1),
    ("j_odd_todd", "KS", 15, 1),
    ("j_scholar", "AS", 36, 5),
    ("j_supernova", "2S", 7, 2),
    ("j_ride_the_bus", "2S", 7, 4, {"value": 2.0}),
    ("j_ride_the_bus", "KS", 15, 1, {"value": 2.0}),
    ("j_space", "2S", 17, 2, {"chance": 4}),
    ("j_space", "2S", 7, 1, {"chance": 0}),
    ("j_blackboard", "2H", 7, 3, {"held": "2S 3C"}),
    ("j_blackboard", "2H", 7, 1, {"held": "2S 3D"}),
    ("j_blackboard", "2H", 7, 3, {"held": "2S 3D:wild"}),
    ("j_blackboard", "2H", 7, 3),
    ("j_runner", STRAIGHT, 65, 4),
    ("j_runner", "2S", 37, 1, {"value": 30.0}),
    ("j_ice_cream", "2S", 107, 1),
    ("j_splash", "9S 3H", 17, 1),
    ("j_blue_joker", "2S", 13, 1, {"deck_cards": "3H 4H 5H"}),
    ("j_constellation", "2S", 7, 1.2, {"value": 1.2}),
    ("j_green_joker", "2S", 7, 4, {"value": 2.0}),
    ("j_cavendish", "2S", 7, 3),
    ("j_red_card", "2S", 7, 7, {"value": 6.0}),
    ("j_madness", "2S", 7, 1.5, {"value": 1.5}),
    ("j_square", "2S 3D 5C 7H", 16, 1),
    ("j_square", "2S", 7, 1),
    ("j_vampire", "2S:bonus", 7, 1.1),
    ("j_vampire", "2S:mult 2D:glass", 14, 2.4),
    ("j_shortcut", "2S 4D 6C 8S TH", 60, 4),
    ("j_hologram", "2S", 7, 1.5, {"value": 1.5}),
    ("j_baron", "2S", 7, 2.25, {"held": "KS KD"}),
    ("j_baron", "2S", 7, 1, {"held": "KS:debuffed"}),
    ("j_obelisk", "2S", 7, 1, {"value": 2.0}),
    ("j_photograph", "KS KD", 30, 4),
    ("j_photograph", "2S 2D", 14, 2),
    ("j_erosion", "2S", 7, 9, {"deck_cards": "3H 4H", "starting_size": 5}),
    ("j_fortune_teller", "2S", 7, 1),
    ("j_stone", "2S", 57, 1, {"deck_cards": "KS:stone QS:stone 5H 6H 7H 8H 9H TH"}),
    ("j_lucky_cat", "2S:lucky", 7, 26.25, {"chance": 5}),
    ("j_lucky_cat", "2S", 7, 1.5, {"value": 1.5}),
    ("j_baseball j_credit_card", "2S", 7, 1),
    ("j_baseball j_smeared", "2S", 7, 1.5),
    ("j_bull", "2S", 27, 1, {"money": 10}),
    ("j_bull", "2S", 7, 1, {"money": -5}),
    ("j_flash", "2S", 7, 5, {"value": 4.0}),
    ("j_popcorn", "2S", 7, 21),
    ("j_trousers", TWO_PAIR, 30, 4),
    ("j_trousers", "2S 2D 2C 3S 3H", 52, 6),
    ("j_ancient", "2S 2D", 14, 3, {"ancient_suit": 0}),
    ("j_ramen", "2S", 7, 2),
    ("j_walkie_talkie", "4S", 19, 5),
    ("j_walkie_talkie", "TS", 25, 5),
    ("j_selzer", "2S", 9, 1),
    ("j_castle", "2S", 16, 1, {"value": 9.0}),
    ("j_smiley", "KS", 15, 6),
    ("j_campfire", "2S", 7, 1.5, {"value": 1.5}),
    ("j_acrobat", "2S", 7, 3, {"hands_left": 1}),
    ("j_acrobat", "2S", 7, 1, {"hands_left": 2}),
    ("j_sock_and_buskin", "KS", 25, 1),
    ("j_sock_and_buskin", "KS:red", 35, 1),
    ("j_swashbuckler j_cavendish", "2S", 7, 9),
    ("j_smeared", "2S 3S 4C 5C 7S", 56, 4),
    ("j_smeared j_gluttenous_joker", "2S", 7, 4),
    ("j_throwback", "2S", 7, 1),
    ("j_hanging_chad", "2S", 11, 1),
    ("j_hanging_chad", PAIR, 18, 2),
    ("j_bloodstone", "2H", 7, 1.5, {"chance": 2}),
    ("j_bloodstone", "2S", 7, 1, {"chance": 2}),
    ("j_arrowhead", "2S", 57, 1),
    ("j_onyx_agate", "2C", 7, 8),
    ("j_glass", "2S", 7, 2.5, {"value": 2.5}),
    ("j_flower_pot", "2S 3H 4C 5D 6S", 50, 12),
    ("j_flower_pot", "2S 3H 4C 5S 6S", 50, 4),
    ("j_flower_pot", "2S 3H 4C 5S:wild 6S", 50, 12),
    ("j_wee", PAIR, 30, 2),
    ("j_idol", "KH", 15, 2, {"idol_rank": 13, "idol_suit": 1}),
    ("j_idol", "KS", 15, 1, {"idol_rank": 13, "idol_suit": 1}),
    ("j_seeing_double", "2C 2H", 14, 4),
    ("j_seeing_double", "2C 2C", 14, 2),
    ("j_seeing_double", "2C:wild 2H", 14, 4),
    ("j_hit_the_road", "2S", 7, 1.5, {"value": 1.5}),
    ("j_duo", PAIR, 14, 4),
    ("j_trio", TRIO, 36, 9),
    ("j_family", QUADS, 68, 28),
    ("j_order", STRAIGHT, 50, 12),
    ("j_tribe", FLUSH, 56, 8),
    ("j_stuntman", "2S", 257, 1),
    ("j_shoot_the_moon", "2S", 7, 27, {"held": "QS QD"}),
    ("j_shoot_the_moon", "2S", 7, 27, {"held": "QS:red"}),
    ("j_bootstraps", "2S", 7, 5, {"money": 11}),
    ("j_caino", "2S", 7, 3, {"value": 3.0}),
    ("j_triboulet", "KS KD", 30, 8),
    ("j_yorick", "2S", 7, 2, {"value": 2.0}),
    # Copies: of the joker to the right, and of the leftmost.
    ("j_blueprint j_joker", "2S", 7, 9),
    ("j_joker j_blueprint", "2S", 7, 5),
    ("j_joker j_brainstorm", "2S", 7, 9),
    ("j_brainstorm j_joker", "2S", 7, 5),
    ("j_joker j_blueprint j_brainstorm", "2S", 7, 13),
    ("j_blueprint j_blueprint j_cavendish", "2S", 7, 27),
    ("j_blueprint j_runner", STRAIGHT, 80, 4),
    ("j_blueprint j_joker:debuffed", "2S", 7, 1),
    # Editions and stickers of jokers; a debuffed joker does nothing.
    ("j_joker:foil", "2S", 57, 5),
    ("j_joker:holographic", "2S", 7, 15),
    ("j_joker:polychrome", "2S", 7, 7.5),
    ("j_joker:debuffed", "2S", 7, 1),
    ("j_joker:polychrome,debuffed", "2S", 7, 1),
    # Left to right: adding before multiplying is worth more.
    ("j_joker j_cavendish", "2S", 7, 15),
    ("j_cavendish j_joker", "2S", 7, 7),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}".replace(" ", "_"))
def test_score(row):
    keys, played, chips, mult = row[:4]
    setting = dict(row[4]) if len(row) > 4 else {}
    value = setting.pop("value", None)
    held = setting.pop("held", "")
    run = table(f"{played} {held}", jokers=keys, **setting)
    if value is not None:
        run.jokers[0].value = value
    places = tuple(range(len(played.split())))
    guess = run.preview(places)
    before = run.digest()
    assert run.preview(places).score == guess.score
    assert run.digest() == before, "a preview changed the run"
    assert play(run, played) == int(chips * mult)
    if setting.get("chance", 1) != 5:  # with chance 5 the money of lucky cards is not certain
        assert guess.chips == pytest.approx(chips) or "j_space" in keys or "j_bloodstone" in keys
    assert (
        guess.score == pytest.approx(int(chips * mult), abs=1)
        or "lucky" in played
        or ("j_space" in keys)
    )


def test_every_row_names_jokers():
    for row in ROWS:
        for text in row[0].split():
            assert text.partition(":")[0] in JOKER_BY_KEY


def test_supernova_counts_the_hands_played_before():
    run = table("2S 3H", jokers="j_supernova")
    run.hand_levels[0].played = 4
    assert play(run, "2S") == 7 * 6


def test_loyalty_card_pays_every_sixth_hand():
    run = table("2S 3S 4S 5S 6S 7S 8S", jokers="j_loyalty_card", hands_left=20)
    run.draw_pile = []
    multipliers = []
    for rank in "2345678":
        points = play(run, f"{rank}S")
        multipliers.append(points / (5 + int(rank)))
    assert multipliers == [1, 1, 1, 1, 1, 4, 1]


def test_misprint_draws_between_0_and_23():
    expected = table("2S", jokers="j_misprint").draws.copy().between("misprint", 0, 23)
    run = table("2S", jokers="j_misprint")
    assert run.preview((0,)).mult == 12.5
    assert play(run, "2S") == 7 * (1 + expected)


def test_card_sharp_wants_the_hand_played_before_this_round():
    run = table("2S 3S 4S", jokers="j_card_sharp")
    assert play(run, "2S") == 7
    assert play(run, "3S") == 8 * 3


def test_obelisk_grows_while_another_hand_is_the_favourite():
    run = table("2S 3S 4S", jokers="j_obelisk")
    run.hand_levels[1].played = 2
    assert play(run, "2S") == int(7 * 1.2)
    assert play(run, "3S") == int(8 * 1.4)
    assert play(run, "4S") == 9
    assert run.jokers[0].value == 1.0


def test_ice_cream_melts_away():
    run = table("2S 3S 4S", jokers="j_ice_cream j_joker")
    run.jokers[0].value = 10.0
    assert play(run, "2S") == 17 * 5
    assert play(run, "3S") == 13 * 5
    assert [held.key for held in run.jokers] == ["j_joker"]


def test_seltzer_is_drunk_after_ten_hands():
    run = table("2S 3S 4S", jokers="j_selzer")
    run.jokers[0].count = 2
    assert play(run, "2S") == 9
    assert play(run, "3S") == 11
    assert run.jokers == []


def test_hiker_raises_cards_for_good():
    run = table("2S:red", jokers="j_hiker", deck_cards="")
    assert play(run, "2S") == 5 + 2 + 7  # the second trigger counts what the first gave
    assert run.discard_pile[-1].bonus == 10


def test_midas_mask_turns_faces_to_gold():
    run = table("KS 2D", jokers="j_midas_mask")
    play(run, "KS 2D")
    assert [held.enhancement_name for held in run.discard_pile] == ["Gold", ""]


def test_vampire_takes_the_enhancement():
    run = table("2S:steel", jokers="j_vampire")
    play(run, "2S")
    assert run.discard_pile[-1].enhancement == 0
    assert run.jokers[0].value == pytest.approx(1.1)


def test_dna_copies_the_single_card_of_a_first_hand():
    run = table("2S:glass", jokers="j_dna", deck_cards="", hand_size=8)
    run.hand = [card(run, "KS:steel"), card(run, "2S")]
    owned = len(run.all_cards())
    play(run, "KS")
    assert len(run.all_cards()) == owned + 1
    assert sorted(held.name for held in run.hand) == ["2 of Spades", "King of Spades"]
    assert run.hand[0].enhancement_name == "Steel"


def test_dna_copy_counts_as_held():
    run = table("KS:steel", jokers="j_dna", deck_cards="")
    assert play(run, "KS") == int(15 * 1.5)


def test_drivers_license_needs_16_enhanced_cards():
    enhanced = " ".join(["2H:bonus"] * 15)
    run = table("2S 3S:bonus", jokers="j_drivers_license", deck_cards=enhanced)
    assert play(run, "2S") == 7 * 3
    run = table("2S", jokers="j_drivers_license", deck_cards=enhanced)
    assert play(run, "2S") == 7


def test_throwback_counts_skipped_blinds():
    run = table("2S", jokers="j_throwback")
    run.stats.skips = 2
    assert play(run, "2S") == int(7 * 1.5)


def test_fortune_teller_counts_tarots():
    run = table("2S", jokers="j_fortune_teller")
    run.stats.tarots_used = 3
    assert play(run, "2S") == 28
