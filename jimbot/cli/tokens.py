"""`jimbot tokens`: who may use the appliance, and for what."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import click

from jimbot.cli import Options

_ROLES = ("viewer", "player", "operator", "admin")


@click.group(name="tokens", help="Who may use the appliance, and for what.")
def command() -> None:
    pass


@command.command()
@click.argument("name")
@click.option("--role", type=click.Choice(_ROLES), required=True)
@click.option("--scope", "scopes", multiple=True, help="Only this of what the role may; repeat it.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True), default=90, show_default=True)
@click.option("--for-ever", is_flag=True, help="It holds until it is revoked.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def create(
    options: Options,
    name: str,
    role: str,
    scopes: tuple[str, ...],
    days: float,
    for_ever: bool,
    as_json: bool,
) -> None:
    """Make a token for NAME and print it, this once. The first one turns tokens on.

    Services that run take it at once.
    """
    from jimbot.operations.audited import audited
    from jimbot.security import tokens
    from jimbot.security.roles import SCOPES

    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise click.UsageError(f"no scope {unknown[0]!r}; there are: {', '.join(SCOPES)}")
    home = options.home
    with audited(home, "tokens.create", name=name, role=role, scopes=list(scopes)) as after:
        made = tokens.create(
            home,
            options.appliance.security,
            name,
            role,  # type: ignore[arg-type]
            scopes=scopes or None,  # type: ignore[arg-type]
            days=None if for_ever else days,
        )
        told = made.token.model_dump(exclude={"sha256"})
        after |= told
    if as_json:
        click.echo(json.dumps(told | {"token": made.text}))
        return
    click.echo(made.text)
    until = _day(made.token.expires)
    click.echo(f"jimbot: {name} is {role} {until}; this token is not shown again", err=True)


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def list_(options: Options, as_json: bool) -> None:
    """Tell which tokens there are; not what they are, which nobody knows."""
    from jimbot.security import tokens

    home = options.home
    known = [
        (path, token)
        for path in options.appliance.security.token_files(home)
        if path.exists()
        for token in tokens.read(path)
    ]
    if as_json:
        rows = [
            token.model_dump(exclude={"sha256"})
            | {"file": str(path), "scopes": sorted(token.granted)}
            for path, token in known
        ]
        click.echo(json.dumps({"on": bool(known), "tokens": rows}))
        return
    if not known:
        click.echo("Tokens are off: who is on this machine may do everything.")
    for _, token in known:
        gone = token.expires is not None and token.expires <= time.time()
        state = "expired" if gone else _day(token.expires)
        fewer = "" if token.scopes is None else f"  only {', '.join(sorted(token.granted))}"
        click.echo(f"{token.id}  {token.role:<8}  {state:<16}  {token.name}{fewer}")


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_obj
def revoke(options: Options, name: str, as_json: bool) -> None:
    """Take back the token with this name or id; who uses it is out within a second."""
    from jimbot.operations.audited import audited
    from jimbot.security import tokens

    home = options.home
    with audited(home, "tokens.revoke", name=name) as after:
        gone = tokens.revoke(home, options.appliance.security, name).model_dump(exclude={"sha256"})
        after |= gone
    if as_json:
        click.echo(json.dumps(gone))
    else:
        click.echo(f"{gone['name']} ({gone['id']}) is out.")


def _day(expires: float | None) -> str:
    if expires is None:
        return "for ever"
    return f"until {datetime.fromtimestamp(expires, UTC):%Y-%m-%d}"
