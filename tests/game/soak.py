"""Long random games over all decks and stakes with invariants checked: python -m tests.game.soak.

It runs on all cores, reports the games that failed with what repeats them, and exits with 1 if
there were any. 100,000 games take some minutes compiled.
"""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import os
import random
import sys
import time
import traceback

from jimbot.game import COMPILED, DECKS, STAKES, Phase, Run, random_seed
from jimbot.game.sampling import random_action
from tests.game.invariants import check

LONGEST = 600


def play(number: int) -> tuple[int, int, str]:
    """Play game `number`: its actions, the ante reached and what went wrong."""
    rng = random.Random(number)
    seed, deck, stake = random_seed(rng), rng.choice(DECKS), rng.choice(STAKES)
    easy = rng.random() < 0.5
    run = Run(seed, deck, stake, endless=True)
    actions = 0
    try:
        while run.phase_now != Phase.GAME_OVER and actions < LONGEST:
            blind = run.blind
            if easy and blind is not None and run.hands_left == 1 and run.phase_now == 1:
                blind.chips = 0.0
            if easy and rng.random() < 0.1:
                run.money += 10
            action = random_action(run, rng)
            if run.phase_now == Phase.SELECTING_HAND and rng.random() < 0.2:
                run.preview(tuple(sorted(action.cards))[:5] or (0,))
            if rng.random() < 0.02:
                run = run.clone()
            run.step(action)
            actions += 1
            if actions % 7 == 0:
                check(run)
        check(run)
    except Exception:
        where = f"game {number} ({seed}, {deck}, {stake}) after {actions} actions\n"
        return actions, run.ante, where + traceback.format_exc()
    return actions, run.ante, ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first game")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    began = time.perf_counter()
    games = actions = failures = 0
    antes: collections.Counter[int] = collections.Counter()
    numbers = range(options.first, options.first + options.games)
    with multiprocessing.Pool(options.processes) as pool:
        for count, ante, trouble in pool.imap_unordered(play, numbers, chunksize=50):
            games += 1
            actions += count
            antes[ante] += 1
            if trouble:
                failures += 1
                print(trouble, file=sys.stderr)
            if games % 10_000 == 0:
                print(f"{games:,} games, {failures} failures", file=sys.stderr)
    elapsed = time.perf_counter() - began
    form = "compiled" if COMPILED else "plain"
    print(
        f"{games:,} games, {actions:,} actions, {failures} failures, ante up to {max(antes)}, "
        f"{elapsed:.0f} s, {form}"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
