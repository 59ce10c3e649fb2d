"""`jimbot drain`: a service finishes what it does, and stays down until it is taken back."""

from __future__ import annotations

import click

from jimbot.cli import Options


@click.command(name="drain")
@click.argument("services", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Tell what would be done.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def command(options: Options, services: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Take SERVICES out of work: they finish what they do, end, and stay down.

    Without a name those that train. `jimbot undrain` takes them back; so does a restart of the
    appliance. Exits 2 when nothing runs.
    """
    run(options, "drain", services, dry_run, as_json)


def run(
    options: Options, verb: str, services: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Drain or undrain services of the running appliance."""
    import json

    from jimbot.operations import drain
    from jimbot.operations.audited import audited

    appliance, home = options.appliance, options.home
    names = drain.choose(appliance, home, verb, services)
    if not dry_run:
        with audited(home, verb, services=names) as after:
            drain.carry_out(appliance, home, verb, names, lambda line: click.echo(line, err=True))
            after["services"] = names
    if as_json:
        click.echo(json.dumps({"done": not dry_run, verb: names}))
    elif not names:
        click.echo(f"nothing to {verb}")
    else:
        click.echo(
            f"{'would ' if dry_run else ''}{verb}{'' if dry_run else 'ed'}: {', '.join(names)}"
        )
