"""`jimbot certs`: certificates for games on other machines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from jimbot.cli import Options

_NAMES = click.option(
    "--name", "names", multiple=True, help="A host name or address of this machine; repeat it."
)
_DAYS = click.option(
    "--days", type=click.IntRange(1, 825), default=397, show_default=True, help="It holds so long."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group(name="certs", help="Certificates for games on other machines.")
def command() -> None:
    pass


@command.command()
@_NAMES
@_DAYS
@click.option("--yes", is_flag=True, help="Replace the authority that there is.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be written.")
@_JSON
@click.pass_obj
def init(
    options: Options, names: tuple[str, ...], days: int, yes: bool, dry_run: bool, as_json: bool
) -> None:
    """Make a private authority, and a certificate for this machine by it.

    Games on other machines trust it by its ca.pem; the other files stay here.
    """
    from jimbot.operations.audited import audited
    from jimbot.security import authority

    folder, names = _folder(options), names or tuple(authority.default_names())
    files = authority.Files.of(folder)
    there = [path for path in files if path.exists()]
    if dry_run:
        click.echo(f"would write {', '.join(path.name for path in files)} into {folder}", err=True)
        click.echo(f"would name {', '.join(names)}", err=True)
    if there and not yes:
        click.echo(
            f"jimbot: {there[0]} is there. Games trust it: give --yes to replace it, or only make"
            " a new certificate: jimbot certs renew",
            err=True,
        )
        sys.exit(2)
    if dry_run:
        return
    with audited(options.home, "certs.init", names=list(names), replaced=bool(there)) as after:
        authority.init(folder, names, days)
        told = _told(files.server)
        after |= told
    _say(told, as_json, f"Made an authority; give {files.ca} to games on other machines.")


@command.command()
@_NAMES
@_DAYS
@_JSON
@click.pass_obj
def renew(options: Options, names: tuple[str, ...], days: int, as_json: bool) -> None:
    """Make a new certificate by the authority that there is; mcp takes it while it runs.

    Names are those of the certificate before, unless given.
    """
    from jimbot.operations.audited import audited
    from jimbot.security import authority, tls

    folder = _folder(options)
    server = authority.Files.of(folder).server
    if not names:
        names = tls.describe(server).names if server.exists() else ()
    with audited(options.home, "certs.renew", names=list(names)) as after:
        authority.renew(folder, names or authority.default_names(), days)
        told = _told(server)
        after |= told
    _say(told, as_json, "Made a new certificate.")


@command.command()
@_JSON
@click.pass_obj
def show(options: Options, as_json: bool) -> None:
    """Tell about the certificate in use; exit 1 when it ended, or its key does not match."""
    from jimbot.errors import JimbotError
    from jimbot.security import tls

    security, home = options.appliance.security, options.home
    certificate, key = security.certificate(home), security.key(home)
    if certificate is None or key is None:
        raise click.UsageError("the table names no certificate")
    told = _told(certificate)
    try:
        tls.server_context(certificate, key, security.tls.minimum)
        problem = "it has ended" if told["days_left"] <= 0 else ""
    except JimbotError as error:
        problem = str(error)
    _say(told | {"problem": problem}, as_json, "")
    if problem:
        click.echo(f"jimbot: {problem}", err=True)
        sys.exit(1)


def _folder(options: Options) -> Path:
    return Path(options.home.path) / "secrets" / "tls"


def _told(path: Path) -> dict[str, Any]:
    from jimbot.security import tls

    found = tls.describe(path)
    return {
        "file": str(path),
        "subject": found.subject,
        "issuer": found.issuer,
        "names": list(found.names),
        "begins": found.begins.isoformat(),
        "ends": found.ends.isoformat(),
        "days_left": round(found.days_left, 1),
        "sha256": found.sha256,
    }


def _say(told: dict[str, Any], as_json: bool, first: str) -> None:
    if as_json:
        click.echo(json.dumps(told))
        return
    if first:
        click.echo(first)
    click.echo(f"{told['file']}: {', '.join(told['names'])}, by {told['issuer']}")
    click.echo(f"until {told['ends'][:10]}, {told['days_left']:g} days left")
    click.echo(f"SHA-256 {told['sha256']}")
