from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from jimbot.game import Run
from jimbot.game.errors import InvalidSeed
from jimbot.policy import make
from jimbot.policy.evaluate import evaluate, held_out_seeds, wilson


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # From the tables of Wilson's interval.
    [(0, 10, 0.0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1.0), (1, 1, 0.207, 1.0)],
)
def test_the_interval_of_a_share(hits: int, count: int, low: float, high: float) -> None:
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-3)


def test_the_held_out_seeds_stay_the_same() -> None:
    assert held_out_seeds(3) == held_out_seeds(50)[:3]
    assert len(set(held_out_seeds(500))) == 500


def test_an_evaluation_counts_what_was_played() -> None:
    ends: list[Run] = []
    result = evaluate(
        make("random", seed=3), ["A", "B", "C"], after_game=lambda _, r: ends.append(r)
    )
    assert result.games == 3
    assert [run.seed for run in ends] == ["A", "B", "C"]
    assert all(run.over for run in ends)
    assert result.win_rate == sum(run.won for run in ends) / 3
    assert result.mean_ante == sum(run.ante for run in ends) / 3
    assert result.best_score == max(run.best_hand for run in ends)
    assert result.mean_ante_ci[0] <= result.mean_ante <= result.mean_ante_ci[1]
    assert 0 < result.decision_ms_p50 <= result.decision_ms_p99


def test_no_games_or_unknown_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        evaluate(make("random"), [])
    with pytest.raises(InvalidSeed):
        evaluate(make("random"), ["A"], deck="Purple")


def test_the_command_prints_one_object_on_stdout() -> None:
    from jimbot.cli import main

    done = CliRunner().invoke(main, ["evaluate", "--policy", "random", "--games", "2", "--json"])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert {
        "games",
        "win_rate",
        "win_rate_ci",
        "mean_ante",
        "mean_score",
        "decision_ms_p50",
        "decision_ms_p99",
    } <= result.keys()
    assert result["games"] == 2
    assert "2/2" in done.stderr
