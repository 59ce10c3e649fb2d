"""`jimbot render`: manifests, rules and dashboards from the appliance table."""

from __future__ import annotations

from pathlib import Path

import click

from jimbot.cli import Options


@click.command(name="render")
@click.argument("kind")
@click.option(
    "--environment",
    default="production",
    show_default=True,
    type=click.Choice(["development", "staging", "production"]),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write files into this directory instead of stdout.",
)
@click.option("--dry-run", is_flag=True, help="Tell which files --out would write.")
@click.pass_obj
def command(options: Options, kind: str, environment: str, out: Path | None, dry_run: bool) -> None:
    """Write what other programs read (`jimbot render list` names them) from the table."""
    from jimbot.appliance.render import RENDERERS, render

    if kind == "list":
        width = max(map(len, RENDERERS))
        for name, about in RENDERERS.items():
            click.echo(f"{name:<{width}}  {about}")
        return
    if kind not in RENDERERS:
        raise click.UsageError(f"nothing renders {kind!r}; there are: {', '.join(RENDERERS)}")
    texts = render(kind, options.appliance, environment)
    for name, text in texts.items():
        if out is None:
            click.echo(text if len(texts) == 1 else f"# --- {name}\n{text}")
            continue
        path = out / name
        if not dry_run:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        click.echo(str(path))
