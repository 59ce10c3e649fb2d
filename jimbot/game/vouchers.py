"""Vouchers: what redeeming one changes for the rest of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from jimbot.game.catalogue import VOUCHER_BY_KEY, VOUCHERS
from jimbot.game.state import State

RedeemHook: TypeAlias = "Callable[[State], None]"

# What each voucher does at once; those that are only asked for (Telescope, Retcon …) do nothing.
REDEEM: Final[list[RedeemHook | None]] = [None for _ in VOUCHERS]


def _voucher(key: str) -> Callable[[RedeemHook], RedeemHook]:
    def register(hook: RedeemHook) -> RedeemHook:
        REDEEM[VOUCHER_BY_KEY[key]] = hook
        return hook

    return register


def redeem(state: State, kind: int) -> None:
    """Redeem a voucher."""
    state.vouchers[kind] = True
    hook = REDEEM[kind]
    if hook is not None:
        hook(state)


@_voucher("v_overstock_norm")
@_voucher("v_overstock_plus")
def overstock(state: State) -> None:
    state.shop_slots += 1


@_voucher("v_clearance_sale")
def clearance_sale(state: State) -> None:
    state.discount = 25
    state.refresh_costs()


@_voucher("v_liquidation")
def liquidation(state: State) -> None:
    state.discount = 50
    state.refresh_costs()


@_voucher("v_hone")
def hone(state: State) -> None:
    state.edition_rate = 2.0


@_voucher("v_glow_up")
def glow_up(state: State) -> None:
    state.edition_rate = 4.0


@_voucher("v_reroll_surplus")
@_voucher("v_reroll_glut")
def reroll_surplus(state: State) -> None:
    state.reroll_base -= 2
    state.reroll_cost = max(0, state.reroll_cost - 2)


@_voucher("v_crystal_ball")
def crystal_ball(state: State) -> None:
    state.consumable_slots += 1


@_voucher("v_grabber")
@_voucher("v_nacho_tong")
def grabber(state: State) -> None:
    state.hands_per_round += 1
    state.hands_left += 1


@_voucher("v_wasteful")
@_voucher("v_recyclomancy")
def wasteful(state: State) -> None:
    state.discards_per_round += 1
    state.change_discards(1)


@_voucher("v_tarot_merchant")
def tarot_merchant(state: State) -> None:
    state.tarot_rate = 9.6


@_voucher("v_tarot_tycoon")
def tarot_tycoon(state: State) -> None:
    state.tarot_rate = 32.0


@_voucher("v_planet_merchant")
def planet_merchant(state: State) -> None:
    state.planet_rate = 9.6


@_voucher("v_planet_tycoon")
def planet_tycoon(state: State) -> None:
    state.planet_rate = 32.0


@_voucher("v_seed_money")
def seed_money(state: State) -> None:
    state.interest_cap = 50


@_voucher("v_money_tree")
def money_tree(state: State) -> None:
    state.interest_cap = 100


@_voucher("v_antimatter")
def antimatter(state: State) -> None:
    state.joker_slots += 1


@_voucher("v_magic_trick")
def magic_trick(state: State) -> None:
    state.card_rate = 4.0


@_voucher("v_hieroglyph")
def hieroglyph(state: State) -> None:
    state.ante -= 1
    state.blind_ante -= 1
    state.hands_per_round -= 1
    state.hands_left -= 1


@_voucher("v_petroglyph")
def petroglyph(state: State) -> None:
    state.ante -= 1
    state.blind_ante -= 1
    state.discards_per_round -= 1
    state.change_discards(-1)


@_voucher("v_paint_brush")
@_voucher("v_palette")
def paint_brush(state: State) -> None:
    state.change_hand_size(1)
