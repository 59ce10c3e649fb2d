"""The driver's parts, on a learner and runners that are real but small, in this process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.evaluation.postprocessing import Postprocessing

from jimbot.appliance import Appliance, Home
from jimbot.env.environment import BalatroEnv
from jimbot.game import Run
from jimbot.policy import make, seeds
from jimbot.policy.evaluate import evaluate
from jimbot.policy.seeds import held_out_seeds
from jimbot.training import checkpoints, cluster, driver, evaluation, foreground, games, imitation
from jimbot.training.driver import Status
from jimbot.training.errors import TrainingError
from jimbot.training.evaluation import Outcome
from jimbot.training.learner import RowsLearner
from jimbot.training.module import RowsModule
from jimbot.training.pauses import Pauses
from jimbot.training.service import health


def group(learner: Any = None) -> Any:
    """As much of an algorithm as a pause needs."""
    asked: list[Any] = []
    return SimpleNamespace(
        asked=asked, learner_group=SimpleNamespace(foreach_learner=lambda done: asked.append(done))
    )


def test_a_pause_gives_the_gpu_back_says_why_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = ["live game", "live game", ""]
    seen: list[tuple[str, str]] = []
    status = Status(stage="training", last_iteration=-1e9, device="cuda")
    stop = threading.Event()
    told: list[str] = []

    class Waiting(Pauses):
        def reason(self) -> str:
            if status.paused:
                answer = health(status)
                seen.append((answer.status, answer.reason))
            return reasons.pop(0)

    algorithm = group()
    monkeypatch.setattr(driver, "PAUSE_S", 0.001)
    assert driver._pause(algorithm, Waiting(), status, stop, told.append)
    assert told == ["live game", ""]
    assert status.paused_s > 0
    assert set(seen) == {("ok", "paused: live game")}
    assert [done.__name__ for done in algorithm.asked] == ["give_back", "take_back"]
    assert status.paused == ""
    assert health(status).status == "ok"  # a pause was no stall


def test_without_a_gpu_a_pause_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = ["live game", ""]
    algorithm, pauses = group(), Pauses()
    monkeypatch.setattr(pauses, "reason", lambda: reasons.pop(0))
    monkeypatch.setattr(driver, "PAUSE_S", 0.001)
    told: list[str] = []
    assert driver._pause(algorithm, pauses, Status(device="cpu"), threading.Event(), told.append)
    assert told == ["live game", ""]
    assert algorithm.asked == []


def test_without_a_reason_nothing_is_moved() -> None:
    algorithm = group()
    assert not driver._pause(algorithm, Pauses(), Status(), threading.Event(), [].append)
    assert algorithm.asked == []


def test_a_stop_ends_a_pause() -> None:
    stop = threading.Event()
    stop.set()
    assert driver._pause(group(), Pauses([], lambda: True), Status(), stop, print)


def test_games_are_tallied_and_played_on_the_level_that_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(games, "_level", None)
    games.take_tally()
    env = games.make_env({"decks": ("Red",), "stake": "White"})
    assert env.reset(seed=1)[1]["stake"] == "White"
    games.set_level(("Gold", 2))
    assert env.reset(seed=1)[1]["stake"] == "Gold"
    rng = np.random.default_rng(1)
    done = False
    observed, _ = env.reset(seed=2)
    while not done:
        row = rng.choice(np.flatnonzero(observed["action_mask"]))
        observed, _, terminated, truncated, _ = env.step(row)
        done = terminated or truncated
    assert games.take_tally() == (1, 0)
    assert games.take_tally() == (0, 0)


def test_shares_of_an_evaluation_are_the_whole() -> None:
    from tests.policy.networks import untrained

    weights = untrained(1)
    parts = [evaluation.share(weights, number, 2, 5, "Red", "White") for number in range(2)]
    assert [len(part) for part in parts] == [3, 2]
    whole = evaluation.share(weights, 0, 1, 5, "Red", "White")
    assert sorted(whole) == sorted(parts[0] + parts[1])


def test_an_evaluation_in_training_agrees_with_jimbot_evaluate() -> None:
    policy = make("random", seed=3)
    told = evaluation.summary(
        evaluation.outcomes(policy, held_out_seeds(6), "Red", "White"),
        run="r",
        iteration=1,
        steps=2,
        stake="White",
    )
    other = evaluate(make("random", seed=3), held_out_seeds(6))
    assert told.mean_ante == pytest.approx(other.mean_ante)
    assert (told.mean_ante_low, told.mean_ante_high) == pytest.approx(other.mean_ante_ci)
    assert (told.win_rate_low, told.win_rate_high) == pytest.approx(other.win_rate_ci)


def test_training_never_sees_the_held_out_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever draws one by chance draws again."""
    drawn = iter([*held_out_seeds(3), "LEARN1", held_out_seeds(seeds.HELD_OUT)[-1], "LEARN2"])
    monkeypatch.setattr(seeds, "random_seed", lambda _: next(drawn))
    _, told = BalatroEnv().reset()
    assert told["seed"] == "LEARN1"
    played: list[str] = []
    monkeypatch.setattr(
        imitation, "Run", lambda seed, *rest: played.append(seed) or Run(seed, *rest)
    )
    imitation.play(imitation.Task(0, 1, 5, "random"))
    assert played == ["LEARN2"]


def test_while_warming_up_only_the_values_layer_learns() -> None:
    env = BalatroEnv()
    module = RowsModule(
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config={"width": 8, "embedding": 4},
        catalog_class=None,
    )
    observed, _ = env.reset(seed=1)
    batch = {
        Columns.OBS: {name: torch.tensor(array)[None] for name, array in observed.items()},
        Postprocessing.VALUE_TARGETS: torch.tensor([5.0]),
    }
    logged: list[Any] = []
    learner = SimpleNamespace(
        warming=True,
        module={"default_policy": module},
        metrics=SimpleNamespace(log_dict=lambda *told, **_: logged.append(told)),
    )
    loss = RowsLearner.compute_loss_for_module(
        learner,
        module_id="default_policy",
        config=None,
        batch=batch,
        fwd_out=module._forward_train(batch),
    )
    loss.backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name  # RLlib wants one of each
        learns = bool(parameter.grad.abs().sum() > 0)
        assert learns == name.startswith("value."), name
    assert logged


def test_a_trained_home_is_not_trained_over(appliance: Appliance, home: Home) -> None:
    def begin(*, resume: bool) -> None:
        foreground.run(
            appliance,
            home,
            appliance.training.presets["smoke"],
            minutes=1,
            resume=resume,
            start=None,
            stop=threading.Event(),
        )

    with pytest.raises(TrainingError, match="no whole checkpoint"):
        begin(resume=True)
    checkpoints.save(home.checkpoints, 5, lambda path: (path / "x").write_text("x"), keep=3)
    with pytest.raises(TrainingError, match="trained already"):
        begin(resume=False)


def test_a_curve_goes_on_after_a_restart(tmp_path: Path) -> None:
    found = [Outcome(3, False), Outcome(9, True)]

    def at(steps: int) -> Any:
        return evaluation.summary(found, run="r", iteration=1, steps=steps, stake="White")

    foreground.Curve(tmp_path).add(at(100))
    curve = foreground.Curve(tmp_path)
    curve.add(at(200))
    assert [point["steps"] for point in curve.points] == [100, 200]
    assert [point["mean_ante"] for point in foreground.Curve(tmp_path).points] == [6.0, 6.0]
    pytest.importorskip("matplotlib")
    assert (tmp_path / foreground.PICTURE).read_bytes()[:4] == b"\x89PNG"


def test_a_policy_that_does_not_fit_is_no_start(tmp_path: Path) -> None:
    file = tmp_path / "policy.npz"
    file.write_bytes(b"nothing")
    assert not driver._start(group(), file)


def test_the_presets_are_whole(appliance: Appliance) -> None:
    assert set(appliance.training.presets) == {"smoke", "laptop", "workstation"}
    for preset in appliance.training.presets.values():
        assert preset.share.minibatch <= preset.share.batch
    assert all(Run("1", deck, appliance.training.stake) for deck in appliance.training.decks)


@pytest.fixture
def start(home: Home, small_table: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `jimbot train --preset smoke`, made smaller."""
    running: list[subprocess.Popen[str]] = []
    small_table.write_text(
        small_table.read_text()
        .replace("lessons = 20", "lessons = 4")
        .replace("evaluation_games = 10", "evaluation_games = 4")
        .replace("evaluate_every = 2", "evaluate_every = 1")
    )

    def begin(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jimbot", "--home", str(home.path)),
                *("--table", str(small_table), "train", "--preset", "smoke", "--json"),
                *arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()
    shutil.rmtree(cluster.scratch(home), ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_command_trains_resumes_after_a_kill_and_draws(
    home: Home, start: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start("--for", "10")
    assert process.stdout is not None
    told: list[dict[str, Any]] = []
    while not checkpoints.newest(home.checkpoints) or told[-1]["kind"] != "evaluation":
        told.append(json.loads(process.stdout.readline()))
    process.kill()
    process.wait()
    saved = checkpoints.newest(home.checkpoints)
    assert saved is not None
    points = json.loads((home.path / foreground.CURVE).read_text())
    assert points[-1]["games"] == 4

    process = start("--resume", "--for", "0.05")  # ends by itself
    out, _ = process.communicate()
    assert process.returncode == 0
    end = json.loads(out.splitlines()[-1])
    assert (end["kind"], end["run"]) == ("end", told[-1]["run"])
    assert end["steps"] >= int(saved.name)
    assert not cluster.scratch(home).joinpath("ray").exists()
