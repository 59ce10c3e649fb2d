"""Booster packs: which is on the shelf, what is in it, and picking from it."""

from __future__ import annotations

from typing import Final

from jimbot.game.cards import Card, Offer
from jimbot.game.catalogue import PACK_BY_KEY, PACKS, VOUCHER_BY_KEY
from jimbot.game.create import (
    IN_PACK,
    PLANET,
    SPECTRAL,
    TAROT,
    create_card,
    create_consumable,
    create_joker,
    new_consumable,
    poll_edition,
)
from jimbot.game.events import tell_jokers
from jimbot.game.hands import HANDS
from jimbot.game.planets import planet_of
from jimbot.game.rules import PACK_OPENED
from jimbot.game.state import PACK, OpenPack, State

# The packs as the game's draw counts them, with their art variants, and how likely each is.
_VARIANTS: Final = [
    ("p_arcana_normal", 4, 1.0),
    ("p_arcana_jumbo", 2, 1.0),
    ("p_arcana_mega", 2, 0.25),
    ("p_celestial_normal", 4, 1.0),
    ("p_celestial_jumbo", 2, 1.0),
    ("p_celestial_mega", 2, 0.25),
    ("p_standard_normal", 4, 1.0),
    ("p_standard_jumbo", 2, 1.0),
    ("p_standard_mega", 2, 0.25),
    ("p_buffoon_normal", 2, 0.6),
    ("p_buffoon_jumbo", 1, 0.6),
    ("p_buffoon_mega", 1, 0.15),
    ("p_spectral_normal", 2, 0.3),
    ("p_spectral_jumbo", 1, 0.3),
    ("p_spectral_mega", 1, 0.07),
]
_KINDS: Final = [PACK_BY_KEY[key] for key, count, _ in _VARIANTS for _ in range(count)]
_WEIGHTS: Final = [weight for _, count, weight in _VARIANTS for _ in range(count)]
_TOTAL: Final = sum(_WEIGHTS)

BUFFOON: Final = PACK_BY_KEY["p_buffoon_normal"]
_SIZES: Final = [entry.size for entry in PACKS]
_PICKS: Final = [entry.picks for entry in PACKS]
_ARCANA: Final = 0
_CELESTIAL: Final = 1
_STANDARD: Final = 2
_BUFFOON: Final = 3
_TELESCOPE: Final = VOUCHER_BY_KEY["v_telescope"]
_OMEN_GLOBE: Final = VOUCHER_BY_KEY["v_omen_globe"]


def next_pack(state: State) -> int:
    """Draw a pack for the shelf; a run's first is a Buffoon Pack."""
    if not state.first_buffoon:
        state.first_buffoon = True
        return BUFFOON
    poll = state.draws.random(f"shop_pack{state.ante}") * _TOTAL
    passed = 0.0
    for i in range(len(_WEIGHTS)):
        passed += _WEIGHTS[i]
        if passed >= poll:
            return _KINDS[i]
    return _KINDS[-1]


def uses_hand(kind: int) -> bool:
    """Whether a hand is dealt beside the pack: Arcana and Spectral Packs."""
    return kind // 3 == _ARCANA or kind // 3 > _BUFFOON


def fill_pack(state: State, kind: int) -> list[Offer]:
    """Create a pack's cards."""
    offers: list[Offer] = []
    family = kind // 3
    for i in range(_SIZES[kind]):
        if family == _ARCANA:
            if state.vouchers[_OMEN_GLOBE] and state.draws.random("omen_globe") > 0.8:
                card = create_consumable(state, SPECTRAL, "ar2", by_luck=True)
            else:
                card = create_consumable(state, TAROT, "ar1", by_luck=True)
            offers.append(Offer(consumable=card))
        elif family == _CELESTIAL:
            planet = _telescope(state) if i == 0 and state.vouchers[_TELESCOPE] else -1
            if planet >= 0:
                offers.append(Offer(consumable=new_consumable(state, planet)))
            else:
                planet_card = create_consumable(state, PLANET, "pl1", by_luck=True)
                offers.append(Offer(consumable=planet_card))
        elif family == _STANDARD:
            offers.append(Offer(card=_standard_card(state)))
        elif family == _BUFFOON:
            offers.append(Offer(joker=create_joker(state, "buf", IN_PACK)))
        else:
            spectral = create_consumable(state, SPECTRAL, "spe", by_luck=True)
            offers.append(Offer(consumable=spectral))
    return offers


def _telescope(state: State) -> int:
    """The planet of the favourite hand; -1 before any hand was played."""
    best = -1
    most = 0
    for hand in range(HANDS - 1, -1, -1):
        entry = state.hand_levels[hand]
        if entry.visible and entry.played > most:
            best = hand
            most = entry.played
    return planet_of(best) if best >= 0 else -1


def _standard_card(state: State) -> Card:
    ante = state.ante
    enhanced = state.draws.random(f"stdset{ante}") > 0.6
    card = create_card(state, enhanced, "sta")
    edition = poll_edition(state, f"standard_edition{ante}", 2.0, False)
    if edition:
        card = card.with_edition(edition)
    if state.draws.random(f"stdseal{ante}") > 0.8:
        card = card.with_seal(random_seal(state, f"stdsealtype{ante}"))
    return card


def random_seal(state: State, key: str) -> int:
    """Draw a seal, all equally likely."""
    poll = state.draws.random(key)
    if poll > 0.75:
        return 2
    if poll > 0.5:
        return 3
    if poll > 0.25:
        return 1
    return 4


def open_pack(state: State, kind: int, back_to: int) -> None:
    """Open a pack; the caller deals the hand where one belongs."""
    tell_jokers(state, PACK_OPENED)
    state.pack = OpenPack(kind, fill_pack(state, kind), _PICKS[kind], back_to)
    state.phase_now = PACK
