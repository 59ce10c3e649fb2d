"""`jimbot export`: the learned policy in one file that plays without Ray and torch."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="export")
@click.option(
    "--checkpoint",
    type=click.Path(file_okay=False, path_type=Path),
    help="A checkpoint's directory; the newest whole one of the home when left out.",
)
@click.option(
    "--mean",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="The mean of the newest N checkpoints' weights, which is steadier than the last.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; policy.npz in the home when left out, which --policy latest plays.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(
    options: Options, checkpoint: Path | None, mean: int, out: Path | None, as_json: bool
) -> None:
    """Write the trained policy to one plain file.

    It plays with numpy alone: jimbot play --policy latest. Exits 2 when there is no checkpoint, or
    it is damaged; the file that was there before stays.
    """
    from jimbot.policy.weights import FILE_NAME
    from jimbot.training import export
    from jimbot.training.checkpoints import Seal

    if checkpoint and mean > 1:
        raise click.UsageError("--mean is of the newest checkpoints: leave --checkpoint away")
    home = options.home
    first, *others = [checkpoint] if checkpoint else export.newest(home.checkpoints, mean)
    done = export.export(
        first,
        out or home.path / FILE_NAME,
        Seal.of(options.appliance.training, home),
        mean_with=others,
    )
    if as_json:
        told = {"file": str(done.file), "bytes": done.size, "checkpoint": str(done.checkpoint)}
        click.echo(json.dumps(told | asdict(done.header), indent=2))
        return
    progress = done.header.progress
    before = f" and {mean - 1} before it" if mean > 1 else ""
    click.echo(
        f"{done.file}: {done.header.policy}, {done.size / 1000:.0f} KB, from checkpoint "
        f"{done.checkpoint.name}{before} ({progress.get('games', 0):,} games, "
        f"{progress.get('iteration', 0):,} iterations)"
    )
