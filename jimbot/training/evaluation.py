"""Evaluation while training: the same held-out seeds each time, played as the export would play.

Runners share the games; each has them played by numpy, like whoever will play for real.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from jimbot.events.payloads import TrainingEvaluation
from jimbot.game import Run
from jimbot.policy.evaluate import normal, play, wilson
from jimbot.policy.seeds import held_out_seeds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jimbot.policy.protocol import Policy
    from jimbot.policy.weights import Weights


class Outcome(NamedTuple):
    """How one game went; a won one reached ante 9."""

    ante: int
    won: bool


def outcomes(policy: Policy, seeds: Sequence[str], deck: str, stake: str) -> list[Outcome]:
    """Play a game a seed."""
    games = (play(policy, Run(seed, deck, stake)) for seed in seeds)
    return [Outcome(game.ante, game.won) for game in games]


def share(
    weights: Weights, number: int, of: int, games: int, deck: str, stake: str
) -> list[Outcome]:
    """What the runner `number` of so many (from 0) plays of the games: every `of`-th seed."""
    from jimbot.policy.network import NetworkPolicy
    from jimbot.policy.weights import Header

    policy = NetworkPolicy.of(weights, Header(policy="training", progress={}))
    return outcomes(policy, held_out_seeds(games)[number::of], deck, stake)


def summary(
    found: Sequence[Outcome], *, run: str, iteration: int, steps: int, stake: str
) -> TrainingEvaluation:
    """What games told, as an event's payload."""
    antes = [float(game.ante) for game in found]
    low, high = normal(antes)
    wins = sum(game.won for game in found)
    least, most = wilson(wins, len(found))
    return TrainingEvaluation(
        run=run,
        iteration=iteration,
        steps=steps,
        games=len(found),
        stake=stake,
        mean_ante=fmean(antes),
        mean_ante_low=low,
        mean_ante_high=high,
        win_rate=wins / len(found),
        win_rate_low=least,
        win_rate_high=most,
    )
