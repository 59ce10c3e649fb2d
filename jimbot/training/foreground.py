"""Training in the foreground, without the rest of the appliance: `jimbot train`.

First a teacher is imitated, then PPO goes on from there. Its curve, the evaluations on held-out
seeds, is written into the home as `curve.json` and `curve.png` each time that it grows.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jimbot.appliance import Appliance, Home
from jimbot.appliance.training import Preset
from jimbot.events.payloads import TrainingEvaluation, TrainingIteration
from jimbot.files import write_whole
from jimbot.training import checkpoints, cluster
from jimbot.training.driver import Plan, Progress, Status, train
from jimbot.training.errors import TrainingError
from jimbot.training.pauses import Pauses

_log = logging.getLogger(__name__)

CURVE: Final = "curve.json"
PICTURE: Final = "curve.png"
IMITATION: Final = "imitation.npz"


def run(
    appliance: Appliance,
    home: Home,
    preset: Preset,
    *,
    minutes: float,
    resume: bool,
    start: Path | None,
    stop: threading.Event,
    told: Callable[[str], object] = lambda _: None,
    connected: Callable[[], object] = lambda: None,
    iterated: Callable[[TrainingIteration], object] = lambda _: None,
    evaluated: Callable[[TrainingEvaluation], object] = lambda _: None,
) -> Progress:
    """Train for so many minutes of PPO, or until `stop` is set; the last checkpoint is the result.

    Pauses are not counted among the minutes.

    Args:
        resume: go on from the newest whole checkpoint of the home.
        start: an exported policy to start from, in place of an imitation.
        told: called with a line of text before each part.

    Raises:
        MissingExtra: Ray is not installed.
        TrainingError: the home has checkpoints and `resume` does not say what to do with them, or
            it has none to resume from.
    """
    home.prepare()
    cluster.environment(home)  # before anything imports Ray
    have = checkpoints.newest(home.checkpoints)
    if have is not None and not resume:
        raise TrainingError(
            f"{home.path} has been trained already (checkpoint {have.name})",
            hint="Go on with --resume, or train elsewhere: jimbot --home DIR train",
        )
    if have is None and resume:
        raise TrainingError(
            f"there is no whole checkpoint in {home.checkpoints}",
            hint="Leave --resume away to start anew",
        )
    if have is None and start is None and preset.lessons:
        start = imitate(appliance, home, preset, stop=stop, told=told)
    if stop.is_set():
        return Progress()
    curve = Curve(home.path)
    plan = Plan(
        share=preset.share,
        connect=lambda stopped: cluster.local(home, preset.share, stopped=stopped),
        start=start,
        events=None,
        pauses=Pauses.of(appliance),
        evaluate_every=preset.evaluate_every,
        evaluation_games=preset.evaluation_games,
    )

    def measured(evaluation: TrainingEvaluation) -> None:
        curve.add(evaluation)
        evaluated(evaluation)

    told(f"Training for {minutes:g} minutes")
    status = Status()

    def end_in_time() -> None:
        began = time.monotonic()
        while (left := minutes * 60 - (time.monotonic() - began - status.paused_s)) > 0:
            if stop.wait(left):
                return
        stop.set()

    def ready() -> None:
        threading.Thread(target=end_in_time, name="training-time", daemon=True).start()
        connected()

    try:
        return train(
            appliance,
            home,
            plan,
            stop=stop,
            status=status,
            connected=ready,
            paused=lambda reason: told(f"Waiting: {reason}" if reason else "Going on"),
            iterated=iterated,
            evaluated=measured,
        )
    finally:
        stop.set()
        shutil.rmtree(cluster.scratch(home), ignore_errors=True)  # Ray's sockets and logs


def imitate(
    appliance: Appliance,
    home: Home,
    preset: Preset,
    *,
    stop: threading.Event,
    told: Callable[[str], object],
) -> Path | None:
    """Record the teacher, learn from it, and write what came of it; None when told to stop."""
    from jimbot.env.environment import BalatroEnv
    from jimbot.training import imitation
    from jimbot.training.module import SIZE, RowsModule

    table = appliance.training
    told(f"Recording {preset.lessons} games of {preset.teacher}")
    task = imitation.Task(
        0, preset.lessons, 1, preset.teacher, deck=table.decks[0], stake=table.stake
    )
    lessons, recorded = imitation.record(task, processes=min(2, os.cpu_count() or 1))
    if stop.is_set():
        return None
    told(
        f"Learning from {recorded.lessons} moments ({recorded.unmapped} that no row performs); "
        f"the teacher reached ante {recorded.antes / recorded.games:.2f}"
    )
    env = BalatroEnv()
    module = RowsModule(
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config=SIZE,
        catalog_class=None,
    )
    learned = imitation.learn(
        module,
        lessons,
        epochs=preset.lesson_epochs,
        learned=lambda epoch: told(
            f"epoch {epoch.epoch}: loss {epoch.loss:.3f}, held out {epoch.held_out_loss:.3f}, "
            f"{epoch.accuracy:.1%} as the teacher"
        ),
    )
    file = home.path / IMITATION
    imitation.export(module, file, recorded, learned)
    return file


class Curve:
    """The evaluations of a run, in a file that a resumed run goes on with.

    Args:
        directory: where the files are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._began = time.monotonic()
        self.points: list[dict[str, Any]] = []
        try:
            self.points = json.loads((directory / CURVE).read_text())
        except FileNotFoundError:
            pass
        except ValueError as error:
            _log.warning("%s is begun anew: %s", directory / CURVE, error)
        self._before = self.points[-1]["minutes"] if self.points else 0.0

    def add(self, evaluation: TrainingEvaluation) -> None:
        """Take an evaluation in, and write both files."""
        minutes = self._before + (time.monotonic() - self._began) / 60
        self.points.append({"minutes": round(minutes, 2)} | evaluation.model_dump())
        write_whole(self._directory / CURVE, json.dumps(self.points, indent=1).encode())
        try:
            draw(self.points, self._directory / PICTURE)
        except ImportError:
            _log.info("no picture: matplotlib is not installed")


def draw(
    points: list[dict[str, Any]],
    file: Path,
) -> None:
    """Draw a curve.

    Args:
        points: as in `curve.json`.
        file: the picture; its suffix says which kind.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(2, sharex=True, figsize=(7, 6), layout="constrained")
    steps = [point["steps"] / 1e6 for point in points]
    for axes, name, what, scale in (
        (panels[0], "mean_ante", "mean ante reached", 1.0),
        (panels[1], "win_rate", "games won, %", 100.0),
    ):
        axes.plot(steps, [point[name] * scale for point in points], color="C0")
        low, high = (
            [point[f"{name}_{end}"] * scale for point in points] for end in ("low", "high")
        )
        axes.fill_between(steps, low, high, color="C0", alpha=0.2)
        axes.set_ylabel(what)
        axes.grid(alpha=0.3)
    panels[0].set_title("held-out seeds, with 95 % intervals", fontsize="medium")
    panels[1].set_xlabel("environment steps, millions")
    figure.savefig(file, dpi=120)
    pyplot.close(figure)
