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
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file; policy.npz in the home when left out, which --policy latest plays.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, checkpoint: Path | None, out: Path | None, as_json: bool) -> None:
    """Write the trained policy to one plain file.

    It plays with numpy alone: jimbot play --policy latest. Exits 2 when there is no checkpoint, or
    it is damaged; the file that was there before stays.
    """
    from jimbot.policy.weights import FILE_NAME
    from jimbot.training import export
    from jimbot.training.checkpoints import Seal

    home = options.home
    seal = Seal.of(options.appliance.training, home)
    done = export.export(
        checkpoint or export.newest(home.checkpoints), out or home.path / FILE_NAME, seal
    )
    if as_json:
        told = {"file": str(done.file), "bytes": done.size, "checkpoint": str(done.checkpoint)}
        click.echo(json.dumps(told | asdict(done.header), indent=2))
        return
    progress = done.header.progress
    click.echo(
        f"{done.file}: {done.header.policy}, {done.size / 1000:.0f} KB, from checkpoint "
        f"{done.checkpoint.name} ({progress.get('games', 0):,} games, "
        f"{progress.get('iteration', 0):,} iterations)"
    )
