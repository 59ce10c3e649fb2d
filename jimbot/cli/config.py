"""`jimbot config`: the appliance table, checked and shown."""

from __future__ import annotations

import click

from jimbot.cli import Options


@click.group(name="config", help="Check and show the appliance table.")
def command() -> None:
    pass


@command.command()
@click.pass_obj
def check(options: Options) -> None:
    """Prove that the table adds up; exit 2 and say where when it does not.

    Images of stores' servers that no digest pins are named on stderr, with the line that pins them.
    """
    from jimbot.appliance.render.containers import unpinned

    table = options.appliance
    strict = [name for name, row in table.environments if row.require_digests]
    places = " and ".join(strict)
    for service in unpinned(table) if strict else ():
        name = f"{service.image}:{table.images[service.image].tag}"
        click.echo(
            f"jimbot: the {service.title} does not start in {places}: no digest pins its image "
            f'{name}. Under [images."{service.image}"] of the table write\n'
            '  digest = "sha256:…"\n'
            f"with what this says: skopeo inspect --format '{{{{.Digest}}}}' docker://{name}",
            err=True,
        )
    click.echo(f"the table holds: {len(table.services)} services in {len(table.groups)} groups")


@command.command()
@click.pass_obj
def show(options: Options) -> None:
    """Print the table as JSON."""
    click.echo(options.appliance.model_dump_json(indent=2))
