"""The shop: vouchers, tags, packs, prices, rerolls, and what may be dealt."""

from __future__ import annotations

import pytest

from jimbot.game import Action, ActionKind, IllegalAction, Phase, Run, Tag
from jimbot.game.cards import NEGATIVE, Offer
from jimbot.game.catalogue import (
    CONSUMABLES,
    JOKER_BY_KEY,
    JOKERS,
    PACK_BY_KEY,
    PACKS,
    TAG_BY_KEY,
    TAGS,
    VOUCHER_BY_KEY,
    VOUCHERS,
)
from jimbot.game.create import joker_available, new_joker, next_tag, next_voucher
from jimbot.game.packs import fill_pack, next_pack
from jimbot.game.rounds import open_any_pack
from jimbot.game.shop import create_offer
from jimbot.game.tags import add_tag
from jimbot.game.vouchers import redeem
from tests.game.situations import at_blind, at_shop, card, joker, to_shop, win


def buy_voucher(run: Run, key: str) -> None:
    offer = Offer(voucher=VOUCHER_BY_KEY[key])
    run.shop_vouchers.append(offer)
    run.refresh_costs()
    run.money = 100
    run.step(Action(ActionKind.BUY_VOUCHER, len(run.shop_vouchers) - 1))


# Vouchers: key, field, and what it is after redeeming.
@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("v_overstock_norm", "shop_slots", 3),
        ("v_overstock_plus", "shop_slots", 3),
        ("v_clearance_sale", "discount", 25),
        ("v_liquidation", "discount", 50),
        ("v_hone", "edition_rate", 2.0),
        ("v_glow_up", "edition_rate", 4.0),
        ("v_reroll_surplus", "reroll_cost", 3),
        ("v_reroll_glut", "reroll_base", 3),
        ("v_crystal_ball", "consumable_slots", 3),
        ("v_grabber", "hands_left", 5),
        ("v_nacho_tong", "hands_per_round", 5),
        ("v_wasteful", "discards_left", 5),
        ("v_recyclomancy", "discards_per_round", 5),
        ("v_tarot_merchant", "tarot_rate", 9.6),
        ("v_tarot_tycoon", "tarot_rate", 32.0),
        ("v_planet_merchant", "planet_rate", 9.6),
        ("v_planet_tycoon", "planet_rate", 32.0),
        ("v_seed_money", "interest_cap", 50),
        ("v_money_tree", "interest_cap", 100),
        ("v_blank", "joker_slots", 5),
        ("v_antimatter", "joker_slots", 6),
        ("v_magic_trick", "card_rate", 4.0),
        ("v_hieroglyph", "ante", 0),
        ("v_hieroglyph", "hands_per_round", 3),
        ("v_petroglyph", "ante", 0),
        ("v_petroglyph", "discards_per_round", 3),
        ("v_paint_brush", "hand_size", 9),
        ("v_palette", "hand_size", 9),
    ],
)
def test_vouchers(key, field, value):
    run = at_shop()
    buy_voucher(run, key)
    assert getattr(run, field) == value
    assert run.money == 100 - 10
    assert key in run.voucher_keys


def test_overstock_fills_every_empty_place():
    run = at_shop()
    run.shop_cards.pop()
    buy_voucher(run, "v_overstock_norm")
    assert len(run.shop_cards) == 3


def test_discounts_reach_prices_and_sell_values():
    run = at_shop(jokers="j_blueprint")
    assert run.jokers[0].sell_value == 5
    buy_voucher(run, "v_liquidation")
    assert run.jokers[0].sell_value == 2
    assert run.offer_cost(Offer(pack=PACK_BY_KEY["p_arcana_normal"])) == 2


@pytest.mark.parametrize(
    ("discount", "base", "price"), [(0, 5, 5), (25, 5, 4), (25, 10, 7), (50, 5, 2), (50, 1, 1)]
)
def test_prices_are_rounded_as_the_game_rounds(discount, base, price):
    run = at_shop()
    run.discount = discount
    assert run.price(base) == price


def test_interest_cap():
    for key, dollars in (("", 5), ("v_seed_money", 10), ("v_money_tree", 20)):
        run = at_blind()
        if key:
            redeem(run, VOUCHER_BY_KEY[key])
        run.money = 1000
        run.hands_left = 1
        win(run)
        assert run.reward == 3 + dollars


def test_telescope_puts_the_favourites_planet_first():
    run = at_shop()
    redeem(run, VOUCHER_BY_KEY["v_telescope"])
    run.hand_levels[5].played = 3
    for _ in range(5):
        assert fill_pack(run, PACK_BY_KEY["p_celestial_normal"])[0].key == "c_jupiter"
        run.used_consumables = [False] * len(CONSUMABLES)


def test_omen_globe_lets_spectrals_into_arcana_packs():
    run = at_shop()
    redeem(run, VOUCHER_BY_KEY["v_omen_globe"])
    kinds = set()
    for _ in range(20):
        run.used_consumables = [False] * len(CONSUMABLES)
        for offer in fill_pack(run, PACK_BY_KEY["p_arcana_mega"]):
            assert offer.consumable is not None
            kinds.add(offer.consumable.kind_name)
    assert kinds == {"Tarot", "Spectral"}


def test_observatory_is_only_asked_for():
    run = at_shop()
    buy_voucher(run, "v_observatory")
    assert run.vouchers[VOUCHER_BY_KEY["v_observatory"]]


def test_magic_trick_and_illusion_sell_playing_cards():
    run = at_shop()
    redeem(run, VOUCHER_BY_KEY["v_magic_trick"])
    redeem(run, VOUCHER_BY_KEY["v_illusion"])
    run.used_jokers = [False] * len(JOKERS)
    cards = []
    for _ in range(300):
        offer = create_offer(run)
        if offer.card is not None:
            cards.append(offer.card)
    assert 15 <= len(cards) <= 80
    assert any(held.enhancement for held in cards)
    assert any(held.edition for held in cards)


def test_a_bought_playing_card_goes_into_the_deck():
    run = at_shop(jokers="j_hologram")
    offer = Offer(card=card(run, "KS"))
    offer.cost = 1
    run.shop_cards[0] = offer
    run.step(Action(ActionKind.BUY_CARD, 0))
    assert len(run.full_deck) == 53
    assert run.jokers[0].value == 1.25


@pytest.mark.parametrize(("key", "times"), [("v_directors_cut", 1), ("v_retcon", 3)])
def test_boss_rerolls(key, times):
    run = Run("REROLL")
    assert not run.is_legal(Action(ActionKind.REROLL_BOSS))
    redeem(run, VOUCHER_BY_KEY[key])
    run.money = 35
    for _ in range(times):
        boss = run.boss
        run.step(Action(ActionKind.REROLL_BOSS))
        assert run.boss != boss
    assert run.money == 35 - 10 * times
    assert not run.is_legal(Action(ActionKind.REROLL_BOSS))


def test_a_voucher_stays_until_bought_and_the_next_ante_brings_another():
    run = at_shop(seed="VOUCHER")
    first = run.shop_vouchers[0].voucher
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.step(Action(ActionKind.SELECT_BLIND))
    to_shop(run)
    assert run.shop_vouchers[0].voucher == first
    run.money = 100
    run.step(Action(ActionKind.BUY_VOUCHER, 0))
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.boss = 3
    run.step(Action(ActionKind.SELECT_BLIND))
    to_shop(run)
    assert run.ante == 2
    assert run.shop_vouchers[0].voucher != first


def test_vouchers_come_after_their_base_and_never_twice():
    run = Run("VOUCHERS")
    for _ in range(40):
        kind = next_voucher(run)
        entry = VOUCHERS[kind]
        assert not run.vouchers[kind] or entry.key == "v_blank"
        if entry.requires:
            assert run.vouchers[VOUCHER_BY_KEY[entry.requires]]
        run.vouchers[kind] = True
    assert all(run.vouchers)


# Tags


def with_tag(run: Run, key: str, hand: int = 0) -> None:
    add_tag(run, Tag(TAG_BY_KEY[key], hand))


@pytest.mark.parametrize(("key", "rarity"), [("tag_uncommon", 2), ("tag_rare", 3)])
def test_joker_tags(key, rarity):
    run = at_blind()
    with_tag(run, key)
    to_shop(run)
    offer = run.shop_cards[0]
    assert offer.joker is not None
    assert offer.joker.rarity == rarity
    assert offer.cost == 0
    assert run.tags == []


@pytest.mark.parametrize(
    ("key", "edition"),
    [
        ("tag_foil", "Foil"),
        ("tag_holo", "Holographic"),
        ("tag_polychrome", "Polychrome"),
        ("tag_negative", "Negative"),
    ],
)
def test_edition_tags(key, edition):
    run = at_blind()
    with_tag(run, "tag_uncommon")
    with_tag(run, key)
    to_shop(run)
    offer = run.shop_cards[0]
    assert offer.joker is not None
    assert offer.joker.edition_name == edition
    assert offer.cost == 0
    assert run.tags == []


def test_investment_pays_after_the_boss_only():
    run = at_blind()
    with_tag(run, "tag_investment")
    win(run)
    assert len(run.tags) == 1
    run = at_blind(boss="bl_club")
    with_tag(run, "tag_investment")
    run.money = 0
    run.hands_left = 1
    win(run)
    assert run.reward == 5 + 25


def test_voucher_tag_adds_a_voucher():
    run = at_blind()
    with_tag(run, "tag_voucher")
    to_shop(run)
    assert len({offer.voucher for offer in run.shop_vouchers}) == 2
    run.money = 100
    run.step(Action(ActionKind.BUY_VOUCHER, 1))
    assert run.voucher >= 0, "the ante's own voucher stays"


def test_boss_tag_rerolls_the_boss():
    run = Run("BOSSTAG")
    boss = run.boss
    run.skip_tags[0] = TAG_BY_KEY["tag_boss"]
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.boss != boss
    assert run.tags == []


@pytest.mark.parametrize(
    ("key", "pack"),
    [
        ("tag_standard", "Mega Standard Pack"),
        ("tag_charm", "Mega Arcana Pack"),
        ("tag_meteor", "Mega Celestial Pack"),
        ("tag_buffoon", "Mega Buffoon Pack"),
        ("tag_ethereal", "Spectral Pack"),
    ],
)
def test_pack_tags_open_at_once_and_lead_back(key, pack):
    run = Run("PACKTAG")
    run.skip_tags[0] = TAG_BY_KEY[key]
    money = run.money
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.pack is not None
    assert run.pack.name == pack
    assert run.money == money
    assert bool(run.hand) is (run.pack.kind_name in ("Arcana", "Spectral"))
    run.step(Action(ActionKind.SKIP_PACK))
    assert run.phase == Phase.BLIND_SELECT
    assert run.hand == []
    assert len(run.draw_pile) == 52


@pytest.mark.parametrize(
    ("key", "dollars"),
    [("tag_handy", 7), ("tag_garbage", 5), ("tag_skip", 5), ("tag_economy", 4)],
)
def test_money_tags(key, dollars):
    run = Run("MONEYTAG")
    run.stats.hands_played = 7
    run.stats.unused_discards = 5
    run.skip_tags[0] = TAG_BY_KEY[key]
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.money == 4 + dollars


def test_economy_tag_gives_40_at_most():
    run = Run("MONEYTAG")
    run.money = 100
    run.skip_tags[0] = TAG_BY_KEY["tag_economy"]
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.money == 140


def test_coupon_makes_cards_and_packs_free():
    run = at_blind()
    with_tag(run, "tag_coupon")
    to_shop(run)
    assert {offer.cost for offer in (*run.shop_cards, *run.shop_packs)} == {0}
    assert run.shop_vouchers[0].cost == 10
    run.money = 100
    run.step(Action(ActionKind.REROLL))
    assert 0 not in {offer.cost for offer in run.shop_cards}


def test_double_tag_copies_the_next():
    run = at_blind()
    with_tag(run, "tag_double")
    with_tag(run, "tag_double")
    with_tag(run, "tag_investment")
    assert [tag.key for tag in run.tags] == ["tag_investment"] * 3


def test_juggle_lends_hand_size_for_a_round():
    run = Run("JUGGLE")
    with_tag(run, "tag_juggle")
    run.step(Action(ActionKind.SELECT_BLIND))
    assert len(run.hand) == 11
    win(run)
    assert run.hand_size == 8


def test_d6_starts_rerolls_at_nothing():
    run = at_blind()
    with_tag(run, "tag_d_six")
    to_shop(run)
    assert run.reroll_cost == 0
    run.step(Action(ActionKind.REROLL))
    assert run.reroll_cost == 1
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.step(Action(ActionKind.SELECT_BLIND))
    to_shop(run)
    assert run.reroll_cost == 5


def test_top_up_brings_commons():
    run = Run("TOPUP")
    run.skip_tags[0] = TAG_BY_KEY["tag_top_up"]
    run.step(Action(ActionKind.SKIP_BLIND))
    assert [held.rarity for held in run.jokers] == [1, 1]


def test_orbital_levels_up_the_named_hand():
    run = Run("ORBITAL")
    run.skip_tags[0] = TAG_BY_KEY["tag_orbital"]
    hand = run.blinds_ahead[0].tag_hand
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.hand_levels[hand].level == 4


def test_speed_tag_counts_all_skips():
    run = Run("SPEED")
    run.skip_tags = [TAG_BY_KEY["tag_skip"], TAG_BY_KEY["tag_skip"]]
    run.step(Action(ActionKind.SKIP_BLIND))
    run.step(Action(ActionKind.SKIP_BLIND))
    assert run.money == 4 + 5 + 10
    assert not run.is_legal(Action(ActionKind.SKIP_BLIND))


def test_tags_wait_for_their_ante():
    run = Run("TAGS")
    for ante in (1, 2):
        run.ante = ante
        drawn = {next_tag(run) for _ in range(300)}
        assert drawn == {i for i, entry in enumerate(TAGS) if entry.min_ante <= ante}


def test_every_tag_and_voucher_is_proved_here():
    from pathlib import Path

    text = Path(__file__).read_text()
    assert [entry.key for entry in (*TAGS, *VOUCHERS) if entry.key not in text] == []


# Rerolls, buying, what may be dealt


def test_rerolls_cost_more_each_time_and_start_anew():
    run = at_shop()
    run.money = 100
    for cost in (5, 6, 7):
        assert run.reroll_cost == cost
        run.step(Action(ActionKind.REROLL))
    assert run.money == 100 - 18
    run.step(Action(ActionKind.LEAVE_SHOP))
    run.step(Action(ActionKind.SELECT_BLIND))
    assert run.reroll_cost == 5


def test_what_is_owned_or_on_show_is_not_dealt():
    run = at_shop()
    joker(run, "j_joker")
    assert not joker_available(run, 0)
    shown = [offer.joker.kind for offer in run.shop_cards if offer.joker is not None]
    for kind in shown:
        assert not joker_available(run, kind)
    run.money = 100
    run.step(Action(ActionKind.REROLL))
    still = [offer.joker.kind for offer in run.shop_cards if offer.joker is not None]
    for kind in shown:
        assert joker_available(run, kind) or kind in still
    run.step(Action(ActionKind.SELL_JOKER, 0))
    assert joker_available(run, 0)


def test_no_two_alike_over_many_shops():
    run = at_shop()
    for _ in range(100):
        run.money = 1000
        run.step(Action(ActionKind.REROLL))
        keys = [offer.key for offer in run.shop_cards if offer.key]
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("key", "enhancement"),
    [
        ("j_steel_joker", "steel"),
        ("j_stone", "stone"),
        ("j_lucky_cat", "lucky"),
        ("j_glass", "glass"),
        ("j_ticket", "gold"),
    ],
)
def test_jokers_gated_by_an_enhancement(key, enhancement):
    run = at_shop()
    assert not joker_available(run, JOKER_BY_KEY[key])
    run.add_to_deck(card(run, f"2S:{enhancement}"))
    assert joker_available(run, JOKER_BY_KEY[key])


def test_cavendish_follows_gros_michel():
    run = at_shop()
    michel, cavendish = JOKER_BY_KEY["j_gros_michel"], JOKER_BY_KEY["j_cavendish"]
    assert joker_available(run, michel)
    assert not joker_available(run, cavendish)
    run.gros_michel_gone = True
    assert not joker_available(run, michel)
    assert joker_available(run, cavendish)


def test_buying_needs_money_and_room():
    run = at_shop()
    run.money = 0
    with pytest.raises(IllegalAction, match="costs"):
        run.step(Action(ActionKind.BUY_PACK, 0))
    run.money = 100
    offer = Offer(joker=new_joker(run, JOKER_BY_KEY["j_joker"], 0))
    run.shop_cards = [offer]
    run.refresh_costs()
    run.joker_slots = 0
    with pytest.raises(IllegalAction, match="room"):
        run.step(Action(ActionKind.BUY_CARD, 0))
    assert offer.joker is not None
    offer.joker.edition = NEGATIVE
    run.refresh_costs()
    run.step(Action(ActionKind.BUY_CARD, 0))
    assert run.money == 100 - 7
    assert run.joker_slots == 1


def test_rental_costs_a_dollar_and_three_a_round():
    run = at_blind(jokers="j_blueprint:rental")
    assert run.joker_cost(run.jokers[0]) == 1
    run.money = 10
    win(run)
    assert run.money == 7


def test_perishable_jokers_perish_after_five_rounds():
    run = at_blind(jokers="j_joker")
    run.jokers[0].perishable = 5
    for left in (4, 3, 2, 1, 0):
        win(run)
        assert run.jokers[0].perishable == left
        assert run.jokers[0].debuffed is (left == 0)
        run.step(Action(ActionKind.CASH_OUT))
        run.step(Action(ActionKind.LEAVE_SHOP))
        run.boss = 3
        run.step(Action(ActionKind.SELECT_BLIND))


# Packs


def test_the_first_pack_is_a_buffoon_pack():
    for seed in ("A", "B", "C"):
        assert PACKS[next_pack(Run(seed))].key == "p_buffoon_normal"


@pytest.mark.parametrize("entry", PACKS, ids=lambda entry: entry.key)
def test_packs_hold_and_give_what_they_say(entry):
    run = at_shop()
    kind = PACK_BY_KEY[entry.key]
    open_any_pack(run, kind, 3)
    pack = run.pack
    assert pack is not None
    assert len(pack.cards) == entry.size
    assert pack.picks == entry.picks
    assert bool(run.hand) is (entry.kind in ("Arcana", "Spectral"))
    names = [offer.name for offer in pack.cards]
    if entry.kind != "Standard":
        assert len(set(names)) == len(names)
    run.joker_slots = 9
    picks = 0
    while run.phase == Phase.PACK:
        legal = [a for a in run.legal_actions() if a.kind == ActionKind.PICK_PACK]
        if not legal:
            run.step(Action(ActionKind.SKIP_PACK))
            break
        run.step(legal[0])
        picks += 1
    assert picks <= entry.picks
    if entry.kind in ("Celestial", "Standard", "Buffoon"):
        assert picks == entry.picks
    assert run.phase == Phase.SHOP
    assert run.hand == []
    gained = {"Standard": len(run.full_deck) - 52, "Buffoon": len(run.jokers)}
    assert gained.get(entry.kind, picks) == picks


def test_two_hands_for_packs_differ_and_go_to_the_bottom():
    run = at_shop()
    open_any_pack(run, PACK_BY_KEY["p_arcana_normal"], 3)
    first = [held.id for held in run.hand]
    run.step(Action(ActionKind.SKIP_PACK))
    assert {held.id for held in run.draw_pile[:8]} == set(first)
    open_any_pack(run, PACK_BY_KEY["p_arcana_normal"], 3)
    assert not set(first) & {held.id for held in run.hand}


def test_a_pack_without_room_for_a_joker():
    run = at_shop()
    run.joker_slots = 0
    open_any_pack(run, PACK_BY_KEY["p_buffoon_normal"], 3)
    with pytest.raises(IllegalAction, match="room"):
        run.step(Action(ActionKind.PICK_PACK, 0))
    run.step(Action(ActionKind.SKIP_PACK))
    assert run.phase == Phase.SHOP


def test_a_seed_where_a_run_deals_otherwise_than_an_analyser():
    """7I4M53DL: The Hierophant on the shelf makes an Arcana Pack deal The Lovers instead."""
    run = Run("7I4M53DL")
    found = None
    for _ in range(24):
        run.step(Action(ActionKind.SELECT_BLIND))
        to_shop(run)
        shelf = [offer.name for offer in run.shop_cards]
        packs = [i for i, o in enumerate(run.shop_packs) if "Arcana" in o.name]
        twin = run.clone()
        twin.money = 1000
        for place in packs:
            other = twin.clone()
            other.step(Action(ActionKind.BUY_PACK, place))
            assert other.pack is not None
            names = [offer.name for offer in other.pack.cards]
            if "The Hierophant" in shelf and names[2] == "The Lovers":
                found = names
        # Packs are opened and left, as an analyser supposes.
        while run.shop_packs:
            run.money = 100
            run.step(Action(ActionKind.BUY_PACK, 0))
            run.step(Action(ActionKind.SKIP_PACK))
        if found or run.ante > 8:
            break
        run.step(Action(ActionKind.LEAVE_SHOP))
    assert found is not None
