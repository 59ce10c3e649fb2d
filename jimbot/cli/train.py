"""`jimbot train`: train in the foreground, without the rest of the appliance."""

from __future__ import annotations

import json
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jimbot.cli import Options

if TYPE_CHECKING:
    from jimbot.events.payloads import TrainingEvaluation, TrainingIteration


@click.command(name="train")
@click.option("--preset", default="laptop", show_default=True, help="A [training.presets] row.")
@click.option("--resume", is_flag=True, help="Go on from the newest whole checkpoint of the home.")
@click.option(
    "--teacher",
    type=click.Choice(["heuristic", "search"]),
    help="Who is imitated.  [default: the preset's]",
)
@click.option(
    "--for", "minutes", type=click.FloatRange(min=0.05), help="Minutes of PPO, pauses not counted."
)
@click.option(
    "--from",
    "start",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An exported policy to start from, in place of imitating a teacher.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout.")
@click.pass_obj
def command(
    options: Options,
    preset: str,
    resume: bool,
    teacher: str | None,
    minutes: float | None,
    start: Path | None,
    as_json: bool,
) -> None:
    """Imitate a teacher, then train with PPO; evaluate on held-out seeds from time to time.

    Checkpoints, curve.json and curve.png go into the home. Ctrl-C saves a checkpoint and ends.
    Then: jimbot export.
    """
    from jimbot.appliance.model import TableError
    from jimbot.training import foreground

    appliance, home = options.appliance, options.home
    if preset not in appliance.training.presets:
        raise TableError(
            f"there is no preset {preset!r}",
            hint=f"Presets: {', '.join(appliance.training.presets)}",
        )
    row = appliance.training.presets[preset]
    if teacher:
        row = row.model_copy(update={"teacher": teacher})
    stop = threading.Event()

    def take_signals() -> None:
        # Again once Ray is there: it has handlers of its own.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())

    def say(kind: str, told: TrainingIteration | TrainingEvaluation) -> None:
        if as_json:
            click.echo(json.dumps({"kind": kind} | told.model_dump()))

    def iterated(told: TrainingIteration) -> None:
        say("iteration", told)
        click.echo(
            f"iteration {told.iteration}: {told.steps:,} steps, {told.games} games, "
            f"return {_number(told.return_mean)}, entropy {_number(told.entropy)}, "
            f"{told.steps_per_s or 0:.0f} steps/s",
            err=True,
        )

    def evaluated(told: TrainingEvaluation) -> None:
        say("evaluation", told)
        click.echo(
            f"  held-out: ante {told.mean_ante:.2f} ({told.mean_ante_low:.2f}-"
            f"{told.mean_ante_high:.2f}), won {told.win_rate:.1%} of {told.games}",
            err=True,
        )

    take_signals()
    progress = foreground.run(
        appliance,
        home,
        row,
        minutes=minutes or row.minutes,
        resume=resume,
        start=start,
        stop=stop,
        told=lambda line: click.echo(line, err=True),
        connected=take_signals,
        iterated=iterated,
        evaluated=evaluated,
    )
    if as_json:
        click.echo(json.dumps({"kind": "end"} | asdict(progress)))


def _number(value: float | None) -> str:
    return "none yet" if value is None else f"{value:.2f}"
