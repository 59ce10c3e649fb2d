"""Which seeds measure a policy, and that training meets none of them."""

from __future__ import annotations

import random
from functools import cache
from typing import Final

from jimbot.game import random_seed

HELD_OUT: Final = 5000
"""So many seeds are for evaluation alone."""


def held_out_seeds(count: int) -> list[str]:
    """The first so many of the held-out seeds, always the same.

    Raises:
        ValueError: there are not so many.
    """
    if count > HELD_OUT:
        raise ValueError(f"{count} held-out seeds are wanted, there are {HELD_OUT}")
    return list(_held_out()[:count])


def training_seed(rng: random.Random) -> str:
    """A random seed to learn from, which is not held out."""
    held_out = _held_out_set()
    while (seed := random_seed(rng)) in held_out:
        pass
    return seed


@cache
def _held_out() -> tuple[str, ...]:
    rng = random.Random("held-out")
    return tuple(random_seed(rng) for _ in range(HELD_OUT))


@cache
def _held_out_set() -> frozenset[str]:
    return frozenset(_held_out())
