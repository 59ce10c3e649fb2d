"""What each deck and stake changes."""

from __future__ import annotations

from collections import Counter

import pytest

from jimbot.game import DECKS, STAKES, Run
from tests.game.situations import at_blind, at_shop, play, win


def ranks(run):
    return Counter(card.rank for card in run.full_deck)


@pytest.mark.parametrize(
    ("deck", "fields"),
    [
        ("Red", {"discards_left": 4}),
        ("Blue", {"hands_left": 5}),
        ("Yellow", {"money": 14}),
        ("Green", {"interest": False, "money_per_hand": 2, "money_per_discard": 1}),
        ("Black", {"joker_slots": 6, "hands_left": 3}),
        ("Magic", {"consumable_slots": 3}),
        ("Nebula", {"consumable_slots": 1}),
        ("Ghost", {"spectral_rate": 2.0}),
        ("Abandoned", {"starting_size": 40}),
        ("Checkered", {"starting_size": 52}),
        ("Zodiac", {"tarot_rate": 9.6, "planet_rate": 9.6, "shop_slots": 3}),
        ("Painted", {"hand_size": 10, "joker_slots": 4}),
        ("Anaglyph", {"hands_left": 4}),
        ("Plasma", {"ante_scaling": 2.0}),
        ("Erratic", {"starting_size": 52}),
    ],
)
def test_deck_fields(deck, fields):
    plain = {
        "hands_left": 4,
        "discards_left": 3,
        "money": 4,
        "joker_slots": 5,
        "consumable_slots": 2,
        "hand_size": 8,
        "shop_slots": 2,
        "ante_scaling": 1.0,
        "spectral_rate": 0.0,
    }
    run = Run("DECK", deck)
    for field, value in {**plain, **fields}.items():
        assert getattr(run, field) == value, field


def test_magic_nebula_zodiac_and_ghost_start_with_something():
    magic = Run("DECK", "Magic")
    assert [card.key for card in magic.consumables] == ["c_fool", "c_fool"]
    assert magic.voucher_keys == ["v_crystal_ball"]
    assert Run("DECK", "Nebula").voucher_keys == ["v_telescope"]
    assert Run("DECK", "Zodiac").voucher_keys == [
        "v_overstock_norm",
        "v_tarot_merchant",
        "v_planet_merchant",
    ]
    assert [card.key for card in Run("DECK", "Ghost").consumables] == ["c_hex"]


def test_abandoned_has_no_faces():
    assert not {11, 12, 13} & set(ranks(Run("DECK", "Abandoned")))


def test_checkered_has_two_suits():
    suits = Counter(card.suit_name for card in Run("DECK", "Checkered").full_deck)
    assert suits == {"Spades": 26, "Hearts": 26}


def test_erratic_is_random():
    run = Run("DECK", "Erratic")
    assert len(run.full_deck) == 52
    assert set(ranks(run).values()) != {4}


def test_an_erratic_deck_of_one_card():
    """The key hashes to not-a-number for this seed: all draws are alike."""
    run = Run("7LB2WVPK", "Erratic")
    assert {card.name for card in run.full_deck} == {"10 of Spades"}


def test_green_pays_for_hands_and_discards_and_no_interest():
    run = at_blind(deck="Green")
    run.money = 50
    win(run)
    assert run.reward == 3 + 3 * 2 + 3 * 1


def test_anaglyph_gives_a_double_tag_after_a_boss():
    run = at_blind(deck="Anaglyph")
    win(run)
    assert run.tags == []
    run = at_blind(deck="Anaglyph", boss="bl_club")
    win(run)
    assert [tag.key for tag in run.tags] == ["tag_double"]


def test_plasma_balances_chips_and_mult():
    run = at_blind(deck="Plasma")
    assert run.blinds_ahead[0].required == 600
    guess = run.preview((0,))
    assert guess.chips == guess.mult
    card = run.hand[0]
    points = (5 + (11 if card.rank == 14 else min(card.rank, 10)) + 1) // 2
    assert guess.score == points**2
    chosen = f"{'23456789TJQKA'[card.rank - 2]}{'SHCD'[card.suit]}"
    assert play(run, chosen) == points**2


def test_ghost_sells_spectrals():
    run = at_shop(deck="Ghost")
    kinds = set()
    for _ in range(150):
        from jimbot.game.shop import create_offer

        offer = create_offer(run)
        if offer.consumable is not None:
            kinds.add(offer.consumable.kind_name)
            run.used_consumables[offer.consumable.kind] = False
    assert kinds == {"Tarot", "Planet", "Spectral"}


@pytest.mark.parametrize(
    ("stake", "small_pays", "scaling", "eternals", "discards", "perishables", "rentals"),
    [
        ("White", True, 1, False, 4, False, False),
        ("Red", False, 1, False, 4, False, False),
        ("Green", False, 2, False, 4, False, False),
        ("Black", False, 2, True, 4, False, False),
        ("Blue", False, 2, True, 3, False, False),
        ("Purple", False, 3, True, 3, False, False),
        ("Orange", False, 3, True, 3, True, False),
        ("Gold", False, 3, True, 3, True, True),
    ],
)
def test_stakes(stake, small_pays, scaling, eternals, discards, perishables, rentals):
    run = Run("STAKE", "Red", stake)
    assert run.small_blind_pays is small_pays
    assert run.blinds_ahead[0].reward == (3 if small_pays else 0)
    assert run.blinds_ahead[1].reward == 4
    assert run.blind_scaling == scaling
    assert run.discards_left == discards
    assert (run.eternals, run.perishables, run.rentals) == (eternals, perishables, rentals)


def test_stickers_by_stake():
    from jimbot.game.catalogue import JOKERS
    from jimbot.game.create import IN_SHOP, create_joker

    for stake, wanted in (("Green", 0), ("Black", 1), ("Orange", 2), ("Gold", 3)):
        run = Run("STICKERS", "Red", stake)
        jokers = []
        for _ in range(300):
            run.used_jokers = [False] * len(JOKERS)
            jokers.append(create_joker(run, "sho", IN_SHOP))
        found = [
            any(joker.eternal for joker in jokers),
            any(joker.perishable == 5 for joker in jokers),
            any(joker.rental for joker in jokers),
        ]
        assert found == [wanted >= 1, wanted >= 2, wanted >= 3]
        for joker in jokers:
            limits = JOKERS[joker.kind].limits
            assert not (joker.eternal and ("e" in limits or joker.perishable >= 0))
            assert not (joker.perishable >= 0 and "p" in limits)


def test_every_deck_and_stake_starts():
    for deck in DECKS:
        for stake in STAKES:
            run = Run("START", deck, stake)
            assert run.deck == deck
            assert run.stake == stake
            assert run.required > 0
