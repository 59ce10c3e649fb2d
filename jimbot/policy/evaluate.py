"""How good a policy is: games on seeds that training does not see, with 95 % intervals."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any, Final

from jimbot.game import Run, random_seed

if TYPE_CHECKING:
    from jimbot.policy.protocol import Policy

# The normal distribution's for 95 %.
_Z: Final = 1.96
# A game of so many actions goes nowhere; it counts as it stands.
MAX_ACTIONS: Final = 5000


@dataclass(frozen=True)
class Evaluation:
    """What games told of a policy.

    Attributes:
        games: how many were played.
        win_rate, win_rate_ci: the share that was won, and its Wilson interval.
        mean_ante, mean_ante_ci: the ante reached, and its normal interval; a won game counts 9.
        mean_score, best_score: of each game's best hand, in chips.
        decision_ms_p50, decision_ms_p99: how long the policy thought about an action.
    """

    policy: str
    deck: str
    stake: str
    games: int
    win_rate: float
    win_rate_ci: tuple[float, float]
    mean_ante: float
    mean_ante_ci: tuple[float, float]
    mean_score: float
    best_score: float
    decision_ms_p50: float
    decision_ms_p99: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def held_out_seeds(count: int) -> list[str]:
    """The first so many of the fixed seeds that are for evaluation alone.

    Training draws its seeds at random among 34^8, so that it meets none of them.
    """
    rng = random.Random("held-out")
    return [random_seed(rng) for _ in range(count)]


def evaluate(
    policy: Policy,
    seeds: Sequence[str],
    *,
    deck: str = "Red",
    stake: str = "White",
    after_game: Callable[[int, Run], None] | None = None,
) -> Evaluation:
    """Play one game a seed.

    Args:
        after_game: told of every game, with its number from 1.

    Raises:
        InvalidSeed: a seed, the deck or the stake does not exist.
        ValueError: there are no seeds.
    """
    if not seeds:
        raise ValueError("an evaluation needs at least one game")
    antes: list[int] = []
    scores: list[float] = []
    times: list[float] = []
    wins = 0
    for number, seed in enumerate(seeds, 1):
        run = Run(seed, deck, stake)
        for _ in range(MAX_ACTIONS):
            if run.over:
                break
            began = time.perf_counter()
            action = policy.act(run)
            times.append(1000.0 * (time.perf_counter() - began))
            run.step(action)
        wins += run.won
        antes.append(9 if run.won else run.ante)
        scores.append(run.best_hand)
        if after_game is not None:
            after_game(number, run)
    games = len(seeds)
    mean_ante = sum(antes) / games
    times.sort()
    return Evaluation(
        policy=policy.name,
        deck=deck,
        stake=stake,
        games=games,
        win_rate=wins / games,
        win_rate_ci=wilson(wins, games),
        mean_ante=mean_ante,
        mean_ante_ci=_normal(antes, mean_ante),
        mean_score=sum(scores) / games,
        best_score=max(scores),
        decision_ms_p50=_quantile(times, 0.5),
        decision_ms_p99=_quantile(times, 0.99),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson; it lies in [0, 1] however few there are."""
    share = hits / count
    spread = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    middle = share + _Z**2 / (2 * count)
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def _normal(values: list[int], mean: float) -> tuple[float, float]:
    if len(values) < 2:
        return mean, mean
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    spread = _Z * sqrt(variance / len(values))
    return mean - spread, mean + spread


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
