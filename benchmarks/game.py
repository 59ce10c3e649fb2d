"""The game on one core: actions and whole runs a second, cloning, previews, memory a game.

Times are of the processor, so that other work on the machine counts little.

Random legal play with random shopping. A full run plays all 24 rounds of eight antes; since random
play does not get far, a round's last hand is let win.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Callable

from jimbot.game import COMPILED, Action, Phase, Run, random_seed
from jimbot.game.sampling import random_action

SECONDS = 4.0


def full_run(rng: random.Random) -> int:
    """Play eight antes; the number of actions."""
    run = Run(random_seed(rng))
    actions = 0
    while run.phase_now != Phase.GAME_OVER:
        blind = run.blind
        if run.hands_left == 1 and blind is not None and run.phase_now == Phase.SELECTING_HAND:
            blind.chips = 0.0
        run.step(random_action(run, rng))
        actions += 1
    return actions


def honest_run(rng: random.Random) -> int:
    """Play until the run is lost; the number of actions."""
    run = Run(random_seed(rng))
    actions = 0
    while run.phase_now != Phase.GAME_OVER:
        run.step(random_action(run, rng))
        actions += 1
    return actions


def rate(play: Callable[[random.Random], int]) -> tuple[float, float]:
    """Runs and actions a second, over a few seconds."""
    rng = random.Random(1)
    runs = actions = 0
    start = time.process_time()
    while time.process_time() - start < SECONDS:
        actions += play(rng)
        runs += 1
    elapsed = time.process_time() - start
    return runs / elapsed, actions / elapsed


def engine_rate() -> float:
    """Actions a second of the engine alone: recorded games played again."""
    rng = random.Random(2)
    games: list[tuple[str, list[Action]]] = []
    for _ in range(300):
        seed = random_seed(rng)
        run = Run(seed)
        actions: list[Action] = []
        while run.phase_now != Phase.GAME_OVER:
            action = random_action(run, rng)
            run.step(action)
            actions.append(action)
        games.append((seed, actions))
    done = 0
    start = time.process_time()
    while time.process_time() - start < SECONDS:
        for seed, actions in games:
            run = Run(seed)
            for action in actions:
                run.step(action)
            done += len(actions)
    return done / (time.process_time() - start)


def microseconds(call: Callable[[], object], repeats: int = 20_000) -> float:
    start = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - start) / repeats * 1e6


def late_run() -> Run:
    """A run in ante 4 with jokers, in the middle of a hand."""
    rng = random.Random(5)
    while True:
        run = Run(random_seed(rng))
        while run.phase_now != Phase.GAME_OVER:
            if run.ante == 4 and len(run.jokers) >= 4 and run.phase_now == Phase.SELECTING_HAND:
                return run
            blind = run.blind
            if blind is not None and run.phase_now == Phase.SELECTING_HAND:
                blind.chips = 0.0
            run.step(random_action(run, rng))


def memory_per_game(count: int = 200) -> float:
    """Kilobytes of Python's memory that a game in ante 4 takes."""
    run = late_run()
    run.clone()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [Run.load(run.save()) for _ in range(count)]
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return (after - before) / len(kept) / 1024


def main() -> None:
    full, full_actions = rate(full_run)
    honest, honest_actions = rate(honest_run)
    run = late_run()
    rng = random.Random(0)
    figures: list[tuple[str, float, str, float | None]] = [
        ("full eight-ante runs", full, "/s", 300.0),
        ("actions in full runs, with choosing them", full_actions, "/s", None),
        ("random runs until lost", honest, "/s", None),
        ("actions in random runs, with choosing them", honest_actions, "/s", None),
        ("engine actions (recorded runs played again)", engine_rate(), "/s", 60_000.0),
        ("clone, ante 4", microseconds(run.clone), "us", 20.0),
        ("determinised clone", microseconds(lambda: run.determinised(rng), 5_000), "us", None),
        ("preview of 5 cards", microseconds(lambda: run.preview((0, 1, 2, 3, 4))), "us", None),
        ("digest", microseconds(run.digest, 3_000), "us", None),
        ("memory a game", memory_per_game(), "KB", 200.0),
    ]
    print(f"form: {'compiled' if COMPILED else 'plain'}")
    missed = False
    for name, value, unit, goal in figures:
        verdict = ""
        if goal is not None:
            reached = value <= goal if unit in ("us", "KB") else value >= goal
            verdict = f"   goal {goal:,.0f}: {'reached' if reached else 'MISSED'}"
            missed = missed or not reached
        print(f"{name:45s} {value:12,.1f} {unit}{verdict}")
    if missed and not COMPILED:
        print("the goals are for the compiled form: make compile")
    sys.exit(1 if missed and COMPILED else 0)


if __name__ == "__main__":
    main()
