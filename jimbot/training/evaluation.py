"""Evaluation while training: the same held-out seeds each time, played as the export would play.

Runners share the games; each has them played by numpy, like whoever will play for real.
"""

from __future__ import annotations

from math import sqrt
from statistics import fmean, stdev
from typing import TYPE_CHECKING, NamedTuple

from jimbot.events.payloads import TrainingEvaluation
from jimbot.policy.evaluate import evaluate, held_out_seeds, wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jimbot.game import Run
    from jimbot.policy.protocol import Policy
    from jimbot.policy.weights import Weights


class Outcome(NamedTuple):
    """How one game went; a won one reached ante 9."""

    ante: int
    won: bool


def outcomes(policy: Policy, seeds: Sequence[str], deck: str, stake: str) -> list[Outcome]:
    """Play a game a seed."""
    found: list[Outcome] = []

    def after(_: int, run: Run) -> None:
        found.append(Outcome(9 if run.won else run.ante, run.won))

    if seeds:
        evaluate(policy, seeds, deck=deck, stake=stake, after_game=after)
    return found


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
    mean = fmean(antes)
    spread = 1.96 * stdev(antes) / sqrt(len(antes)) if len(antes) > 1 else 0.0
    wins = sum(game.won for game in found)
    least, most = wilson(wins, len(found))
    return TrainingEvaluation(
        run=run,
        iteration=iteration,
        steps=steps,
        games=len(found),
        stake=stake,
        mean_ante=mean,
        mean_ante_low=mean - spread,
        mean_ante_high=mean + spread,
        win_rate=wins / len(found),
        win_rate_low=least,
        win_rate_high=most,
    )
