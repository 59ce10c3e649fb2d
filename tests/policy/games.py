"""Runs in all sorts of situations, for tests."""

from __future__ import annotations

import random
from collections.abc import Iterator

from jimbot.game import DECKS, STAKES, Action, ActionKind, Run, random_seed
from jimbot.policy import make


def situations(seed: int, *, every: int = 1, limit: int = 200) -> Iterator[Run]:
    """The states of one game, played well or at random by turns, on a random deck and stake.

    The run that is given out goes on afterwards: clone it to keep it.
    """
    rng = random.Random(seed)
    run = Run(random_seed(rng), rng.choice(DECKS), rng.choice(STAKES))
    if rng.random() < 0.7:
        run.money = 60  # to see more of the shops
    policies = [make("random", seed=seed)]
    if rng.random() < 0.5:
        policies.append(make("heuristic", seed=seed))
    for number in range(limit):
        if run.over:
            return
        if number % every == 0:
            yield run
        run.step(rng.choice(policies).act(run))


def first_hand(seed: str, chips: float) -> Run:
    """With the first hand to play, against a blind that asks for so much."""
    run = Run(seed)
    run.step(Action(ActionKind.SELECT_BLIND))
    run.blind.chips = chips
    return run


class Ticking:
    """A clock that goes on by 10 ms at each look, whatever the machine does."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.looks * 0.01
