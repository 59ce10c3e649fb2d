"""Imagined rounds: a blind played quickly to its end on a copy of the run, and what it scored.

All on determinised copies (`Run.determinised`): what is hidden is dealt afresh, so that nothing
here looks into the future.
"""

from __future__ import annotations

from math import log
from typing import Final

from jimbot.game import rounds
from jimbot.game.rng import streams
from jimbot.game.run import Run
from jimbot.game.state import BIG, BOSS, CURRENT, DEFEATED, SELECTING_HAND, UPCOMING
from jimbot.policy.candidates import KEEP_BEST, Discard, Hand, Play, best_play, discards

# A round that goes on for longer is broken off.
MOST_STEPS: Final = 40
# No blind asks for so much: all hands are played.
_OUT_OF_REACH: Final = 1e300
_LIKELY: Final = 0.3


def quick_step(run: Run) -> None:
    """Act fairly without much thought: play well, or throw what is not part of the best play."""
    hand = Hand(run)
    best = best_play(run, hand)
    thrown = quick_discard(run, hand, best)
    if thrown is not None:
        rounds.discard_hand(run, list(thrown.cards))
    else:
        rounds.play_hand(run, list(best.cards))


def quick_discard(run: Run, hand: Hand, best: Play) -> Discard | None:
    """What to throw before playing; None when the best play will do, or nothing can be thrown."""
    if run.discards_left <= 0:
        return None
    needed = (run.required - run.chips) / max(1, run.hands_left)
    return _throw(run, hand, best.cards) if best.preview.score < needed else None


def _throw(run: Run, hand: Hand, best: tuple[int, ...]) -> Discard | None:
    thrown = discards(run, hand, best, 8)
    likely: Discard | None = None
    for discard in thrown:
        if discard.chance > _LIKELY and (likely is None or discard.chance > likely.chance):
            likely = discard
    if likely is not None:
        return likely
    for discard in thrown:
        if discard.keep == KEEP_BEST:
            return discard
    return None


def finish_round(run: Run) -> None:
    """Play the round that is on to its end."""
    number = run.round
    for _ in range(MOST_STEPS):
        if not goes_on(run, number):
            break
        quick_step(run)


def known_part(run: Run) -> Run:
    """A copy to determinise, whose deck lies in an order that tells nothing: so not even how it is
    shuffled depends on the real one."""
    twin = run.clone()
    twin.settle_deck()
    twin.draw_pile = twin.deck_view()
    return twin


def goes_on(run: Run, number: int) -> bool:
    """Whether there is something to play in the round of this number."""
    return run.phase_now == SELECTING_HAND and run.round == number and bool(run.hand)


def start_round(run: Run, boss: bool) -> float:
    """Start this ante's boss, or the big blind, on a copy made for it, out of reach.

    Returns:
        What the boss (or a plain blind that asks for as much as most bosses) asks for; 0 when no
        round comes of it.
    """
    slot = BOSS if boss else BIG
    run.pack = None
    run.shop_cards = []
    run.shop_vouchers = []
    run.shop_packs = []
    if run.hand:
        run.draw_pile += run.hand
        run.hand = []
    run.blind_status = [DEFEATED, DEFEATED if boss else CURRENT, UPCOMING]
    run.on_deck = slot
    rounds.select_blind(run)
    blind = run.blind
    if blind is None or run.phase_now != SELECTING_HAND:
        return 0.0
    required = blind.chips if boss else blind.chips / 0.75
    blind.chips = _OUT_OF_REACH
    return required


def round_score(run: Run, boss: bool) -> float:
    """Play all hands of this ante's boss, or of the big blind, on a copy made for it.

    Returns:
        How many times what `start_round` tells was scored, as a logarithm.
    """
    required = start_round(run, boss)
    if required <= 0.0:
        return 0.0
    finish_round(run)
    return log(max(1.0, run.chips) / required)


def dealt_afresh(run: Run, seed: str) -> Run:
    """A copy between rounds with other draws to come: the next round's shuffle is one of them."""
    twin = run.clone()
    twin.drop_shuffle()
    twin.draws = streams(seed)
    return twin


def power(run: Run, seeds: list[str]) -> list[float]:
    """What rounds against this ante's blinds score: `round_score` for each seed's deal.

    The even ones are the boss's, the others a plain blind's.
    """
    return [round_score(dealt_afresh(run, seeds[i]), i % 2 == 0) for i in range(len(seeds))]
