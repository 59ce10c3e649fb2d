"""What holds in any state of any run."""

from __future__ import annotations

import math

from jimbot.game import Phase, Run
from jimbot.game.catalogue import CONSUMABLES, JOKERS


def owned(run: Run) -> list[int]:
    """The ids of all playing cards, in order."""
    return sorted(card.id for card in run.all_cards())


def check(run: Run) -> None:
    """Assert all invariants of a run between two actions."""
    ids = owned(run)
    assert len(ids) == len(set(ids)), "a card is in two places"
    assert all(2 <= card.rank <= 14 and 0 <= card.suit < 4 for card in run.all_cards())
    assert run.in_play == []
    assert len({joker.id for joker in run.jokers}) == len(run.jokers)
    negatives = sum(joker.edition == 4 for joker in run.jokers)
    assert run.hands_left >= 0
    assert run.discards_left >= 0
    assert not math.isnan(run.chips)
    assert run.reroll_cost >= 0
    assert all(entry.level >= 0 and entry.played >= 0 for entry in run.hand_levels)
    assert len(run.acting) == len(run.jokers)
    for joker in run.jokers:
        assert run.used_jokers[joker.kind]
        assert 0 <= joker.kind < len(JOKERS)
        assert joker.sell_value >= 1
        assert not (joker.eternal and joker.perishable >= 0)
    for card in run.consumables:
        assert run.used_consumables[card.kind]
        assert 0 <= card.kind < len(CONSUMABLES)
    phase = run.phase
    assert (run.pack is not None) == (phase == Phase.PACK)
    if phase == Phase.SELECTING_HAND:
        assert run.hand, "a hand without cards cannot be played"
        assert run.blind is not None
        assert run.hands_left > 0
        assert run.chips < run.blind.chips or run.blind.chips == 0.0  # a test lets it win
        assert sum(card.forced for card in run.hand) <= 1
    elif phase != Phase.PACK and phase != Phase.GAME_OVER:
        assert run.hand == []
        assert run.discard_pile == []
        assert not any(card.debuffed or card.face_down for card in run.draw_pile)
    if phase == Phase.SHOP:
        for offer in (*run.shop_cards, *run.shop_vouchers, *run.shop_packs):
            assert offer.cost == run.offer_cost(offer)
    else:
        assert run.pack is not None or run.shop_cards == []
    expected_slots = 5 + (run.deck == "Black") - (run.deck == "Painted") + negatives
    expected_slots += "v_antimatter" in run.voucher_keys
    assert run.joker_slots == expected_slots, "a joker slot was lost or won"
