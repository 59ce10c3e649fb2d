from __future__ import annotations

import random
import subprocess
import sys

import pytest

from jimbot.game import Action, ActionKind, Run, random_seed
from jimbot.policy import NAMES, UnknownPolicy, make


def play(policy: str, seed: str, *, limit: int = 3000) -> tuple[Run, list[Action]]:
    run = Run(seed)
    chooser = make(policy, seed=5)
    actions = []
    while not run.over and len(actions) < limit:
        actions.append(chooser.act(run))
        assert 0.0 <= chooser.confidence <= 1.0
        run.step(actions[-1])
    return run, actions


@pytest.mark.parametrize("policy", [name for name in NAMES if name != "search"])
def test_a_game_is_played_to_its_end_and_the_same_again(policy: str) -> None:
    run, actions = play(policy, "ALEEB")
    assert run.over
    again, same = play(policy, "ALEEB")
    assert same == actions
    assert again.digest() == run.digest()


@pytest.mark.parametrize("policy", [name for name in NAMES if name != "search"])
def test_choosing_changes_nothing(policy: str) -> None:
    run = Run("7LB2WVPK")
    chooser = make(policy)
    for _ in range(60):
        if run.over:
            break
        before = run.digest()
        action = chooser.act(run)
        assert run.digest() == before
        run.step(action)


def test_the_heuristic_beats_the_random_policy_by_far() -> None:
    rng = random.Random(11)
    seeds = [random_seed(rng) for _ in range(6)]
    heuristic = [play("heuristic", seed)[0] for seed in seeds]
    mindless = [play("random", seed)[0] for seed in seeds]
    assert sum(run.ante for run in heuristic) >= 2 * len(seeds) + sum(run.ante for run in mindless)


def test_the_heuristic_cannot_see_the_future() -> None:
    """It chooses the same when the deck's order and all coming draws are other ones."""
    run = Run("ALEEB")
    rng = random.Random(2)
    for number in range(120):
        if run.over:
            break
        action = make("heuristic", seed=number).act(run)
        assert make("heuristic", seed=number).act(run.determinised(rng)) == action
        run.step(action)


def test_the_heuristic_takes_a_win_that_is_there() -> None:
    run = Run("ALEEB")
    run.step(Action(ActionKind.SELECT_BLIND))
    run.chips = run.required - 5
    action = make("heuristic").act(run)
    assert action.kind == ActionKind.PLAY
    run.step(action)
    assert run.chips == 0 or not run.hand  # the round is over


def test_an_unknown_policy_is_named_with_those_there_are() -> None:
    with pytest.raises(UnknownPolicy, match="heuristic"):
        make("oracle")


def test_policies_need_nothing_heavy() -> None:
    code = (
        "import sys; from jimbot.game import Run; from jimbot.policy import make\n"
        "for name in ('random', 'heuristic'): make(name).act(Run('ALEEB'))\n"
        "print([m for m in ('torch', 'ray', 'gymnasium', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
