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
from jimbot.policy.candidates import KEEP_BEST, Discard, Hand, best_play, discards

# A round that goes on for longer is broken off.
_MOST_STEPS: Final = 40
# No blind asks for so much: all hands are played.
_OUT_OF_REACH: Final = 1e300
_LIKELY: Final = 0.3


def quick_step(run: Run) -> None:
    """Act fairly without much thought: play well, or throw what is not part of the best play."""
    hand = Hand(run)
    best = best_play(run, hand)
    if run.discards_left > 0:
        needed = (run.required - run.chips) / max(1, run.hands_left)
        if best.preview.score < needed:
            thrown = _throw(run, hand, best.cards)
            if thrown is not None:
                rounds.discard_hand(run, list(thrown.cards))
                return
    rounds.play_hand(run, list(best.cards))


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
    for _ in range(_MOST_STEPS):
        if run.phase_now != SELECTING_HAND or run.round != number or not run.hand:
            break
        quick_step(run)


def round_score(run: Run, boss: bool) -> float:
    """Start this ante's boss, or the big blind, on a copy made for it, and play all hands.

    Returns:
        How many times the boss's (or twice the ante's) requirement was scored, as a logarithm.
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
