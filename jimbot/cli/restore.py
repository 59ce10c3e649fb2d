"""`jimbot restore`: a home, or one store of it, as it was."""

from __future__ import annotations

from pathlib import Path

import click

from jimbot.cli import Options
from jimbot.cli.backup import WAIT


@click.command(name="restore")
@click.option("--snapshot", default="latest", show_default=True, help="See: jimbot backup list.")
@click.option(
    "--target",
    type=click.Path(path_type=Path, file_okay=False),
    help="Another home to write.  [default: the home]",
)
@click.option("--part", help="One folder of the home alone: events, metrics, checkpoints, …")
@click.option("--yes", is_flag=True, help="Replace what is there; it is kept under another name.")
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@WAIT
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(
    options: Options,
    snapshot: str,
    target: Path | None,
    part: str | None,
    yes: bool,
    dry_run: bool,
    wait_s: float,
    as_json: bool,
) -> None:
    """Bring a home back from the newest backup that holds, or from the one named.

    It is made beside the home and takes its place in one step. Exits 1 when nothing was restored.
    """
    from jimbot.operations.audited import audited
    from jimbot.operations.restore import RestoreResult, restore

    def go() -> RestoreResult:
        return restore(
            options.appliance,
            options.home,
            target=target,
            snapshot=snapshot,
            part=part,
            yes=yes,
            dry_run=dry_run,
            wait_s=wait_s,
            say=lambda line: click.echo(line, err=True),
        )

    if dry_run:
        result = go()
    else:
        with audited(options.home, "restore", snapshot=snapshot, part=part) as after:
            result = go()
            after |= {"snapshot": result.snapshot, "safety_copy": result.safety_copy}
    if as_json:
        click.echo(result.model_dump_json(indent=2))
        return
    click.echo(
        f"{'would restore' if dry_run else 'restored'} {result.target} from backup "
        f"{result.snapshot}: {result.files:,} files, {result.bytes / (1 << 20):,.1f} MiB"
    )
    for name, source in result.sources.items():
        if source != result.snapshot:
            click.echo(f"{name} comes from {source}")
    for line in result.passed_over:
        click.echo(f"passed over {line}")
    if result.safety_copy:
        click.echo(f"what was there {'would be' if dry_run else 'is'} in {result.safety_copy}")
    for line in result.notes:
        click.echo(line)
