"""How good a policy is: games on seeds that training does not see, with 95 % intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from math import sqrt
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final

from jimbot.game import DECKS, STAKES, Run
from jimbot.policy import make

if TYPE_CHECKING:
    from jimbot.appliance.home import Home
    from jimbot.policy.protocol import Policy

# The normal distribution's for 95 %.
_Z: Final = 1.96
# A game of so many actions goes nowhere; it counts as it stands.
MAX_ACTIONS: Final = 5000


@dataclass(frozen=True)
class Game:
    """One game that was played.

    Attributes:
        ante: the one reached; 9 for a won game.
        score: of the best hand, in chips.
        thinking_ms: how long the policy thought about each action.
    """

    seed: str
    won: bool
    ante: int
    score: float
    thinking_ms: list[float]


@dataclass(frozen=True)
class Evaluation:
    """What games told of a policy.

    Attributes:
        games: how many were played.
        win_rate, win_rate_ci: the share that was won, and its Wilson interval.
        mean_ante, mean_ante_ci: the ante reached, and its normal interval; a won game counts 9.
        antes: how many games ended in each ante, from 1 to 8, and last how many were won.
        mean_score, mean_score_ci, best_score: of each game's best hand, in chips.
        decision_ms_p50, decision_ms_p99, decision_ms_max: how long it thought about an action.
    """

    policy: str
    deck: str
    stake: str
    games: int
    win_rate: float
    win_rate_ci: tuple[float, float]
    mean_ante: float
    mean_ante_ci: tuple[float, float]
    antes: list[int]
    mean_score: float
    mean_score_ci: tuple[float, float]
    best_score: float
    decision_ms_p50: float
    decision_ms_p99: float
    decision_ms_max: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def proper_name(name: str, names: Sequence[str]) -> str:
    """A deck's or stake's name however it is capitalised; the name itself when there is none."""
    return next((known for known in names if known.lower() == name.lower()), name)


def evaluate(
    policy: Policy,
    seeds: Sequence[str],
    *,
    deck: str = "Red",
    stake: str = "White",
    after_game: Callable[[int, Run], None] | None = None,
) -> Evaluation:
    """Let one policy play one game a seed.

    Args:
        after_game: told of every game, with its number from 1.

    Raises:
        InvalidSeed: a seed, the deck or the stake does not exist.
        ValueError: there are no seeds.
    """
    deck, stake = proper_name(deck, DECKS), proper_name(stake, STAKES)
    _check(seeds, deck, stake)
    games: list[Game] = []
    for number, seed in enumerate(seeds, 1):
        run = Run(seed, deck, stake)
        games.append(play(policy, run))
        if after_game is not None:
            after_game(number, run)
    return summary(policy.name, deck, stake, games)


def evaluate_by_name(
    name: str,
    seeds: Sequence[str],
    *,
    deck: str = "Red",
    stake: str = "White",
    jobs: int = 1,
    home: Home | None = None,
    after_game: Callable[[int, Game], None] | None = None,
) -> Evaluation:
    """Let a fresh policy of this name play each game, several at a time.

    Each game's policy draws from the game's number, so that `jobs` changes nothing but the time
    that it takes.

    Raises:
        UnknownPolicy, PolicyFileError: there is no such policy.
        InvalidSeed: a seed, the deck or the stake does not exist.
        ValueError: there are no seeds.
    """
    policy = make(name, home=home)
    deck, stake = proper_name(deck, DECKS), proper_name(stake, STAKES)
    _check(seeds, deck, stake)
    one = partial(_play_by_name, name, home, deck, stake)
    if jobs == 1:
        return summary(policy.name, deck, stake, _told(map(one, enumerate(seeds)), after_game))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        played = _told(pool.map(one, enumerate(seeds)), after_game)
    return summary(policy.name, deck, stake, played)


def _check(seeds: Sequence[str], deck: str, stake: str) -> None:
    if not seeds:
        raise ValueError("an evaluation needs at least one game")
    for seed in seeds:
        Run(seed, deck, stake)


def _told(played: Iterable[Game], after_game: Callable[[int, Game], None] | None) -> list[Game]:
    games: list[Game] = []
    for game in played:
        games.append(game)
        if after_game is not None:
            after_game(len(games), game)
    return games


def _play_by_name(
    name: str, home: Home | None, deck: str, stake: str, numbered: tuple[int, str]
) -> Game:
    number, seed = numbered
    return play(make(name, seed=number, home=home), Run(seed, deck, stake))


def play(policy: Policy, run: Run) -> Game:
    """Let a policy play a run to its end."""
    times: list[float] = []
    for _ in range(MAX_ACTIONS):
        if run.over:
            break
        began = time.perf_counter()
        action = policy.act(run)
        times.append(1000.0 * (time.perf_counter() - began))
        run.step(action)
    return Game(run.seed, run.won, 9 if run.won else run.ante, run.best_hand, times)


def summary(policy: str, deck: str, stake: str, games: Sequence[Game]) -> Evaluation:
    """What games told, at least one."""
    count = len(games)
    wins = sum(game.won for game in games)
    antes = [float(game.ante) for game in games]
    scores = [game.score for game in games]
    times = sorted(moment for game in games for moment in game.thinking_ms)
    return Evaluation(
        policy=policy,
        deck=deck,
        stake=stake,
        games=count,
        win_rate=wins / count,
        win_rate_ci=wilson(wins, count),
        mean_ante=sum(antes) / count,
        mean_ante_ci=normal(antes),
        antes=[sum(not game.won and game.ante == ante for game in games) for ante in range(1, 9)]
        + [wins],
        mean_score=sum(scores) / count,
        mean_score_ci=normal(scores),
        best_score=max(scores),
        decision_ms_p50=_quantile(times, 0.5),
        decision_ms_p99=_quantile(times, 0.99),
        decision_ms_max=max(times),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson; it lies in [0, 1] however few there are."""
    share = hits / count
    spread = _Z * sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    middle = share + _Z**2 / (2 * count)
    scale = 1 + _Z**2 / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def normal(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of a mean, by the normal distribution; of one value that value."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, mean
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    spread = _Z * sqrt(variance / len(values))
    return mean - spread, mean + spread


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
