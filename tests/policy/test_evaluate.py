from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jimbot.game import Run
from jimbot.game.errors import InvalidSeed
from jimbot.policy import make
from jimbot.policy.evaluate import evaluate, evaluate_by_name, wilson
from jimbot.policy.seeds import held_out_seeds


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
    assert sum(result.antes) == 3
    assert result.mean_score_ci[0] <= result.mean_score <= result.mean_score_ci[1]
    assert result.mean_ante_ci[0] <= result.mean_ante <= result.mean_ante_ci[1]
    assert 0 < result.decision_ms_p50 <= result.decision_ms_p99 <= result.decision_ms_max


def test_no_games_or_unknown_ones_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        evaluate(make("random"), [])
    with pytest.raises(InvalidSeed):
        evaluate(make("random"), ["A"], deck="Purple")


def test_several_games_at_a_time_change_nothing() -> None:
    one = evaluate_by_name("random", ["A", "B", "C", "D"])
    two = evaluate_by_name("random", ["A", "B", "C", "D"], jobs=2)
    assert (one.antes, one.mean_score) == (two.antes, two.mean_score)


def test_names_are_known_however_they_are_written() -> None:
    result = evaluate_by_name("random", ["A"], deck="bLUE", stake="white")
    assert (result.deck, result.stake) == ("Blue", "White")


def run_command(*arguments: str) -> Result:
    from jimbot.cli import main

    return CliRunner().invoke(main, ["evaluate", "--policy", "random", *arguments])


def test_the_command_prints_one_object_on_stdout(tmp_path: Path) -> None:
    done = run_command("--games", "2", "--stake", "white", "--json", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)
    assert {
        "games",
        "win_rate",
        "win_rate_ci",
        "mean_ante",
        "mean_score",
        "mean_score_ci",
        "best_score",
        "decision_ms_p50",
        "decision_ms_p99",
        "decision_ms_max",
    } <= result.keys()
    assert result["games"] == 2
    assert "2/2" in done.stderr
    (written,) = tmp_path.glob("*.json")
    assert json.loads(written.read_text()) == {**result, "seeds": held_out_seeds(2)}


def test_the_command_reads_seeds_from_a_file(tmp_path: Path) -> None:
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("ALEEB\n7LB2WVPK\n")
    done = run_command("--seeds", str(seeds), "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "2/2 7LB2WVPK" in done.stderr
    seeds.write_text("\n")
    assert run_command("--seeds", str(seeds), "--out", str(tmp_path)).exit_code == 2


def test_the_command_draws_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run_command("--games", "1", "--out", str(tmp_path))
    (picture,) = tmp_path.glob("*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert str(picture) in done.stderr


def test_without_matplotlib_it_tells_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run_command("--games", "1", "--out", str(tmp_path))
    assert done.exit_code == 0, done.output
    assert "jimbot[train]" in done.stderr
    assert list(tmp_path.glob("*.json"))
    assert not list(tmp_path.glob("*.png"))


def test_the_command_refuses_what_does_not_exist(tmp_path: Path) -> None:
    assert run_command("--stake", "Plaid", "--games", "1", "--out", str(tmp_path)).exit_code == 2
    assert run_command("--seeds", "!!", "--out", str(tmp_path)).exit_code == 2
    file = tmp_path / "file"
    file.write_text("")
    assert run_command("--games", "1", "--out", str(file / "below")).exit_code == 2
