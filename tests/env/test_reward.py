"""The reward cannot be farmed: it adds up to how far a run has come, on whatever way."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from jimbot.appliance import Home
from jimbot.env.environment import BalatroEnv
from jimbot.env.reward import ANTES, WIN_BONUS, progress, reached
from jimbot.game import Action, ActionKind, Run
from jimbot.policy import LEARNED, Policy, layout, make
from jimbot.policy.seeds import held_out_seeds


@pytest.mark.parametrize("seed", range(6))
def test_rewards_add_up_to_the_progress_at_the_end(seed: int) -> None:
    """Rows at random, those that only select and turn pages among them, and illegal ones."""
    env = BalatroEnv()
    rng = random.Random(seed)
    observed, _ = env.reset(seed=seed)
    total, done = 0.0, False
    while not done:
        legal = [row for row, open_ in enumerate(observed["action_mask"]) if open_]
        row = rng.randrange(layout.ROWS) if rng.random() < 0.05 else rng.choice(legal)
        observed, reward, terminated, truncated, _ = env.step(row)
        total += reward
        done = terminated or truncated
    assert total == pytest.approx(progress(env.run))


def test_they_add_up_in_long_games_too() -> None:
    policy = make("heuristic")
    for seed in held_out_seeds(2):
        run = Run(seed)
        total = 0.0
        while not run.over:
            before = progress(run)
            run.step(policy.act(run))
            total += progress(run) - before
        assert total == pytest.approx(progress(run))


def test_going_back_and_forth_brings_nothing() -> None:
    """Selecting and letting go, sorting, moving jokers: whatever circle leads to where it began."""
    env = BalatroEnv()
    env.reset(options={"seed": "ALEEB"})
    env.step(layout.SELECT_BLIND)
    before = progress(env.run)
    total = 0.0
    for _ in range(20):
        for row in (layout.TOGGLE_CARD, layout.TOGGLE_CARD, layout.SORT_HAND, layout.SORT_HAND + 1):
            total += env.step(row)[1]
    assert total == 0.0
    assert progress(env.run) == before


def test_a_nearer_goal_ends_the_game_as_won() -> None:
    env = BalatroEnv()
    policy = make("heuristic")
    for seed in held_out_seeds(4):
        env.reset(options={"seed": seed, "goal": 1})
        run = env.run
        total = 0.0
        while True:
            path = env._episode.observer.path(run, policy.act(run))
            env._episode.observer.observe(run)
            for row in path:
                _, reward, terminated, _, info = env.step(row)
                total += reward
            if terminated:
                break
        assert total == pytest.approx(progress(run, 1))
        if info["won"]:
            assert run.ante == 2
            assert total == pytest.approx(1 + WIN_BONUS)
            return
    pytest.fail("the heuristic beat no first boss in four games")


def test_a_run_that_is_won_has_reached_every_goal() -> None:
    run = Run("ALEEB")
    assert not reached(run)
    assert not reached(run, 1)
    assert progress(run) == 0.0
    run.won = True
    assert reached(run)
    assert progress(run) == ANTES + WIN_BONUS


class Clumsy:
    """A policy that in so many of its decisions does whatever is legal."""

    def __init__(self, policy: Policy, share: float) -> None:
        self.name = f"{policy.name} {share:.0%} clumsy"
        self.confidence = 1.0
        self._policy = policy
        self._random = make("random", seed=7)
        self._share = share
        self._rng = random.Random(7)

    def act(self, run: Run) -> Action:
        chosen = self._random if self._rng.random() < self._share else self._policy
        return chosen.act(run)


class Timid:
    """Beats what it must and buys nothing."""

    name = "timid"
    confidence = 1.0

    def __init__(self) -> None:
        self._policy = make("heuristic")

    def act(self, run: Run) -> Action:
        action = self._policy.act(run)
        buys = (ActionKind.BUY_CARD, ActionKind.BUY_PACK, ActionKind.BUY_VOUCHER, ActionKind.REROLL)
        return Action(ActionKind.LEAVE_SHOP) if action.kind in buys else action


POLICIES: list[Callable[[], Policy]] = [
    lambda: make("random", seed=1),
    lambda: Clumsy(make("heuristic"), 0.5),
    lambda: Timid(),
    lambda: make(LEARNED, home=Home(Path("nowhere"))),
    lambda: make("heuristic"),
]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_shaped_and_the_plain_objective_rank_policies_the_same() -> None:
    """Plain: antes beaten and games won, without parts of antes and of blinds."""
    shaped, plain = [], []
    for made in POLICIES:
        policy = made()
        total = antes = 0.0
        for seed in held_out_seeds(GAMES):
            run = Run(seed)
            for _ in range(1500):
                if run.over:
                    break
                run.step(policy.act(run))
            total += progress(run)
            antes += ANTES + WIN_BONUS if run.won else run.ante - 1
        shaped.append(total / GAMES)
        plain.append(antes / GAMES)
    assert sorted(range(len(shaped)), key=shaped.__getitem__) == sorted(
        range(len(plain)), key=plain.__getitem__
    ), (shaped, plain)
    # They differ by so much that the order is no accident.
    for values in (shaped, plain):
        ordered = sorted(values)
        assert all(b - a > 0.1 for a, b in pairwise(ordered)), values


GAMES = 12
