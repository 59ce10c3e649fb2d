"""How fast the environment is: `python benchmarks/env.py [--json]`, one process, one core.

Random legal rows on the Red Deck, White Stake, with observation and mask built at every step.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

import jimbot.game.run
from jimbot.env.environment import BalatroEnv
from jimbot.game import Run
from jimbot.policy import make
from jimbot.policy.features import Observer


def random_steps(seconds: float) -> dict[str, float]:
    """Environment steps a second under random legal rows."""
    env = BalatroEnv()
    rng = np.random.default_rng(1)
    seen, _ = env.reset(seed=1)
    steps = games = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(50):
            legal = np.flatnonzero(seen["action_mask"])
            seen, _, terminated, truncated, _ = env.step(legal[rng.integers(len(legal))])
            if terminated or truncated:
                games += 1
                seen, _ = env.reset()
        steps += 50
    took = time.perf_counter() - began
    return {"steps_per_s": round(steps / took), "games_per_s": round(games / took, 1)}


def looks(seconds: float) -> dict[str, float]:
    """Observations a second over the states of games that are played well, so that jokers count."""
    states = []
    policy = make("heuristic")
    run = Run("ALEEB")
    while not run.over and len(states) < 150:
        states.append(run.clone())
        run.step(policy.act(run))
    observer = Observer()
    count = 0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds:
        for state in states:
            observer.observe(state)
        count += len(states)
    return {"observations_per_s": round(count / (time.perf_counter() - began))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    options = parser.parse_args()
    compiled = not str(jimbot.game.run.__file__).endswith(".py")
    figures = {"compiled": compiled, **random_steps(options.seconds), **looks(options.seconds)}
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>20}  {value}", file=sys.stdout)


if __name__ == "__main__":
    main()
