"""How fast the environment is: `python benchmarks/env.py [--json]`, one process, one core.

Random legal rows on the Red Deck, White Stake, with observation and mask built at every step. Each
figure is per second by the clock and, as other work may share the machine, per second of this
process's CPU time.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np

import jimbot.policy
from jimbot.env.environment import BalatroEnv
from jimbot.env.vector import BalatroVectorEnv
from jimbot.game import Run
from jimbot.policy import make
from jimbot.policy.features import Observer

ENVIRONMENTS = 16


def rates(name: str, seconds: float, some: Callable[[], int]) -> dict[str, float]:
    """How often a second what `some` does so often at a call can be done."""
    some()
    count = 0
    began, used = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        count += some()
    took, cpu = time.perf_counter() - began, time.process_time() - used
    return {f"{name}_per_s": round(count / took), f"{name}_per_cpu_s": round(count / cpu)}


def single(foresight: bool = False) -> Callable[[], int]:
    """Steps of `ENVIRONMENTS` environments, one after the other."""
    envs = [BalatroEnv(foresight=foresight) for _ in range(ENVIRONMENTS)]
    rng = np.random.default_rng(1)
    views = [env.reset(seed=number)[0] for number, env in enumerate(envs)]

    def some() -> int:
        for number, env in enumerate(envs):
            legal = np.flatnonzero(views[number]["action_mask"])
            row = legal[rng.integers(len(legal))]
            views[number], _, terminated, truncated, _ = env.step(row)
            if terminated or truncated:
                views[number], _ = env.reset()
        return ENVIRONMENTS

    return some


def vector() -> Callable[[], int]:
    """The same at once in a vector environment; a new game's start counts as no step."""
    envs = BalatroVectorEnv(ENVIRONMENTS)
    rng = np.random.default_rng(1)
    view = envs.reset(seed=0)[0]
    ended = np.zeros(ENVIRONMENTS, np.bool_)

    def some() -> int:
        nonlocal view, ended
        # Each legal row as likely as another: the greatest of random numbers.
        masks = view["action_mask"]
        rows = (masks * rng.random(masks.shape, np.float32)).argmax(1)
        started = int(ended.sum())
        view, _, terminations, truncations, _ = envs.step(rows)
        ended = terminations | truncations
        return ENVIRONMENTS - started

    return some


def looks(foresight: bool = False) -> Callable[[], int]:
    """Observations of the states of a game that is played well, so that jokers count."""
    states = []
    policy = make("heuristic")
    run = Run("ALEEB")
    while not run.over and len(states) < 150:
        states.append(run.clone())
        run.step(policy.act(run))
    observer = Observer(foresight=foresight)

    def some() -> int:
        for state in states:
            observer.observe(state)
        return len(states)

    return some


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each figure")
    options = parser.parse_args()
    figures: dict[str, float] = {
        "compiled": jimbot.policy.COMPILED,
        **rates("steps", options.seconds, single()),
        **rates("vector_steps", options.seconds, vector()),
        **rates("observations", options.seconds, looks()),
        **rates("steps_with_foresight", options.seconds, single(foresight=True)),
        **rates("observations_with_foresight", options.seconds, looks(foresight=True)),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:>26}  {value}", file=sys.stdout)


if __name__ == "__main__":
    main()
